/* Open addressing with linear probing; see session_table.h. */
#include "session_table.h"

#include <stdlib.h>

#include "memory.h"
#include "session.h"

enum { ROOM_MIN = 64 };

/* Ids come in sequence: as they are, those that stay would fill one stretch, which all later ones would have to
 * walk along. Multiplied by 2^64 / the golden ratio they are spread evenly (Knuth, volume 3, section 6.4). */
static size_t home_of(const struct session_table *table, uint64_t id)
{
    return (id * 0x9e3779b97f4a7c15 >> 32) & (table->room - 1);
}

/* Where this id is, or the free place where it would be put. */
static size_t place_of(const struct session_table *table, uint64_t id)
{
    size_t at = home_of(table, id);
    while (table->places[at] && table->places[at]->id != id)
        at = (at + 1) & (table->room - 1);
    return at;
}

static void grow(struct session_table *table)
{
    struct session_table larger = {.room = table->room ? table->room * 2 : ROOM_MIN, .count = table->count};
    larger.places = memory_zero(larger.room * sizeof(struct session *));
    struct session *session;
    for (size_t at = 0; (session = session_table_next(table, &at));)
        larger.places[place_of(&larger, session->id)] = session;
    free(table->places);
    *table = larger;
}

void session_table_add(struct session_table *table, struct session *session)
{
    if (table->count >= table->room / 4 * 3)
        grow(table);
    table->places[place_of(table, session->id)] = session;
    table->count++;
}

struct session *session_table_find(const struct session_table *table, uint64_t id)
{
    return table->room ? table->places[place_of(table, id)] : NULL;
}

/* Those behind it that could not have their own place move up: a search stops at the first free one. */
void session_table_remove(struct session_table *table, const struct session *session)
{
    size_t mask = table->room - 1, hole = place_of(table, session->id);
    table->places[hole] = NULL;
    table->count--;
    for (size_t at = (hole + 1) & mask; table->places[at]; at = (at + 1) & mask) {
        size_t home = home_of(table, table->places[at]->id);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        table->places[hole] = table->places[at];
        table->places[at] = NULL;
        hole = at;
    }
}

struct session *session_table_next(const struct session_table *table, size_t *at)
{
    while (*at < table->room) {
        struct session *session = table->places[(*at)++];
        if (session)
            return session;
    }
    return NULL;
}

void session_table_free(struct session_table *table)
{
    free(table->places);
    *table = (struct session_table){0};
}
