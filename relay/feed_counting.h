/* For how many rows of a look, its header among them, the feed lets the database count
 * the user's unread notifications along. It is worth it while most totals reach a tab:
 * not for rows of users who are not here, or who have more unread than it counts. Pure. */
#ifndef PGHERALD_FEED_COUNTING_H
#define PGHERALD_FEED_COUNTING_H

#include <stdbool.h>

enum {
    COUNTING_ROWS = 64,    /* half a millisecond of the database, 3 at most; what more a window has is counted later */
    COUNTING_ROWS_TRY = 2, /* while it is not worth it, the header and one row: to notice when it is again */
    COUNTING_MEMORY = 128, /* rows */
};

struct feed_counting {
    int useless; /* of the last rows, 0…COUNTING_MEMORY */
};

int counting_rows(const struct feed_counting *counting);
/* A row was to be counted, and its total reached somebody or did not. */
void counting_was(struct feed_counting *counting, bool of_use);

#endif
