/* Server messages: values in, frames out. Pure but for memory. */
#include "message.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "memory.h"

enum { NUMBER_SIZE = 24, TIME_SIZE = 32, PARTS_MAX = 24 };

struct parts {
    struct text list[PARTS_MAX];
    size_t count;
};

static void put(struct parts *parts, struct text piece)
{
    if (parts->count == PARTS_MAX)
        abort();
    parts->list[parts->count++] = piece;
}

#define PUT(parts, literal) put((parts), TEXT(literal))

static struct frame *finish(struct parts *parts, enum frame_type type, const char *ref)
{
    if (*ref) {
        PUT(parts, ",\"ref\":");
        put(parts, text_of(ref));
    }
    PUT(parts, "}");
    struct frame *frame = frame_new_text(parts->list, parts->count);
    frame->type = (uint8_t)type;
    return frame;
}

static struct text number(char out[NUMBER_SIZE], int64_t value)
{
    char *at = out + NUMBER_SIZE, *end = at;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    return (struct text){at, (size_t)(end - at)};
}

/* RFC 3339 in UTC with microseconds, quoted; or null. */
static struct text time_or_null(char out[TIME_SIZE], int64_t unix_s)
{
    time_t when = (time_t)unix_s;
    struct tm parts;
    if (unix_s == 0 || !gmtime_r(&when, &parts) ||
        strftime(out, TIME_SIZE, "\"%Y-%m-%dT%H:%M:%S.000000Z\"", &parts) == 0)
        return TEXT("null");
    return text_of(out);
}

static void put_cursor(struct parts *parts, const char *cursor)
{
    PUT(parts, ",\"cursor\":\"");
    put(parts, text_of(cursor));
    PUT(parts, "\"");
}

/* A text as JSON, quoted; the caller frees it. Text from PostgreSQL is UTF-8. */
static char *quoted(const char *text)
{
    json_t *value = json_string(text);
    char *json = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    return json ? json : memory_copy_text("\"\"");
}

struct frame *message_connected(const char *user_id, const char *session_id, int64_t unread_count,
                                const char *cursor, int heartbeat_s, int64_t token_expires_s, const char *ref)
{
    char count[NUMBER_SIZE], heartbeat[NUMBER_SIZE], expires[TIME_SIZE];
    char *user = quoted(user_id);
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"connected\",\"message\":\"Application startup complete\",\"user_id\":");
    put(&parts, text_of(user));
    PUT(&parts, ",\"session_id\":\"");
    put(&parts, text_of(session_id));
    PUT(&parts, "\",\"unread_count\":");
    put(&parts, number(count, unread_count));
    put_cursor(&parts, cursor);
    PUT(&parts, ",\"heartbeat_interval\":");
    put(&parts, number(heartbeat, heartbeat_s));
    PUT(&parts, ",\"token_expires_at\":");
    put(&parts, time_or_null(expires, token_expires_s));
    PUT(&parts, ",\"protocol\":1");
    struct frame *frame = finish(&parts, FRAME_CONNECTED, ref);
    free(user);
    return frame;
}

struct frame *message_authenticated(int64_t token_expires_s, const char *ref)
{
    char expires[TIME_SIZE];
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"authenticated\",\"token_expires_at\":");
    put(&parts, time_or_null(expires, token_expires_s));
    return finish(&parts, FRAME_AUTHENTICATED, ref);
}

struct frame *message_token_expiring(int64_t expires_in_s)
{
    char left[NUMBER_SIZE];
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"token_expiring\",\"expires_in\":");
    put(&parts, number(left, expires_in_s));
    return finish(&parts, FRAME_TOKEN_EXPIRING, "");
}

struct frame *message_draining(int64_t retry_after_ms)
{
    char wait[NUMBER_SIZE];
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"draining\",\"retry_after_ms\":");
    put(&parts, number(wait, retry_after_ms));
    return finish(&parts, FRAME_DRAINING, "");
}

static struct frame *new_notification(const struct change *change)
{
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"new_notification\",\"notification\":");
    put(&parts, change->body);
    put_cursor(&parts, change->cursor);
    struct frame *frame = finish(&parts, FRAME_NEW_NOTIFICATION, "");
    frame->since_us = latency_since_us(change->times, change->body);
    return frame;
}

static struct frame *notification_deleted(const struct change *change)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&change->id, id);
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"notification_deleted\",\"notification_id\":\"");
    put(&parts, text_of(id));
    PUT(&parts, "\"");
    put_cursor(&parts, change->cursor);
    return finish(&parts, FRAME_NOTIFICATION_DELETED, "");
}

struct frame *message_marked(const struct uuid *id, struct text notification, const char *cursor,
                             const char *ref)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"notification_updated\",\"notification_id\":\"");
    put(&parts, text_of(text));
    PUT(&parts, "\",\"success\":true,\"notification\":");
    put(&parts, notification);
    put_cursor(&parts, cursor);
    return finish(&parts, FRAME_NOTIFICATION_UPDATED, ref);
}

