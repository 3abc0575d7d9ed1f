/* Unread totals; see counts.h. Users come in, `connected` and `unread_count` go out. */
#include "counts.h"

#include <stdlib.h>
#include <utlist.h>

#include "clock.h"
#include "desk.h"
#include "login.h"
#include "memory.h"
#include "message.h"
#include "pg_array.h"
#include "relay.h"

/* The users of one statement, in its order. */
struct batch {
    int count;
    struct {
        char *id;
        bool changed;
    } users[COUNTS_BATCH_MAX];
};

static uint16_t period_now(void)
{
    return (uint16_t)(clock_now_ms() / COUNTS_PERIOD_MS); /* wraps around after an hour: somebody is told 50 ms later */
}

static void move(struct counts *counts, struct user *user, enum count_list list)
{
    if (user->count_list == list)
        return;
    if (user->count_list)
        DL_DELETE2(counts->lists[user->count_list], user, count_prev, count_next);
    if (list)
        DL_APPEND2(counts->lists[list], user, count_prev, count_next);
    user->count_list = list & 0x7fU;
}

void counts_changed(struct counts *counts, struct user *user)
{
    user->count_changed = true;
    move(counts, user, COUNT_LIST_WANTED);
}

/* A statement in flight may see less than the feed has, or more: whom it counts is counted once again. */
void counts_known(struct counts *counts, struct user *user, uint8_t count)
{
    if (counts->in_flight || user->count_list == COUNT_LIST_WANTED) {
        counts_changed(counts, user);
        return;
    }
    user->count = count;
    if (!user->count_list)
        move(counts, user, COUNT_LIST_NOW);
}

void counts_want_login(struct counts *counts, struct user *user)
{
    counts->login_waits = true;
    if (user->count_list == COUNT_LIST_NOW || user->count_list == COUNT_LIST_LATER)
        user->count_changed = true; /* the other tabs have still to be told */
    move(counts, user, COUNT_LIST_WANTED);
}

void counts_forget(struct counts *counts, struct user *user)
{
    move(counts, user, COUNT_LIST_NONE);
}

static void batch_free(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        free(batch->users[i].id);
    free(batch);
}

/* One user's total: `connected` for tabs that log in, `unread_count` for the others. */
static void tell(struct relay *relay, struct user *user, bool changed, int64_t count, uint16_t period)
{
    struct frame *frame = changed ? message_unread_count(count, relay->router.cursor, "") : NULL;
    if (frame)
        frame->passing = true;
    if (changed)
        user->count_period = period;
    struct session *session, *next;
    DL_FOREACH_SAFE2(user->tabs, session, next, tab_next) {
        session_expect(next);
        if (session->state == SESSION_JOINED && session->login->counting)
            login_finish(session, count);
        else if (frame && session->state == SESSION_OPEN)
            session_push_shared(session, frame);
    }
    frame_drop(frame);
}

/* The database did not answer: logins are told so, changes are counted later. */
static void give_up(struct relay *relay, struct user *user, bool changed)
{
    if (changed)
        counts_changed(&relay->counts, user);
    struct session *session, *next;
    DL_FOREACH_SAFE2(user->tabs, session, next, tab_next) {
        if (session->state == SESSION_JOINED && session->login->counting)
            session_end(session, END_UNAVAILABLE); /* the last one takes the user with it */
    }
}

static void counted(struct relay *relay, uint64_t unused, void *context, const struct answer *answer)
{
    (void)unused;
    struct batch *batch = context;
    relay->counts.in_flight = false;
    relay->counts.took_ms = clock_now_ms() - relay->counts.last_ms;
    bool good = answer && !answer_error(answer) && answer_rows(answer) == batch->count;
    uint16_t period = period_now();
    for (int i = 0; i < batch->count; i++) {
        struct user *user = router_find(&relay->router, text_of(batch->users[i].id));
        if (!user)
            continue;
        if (good)
            tell(relay, user, batch->users[i].changed, answer_int(answer, i, 1), period);
        else
            give_up(relay, user, batch->users[i].changed);
    }
    batch_free(batch);
}

