/* Catch-ups; see resume.h. A cursor comes in, the changes since and `resumed` go out. */
#include "resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "desk.h"
#include "inbox.h"
#include "memory.h"
#include "message.h"
#include "pg_array.h"
#include "relay.h"

/* A cursor that belongs to no history: whoever comes back with it is told everything. */
#define VOID_CURSOR "00000000-0"

enum { XID_SIZE = 24 };

/* The place of a change in a catch-up's order, as texts for the database. */
struct place {
    char xid[XID_SIZE];
    char rank[4];
    char id[UUID_TEXT_SIZE];
};

static const struct place before_all = {"0", "0", "00000000-0000-0000-0000-000000000000"};

struct replay {
    struct session *session;
    uint64_t number; /* no other replay has it */
    struct replay *prev, *next; /* on the list of those to be asked for */
    bool listed;
    bool asked;   /* its statement is under way */
    bool partial; /* a piece was told, more follow when it is written */
    bool afresh;  /* the whole state is told */
    bool missed;  /* held frames had to be dropped: another pass */
    bool recount; /* an unread_count may have been among what was dropped */
    int count;    /* changes told */
    uint64_t since;             /* this pass tells transactions from here on */
    struct place after;         /* what of them has been told */
    struct cursor covered;      /* what this pass covers: where the next one begins */
    char cursor[CURSOR_TEXT_SIZE]; /* goes into its frames: nothing is claimed before the end */
    struct outbox held;            /* follows the end */
    char ref[];
};

/* The sessions of one statement, in its order. */
struct flight {
    int count;
    struct {
        uint64_t session, replay; /* ids: either may be gone when the answer comes */
    } asked[RESUME_BATCH_MAX];
};

static void want(struct replay *replay)
{
    struct resumes *resumes = &replay->session->relay->resumes;
    if (replay->listed || replay->asked)
        return;
    replay->listed = true;
    DL_APPEND(resumes->wanted, replay);
}

static void unlist(struct replay *replay)
{
    if (replay->listed)
        DL_DELETE(replay->session->relay->resumes.wanted, replay);
    replay->listed = false;
}

static struct replay *replay_new(struct session *session, const char *ref)
{
    size_t ref_size = strlen(ref) + 1;
    struct replay *replay = memory_zero(sizeof(*replay) + ref_size);
    replay->session = session;
    replay->number = ++session->relay->resumes.last_number;
    replay->after = before_all;
    memcpy(replay->ref, ref, ref_size);
    session->replay = replay;
    session->dirty = false; /* what was dropped comes again */
    return replay;
}

/* Everything up to the router's cursor is visible to the statements of a pass that begins now. */
static void begin_pass(struct replay *replay, uint64_t since)
{
    replay->since = since;
    replay->after = before_all;
    replay->missed = false;
    replay->covered = replay->session->relay->router.now;
}

/* The next piece is asked for once this one is written. */
static void go_on_when_drained(struct session *session)
{
    session->replay->partial = true;
    if (!session->outbox.head)
        want(session->replay);
}

/* ---- the end ---- */

static void release_held(struct session *session, struct replay *replay)
{
    struct outbox_pool *pool = &session->relay->sessions.pool;
    struct frame *frame;
    while ((frame = outbox_take(&replay->held, pool)))
        session_push(session, frame);
}

/* The replay is over: what was held follows, in order. */
static void finish(struct session *session)
{
    struct replay *replay = session->replay;
    unlist(replay);
    session->replay = NULL;
    session->told = replay->covered; /* nothing of that is dropped any more */
    release_held(session, replay);
    free(replay);
}

void resume_forget(struct session *session)
{
    struct replay *replay = session->replay;
    if (!replay)
        return;
    unlist(replay);
    outbox_clear(&replay->held, &session->relay->sessions.pool);
    session->replay = NULL;
    free(replay);
}

/* What is read from here on is newer than the answers that wait: behind it they would bring back what was deleted. */
static void release_answers(struct session *session, struct replay *replay)
{
    struct outbox_pool *pool = &session->relay->sessions.pool;
    struct frame *frame;
    outbox_drop_passing(&replay->held, pool);
    while ((frame = outbox_take(&replay->held, pool)))
        session_push_now(session, frame);
}

static void tell_afresh(struct session *session)
{
    struct replay *replay = session->replay;
    session->relay->tally.resyncs++;
    replay->afresh = true;
    replay->partial = replay->missed = false;
    replay->covered = session->relay->router.now; /* the page sees all of that */
    cursor_format(replay->covered, replay->cursor);
    release_answers(session, replay);
    session_push_now(session, message_resync(VOID_CURSOR, replay->ref));
    replay->ref[0] = '\0'; /* answered */
    inbox_first_page(session);
}

