/* The table user -> sessions, and the feed's end that uses it: who gets a change and who does not. */
#include "fake_relay.h"
#include "run_suite.h"

#include <stdio.h>
#include <utlist.h>

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define BODY "{\"id\":\"" ID "\",\"version\":1}"
#define NEW "{\"type\":\"new_notification\",\"notification\":" BODY ",\"cursor\":\"" FAKE_CURSOR "\"}"

/* ---- the table alone ---- */

static struct router router;
static struct session tabs[4];

static void start_table(void)
{
    router = (struct router){0};
    memset(tabs, 0, sizeof(tabs));
}

static void stop_table(void)
{
    router_stop(&router);
}

static void leave(struct session *session, bool last)
{
    bool emptied;
    struct user *user = router_leave(session, &emptied);
    ck_assert_ptr_null(session->user);
    ck_assert_int_eq(emptied, last);
    if (emptied)
        router_forget(&router, user);
}

START_TEST(tabs_of_one_user_are_together)
{
    struct user *user = router_join(&router, &tabs[0], TEXT("alice"));
    ck_assert_ptr_eq(router_join(&router, &tabs[1], TEXT("alice")), user);
    ck_assert_ptr_eq(router_find(&router, TEXT("alice")), user);
    ck_assert_int_eq(user->tab_count, 2);
    ck_assert_ptr_eq(tabs[0].user, user);
    ck_assert_ptr_eq(user->tabs, &tabs[0]);
    ck_assert_ptr_eq(user->tabs->tab_next, &tabs[1]);
    ck_assert_str_eq(user->id, "alice");
    leave(&tabs[0], false);
    ck_assert_ptr_eq(user->tabs, &tabs[1]);
    leave(&tabs[1], true);
    ck_assert_ptr_null(router_find(&router, TEXT("alice")));
}
END_TEST

START_TEST(users_are_told_apart_by_every_byte_of_their_id)
{
    static const struct text ids[] = {{"al", 2}, {"alice", 5}, {"Alice", 5}, {"alice ", 6}};
    for (int i = 0; i < LENGTH(ids); i++)
        router_join(&router, &tabs[i], ids[i]);
    ck_assert_uint_eq(router.users.count, LENGTH(ids));
    for (int i = 0; i < LENGTH(ids); i++)
        ck_assert_ptr_eq(router_find(&router, ids[i]), tabs[i].user);
    ck_assert_ptr_null(router_find(&router, TEXT("")));
    ck_assert_ptr_null(router_find(&router, TEXT("bob")));
    ck_assert_ptr_null(router_find(&router, (struct text){"alice", 4}));
    for (int i = 0; i < LENGTH(ids); i++)
        leave(&tabs[i], true);
}
END_TEST

START_TEST(a_users_id_is_its_own_copy)
{
    char id[] = "alice";
    struct user *user = router_join(&router, &tabs[0], (struct text){id, 5});
    memset(id, '#', 5);
    ck_assert_ptr_eq(router_find(&router, TEXT("alice")), user);
    leave(&tabs[0], true);
}
END_TEST

START_TEST(a_tab_in_the_middle_may_leave)
{
    for (int i = 0; i < 3; i++)
        router_join(&router, &tabs[i], TEXT("alice"));
    struct user *user = tabs[0].user;
    leave(&tabs[1], false);
    ck_assert_ptr_eq(user->tabs, &tabs[0]);
    ck_assert_ptr_eq(tabs[0].tab_next, &tabs[2]);
    ck_assert_ptr_null(tabs[2].tab_next);
    ck_assert_int_eq(user->tab_count, 2);
    leave(&tabs[0], false);
    leave(&tabs[2], true);
}
END_TEST

/* ---- what the feed brings ---- */

static struct fake_socket alice, alice_2, bob;

static void start_relay(void)
{
    fake_relay_start();
    socket_login(&alice, "alice");
    socket_login(&alice_2, "alice");
    socket_login(&bob, "bob");
}

static void stop_relay(void)
{
    socket_close(&alice);
    socket_close(&alice_2);
    socket_close(&bob);
    fake_relay_stop();
}

static void give(enum change_kind kind, const char *user, const char *body)
{
    struct change change = {
        .kind = kind, .user = text_of(user), .version = 1, .body = text_of(body), .cursor = FAKE_CURSOR};
    ck_assert(uuid_parse(ID, sizeof(ID) - 1, &change.id));
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
    sessions_flush(&fake_relay.sessions, INT_MAX);
}