static void mark_counting(struct user *user)
{
    struct session *session;
    DL_FOREACH2(user->tabs, session, tab_next) {
        if (session->state == SESSION_JOINED)
            session->login->counting = true;
    }
}

static void send_batch(struct relay *relay)
{
    struct counts *counts = &relay->counts;
    struct batch *batch = memory_new(sizeof(*batch));
    struct pg_array ids = {0};
    batch->count = 0;
    while (counts->lists[COUNT_LIST_WANTED] && batch->count < COUNTS_BATCH_MAX) {
        struct user *user = counts->lists[COUNT_LIST_WANTED];
        counts_forget(counts, user);
        mark_counting(user);
        pg_array_add(&ids, (struct text){user->id, user->id_size});
        batch->users[batch->count].id = memory_copy(user->id, user->id_size);
        batch->users[batch->count].changed = user->count_changed;
        batch->count++;
        user->count_changed = false;
    }
    counts->login_waits = counts->lists[COUNT_LIST_WANTED] && counts->login_waits;
    counts->in_flight = true;
    counts->last_ms = clock_now_ms();
    desk_submit(relay->desk, &(struct desk_query){.statement = DESK_UNREAD_COUNTS,
                                                  .values = {pg_array_end(&ids)},
                                                  .context = batch,
                                                  .done = counted});
    pg_array_free(&ids);
}

static void wake(uv_timer_t *timer)
{
    (void)timer; /* the turn it starts ends with counts_flush() */
}

/* How long after the last statement changed users are counted again. */
static uint64_t period_ms(const struct relay *relay)
{
    uint64_t pause_ms = relay->router.mid_window ? COUNTS_PERIOD_MAX_MS : relay->counts.took_ms * COUNTS_PAUSE;
    if (pause_ms < COUNTS_PERIOD_MS)
        return COUNTS_PERIOD_MS;
    return pause_ms < COUNTS_PERIOD_MAX_MS ? pause_ms : COUNTS_PERIOD_MAX_MS;
}

static void tell_known(struct relay *relay, struct user *user, uint16_t period)
{
    counts_forget(&relay->counts, user);
    tell(relay, user, true, user->count, period);
}

void counts_tell(struct relay *relay)
{
    struct user **lists = relay->counts.lists, *user;
    uint16_t period = period_now();
    while ((user = lists[COUNT_LIST_LATER]) && user->count_period != period)
        tell_known(relay, user, period);
    while ((user = lists[COUNT_LIST_NOW])) {
        if (user->count_period == period)
            move(&relay->counts, user, COUNT_LIST_LATER);
        else
            tell_known(relay, user, period);
    }
}

/* When to be called again, if nothing else happens; 0: no need. */
static uint64_t ask_wait_ms(struct relay *relay)
{
    struct counts *counts = &relay->counts;
    if (!counts->lists[COUNT_LIST_WANTED] || counts->in_flight)
        return 0;
    uint64_t since_ms = clock_now_ms() - counts->last_ms, wait_ms = period_ms(relay);
    if (!counts->login_waits && since_ms < wait_ms)
        return wait_ms - since_ms;
    send_batch(relay);
    return 0;
}

void counts_flush(struct relay *relay)
{
    uint64_t wait_ms = ask_wait_ms(relay);
    if (relay->counts.lists[COUNT_LIST_LATER]) {
        uint64_t period_left_ms = COUNTS_PERIOD_MS - clock_now_ms() % COUNTS_PERIOD_MS;
        if (!wait_ms || period_left_ms < wait_ms)
            wait_ms = period_left_ms;
    }
    if (wait_ms)
        uv_timer_start(relay->counts.timer, wake, wait_ms, 0);
}
