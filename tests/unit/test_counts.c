/* Unread totals: those the feed has counted along go out with its changes, the others are asked for; a tab is told
 * once a period, and never something older than it knows. */
#include "fake_relay.h"
#include "relay.h"
#include "run_suite.h"

#include <limits.h>
#include <stdio.h>

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define BODY "{\"id\":\"" ID "\",\"version\":1}"
#define NEW "{\"type\":\"new_notification\",\"notification\":" BODY ",\"cursor\":\"" FAKE_CURSOR "\"}"

static struct fake_socket alice, alice_2, bob;

static void start(void)
{
    fake_relay_start();
    socket_login(&alice, "alice");
    socket_login(&bob, "bob");
    advance_ms(10 * COUNTS_PERIOD_MS);
    end_turn();
    advance_ms(COUNTS_PERIOD_MS - clock_now_ms() % COUNTS_PERIOD_MS); /* a period begins */
}

static void stop(void)
{
    socket_close(&alice);
    socket_close(&bob);
    fake_relay_stop();
}

static bool give(const char *user, bool counted, int unread)
{
    struct change change = {.kind = CHANGE_NEW,
                            .user = text_of(user),
                            .version = 1,
                            .body = text_of(BODY),
                            .counted = counted,
                            .unread = (uint8_t)unread,
                            .cursor = FAKE_CURSOR};
    ck_assert(uuid_parse(ID, sizeof(ID) - 1, &change.id));
    struct change_sink sink = relay_sink(&fake_relay);
    bool here = sink.change(sink.owner, &change);
    sink.window(sink.owner, FAKE_CURSOR);
    return here;
}

static void expect_count(struct fake_socket *tab, int count)
{
    char expected[128];
    snprintf(expected, sizeof(expected), "{\"type\":\"unread_count\",\"count\":%d,\"cursor\":\"%s\"}", count, FAKE_CURSOR);
    expect_json(tab, expected);
}

START_TEST(what_was_counted_along_goes_out_in_the_same_turn_without_a_query)
{
    ck_assert(give("alice", true, 7));
    end_turn();
    expect_json(&alice, NEW);
    expect_count(&alice, 7);
    expect_nothing(&bob);
    advance_ms(COUNTS_PERIOD_MAX_MS);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
    expect_nothing(&alice);
}
END_TEST

START_TEST(of_several_changes_of_a_turn_the_last_total_is_told_once)
{
    for (int i = 1; i <= 5; i++)
        give("alice", true, i);
    end_turn();
    for (int i = 0; i < 5; i++)
        expect_json(&alice, NEW);
    expect_count(&alice, 5);
    expect_nothing(&alice);
}
END_TEST

START_TEST(a_user_is_told_once_a_period_and_the_last_total_when_it_is_over)
{
    for (int i = 1; i <= 10; i++) {
        give("alice", true, i);
        end_turn();
        expect_json(&alice, NEW);
        if (i == 1)
            expect_count(&alice, 1);
        expect_nothing(&alice);
        advance_ms(1);
    }
    give("bob", true, 3); /* others do not wait */
    end_turn();
    expect_json(&bob, NEW);
    expect_count(&bob, 3);
    advance_ms(COUNTS_PERIOD_MS - 10 - 1);
    end_turn();
    expect_nothing(&alice);
    advance_ms(1);
    end_turn();
    expect_count(&alice, 10);
    expect_nothing(&bob);
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(what_was_not_counted_along_is_asked_for)
{
    give("alice", true, 7);
    give("alice", false, 0);
    end_turn();
    expect_json(&alice, NEW);
    expect_json(&alice, NEW);
    expect_nothing(&alice); /* not the 7 either: the next one is on its way */
    answer_count("alice", "51");
    end_turn();
    expect_count(&alice, 51);
}
END_TEST

START_TEST(a_total_that_was_to_be_told_later_gives_way_to_one_that_is_asked_for)
{
    give("alice", true, 1);
    end_turn();
    expect_json(&alice, NEW);
    expect_count(&alice, 1);
    give("alice", true, 2);
    end_turn();
    expect_json(&alice, NEW);
    socket_open(&alice_2);
    send_text(&alice_2, "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\"}");
    end_turn();
    answer_user("alice");
    end_turn();
    answer_count("alice", "3"); /* by a snapshot after that of the 2 */
    end_turn();
    expect_connected(&alice_2, "alice", 3);
    expect_count(&alice, 3);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    expect_nothing(&alice);
    expect_nothing(&alice_2);
    socket_close(&alice_2);
}
END_TEST

START_TEST(a_total_that_meets_a_statement_in_flight_is_asked_for_again)
{
    give("bob", false, 0);
    end_turn();
    expect_json(&bob, NEW);
    give("alice", true, 7); /* whether the statement saw more or less than the feed is not known */
    end_turn();
    expect_json(&alice, NEW);
    expect_nothing(&alice);
    answer_count("bob", "1");
    end_turn();
    expect_count(&bob, 1);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    answer_count("alice", "8");
    end_turn();
    expect_count(&alice, 8);
}
END_TEST

START_TEST(a_user_may_go_before_its_total_is_told)
{
    socket_login(&alice_2, "carol");
    give("carol", true, 1);
    socket_close(&alice_2);
    end_turn();
    socket_login(&alice_2, "carol");
    give("carol", true, 1);
    end_turn();
    give("carol", true, 2);
    end_turn();
    socket_close(&alice_2);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(a_change_for_nobody_here_is_said_to_be_so)
{
    ck_assert(!give("nobody", true, 1));
    end_turn();
    expect_nothing(&alice);
    expect_nothing(&bob);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("counts");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, what_was_counted_along_goes_out_in_the_same_turn_without_a_query);
    tcase_add_test(tcase, of_several_changes_of_a_turn_the_last_total_is_told_once);
    tcase_add_test(tcase, a_user_is_told_once_a_period_and_the_last_total_when_it_is_over);
    tcase_add_test(tcase, what_was_not_counted_along_is_asked_for);
    tcase_add_test(tcase, a_total_that_was_to_be_told_later_gives_way_to_one_that_is_asked_for);
    tcase_add_test(tcase, a_total_that_meets_a_statement_in_flight_is_asked_for_again);
    tcase_add_test(tcase, a_user_may_go_before_its_total_is_told);
    tcase_add_test(tcase, a_change_for_nobody_here_is_said_to_be_so);
    return run_suite("counts", tcase);
}
