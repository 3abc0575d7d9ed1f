/* Who may pass to libwebsockets; see doorman.h. A visitor is one waiting socket: READING
 * until its request's head has come, ASKING while its user is looked up, LEAVING once it
 * is refused. Late answers find it by id, never by pointer. */
#include "doorman.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "forwarded.h"
#include "log.h"
#include "login.h"
#include "memory.h"
#include "refusal_response.h"
#include "request_head.h"

enum {
    HEAD_MAX_BYTES = 16384, /* what libwebsockets takes */
    HEAD_MS = 10000,        /* for the whole head to come */
    LOOK_MIN_MS = 5,        /* until the first new look at half a head; each wait is twice the last */
    LOOK_MAX_MS = 1000,
    LEAVE_MS = 2000, /* for the peer to read its refusal */
    LEAVE_MAX_BYTES = 262144,
    /* Beyond HERALD_MAX_CONNECTIONS, and beyond those of an address: so many are still told why, each in
     * its own way, and the relay's health. Further ones cost an answer that needs no request. */
    SPARE_VISITORS = 64,
};

enum visitor_state { VISITOR_READING, VISITOR_ASKING, VISITOR_LEAVING };

struct visitor {
    uint64_t id;
    struct doorman *doorman;
    int fd;
    struct net_address address; /* of its socket's peer */
    struct net_address client;  /* the same, or what a trusted proxy says of it */
    struct peer *peer;          /* it is counted there; NULL for a proxy that says nothing yet */
    enum visitor_state state;
    uint64_t deadline_ms; /* of READING */
    uint64_t look_ms;     /* until the next look at half a head */
    size_t left_bytes;    /* read and thrown away while LEAVING */
    uv_poll_t poll;
    uv_timer_t timer;
    int handles; /* still open */
    UT_hash_handle hh;
};

struct doorman {
    struct relay *relay;
    const char *endpoint;
    doorman_pass *pass;
    void *owner;
    struct visitor *visitors; /* uthash by id */
    int count;
    uint64_t last_id;
    char bytes[HEAD_MAX_BYTES]; /* what one visitor's socket shows */
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);

/* ---- coming and going ---- */

/* wait_ms: how long nothing need happen; 0 is for ever. */
static void watch(struct visitor *visitor, int events, uint64_t wait_ms)
{
    uv_poll_start(&visitor->poll, events, on_poll);
    if (wait_ms)
        uv_timer_start(&visitor->timer, on_timer, wait_ms, 0);
    else
        uv_timer_stop(&visitor->timer);
}

static void handle_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;
    if (--visitor->handles == 0)
        free(visitor);
}

/* Its connection counts there from now on; NULL: nowhere. */
static void count_under(struct visitor *visitor, const struct net_address *address)
{
    struct relay *relay = visitor->doorman->relay;
    struct rate_limit failures = relay->config->auth_failure_limit;
    peers_leave(&relay->sessions.peers, visitor->peer, clock_now_ms(), failures);
    visitor->peer =
        address ? peers_enter(&relay->sessions.peers, *address, clock_now_ms(), failures) : NULL;
}

/* The visitor is gone; its socket is the caller's, and nobody watches it any more. */
static int release(struct visitor *visitor)
{
    int fd = visitor->fd;
    count_under(visitor, NULL);
    HASH_DEL(visitor->doorman->visitors, visitor);
    visitor->doorman->count--;
    visitor->fd = -1;
    uv_close((uv_handle_t *)&visitor->poll, handle_closed);
    uv_close((uv_handle_t *)&visitor->timer, handle_closed);
    return fd;
}

static void drop(struct visitor *visitor)
{
    close(release(visitor));
}

static void pass_on(struct visitor *visitor)
{
    struct doorman *doorman = visitor->doorman;
    struct net_address address = visitor->address;
    doorman->pass(doorman->owner, release(visitor), address);
}

/* ---- refusals ---- */

