/* Write-backs; see marks.h. mark_read comes in, one UPDATE and its answers go out. */
#include "marks.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hash.h"
#include <utlist.h>

#include "clock.h"
#include "desk.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "pg_array.h"
#include "relay.h"

struct mark_key {
    uint64_t session;
    struct uuid id;
};

enum mark_state {
    MARK_ASKED, /* in the queue or in a batch */
    MARK_TOLD,  /* the same, but answered: the echo was faster than the statement's result */
    MARK_ACKED, /* answered by the result; the echo has not come */
};

struct mark {
    struct mark_key key;
    enum mark_state state;
    bool keyed;         /* in by_key: the one that meets the echo */
    bool ended;         /* its notification was deleted since it was asked for */
    int version;        /* that the answer told */
    uint64_t acked_at_ms;
    unsigned deletions; /* told to its user when it was asked for */
    struct mark *prev, *next; /* queued, or acked */
    UT_hash_handle hh;
    const char *ref; /* in text */
    char text[];     /* user id, zero, ref, zero */
};

/* The marks of one statement, in its order. */
struct mark_batch {
    int count;
    int tries;
    unsigned resyncs; /* when it was last sent */
    struct mark *marks[MARKS_BATCH_MAX];
};

static struct mark *mark_find(struct marks *marks, const struct mark_key *key)
{
    struct mark *mark = NULL;
    HASH_FIND(hh, marks->by_key, key, sizeof(*key), mark);
    return mark;
}

static struct mark *mark_new(struct session *session, const struct uuid *id, const char *ref)
{
    struct marks *marks = &session->relay->marks;
    size_t user_size = session->user->id_size + 1, ref_size = strlen(ref) + 1;
    struct mark *mark = memory_zero(sizeof(*mark) + user_size + ref_size);
    mark->key.session = session->id;
    mark->key.id = *id;
    mark->deletions = session->user->deletions;
    memcpy(mark->text, session->user->id, user_size);
    memcpy(mark->text + user_size, ref, ref_size);
    mark->ref = mark->text + user_size;
    if (!mark_find(marks, &mark->key)) {
        mark->keyed = true;
        HASH_ADD(hh, marks->by_key, key, sizeof(mark->key), mark);
        session->marks++;
    }
    return mark;
}

/* Out of the table: the feed's changes pass again. */
static void mark_unkey(struct relay *relay, struct mark *mark)
{
    if (!mark->keyed)
        return;
    HASH_DEL(relay->marks.by_key, mark);
    mark->keyed = false;
    struct session *session = session_find(relay, mark->key.session);
    if (session)
        session->marks--;
}

/* Its echo is no longer waited for. */
static void unlist(struct relay *relay, struct mark *mark)
{
    DL_DELETE(relay->marks.acked, mark);
    mark->state = MARK_TOLD;
}

static void mark_free(struct relay *relay, struct mark *mark)
{
    mark_unkey(relay, mark);
    if (mark->state == MARK_ACKED)
        unlist(relay, mark);
    free(mark);
}

/* ---- what comes from the feed ---- */

static void tell(struct session *session, const struct mark *mark, struct text notification)
{
    char cursor[CURSOR_TEXT_SIZE];
    session_cursor(session, cursor);
    session_push(session, message_marked(&mark->key.id, notification, cursor, mark->ref));
}

/* Nothing is held back for an answer that is still to come: frames behind it would carry cursors past what was not
 * told, and be the last that a client gets. What the feed says is committed: a state that is read is the answer. */
static bool meet_update(struct session *session, struct mark *mark, const struct change *change,
                        const struct frame *frame)
{
    if (mark->state == MARK_ASKED) {
        struct text notification = message_notification(frame);
        if (mark->ended || !message_is_read(notification))
            return false;
        tell(session, mark, notification);
        mark->state = MARK_TOLD;
        mark->version = change->version;
        return true;
    }
    bool told = change->version <= mark->version;
    if (mark->state == MARK_ACKED && change->version >= mark->version)
        mark_free(session->relay, mark);
    return told;
}

static void meet_end(struct relay *relay, struct mark *mark)
{
    if (mark->state == MARK_ACKED)
        mark_free(relay, mark);
    else
        mark->ended = true;
}

bool marks_intercept(struct session *session, const struct change *change, const struct frame *frame)
{
    struct mark_key key = {session->id, change->id};
    struct mark *mark = mark_find(&session->relay->marks, &key);
    if (mark && change->kind == CHANGE_UPDATED)
        return meet_update(session, mark, change, frame);
    if (mark && change->kind == CHANGE_DELETED)
        meet_end(session->relay, mark);
    return false;
}

/* ---- answers ---- */

