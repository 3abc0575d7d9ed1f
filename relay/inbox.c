/* Pages; see inbox.h. A command comes in, one page of ready JSON goes out. */
#include "inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk.h"
#include "memory.h"
#include "message.h"
#include "relay.h"

enum { TRIES_MAX = 8 };

struct page_request {
    bool unread_only;
    bool first; /* for a session that is told its whole state */
    int tries;
    unsigned deletions; /* the user's when it was last asked */
    char limit[12];
    bool has_before;
    char before_time[COMMAND_TIME_SIZE];
    char before_id[UUID_TEXT_SIZE];
    char ref[];
};

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
                          const struct answer *answer)
{
    char cursor[CURSOR_TEXT_SIZE];
    session_cursor(session, cursor);
    if (!answer || answer_error(answer) || answer_rows(answer) != 1)
        return failure(answer, request->ref);
    return message_page(request->unread_only ? "unread_notifications" : "notifications", answer_int(answer, 0, 0),
                        answer_text(answer, 0, 1), answer_text(answer, 0, 2), cursor, request->ref);
}

static void submit(struct session *session, struct page_request *request);

/* A page read before a deletion must not be told after it: it would bring the notification back. */
static bool is_stale(const struct session *session, const struct page_request *request,
                     const struct answer *answer)
{
    return answer && !answer_error(answer) && request->deletions != session->user->deletions;
}

static void answered(struct relay *relay, uint64_t id, void *context, const struct answer *answer)
{
    struct page_request *request = context;
    struct session *session = session_find(relay, id);
    if (session && is_stale(session, request, answer)) {
        if (request->tries < TRIES_MAX) {
            submit(session, request);
            return;
        }
        answer = NULL; /* rather none than a wrong one */
    }
    if (session && request->first && session->replay)
        resume_page(session, page(session, request, answer));
    else if (session)
        session_push(session, page(session, request, answer));
    if (session && !request->first)
        session_page_answered(session);
    free(request);
}

static void submit(struct session *session, struct page_request *request)
{
    request->tries++;
    request->deletions = session->user->deletions;
    desk_submit(session->relay->desk,
                &(struct desk_query){.statement = DESK_PAGE,
                                     .values = {session->user->id, request->unread_only ? "t" : "f", request->limit,
                                                request->has_before ? request->before_time : NULL,
                                                request->has_before ? request->before_id : NULL},
                                     .session = session->id,
                                     .context = request,
                                     .done = answered});
}

static struct page_request *request_new(bool unread_only, int limit, const char *ref)
{
    size_t ref_size = strlen(ref) + 1;
    struct page_request *request = memory_zero(sizeof(*request) + ref_size);
    request->unread_only = unread_only;
    snprintf(request->limit, sizeof(request->limit), "%d", limit);
    memcpy(request->ref, ref, ref_size);
    return request;
}

void inbox_read(struct session *session, const struct command *command)
{
    struct page_request *request =
        request_new(command->type == COMMAND_GET_UNREAD, command->limit, command->ref);
    request->has_before = command->has_before;
    memcpy(request->before_time, command->before_time, sizeof(request->before_time));
    uuid_format(&command->before_id, request->before_id);
    session_page_asked(session);
    submit(session, request);
}

void inbox_first_page(struct session *session)
{
    struct page_request *request = request_new(true, COMMAND_LIMIT_DEFAULT, "");
    request->first = true;
    submit(session, request);
}
