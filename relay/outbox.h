/* The frames a session has still to write, in order, with their bytes counted.
 * Its nodes come from a pool shared by the sessions of a process, so that a
 * delivery allocates nothing in the steady state. */
#ifndef PGHERALD_OUTBOX_H
#define PGHERALD_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "deliveries.h"

struct outbox_node {
    struct frame *frame;
    struct outbox_node *next;
};

struct outbox_pool {
    struct outbox_node *spare;
    struct outbox_block *blocks; /* what pool_free() gives back */
    uint64_t bytes;              /* of the frames in all outboxes over it */
};

struct outbox {
    struct outbox_node *head, *tail;
    uint64_t bytes; /* of all frames in it */
};

void outbox_pool_free(struct outbox_pool *pool); /* every outbox must be empty */

void outbox_push(struct outbox *outbox, struct outbox_pool *pool, struct frame *frame); /* takes a reference */
struct frame *outbox_take(struct outbox *outbox, struct outbox_pool *pool); /* gives the reference; NULL: empty */
/* Drops the feed's frames (frame.passing) and keeps the answers. */
void outbox_drop_passing(struct outbox *outbox, struct outbox_pool *pool);
void outbox_clear(struct outbox *outbox, struct outbox_pool *pool);

/* Moves whole frames from the front into buffer as long as they fit; returns the bytes written.
 * 0 means: empty, or the first frame alone is larger than the buffer. Each is counted. */
size_t outbox_gather(struct outbox *outbox, struct outbox_pool *pool, uint8_t *buffer, size_t size,
                     struct deliveries *sent);

#endif
