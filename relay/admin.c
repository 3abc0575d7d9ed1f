/* One request, one answer, and the connection ends; see admin.h. A visitor is one connection. */
#include "admin.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "memory.h"
#include "metrics_page.h"
#include "request_head.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

enum { RESPONSE_HEAD_BYTES = 512, ACCEPT_BATCH = 16, LINGER_MS = 1000 };

struct visitor {
    struct admin *admin;
    uv_tcp_t stream; /* of a unix socket as well */
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    int handles; /* still open */
    bool closing;
    char *response; /* owned */
    size_t size;
    struct visitor *prev, *next;
    char head[ADMIN_HEAD_MAX_BYTES];
};

struct admin {
    uv_loop_t *loop;
    struct admin_source source;
    uv_poll_t listener;
    int listen_fd; /* the caller's; -1: no longer accepting */
    struct visitor *visitors; /* utlist */
    int count;
};

/* ---- the end of a visit ---- */

static void handle_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;
    if (--visitor->handles > 0)
        return;
    free(visitor->response);
    free(visitor);
}

static void leave(struct visitor *visitor)
{
    if (visitor->closing)
        return;
    visitor->closing = true;
    DL_DELETE(visitor->admin->visitors, visitor);
    visitor->admin->count--;
    uv_close((uv_handle_t *)&visitor->timer, handle_closed);
    uv_close((uv_handle_t *)&visitor->stream, handle_closed);
}

static void on_late(uv_timer_t *timer)
{
    leave(timer->data);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out);
static void on_more(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)request, (void)status;
}

/* A socket that is closed with bytes of its peer unread is reset, and the answer may be lost with it (RFC 9112 §9.6): so
 * only this side of it is, and what still comes is read and dropped until the peer has closed the other. */
static void on_written(uv_write_t *request, int status)
{
    struct visitor *visitor = request->data;
    uv_stream_t *stream = (uv_stream_t *)&visitor->stream;
    if (status == 0 && uv_shutdown(&visitor->shutdown, stream, on_shut) == 0 &&
        uv_read_start(stream, give_room, on_more) == 0)
        uv_timer_start(&visitor->timer, on_late, LINGER_MS, 0);
    else
        leave(visitor);
}

/* ---- answers ---- */

struct answer_page {
    int status;
    const char *phrase;
    const char *type;
    char *body; /* owned; NULL: the phrase is the body */
    size_t size;
};

