/* Feed messages between the processes of one relay; see bus.h. */
#include "bus.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory.h"

enum { NOT_COUNTED = 255 };

enum bus_kind { BUS_CHANGE, BUS_WINDOW, BUS_RESYNC, BUS_STATE };

/* Both ends are the same program: the struct itself is the wire format. Text and frame follow. */
struct bus_head {
    uint32_t size; /* of the whole message */
    uint32_t text_size;
    uint32_t frame_size;
    int32_t version;
    struct uuid id;
    uint8_t kind;        /* enum bus_kind */
    uint8_t change_kind; /* enum change_kind */
    uint8_t live;
    uint8_t unread;      /* change.unread, or NOT_COUNTED */
    uint32_t frame_type; /* enum frame_type; 0 without a frame, as the next */
    int64_t since_us;    /* frame.since_us: all processes of a machine have one monotonic clock */
};

_Static_assert(sizeof(struct bus_head) == 48, "nothing of it is padding, which would be sent uninitialised");

static void put(struct bus_buffer *out, struct bus_head head, struct text text, const struct frame *frame)
{
    head.text_size = (uint32_t)text.size;
    head.frame_size = frame ? frame->size : 0;
    head.frame_type = frame ? frame->type : 0;
    head.since_us = frame ? frame->since_us : 0;
    head.size = (uint32_t)(sizeof(head) + head.text_size + head.frame_size);
    if (out->size + head.size > out->room) {
        out->room = (out->size + head.size) * 2;
        out->bytes = memory_resize(out->bytes, out->room);
    }
    uint8_t *at = out->bytes + out->size;
    memcpy(at, &head, sizeof(head));
    if (text.size)
        memcpy(at + sizeof(head), text.bytes, text.size);
    if (frame)
        memcpy(at + sizeof(head) + text.size, frame->bytes, frame->size);
    out->size += head.size;
}

void bus_put_change(struct bus_buffer *out, const struct change *change, const struct frame *frame)
{
    struct bus_head head = {.kind = BUS_CHANGE,
                            .change_kind = (uint8_t)change->kind,
                            .version = change->version,
                            .unread = change->counted ? change->unread : NOT_COUNTED,
                            .id = change->id};
    put(out, head, change->user, frame);
}

void bus_put_window(struct bus_buffer *out, const char *cursor)
{
    put(out, (struct bus_head){.kind = BUS_WINDOW}, text_of(cursor), NULL);
}

void bus_put_resync(struct bus_buffer *out, const char *cursor)
{
    put(out, (struct bus_head){.kind = BUS_RESYNC}, text_of(cursor), NULL);
}

void bus_put_state(struct bus_buffer *out, bool live, const char *why)
{
    put(out, (struct bus_head){.kind = BUS_STATE, .live = live}, text_of(why), NULL);
}

static void take_change(const struct bus_head *head, const uint8_t *body, const struct bus_sink *sink)
{
    struct change change = {.kind = (enum change_kind)head->change_kind,
                            .user = {(const char *)body, head->text_size},
                            .id = head->id,
                            .version = head->version,
                            .counted = head->unread != NOT_COUNTED,
                            .unread = head->unread};
    struct frame *frame = head->frame_size ? frame_from_wire(body + head->text_size, head->frame_size) : NULL;
    if (frame) {
        frame->type = (uint8_t)head->frame_type;
        frame->since_us = head->since_us;
    }
    sink->change(sink->rest.owner, &change, frame);
    frame_drop(frame);
}

/* Of the kinds of change those with a frame have one, the others none. */
static bool is_change(const struct bus_head *head)
{
    switch ((enum change_kind)head->change_kind) {
    case CHANGE_NEW:
    case CHANGE_UPDATED:
    case CHANGE_DELETED:
    case CHANGE_MESSAGE:
        return head->frame_size > 0 && (head->unread <= CHANGE_UNREAD_MAX || head->unread == NOT_COUNTED);
    case CHANGE_TRUNCATED:
    case CHANGE_DISCONNECT:
        return head->frame_size == 0;
    }
    return false;
}

/* The sizes agree, and it is of a kind that is known. */
static bool is_whole(const struct bus_head *head)
{
    uint64_t size = sizeof(*head) + (uint64_t)head->text_size + head->frame_size;
    if (head->size != size || size > BUS_QUEUE_MAX_BYTES || head->frame_type >= FRAME_TYPES)
        return false;
    return head->kind == BUS_CHANGE ? is_change(head) : head->kind <= BUS_STATE && head->frame_size == 0;
}

