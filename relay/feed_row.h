/* One row of herald.feed(), decoded: columns in, a header or a change out. Pure. */
#ifndef PGHERALD_FEED_ROW_H
#define PGHERALD_FEED_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "change.h"

/* The columns of a look, which are few, as libpq copies their names with each row. */
enum feed_column {
    FEED_KIND,
    FEED_USER,
    FEED_ID,
    FEED_VERSION,
    FEED_BODY, /* of a header: FEED_HEADER_PARTS texts, a space between two */
    FEED_UNREAD,
    FEED_COLUMNS
};

/* In the order of struct feed_header, which explains them. */
enum { FEED_SNAPSHOT, FEED_XMIN, FEED_INSERT_LSN, FEED_FLUSH_LSN, FEED_NOW, FEED_SETTLED, FEED_HEADER_PARTS };

/* Where the feed stands: the header of each window. */
struct feed_header {
    struct text snapshot; /* a pg_snapshot; never looked into */
    uint64_t xmin;
    uint64_t insert_lsn; /* bytes of WAL */
    uint64_t flush_lsn;
    uint64_t now_us; /* Unix time of the database when the look began */
    bool settled;    /* the snapshot has no transaction in progress */
};

enum feed_row { FEED_ROW_HEADER, FEED_ROW_CHANGE, FEED_ROW_BAD };

/* columns[i].bytes is NULL for null; texts in the result are borrowed from them. A change
 * has no cursor yet. */
enum feed_row feed_row_read(const struct text columns[FEED_COLUMNS], struct feed_header *header,
                            struct change *change);

#endif