static void send_answer(struct visitor *visitor, const struct answer_page *answer, bool head_only)
{
    const char *body = answer->body ? answer->body : answer->phrase;
    size_t size = answer->body ? answer->size : strlen(answer->phrase);
    visitor->response = memory_new(RESPONSE_HEAD_BYTES + size);
    int head = snprintf(visitor->response, RESPONSE_HEAD_BYTES,
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
                        "X-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
                        answer->status, answer->phrase, answer->type, size,
                        answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
    memcpy(visitor->response + head, body, size);
    uv_buf_t buffer = uv_buf_init(visitor->response, (unsigned)((size_t)head + (head_only ? 0 : size)));
    visitor->size = 0;
    uv_read_stop((uv_stream_t *)&visitor->stream);
    if (uv_write(&visitor->write, (uv_stream_t *)&visitor->stream, &buffer, 1, on_written) != 0)
        leave(visitor);
}

static void refuse(struct visitor *visitor, int status, const char *phrase)
{
    send_answer(visitor, &(struct answer_page){.status = status, .phrase = phrase, .type = TEXT_TYPE}, false);
}

/* What PostgreSQL says may be in another encoding: then the reason is left out. */
static void answer_ready(const struct admin *admin, struct answer_page *answer)
{
    const char *why = admin->source.not_ready(admin->source.owner);
    json_t *state = why ? json_pack("{s:b, s:s}", "ready", 0, "reason", why) : json_pack("{s:b}", "ready", 1);
    answer->body = state ? json_dumps(state, JSON_COMPACT) : memory_copy_text("{\"ready\":false}");
    json_decref(state);
    answer->size = strlen(answer->body);
    answer->type = "application/json";
    if (why) {
        answer->status = 503;
        answer->phrase = "Service Unavailable";
    }
}

/* Takes what is before the next separator off the text, without spaces around it; false: nothing is left. */
static bool next_part(struct text *rest, char separator, struct text *part)
{
    if (!rest->bytes)
        return false;
    const char *end = memchr(rest->bytes, separator, rest->size);
    *part = (struct text){rest->bytes, end ? (size_t)(end - rest->bytes) : rest->size};
    *rest = end ? (struct text){end + 1, rest->size - part->size - 1} : (struct text){NULL, 0};
    for (; part->size && strchr(" \t", part->bytes[0]); part->size--)
        part->bytes++;
    while (part->size && strchr(" \t", part->bytes[part->size - 1]))
        part->size--;
    return true;
}

/* A weight of zero: "not acceptable" (RFC 9110 §12.4.2). */
static bool is_zero_weight(struct text parameter)
{
    if (parameter.size < 3 || strncasecmp(parameter.bytes, "q=", 2) != 0)
        return false;
    for (size_t i = 2; i < parameter.size; i++)
        if (!strchr("0.", parameter.bytes[i]))
            return false;
    return true;
}

static bool is_openmetrics(struct text range)
{
    static const struct text type = TEXT("application/openmetrics-text");
    struct text part;
    next_part(&range, ';', &part);
    bool good = part.size == type.size && strncasecmp(part.bytes, type.bytes, type.size) == 0;
    while (good && next_part(&range, ';', &part))
        good = !is_zero_weight(part);
    return good;
}

/* Prometheus asks for both formats; it reads times of creation and units from the one, and either will do. */
static bool wants_openmetrics(struct text fields)
{
    struct text accept, range;
    while (request_head_next_field(&fields, TEXT("Accept"), &accept))
        while (next_part(&accept, ',', &range))
            if (is_openmetrics(range))
                return true;
    return false;
}

static void answer_metrics(const struct admin *admin, struct text fields, struct answer_page *answer)
{
    bool openmetrics = wants_openmetrics(fields);
    answer->body = admin->source.metrics(admin->source.owner, openmetrics, &answer->size);
    answer->type = openmetrics ? METRICS_TYPE_OPENMETRICS : METRICS_TYPE_TEXT;
}

static bool is_path(const struct request_head *head, const char *path)
{
    return head->path.size == strlen(path) && memcmp(head->path.bytes, path, head->path.size) == 0;
}

static void answer_request(struct visitor *visitor, const struct request_head *head)
{
    struct answer_page answer = {.status = 200, .phrase = "OK", .type = TEXT_TYPE};
    bool head_only = strncmp(visitor->head, "HEAD ", 5) == 0;
    if (!head->is_get && !head_only) {
        refuse(visitor, 405, "Method Not Allowed");
        return;
    }
    if (is_path(head, "/metrics"))
        answer_metrics(visitor->admin, head->fields, &answer);
    else if (is_path(head, "/readyz"))
        answer_ready(visitor->admin, &answer);
    else if (!is_path(head, "/healthz"))
        answer = (struct answer_page){.status = 404, .phrase = "Not Found", .type = TEXT_TYPE};
    send_answer(visitor, &answer, head_only);
    free(answer.body);
}

/* ---- requests ---- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct visitor *visitor = handle->data;
    *out = uv_buf_init(visitor->head + visitor->size, (unsigned)(sizeof(visitor->head) - visitor->size));
}

static void on_more(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    if (count < 0)
        leave(stream->data);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    struct visitor *visitor = stream->data;
    struct request_head head;
    if (count < 0) {
        leave(visitor);
        return;
    }
    visitor->size += (size_t)count;
    switch (request_head_parse(visitor->head, visitor->size, &head)) {
    case REQUEST_HEAD_COMPLETE:
        answer_request(visitor, &head);
        return;
    case REQUEST_HEAD_BAD:
        refuse(visitor, 400, "Bad Request");
        return;
    case REQUEST_HEAD_PARTIAL:
        if (visitor->size == sizeof(visitor->head))
            refuse(visitor, 431, "Request Header Fields Too Large");
        return;
    }
}

static void receive(struct admin *admin, int fd)
{
    struct visitor *visitor = memory_zero(sizeof(*visitor));
    visitor->admin = admin;
    visitor->handles = 2;
    visitor->stream.data = visitor->timer.data = visitor->write.data = visitor;
    uv_tcp_init(admin->loop, &visitor->stream);
    uv_timer_init(admin->loop, &visitor->timer);
    uv_timer_start(&visitor->timer, on_late, ADMIN_SECONDS * 1000, 0);
    DL_APPEND(admin->visitors, visitor);
    admin->count++;
    if (uv_tcp_open(&visitor->stream, fd) != 0) {
        close(fd);
        leave(visitor);
    } else if (uv_read_start((uv_stream_t *)&visitor->stream, give_room, on_read) != 0) {
        leave(visitor);
    }
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct admin *admin = poll->data;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(admin->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (admin->count < ADMIN_VISITORS_MAX)
            receive(admin, fd);
        else
            close(fd);
    }
}

/* ---- the beginning and the end ---- */

struct admin *admin_new(uv_loop_t *loop, int listen_fd, struct admin_source source)
{
    if (listen_fd < 0)
        return NULL;
    struct admin *admin = memory_zero(sizeof(*admin));
    admin->loop = loop;
    admin->source = source;
    admin->listen_fd = listen_fd;
    admin->listener.data = admin;
    uv_poll_init(loop, &admin->listener, listen_fd);
    uv_poll_start(&admin->listener, UV_READABLE, on_connection);
    return admin;
}

void admin_stop_accepting(struct admin *admin)
{
    if (!admin || admin->listen_fd < 0)
        return;
    uv_close((uv_handle_t *)&admin->listener, NULL);
    admin->listen_fd = -1;
}

void admin_close(struct admin *admin)
{
    struct visitor *visitor, *next;
    if (!admin)
        return;
    admin_stop_accepting(admin);
    DL_FOREACH_SAFE (admin->visitors, visitor, next)
        leave(visitor);
}

void admin_free(struct admin *admin)
{
    free(admin);
}
