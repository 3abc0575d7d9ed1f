/* A PostgreSQL array literal (text form, §8.15.2 of its manual), built piece by piece. */
#ifndef PGHERALD_PG_ARRAY_H
#define PGHERALD_PG_ARRAY_H

#include "frame.h"

struct pg_array {
    char *text; /* owned; zero-terminated after pg_array_end() */
    size_t size, room;
};

void pg_array_add(struct pg_array *array, struct text element);
const char *pg_array_end(struct pg_array *array); /* borrowed */
void pg_array_free(struct pg_array *array);

#endif