/* The last on this socket. False: it is broken, or full before anything was sent. */
static bool send_last(int fd, const char *response, size_t size)
{
    return send(fd, response, size, MSG_NOSIGNAL) == (ssize_t)size && shutdown(fd, SHUT_WR) == 0;
}

static bool answer(struct relay *relay, int fd, enum refusal refusal, const char *reason)
{
    char response[REFUSAL_RESPONSE_SIZE];
    counters_refused(&relay->counters, refusal, reason);
    size_t size = refusal_response(response, refusal, reason, "");
    return send_last(fd, response, size);
}

/* Bytes of the request that nobody has read would make close() reset the connection, and the answer
 * be lost with it. So they are read and thrown away, within bounds, until the peer closes too. */
static void leave(struct visitor *visitor, bool was_told)
{
    if (!was_told) {
        drop(visitor);
        return;
    }
    visitor->state = VISITOR_LEAVING;
    watch(visitor, UV_READABLE, LEAVE_MS);
}

static void refuse_because(struct visitor *visitor, enum refusal refusal, const char *reason)
{
    leave(visitor, answer(visitor->doorman->relay, visitor->fd, refusal, reason));
}

static void refuse(struct visitor *visitor, enum refusal refusal)
{
    refuse_because(visitor, refusal, refusal_reason(refusal));
}

static void see_off(struct visitor *visitor)
{
    ssize_t size = recv(visitor->fd, visitor->doorman->bytes, HEAD_MAX_BYTES, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0)
        visitor->left_bytes += (size_t)size;
    if (size <= 0 || visitor->left_bytes > LEAVE_MAX_BYTES)
        drop(visitor);
}

/* There is not even room to wait in: it is told so as well as can be done at once. */
static void turn_away(struct doorman *doorman, int fd, enum refusal refusal)
{
    if (answer(doorman->relay, fd, refusal, refusal_reason(refusal)))
        (void)recv(fd, doorman->bytes, HEAD_MAX_BYTES, 0);
    close(fd);
}

/* ---- who is it ---- */

static void resolved(struct relay *relay, uint64_t id, void *context, enum resolver_result result,
                     struct text user_id)
{
    (void)user_id; /* libwebsockets' side asks again; it is known then */
    const struct doorman *doorman = context;
    struct visitor *visitor = NULL;
    HASH_FIND(hh, doorman->visitors, &id, sizeof(id), visitor);
    if (!visitor || visitor->state != VISITOR_ASKING)
        return;
    if (result == RESOLVER_FOUND) {
        pass_on(visitor);
        return;
    }
    if (result == RESOLVER_UNAVAILABLE) {
        refuse(visitor, REFUSAL_UNAVAILABLE);
        return;
    }
    login_failed(relay, visitor->client, LOGIN_UNKNOWN_USER);
    refuse(visitor, REFUSAL_NO_USER);
}

/* There is an answer in the end, be it that the database is away; so there is no deadline here. */
static void ask(struct visitor *visitor, const struct auth_claims *claims)
{
    struct doorman *doorman = visitor->doorman;
    visitor->state = VISITOR_ASKING;
    watch(visitor, UV_DISCONNECT, 0);
    resolver_want(&doorman->relay->resolver, claims->claims_json, visitor->id, doorman, resolved);
}

/* Where the request comes from, as its last proxy that is trusted says. */
static void find_client(struct visitor *visitor, const struct request_head *head)
{
    const struct trusted_proxies *proxies = &visitor->doorman->relay->config->trusted_proxies;
    struct net_address client = {0};
    struct text rest = head->fields, value;
    if (!trusted_proxies_have(proxies, visitor->address))
        return;
    while (request_head_next_field(&rest, TEXT("X-Forwarded-For"), &value))
        forwarded_read(proxies, value, &client);
    if (!net_address_is_none(client))
        visitor->client = client;
    count_under(visitor, &visitor->client);
}