static void tell_resumed(struct session *session)
{
    char cursor[CURSOR_TEXT_SIZE];
    struct replay *replay = session->replay;
    cursor_format(replay->covered, cursor);
    session_push_now(session, message_resumed(replay->count, cursor, replay->ref));
    if (replay->recount)
        counts_changed(&session->relay->counts, session->user);
    finish(session);
}

/* ---- answers ---- */

static void keep(char *out, size_t size, struct text text)
{
    snprintf(out, size, "%.*s", (int)text.size, text.bytes ? text.bytes : "");
}

/* Columns of herald.relay_resume(). */
enum column { COLUMN_N, COLUMN_KIND, COLUMN_ID, COLUMN_VERSION, COLUMN_BODY, COLUMN_XID, COLUMN_RANK };

static void tell_change(struct session *session, const struct answer *answer, int row)
{
    struct replay *replay = session->replay;
    struct text id = answer_text(answer, row, COLUMN_ID);
    struct change change = {.kind = (enum change_kind)answer_text(answer, row, COLUMN_KIND).bytes[0],
                            .body = answer_text(answer, row, COLUMN_BODY),
                            .cursor = replay->cursor};
    if (!uuid_parse(id.bytes, id.size, &change.id))
        return;
    session_push_now(session, message_change(&change));
    replay->count++;
    keep(replay->after.xid, sizeof(replay->after.xid), answer_text(answer, row, COLUMN_XID));
    keep(replay->after.rank, sizeof(replay->after.rank), answer_text(answer, row, COLUMN_RANK));
    keep(replay->after.id, sizeof(replay->after.id), id);
}

/* Frames that were held had to be dropped: what they said is read again. */
static void another_pass(struct session *session)
{
    release_answers(session, session->replay);
    begin_pass(session->replay, session->replay->covered.xmin);
    go_on_when_drained(session);
}

void resume_answer_cursor(const struct session *session, char out[CURSOR_TEXT_SIZE])
{
    memcpy(out, session->replay->cursor, CURSOR_TEXT_SIZE);
}

void resume_page(struct session *session, struct frame *frame)
{
    struct replay *replay = session->replay;
    if (!replay->afresh) {
        resume_hold(session, frame); /* an earlier one had asked for it */
        return;
    }
    session_push_now(session, frame);
    if (!replay->missed) {
        finish(session);
    } else if (router_is_current(&session->relay->router, replay->covered)) {
        replay->afresh = false;
        another_pass(session);
    } else {
        tell_afresh(session);
    }
}

static void piece_told(struct session *session, char kind)
{
    struct replay *replay = session->replay;
    if (kind == 'r' || replay->count > RESUME_CHANGES_MAX)
        tell_afresh(session);
    else if (kind == 'm')
        go_on_when_drained(session);
    else if (replay->missed)
        another_pass(session);
    else
        tell_resumed(session);
}

/* One row for one session; kinds e, m and r end its piece. */
static void take_row(struct session *session, const struct answer *answer, int row)
{
    char kind = answer_text(answer, row, COLUMN_KIND).bytes[0];
    if (kind == CHANGE_NEW || kind == CHANGE_UPDATED || kind == CHANGE_DELETED)
        tell_change(session, answer, row);
    else
        piece_told(session, kind);
}

/* Who asked the number-th question, if that catch-up is still going on. */
static struct session *asker(struct relay *relay, const struct flight *flight, int number)
{
    if (number < 0 || number >= flight->count)
        return NULL; /* not a row of herald.relay_resume() */
    struct session *session = session_find(relay, flight->asked[number].session);
    bool same = session && session->replay && session->replay->number == flight->asked[number].replay;
    return same ? session : NULL;
}

/* Nobody answered in time: once more. An error would come again: the whole state is told. */
static void not_caught_up(struct session *session, bool answered)
{
    if (answered)
        tell_afresh(session);
    else
        want(session->replay);
}

static void caught_up(struct relay *relay, uint64_t unused, void *context, const struct answer *answer)
{
    (void)unused;
    struct flight *flight = context;
    bool good = answer && !answer_error(answer);
    relay->resumes.in_flight--;
    for (int i = 0; i < flight->count; i++) {
        struct session *session = asker(relay, flight, i);
        if (!session)
            continue;
        session->replay->asked = false;
        if (!good)
            not_caught_up(session, answer != NULL);
    }
    for (int row = 0; good && row < answer_rows(answer); row++) {
        struct session *session = asker(relay, flight, (int)answer_int(answer, row, COLUMN_N) - 1);
        if (session)
            take_row(session, answer, row);
    }
    free(flight);
}

/* ---- asking ---- */

struct question {
    struct pg_array users, since, after_xids, after_ranks, after_ids;
};

