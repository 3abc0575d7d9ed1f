/* Pages; see inbox.h. Commands come in, one statement at a time goes to the desk, pages of ready JSON go out. */
#include "inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "desk.h"
#include "memory.h"
#include "message.h"
#include "pg_array.h"
#include "relay.h"

enum {
    TRIES_MAX = 8,
    SPLIT = 8, /* into so many parts falls a statement that failed */
};

struct page_request {
    struct page_request *prev, *next; /* in the queue, or in its statement */
    uint64_t session;
    bool unread_only;
    bool first; /* for a session that is told its whole state */
    int together; /* so many may share its statement */
    int tries; /* that a deletion has overtaken */
    unsigned deletions; /* the user's when it was last asked */
    char limit[12];
    char before_time[COMMAND_TIME_SIZE];
    char before_id[UUID_TEXT_SIZE];
    char ref[];
};

/* The requests of one statement, in its order. */
struct batch {
    struct page_request *requests;
    int count;
};

/* ---- asked for ---- */

static void ask(struct session *session, const struct command *command, bool first)
{
    size_t ref_size = strlen(command->ref) + 1;
    struct page_request *request = memory_zero(sizeof(*request) + ref_size);
    request->session = session->id;
    request->unread_only = command->type == COMMAND_GET_UNREAD;
    request->first = first;
    request->together = INBOX_BATCH_MAX;
    snprintf(request->limit, sizeof(request->limit), "%d", command->limit);
    if (command->has_before) {
        memcpy(request->before_time, command->before_time, sizeof(request->before_time));
        uuid_format(&command->before_id, request->before_id);
    } else {
        strcpy(request->before_time, "infinity");
        strcpy(request->before_id, "ffffffff-ffff-ffff-ffff-ffffffffffff");
    }
    memcpy(request->ref, command->ref, ref_size);
    DL_APPEND(session->relay->inbox.queue, request);
}

void inbox_read(struct session *session, const struct command *command)
{
    session_page_asked(session);
    ask(session, command, false);
}

void inbox_first_page(struct session *session)
{
    ask(session, &(struct command){.type = COMMAND_GET_UNREAD, .limit = COMMAND_LIMIT_DEFAULT, .ref = ""}, true);
}

/* ---- told ---- */

/* Data that PostgreSQL refuses (class 22, say 30 February) is the client's mistake. */
static struct frame *failure(const struct answer *answer, const char *ref)
{
    if (!answer)
        return message_error("unavailable", "the database is unavailable", 1000, ref);
    const char *error = answer_error(answer);
    if (error && strncmp(error, "22", 2) == 0)
        return message_error("bad_field", "the database refused a value of this request", 0, ref);
    return message_error("internal", "the request failed", 1000, ref);
}

static struct frame *page(const struct session *session, const struct page_request *request,
                          const struct answer *answer, int row)
{
    char cursor[CURSOR_TEXT_SIZE];
    session_cursor(session, cursor);
    if (!answer || answer_error(answer) || row >= answer_rows(answer))
        return failure(answer, request->ref);
    return message_page(request->unread_only ? "unread_notifications" : "notifications", answer_int(answer, row, 0),
                        answer_text(answer, row, 1), answer_text(answer, row, 2), cursor, request->ref);
}

/* A page read before a deletion must not be told after it: it would bring the notification back. */
static bool is_stale(const struct session *session, const struct page_request *request,
                     const struct answer *answer)
{
    return answer && !answer_error(answer) && request->deletions != session->user->deletions;
}

/* The request is in no list any more: a page told may let its session ask for another. */
static void tell(struct relay *relay, struct page_request *request, const struct answer *answer, int row)
{
    struct session *session = session_find(relay, request->session);
    if (session && is_stale(session, request, answer)) {
        if (++request->tries < TRIES_MAX) {
            DL_APPEND(relay->inbox.queue, request);
            return;
        }
        answer = NULL; /* rather none than a wrong one */
    }
    if (session && request->first && session->replay)
        resume_page(session, page(session, request, answer, row));
    else if (session)
        session_push(session, page(session, request, answer, row));
    if (session && !request->first)
        session_page_answered(session);
    free(request);
}

