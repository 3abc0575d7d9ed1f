/* Frames: text in, bytes for the wire out. Pure but for memory. */
#include "frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { OPCODE_TEXT = 1, OPCODE_CLOSE = 8, OPCODE_PING = 9, FIN = 0x80 };

struct text text_of(const char *zero_terminated)
{
    return (struct text){zero_terminated, zero_terminated ? strlen(zero_terminated) : 0};
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
    frame->passing = false;
    return frame;
}

static struct frame *frame_new(uint8_t opcode, const struct text *parts, size_t count)
{
    size_t payload = 0;
    for (size_t i = 0; i < count; i++)
        payload += parts[i].size;

    uint8_t header[FRAME_HEADER_MAX];
    size_t head = header_write(header, opcode, payload);
    struct frame *frame = frame_alloc(head + payload);
    memcpy(frame->bytes, header, head);
    uint8_t *at = frame->bytes + head;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size)
            memcpy(at, parts[i].bytes, parts[i].size);
        at += parts[i].size;
    }
    return frame;
}

struct frame *frame_new_text(const struct text *parts, size_t count)
{
    return frame_new(OPCODE_TEXT, parts, count);
}

struct frame *frame_new_ping(void)
{
    return frame_new(OPCODE_PING, &TEXT("alive?"), 1);
}

struct frame *frame_new_close(uint16_t code, const char *reason)
{
    const char wire_code[2] = {(char)(code >> 8), (char)(code & 0xff)};
    struct text words = text_of(reason);
    if (words.size > FRAME_REASON_MAX)
        words.size = FRAME_REASON_MAX;
    return frame_new(OPCODE_CLOSE, (struct text[]){{wire_code, 2}, words}, 2);
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
    if (--frame->refs == 0)
        free(frame);
}

struct text frame_payload(const struct frame *frame)
{
    size_t head = frame->bytes[1] < 126 ? 2 : frame->bytes[1] == 126 ? 4 : 10;
    return (struct text){(const char *)frame->bytes + head, frame->size - head};
}
