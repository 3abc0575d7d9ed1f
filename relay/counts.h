/* Exact unread totals: users whose rows changed, or who log in, are counted
 * together in one statement, changed users at most every COUNTS_PERIOD_MS. When
 * counting takes the database long it is done more rarely, so that it stays a
 * share of its work, and not in the middle of a window of the feed: notifications
 * come first. */
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
    COUNTS_PAUSE = 4,        /* times as long as the last statement took, from its beginning */
    COUNTS_BATCH_MAX = 1000, /* users a statement */
};

struct counts {
    struct user *wanted; /* utlist over user.count_prev/count_next */
    bool login_waits;    /* somebody on the list waits for `connected` */
    bool in_flight;
    uint64_t last_ms; /* when the last statement was sent */
    uint64_t took_ms; /* until it was answered */
    uv_timer_t *timer; /* owned by the relay; fires a flush */
};

void counts_changed(struct counts *counts, struct user *user);
void counts_want_login(struct counts *counts, struct user *user);
void counts_forget(struct counts *counts, struct user *user); /* before the user is freed */
void counts_flush(struct relay *relay);                        /* at the end of a loop turn */

#endif
