/* The bus carries the supervisor's feed to its workers: each change once, with its
 * ready frame, over a socket pair. The writing end is a sink; the reading end gives
 * everything to its process's router, and sends back a report a second. */
#ifndef PGHERALD_BUS_H
#define PGHERALD_BUS_H

#include <uv.h>

#include "change.h"
#include "relay.h"
#include "report.h"

enum { BUS_QUEUE_MAX_BYTES = 64 * 1024 * 1024 /* a worker that lets more pile up is ended */ };

/* ---- messages, pure ---- */

struct bus_buffer {
    uint8_t *bytes; /* owned */
    size_t size, room;
};

void bus_put_change(struct bus_buffer *out, const struct change *change, const struct frame *frame);
void bus_put_window(struct bus_buffer *out, const char *cursor);
void bus_put_resync(struct bus_buffer *out, const char *cursor);
void bus_put_state(struct bus_buffer *out, bool live, const char *why);

/* What the reading end does with a message. */
struct bus_sink {
    void (*change)(void *owner, const struct change *change, struct frame *frame /* may be NULL; borrowed */);
    struct change_sink rest; /* window, resync, state; owner for all */
};

#define BUS_BROKEN SIZE_MAX

/* Takes one whole message from the front; returns its size, 0 when it is not whole yet, BUS_BROKEN when
 * the bytes are no message: what follows cannot be read any more. */
size_t bus_take(const uint8_t *bytes, size_t size, const struct bus_sink *sink);

/* ---- the reading end ---- */

struct bus_reader;

/* ended: the writing end is gone, or what it wrote was broken. */
struct bus_reader *bus_reader_new(uv_loop_t *loop, int fd, struct relay *relay, void (*ended)(void *owner),
                                  void *owner);
/* Tells the writing end how this process stands, and that its loop goes round. */
void bus_reader_report(struct bus_reader *reader, const struct report *report);
void bus_reader_pause(struct bus_reader *reader, bool paused);
void bus_reader_close(struct bus_reader *reader); /* the loop must run once more before bus_reader_free() */
void bus_reader_free(struct bus_reader *reader);

#endif