static void add(struct question *question, const struct replay *replay)
{
    char since[XID_SIZE];
    const struct user *user = replay->session->user;
    snprintf(since, sizeof(since), "%" PRIu64, replay->since);
    pg_array_add(&question->users, (struct text){user->id, user->id_size});
    pg_array_add(&question->since, text_of(since));
    pg_array_add(&question->after_xids, text_of(replay->after.xid));
    pg_array_add(&question->after_ranks, text_of(replay->after.rank));
    pg_array_add(&question->after_ids, text_of(replay->after.id));
}

static void submit(struct relay *relay, struct question *question, struct flight *flight)
{
    char rows[16], bytes[16];
    snprintf(rows, sizeof(rows), "%d", RESUME_CHANGES_MAX + 1);
    snprintf(bytes, sizeof(bytes), "%d", relay->config->queue_bytes);
    relay->resumes.in_flight++;
    desk_submit(relay->desk, &(struct desk_query){.statement = DESK_RESUME,
                                                  .values = {pg_array_end(&question->users),
                                                             pg_array_end(&question->since),
                                                             pg_array_end(&question->after_xids),
                                                             pg_array_end(&question->after_ranks),
                                                             pg_array_end(&question->after_ids), rows, bytes},
                                                  .context = flight,
                                                  .done = caught_up});
}

static void ask_batch(struct relay *relay)
{
    struct question question = {0};
    struct flight *flight = memory_zero(sizeof(*flight));
    while (relay->resumes.wanted && flight->count < RESUME_BATCH_MAX) {
        struct replay *replay = relay->resumes.wanted;
        unlist(replay);
        replay->asked = true;
        replay->partial = false;
        add(&question, replay);
        flight->asked[flight->count].session = replay->session->id;
        flight->asked[flight->count++].replay = replay->number;
    }
    submit(relay, &question, flight);
    pg_array_free(&question.users);
    pg_array_free(&question.since);
    pg_array_free(&question.after_xids);
    pg_array_free(&question.after_ranks);
    pg_array_free(&question.after_ids);
}

void resume_flush(struct relay *relay)
{
    while (relay->resumes.wanted && relay->resumes.in_flight < RESUME_FLIGHTS_MAX)
        ask_batch(relay);
}

/* ---- the beginning ---- */

static bool is_current(const struct relay *relay, struct text text, struct cursor *cursor)
{
    return text.bytes && cursor_parse(text.bytes, text.size, cursor) && router_is_current(&relay->router, *cursor);
}

void resume_cursor(const struct relay *relay, struct text text, char out[CURSOR_TEXT_SIZE])
{
    struct cursor cursor;
    if (is_current(relay, text, &cursor))
        cursor_format(cursor, out);
    else
        memcpy(out, VOID_CURSOR, sizeof(VOID_CURSOR));
}

void resume_start(struct session *session, struct text text, const char *ref)
{
    struct cursor cursor;
    struct replay *replay = replay_new(session, ref);
    session->relay->tally.catch_ups[CATCH_UP_CLIENT]++;
    resume_cursor(session->relay, text, replay->cursor);
    if (!is_current(session->relay, text, &cursor)) {
        tell_afresh(session);
        return;
    }
    begin_pass(replay, cursor.xmin);
    want(replay);
}

void resume_behind(struct session *session, struct cursor told)
{
    struct replay *replay = replay_new(session, "");
    session->relay->tally.catch_ups[CATCH_UP_SLOW]++;
    replay->recount = true;
    if (!router_is_current(&session->relay->router, told)) {
        tell_afresh(session);
        return;
    }
    cursor_format(told, replay->cursor);
    begin_pass(replay, told.xmin);
    want(replay);
}

/* A catch-up that was under way is over, and its asker is told by this one. */
void resume_afresh(struct session *session)
{
    struct replay *old = session->replay;
    replay_new(session, old ? old->ref : "");
    session->relay->tally.catch_ups[CATCH_UP_HISTORY]++;
    if (old) {
        unlist(old);
        release_answers(session, old);
        free(old);
    }
    tell_afresh(session);
}

void resume_hold(struct session *session, struct frame *frame)
{
    struct replay *replay = session->replay;
    struct outbox_pool *pool = &session->relay->sessions.pool;
    uint64_t limit = (uint64_t)session->relay->config->queue_bytes;
    if (frame->passing && !replay->missed && replay->held.head && replay->held.bytes + frame->size > limit) {
        outbox_drop_passing(&replay->held, pool);
        replay->missed = true;
        replay->recount = true;
    }
    if (frame->passing && replay->missed)
        frame_drop(frame);
    else
        outbox_push(&replay->held, pool, frame);
}

uint64_t resume_held_bytes(const struct session *session)
{
    return session->replay ? session->replay->held.bytes : 0;
}

void resume_drained(struct session *session)
{
    if (session->replay->partial)
        want(session->replay);
}