static void check_token(struct visitor *visitor, struct text token)
{
    struct auth_claims claims;
    enum auth_result result = login_verify(visitor->doorman->relay, token, &claims);
    if (result != AUTH_OK) {
        login_failed(visitor->doorman->relay, visitor->client, (int)result);
        refuse_because(visitor, REFUSAL_TOKEN, auth_reason(result));
        return;
    }
    ask(visitor, &claims);
    auth_claims_clear(&claims);
}

/* Paths are compared as they were sent: libwebsockets takes more spellings for the endpoint, and
 * whoever uses one must not get around the check. */
static void check_upgrade(struct visitor *visitor, const struct request_head *head)
{
    const struct relay *relay = visitor->doorman->relay;
    struct text endpoint = text_of(visitor->doorman->endpoint);
    find_client(visitor, head);
    if (!head->is_get || head->path.size != endpoint.size ||
        memcmp(head->path.bytes, endpoint.bytes, endpoint.size) != 0)
        refuse(visitor, REFUSAL_NOT_FOUND);
    else if (!head->shows_token)
        refuse(visitor, REFUSAL_NO_TOKEN);
    else if (relay->sessions.count >= sessions_allowed(relay))
        refuse(visitor, REFUSAL_CAPACITY);
    else if (visitor->peer && visitor->peer->count > relay->config->max_connections_per_ip)
        refuse(visitor, REFUSAL_ADDRESS_FULL);
    else if (login_wait_ms(relay, visitor->client))
        refuse(visitor, REFUSAL_AUTH_FAILURES);
    else
        check_token(visitor, (struct text){head->token, head->token_size});
}

/* Exactly as it is written (RFC 9110 §9.1): libwebsockets takes "get", too. */
static void refuse_method(struct visitor *visitor, const struct request_head *head)
{
    char response[REFUSAL_RESPONSE_SIZE];
    counters_refused(&visitor->doorman->relay->counters, REFUSAL_METHOD, refusal_reason(REFUSAL_METHOD));
    size_t size = refusal_response_method(response, head->path, "");
    leave(visitor, send_last(visitor->fd, response, size));
}

static void check_head(struct visitor *visitor, const struct request_head *head)
{
    if (head->wants_upgrade && visitor->doorman->relay->config->auth_reject == AUTH_REJECT_HTTP)
        check_upgrade(visitor, head);
    else if (!head->is_known_method)
        refuse_method(visitor, head);
    else
        pass_on(visitor);
}

/* ---- looking ---- */

/* Half a head stays readable, and polling for more would never sleep. So it is looked at again after
 * a while, and polled for the peer's end only, which the bytes before it would hide from a look. */
static void look_later(struct visitor *visitor)
{
    uint64_t now_ms = clock_now_ms();
    if (now_ms >= visitor->deadline_ms) {
        refuse(visitor, REFUSAL_TOO_LATE);
        return;
    }
    uint64_t left_ms = visitor->deadline_ms - now_ms;
    watch(visitor, UV_DISCONNECT, visitor->look_ms < left_ms ? visitor->look_ms : left_ms);
    visitor->look_ms = visitor->look_ms * 2 < LOOK_MAX_MS ? visitor->look_ms * 2 : LOOK_MAX_MS;
}

/* ended: the peer will send nothing more. */
static void read_head(struct visitor *visitor, size_t size, bool ended)
{
    struct request_head head;
    switch (request_head_parse(visitor->doorman->bytes, size, &head)) {
    case REQUEST_HEAD_COMPLETE:
        check_head(visitor, &head);
        return;
    case REQUEST_HEAD_BAD:
        refuse(visitor, REFUSAL_BAD_REQUEST);
        return;
    case REQUEST_HEAD_PARTIAL:
        break;
    }
    if (size == HEAD_MAX_BYTES)
        refuse(visitor, REFUSAL_TOO_LARGE);
    else if (ended)
        drop(visitor);
    else
        look_later(visitor);
}