static void tell_all_unanswered(struct relay *relay, struct page_request *requests)
{
    struct page_request *request, *next;
    DL_FOREACH_SAFE (requests, request, next)
        tell(relay, request, NULL, 0);
}

/* ---- one statement ---- */

/* Before all that has been asked for since. */
static void ask_again(struct inbox *inbox, struct page_request *requests)
{
    DL_CONCAT(requests, inbox->queue);
    inbox->queue = requests;
}

/* What one request cannot have (a date that does not exist) must not be refused to all others: parts of the
 * statement are asked for again, until it is alone. So are those behind the bytes that one answer may have. */
static void answered(struct relay *relay, uint64_t unused, void *context, const struct answer *answer)
{
    (void)unused;
    struct batch *batch = context;
    struct inbox *inbox = &relay->inbox;
    struct page_request *request, *next, *again = NULL;
    bool split = answer && answer_error(answer) && batch->count > 1;
    int row = 0, rows = answer && !answer_error(answer) ? answer_rows(answer) : 0;
    inbox->in_flight = false;
    DL_FOREACH_SAFE (batch->requests, request, next) {
        bool is_told = !answer || (!split && (row < rows || row == 0));
        if (split)
            request->together = batch->count > SPLIT ? batch->count / SPLIT : 1;
        if (is_told)
            tell(relay, request, answer, row);
        else
            DL_APPEND(again, request);
        row++;
    }
    free(batch);
    ask_again(inbox, again);
    if (answer)
        return;
    /* It was waited for as long as anybody would wait: those behind need not find out by themselves. */
    struct page_request *behind = inbox->queue;
    inbox->queue = NULL;
    tell_all_unanswered(relay, behind);
}

struct page_arrays {
    struct pg_array users, unread_only, limits, before_times, before_ids;
};

static void add(struct page_arrays *arrays, const struct user *user, const struct page_request *request)
{
    pg_array_add(&arrays->users, text_of(user->id));
    pg_array_add(&arrays->unread_only, text_of(request->unread_only ? "t" : "f"));
    pg_array_add(&arrays->limits, text_of(request->limit));
    pg_array_add(&arrays->before_times, text_of(request->before_time));
    pg_array_add(&arrays->before_ids, text_of(request->before_id));
}

/* The oldest that fit together; those whose session has gone are dropped on the way. */
static void fill(struct relay *relay, struct batch *batch, struct page_arrays *arrays)
{
    int together = INBOX_BATCH_MAX;
    struct page_request *request;
    while ((request = relay->inbox.queue)) {
        together = request->together < together ? request->together : together;
        if (batch->count >= together)
            return;
        DL_DELETE(relay->inbox.queue, request);
        const struct session *session = session_find(relay, request->session);
        if (!session) {
            free(request);
            continue;
        }
        request->deletions = session->user->deletions;
        add(arrays, session->user, request);
        DL_APPEND(batch->requests, request);
        batch->count++;
    }
}

static void submit(struct relay *relay, struct batch *batch, struct page_arrays *arrays)
{
    relay->inbox.in_flight = true;
    desk_submit(relay->desk, &(struct desk_query){.statement = DESK_PAGES,
                                                  .values = {pg_array_end(&arrays->users),
                                                             pg_array_end(&arrays->unread_only),
                                                             pg_array_end(&arrays->limits),
                                                             pg_array_end(&arrays->before_times),
                                                             pg_array_end(&arrays->before_ids)},
                                                  .context = batch,
                                                  .done = answered});
}

void inbox_flush(struct relay *relay)
{
    struct page_arrays arrays = {0};
    if (!relay->inbox.queue || relay->inbox.in_flight)
        return;
    struct batch *batch = memory_zero(sizeof(*batch));
    fill(relay, batch, &arrays);
    if (batch->count)
        submit(relay, batch, &arrays);
    else
        free(batch);
    pg_array_free(&arrays.users);
    pg_array_free(&arrays.unread_only);
    pg_array_free(&arrays.limits);
    pg_array_free(&arrays.before_times);
    pg_array_free(&arrays.before_ids);
}

void inbox_stop(struct inbox *inbox)
{
    struct page_request *request, *next;
    DL_FOREACH_SAFE (inbox->queue, request, next)
        free(request);
    inbox->queue = NULL;
}
