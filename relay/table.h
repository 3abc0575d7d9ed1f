/* Pointers by numbers: open addressing with linear probing, and nothing in what is pointed to, so that a search looks
 * at little else than what it finds. Two may have the same number. Pure but for memory. */
#ifndef PGHERALD_TABLE_H
#define PGHERALD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_place {
    uint64_t number;
    void *item; /* NULL: the place is free */
};

struct table {
    struct table_place *places;
    size_t room; /* places, a power of two; at most three quarters of them are taken */
    size_t count;
};

void table_add(struct table *table, uint64_t number, void *item);
/* The one with this number of which is() says so, NULL for is: any; NULL: none. */
void *table_find(const struct table *table, uint64_t number, bool (*is)(const void *item, const void *wanted),
                 const void *wanted);
void table_remove(struct table *table, uint64_t number, const void *item); /* it is there */
/* One item after another, from *at = 0 on, in no order; NULL after the last. Nothing may be added or removed in
 * between. */
void *table_next(const struct table *table, size_t *at);
void table_free(struct table *table);

#endif
