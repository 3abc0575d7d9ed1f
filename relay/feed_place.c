/* Snapshots over crashes and failovers; see feed_place.h. */
#include "feed_place.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void point_clear(struct feed_point *point)
{
    free(point->snapshot);
    *point = (struct feed_point){0};
}

static void point_set(struct feed_point *point, const char *snapshot, size_t size, uint64_t xmin,
                      uint64_t lsn)
{
    char *copy = memory_copy(snapshot, size);
    point_clear(point);
    *point = (struct feed_point){copy, xmin, lsn};
}

void feed_place_advance(struct feed_place *place, const struct feed_header *header)
{
    point_set(&place->newest, header->snapshot.bytes, header->snapshot.size, header->xmin,
              header->insert_lsn);
    if (place->waiting.snapshot && header->flush_lsn >= place->waiting.lsn) {
        point_clear(&place->durable);
        place->durable = place->waiting;
        place->waiting = (struct feed_point){0};
    }
    if (!place->waiting.snapshot)
        point_set(&place->waiting, header->snapshot.bytes, header->snapshot.size, header->xmin,
                  header->insert_lsn);
}

bool feed_place_is_ahead(const struct feed_place *place, const struct feed_header *header)
{
    return place->newest.snapshot && header->insert_lsn < place->newest.lsn;
}

void feed_place_forget(struct feed_place *place)
{
    point_clear(&place->newest);
    point_clear(&place->durable);
    point_clear(&place->waiting);
}

/* "system:timeline" of both is the same. */
static bool same_history(const char *one, const char *other)
{
    const char *one_end = strrchr(one, ':'), *other_end = strrchr(other, ':');
    return one_end && other_end && one_end - one == other_end - other &&
           memcmp(one, other, (size_t)(one_end - one)) == 0;
}

enum feed_move feed_place_enter(struct feed_place *place, const char *epoch)
{
    char *was = place->epoch;
    if (was && strcmp(was, epoch) == 0)
        return FEED_MOVE_ON;
    place->epoch = memory_copy_text(epoch);
    if (!was)
        return FEED_MOVE_ON;
    bool crashed = same_history(was, epoch) && place->durable.snapshot;
    free(was);
    if (!crashed) {
        feed_place_forget(place);
        return FEED_MOVE_RESYNC;
    }
    point_clear(&place->waiting);
    point_set(&place->newest, place->durable.snapshot, strlen(place->durable.snapshot), place->durable.xmin,
              place->durable.lsn);
    return FEED_MOVE_BACK;
}

void feed_place_free(struct feed_place *place)
{
    feed_place_forget(place);
    free(place->epoch);
    place->epoch = NULL;
}
