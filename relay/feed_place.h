/* Where the feed stands in the database's history, and from where it goes on
 * after an interruption: the newest snapshot, the newest one known to survive a
 * crash, and the epoch they belong to. Pure but for memory. */
#ifndef PGHERALD_FEED_PLACE_H
#define PGHERALD_FEED_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "feed_row.h"

struct feed_point {
    char *snapshot; /* owned; NULL: none */
    uint64_t xmin;
    uint64_t lsn; /* the WAL must be flushed up to here for the point to survive a crash */
};

struct feed_place {
    char *epoch; /* "system:timeline:uuid"; NULL before the first connection */
    struct feed_point newest;
    struct feed_point durable;
    struct feed_point waiting; /* becomes durable once enough is flushed */
};

/* All rows of a window have been handed on: the feed stands at its header now. */
void feed_place_advance(struct feed_place *place, const struct feed_header *header);

/* Whether the database stands before the newest point: an older copy of it was put back. */
bool feed_place_is_ahead(const struct feed_place *place, const struct feed_header *header);
/* Nothing is known but the epoch. */
void feed_place_forget(struct feed_place *place);

enum feed_move {
    FEED_MOVE_ON,     /* the same history: go on from the newest point */
    FEED_MOVE_BACK,   /* a crash: the newest point was set back to the durable one */
    FEED_MOVE_RESYNC, /* another history, or no durable point: nothing is known; the points are gone */
};

/* The epoch after a (re)connection. The first one ever is FEED_MOVE_ON without a point. */
enum feed_move feed_place_enter(struct feed_place *place, const char *epoch);
void feed_place_free(struct feed_place *place);

#endif
