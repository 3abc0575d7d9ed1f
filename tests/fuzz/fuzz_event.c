/* Broadcasts as events of a stream: whatever an application sends, its event is one event without type and id, whose
 * data is the message with LF for each of its line ends. */
#include "fuzz.h"

#include "event.h"
#include "message.h"

/* WHATWG HTML §9.2.5: a line ends with CRLF, LF or CR. Returns the size. */
static size_t normalise(const uint8_t *data, size_t size, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' && i > 0 && data[i - 1] == '\r')
            continue;
        out[used++] = data[i] == '\r' ? '\n' : (char)data[i];
    }
    return used;
}

/* Joins the lines of an event as its reader does. */
static size_t read_event(const struct frame *event, char *out)
{
    const char *at = (const char *)event->bytes, *end = at + event->size;
    size_t used = 0;
    assert(event->size >= 2 && memcmp(end - 2, "\n\n", 2) == 0);
    while (at < end - 1) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        assert(stop - at >= 6 && memcmp(at, "data: ", 6) == 0 && !memchr(at, '\r', (size_t)(stop - at)));
        if (used || at != (const char *)event->bytes)
            out[used++] = '\n';
        memcpy(out + used, at + 6, (size_t)(stop - at) - 6);
        used += (size_t)(stop - at) - 6;
        at = stop + 1;
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text text = {(const char *)data, size};
    struct frame *frame = frame_new_text(&text, 1);
    struct text cursor = message_cursor(frame), payload = frame_payload(frame);
    assert(!cursor.size || (cursor.bytes >= payload.bytes && cursor.bytes + cursor.size <= payload.bytes + size));

    frame->application = true;
    struct frame *event = event_of(frame);
    char *expected = malloc(size + 1), *got = malloc(event->size);
    size_t wanted = normalise(data, size, expected);
    assert(read_event(event, got) == wanted && memcmp(got, expected, wanted) == 0);
    free(expected);
    free(got);
    frame_drop(event);
    frame_drop(frame);
    return 0;
}
