/* Exact unread totals. Of few changes the feed has counted along: then the total
 * goes out with them, in the same write. All others, and users who log in, are
 * counted together in one statement; when that takes the database long it is done
 * more rarely, so that it stays a share of its work, and not in the middle of a
 * window of the feed: notifications come first. Either way a user's tabs are told
 * once a COUNTS_PERIOD_MS, the newest. */
#ifndef PGHERALD_COUNTS_H
#define PGHERALD_COUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct relay;
struct user;

enum {
    COUNTS_PERIOD_MS = 50,
    COUNTS_PERIOD_MAX_MS = 500,
    COUNTS_PAUSE = 8,        /* times as long as the last statement took, from its beginning */
    COUNTS_BATCH_MAX = 1000, /* users a statement */
};

/* A user is on one of these, or on none. */
enum count_list {
    COUNT_LIST_NONE,
    COUNT_LIST_WANTED, /* the database is to be asked */
    COUNT_LIST_NOW,    /* known; its tabs are told at the end of the turn, if they may be in this period */
    COUNT_LIST_LATER,  /* known; they were told another one in this period */
    COUNT_LISTS
};

struct counts {
    struct user *lists[COUNT_LISTS]; /* utlist over user.count_prev/count_next, oldest first */
    bool login_waits;    /* somebody on the list of the wanted waits for `connected` */
    bool in_flight;
    uint64_t last_ms; /* when the last statement was sent */
    uint64_t took_ms; /* until it was answered */
    uv_timer_t *timer; /* owned by the relay; fires a flush */
};

void counts_changed(struct counts *counts, struct user *user);
/* The same, and the feed has counted: so many, of the snapshot its window ends with. */
void counts_known(struct counts *counts, struct user *user, uint8_t count);
void counts_want_login(struct counts *counts, struct user *user);
void counts_forget(struct counts *counts, struct user *user); /* before the user is freed */
void counts_tell(struct relay *relay);  /* at the end of a loop turn, before its frames are written */
void counts_flush(struct relay *relay); /* after it */

#endif