size_t bus_take(const uint8_t *bytes, size_t size, const struct bus_sink *sink)
{
    struct bus_head head;
    if (size < sizeof(head))
        return 0;
    memcpy(&head, bytes, sizeof(head));
    if (!is_whole(&head))
        return BUS_BROKEN;
    if (size < head.size)
        return 0;
    const uint8_t *body = bytes + sizeof(head);
    if (head.kind == BUS_CHANGE) {
        take_change(&head, body, sink);
        return head.size;
    }
    char *text = memory_copy(body, head.text_size);
    if (head.kind == BUS_WINDOW)
        sink->rest.window(sink->rest.owner, text);
    else if (head.kind == BUS_RESYNC)
        sink->rest.resync(sink->rest.owner, text);
    else
        sink->rest.state(sink->rest.owner, head.live, text);
    free(text);
    return head.size;
}

/* ---- the reading end ---- */

struct bus_reader {
    uv_pipe_t pipe;
    struct relay *relay;
    void (*ended)(void *owner);
    void *owner;
    struct bus_buffer in;
    bool has_ended;
    struct report report; /* on its way back */
    size_t unsent;        /* bytes of it */
};

enum { READ_BYTES = 65536 };

static void deliver(void *owner, const struct change *change, struct frame *frame)
{
    struct relay *relay = owner;
    relay_deliver(relay, change, frame);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct bus_reader *reader = handle->data;
    struct bus_buffer *in = &reader->in;
    if (in->room - in->size < READ_BYTES) {
        in->room = in->size + READ_BYTES;
        in->bytes = memory_resize(in->bytes, in->room);
    }
    *out = uv_buf_init((char *)in->bytes + in->size, (unsigned)(in->room - in->size));
}

/* False: the bytes are broken. */
static bool take_all(struct bus_reader *reader)
{
    struct bus_sink sink = {deliver, relay_sink(reader->relay)};
    struct bus_buffer *in = &reader->in;
    size_t at = 0, used;
    while ((used = bus_take(in->bytes + at, in->size - at, &sink)) && used != BUS_BROKEN)
        at += used;
    memmove(in->bytes, in->bytes + at, in->size - at);
    in->size -= at;
    return used != BUS_BROKEN;
}

static void end(struct bus_reader *reader)
{
    reader->has_ended = true;
    uv_read_stop((uv_stream_t *)&reader->pipe);
    reader->ended(reader->owner);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    struct bus_reader *reader = stream->data;
    if (count < 0) {
        end(reader);
        return;
    }
    reader->in.size += (size_t)count;
    if (take_all(reader))
        return;
    log_error("bus_broken", LOG_INT("bytes", reader->in.size));
    end(reader);
}

struct bus_reader *bus_reader_new(uv_loop_t *loop, int fd, struct relay *relay, void (*ended)(void *owner),
                                  void *owner)
{
    struct bus_reader *reader = memory_zero(sizeof(*reader));
    reader->relay = relay;
    reader->ended = ended;
    reader->owner = owner;
    uv_pipe_init(loop, &reader->pipe, 0);
    reader->pipe.data = reader;
    uv_pipe_open(&reader->pipe, fd);
    uv_read_start((uv_stream_t *)&reader->pipe, give_room, on_read);
    return reader;
}

void bus_reader_pause(struct bus_reader *reader, bool paused)
{
    if (reader->has_ended)
        return;
    if (paused)
        uv_read_stop((uv_stream_t *)&reader->pipe);
    else
        uv_read_start((uv_stream_t *)&reader->pipe, give_room, on_read);
}

/* A supervisor that does not read for long gets the rest of an old one first. */
void bus_reader_report(struct bus_reader *reader, const struct report *report)
{
    if (!reader->unsent) {
        reader->report = *report;
        reader->unsent = sizeof(*report);
    }
    char *end = (char *)(&reader->report + 1);
    uv_buf_t rest = uv_buf_init(end - reader->unsent, (unsigned)reader->unsent);
    int written = uv_try_write((uv_stream_t *)&reader->pipe, &rest, 1);
    if (written > 0)
        reader->unsent -= (size_t)written;
}

void bus_reader_close(struct bus_reader *reader)
{
    uv_close((uv_handle_t *)&reader->pipe, NULL);
}

void bus_reader_free(struct bus_reader *reader)
{
    free(reader->in.bytes);
    free(reader);
}
