/* Rates of users without tabs: who is remembered, for how long, and how many. */
#include "user_rates.h"
#include "run_suite.h"

#include <stdio.h>

static const struct rate_limit limit = {.per_s = 1, .burst = 2};
static struct user_rates rates;

static struct user_rate *enter(const char *id, uint64_t now_ms)
{
    return user_rates_enter(&rates, text_of(id), now_ms, limit);
}

static bool take(struct user_rate *user, uint64_t now_ms)
{
    int64_t wait_ms;
    return rate_take(&user->rate, now_ms, limit, &wait_ms);
}

START_TEST(a_user_is_the_same_at_the_next_request)
{
    struct user_rate *user = enter("alice", 0);
    ck_assert(take(user, 0) && take(user, 0) && !take(user, 0));
    user_rates_leave(user);
    ck_assert(!take(enter("alice", 0), 0));
    ck_assert(take(enter("bob", 0), 0));
    user_rates_free(&rates);
}
END_TEST

START_TEST(requests_under_way_are_counted)
{
    ck_assert_int_eq(enter("alice", 0)->under_way, 1);
    struct user_rate *user = enter("alice", 0);
    ck_assert_int_eq(user->under_way, 2);
    user_rates_leave(user);
    ck_assert_int_eq(user->under_way, 1);
    ck_assert_int_eq(enter("alic", 0)->under_way, 1);
    user_rates_free(&rates);
}
END_TEST

START_TEST(a_user_is_forgotten_when_its_rate_is_full_again_and_no_request_is_under_way)
{
    struct user_rate *user = enter("alice", 0);
    take(user, 0);
    user_rates_sweep(&rates, 5000, limit);
    ck_assert_uint_eq(HASH_COUNT(rates.users), 1);
    user_rates_leave(user);
    user_rates_sweep(&rates, 999, limit);
    ck_assert_uint_eq(HASH_COUNT(rates.users), 1);
    user_rates_sweep(&rates, 1000, limit);
    ck_assert_uint_eq(HASH_COUNT(rates.users), 0);
}
END_TEST

START_TEST(of_too_many_the_one_that_asked_longest_ago_goes)
{
    char id[16];
    struct user_rate *busy = enter("busy", 0);
    for (int i = 0; i < USER_RATES_MAX - 1; i++) {
        snprintf(id, sizeof(id), "%d", i);
        struct user_rate *user = enter(id, 0);
        take(user, 0);
        user_rates_leave(user);
    }
    user_rates_leave(enter("0", 0)); /* asks again */
    ck_assert_uint_eq(HASH_COUNT(rates.users), USER_RATES_MAX);
    user_rates_leave(enter("new", 0));
    ck_assert_uint_eq(HASH_COUNT(rates.users), USER_RATES_MAX);
    ck_assert_int_eq(enter("busy", 0)->under_way, 2);
    ck_assert_ptr_eq(enter("busy", 0), busy);
    take(enter("0", 0), 0);
    ck_assert(!take(enter("0", 0), 0));            /* it was kept */
    ck_assert(take(enter("1", 0), 0) && take(enter("1", 0), 0)); /* it begins anew */
    user_rates_free(&rates);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("user_rates");
    tcase_add_test(cases, a_user_is_the_same_at_the_next_request);
    tcase_add_test(cases, requests_under_way_are_counted);
    tcase_add_test(cases, a_user_is_forgotten_when_its_rate_is_full_again_and_no_request_is_under_way);
    tcase_add_test(cases, of_too_many_the_one_that_asked_longest_ago_goes);
    return run_suite("user_rates", cases);
}
