/* A question in, an answer to the desk; see trace.h. */
#include "trace.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "desk.h"
#include "relay.h"

/* "(trace UUID)": false: it is none. */
static bool address_read(struct text user, char trace[UUID_TEXT_SIZE])
{
    static const char head[] = "(trace ";
    const size_t before = sizeof(head) - 1, id = UUID_TEXT_SIZE - 1;
    struct uuid uuid;
    if (user.size != before + id + 1 || memcmp(user.bytes, head, before) != 0 ||
        user.bytes[before + id] != ')' || !uuid_parse(user.bytes + before, id, &uuid))
        return false;
    uuid_format(&uuid, trace);
    return true;
}

static const char *state_word(const struct session *session)
{
    if (session->state != SESSION_OPEN)
        return "login";
    if (session->replay)
        return "catching_up";
    return session->dirty ? "behind" : "open";
}

static json_t *describe_session(const struct session *session)
{
    const struct door *door = session->relay->sessions.door;
    return json_pack("{s:I, s:s, s:I, s:b, s:i}", "session", (json_int_t)session->id, "state",
                     state_word(session), "waiting_bytes", (json_int_t)session->outbox.bytes, "busy",
                     door->busy(session->socket), "missed_pings", (int)session->missed_pings);
}

/* The caller frees it. */
static char *describe(struct relay *relay, struct text id)
{
    json_t *sessions = json_array();
    struct user *user = router_find(&relay->router, id);
    struct session *session;
    if (user)
        DL_FOREACH2(user->tabs, session, tab_next)
    if (json_array_size(sessions) < TRACE_SESSIONS_MAX)
        json_array_append_new(sessions, describe_session(session));
    json_t *answer = json_pack("{s:s, s:i, s:b, s:b, s:i, s:o}", "version", PGHERALD_VERSION, "pid",
                               (int)getpid(), "live", relay->router.live, "stopping", relay->stopping, "tabs",
                               user ? user->tab_count : 0, "sessions", sessions);
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    return text;
}

void trace_take(struct relay *relay, const struct change *message, struct text body)
{
    char trace[UUID_TEXT_SIZE];
    if (message->kind != CHANGE_MESSAGE || !address_read(message->user, trace))
        return;
    json_t *user = json_loadb(body.bytes, body.size, JSON_DECODE_ANY, NULL);
    if (json_is_string(user)) {
        sessions_flush(&relay->sessions, INT_MAX); /* what was handed on in this turn is not yet written */
        char *answer = describe(relay, (struct text){json_string_value(user), json_string_length(user)});
        desk_submit(relay->desk,
                    &(struct desk_query){.statement = DESK_TRACE, .values = {trace, answer}, .once = true});
        free(answer);
    }
    json_decref(user);
}
