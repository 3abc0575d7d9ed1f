/* Heads and ends of streams; see stream.h. */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "memory.h"
#include "problem.h"
#include "session.h"

#define COMMON_FIELDS                                                                                                  \
    "Cache-Control: no-store, no-transform\r\n"                                                                        \
    "X-Content-Type-Options: nosniff\r\n"                                                                              \
    "Connection: close\r\n"

enum { NUMBER_SIZE = 16 };

struct stream *stream_new(const struct door *door, const char *origin, const char *further)
{
    size_t size = strlen(origin) + 1;
    struct stream *stream = memory_zero(sizeof(*stream) + size);
    stream->door = door;
    stream->further = further;
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

/* Status and what every head has. */
static void put_status(struct parts *parts, char digits[NUMBER_SIZE], int status, const char *phrase,
                       const char *further)
{
    snprintf(digits, NUMBER_SIZE, "%d ", status);
    put(parts, "HTTP/1.1 ");
    put(parts, digits);
    put(parts, phrase);
    put(parts, "\r\n" COMMON_FIELDS);
    put(parts, further);
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

/* RFC 6750 §3 says what a token is asked for with. wait: it may be tried again. */
static struct frame *refuse(enum problem why, const char *detail, int close_code, bool wait, const char *origin,
                            const char *further)
{
    char digits[NUMBER_SIZE], length[NUMBER_SIZE], body[PROBLEM_JSON_SIZE];
    const char *challenge = problem_challenge(why);
    struct parts parts = {0};
    snprintf(length, sizeof(length), "%zu", problem_json(why, detail, wait ? 1000 : 0, close_code, body));
    put_status(&parts, digits, problem_status(why), problem_title(why), further);
    put_origin(&parts, origin);
    if (challenge) {
        put(&parts, "WWW-Authenticate: ");
        put(&parts, challenge);
        put(&parts, "\r\n");
    }
    put(&parts, wait ? "Retry-After: 1\r\n" : "");
    put(&parts, "Content-Type: application/problem+json\r\nContent-Length: ");
    put(&parts, length);
    put(&parts, "\r\n\r\n");
    put(&parts, body);
    return finish(&parts);
}

struct frame *stream_refuse(enum refusal refusal, const char *further)
{
    enum problem why = refusal == REFUSAL_ORIGIN ? PROBLEM_ORIGIN : PROBLEM_BAD_REQUEST;
    return refuse(why, refusal_reason(refusal), 0, false, "", further);
}

struct frame *stream_no_more(const char *origin, const char *further)
{
    char digits[NUMBER_SIZE];
    struct parts parts = {0};
    put_status(&parts, digits, 204, "No Content", further);
    put_origin(&parts, origin);
    put(&parts, "\r\n");
    return finish(&parts);
}

struct frame *stream_preflight(const char *origin, const char *further)
{
    char digits[NUMBER_SIZE];
    struct parts parts = {0};
    put_status(&parts, digits, 204, "No Content", further);
    put_origin(&parts, origin);
    put(&parts, "Allow: GET, OPTIONS\r\n"
                "Access-Control-Allow-Methods: GET\r\n"
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
    put_status(&parts, digits, 200, "OK", stream->further);
    put_origin(&parts, stream->origin);
    /* A proxy like nginx would else collect events until its buffer is full. */
    put(&parts, "X-Accel-Buffering: no\r\n"
                "Content-Type: text/event-stream; charset=utf-8\r\n\r\nretry: ");
    put(&parts, retry);
    put(&parts, "\n\n");
    return finish(&parts);
}

static enum problem problem_for(enum end_reason reason)
{
    switch (reason) {
    case END_NO_TOKEN:
        return PROBLEM_NO_TOKEN;
    case END_NO_USER:
        return PROBLEM_NO_USER;
    case END_DISCONNECTED:
        return PROBLEM_DISCONNECTED;
    case END_ADDRESS_FULL:
        return PROBLEM_ADDRESS_FULL;
    case END_AUTH_FAILURES:
        return PROBLEM_AUTH_FAILURES;
    case END_TOO_MANY_TABS:
        return PROBLEM_TABS;
    case END_CAPACITY:
        return PROBLEM_CAPACITY;
    case END_UNAVAILABLE:
    case END_SHUTDOWN:
        return PROBLEM_UNAVAILABLE;
    default: /* of the token */
        return PROBLEM_TOKEN;
    }
}

struct frame *stream_end(const struct stream *stream, int reason)
{
    int code = end_reason_code((enum end_reason)reason);
    const char *text = end_reason_text((enum end_reason)reason);
    if (stream->begun)
        return event_close(code, text, code == 4000 || code == 4002);
    enum problem why = problem_for((enum end_reason)reason);
    int status = problem_status(why);
    return refuse(why, text, code, status == 429 || status == 503, stream->origin, stream->further);
}
