/* Pages; see inbox.h. A command comes in, one page of ready JSON goes out. */
#include "inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk.h"
#include "memory.h"
#include "message.h"
#include "relay.h"

struct page_request {
    bool unread_only;
    char ref[];
};

/* Data that PostgreSQL refuses (class 22, say 30 February) is the client's mistake. */
static struct frame *failure(const struct answer *answer, const char *ref)
{
    if (!answer)
        return message_error("unavailable", "the database is unavailable", 1000, ref);
    if (strncmp(answer_error(answer), "22", 2) == 0)
        return message_error("bad_field", "the database refused a value of this request", 0, ref);
    return message_error("internal", "the request failed", 1000, ref);
}

static void answered(struct relay *relay, uint64_t id, void *context, const struct answer *answer)
{
    struct page_request *request = context;
    struct session *session = session_find(relay, id);
    if (session && (!answer || answer_error(answer)))
        session_push(session, failure(answer, request->ref));
    else if (session && answer_rows(answer) == 1)
        session_push(session,
                     message_page(request->unread_only ? "unread_notifications" : "notifications",
                                  answer_int(answer, 0, 0), answer_text(answer, 0, 1), answer_text(answer, 0, 2),
                                  relay->router.cursor, request->ref));
    free(request);
}

static void ask(struct session *session, bool unread_only, int limit, const char *before_time,
                const char *before_id, const char *ref)
{
    char limit_text[16];
    snprintf(limit_text, sizeof(limit_text), "%d", limit);
    size_t ref_size = strlen(ref) + 1;
    struct page_request *request = memory_new(sizeof(*request) + ref_size);
    request->unread_only = unread_only;
    memcpy(request->ref, ref, ref_size);
    desk_submit(session->relay->desk,
                &(struct desk_query){
                    .statement = DESK_PAGE,
                    .values = {session->user->id, unread_only ? "t" : "f", limit_text, before_time, before_id},
                    .session = session->id,
                    .context = request,
                    .done = answered});
}

void inbox_read(struct session *session, const struct command *command)
{
    char before_id[UUID_TEXT_SIZE];
    uuid_format(&command->before_id, before_id);
    ask(session, command->type == COMMAND_GET_UNREAD, command->limit,
        command->has_before ? command->before_time : NULL, command->has_before ? before_id : NULL, command->ref);
}

void inbox_resync(struct session *session)
{
    session_push(session, message_resync(session->relay->router.cursor));
    ask(session, true, COMMAND_LIMIT_DEFAULT, NULL, NULL, "");
}
