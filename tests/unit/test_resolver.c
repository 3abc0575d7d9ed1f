/* The resolver: one statement a turn, each claims once, answers to whoever asked; what is remembered, how long and
 * what makes it forget; and no claims that pull others down. */
#include "fake_relay.h"
#include "run_suite.h"

#include <stdio.h>

enum { ASKERS = 1200 };

static struct {
    int answers;
    enum resolver_result result;
    char user_id[64];
} told[ASKERS];

static int context;

static void note(struct relay *relay, uint64_t asker, void *given, enum resolver_result result, struct text user_id)
{
    ck_assert_ptr_eq(relay, &fake_relay);
    ck_assert_ptr_eq(given, &context);
    told[asker].answers++;
    told[asker].result = result;
    snprintf(told[asker].user_id, sizeof(told[asker].user_id), "%.*s", (int)user_id.size,
             user_id.size ? user_id.bytes : "");
}

static void start(void)
{
    fake_relay_start();
    fake_relay.router.live = true;
    memset(told, 0, sizeof(told));
}

static void want(uint64_t asker, const char *claims)
{
    resolver_want(&fake_relay.resolver, claims, asker, &context, note);
}

/* Claims n, unlike those of any other number; their user is u-n. */
static void want_number(uint64_t asker, int n)
{
    char claims[32];
    snprintf(claims, sizeof(claims), "{\"sub\":%d}", n);
    want(asker, claims);
}

static void expect_told(uint64_t asker, enum resolver_result result, const char *user_id)
{
    ck_assert_msg(told[asker].answers == 1, "asker %llu has %d answers", (unsigned long long)asker,
                  told[asker].answers);
    ck_assert_int_eq(told[asker].result, result);
    ck_assert_str_eq(told[asker].user_id, user_id);
    told[asker].answers = 0;
}

static void expect_untold(uint64_t asker)
{
    ck_assert_int_eq(told[asker].answers, 0);
}

/* Nobody: NULL. */
static void answer_one(const char *user_id)
{
    expect_query(DESK_RESOLVE_USERS);
    answer_next(&(struct answer){.rows = 1, .cells = {{user_id}}});
}

START_TEST(questions_of_one_turn_share_a_statement_in_which_each_claims_come_once)
{
    want(1, "{\"sub\":\"a\"}");
    want(2, "{\"sub\":\"b\\\\\"}");
    want(3, "{\"sub\":\"a\"}");
    expect_untold(1); /* never from within */
    end_turn();
    ck_assert_int_eq(fake_desk.count, 1);
    ck_assert_str_eq(expect_query(DESK_RESOLVE_USERS)->values[0],
                     "{\"{\\\"sub\\\":\\\"a\\\"}\",\"{\\\"sub\\\":\\\"b\\\\\\\\\\\"}\"}");
    answer_next(&(struct answer){.rows = 2, .cells = {{"u-a"}, {NULL}}});
    expect_told(1, RESOLVER_FOUND, "u-a");
    expect_told(2, RESOLVER_NOBODY, "");
    expect_told(3, RESOLVER_FOUND, "u-a");
}
END_TEST

START_TEST(what_is_asked_while_a_statement_is_out_waits_for_the_next)
{
    want(1, "{\"sub\":\"a\"}");
    end_turn();
    want(2, "{\"sub\":\"b\"}");
    want(3, "{\"sub\":\"a\"}");
    end_turn();
    ck_assert_int_eq(fake_desk.count, 1);
    answer_one("u-a");
    expect_told(1, RESOLVER_FOUND, "u-a");
    end_turn();
    expect_told(3, RESOLVER_FOUND, "u-a"); /* known by now */
    ck_assert_str_eq(expect_query(DESK_RESOLVE_USERS)->values[0], "{\"{\\\"sub\\\":\\\"b\\\"}\"}");
    answer_one("u-b");
    expect_told(2, RESOLVER_FOUND, "u-b");
}
END_TEST

static void learn(const char *claims, const char *user_id)
{
    want(0, claims);
    end_turn();
    answer_one(user_id);
    told[0].answers = 0;
}

/* Whether the same claims are answered without the database. */
static bool knows(const char *claims)
{
    want(1, claims);
    end_turn();
    bool known = fake_desk.count == 0;
    if (!known)
        answer_next(NULL);
    ck_assert_int_eq(told[1].answers, 1);
    told[1].answers = 0;
    return known;
}

