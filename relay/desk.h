/* The desk is a process's connection for reads and write-backs: prepared
 * statements in libpq's pipeline mode, answered in order. A query that the
 * connection lost is sent again when it is back (all are idempotent, but those
 * marked `once`); after DESK_PATIENCE_MS it is given back unanswered. Lists have
 * a desk of their own, so that nothing waits behind the rows they count. */
#ifndef PGHERALD_DESK_H
#define PGHERALD_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "frame.h"
#include "histogram.h"

struct relay;
struct desk;
struct answer; /* a statement's result, borrowed during the callback */

enum {
    DESK_PARAMS_MAX = 7,
    DESK_PATIENCE_MS = 10000, /* a query waits so long for the database */
    DESK_QUEUE_MAX = 20000,   /* queries; beyond, they fail at once */
};

enum desk_statement {
    DESK_RESOLVE_USERS, /* array of claims json -> user id or null, in its order */
    DESK_UNREAD_COUNTS, /* user ids -> (user id, count) */
    DESK_PAGES,         /* arrays of user, unread only, limit, before time and id -> (count, list, next), see inbox.c */
    DESK_MARK_READ,     /* user ids, ids -> (user, id, version, notification) */
    DESK_MARK_ALL_READ, /* user, until time, until xid -> number marked */
    DESK_RESUME,        /* arrays of user, since, after xid, rank, id; rows, bytes -> changes, see resume.c */
    DESK_API_LIST,      /* user, unread, category, severity, limit, before time, before id -> (count, list, next, total) */
    DESK_API_GET,       /* user, id -> notification or null */
    DESK_API_CREATE,    /* user of the token, user, request json, key -> (outcome, id, notification) */
    DESK_API_SET_READ,  /* user, id, whether read -> notification or null */
    DESK_API_READ_ALL,  /* user, until time -> (number marked, unread count) */
    DESK_API_DELETE,    /* user, id -> whether there was one */
    DESK_SAMPLES,       /* claims json, how many -> number stored; see samples.h */
    DESK_TIDY,
    DESK_TRACE,         /* trace, answer json -> nothing; see trace.h */
    DESK_PROBE,         /* whether it answers */
    DESK_STATEMENTS
};

enum desk_kind {
    DESK_MAIN,  /* connects at once, and is asked everything but lists */
    DESK_LISTS, /* connects when the first DESK_API_LIST is asked */
    DESK_KINDS
};

/* answer is NULL when the database was not reached in time. context is the caller's own. */
typedef void desk_done(struct relay *relay, uint64_t session, void *context, const struct answer *answer);

struct desk_query {
    enum desk_statement statement;
    const char *values[DESK_PARAMS_MAX]; /* text; NULL is null */
    uint64_t session;
    void *context;
    desk_done *done; /* NULL: nobody wants to know */
    bool once;
};

/* The value that stands for a text, which is null if it is empty. */
static inline const char *desk_value(const char *text)
{
    return *text ? text : NULL;
}

struct desk *desk_new(struct relay *relay, enum desk_kind kind);
void desk_close(struct desk *desk); /* unanswered queries are dropped; the loop must run once more */
void desk_free(struct desk *desk);  /* after that */
void desk_submit(struct desk *desk, const struct desk_query *query); /* copies the values */
void desk_flush(struct desk *desk); /* sends what was submitted in this loop turn */
bool desk_idle(const struct desk *desk); /* every query is answered */
/* False also for a while after the database has refused something (disk full, privileges). */
bool desk_ready(const struct desk *desk);
const char *desk_why(const struct desk *desk); /* why it is not ready */

/* What it has done, and what it does now. */
struct desk_report {
    uint64_t failed[DESK_STATEMENTS];         /* errors that PostgreSQL gave */
    struct histogram answered[DESK_STATEMENTS]; /* microseconds from being sent to the answer, behind those sent before */
    uint64_t waiting;                         /* queries without an answer */
    bool up;                                  /* connected, set up */
};

void desk_report(const struct desk *desk, struct desk_report *out);
const char *desk_statement_word(int statement); /* for its counter */

int answer_rows(const struct answer *answer);
struct text answer_text(const struct answer *answer, int row, int column); /* bytes NULL: null */
int64_t answer_int(const struct answer *answer, int row, int column);
/* The SQLSTATE of an error, NULL when the statement succeeded. */
const char *answer_error(const struct answer *answer);

#endif
