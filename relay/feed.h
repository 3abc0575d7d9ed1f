/* The feed asks PostgreSQL what changed and gives it to a sink: one connection
 * that listens, holds a doorbell key and runs the snapshot diff (herald.feed). */
#ifndef PGHERALD_FEED_H
#define PGHERALD_FEED_H

#include <uv.h>

#include "change.h"
#include "config.h"
#include "histogram.h"

struct feed;

/* fatal is called once when going on is useless (a pooler in between). */
struct feed *feed_new(uv_loop_t *loop, const struct config *config, struct change_sink sink,
                      void (*fatal)(void *owner, const char *why), void *owner);
void feed_close(struct feed *feed); /* the loop must run once more before feed_free() */
void feed_free(struct feed *feed);

/* Handles no rows until it is told to go on. */
void feed_pause(struct feed *feed, bool paused);

/* Where it stands, for a sink that joins later; "" before the first window. */
const char *feed_cursor(const struct feed *feed);
bool feed_live(const struct feed *feed);
const char *feed_why(const struct feed *feed);

/* The six kinds of change, numbered. */
enum { FEED_CHANGES = 6 };
const char *feed_change_word(int number); /* for its counter */

/* What it has done, and how it stands. */
struct feed_report {
    uint64_t changes[FEED_CHANGES];
    uint64_t bells;        /* heard while it slept */
    uint64_t missed_bells; /* rows of a safety look whose bell did not come */
    struct histogram looks; /* microseconds from being sent until the last row was handed on */
    bool live, armed;
    uint64_t lag_us;       /* age of the last look that is done: what was committed before it has been handed on */
    double queue_usage;    /* pg_notification_queue_usage(): 0 to 1 */
};

void feed_report(const struct feed *feed, struct feed_report *out);

#endif
