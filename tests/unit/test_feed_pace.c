/* When the feed looks, sleeps and polls: a clock and a few events, no database. */
#include <string.h>

#include "feed_pace.h"
#include "run_suite.h"

static struct feed_pace pace;
static uint64_t now_ms;
static uint64_t wait_ms;

static void start(enum feed_mode mode)
{
    memset(&pace, 0, sizeof(pace));
    now_ms = 100000;
    pace_start(&pace, mode, now_ms);
    pace_key(&pace, true);
}

static enum pace_step next(void)
{
    wait_ms = 0;
    return pace_next(&pace, now_ms, &wait_ms);
}

static void expect(enum pace_step step)
{
    ck_assert_int_eq(next(), step);
}

static void expect_wait(uint64_t ms)
{
    expect(PACE_WAIT);
    ck_assert_uint_eq(wait_ms, ms);
}

static void look(int rows)
{
    pace_looking(&pace, now_ms);
    pace_looked(&pace, now_ms, rows);
}

/* Asleep, with the look done that follows the key. */
static void arm(void)
{
    expect(PACE_ARM);
    pace_arm_answered(&pace, now_ms, true);
    expect(PACE_LOOK);
    look(0);
    expect_wait(PACE_SAFETY_MS);
}

/* Bells at this distance, each answered by a look; stops early when it wants something else. */
static enum pace_step ring(int times, uint64_t gap_ms)
{
    for (int i = 0; i < times; i++) {
        now_ms += gap_ms;
        pace_bell(&pace, now_ms);
        if (next() != PACE_LOOK)
            return next();
        look(1);
        if (next() != PACE_WAIT)
            return next();
    }
    return PACE_WAIT;
}

/* Waits and looks with so many rows each until it wants something else, or for so long. */
static enum pace_step poll(uint64_t for_ms, int rows)
{
    uint64_t until_ms = now_ms + for_ms;
    while (now_ms < until_ms) {
        enum pace_step step = next();
        if (step == PACE_LOOK)
            look(rows);
        else if (step == PACE_WAIT)
            now_ms += wait_ms;
        else
            return step;
    }
    return next();
}

START_TEST(a_relay_that_starts_goes_to_sleep)
{
    start(_i ? FEED_NOTIFY : FEED_ADAPTIVE);
    arm();
}
END_TEST

START_TEST(asleep_a_bell_wakes_it_and_otherwise_it_looks_every_second)
{
    start(FEED_ADAPTIVE);
    arm();
    now_ms += PACE_SAFETY_MS - 1;
    expect_wait(1);
    now_ms += 1;
    expect(PACE_LOOK);
    look(0);
    now_ms += 10;
    pace_bell(&pace, now_ms);
    expect(PACE_LOOK);
    look(1);
    expect_wait(PACE_SAFETY_MS);
}
END_TEST

START_TEST(a_bell_during_a_look_wants_another)
{
    start(FEED_ADAPTIVE);
    arm();
    pace_bell(&pace, now_ms);
    pace_looking(&pace, now_ms);
    pace_bell(&pace, now_ms);
    pace_looked(&pace, now_ms, 1);
    expect(PACE_LOOK);
    look(1);
    expect(PACE_CHECK); /* two bells soon after one another */
}
END_TEST

START_TEST(a_single_bell_now_and_then_asks_nothing_more)
{
    start(FEED_ADAPTIVE);
    arm();
    ck_assert_int_eq(ring(20, PACE_BUSY_MS), PACE_WAIT);
}
END_TEST

START_TEST(bells_in_a_row_ask_who_waits_but_not_too_often)
{
    start(FEED_ADAPTIVE);
    arm();
    ck_assert_int_eq(ring(1, 10), PACE_WAIT);
    ck_assert_int_eq(ring(1, 10), PACE_CHECK);
    pace_checked(&pace, now_ms, false);
    ck_assert_int_eq(ring(PACE_CHECK_MS / 10 - 1, 10), PACE_WAIT);
    ck_assert_int_eq(ring(1, 10), PACE_CHECK);
}
END_TEST

START_TEST(somebody_who_waits_makes_it_poll)
{
    start(FEED_ADAPTIVE);
    arm();
    ring(2, 10);
    expect(PACE_CHECK);
    pace_checked(&pace, now_ms, true);
    expect(PACE_DISARM);
    pace_disarmed(&pace, now_ms);
    expect(PACE_LOOK); /* at once: writers are silent from now on */
    look(5);
    expect_wait(PACE_PAUSE_FIRST_MS);
}
END_TEST

