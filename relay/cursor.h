/* A cursor says up to where a client has seen the changes of its user: the
 * epoch of the database's history and the xmin of the snapshot up to which
 * everything has been handed to it. Clients see an opaque string. */
#ifndef PGHERALD_CURSOR_H
#define PGHERALD_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CURSOR_TEXT_SIZE = 8 + 1 + 20 + 1 /* bytes, with the zero */ };

struct cursor {
    uint32_t epoch; /* digest of "system:timeline:uuid", see cursor_epoch() */
    uint64_t xmin;  /* a transaction id, xid8 */
};

uint32_t cursor_epoch(const char *epoch_text);
void cursor_format(struct cursor cursor, char out[CURSOR_TEXT_SIZE]);
/* Returns false and leaves *out alone when the text is none of ours. */
bool cursor_parse(const char *text, size_t size, struct cursor *out);

#endif
