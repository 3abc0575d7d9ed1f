/* Reads written back: mark_read of all sessions of a process goes into one UPDATE
 * at a time; each tab that asked is answered after the commit, exactly once: by the
 * statement's result, or by the same change coming from the feed if that is faster. */
#ifndef PGHERALD_MARKS_H
#define PGHERALD_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "change.h"
#include "command.h"
#include "session.h"

struct mark;

enum {
    MARKS_BATCH_MAX = 1000,  /* rows a statement */
    MARKS_ECHO_SECONDS = 10, /* how long the feed's echo is waited for */
};

struct marks {
    struct mark *by_key; /* uthash: (session, notification) */
    struct mark *queued; /* utlist, to be written */
    struct mark *acked;  /* utlist, answered, oldest first */
    int queued_count;
    bool in_flight;
    unsigned resyncs; /* how often all tabs had to be told anew */
};

void marks_add(struct session *session, const struct command *command);
void marks_add_all(struct session *session, const struct command *command);
void marks_flush(struct relay *relay); /* at the end of a loop turn */
void marks_tick(struct relay *relay);  /* once a second: forgets echoes that never came */
/* All tabs are told anew: what a statement under way says may be of the time before. */
void marks_resync(struct relay *relay);
bool marks_idle(const struct marks *marks); /* nothing is waiting to be written or answered */
void marks_stop(struct marks *marks);
/* True when this change was told as the answer to the session's own mark. */
bool marks_intercept(struct session *session, const struct change *change, const struct frame *frame);

#endif