START_TEST(more_bells_than_a_window_may_have_make_it_poll)
{
    start(FEED_ADAPTIVE);
    arm();
    pace.checked_at_ms = now_ms;
    for (int i = 0; i < PACE_BELLS_MAX; i++)
        pace_bell(&pace, now_ms + 1);
    now_ms += 1;
    ck_assert_int_ne(next(), PACE_DISARM);
    pace_bell(&pace, now_ms);
    expect(PACE_DISARM);
}
END_TEST

START_TEST(as_many_bells_over_two_windows_do_not)
{
    start(FEED_ADAPTIVE);
    arm();
    for (int window = 0; window < 3; window++) {
        now_ms += PACE_WINDOW_MS;
        for (int i = 0; i < PACE_BELLS_MAX; i++)
            pace_bell(&pace, now_ms);
        ck_assert_int_ne(next(), PACE_DISARM);
    }
}
END_TEST

START_TEST(notify_never_polls_and_never_asks_who_waits)
{
    start(FEED_NOTIFY);
    arm();
    ck_assert_int_eq(ring(1000, 0), PACE_WAIT);
    ck_assert_int_eq(ring(1000, 1), PACE_WAIT);
}
END_TEST

START_TEST(poll_never_sleeps)
{
    start(FEED_POLL);
    ck_assert_int_ne(poll(5000, 0), PACE_ARM);
}
END_TEST

START_TEST(without_a_key_it_polls)
{
    start(_i ? FEED_NOTIFY : FEED_ADAPTIVE);
    pace_key(&pace, false);
    ck_assert_int_ne(poll(5000, 0), PACE_ARM);
    pace_key(&pace, true);
    expect(PACE_ARM);
}
END_TEST

static void crowd_out(void)
{
    pace_bell(&pace, now_ms);
    pace_checked(&pace, now_ms, true);
    expect(PACE_DISARM);
    pace_disarmed(&pace, now_ms);
}

START_TEST(polling_it_sleeps_again_after_a_window_with_few_rows)
{
    start(FEED_ADAPTIVE);
    arm();
    now_ms += PACE_SLEEP_SHORT_MS;
    crowd_out();
    uint64_t began_ms = now_ms;
    ck_assert_int_eq(poll(1000, 0), PACE_ARM);
    ck_assert_uint_ge(now_ms - began_ms, PACE_WINDOW_MS);
    ck_assert_uint_le(now_ms - began_ms, PACE_WINDOW_MS + PACE_PAUSE_LAST_MS);
}
END_TEST

START_TEST(polling_goes_on_while_rows_come)
{
    start(FEED_ADAPTIVE);
    arm();
    crowd_out();
    ck_assert_int_ne(poll(10000, 2), PACE_ARM); /* about 1000 a second */
    ck_assert_int_eq(poll(4000, 0), PACE_ARM);
}
END_TEST

START_TEST(short_sleeps_make_it_poll_longer_each_time_up_to_a_bound)
{
    start(FEED_ADAPTIVE);
    arm();
    uint64_t last_ms = 0;
    for (int i = 0; i < 12; i++) {
        now_ms += 10; /* a sleep that is not worth it */
        crowd_out();
        uint64_t began_ms = now_ms;
        ck_assert_int_eq(poll(10000, 0), PACE_ARM);
        ck_assert_uint_ge(now_ms - began_ms, last_ms);
        last_ms = now_ms - began_ms;
        pace_arm_answered(&pace, now_ms, true);
        look(0);
    }
    ck_assert_uint_ge(last_ms, PACE_HOLD_LAST_MS);
    ck_assert_uint_le(last_ms, PACE_HOLD_LAST_MS + PACE_WINDOW_MS + PACE_PAUSE_LAST_MS);
    now_ms += PACE_SLEEP_SHORT_MS; /* a long sleep forgets it */
    crowd_out();
    ck_assert_uint_eq(pace.hold_ms, PACE_HOLD_FIRST_MS);
}
END_TEST