START_TEST(a_user_that_was_found_is_known_for_five_seconds_and_no_longer)
{
    learn("{\"sub\":\"a\"}", "u-a");
    advance_ms(RESOLVER_KNOWN_MS - 1);
    want(1, "{\"sub\":\"a\"}");
    end_turn();
    expect_told(1, RESOLVER_FOUND, "u-a");
    ck_assert(!knows("{\"sub\":\"a\" }")); /* any other byte is another question */
    advance_ms(1);
    ck_assert(!knows("{\"sub\":\"a\"}"));
    ck_assert_uint_eq(fake_relay.resolver.known_bytes, 0);
}
END_TEST

START_TEST(that_there_is_no_user_is_not_remembered)
{
    learn("{\"sub\":\"a\"}", NULL);
    ck_assert(!knows("{\"sub\":\"a\"}"));
}
END_TEST

START_TEST(nothing_is_remembered_while_nobody_would_say_that_users_have_changed)
{
    fake_relay.router.live = false;
    learn("{\"sub\":\"a\"}", "u-a");
    ck_assert(!knows("{\"sub\":\"a\"}"));
}
END_TEST

static void tell_disconnect(struct change_sink sink, const char *user)
{
    sink.change(sink.owner, &(struct change){.kind = CHANGE_DISCONNECT, .user = text_of(user)});
}

static void tell_that_users_changed(int how)
{
    struct change_sink sink = relay_sink(&fake_relay);
    if (how == 0)
        tell_disconnect(sink, "(nobody)");
    else if (how == 1)
        tell_disconnect(sink, "u-a");
    else if (how == 2)
        sink.resync(sink.owner, FAKE_CURSOR);
    else
        sink.state(sink.owner, false, "gone");
}

START_TEST(a_change_of_users_a_disconnect_another_history_and_a_lost_feed_make_it_forget)
{
    learn("{\"sub\":\"a\"}", "u-a");
    tell_that_users_changed(_i);
    ck_assert(!knows("{\"sub\":\"a\"}"));
}
END_TEST

START_TEST(an_answer_that_may_be_older_than_the_change_is_asked_for_again)
{
    want(1, "{\"sub\":\"a\"}");
    end_turn();
    tell_that_users_changed(_i);
    want(2, "{\"sub\":\"a\"}");
    answer_one("u-a");
    expect_untold(1);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 1);
    answer_one(NULL);
    expect_told(1, RESOLVER_NOBODY, "");
    expect_told(2, RESOLVER_NOBODY, "");
}
END_TEST

/* The claims in a statement. */
static int count_claims(const char *array)
{
    int count = 0;
    for (const char *at = array; (at = strstr(at, "\"{")); at++)
        count++;
    return count;
}

/* Answers as the database would: a statement with the bad claims fails as a whole. */
static void answer_all_but(int bad)
{
    char marker[32];
    snprintf(marker, sizeof(marker), ":%d}", bad);
    struct answer good = {.rows = count_claims(fake_desk.queries[0].values[0])};
    bool raises = strstr(fake_desk.queries[0].values[0], marker) != NULL;
    for (int row = 0; row < good.rows && row < FAKE_ROWS; row++)
        good.cells[row][0] = "u";
    answer_next(raises ? &(struct answer){.error = "P0001"} : &good);
}

enum { SOME = 40, BAD = 17 };

START_TEST(claims_that_raise_an_error_refuse_nobody_else)
{
    int statements = 0;
    for (int i = 0; i < SOME; i++)
        want_number((uint64_t)i, i);
    for (end_turn(); fake_desk.count; end_turn(), statements++)
        answer_all_but(BAD);
    for (int i = 0; i < SOME; i++)
        expect_told((uint64_t)i, i == BAD ? RESOLVER_UNAVAILABLE : RESOLVER_FOUND, i == BAD ? "" : "u");
    ck_assert_int_le(statements, 1 + 8 + 5); /* not one for each */
}
END_TEST

