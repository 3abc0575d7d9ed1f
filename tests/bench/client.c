/* The benchmark's WebSocket client; see client.h. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HANDSHAKE_MS = 10000, OPCODE_TEXT = 1, OPCODE_CLOSE = 8 };

static bool send_request(int fd, int port, const char *user)
{
    char request[512];
    int size = snprintf(request, sizeof(request),
                        "GET /api/v1/notifications/ws?token=dummy-jwt-for-%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n",
                        user, port);
    return send(fd, request, (size_t)size, MSG_NOSIGNAL) == size;
}

static bool wait_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, HANDSHAKE_MS) == 1;
}

/* Reads up to the empty line; what follows it stays in the buffer. */
static bool read_response(struct client *client)
{
    for (;;) {
        char *end = memmem(client->buffer, client->used, "\r\n\r\n", 4);
        if (end) {
            bool good = strncmp(client->buffer, "HTTP/1.1 101", 12) == 0;
            size_t head = (size_t)(end + 4 - client->buffer);
            memmove(client->buffer, client->buffer + head, client->used - head);
            client->used -= head;
            return good;
        }
        if (!wait_readable(client->fd))
            return false;
        ssize_t size = recv(client->fd, client->buffer + client->used, sizeof(client->buffer) - client->used, 0);
        if (size <= 0)
            return false;
        client->used += (size_t)size;
    }
}

static bool await_connected(struct client *client)
{
    bool closed = false;
    for (;;) {
        const char *frame = client_next(client, &closed);
        if (frame)
            return strstr(frame, "\"type\":\"connected\"") != NULL;
        if (closed || !wait_readable(client->fd))
            return false;
    }
}

bool client_open(struct client *client, int port, const char *user, const char **why)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    client->used = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *why = "cannot connect";
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return false;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *why = "the handshake was refused";
    if (!send_request(client->fd, port, user) || !read_response(client))
        return false;
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    *why = "no `connected` came";
    return await_connected(client);
}

/* The size of the frame at the front, header included, and where its payload begins; 0: not whole yet. */
static size_t frame_size(const struct client *client, size_t *head)
{
    const uint8_t *bytes = (const uint8_t *)client->buffer;
    if (client->used < 2)
        return 0;
    uint64_t payload = bytes[1] & 0x7f;
    size_t extra = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    *head = 2 + extra;
    if (client->used < *head)
        return 0;
    for (size_t i = 0; i < extra; i++)
        payload = (i ? payload << 8 : 0) | bytes[2 + i];
    return client->used >= *head + payload ? (size_t)(*head + payload) : 0;
}

static void read_more(struct client *client, bool *closed)
{
    ssize_t size = recv(client->fd, client->buffer + client->used, sizeof(client->buffer) - client->used, 0);
    if (size > 0)
        client->used += (size_t)size;
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        *closed = true;
}

const char *client_next(struct client *client, bool *closed)
{
    static char payload[sizeof(client->buffer) + 1];
    for (int tries = 0; tries < 2; tries++) {
        size_t head = 0, size = frame_size(client, &head);
        if (!size) {
            read_more(client, closed);
            continue;
        }
        int opcode = client->buffer[0] & 0x0f;
        memcpy(payload, client->buffer + head, size - head);
        payload[size - head] = '\0';
        memmove(client->buffer, client->buffer + size, client->used - size);
        client->used -= size;
        *closed = *closed || opcode == OPCODE_CLOSE;
        if (opcode == OPCODE_TEXT)
            return payload;
        tries = -1; /* a ping: the next one */
    }
    return NULL;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}
