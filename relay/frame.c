/* Frames: text in, bytes for the wire out. Pure but for memory. */
#include "frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { OPCODE_TEXT = 1, OPCODE_CLOSE = 8, OPCODE_PING = 9, FIN = 0x80 };

const char *frame_type_word(int type)
{
    static const char *const words[FRAME_TYPES] = {
        [FRAME_OTHER] = "other",
        [FRAME_PING] = "ping",
        [FRAME_CLOSE] = "close",
        [FRAME_CONNECTED] = "connected",
        [FRAME_AUTHENTICATED] = "authenticated",
        [FRAME_TOKEN_EXPIRING] = "token_expiring",
        [FRAME_NEW_NOTIFICATION] = "new_notification",
        [FRAME_NOTIFICATION_UPDATED] = "notification_updated",
        [FRAME_NOTIFICATION_DELETED] = "notification_deleted",
        [FRAME_UNREAD_NOTIFICATIONS] = "unread_notifications",
        [FRAME_NOTIFICATIONS] = "notifications",
        [FRAME_UNREAD_COUNT] = "unread_count",
        [FRAME_RESUMED] = "resumed",
        [FRAME_DRAINING] = "draining",
        [FRAME_PONG] = "pong",
        [FRAME_ERROR] = "error",
        [FRAME_BROADCAST] = "broadcast",
    };
    return words[type];
}

struct text text_of(const char *zero_terminated)
{
    return (struct text){zero_terminated, zero_terminated ? strlen(zero_terminated) : 0};
}

size_t text_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* RFC 6455 §5.2: 7, 7+16 or 7+64 bits of length. Returns the header's size. */
static size_t header_write(uint8_t out[FRAME_HEADER_MAX], uint8_t opcode, size_t payload)
{
    out[0] = (uint8_t)(FIN | opcode);
    if (payload < 126) {
        out[1] = (uint8_t)payload;
        return 2;
    }
    size_t width = payload <= UINT16_MAX ? 2 : 8;
    out[1] = width == 2 ? 126 : 127;
    for (size_t i = 0; i < width; i++)
        out[2 + i] = (uint8_t)((uint64_t)payload >> (8 * (width - 1 - i)));
    return 2 + width;
}

static struct frame *frame_alloc(size_t size)
{
    assert(size <= UINT32_MAX);
    struct frame *frame = memory_new(sizeof(*frame) + size);
    frame->refs = 1;
    frame->size = (uint32_t)size;
    frame->since_us = 0;
    frame->type = FRAME_OTHER;
    frame->event = NULL;
    frame->passing = frame->application = frame->is_event = false;
    return frame;
}

static size_t size_of(const struct text *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    return size;
}

static void join(uint8_t *out, const struct text *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size)
            memcpy(out, parts[i].bytes, parts[i].size);
        out += parts[i].size;
    }
}

static struct frame *frame_new(uint8_t opcode, const struct text *parts, size_t count)
{
    size_t payload = size_of(parts, count);
    uint8_t header[FRAME_HEADER_MAX];
    size_t head = header_write(header, opcode, payload);
    struct frame *frame = frame_alloc(head + payload);
    memcpy(frame->bytes, header, head);
    join(frame->bytes + head, parts, count);
    return frame;
}

struct frame *frame_new_text(const struct text *parts, size_t count)
{
    return frame_new(OPCODE_TEXT, parts, count);
}

struct frame *frame_new_ping(void)
{
    struct frame *frame = frame_new(OPCODE_PING, &TEXT("alive?"), 1);
    frame->type = FRAME_PING;
    return frame;
}

struct frame *frame_new_close(uint16_t code, const char *reason)
{
    const char wire_code[2] = {(char)(code >> 8), (char)(code & 0xff)};
    struct text words = text_of(reason);
    if (words.size > FRAME_REASON_MAX)
        words.size = FRAME_REASON_MAX;
    struct frame *frame = frame_new(OPCODE_CLOSE, (struct text[]){{wire_code, 2}, words}, 2);
    frame->type = FRAME_CLOSE;
    return frame;
}

struct frame *frame_new_event(const struct text *parts, size_t count)
{
    struct frame *frame = frame_alloc(size_of(parts, count));
    join(frame->bytes, parts, count);
    frame->is_event = true;
    return frame;
}

struct frame *frame_from_wire(const uint8_t *bytes, size_t size)
{
    struct frame *frame = frame_alloc(size);
    memcpy(frame->bytes, bytes, size);
    return frame;
}

struct frame *frame_hold(struct frame *frame)
{
    frame->refs++;
    return frame;
}

void frame_drop(struct frame *frame)
{
    if (!frame)
        return;
    assert(frame->refs > 0);
    if (--frame->refs > 0)
        return;
    if (frame->event)
        frame_drop(frame->event);
    free(frame);
}

struct text frame_payload(const struct frame *frame)
{
    size_t head = frame->bytes[1] < 126 ? 2 : frame->bytes[1] == 126 ? 4 : 10;
    return (struct text){(const char *)frame->bytes + head, frame->size - head};
}
