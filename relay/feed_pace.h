/* When the feed looks: what it hears and finds comes in, what it does next goes
 * out. It sleeps on its bell ("armed") while writers are few, and asks again and
 * again while they are many, because a bell costs them a lock that they queue
 * for. docs/ARCHITECTURE.md says why nothing is lost on the way. Pure. */
#ifndef PGHERALD_FEED_PACE_H
#define PGHERALD_FEED_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

enum {
    PACE_SAFETY_MS = 1000,     /* armed: a look without a bell */
    PACE_WINDOW_MS = 50,       /* bells and rows are counted over this */
    PACE_BELLS_MAX = 100,      /* in a window: more, and polling is cheaper for everybody */
    PACE_ROWS_FEW = 10,        /* in a window: no more, and the feed may sleep */
    PACE_CHECK_MS = 200,       /* armed and busy: who waits for the NOTIFY lock is asked so often */
    PACE_BUSY_MS = 1000,       /* two bells within this are busy */
    PACE_PAUSE_FIRST_MS = 1,   /* polling: between two looks, growing while nothing comes */
    PACE_PAUSE_LAST_MS = 10,
    PACE_PAUSE_REFUSED_MS = 20, /* the same while a silent writer is in flight */
    PACE_HOLD_FIRST_MS = 50,   /* polling lasts so long at least, */
    PACE_HOLD_LAST_MS = 3200,  /* doubling up to this while sleep is short */
    PACE_SLEEP_SHORT_MS = 1000,
};

enum pace_step {
    PACE_LOOK,
    PACE_WAIT,   /* nothing until the time given, or a bell while armed */
    PACE_ARM,    /* try to take the key */
    PACE_DISARM, /* give it back */
    PACE_CHECK,  /* does anybody wait for the NOTIFY lock? */
};

struct feed_pace {
    enum feed_mode mode;
    bool has_key;
    bool armed;
    bool rung;        /* a bell that no look has answered yet */
    bool crowded;     /* writers wait for the NOTIFY lock, or there were too many bells */
    bool refused;     /* the last attempt to arm */
    bool tried;       /* to arm, since the last look */
    bool calm;        /* the last whole window of polling had few rows */
    bool safety;      /* the running look was asked for by no bell */
    uint64_t looking_ms;    /* when the running look began */
    uint64_t look_at_ms;    /* the next one without a bell */
    uint64_t pause_ms;
    uint64_t window_ms;     /* begin of the present window */
    int window_count;       /* of bells while armed, of rows while polling */
    uint64_t bell_at_ms;    /* the last bell */
    bool busy;              /* it came soon after another, and nobody has checked since */
    uint64_t checked_at_ms;
    uint64_t armed_at_ms, disarmed_at_ms;
    uint64_t hold_ms;
    bool unannounced;       /* the last safety look found rows; their bell may still come */
    unsigned missed_bells;  /* it did not: quiet sessions, replicated rows, or a fault */
};

void pace_start(struct feed_pace *pace, enum feed_mode mode, uint64_t now_ms); /* connected, not armed */
/* What is to be done now; *wait_ms is set with PACE_WAIT. */
enum pace_step pace_next(const struct feed_pace *pace, uint64_t now_ms, uint64_t *wait_ms);

/* What was done, or happened. */
void pace_key(struct feed_pace *pace, bool has_key);
void pace_bell(struct feed_pace *pace, uint64_t now_ms);
void pace_looking(struct feed_pace *pace, uint64_t now_ms); /* a look begins: bells from now on want another */
void pace_looked(struct feed_pace *pace, uint64_t now_ms, int rows);
void pace_arm_answered(struct feed_pace *pace, uint64_t now_ms, bool granted);
void pace_disarmed(struct feed_pace *pace, uint64_t now_ms);
void pace_checked(struct feed_pace *pace, uint64_t now_ms, bool waiters);

#endif
