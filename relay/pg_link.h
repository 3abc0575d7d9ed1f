/* A link is one asynchronous connection to PostgreSQL in the event loop: it
 * connects, tells when it is up, tells when bytes came, and connects again with
 * jittered back-off whatever breaks it. What is said on it is its owner's. */
#ifndef PGHERALD_PG_LINK_H
#define PGHERALD_PG_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    LINK_CONNECT_MS = 10000,   /* one attempt may take so long */
    LINK_RETRY_FIRST_MS = 100, /* back-off: doubles, with half of it random */
    LINK_RETRY_LAST_MS = 2000,
    LINK_WHY_SIZE = 384,
};

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_UP, LINK_CLOSED };

struct link_owner {
    void (*up)(void *owner);       /* connected, nonblocking; nothing was said yet */
    void (*readable)(void *owner); /* PQconsumeInput() was called and went well */
    void (*down)(void *owner, const char *why);
    void *owner;
};

struct pg_link {
    uv_loop_t *loop;
    const char *name; /* application_name; static */
    const char *database_url;
    struct link_owner to;
    PGconn *conn; /* NULL when down */
    uv_poll_t *poll;
    uv_timer_t timer; /* next attempt, or the end of this one */
    enum link_state state;
    unsigned attempts; /* since it last worked; its owner sets it to 0 when it does */
    bool wants_write;
    void (*closed)(void *owner);
    char why[LINK_WHY_SIZE];  /* the last error, one line */
    char said[LINK_WHY_SIZE]; /* the last one that was logged */
    uint64_t said_at_ms;
    char *hosts, *addresses, *ports; /* the URL's lists in another order; NULL: as they are */
};

/* Whether libpq can read a URL or keyword string (NULL: its defaults); why never has a password. */
bool link_check_url(const char *database_url, char why[LINK_WHY_SIZE]);

void link_start(struct pg_link *link);
/* Ends the connection, tells the owner, and tries again later. */
void link_restart(struct pg_link *link, const char *why);
/* The same for a statement that failed, with what to do about it where that is known. */
void link_restart_for(struct pg_link *link, const PGresult *result);
/* What a failed statement says, with what to do about it where that is known. */
void link_explain(const PGresult *result, char why[LINK_WHY_SIZE]);
/* The name that errors.h has for an SQLSTATE; "" is for a server that was not reached. */
const char *link_error_code(const char *sqlstate);
/* The SQLSTATE in what libpq says of a refused connection, with PQERRORS_VERBOSE; "" without one. */
const char *link_refusal_state(const char *text);
/* The name that errors.h has for the text of a connection that was not made. */
const char *link_refusal_code(const char *text);
/* What libpq says, in one line behind `before`. */
void link_one_line(const char *before, const char *why, char out[LINK_WHY_SIZE]);
/* Sends what libpq has buffered; false: the link was restarted. */
bool link_flush(struct pg_link *link);
/* For ever. closed (may be NULL) is called from the loop, after which the link may be freed. */
void link_close(struct pg_link *link, void (*closed)(void *owner));

#endif