/* A window of one change. */
static void deliver(enum change_kind kind, const char *user, const char *body)
{
    struct change_sink sink = relay_sink(&fake_relay);
    give(kind, user, body);
    sink.window(sink.owner, FAKE_CURSOR);
}

START_TEST(a_notification_goes_to_every_tab_of_its_user_and_to_nobody_else)
{
    deliver(CHANGE_NEW, "alice", BODY);
    expect_json(&alice, NEW);
    expect_json(&alice_2, NEW);
    expect_nothing(&alice);
    expect_nothing(&bob);
}
END_TEST

START_TEST(a_change_for_nobody_here_is_dropped)
{
    deliver(CHANGE_NEW, "carol", BODY);
    deliver(CHANGE_DISCONNECT, "carol", NULL);
    expect_nothing(&alice);
    expect_nothing(&bob);
    advance_ms(1000);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0); /* nobody is counted for it */
}
END_TEST

START_TEST(a_message_to_everybody_reaches_every_tab_unchanged)
{
    deliver(CHANGE_MESSAGE, NULL, "{\"type\":\"system_alert\"}");
    expect_json(&alice, "{\"type\":\"system_alert\"}");
    expect_json(&alice_2, "{\"type\":\"system_alert\"}");
    expect_json(&bob, "{\"type\":\"system_alert\"}");
}
END_TEST

