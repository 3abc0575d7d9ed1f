#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"

enum {
    BUFFER_BYTES = 1 << 20,
    CONNECTIONS_AN_ADDRESS = 20000,
    REQUEST_BYTES = 1024,
    MESSAGE_BYTES = 512,
    OPCODE_TEXT = 1,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10,
    FINAL = 0x80,
    MASKED = 0x80,
};

static void end(struct client *client)
{
    client_close(client);
    client->hooks->ended(client);
}

/* ---- sending: small messages only, which a socket that is read always takes ---- */

static void send_frame(struct client *client, int opcode, const char *payload, size_t size)
{
    /* A mask of zeros is as good as any here, and leaves the payload as it is. */
    unsigned char frame[8 + MESSAGE_BYTES] = {(unsigned char)(FINAL | opcode)};
    size_t head = 2;
    if (size > MESSAGE_BYTES)
        fail("client", "a message is too long");
    if (size < 126) {
        frame[1] = (unsigned char)(MASKED | size);
    } else {
        frame[1] = MASKED | 126;
        frame[2] = (unsigned char)(size >> 8);
        frame[3] = (unsigned char)size;
        head = 4;
    }
    head += 4;
    memcpy(frame + head, payload, size);
    if (send(client->watch.fd, frame, head + size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE &&
        errno != ECONNRESET)
        fail("client send", strerror(errno));
}

void client_send(struct client *client, const char *text, size_t size)
{
    send_frame(client, OPCODE_TEXT, text, size);
}

/* ---- receiving ---- */

/* The size of the frame at the front, header included, and where its payload begins; 0: not whole yet. */
static size_t frame_size(const unsigned char *bytes, size_t size, size_t *head)
{
    if (size < 2)
        return 0;
    uint64_t payload = bytes[1] & 0x7f;
    size_t extra = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    *head = 2 + extra;
    if (size < *head)
        return 0;
    for (size_t i = 0; i < extra; i++)
        payload = (i ? payload << 8 : 0) | bytes[2 + i];
    return size - *head >= payload ? (size_t)(*head + payload) : 0;
}

/* Returns what is left of the bytes. The client may be closed afterwards. */
static size_t take_frames(struct client *client, const char *bytes, size_t size)
{
    size_t used = 0, head = 0, whole;
    while (client->state == CLIENT_OPEN &&
           (whole = frame_size((const unsigned char *)bytes + used, size - used, &head)) > 0) {
        int opcode = bytes[used] & 0x0f;
        const char *payload = bytes + used + head;
        used += whole;
        if (opcode == OPCODE_TEXT)
            client->hooks->text(client, payload, whole - head);
        else if (opcode == OPCODE_PING)
            send_frame(client, OPCODE_PONG, payload, whole - head);
        else if (opcode == OPCODE_CLOSE)
            end(client);
    }
    return size - used;
}

/* The data of one event, which pgherald writes as one line; "" without: a comment, a time to wait. */
static const char *event_data(const char *event, size_t size, size_t *data_size)
{
    static const char field[] = "data: ";
    const char *end = event + size, *at = event;
    while (at < end && strncmp(at, field, sizeof(field) - 1) != 0) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        at = line_end ? line_end + 1 : end;
    }
    at = at < end ? at + sizeof(field) - 1 : end;
    *data_size = (size_t)(end - at);
    return at;
}

/* As take_frames(). */
static size_t take_events(struct client *client, const char *bytes, size_t size)
{
    size_t used = 0, data_size;
    const char *end;
    while (client->state == CLIENT_OPEN && (end = memmem(bytes + used, size - used, "\n\n", 2))) {
        const char *data = event_data(bytes + used, (size_t)(end - bytes) - used, &data_size);
        used = (size_t)(end + 2 - bytes);
        if (data_size)
            client->hooks->text(client, data, data_size);
    }
    return size - used;
}

static size_t take_messages(struct client *client, const char *bytes, size_t size)
{
    return client->is_stream ? take_events(client, bytes, size) : take_frames(client, bytes, size);
}

static size_t take_response(struct client *client, const char *bytes, size_t size)
{
    const char *head_end = memmem(bytes, size, "\r\n\r\n", 4);
    if (!head_end)
        return size;
    if (strncmp(bytes, client->is_stream ? "HTTP/1.1 200" : "HTTP/1.1 101", 12) != 0) {
        end(client);
        return 0;
    }
    client->state = CLIENT_OPEN;
    size_t head = (size_t)(head_end + 4 - bytes);
    return take_messages(client, bytes + head, size - head);
}

static void keep_rest(struct client *client, const char *bytes, size_t size)
{
    if (!size)
        return;
    client->rest = malloc(size);
    if (!client->rest)
        fail("client", "no memory");
    memcpy(client->rest, bytes, size);
    client->rest_size = size;
}

static void read_some(struct client *client)
{
    static char buffer[BUFFER_BYTES];
    size_t size = client->rest_size;
    if (size)
        memcpy(buffer, client->rest, size);
    ssize_t got = recv(client->watch.fd, buffer + size, sizeof(buffer) - size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        end(client);
        return;
    }
    free(client->rest);
    client->rest = NULL;
    client->rest_size = 0;
    size += (size_t)got;
    size_t left = client->state == CLIENT_OPEN ? take_messages(client, buffer, size) : take_response(client, buffer, size);
    if (client->state != CLIENT_CLOSED)
        keep_rest(client, buffer + size - left, left);
}

/* ---- connecting ---- */

static void finish_connect(struct client *client)
{
    char request[REQUEST_BYTES];
    int error = 0, on = 1;
    socklen_t size = sizeof(error);
    getsockopt(client->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        end(client);
        return;
    }
    setsockopt(client->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    size_t length = client->hooks->request(client, request, sizeof(request));
    client->state = CLIENT_HANDSHAKE;
    loop_change(&client->watch, EPOLLIN);
    if (send(client->watch.fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        end(client);
}

static void client_ready(struct watch *watch, uint32_t events)
{
    struct client *client = (struct client *)watch;
    (void)events;
    if (client->state == CLIENT_CONNECTING)
        finish_connect(client);
    else if (client->state != CLIENT_CLOSED)
        read_some(client);
}

void client_open(struct client *client, int port, unsigned first, int rcvbuf_bytes)
{
    unsigned place = (first + client->slot) / CONNECTIONS_AN_ADDRESS;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + place)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        fail("client socket", strerror(errno));
    /* The port is chosen by connect(), which knows the other end. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (rcvbuf_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_bytes, sizeof(rcvbuf_bytes));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS))
        fail("client connect", strerror(errno));
    client->watch = (struct watch){.ready = client_ready, .fd = fd};
    client->state = CLIENT_CONNECTING;
    client->connected = false;
    client->since_us = now_us();
    loop_add(&client->watch, EPOLLOUT);
}

void client_pause(struct client *client, bool pause)
{
    if (client->state != CLIENT_CLOSED)
        loop_change(&client->watch, pause ? 0 : EPOLLIN);
}

void client_close(struct client *client)
{
    /* Reset instead of TIME_WAIT: the next run needs the ports. */
    struct linger linger = {.l_onoff = 1};
    if (client->state == CLIENT_CLOSED)
        return;
    loop_remove(&client->watch);
    setsockopt(client->watch.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(client->watch.fd);
    free(client->rest);
    client->rest = NULL;
    client->rest_size = 0;
    client->state = CLIENT_CLOSED;
}
