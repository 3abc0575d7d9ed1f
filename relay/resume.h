/* Catching up: what changed for a user since its tab's cursor is read from the
 * database and told, then `resumed`. For a tab that comes back with a cursor, and
 * for one that did not take its frames. Meanwhile new frames are held back, so
 * that a cursor never runs ahead of what was told. */
#ifndef PGHERALD_RESUME_H
#define PGHERALD_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "session.h"

struct relay;
struct replay;

enum {
    RESUME_CHANGES_MAX = 500, /* more: the tab is told its whole state instead */
    RESUME_BATCH_MAX = 50,    /* sessions a statement */
    RESUME_FLIGHTS_MAX = 8,   /* statements at a time */
};

struct resumes {
    struct replay *wanted; /* utlist, to be asked for */
    int in_flight;
    uint64_t last_number;
};

/* Copies a client's cursor if it belongs to the database's present history; otherwise out is one that
 * makes whoever comes with it be told everything. */
void resume_cursor(const struct relay *relay, struct text cursor, char out[CURSOR_TEXT_SIZE]);

/* cursor is the client's text, which may be anything; ref is JSON text or "". */
void resume_start(struct session *session, struct text cursor, const char *ref);
/* The session dropped frames: goes on from where all before has been told. */
void resume_behind(struct session *session, struct cursor told);
/* Nothing is known of what was missed: `resumed` with resync and the first page of unread ones. */
void resume_afresh(struct session *session);

/* A frame for a session that is catching up; takes the reference. */
void resume_hold(struct session *session, struct frame *frame);
/* The outbox of a session that is catching up is empty: the next piece may come. */
void resume_drained(struct session *session);
/* What an answer to a session that is catching up may claim: it may be told before the end. The first page of one
 * that is told its whole state is that end. */
void resume_answer_cursor(const struct session *session, char out[CURSOR_TEXT_SIZE]);
/* The first page of a session that is told its whole state; takes the reference. */
void resume_page(struct session *session, struct frame *frame);

/* Of the frames that are held back. */
uint64_t resume_held_bytes(const struct session *session);
void resume_flush(struct relay *relay); /* at the end of a loop turn */
void resume_forget(struct session *session);

#endif
