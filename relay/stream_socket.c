/* Sockets of streams; see stream_socket.h. */
#include "stream_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory.h"
#include "socket_taken.h"
#include "tls.h"

enum { BATCH = 64 };

struct stream_sockets {
    struct relay *relay;
    void (*kill)(void *connection);
    int epoll_fd;
    uv_poll_t poll;
};

struct stream_socket {
    struct stream_sockets *sockets;
    void *connection;
    int fd;
    SSL *tls; /* NULL: none */
    uint64_t id; /* of its session */
    uint8_t *rest; /* what the kernel has not taken; NULL: nothing */
    size_t rest_size, rest_at;
};

/* ---- writing ---- */

/* How much the kernel took, maybe nothing; -1: the socket is broken. */
static ssize_t send_some(const struct stream_socket *socket, const uint8_t *bytes, size_t size)
{
    if (socket->tls)
        return tls_send(socket->tls, bytes, size);
    ssize_t taken = send(socket->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return taken;
}

static bool stream_write(void *door, const uint8_t *bytes, size_t size)
{
    struct stream_socket *socket = door;
    ssize_t taken = send_some(socket, bytes, size);
    if (taken < 0)
        return false;
    if ((size_t)taken == size)
        return true;
    socket->rest_at = 0;
    socket->rest_size = size - (size_t)taken;
    socket->rest = memory_new(socket->rest_size);
    memcpy(socket->rest, bytes + taken, socket->rest_size);
    return true;
}

static bool send_rest(struct stream_socket *socket)
{
    if (!socket->rest)
        return true;
    ssize_t taken = send_some(socket, socket->rest + socket->rest_at, socket->rest_size - socket->rest_at);
    if (taken < 0)
        return false;
    socket->rest_at += (size_t)taken;
    if (socket->rest_at == socket->rest_size) {
        free(socket->rest);
        socket->rest = NULL;
    }
    return true;
}

static bool stream_busy(void *door)
{
    return ((struct stream_socket *)door)->rest != NULL;
}

/* ---- watching ---- */

static bool watch(struct stream_socket *socket, int how, uint32_t events)
{
    struct epoll_event event = {.events = EPOLLRDHUP | events, .data.u64 = socket->id};
    return epoll_ctl(socket->sockets->epoll_fd, how, socket->fd, &event) == 0;
}

static void stream_want_write(void *door)
{
    watch(door, EPOLL_CTL_MOD, EPOLLOUT);
}

static void stream_kill(void *door)
{
    struct stream_socket *socket = door;
    socket->sockets->kill(socket->connection);
}

/* What it sends is never read. */
static void stream_read(void *door, bool on)
{
    (void)door;
    (void)on;
}

static uint32_t stream_taken(void *door)
{
    return socket_taken(((struct stream_socket *)door)->fd);
}

static void stream_expect(void *door)
{
    __builtin_prefetch(door);
}

const struct door stream_door = {stream_write, stream_busy,  stream_want_write, stream_kill,
                                 stream_read,  stream_taken, stream_expect};

static void happened(struct session *session, uint32_t events)
{
    struct stream_socket *socket = session->socket;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) || !send_rest(socket)) {
        stream_kill(socket);
    } else if (!socket->rest) {
        watch(socket, EPOLL_CTL_MOD, 0);
        session_writable(session);
    }
}

/* What does not fit into a batch keeps the instance readable. A socket that is gone was of a session that is gone. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct stream_sockets *sockets = poll->data;
    struct epoll_event all[BATCH];
    int count = epoll_wait(sockets->epoll_fd, all, BATCH, 0);
    for (int i = 0; i < count; i++) {
        struct session *session = table_find(&sockets->relay->sessions.by_id, all[i].data.u64, NULL, NULL);
        if (session)
            happened(session, all[i].events);
    }
}

/* ---- life ---- */

struct stream_sockets *stream_sockets_new(struct relay *relay, void (*kill)(void *connection))
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return NULL;
    struct stream_sockets *sockets = memory_zero(sizeof(*sockets));
    sockets->relay = relay;
    sockets->kill = kill;
    sockets->epoll_fd = epoll_fd;
    sockets->poll.data = sockets;
    if (uv_poll_init(relay->loop, &sockets->poll, epoll_fd) != 0) {
        close(epoll_fd);
        free(sockets);
        return NULL;
    }
    uv_poll_start(&sockets->poll, UV_READABLE, on_poll);
    return sockets;
}

struct stream_socket *stream_socket_new(struct stream_sockets *sockets, int fd, SSL *tls, void *connection)
{
    struct stream_socket *socket = memory_zero(sizeof(*socket));
    socket->sockets = sockets;
    socket->connection = connection;
    socket->fd = fd;
    socket->tls = tls;
    if (tls)
        tls_start_sending(tls);
    return socket;
}

bool stream_socket_watch(struct stream_socket *socket, uint64_t session_id)
{
    socket->id = session_id;
    return watch(socket, EPOLL_CTL_ADD, 0);
}

void stream_socket_free(struct stream_socket *socket)
{
    free(socket->rest);
    free(socket);
}

void stream_sockets_close(struct stream_sockets *sockets)
{
    uv_close((uv_handle_t *)&sockets->poll, NULL);
}

void stream_sockets_free(struct stream_sockets *sockets)
{
    close(sockets->epoll_fd);
    free(sockets);
}