START_TEST(a_message_to_one_user_reaches_only_its_tabs_and_counts_nothing)
{
    deliver(CHANGE_MESSAGE, "bob", "{\"type\":\"hello\"}");
    expect_json(&bob, "{\"type\":\"hello\"}");
    expect_nothing(&alice);
    advance_ms(1000);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(the_tabs_of_a_user_share_one_frame)
{
    struct change change = {.kind = CHANGE_MESSAGE, .user = TEXT("alice")};
    struct frame *frame = frame_new_text(&TEXT("{}"), 1);
    relay_deliver(&fake_relay, &change, frame);
    ck_assert_uint_eq(frame->refs, 3); /* ours, and one for each tab */
    sessions_flush(&fake_relay.sessions, INT_MAX);
    ck_assert_uint_eq(frame->refs, 1);
    frame_drop(frame);
    expect_json(&alice, "{}");
    expect_json(&alice_2, "{}");
}
END_TEST

START_TEST(disconnecting_a_user_ends_all_its_tabs_with_4002)
{
    deliver(CHANGE_DISCONNECT, "alice", NULL);
    expect_close(&alice, 4002, "disconnected by the application");
    expect_close(&alice_2, 4002, "disconnected by the application");
    expect_nothing(&bob);
    ck_assert_ptr_null(router_find(&fake_relay.router, TEXT("alice")));
    deliver(CHANGE_NEW, "alice", BODY);
    expect_nothing(&alice);
}
END_TEST

START_TEST(a_tab_that_left_gets_nothing_and_the_others_still_do)
{
    socket_close(&alice);
    deliver(CHANGE_NEW, "alice", BODY);
    expect_json(&alice_2, NEW);
}
END_TEST

START_TEST(changed_users_are_counted_once_and_all_their_tabs_told)
{
    for (int i = 0; i < 5; i++)
        deliver(CHANGE_NEW, "alice", BODY);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    ck_assert_str_eq(expect_query(DESK_UNREAD_COUNTS)->values[0], "{\"alice\"}");
    ck_assert_int_eq(fake_desk.count, 1);
    answer_count("alice", "5");
    end_turn();
    for (int i = 0; i < 5; i++) {
        expect_json(&alice, NEW);
        expect_json(&alice_2, NEW);
    }
    expect_json(&alice, "{\"type\":\"unread_count\",\"count\":5,\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_json(&alice_2, "{\"type\":\"unread_count\",\"count\":5,\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_nothing(&bob);
}
END_TEST

START_TEST(counts_go_out_at_most_every_50_ms)
{
    advance_ms(1000);
    deliver(CHANGE_NEW, "alice", BODY);
    end_turn();
    answer_count("alice", "1");
    deliver(CHANGE_NEW, "alice", BODY);
    advance_ms(COUNTS_PERIOD_MS - 1);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
    ck_assert(uv_is_active((uv_handle_t *)&fake_timer)); /* and the loop will wake up for it */
    advance_ms(1);
    end_turn();
    expect_query(DESK_UNREAD_COUNTS);
}
END_TEST

/* From the last statement on; false when it has not come by then. */
static bool is_counted_after(uint64_t ms)
{
    int before = fake_desk.count;
    advance_ms(ms - 1);
    end_turn();
    ck_assert_int_eq(fake_desk.count, before);
    advance_ms(1);
    end_turn();
    return fake_desk.count == before + 1;
}

START_TEST(what_takes_the_database_long_is_done_more_rarely)
{
    static const uint64_t took_ms[] = {0, 6, 7, 40, 63, 5000}, wait_ms[] = {50, 50, 56, 320, 500, 500};
    for (size_t i = 0; i < LENGTH(took_ms); i++) {
        advance_ms(COUNTS_PERIOD_MAX_MS);
        deliver(CHANGE_NEW, "alice", BODY);
        end_turn();
        advance_ms(took_ms[i]);
        answer_count("alice", "1");
        deliver(CHANGE_NEW, "alice", BODY);
        if (took_ms[i] < wait_ms[i])
            ck_assert(is_counted_after(wait_ms[i] - took_ms[i]));
        else
            end_turn();
        answer_count("alice", "1");
    }
}
END_TEST

START_TEST(a_long_window_is_counted_at_its_end_or_after_half_a_second)
{
    struct change_sink sink = relay_sink(&fake_relay);
    advance_ms(1000);
    deliver(CHANGE_NEW, "alice", BODY);
    end_turn();
    answer_count("alice", "1");
    give(CHANGE_NEW, "alice", BODY);
    ck_assert(is_counted_after(COUNTS_PERIOD_MAX_MS));
    answer_count("alice", "2");
    give(CHANGE_NEW, "alice", BODY);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
    sink.window(sink.owner, FAKE_CURSOR);
    end_turn();
    expect_query(DESK_UNREAD_COUNTS);
}
END_TEST

START_TEST(a_count_that_failed_is_asked_for_again)
{
    advance_ms(1000);
    deliver(CHANGE_NEW, "alice", BODY);
    end_turn();
    answer_next(NULL);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    ck_assert_str_eq(expect_query(DESK_UNREAD_COUNTS)->values[0], "{\"alice\"}");
    answer_count("alice", "7");
    end_turn();
    expect_json(&alice, NEW);
    expect_json(&alice, "{\"type\":\"unread_count\",\"count\":7,\"cursor\":\"" FAKE_CURSOR "\"}");
}
END_TEST

START_TEST(a_turn_writes_to_so_many_and_what_comes_meanwhile_goes_out_with_the_rest)
{
    struct change_sink sink = relay_sink(&fake_relay);
    struct change change = {
        .kind = CHANGE_MESSAGE, .user = text_of("alice"), .body = text_of("{\"type\":\"a\"}"), .cursor = FAKE_CURSOR};
    int writes = alice_2.writes;
    sink.change(sink.owner, &change);
    ck_assert(sessions_flush(&fake_relay.sessions, 1));
    expect_json(&alice, "{\"type\":\"a\"}");
    expect_nothing(&alice_2);
    change.body = text_of("{\"type\":\"b\"}");
    sink.change(sink.owner, &change);
    ck_assert(sessions_flush(&fake_relay.sessions, 1)); /* alice waits behind */
    expect_json(&alice_2, "{\"type\":\"a\"}");
    expect_json(&alice_2, "{\"type\":\"b\"}");
    ck_assert_int_eq(alice_2.writes, writes + 1);
    expect_nothing(&alice);
    ck_assert(!sessions_flush(&fake_relay.sessions, 1));
    expect_json(&alice, "{\"type\":\"b\"}");
    ck_assert(!sessions_flush(&fake_relay.sessions, 1));
}
END_TEST

/* Both the truncated table and an unknown history. */
START_TEST(when_nothing_is_known_every_tab_is_told_anew)
{
    struct change_sink sink = relay_sink(&fake_relay);
    if (_i == 0)
        deliver(CHANGE_TRUNCATED, NULL, NULL);
    else
        sink.resync(sink.owner, FAKE_CURSOR);
    end_turn();
    struct fake_socket *const sockets[] = {&alice, &alice_2, &bob};
    for (int i = 0; i < 3; i++)
        expect_json(sockets[i], "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    const struct desk_query *query = expect_query(DESK_PAGES);
    ck_assert_str_eq(query->values[0], "{\"bob\",\"alice\",\"alice\"}"); /* as they lie in the table */
    ck_assert_str_eq(query->values[1], "{\"t\",\"t\",\"t\"}");
    answer_next(&(struct answer){.rows = 3, .cells = {{"0", "[]"}, {"0", "[]"}, {"0", "[]"}}});
    end_turn();
    for (int i = 0; i < 3; i++)
        expect_json(sockets[i],
                    "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                    "\"cursor\":\"" FAKE_CURSOR "\"}");
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    ck_assert_str_eq(expect_query(DESK_UNREAD_COUNTS)->values[0], "{\"bob\",\"alice\"}");
}
END_TEST

START_TEST(no_tab_gets_a_cursor_of_another_history_before_it_is_told_to_forget)
{
    struct change_sink sink = relay_sink(&fake_relay);
    sink.resync(sink.owner, "0badcafe-12");
    send_text(&alice, "{\"type\":\"ping\"}");
    end_turn();
    expect_json(&alice, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    ck_assert(!router_is_current(&fake_relay.router, (struct cursor){0xdeadbeef, 731}));
    answer_next(&(struct answer){.rows = 3, .cells = {{"0", "[]"}, {"0", "[]"}, {"0", "[]"}}});
    end_turn();
    expect_json(&alice, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                        "\"cursor\":\"0badcafe-12\"}");
    expect_json(&alice, "{\"type\":\"pong\",\"cursor\":\"0badcafe-12\"}");
}
END_TEST

START_TEST(a_finished_window_is_the_cursor_of_what_follows)
{
    struct change_sink sink = relay_sink(&fake_relay);
    sink.window(sink.owner, "deadbeef-800");
    send_text(&alice, "{\"type\":\"ping\"}");
    end_turn();
    expect_json(&alice, "{\"type\":\"pong\",\"cursor\":\"deadbeef-800\"}");
}
END_TEST

START_TEST(the_feeds_state_is_kept_for_those_who_ask)
{
    struct change_sink sink = relay_sink(&fake_relay);
    char why[500];
    memset(why, 'w', sizeof(why) - 1);
    why[sizeof(why) - 1] = '\0';
    sink.state(sink.owner, true, "");
    ck_assert(fake_relay.router.live);
    sink.state(sink.owner, false, why);
    ck_assert(!fake_relay.router.live);
    ck_assert_uint_eq(strlen(fake_relay.router.why), sizeof(fake_relay.router.why) - 1);
}
END_TEST

static TCase *feed_case(void)
{
    TCase *tcase = tcase_create("the feed's end");
    tcase_add_checked_fixture(tcase, start_relay, stop_relay);
    tcase_add_test(tcase, a_notification_goes_to_every_tab_of_its_user_and_to_nobody_else);
    tcase_add_test(tcase, a_change_for_nobody_here_is_dropped);
    tcase_add_test(tcase, a_message_to_everybody_reaches_every_tab_unchanged);
    tcase_add_test(tcase, a_message_to_one_user_reaches_only_its_tabs_and_counts_nothing);
    tcase_add_test(tcase, the_tabs_of_a_user_share_one_frame);
    tcase_add_test(tcase, disconnecting_a_user_ends_all_its_tabs_with_4002);
    tcase_add_test(tcase, a_tab_that_left_gets_nothing_and_the_others_still_do);
    tcase_add_test(tcase, changed_users_are_counted_once_and_all_their_tabs_told);
    tcase_add_test(tcase, counts_go_out_at_most_every_50_ms);
    tcase_add_test(tcase, what_takes_the_database_long_is_done_more_rarely);
    tcase_add_test(tcase, a_long_window_is_counted_at_its_end_or_after_half_a_second);
    tcase_add_test(tcase, a_count_that_failed_is_asked_for_again);
    tcase_add_test(tcase, a_turn_writes_to_so_many_and_what_comes_meanwhile_goes_out_with_the_rest);
    tcase_add_loop_test(tcase, when_nothing_is_known_every_tab_is_told_anew, 0, 2);
    tcase_add_test(tcase, no_tab_gets_a_cursor_of_another_history_before_it_is_told_to_forget);
    tcase_add_test(tcase, a_finished_window_is_the_cursor_of_what_follows);
    tcase_add_test(tcase, the_feeds_state_is_kept_for_those_who_ask);
    return tcase;
}

int main(void)
{
    TCase *tcase = tcase_create("the table");
    tcase_add_checked_fixture(tcase, start_table, stop_table);
    tcase_add_test(tcase, tabs_of_one_user_are_together);
    tcase_add_test(tcase, users_are_told_apart_by_every_byte_of_their_id);
    tcase_add_test(tcase, a_users_id_is_its_own_copy);
    tcase_add_test(tcase, a_tab_in_the_middle_may_leave);
    TCase *const cases[] = {tcase, feed_case()};
    return run_cases("router", cases, LENGTH(cases));
}
