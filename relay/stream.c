/* Heads and ends of streams; see stream.h. */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "memory.h"
#include "session.h"

#define COMMON_FIELDS                                                                                                  \
    "Cache-Control: no-store, no-transform\r\n"                                                                        \
    "X-Content-Type-Options: nosniff\r\n"                                                                              \
    "Connection: close\r\n"

enum { NUMBER_SIZE = 16 };

struct stream *stream_new(const struct door *door, const char *origin)
{
    size_t size = strlen(origin) + 1;
    struct stream *stream = memory_zero(sizeof(*stream) + size);
    stream->door = door;
    memcpy(stream->origin, origin, size);
    return stream;
}

/* ---- responses ---- */

struct parts {
    struct text list[24];
    size_t count;
};

static void put(struct parts *parts, const char *text)
{
    if (parts->count == sizeof(parts->list) / sizeof(*parts->list))
        abort();
    parts->list[parts->count++] = text_of(text);
}

static void put_status(struct parts *parts, char digits[NUMBER_SIZE], int status, const char *phrase)
{
    snprintf(digits, NUMBER_SIZE, "%d ", status);
    put(parts, "HTTP/1.1 ");
    put(parts, digits);
    put(parts, phrase);
    put(parts, "\r\n" COMMON_FIELDS);
}

/* Fetch §3.2; what is said differs between origins, which caches have to know. */
static void put_origin(struct parts *parts, const char *origin)
{
    put(parts, "Vary: Origin\r\n");
    if (!*origin)
        return;
    put(parts, "Access-Control-Allow-Origin: ");
    put(parts, origin);
    put(parts, "\r\nAccess-Control-Expose-Headers: Retry-After\r\n");
}

static struct frame *finish(const struct parts *parts)
{
    return frame_new_event(parts->list, parts->count);
}

struct refused {
    int status;
    const char *phrase, *fields; /* of the head */
    const char *code;            /* the word a program reads */
    const char *detail;
    int close_code; /* of a WebSocket in its place; 0: none */
};

/* The texts are of tables of ours: nothing in them needs an escape. */
static struct frame *problem(const struct refused *refused, const char *origin)
{
    char digits[NUMBER_SIZE], length[NUMBER_SIZE], close_code[48] = "", body[512];
    struct parts parts = {0};
    if (refused->close_code)
        snprintf(close_code, sizeof(close_code), ",\"close_code\":%d", refused->close_code);
    int size = snprintf(body, sizeof(body),
                        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\","
                        "\"code\":\"%s\"%s}",
                        refused->phrase, refused->status, refused->detail, refused->code, close_code);
    snprintf(length, sizeof(length), "%d", size);
    put_status(&parts, digits, refused->status, refused->phrase);
    put_origin(&parts, origin);
    put(&parts, refused->fields);
    put(&parts, "Content-Type: application/problem+json\r\nContent-Length: ");
    put(&parts, length);
    put(&parts, "\r\n\r\n");
    put(&parts, body);
    return finish(&parts);
}

struct frame *stream_refuse(enum refusal refusal)
{
    return problem(&(struct refused){.status = refusal_status(refusal),
                                     .phrase = refusal_phrase(refusal),
                                     .fields = refusal_fields(refusal),
                                     .code = refusal == REFUSAL_ORIGIN            ? "origin_not_allowed"
                                             : refusal == REFUSAL_STREAM_OVER_TLS ? "not_implemented"
                                                                                  : "bad_request",
                                     .detail = refusal_reason(refusal)},
                   "");
}

struct frame *stream_no_more(const char *origin)
{
    char digits[NUMBER_SIZE];
    struct parts parts = {0};
    put_status(&parts, digits, 204, "No Content");
    put_origin(&parts, origin);
    put(&parts, "\r\n");
    return finish(&parts);
}

struct frame *stream_preflight(const char *origin)
{
    char digits[NUMBER_SIZE];
    struct parts parts = {0};
    put_status(&parts, digits, 204, "No Content");
    put_origin(&parts, origin);
    put(&parts, "Access-Control-Allow-Methods: GET\r\n"
                "Access-Control-Allow-Headers: authorization, last-event-id, cache-control\r\n"
                "Access-Control-Max-Age: 600\r\n\r\n");
    return finish(&parts);
}

/* ---- a session's response ---- */

struct frame *stream_begin(struct stream *stream)
{
    char digits[NUMBER_SIZE], retry[NUMBER_SIZE];
    struct parts parts = {0};
    stream->begun = true;
    snprintf(retry, sizeof(retry), "%ld",
             STREAM_RETRY_MIN_MS + random() % (STREAM_RETRY_MAX_MS - STREAM_RETRY_MIN_MS + 1));
    put_status(&parts, digits, 200, "OK");
    put_origin(&parts, stream->origin);
    /* A proxy like nginx would else collect events until its buffer is full. */
    put(&parts, "X-Accel-Buffering: no\r\n"
                "Content-Type: text/event-stream; charset=utf-8\r\n\r\nretry: ");
    put(&parts, retry);
    put(&parts, "\n\n");
    return finish(&parts);
}

#define CHALLENGE "WWW-Authenticate: Bearer"
#define WAIT "Retry-After: 1\r\n"

/* RFC 6750 §3 says what a token is asked for with. */
static struct refused refused_for(enum end_reason reason)
{
    switch (reason) {
    case END_NO_TOKEN:
        return (struct refused){.status = 401, .fields = CHALLENGE "\r\n", .code = "no_token"};
    case END_NO_USER:
        return (struct refused){.status = 403, .fields = "", .code = "unknown_user"};
    case END_DISCONNECTED:
        return (struct refused){.status = 403, .fields = "", .code = "disconnected"};
    case END_ADDRESS_FULL:
        return (struct refused){.status = 429, .fields = WAIT, .code = "address_full"};
    case END_AUTH_FAILURES:
        return (struct refused){.status = 429, .fields = WAIT, .code = "auth_failures"};
    case END_TOO_MANY_TABS:
        return (struct refused){.status = 429, .fields = WAIT, .code = "too_many_tabs"};
    case END_CAPACITY:
        return (struct refused){.status = 503, .fields = WAIT, .code = "at_capacity"};
    case END_UNAVAILABLE:
    case END_SHUTDOWN:
        return (struct refused){.status = 503, .fields = WAIT, .code = "unavailable"};
    default: /* of the token */
        return (struct refused){
            .status = 401, .fields = CHALLENGE " error=\"invalid_token\"\r\n", .code = "token_refused"};
    }
}

static const char *phrase_of(int status)
{
    switch (status) {
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 429:
        return "Too Many Requests";
    default:
        return "Service Unavailable";
    }
}

struct frame *stream_end(const struct stream *stream, int reason)
{
    int code = end_reason_code((enum end_reason)reason);
    const char *text = end_reason_text((enum end_reason)reason);
    if (stream->begun)
        return event_close(code, text, code == 4000 || code == 4002);
    struct refused refused = refused_for((enum end_reason)reason);
    refused.phrase = phrase_of(refused.status);
    refused.detail = text;
    refused.close_code = code;
    return problem(&refused, stream->origin);
}
