/* A change is one row of the feed: what happened to whom. */
#ifndef PGHERALD_CHANGE_H
#define PGHERALD_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "latency.h"
#include "uuid.h"

enum change_kind {
    CHANGE_NEW = 'n',       /* a notification its user has not seen */
    CHANGE_UPDATED = 'u',   /* a notification's new state */
    CHANGE_DELETED = 'd',   /* a notification that is gone or has expired */
    CHANGE_TRUNCATED = 't', /* all notifications are gone */
    CHANGE_MESSAGE = 'm',   /* what the application broadcasts, not stored */
    CHANGE_DISCONNECT = 'x',/* the application ends the user's sessions */
};

enum { CHANGE_UNREAD_MAX = 50 /* herald.feed() counts no further */ };

struct change {
    enum change_kind kind;
    struct text user;        /* empty: every user */
    struct uuid id;          /* n, u, d */
    int version;             /* n, u; 0 otherwise */
    struct text body;        /* n, u: the notification's JSON; m: the message's */
    bool counted;            /* n, u, d: the feed has counted the user's unread notifications, */
    uint8_t unread;          /* at most CHANGE_UNREAD_MAX, of the snapshot that the change is of */
    const char *cursor;      /* goes into the frame */
    const struct look_times *times; /* of the look that found it; NULL: not known */
};

/* Who takes the feed's changes: the router of this process, or the bus to the workers. */
struct change_sink {
    /* False: it is for nobody here. */
    bool (*change)(void *owner, const struct change *change);
    /* All changes up to this cursor have been given. */
    void (*window)(void *owner, const char *cursor);
    /* The history went on elsewhere: nobody knows what was missed, or what was told and never came to be. The
     * feed stands at this cursor, which no tab may get before it is told so. */
    void (*resync)(void *owner, const char *cursor);
    /* The feed runs, or does not (why is for /readyz). */
    void (*state)(void *owner, bool live, const char *why);
    /* A change of this user comes soon, and perhaps others before it; may be NULL. */
    void (*expect)(void *owner, struct text user);
    void *owner;
};

#endif
