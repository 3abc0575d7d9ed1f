/* The feed's rhythm; see feed_pace.h. */
#include "feed_pace.h"

void pace_start(struct feed_pace *pace, enum feed_mode mode, uint64_t now_ms)
{
    *pace = (struct feed_pace){
        .mode = mode,
        .look_at_ms = now_ms,
        .pause_ms = PACE_PAUSE_FIRST_MS,
        .window_ms = now_ms,
        .hold_ms = PACE_HOLD_FIRST_MS,
        .calm = true, /* until rows say otherwise: a relay that starts may sleep at once */
        .missed_bells = pace->missed_bells,
    };
}

void pace_key(struct feed_pace *pace, bool has_key)
{
    pace->has_key = has_key;
}

/* ---- what next ---- */

static enum pace_step wait_until(uint64_t at_ms, uint64_t now_ms, uint64_t *wait_ms)
{
    *wait_ms = at_ms - now_ms;
    return PACE_WAIT;
}

static enum pace_step next_armed(const struct feed_pace *pace, uint64_t now_ms, uint64_t *wait_ms)
{
    if (pace->mode == FEED_ADAPTIVE && pace->crowded)
        return PACE_DISARM;
    if (pace->rung || now_ms >= pace->look_at_ms)
        return PACE_LOOK;
    if (pace->mode == FEED_ADAPTIVE && pace->busy && now_ms - pace->checked_at_ms >= PACE_CHECK_MS)
        return PACE_CHECK;
    return wait_until(pace->look_at_ms, now_ms, wait_ms);
}

/* One attempt a look: only a silent writer that has ended makes another one worth it. */
static bool may_arm(const struct feed_pace *pace, uint64_t now_ms)
{
    if (!pace->has_key || pace->tried || pace->mode == FEED_POLL)
        return false;
    return pace->mode == FEED_NOTIFY || (pace->calm && now_ms - pace->disarmed_at_ms >= pace->hold_ms);
}

enum pace_step pace_next(const struct feed_pace *pace, uint64_t now_ms, uint64_t *wait_ms)
{
    if (pace->armed)
        return next_armed(pace, now_ms, wait_ms);
    if (may_arm(pace, now_ms))
        return PACE_ARM;
    if (now_ms >= pace->look_at_ms)
        return PACE_LOOK;
    return wait_until(pace->look_at_ms, now_ms, wait_ms);
}

/* ---- what was ---- */

static void begin_window(struct feed_pace *pace, uint64_t now_ms)
{
    pace->window_ms = now_ms;
    pace->window_count = 0;
}

void pace_bell(struct feed_pace *pace, uint64_t now_ms)
{
    pace->unannounced = false;
    if (!pace->armed)
        return; /* for another relay; this one looks soon anyway */
    if (now_ms - pace->window_ms >= PACE_WINDOW_MS)
        begin_window(pace, now_ms);
    pace->crowded = pace->crowded || ++pace->window_count > PACE_BELLS_MAX;
    pace->busy = pace->busy || now_ms - pace->bell_at_ms < PACE_BUSY_MS;
    pace->bell_at_ms = now_ms;
    pace->rung = true;
}

void pace_looking(struct feed_pace *pace, uint64_t now_ms)
{
    pace->safety = pace->armed && !pace->rung;
    if (pace->safety && pace->unannounced)
        pace->missed_bells++;
    if (pace->safety)
        pace->unannounced = false;
    pace->rung = pace->tried = false;
    pace->looking_ms = now_ms;
}

static void count_rows(struct feed_pace *pace, uint64_t now_ms, int rows)
{
    pace->window_count += rows;
    if (pace->window_count > PACE_ROWS_FEW)
        pace->calm = false;
    if (now_ms - pace->window_ms < PACE_WINDOW_MS)
        return;
    pace->calm = pace->window_count <= PACE_ROWS_FEW;
    begin_window(pace, now_ms);
}

/* Looks take half of the database's time at most, but for the last few milliseconds of a long one. */
static uint64_t pause_ms(const struct feed_pace *pace, uint64_t now_ms)
{
    uint64_t took_ms = now_ms - pace->looking_ms;
    if (took_ms > PACE_PAUSE_REFUSED_MS)
        took_ms = PACE_PAUSE_REFUSED_MS;
    return took_ms > pace->pause_ms ? took_ms : pace->pause_ms;
}

void pace_looked(struct feed_pace *pace, uint64_t now_ms, int rows)
{
    if (pace->armed) {
        pace->unannounced = pace->safety && rows > 0 && !pace->rung;
        pace->look_at_ms = now_ms + PACE_SAFETY_MS;
        return;
    }
    uint64_t longest_ms = pace->refused ? PACE_PAUSE_REFUSED_MS : PACE_PAUSE_LAST_MS;
    if (rows)
        pace->pause_ms = PACE_PAUSE_FIRST_MS;
    else if (pace->pause_ms < longest_ms)
        pace->pause_ms++;
    count_rows(pace, now_ms, rows);
    pace->look_at_ms = now_ms + pause_ms(pace, now_ms);
}

void pace_arm_answered(struct feed_pace *pace, uint64_t now_ms, bool granted)
{
    pace->tried = true;
    pace->refused = !granted;
    if (!granted)
        return;
    /* Every writer that did not ring is visible now, and everyone later will ring: one look, then sleep. */
    pace->armed = pace->rung = true;
    pace->crowded = pace->busy = false;
    pace->armed_at_ms = now_ms;
    begin_window(pace, now_ms);
}

void pace_disarmed(struct feed_pace *pace, uint64_t now_ms)
{
    if (now_ms - pace->armed_at_ms >= PACE_SLEEP_SHORT_MS)
        pace->hold_ms = PACE_HOLD_FIRST_MS;
    else if (pace->hold_ms < PACE_HOLD_LAST_MS)
        pace->hold_ms *= 2;
    pace->armed = pace->crowded = pace->calm = false;
    pace->disarmed_at_ms = pace->look_at_ms = now_ms;
    pace->pause_ms = PACE_PAUSE_FIRST_MS;
    begin_window(pace, now_ms);
}

void pace_checked(struct feed_pace *pace, uint64_t now_ms, bool waiters)
{
    pace->checked_at_ms = now_ms;
    pace->busy = false;
    pace->crowded = pace->crowded || waiters;
}
