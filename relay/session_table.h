/* The sessions of a process by their ids: a pointer in a table, and nothing in
 * the session. Pure but for memory. */
#ifndef PGHERALD_SESSION_TABLE_H
#define PGHERALD_SESSION_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct session;

struct session_table {
    struct session **places;
    size_t room; /* places, a power of two; at most three quarters of them are taken */
    size_t count;
};

void session_table_add(struct session_table *table, struct session *session); /* its id is not in it yet */
struct session *session_table_find(const struct session_table *table, uint64_t id); /* NULL: not there */
void session_table_remove(struct session_table *table, const struct session *session); /* it is there */
/* One session after another, from *at = 0 on, in no order; NULL after the last. Nothing may be added or removed
 * in between. */
struct session *session_table_next(const struct session_table *table, size_t *at);
void session_table_free(struct session_table *table);

#endif