START_TEST(a_refused_key_is_tried_again_after_each_look_ever_more_slowly)
{
    start(_i ? FEED_NOTIFY : FEED_ADAPTIVE);
    int tries = 0;
    uint64_t until_ms = now_ms + 10000;
    while (now_ms < until_ms) {
        enum pace_step step = next();
        if (step == PACE_ARM) {
            tries++;
            pace_arm_answered(&pace, now_ms, false);
            ck_assert_int_ne(next(), PACE_ARM);
        } else if (step == PACE_LOOK) {
            look(0);
        } else {
            ck_assert_int_eq(step, PACE_WAIT);
            ck_assert_uint_le(wait_ms, PACE_PAUSE_REFUSED_MS);
            now_ms += wait_ms;
        }
    }
    ck_assert_int_ge(tries, 500);
    ck_assert_int_le(tries, 550);
    ck_assert_int_eq(poll(100, 0), PACE_ARM);
    arm();
}
END_TEST

START_TEST(long_looks_are_followed_by_pauses_as_long_up_to_a_bound)
{
    static const struct {
        uint64_t took_ms, pause_ms;
    } looks[] = {{0, 1}, {1, 1}, {5, 5}, {20, 20}, {300, 20}};
    for (int i = 0; i < LENGTH(looks); i++) {
        start(FEED_POLL);
        pace_looking(&pace, now_ms);
        now_ms += looks[i].took_ms;
        pace_looked(&pace, now_ms, 100);
        expect_wait(looks[i].pause_ms);
    }
}
END_TEST

START_TEST(rows_that_no_bell_announced_are_counted)
{
    start(FEED_ADAPTIVE);
    arm();
    now_ms += PACE_SAFETY_MS;
    look(1);
    ck_assert_uint_eq(pace.missed_bells, 0); /* it may still come */
    now_ms += PACE_SAFETY_MS;
    look(0);
    ck_assert_uint_eq(pace.missed_bells, 1);
    now_ms += PACE_SAFETY_MS;
    look(0);
    ck_assert_uint_eq(pace.missed_bells, 1);
}
END_TEST

START_TEST(a_bell_that_comes_right_after_or_during_the_safety_look_is_not_missed)
{
    start(FEED_ADAPTIVE);
    arm();
    now_ms += PACE_SAFETY_MS;
    pace_looking(&pace, now_ms);
    if (_i)
        pace_bell(&pace, now_ms);
    pace_looked(&pace, now_ms, 1);
    if (!_i)
        pace_bell(&pace, now_ms);
    look(0);
    now_ms += PACE_SAFETY_MS;
    look(0);
    ck_assert_uint_eq(pace.missed_bells, 0);
}
END_TEST

START_TEST(a_new_connection_starts_over)
{
    start(FEED_ADAPTIVE);
    arm();
    pace.missed_bells = 7;
    pace_start(&pace, FEED_ADAPTIVE, now_ms);
    ck_assert(!pace.armed);
    ck_assert(!pace.has_key);
    ck_assert_uint_eq(pace.missed_bells, 7);
    expect(PACE_LOOK);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("feed_pace");
    tcase_add_loop_test(tcase, a_relay_that_starts_goes_to_sleep, 0, 2);
    tcase_add_test(tcase, asleep_a_bell_wakes_it_and_otherwise_it_looks_every_second);
    tcase_add_test(tcase, a_bell_during_a_look_wants_another);
    tcase_add_test(tcase, a_single_bell_now_and_then_asks_nothing_more);
    tcase_add_test(tcase, bells_in_a_row_ask_who_waits_but_not_too_often);
    tcase_add_test(tcase, somebody_who_waits_makes_it_poll);
    tcase_add_test(tcase, more_bells_than_a_window_may_have_make_it_poll);
    tcase_add_test(tcase, as_many_bells_over_two_windows_do_not);
    tcase_add_test(tcase, notify_never_polls_and_never_asks_who_waits);
    tcase_add_test(tcase, poll_never_sleeps);
    tcase_add_loop_test(tcase, without_a_key_it_polls, 0, 2);
    tcase_add_test(tcase, polling_it_sleeps_again_after_a_window_with_few_rows);
    tcase_add_test(tcase, polling_goes_on_while_rows_come);
    tcase_add_test(tcase, short_sleeps_make_it_poll_longer_each_time_up_to_a_bound);
    tcase_add_loop_test(tcase, a_refused_key_is_tried_again_after_each_look_ever_more_slowly, 0, 2);
    tcase_add_test(tcase, long_looks_are_followed_by_pauses_as_long_up_to_a_bound);
    tcase_add_test(tcase, rows_that_no_bell_announced_are_counted);
    tcase_add_loop_test(tcase, a_bell_that_comes_right_after_or_during_the_safety_look_is_not_missed, 0, 2);
    tcase_add_test(tcase, a_new_connection_starts_over);
    return run_suite("feed_pace", tcase);
}
