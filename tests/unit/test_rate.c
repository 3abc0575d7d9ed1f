/* The token bucket: at, below and above the rate, and over the wrap of its short clock. */
#include "rate.h"
#include "run_suite.h"

enum { PER_S = 20, BURST = 40 };

static const struct rate_limit limit = {PER_S, BURST};

static struct rate rate;
static int64_t wait_ms;

/* How many of count events pass at this time. */
static int pass(uint64_t now_ms, int count)
{
    int passed = 0;
    for (int i = 0; i < count; i++)
        passed += rate_take(&rate, now_ms, limit, &wait_ms);
    return passed;
}

/* Sends one event each period for a minute; returns how many were refused. */
static int refused_at(uint64_t start_ms, uint64_t period_ms)
{
    int refused = 0;
    rate_start(&rate, start_ms, limit);
    for (uint64_t at = 0; at < 60000; at += period_ms)
        refused += !rate_take(&rate, start_ms + at, limit, &wait_ms);
    return refused;
}

/* The wrap of the 32-bit milliseconds is in the middle of the last two. */
static const uint64_t starts_ms[] = {0, 1, 123456789, UINT32_MAX - 30000ULL, ((uint64_t)7 << 32) - 30000};

START_TEST(a_burst_passes_and_one_more_does_not)
{
    rate_start(&rate, starts_ms[_i], limit);
    ck_assert_int_eq(pass(starts_ms[_i], BURST), BURST);
    ck_assert_int_eq(pass(starts_ms[_i], 1), 0);
}
END_TEST

START_TEST(at_the_rate_or_below_nothing_is_refused)
{
    ck_assert_int_eq(refused_at(starts_ms[_i], 1000 / PER_S), 0);
    ck_assert_int_eq(refused_at(starts_ms[_i], 1000 / PER_S + 1), 0);
    ck_assert_int_eq(refused_at(starts_ms[_i], 1000), 0);
}
END_TEST

START_TEST(above_the_rate_what_is_too_much_is_refused_once_the_burst_is_used_up)
{
    /* 100 a second for 60 s: 6000 asked, 60 · 20 + 40 pass, give or take the last one. */
    int refused = refused_at(starts_ms[_i], 10);
    ck_assert_int_ge(refused, 6000 - (60 * PER_S + BURST) - 1);
    ck_assert_int_le(refused, 6000 - (60 * PER_S + BURST) + 1);
}
END_TEST

START_TEST(the_wait_that_is_told_is_enough_and_no_longer_than_needed)
{
    uint64_t now = starts_ms[_i];
    rate_start(&rate, now, limit);
    pass(now, BURST);
    ck_assert_int_eq(pass(now, 1), 0);
    ck_assert_int_eq(wait_ms, 1000 / PER_S);
    ck_assert_int_eq(pass(now + 49, 1), 0);
    ck_assert_int_eq(wait_ms, 1);
    ck_assert_int_eq(pass(now + 50, 1), 1);
    ck_assert_int_eq(pass(now + 50, 1), 0);
}
END_TEST

START_TEST(a_wait_is_rounded_up_to_whole_milliseconds)
{
    static const struct rate_limit slow = {3, 1};
    struct rate odd;
    rate_start(&odd, 0, slow);
    ck_assert(rate_take(&odd, 0, slow, &wait_ms));
    ck_assert(!rate_take(&odd, 0, slow, &wait_ms));
    ck_assert_int_eq(wait_ms, 334);
    ck_assert(!rate_take(&odd, 333, slow, &wait_ms));
    ck_assert(rate_take(&odd, 334, slow, &wait_ms));
}
END_TEST

START_TEST(a_refusal_costs_nothing)
{
    rate_start(&rate, 0, limit);
    pass(0, BURST);
    ck_assert_int_eq(pass(0, 1000), 0);
    ck_assert_int_eq(pass(500, BURST), PER_S / 2);
}
END_TEST

START_TEST(a_long_silence_fills_it_to_the_burst_and_no_further)
{
    uint64_t now = starts_ms[_i];
    rate_start(&rate, now, limit);
    pass(now, BURST);
    ck_assert_int_eq(pass(now + 3600 * 1000, 10 * BURST), BURST);
}
END_TEST

START_TEST(the_highest_rates_do_not_overflow)
{
    enum { HIGHEST = 1000000 };
    static const struct rate_limit highest = {HIGHEST, HIGHEST};
    struct rate high;
    int passed = 0;
    rate_start(&high, 0, highest);
    for (int i = 0; i <= HIGHEST; i++)
        passed += rate_take(&high, 0, highest, &wait_ms);
    ck_assert_int_eq(passed, HIGHEST);
    ck_assert_int_eq(wait_ms, 1);
    passed = 0;
    for (int i = 0; i <= HIGHEST; i++)
        passed += rate_take(&high, UINT32_MAX, highest, &wait_ms);
    ck_assert_int_eq(passed, HIGHEST);
}
END_TEST

START_TEST(asking_takes_nothing)
{
    rate_start(&rate, starts_ms[_i], limit);
    for (int i = 0; i < 10 * BURST; i++)
        ck_assert_int_eq(rate_wait_ms(&rate, starts_ms[_i], limit), 0);
    ck_assert_int_eq(pass(starts_ms[_i], BURST + 1), BURST);
    for (int i = 0; i < 10 * BURST; i++)
        ck_assert_int_eq(rate_wait_ms(&rate, starts_ms[_i], limit), 1000 / PER_S);
    ck_assert_int_eq(rate_wait_ms(&rate, starts_ms[_i] + 49, limit), 1);
    ck_assert_int_eq(rate_wait_ms(&rate, starts_ms[_i] + 50, limit), 0);
}
END_TEST

START_TEST(it_is_full_until_something_is_taken_and_again_once_that_has_come_back)
{
    rate_start(&rate, starts_ms[_i], limit);
    ck_assert(rate_is_full(&rate, starts_ms[_i], limit));
    pass(starts_ms[_i], 2);
    ck_assert(!rate_is_full(&rate, starts_ms[_i] + 99, limit));
    ck_assert(rate_is_full(&rate, starts_ms[_i] + 100, limit));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("rate");
    int starts = LENGTH(starts_ms);
    tcase_add_loop_test(tcase, a_burst_passes_and_one_more_does_not, 0, starts);
    tcase_add_loop_test(tcase, at_the_rate_or_below_nothing_is_refused, 0, starts);
    tcase_add_loop_test(tcase, above_the_rate_what_is_too_much_is_refused_once_the_burst_is_used_up, 0,
                        starts);
    tcase_add_loop_test(tcase, the_wait_that_is_told_is_enough_and_no_longer_than_needed, 0, starts);
    tcase_add_test(tcase, a_wait_is_rounded_up_to_whole_milliseconds);
    tcase_add_test(tcase, a_refusal_costs_nothing);
    tcase_add_loop_test(tcase, a_long_silence_fills_it_to_the_burst_and_no_further, 0, starts);
    tcase_add_test(tcase, the_highest_rates_do_not_overflow);
    tcase_add_loop_test(tcase, asking_takes_nothing, 0, starts);
    tcase_add_loop_test(tcase, it_is_full_until_something_is_taken_and_again_once_that_has_come_back, 0, starts);
    return run_suite("rate", tcase);
}
