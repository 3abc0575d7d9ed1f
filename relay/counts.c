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

static void want(struct counts *counts, struct user *user)
{
    if (user->count_wanted)
        return;
    user->count_wanted = true;
    DL_APPEND2(counts->wanted, user, count_prev, count_next);
}

void counts_changed(struct counts *counts, struct user *user)
{
    user->count_changed = true;
    want(counts, user);
}

void counts_want_login(struct counts *counts, struct user *user)
{
    counts->login_waits = true;
    want(counts, user);
}

void counts_forget(struct counts *counts, struct user *user)
{
    if (!user->count_wanted)
        return;
    DL_DELETE2(counts->wanted, user, count_prev, count_next);
    user->count_wanted = false;
}

static void batch_free(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        free(batch->users[i].id);
    free(batch);
}

/* One user's total: `connected` for tabs that log in, `unread_count` for the others. */
static void tell(struct relay *relay, struct user *user, bool changed, int64_t count)
{
    struct frame *frame = changed ? message_unread_count(count, relay->router.cursor, "") : NULL;
    if (frame)
        frame->passing = true;
    struct session *session, *next;
    DL_FOREACH_SAFE2(user->tabs, session, next, tab_next) {
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
    for (int i = 0; i < batch->count; i++) {
        struct user *user = router_find(&relay->router, text_of(batch->users[i].id));
        if (!user)
            continue;
        if (good)
            tell(relay, user, batch->users[i].changed, answer_int(answer, i, 1));
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
    while (counts->wanted && batch->count < COUNTS_BATCH_MAX) {
        struct user *user = counts->wanted;
        counts_forget(counts, user);
        mark_counting(user);
        pg_array_add(&ids, (struct text){user->id, user->id_size});
        batch->users[batch->count].id = memory_copy(user->id, user->id_size);
        batch->users[batch->count].changed = user->count_changed;
        batch->count++;
        user->count_changed = false;
    }
    counts->login_waits = counts->wanted && counts->login_waits;
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

void counts_flush(struct relay *relay)
{
    struct counts *counts = &relay->counts;
    if (!counts->wanted || counts->in_flight)
        return;
    uint64_t since_ms = clock_now_ms() - counts->last_ms, wait_ms = period_ms(relay);
    if (counts->login_waits || since_ms >= wait_ms)
        send_batch(relay);
    else
        uv_timer_start(counts->timer, wake, wait_ms - since_ms, 0);
}