static void fail(struct relay *relay, struct mark *mark, const char *code)
{
    struct session *session = session_find(relay, mark->key.session);
    if (session && mark->state != MARK_TOLD)
        session_push(session, message_mark_failed(&mark->key.id, code, mark->ref));
    mark_free(relay, mark);
}

/* One of several marks of the same row meets neither echo nor end: what was told cannot be taken back. */
static bool may_be_gone(const struct mark *mark, const struct session *session)
{
    return !mark->keyed && session->user->deletions != mark->deletions;
}

static void await_echo(struct relay *relay, struct mark *mark, int version)
{
    mark->state = MARK_ACKED;
    mark->version = version;
    mark->acked_at_ms = clock_now_ms();
    DL_APPEND(relay->marks.acked, mark);
}

static void succeed(struct relay *relay, struct mark *mark, const struct answer *answer, int row)
{
    struct session *session = session_find(relay, mark->key.session);
    if (!session || mark->state == MARK_TOLD) {
        mark_free(relay, mark);
        return;
    }
    if (mark->ended || may_be_gone(mark, session)) {
        fail(relay, mark, mark->ended ? "not_found" : "unavailable");
        return;
    }
    tell(session, mark, answer_text(answer, row, 3));
    if (mark->keyed)
        await_echo(relay, mark, (int)answer_int(answer, row, 2));
    else
        mark_free(relay, mark);
}

/* The statement's rows by notification; it returns each (user, id) once. */
struct row {
    struct uuid id;
    int number;
    UT_hash_handle hh;
};

static struct row *index_rows(const struct answer *answer, struct row **by_id)
{
    int count = answer_rows(answer);
    struct row *rows = memory_zero((size_t)count * sizeof(*rows));
    for (int i = 0; i < count; i++) {
        struct text id = answer_text(answer, i, 1);
        rows[i].number = i;
        if (uuid_parse(id.bytes, id.size, &rows[i].id))
            HASH_ADD(hh, *by_id, id, sizeof(rows[i].id), &rows[i]);
    }
    return rows;
}

static void answer_all(struct relay *relay, struct mark_batch *batch, const struct answer *answer)
{
    struct row *by_id = NULL;
    struct row *rows = index_rows(answer, &by_id);
    for (int i = 0; i < batch->count; i++) {
        struct mark *mark = batch->marks[i];
        struct row *row = NULL;
        HASH_FIND(hh, by_id, &mark->key.id, sizeof(mark->key.id), row);
        struct text owner = row ? answer_text(answer, row->number, 0) : (struct text){0};
        if (row && owner.size == strlen(mark->text) && memcmp(owner.bytes, mark->text, owner.size) == 0)
            succeed(relay, mark, answer, row->number);
        else
            fail(relay, mark, "not_found");
    }
    HASH_CLEAR(hh, by_id);
    free(rows);
}

static void written(struct relay *relay, uint64_t unused, void *context, const struct answer *answer);

static void submit(struct relay *relay, struct mark_batch *batch)
{
    struct pg_array users = {0}, ids = {0};
    for (int i = 0; i < batch->count; i++) {
        char id[UUID_TEXT_SIZE];
        uuid_format(&batch->marks[i]->key.id, id);
        pg_array_add(&users, text_of(batch->marks[i]->text));
        pg_array_add(&ids, text_of(id));
    }
    batch->tries++;
    batch->resyncs = relay->marks.resyncs;
    relay->marks.in_flight = true;
    desk_submit(relay->desk, &(struct desk_query){.statement = DESK_MARK_READ,
                                                  .values = {pg_array_end(&users), pg_array_end(&ids)},
                                                  .context = batch,
                                                  .done = written});
    pg_array_free(&users);
    pg_array_free(&ids);
}

/* 40P01 deadlock, 55P03 lock not available: the application holds one of the rows. */
static bool worth_a_retry(const char *sqlstate)
{
    return strcmp(sqlstate, "40P01") == 0 || strcmp(sqlstate, "55P03") == 0;
}

static void written(struct relay *relay, uint64_t unused, void *context, const struct answer *answer)
{
    (void)unused;
    struct mark_batch *batch = context;
    relay->marks.in_flight = false;
    const char *error = answer ? answer_error(answer) : NULL;
    /* A state of before a resync must not be told after it: the client asks again. */
    bool stale = batch->resyncs != relay->marks.resyncs;
    if (answer && !error && !stale) {
        answer_all(relay, batch, answer);
    } else if (error && batch->tries == 1 && worth_a_retry(error)) {
        submit(relay, batch);
        return;
    } else {
        for (int i = 0; i < batch->count; i++)
            fail(relay, batch->marks[i], "unavailable");
    }
    free(batch);
}

