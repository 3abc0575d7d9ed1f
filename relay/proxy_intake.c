/* PROXY headers, taken off sockets; see proxy_intake.h. */
#include "proxy_intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "log.h"
#include "memory.h"
#include "proxy_header.h"

enum { HEADER_MS = 5000 /* at least 3 s, says §2 of proxy-protocol.txt */ };

struct arrival {
    struct proxy_intake *intake;
    int fd;
    struct net_address address; /* of the proxy */
    uv_poll_t poll;
    uv_timer_t timer;
    int handles; /* still open */
    struct arrival *prev, *next;
    size_t size; /* of what has been taken off the socket */
    char bytes[PROXY_HEADER_MAX_BYTES];
};

struct proxy_intake {
    struct relay *relay;
    proxy_intake_pass *pass;
    void *owner;
    struct arrival *arrivals; /* utlist */
    int count;
};

static void handle_closed(uv_handle_t *handle)
{
    struct arrival *arrival = handle->data;
    if (--arrival->handles == 0)
        free(arrival);
}

/* The arrival is gone; its socket is the caller's, and nobody watches it any more. */
static int release(struct arrival *arrival)
{
    DL_DELETE(arrival->intake->arrivals, arrival);
    arrival->intake->count--;
    uv_close((uv_handle_t *)&arrival->poll, handle_closed);
    uv_close((uv_handle_t *)&arrival->timer, handle_closed);
    return arrival->fd;
}

static void drop(struct arrival *arrival)
{
    close(release(arrival));
}

/* §2: whoever is trusted to send a header and does not is not to be served. */
static void refuse(struct arrival *arrival, const char *why)
{
    arrival->intake->relay->counters.sockets_dropped[DROPPED_PROXY_HEADER]++;
    log_info("proxy_header_refused", LOG_STR("why", why));
    drop(arrival);
}

static void pass_on(struct arrival *arrival, const struct proxy_header *header)
{
    struct proxy_intake *intake = arrival->intake;
    struct net_address client = net_address_is_none(header->client) ? arrival->address : header->client;
    intake->pass(intake->owner, release(arrival), client);
}

/* Takes off the socket what belongs to the header and nothing behind it: it was seen there, and comes at
 * once. */
static bool take(struct arrival *arrival, size_t size)
{
    bool taken = recv(arrival->fd, arrival->bytes + arrival->size, size, 0) == (ssize_t)size;
    arrival->size += size;
    return taken;
}

static void look(struct arrival *arrival)
{
    struct proxy_header header;
    size_t had = arrival->size;
    ssize_t seen = recv(arrival->fd, arrival->bytes + had, sizeof(arrival->bytes) - had, MSG_PEEK);
    if (seen < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (seen <= 0) {
        drop(arrival); /* a port scan, or a health check that only connects */
        return;
    }
    enum proxy_header_result result = proxy_header_parse(arrival->bytes, had + (size_t)seen, &header);
    size_t size = result == PROXY_HEADER_COMPLETE ? header.size - had : (size_t)seen;
    if (result == PROXY_HEADER_BAD)
        refuse(arrival, "no PROXY header, or a malformed one");
    else if (!take(arrival, size))
        drop(arrival);
    else if (result == PROXY_HEADER_COMPLETE)
        pass_on(arrival, &header);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct arrival *arrival = poll->data;
    (void)events;
    if (status < 0)
        drop(arrival);
    else
        look(arrival);
}

static void on_timer(uv_timer_t *timer)
{
    refuse(timer->data, "no PROXY header in time");
}

void proxy_intake_take(struct proxy_intake *intake, int fd, struct net_address address)
{
    struct relay *relay = intake->relay;
    if (intake->count >= sessions_allowed(relay)) {
        relay->counters.sockets_dropped[DROPPED_PROXY_HEADER]++;
        close(fd);
        return;
    }
    struct arrival *arrival = memory_new(sizeof(*arrival));
    memset(arrival, 0, offsetof(struct arrival, bytes));
    if (uv_poll_init(relay->loop, &arrival->poll, fd) != 0) {
        log_warn("socket_not_watched", LOG_INT("arrivals", intake->count));
        close(fd);
        free(arrival);
        return;
    }
    uv_timer_init(relay->loop, &arrival->timer);
    arrival->intake = intake;
    arrival->fd = fd;
    arrival->address = address;
    arrival->poll.data = arrival->timer.data = arrival;
    arrival->handles = 2;
    DL_APPEND(intake->arrivals, arrival);
    intake->count++;
    uv_poll_start(&arrival->poll, UV_READABLE, on_poll);
    uv_timer_start(&arrival->timer, on_timer, HEADER_MS, 0);
}

struct proxy_intake *proxy_intake_new(struct relay *relay, proxy_intake_pass *pass, void *owner)
{
    struct proxy_intake *intake = memory_zero(sizeof(*intake));
    intake->relay = relay;
    intake->pass = pass;
    intake->owner = owner;
    return intake;
}

void proxy_intake_close(struct proxy_intake *intake)
{
    struct arrival *arrival, *next;
    DL_FOREACH_SAFE(intake->arrivals, arrival, next)
        drop(arrival);
}

void proxy_intake_free(struct proxy_intake *intake)
{
    free(intake);
}
