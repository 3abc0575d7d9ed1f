/* Frames as events; see event.h. */
#include "event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "message.h"

#define NEXT_LINE "\ndata: "

enum { NUMBER_SIZE = 24 };

static bool ends_line(char c)
{
    return c == '\n' || c == '\r';
}

/* A broadcast may have line ends between its tokens: each begins a field of its own, which the client joins again by
 * one LF. Returns the text's size; out may be NULL. */
static size_t split_lines(struct text text, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool ends = ends_line(text.bytes[i]);
        if (ends && text.bytes[i] == '\r' && i + 1 < text.size && text.bytes[i + 1] == '\n')
            continue; /* CRLF is one end */
        const struct text piece = ends ? TEXT(NEXT_LINE) : (struct text){&text.bytes[i], 1};
        if (out)
            memcpy(out + size, piece.bytes, piece.size);
        size += piece.size;
    }
    return size;
}

static bool is_one_line(struct text text)
{
    return !memchr(text.bytes, '\n', text.size) && !memchr(text.bytes, '\r', text.size);
}

static struct frame *event_new(struct text id, struct text data)
{
    const struct text parts[] = {id.size ? TEXT("id: ") : TEXT(""), id, id.size ? TEXT("\n") : TEXT(""),
                                 TEXT("data: "), data, TEXT("\n\n")};
    return frame_new_event(parts, sizeof(parts) / sizeof(*parts));
}

static struct frame *make(const struct frame *frame)
{
    const struct text id = frame->application ? TEXT("") : message_cursor(frame);
    struct text data = frame_payload(frame);
    char *lines = NULL;
    if (!is_one_line(data)) {
        lines = memory_new(split_lines(data, NULL));
        data = (struct text){lines, split_lines(data, lines)};
    }
    struct frame *event = event_new(id, data);
    free(lines);
    event->passing = frame->passing;
    event->type = frame->type;
    event->since_us = frame->since_us;
    return event;
}

struct frame *event_of(struct frame *frame)
{
    if (frame->is_event)
        return frame_hold(frame);
    if (!frame->event)
        frame->event = make(frame);
    return frame_hold(frame->event);
}

struct frame *event_alive(void)
{
    struct frame *event = frame_new_event(&TEXT(": alive\n\n"), 1);
    event->type = FRAME_PING;
    return event;
}

struct frame *event_retry(int64_t ms)
{
    char digits[NUMBER_SIZE];
    snprintf(digits, sizeof(digits), "%" PRId64, ms);
    return frame_new_event((struct text[]){TEXT("retry: "), text_of(digits), TEXT("\n\n")}, 3);
}

struct frame *event_close(int code, const char *reason, bool final)
{
    char digits[NUMBER_SIZE];
    snprintf(digits, sizeof(digits), "%d", code);
    const struct text parts[] = {TEXT("event: close\n"), final ? TEXT("id: " EVENT_ID_CLOSED "\n") : TEXT(""),
                                 TEXT("data: {\"code\":"), text_of(digits), TEXT(",\"reason\":\""),
                                 text_of(reason), TEXT("\"}\n\n")};
    struct frame *event = frame_new_event(parts, sizeof(parts) / sizeof(*parts));
    event->type = FRAME_CLOSE;
    return event;
}
