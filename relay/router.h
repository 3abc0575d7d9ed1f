/* The router knows which user has which tabs here: changes of the feed come in
 * and go to the sessions of their user; a change for nobody here costs one look-up. */
#ifndef PGHERALD_ROUTER_H
#define PGHERALD_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "change.h"
#include "cursor.h"
#include "rate.h"
#include "table.h"

struct session;

/* A user with at least one session here. */
struct user {
    struct rate rate;   /* of its messages, over all tabs */
    unsigned deletions; /* told so far: a page read before one must not be told after it */
    int tab_count;
    /* From here on what a delivery looks at: of thousands of users nothing is in the processor's caches. */
    struct user *count_prev, *count_next;
    struct session *tabs; /* utlist over session.tab_prev/tab_next */
    bool count_changed : 1;    /* to be counted because its rows changed, not only for a login */
    unsigned count_list : 7;   /* of counts.c: enum count_list */
    unsigned count : 8;        /* unread notifications, when they are only to be told */
    unsigned count_period : 16; /* in which its tabs were told last */
    uint32_t id_size;
    char id[]; /* zero-terminated */
};

struct router {
    struct table users; /* by their ids' hashes */
    char cursor[CURSOR_TEXT_SIZE]; /* everything up to here has been given to every session */
    struct cursor now;             /* the same, read */
    bool mid_window;               /* changes behind it have been given, and more are to come */
    bool live;                     /* the feed runs */
    char why[384];                 /* why it does not */
};

/* Whether a cursor belongs to the database's present history; none does before the first window. */
bool router_is_current(const struct router *router, struct cursor cursor);
struct user *router_find(struct router *router, struct text id);
/* Registers a session under its user; from now on it is given the user's changes. */
struct user *router_join(struct router *router, struct session *session, struct text id);
/* Takes a session out; *emptied is true when the user had no other and is to be freed by
 * router_forget(). */
struct user *router_leave(struct session *session, bool *emptied);
void router_forget(struct router *router, struct user *user);
void router_stop(struct router *router); /* all sessions must be gone */

#endif