struct text message_notification(const struct frame *frame)
{
    static const char head[] = "{\"type\":\"notification_updated\",\"notification_id\":\"",
                      middle[] = "\",\"success\":true,\"notification\":";
    const struct text payload = frame_payload(frame);
    const size_t start = sizeof(head) - 1 + UUID_TEXT_SIZE - 1 + sizeof(middle) - 1;
    const char *end = memrchr(payload.bytes, ',', payload.size); /* what follows is the cursor: no commas in it */
    return (struct text){payload.bytes + start, (size_t)(end - payload.bytes) - start};
}

/* Looked for from the end: what a notification's data has under that name stands before. In a string the quotes
 * would be escaped. */
struct text message_cursor(const struct frame *frame)
{
    static const char name[] = ",\"cursor\":\"";
    const struct text payload = frame_payload(frame);
    for (size_t at = payload.size; at >= sizeof(name) - 1; at--) {
        const char *value = payload.bytes + at;
        if (memcmp(value - (sizeof(name) - 1), name, sizeof(name) - 1) != 0)
            continue;
        const char *end = memchr(value, '"', payload.size - at);
        return (struct text){value, end ? (size_t)(end - value) : 0};
    }
    return (struct text){"", 0};
}

bool message_is_read(struct text notification)
{
    static const char read[] = "\"is_read\":true,\"version\":"; /* then digits and a brace: a text cannot end so */
    size_t size = notification.size;
    size -= size && notification.bytes[size - 1] == '}';
    while (size && notification.bytes[size - 1] >= '0' && notification.bytes[size - 1] <= '9')
        size--;
    return size >= sizeof(read) - 1 &&
           memcmp(notification.bytes + size - (sizeof(read) - 1), read, sizeof(read) - 1) == 0;
}

struct frame *message_mark_failed(const struct uuid *id, const char *code, const char *ref)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"notification_updated\",\"notification_id\":\"");
    put(&parts, text_of(text));
    PUT(&parts, "\",\"success\":false,\"code\":\"");
    put(&parts, text_of(code));
    PUT(&parts, "\"");
    return finish(&parts, FRAME_NOTIFICATION_UPDATED, ref);
}

static struct frame *broadcast(const struct change *change)
{
    struct frame *frame = frame_new_text(&change->body, 1);
    frame->type = FRAME_BROADCAST;
    return frame;
}

struct frame *message_change(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_NEW:
        return new_notification(change);
    case CHANGE_UPDATED:
        return message_marked(&change->id, change->body, change->cursor, "");
    case CHANGE_DELETED:
        return notification_deleted(change);
    case CHANGE_MESSAGE:
        return broadcast(change);
    case CHANGE_TRUNCATED:
    case CHANGE_DISCONNECT:
        break;
    }
    return NULL;
}

struct frame *message_page(const char *type, int64_t count, struct text list, struct text next,
                           const char *cursor, const char *ref)
{
    char total[NUMBER_SIZE];
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"");
    put(&parts, text_of(type));
    PUT(&parts, "\",\"count\":");
    put(&parts, number(total, count));
    PUT(&parts, ",\"notifications\":");
    put(&parts, list);
    if (next.size) {
        PUT(&parts, ",\"next\":\"");
        put(&parts, next);
        PUT(&parts, "\"");
    } else {
        PUT(&parts, ",\"next\":null");
    }
    put_cursor(&parts, cursor);
    bool all = strcmp(type, "notifications") == 0;
    return finish(&parts, all ? FRAME_NOTIFICATIONS : FRAME_UNREAD_NOTIFICATIONS, ref);
}

struct frame *message_unread_count(int64_t count, const char *cursor, const char *ref)
{
    char total[NUMBER_SIZE];
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"unread_count\",\"count\":");
    put(&parts, number(total, count));
    put_cursor(&parts, cursor);
    return finish(&parts, FRAME_UNREAD_COUNT, ref);
}

struct frame *message_resumed(int count, const char *cursor, const char *ref)
{
    char total[NUMBER_SIZE];
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"resumed\",\"count\":");
    put(&parts, number(total, count));
    put_cursor(&parts, cursor);
    return finish(&parts, FRAME_RESUMED, ref);
}

struct frame *message_resync(const char *cursor, const char *ref)
{
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"resumed\",\"resync\":true");
    put_cursor(&parts, cursor);
    return finish(&parts, FRAME_RESUMED, ref);
}

struct frame *message_pong(const char *cursor, const char *ref)
{
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"pong\"");
    put_cursor(&parts, cursor);
    return finish(&parts, FRAME_PONG, ref);
}

struct frame *message_error(const char *code, const char *message, int64_t retry_after_ms, const char *ref)
{
    char wait[NUMBER_SIZE];
    char *words = quoted(message);
    struct parts parts = {0};
    PUT(&parts, "{\"type\":\"error\",\"code\":\"");
    put(&parts, text_of(code));
    PUT(&parts, "\",\"message\":");
    put(&parts, text_of(words));
    if (retry_after_ms) {
        PUT(&parts, ",\"retry_after_ms\":");
        put(&parts, number(wait, retry_after_ms));
    }
    struct frame *frame = finish(&parts, FRAME_ERROR, ref);
    free(words);
    return frame;
}
