/* Open addressing with linear probing; see table.h. */
#include "table.h"

#include <stdlib.h>

#include "memory.h"

enum { ROOM_MIN = 64 };

/* Numbers in sequence, as they are, would fill one stretch, which all later ones would have to walk along. Multiplied
 * by 2^64 / the golden ratio they are spread evenly (Knuth, volume 3, section 6.4). */
static size_t home_of(const struct table *table, uint64_t number)
{
    return (number * 0x9e3779b97f4a7c15 >> 32) & (table->room - 1);
}

static size_t behind(const struct table *table, size_t at)
{
    return (at + 1) & (table->room - 1);
}

static void put(struct table *table, struct table_place place)
{
    size_t at = home_of(table, place.number);
    while (table->places[at].item)
        at = behind(table, at);
    table->places[at] = place;
}

static void grow(struct table *table)
{
    struct table larger = {.room = table->room ? table->room * 2 : ROOM_MIN, .count = table->count};
    larger.places = memory_zero(larger.room * sizeof(*larger.places));
    for (size_t at = 0; at < table->room; at++)
        if (table->places[at].item)
            put(&larger, table->places[at]);
    free(table->places);
    *table = larger;
}

void table_add(struct table *table, uint64_t number, void *item)
{
    if (table->count >= table->room / 4 * 3)
        grow(table);
    put(table, (struct table_place){number, item});
    table->count++;
}

void *table_find(const struct table *table, uint64_t number, bool (*is)(const void *item, const void *wanted),
                 const void *wanted)
{
    if (!table->room)
        return NULL;
    for (size_t at = home_of(table, number); table->places[at].item; at = behind(table, at))
        if (table->places[at].number == number && (!is || is(table->places[at].item, wanted)))
            return table->places[at].item;
    return NULL;
}

/* Those behind it that could not have their own place move up: a search stops at the first free one. */
void table_remove(struct table *table, uint64_t number, const void *item)
{
    struct table_place *places = table->places;
    size_t mask = table->room - 1, hole = home_of(table, number);
    while (places[hole].item != item)
        hole = behind(table, hole);
    places[hole].item = NULL;
    table->count--;
    for (size_t at = behind(table, hole); places[at].item; at = behind(table, at)) {
        size_t home = home_of(table, places[at].number);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        places[hole] = places[at];
        places[at].item = NULL;
        hole = at;
    }
}

void *table_next(const struct table *table, size_t *at)
{
    while (*at < table->room) {
        void *item = table->places[(*at)++].item;
        if (item)
            return item;
    }
    return NULL;
}

void table_free(struct table *table)
{
    free(table->places);
    *table = (struct table){0};
}