void marks_flush(struct relay *relay)
{
    struct marks *marks = &relay->marks;
    if (!marks->queued || marks->in_flight)
        return;
    struct mark_batch *batch = memory_new(sizeof(*batch));
    batch->count = batch->tries = 0;
    while (marks->queued && batch->count < MARKS_BATCH_MAX) {
        struct mark *mark = marks->queued;
        DL_DELETE(marks->queued, mark);
        marks->queued_count--;
        batch->marks[batch->count++] = mark;
    }
    histogram_count(&relay->tally.mark_batches, &histogram_sizes, (uint64_t)batch->count);
    submit(relay, batch);
}

void marks_add(struct session *session, const struct command *command)
{
    struct marks *marks = &session->relay->marks;
    if (marks->queued_count + (int)command->id_count > DESK_QUEUE_MAX) {
        session_push(session, message_error("unavailable", "too many reads are waiting to be written", 1000,
                                            command->ref));
        return;
    }
    for (size_t i = 0; i < command->id_count; i++) {
        struct mark *mark = mark_new(session, &command->ids[i], command->ref);
        DL_APPEND(marks->queued, mark);
        marks->queued_count++;
    }
}

void marks_resync(struct relay *relay)
{
    struct mark *mark, *next;
    relay->marks.resyncs++;
    HASH_ITER (hh, relay->marks.by_key, mark, next) {
        if (mark->state == MARK_ACKED)
            mark_free(relay, mark);
        else
            mark->version = 0; /* those of another history say nothing */
    }
}

bool marks_idle(const struct marks *marks)
{
    return !marks->queued && !marks->in_flight;
}

static void forget_queue(struct mark **list)
{
    struct mark *mark, *next;
    DL_FOREACH_SAFE (*list, mark, next)
        free(mark);
    *list = NULL;
}

void marks_stop(struct marks *marks)
{
    HASH_CLEAR(hh, marks->by_key);
    forget_queue(&marks->queued);
    forget_queue(&marks->acked);
}

void marks_tick(struct relay *relay)
{
    uint64_t now_ms = clock_now_ms();
    struct mark *mark;
    while ((mark = relay->marks.acked) && now_ms - mark->acked_at_ms > MARKS_ECHO_SECONDS * 1000) {
        unlist(relay, mark);
        mark_free(relay, mark);
    }
}

/* ---- mark_all_read ---- */

static void answer_all_marked(struct session *session, char *ref, const struct answer *answer, bool counted)
{
    char cursor[CURSOR_TEXT_SIZE];
    const char *error = answer ? answer_error(answer) : NULL;
    if (!session)
        return;
    session_cursor(session, cursor);
    if (answer && !error && counted && answer_rows(answer) == 1)
        session_push(session, message_unread_count(answer_int(answer, 0, 1), cursor, ref));
    else if (error && strncmp(error, "22", 2) == 0)
        session_push(session, message_error("bad_field", "until is no time of the calendar", 0, ref));
    else
        session_push(session, message_error("unavailable", "the reads were not written; try again", 1000, ref));
}

static void all_counted(struct relay *relay, uint64_t id, void *context, const struct answer *answer)
{
    answer_all_marked(session_find(relay, id), context, answer, true);
    free(context);
}

/* The total is read by a statement of its own: only that one sees what this one wrote. */
static void all_marked(struct relay *relay, uint64_t id, void *context, const struct answer *answer)
{
    struct session *session = session_find(relay, id);
    if (!session || !answer || answer_error(answer)) {
        answer_all_marked(session, context, answer, false);
        free(context);
        return;
    }
    struct pg_array users = {0};
    pg_array_add(&users, (struct text){session->user->id, session->user->id_size});
    desk_submit(relay->desk, &(struct desk_query){.statement = DESK_UNREAD_COUNTS,
                                                  .values = {pg_array_end(&users)},
                                                  .session = id,
                                                  .context = context,
                                                  .done = all_counted});
    pg_array_free(&users);
}

void marks_add_all(struct session *session, const struct command *command)
{
    char xid[24];
    if (command->has_until_cursor && !router_is_current(&session->relay->router, command->until_cursor)) {
        session_push(session, message_error("bad_field", "until is a cursor of another history of the database", 0,
                                            command->ref));
        return;
    }
    snprintf(xid, sizeof(xid), "%" PRIu64, command->until_cursor.xmin);
    desk_submit(session->relay->desk,
                &(struct desk_query){.statement = DESK_MARK_ALL_READ,
                                     .values = {session->user->id,
                                                command->has_until_time ? command->until_time : NULL,
                                                command->has_until_cursor ? xid : NULL},
                                     .session = session->id,
                                     .context = memory_copy_text(command->ref),
                                     .done = all_marked,
                                     .once = true});
}
