/* The feed's end in a process: a change comes in, its frame goes to its user's tabs. */
#include "relay.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "log.h"
#include "login.h"
#include "message.h"
#include "trace.h"

static void push_to_user(struct user *user, const struct change *change, struct frame *frame)
{
    struct session *session;
    DL_FOREACH2(user->tabs, session, tab_next) {
        session_expect(session->tab_next);
        if (session->marks && marks_intercept(session, change, frame))
            continue;
        session_push_shared(session, frame);
    }
}

static void push_to_all(struct relay *relay, struct frame *frame)
{
    const struct user *user;
    for (size_t at = 0; (user = table_next(&relay->router.users, &at));) {
        struct session *session;
        DL_FOREACH2(user->tabs, session, tab_next)
            session_push_shared(session, frame);
    }
}

/* Every tab is told its state anew, and every user counted; nobody comes or goes by that. */
static void resync_all(struct relay *relay)
{
    struct user *user;
    marks_resync(relay);
    for (size_t at = 0; (user = table_next(&relay->router.users, &at));) {
        struct session *session;
        user->deletions++;
        DL_FOREACH2(user->tabs, session, tab_next) {
            if (session->state == SESSION_OPEN)
                resume_afresh(session);
            else
                login_resync(session);
        }
        counts_changed(&relay->counts, user);
    }
}

static void disconnect(struct relay *relay, struct text id)
{
    resolver_forget(&relay->resolver); /* also for somebody who is not here, or is nobody at all */
    struct user *user = router_find(&relay->router, id);
    if (!user)
        return;
    struct session *session, *next;
    DL_FOREACH_SAFE2(user->tabs, session, next, tab_next)
        session_end(session, END_DISCONNECTED); /* the last one takes the user with it */
}

/* Not so a disconnect, a TRUNCATE, or a message to everybody. */
static bool is_for_tabs_of_one(const struct change *change)
{
    return change->user.size && change->kind != CHANGE_DISCONNECT;
}

static void mark_frame(struct frame *frame, const struct change *change)
{
    if (!frame)
        return;
    frame->passing = true;
    frame->application = change->kind == CHANGE_MESSAGE;
}

static void deliver_to(struct relay *relay, struct user *user, const struct change *change, struct frame *frame)
{
    mark_frame(frame, change);
    relay->router.mid_window = true;
    if (change->kind == CHANGE_DELETED)
        user->deletions++;
    push_to_user(user, change, frame);
    if (change->counted)
        counts_known(&relay->counts, user, change->unread);
    else if (change->kind != CHANGE_MESSAGE)
        counts_changed(&relay->counts, user);
}

static void deliver_at_large(struct relay *relay, const struct change *change, struct frame *frame)
{
    mark_frame(frame, change);
    if (change->kind == CHANGE_TRUNCATED)
        resync_all(relay);
    else if (change->kind == CHANGE_DISCONNECT)
        disconnect(relay, change->user);
    else if (frame)
        push_to_all(relay, frame);
}

void relay_deliver(struct relay *relay, const struct change *change, struct frame *frame)
{
    struct user *user = is_for_tabs_of_one(change) ? router_find(&relay->router, change->user) : NULL;
    if (user)
        deliver_to(relay, user, change, frame);
    else if (!is_for_tabs_of_one(change))
        deliver_at_large(relay, change, frame);
    else if (change->kind == CHANGE_MESSAGE && frame)
        trace_take(relay, change, frame_payload(frame));
}

/* A user among thousands is in no cache, nor its tab: of several they come at the same time. */
static void expect_change(void *owner, struct text id)
{
    struct relay *relay = owner;
    const struct user *user = router_find(&relay->router, id);
    if (user)
        session_expect(user->tabs);
}

static bool take_change(void *owner, const struct change *change)
{
    struct relay *relay = owner;
    struct user *user = is_for_tabs_of_one(change) ? router_find(&relay->router, change->user) : NULL;
    if (!user && is_for_tabs_of_one(change)) {
        trace_take(relay, change, change->body); /* dropped before anything is made of it */
        return false;
    }
    struct frame *frame = message_change(change);
    if (user)
        deliver_to(relay, user, change, frame);
    else
        deliver_at_large(relay, change, frame);
    frame_drop(frame);
    return true;
}

static void take_window(void *owner, const char *cursor)
{
    struct relay *relay = owner;
    relay->router.mid_window = false;
    snprintf(relay->router.cursor, sizeof(relay->router.cursor), "%s", cursor);
    cursor_parse(cursor, strlen(cursor), &relay->router.now);
}

static void take_resync(void *owner, const char *cursor)
{
    struct relay *relay = owner;
    take_window(relay, cursor);
    resolver_forget(&relay->resolver);
    resync_all(relay);
}

static void take_state(void *owner, bool live, const char *why)
{
    struct relay *relay = owner;
    relay->router.live = live;
    if (!live)
        resolver_forget(&relay->resolver); /* until it runs again, nobody says that users have changed */
    snprintf(relay->router.why, sizeof(relay->router.why), "%s", why);
}

struct change_sink relay_sink(struct relay *relay)
{
    return (struct change_sink){take_change, take_window, take_resync, take_state, expect_change, relay};
}