static void look(struct visitor *visitor, bool ended)
{
    ssize_t size = recv(visitor->fd, visitor->doorman->bytes, HEAD_MAX_BYTES, MSG_PEEK);
    bool nothing_yet = size < 0 && (errno == EAGAIN || errno == EINTR);
    if (size > 0)
        read_head(visitor, (size_t)size, ended);
    else if (nothing_yet && !ended)
        look_later(visitor);
    else
        drop(visitor);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct visitor *visitor = poll->data;
    if (status < 0 || visitor->state == VISITOR_ASKING)
        drop(visitor);
    else if (visitor->state == VISITOR_LEAVING)
        see_off(visitor);
    else
        look(visitor, (events & UV_DISCONNECT) != 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct visitor *visitor = timer->data;
    if (visitor->state == VISITOR_LEAVING)
        drop(visitor);
    else
        look(visitor, false);
}

/* ---- the doorman ---- */

/* In a storm the request has mostly come before its connection is accepted; then nothing need be watched. */
static bool needs_no_wait(struct doorman *doorman, int fd)
{
    struct request_head head;
    if (doorman->relay->config->auth_reject == AUTH_REJECT_HTTP)
        return false; /* its user must be asked for */
    ssize_t size = recv(fd, doorman->bytes, HEAD_MAX_BYTES, MSG_PEEK);
    return size > 0 && request_head_parse(doorman->bytes, (size_t)size, &head) == REQUEST_HEAD_COMPLETE &&
           head.is_known_method;
}

void doorman_take(struct doorman *doorman, int fd, struct net_address address)
{
    struct relay *relay = doorman->relay;
    const struct config *config = relay->config;
    bool is_proxy = trusted_proxies_have(&config->trusted_proxies, address);
    if (doorman->count + relay->guests + relay->sessions.count >= sessions_allowed(relay) + SPARE_VISITORS) {
        turn_away(doorman, fd, REFUSAL_CAPACITY);
        return;
    }
    if (!is_proxy && peers_count(&relay->sessions.peers, address) >= config->max_connections_per_ip + SPARE_VISITORS) {
        turn_away(doorman, fd, REFUSAL_ADDRESS_FULL);
        return;
    }
    if (needs_no_wait(doorman, fd)) {
        doorman->pass(doorman->owner, fd, address);
        return;
    }
    struct visitor *visitor = memory_zero(sizeof(*visitor));
    if (uv_poll_init(relay->loop, &visitor->poll, fd) != 0) {
        log_warn("socket_not_watched", LOG_INT("visitors", doorman->count));
        close(fd);
        free(visitor);
        return;
    }
    uv_timer_init(relay->loop, &visitor->timer);
    visitor->id = ++doorman->last_id;
    visitor->doorman = doorman;
    visitor->fd = fd;
    visitor->address = visitor->client = address;
    visitor->deadline_ms = clock_now_ms() + HEAD_MS;
    visitor->look_ms = LOOK_MIN_MS;
    visitor->poll.data = visitor->timer.data = visitor;
    visitor->handles = 2;
    HASH_ADD(hh, doorman->visitors, id, sizeof(visitor->id), visitor);
    doorman->count++;
    if (!is_proxy)
        count_under(visitor, &address);
    watch(visitor, UV_READABLE, HEAD_MS);
}

struct doorman *doorman_new(struct relay *relay, const char *endpoint, doorman_pass *pass, void *owner)
{
    struct doorman *doorman = memory_zero(sizeof(*doorman));
    doorman->relay = relay;
    doorman->endpoint = endpoint;
    doorman->pass = pass;
    doorman->owner = owner;
    return doorman;
}

void doorman_close(struct doorman *doorman)
{
    struct visitor *visitor, *next;
    HASH_ITER (hh, doorman->visitors, visitor, next)
        drop(visitor);
}

void doorman_free(struct doorman *doorman)
{
    free(doorman);
}