START_TEST(a_database_that_does_not_answer_is_reported_to_all_who_wait)
{
    want(1, "{\"sub\":\"a\"}");
    end_turn();
    want(2, "{\"sub\":\"b\"}");
    answer_next(NULL);
    expect_told(1, RESOLVER_UNAVAILABLE, "");
    expect_told(2, RESOLVER_UNAVAILABLE, "");
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(a_statement_has_at_most_so_many_claims)
{
    for (int i = 0; i <= RESOLVER_BATCH_MAX; i++)
        want_number((uint64_t)i, i);
    end_turn();
    ck_assert_int_eq(count_claims(expect_query(DESK_RESOLVE_USERS)->values[0]), RESOLVER_BATCH_MAX);
}
END_TEST

/* Claims of exactly so many bytes. */
static void want_sized(uint64_t asker, size_t size, char filler)
{
    char *claims = memory_new(size + 1);
    memset(claims, filler, size);
    claims[size] = '\0';
    want(asker, claims);
    free(claims);
}

static const struct {
    size_t second;
    bool fits;
} sizes[] = {{RESOLVER_BATCH_BYTES - 1000, true}, {RESOLVER_BATCH_BYTES - 999, false}};

START_TEST(a_statement_has_at_most_so_many_bytes)
{
    want_sized(1, 1000, 'a');
    want_sized(2, sizes[_i].second, 'b');
    end_turn();
    ck_assert_int_eq(strchr(expect_query(DESK_RESOLVE_USERS)->values[0], 'b') != NULL, sizes[_i].fits);
}
END_TEST

START_TEST(what_is_remembered_is_bounded_and_the_oldest_goes_first)
{
    struct resolver *resolver = &fake_relay.resolver;
    learn("{\"sub\":\"first\"}", "u");
    for (char filler = 'a'; resolver->known_bytes < RESOLVER_KNOWN_BYTES - 200000; filler++) {
        want_sized(0, 190000, filler);
        end_turn();
        answer_one("u");
    }
    ck_assert(knows("{\"sub\":\"first\"}"));
    want_sized(0, 250000, '!');
    end_turn();
    answer_one("u");
    ck_assert_uint_le(resolver->known_bytes, RESOLVER_KNOWN_BYTES);
    ck_assert(!knows("{\"sub\":\"first\"}"));
    want_sized(2, 250000, '!');
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(the_counters_tell_what_was_known_and_what_was_asked)
{
    learn("{\"sub\":\"a\"}", "u-a");
    want(1, "{\"sub\":\"a\"}");
    want(2, "{\"sub\":\"b\"}");
    want(3, "{\"sub\":\"c\"}");
    end_turn();
    const uint64_t *lookups = fake_relay.counters.lookups;
    ck_assert_uint_eq(lookups[LOOKUP_KNOWN], 1);
    ck_assert_uint_eq(lookups[LOOKUP_ASKED], 3);
    ck_assert_uint_eq(lookups[LOOKUP_STATEMENTS], 2);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("resolver");
    tcase_add_checked_fixture(cases, start, fake_relay_stop);
    tcase_add_test(cases, questions_of_one_turn_share_a_statement_in_which_each_claims_come_once);
    tcase_add_test(cases, what_is_asked_while_a_statement_is_out_waits_for_the_next);
    tcase_add_test(cases, a_user_that_was_found_is_known_for_five_seconds_and_no_longer);
    tcase_add_test(cases, that_there_is_no_user_is_not_remembered);
    tcase_add_test(cases, nothing_is_remembered_while_nobody_would_say_that_users_have_changed);
    tcase_add_loop_test(cases, a_change_of_users_a_disconnect_another_history_and_a_lost_feed_make_it_forget, 0, 4);
    tcase_add_loop_test(cases, an_answer_that_may_be_older_than_the_change_is_asked_for_again, 0, 4);
    tcase_add_test(cases, claims_that_raise_an_error_refuse_nobody_else);
    tcase_add_test(cases, a_database_that_does_not_answer_is_reported_to_all_who_wait);
    tcase_add_test(cases, a_statement_has_at_most_so_many_claims);
    tcase_add_loop_test(cases, a_statement_has_at_most_so_many_bytes, 0, LENGTH(sizes));
    tcase_add_test(cases, what_is_remembered_is_bounded_and_the_oldest_goes_first);
    tcase_add_test(cases, the_counters_tell_what_was_known_and_what_was_asked);
    return run_suite("resolver", cases);
}
