/* Client messages: in pieces, too large, too early, too many. */
#include "fake_tab.h"
#include "run_suite.h"

static const struct {
    const char *text, *code, *ref;
} bad_messages[] = {
    {"", "bad_json", NULL},
    {"not JSON", "bad_json", NULL},
    {"[]", "bad_message", NULL},
    {"{\"type\":\"nonsense\",\"ref\":\"r\"}", "unknown_type", "r"},
    {"{\"type\":\"get_unread\",\"limit\":0,\"ref\":\"r\"}", "bad_field", "r"},
    {"{\"type\":\"mark_read\",\"notification_id\":\"x\"}", "bad_field", NULL},
};

START_TEST(a_bad_message_gets_an_error_and_the_session_stays_open)
{
    char expected[256];
    login_up_to(SESSION_OPEN);
    send_text(&tab, bad_messages[_i].text);
    send_text(&tab, PING);
    end_turn();
    snprintf(expected, sizeof(expected), "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"*\"%s}",
             bad_messages[_i].code, bad_messages[_i].ref ? ",\"ref\":\"r\"" : "");
    expect_json(&tab, expected);
    expect_json(&tab, PONG);
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(a_binary_message_ends_with_1003_in_any_state)
{
    static const enum session_state states[] = {SESSION_WAITING, SESSION_LOGIN, SESSION_JOINED, SESSION_OPEN};
    login_up_to(states[_i]);
    session_receive(tab.session, PING, strlen(PING), true, true, 0);
    end_turn();
    expect_close(&tab, 1003, "text frames only");
}
END_TEST

START_TEST(a_message_may_come_in_pieces_of_any_size)
{
    static const char text[] = PING_REF("in pieces");
    login_up_to(SESSION_OPEN);
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
            size_t size = sizeof(text) - 1 - at < piece ? sizeof(text) - 1 - at : piece;
            char *copy = memory_copy(text + at, size);
            session_receive(tab.session, copy, size, false, at + size == sizeof(text) - 1, 0);
            free(copy);
        }
        end_turn();
        expect_json(&tab, PONG_REF("in pieces"));
        expect_nothing(&tab);
        ck_assert_ptr_null(tab.session->pending); /* nothing is kept between messages */
        advance_ms(1000);
    }
}
END_TEST

START_TEST(empty_pieces_change_nothing)
{
    login_up_to(SESSION_OPEN);
    receive("", false, 0);
    receive("{\"type\":", false, 0);
    receive("", false, 0);
    receive("\"ping\"}", false, 0);
    end_turn();
    expect_nothing(&tab);
    receive("", true, 0);
    end_turn();
    expect_json(&tab, PONG);
}
END_TEST

START_TEST(a_first_message_may_come_in_pieces)
{
    socket_open(&tab);
    receive("{\"type\":\"authenticate\",", false, 0);
    receive("\"token\":\"dummy-jwt-for-alice\"}", true, 0);
    expect_state(SESSION_LOGIN);
    end_turn();
    expect_query(DESK_RESOLVE_USERS);
}
END_TEST

/* Sends a ping padded to exactly so many bytes; `pieces` of them, or one with the rest announced. */
static void send_padded(size_t size, int pieces)
{
    char *text = malloc(size);
    memset(text, ' ', size);
    memcpy(text, PING, strlen(PING));
    for (int i = 0; i < pieces && tab.session->state == SESSION_OPEN; i++) {
        size_t from = size * (size_t)i / (size_t)pieces, to = size * (size_t)(i + 1) / (size_t)pieces;
        session_receive(tab.session, text + from, to - from, false, i == pieces - 1, 0);
    }
    free(text);
    end_turn();
}

START_TEST(a_message_may_be_as_large_as_configured_and_no_larger)
{
    static const int pieces[] = {1, 2, 7, 500};
    size_t limit = (size_t)fake_config.max_message_bytes;
    login_up_to(SESSION_OPEN);
    send_padded(limit - 1, pieces[_i]);
    expect_json(&tab, PONG);
    send_padded(limit, pieces[_i]);
    expect_json(&tab, PONG);
    send_padded(limit + 1, pieces[_i]);
    expect_close(&tab, 1009, "message too large");
}
END_TEST

START_TEST(a_message_announced_as_too_large_ends_before_it_is_read)
{
    size_t limit = (size_t)fake_config.max_message_bytes;
    login_up_to(SESSION_OPEN);
    receive("{", false, limit - 1);
    end_turn();
    expect_state(SESSION_OPEN);
    receive("\"", false, limit - 1);
    end_turn();
    expect_close(&tab, 1009, "message too large");
    ck_assert_ptr_null(tab.session->pending);
}
END_TEST

START_TEST(ten_megabytes_announced_take_no_memory)
{
    login_up_to(SESSION_OPEN);
    receive("{", false, (size_t)10 << 20);
    ck_assert_ptr_null(tab.session->pending);
    end_turn();
    expect_close(&tab, 1009, "message too large");
}
END_TEST

START_TEST(what_comes_after_the_end_is_ignored)
{
    login_up_to(SESSION_OPEN);
    session_end(tab.session, END_DISCONNECTED);
    send_text(&tab, PING);
    session_receive(tab.session, "x", 1, true, true, 0);
    end_turn();
    expect_close(&tab, 4002, "disconnected by the application");
    send_text(&tab, PING);
    end_turn();
    expect_nothing(&tab);
}
END_TEST

/* ---- messages held while a login is under way ---- */

START_TEST(what_comes_after_the_peers_close_frame_is_ignored)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, PING_REF("before"));
    receive("{\"type\":", false, 0);
    ck_assert(session_peer_closes(tab.session));
    receive("\"ping\"}", true, 0);
    send_text(&tab, PING_REF("after"));
    end_turn();
    expect_json(&tab, PONG_REF("before"));
    expect_nothing(&tab); /* no close frame either: libwebsockets has answered */
    ck_assert_ptr_null(tab.session->user);
    expect_state(SESSION_CLOSED);
}
END_TEST

START_TEST(a_close_frame_that_answers_ours_ends_it)
{
    login_up_to(SESSION_OPEN);
    session_end(tab.session, END_DISCONNECTED);
    end_turn();
    ck_assert(!session_peer_closes(tab.session));
}
END_TEST

START_TEST(messages_sent_before_connected_are_answered_after_it_in_their_order)
{
    socket_open(&tab);
    send_text(&tab, LOGIN);
    send_text(&tab, PING_REF("1"));
    answer_user("alice");
    send_text(&tab, PING_REF("2"));
    receive("{\"type\":\"ping\",", false, 0);
    end_turn();
    receive("\"ref\":\"3\"}", true, 0);
    expect_nothing(&tab);
    answer_count("alice", "0");
    send_text(&tab, PING_REF("4"));
    end_turn();
    expect_connected(&tab, "alice", 0);
    expect_json(&tab, PONG_REF("1"));
    expect_json(&tab, PONG_REF("2"));
    expect_json(&tab, PONG_REF("3"));
    expect_json(&tab, PONG_REF("4"));
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_message_half_read_at_connected_is_finished_later)
{
    socket_open(&tab);
    send_text(&tab, LOGIN);
    send_text(&tab, PING_REF("1"));
    receive("{\"type\":\"ping\",", false, 0);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_connected(&tab, "alice", 0);
    expect_json(&tab, PONG_REF("1"));
    expect_nothing(&tab);
    receive("\"ref\":\"2\"", false, 0);
    receive("}", true, 0);
    end_turn();
    expect_json(&tab, PONG_REF("2"));
    ck_assert_ptr_null(tab.session->pending);
}
END_TEST

START_TEST(an_empty_message_is_held_too)
{
    socket_open(&tab);
    send_text(&tab, LOGIN);
    send_text(&tab, "");
    send_text(&tab, PING);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_connected(&tab, "alice", 0);
    expect_json(&tab, "{\"type\":\"error\",\"code\":\"bad_json\",\"message\":\"*\"}");
    expect_json(&tab, PONG);
}
END_TEST

START_TEST(a_held_message_that_ends_the_session_is_the_last_one_handled)
{
    socket_open(&tab);
    send_text(&tab, LOGIN);
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"garbage\"}");
    send_text(&tab, PING);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_connected(&tab, "alice", 0);
    expect_close(&tab, 4000, "malformed token");
}
END_TEST

/* Four messages' worth of bytes are held, the four that say each one's size among them. */
START_TEST(held_messages_have_a_bound)
{
    static const struct {
        size_t last;
        bool kept;
    } bounds[] = {{995, true}, {996, true}, {997, false}};
    char text[1001];
    memset(text, ' ', sizeof(text));
    login_up_to(SESSION_LOGIN);
    for (int i = 0; i < 3; i++)
        send_bytes(&tab, text, 996);
    expect_state(SESSION_LOGIN);
    send_bytes(&tab, text, bounds[_i].last);
    end_turn();
    if (bounds[_i].kept)
        expect_state(SESSION_LOGIN);
    else
        expect_close(&tab, 4029, "too many messages");
}
END_TEST

START_TEST(a_flood_of_empty_messages_is_bounded_too)
{
    int sent = 0;
    login_up_to(SESSION_LOGIN);
    while (tab.session->state == SESSION_LOGIN && sent < 100000) {
        send_bytes(&tab, "", 0);
        sent++;
    }
    ck_assert_int_eq(sent, 1001); /* 4 bytes each */
    end_turn();
    expect_close(&tab, 4029, "too many messages");
}
END_TEST

/* ---- the rate ---- */

static void expect_pongs(int count)
{
    for (int i = 0; i < count; i++)
        expect_json(&tab, PONG);
}

#define LIMITED "{\"type\":\"error\",\"code\":\"rate_limited\",\"message\":\"*\",\"retry_after_ms\":50}"

START_TEST(above_the_rate_comes_one_error_and_then_4029)
{
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < 42; i++)
        send_text(&tab, PING);
    send_text(&tab, PING);
    end_turn();
    expect_pongs(40);
    expect_json(&tab, LIMITED);
    expect_close(&tab, 4029, "too many messages");
}
END_TEST

START_TEST(a_client_that_waits_as_told_is_forgiven)
{
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < 41; i++)
        send_text(&tab, PING);
    end_turn();
    expect_pongs(40);
    for (int turn = 0; turn < 3; turn++) {
        expect_json(&tab, LIMITED);
        expect_nothing(&tab);
        advance_ms(50);
        send_text(&tab, PING);
        send_text(&tab, PING);
        end_turn();
        expect_json(&tab, PONG);
    }
    expect_json(&tab, LIMITED);
    expect_state(SESSION_OPEN);
}
END_TEST

START_TEST(at_the_rate_nobody_is_limited)
{
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < 200; i++) {
        send_text(&tab, PING);
        end_turn();
        expect_json(&tab, PONG);
        advance_ms(50);
    }
}
END_TEST

START_TEST(bad_messages_count_like_good_ones)
{
    fake_config.rate_limit.burst = 2;
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < 4; i++)
        send_text(&tab, "garbage");
    end_turn();
    expect_json(&tab, "{\"type\":\"error\",\"code\":\"bad_json\",\"message\":\"*\"}");
    expect_json(&tab, "{\"type\":\"error\",\"code\":\"bad_json\",\"message\":\"*\"}");
    expect_json(&tab, LIMITED);
    expect_close(&tab, 4029, "too many messages");
}
END_TEST

START_TEST(held_messages_count_when_they_are_handled)
{
    fake_config.rate_limit.burst = 3;
    login_up_to(SESSION_LOGIN);
    for (int i = 0; i < 5; i++)
        send_text(&tab, PING);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_connected(&tab, "alice", 0);
    expect_pongs(3);
    expect_json(&tab, LIMITED);
    expect_close(&tab, 4029, "too many messages");
}
END_TEST

/* ---- who does not take its answers is not read ---- */

#define GET_UNREAD "{\"type\":\"get_unread\"}"

static void answer_page(void)
{
    expect_query(DESK_PAGES);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]", NULL}}});
}

static void expect_page(void)
{
    expect_json(&tab, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,\"cursor\":\"*\"}");
}

START_TEST(a_client_has_so_many_pages_under_way_and_its_next_message_waits)
{
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < SESSION_PAGES_MAX; i++)
        send_text(&tab, GET_UNREAD);
    ck_assert(!tab.unread);
    send_text(&tab, PING);
    send_text(&tab, GET_UNREAD);
    ck_assert(tab.unread);
    end_turn();
    expect_nothing(&tab);

    answer_page();
    ck_assert(!tab.unread); /* the ping and the next page were handled */
    end_turn();
    expect_page();
    expect_json(&tab, PONG);
    expect_nothing(&tab);
    for (int i = 0; i < SESSION_PAGES_MAX; i++)
        answer_page();
    end_turn();
    for (int i = 0; i < SESSION_PAGES_MAX; i++)
        expect_page();
}
END_TEST

/* Answers are never dropped, so it is what asks for more of them that waits. */
START_TEST(a_client_that_does_not_take_its_answers_is_not_read_until_it_does)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    int unread_after = 0, pongs = 0;
    while (!tab.unread && unread_after++ < 1000) {
        send_text(&tab, PING);
        advance_ms(50);
    }
    uint64_t limit = (uint64_t)fake_config.queue_bytes;
    ck_assert(tab.unread);
    ck_assert_uint_gt(tab.session->outbox.bytes, limit);
    ck_assert_uint_le(tab.session->outbox.bytes, limit + sizeof(PONG));

    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    ck_assert(!tab.unread);
    end_turn(); /* for the one that had to wait */
    for (; tab.size; pongs++)
        expect_json(&tab, PONG);
    ck_assert_int_eq(pongs, unread_after);
}
END_TEST

START_TEST(answers_held_behind_a_catch_up_count_as_well)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"resume\",\"cursor\":\"" FAKE_CURSOR "\"}");
    for (int i = 0; i < 1000 && !tab.unread; i++) {
        send_text(&tab, PING);
        advance_ms(50);
    }
    ck_assert(tab.unread);
    end_turn();
    expect_query(DESK_RESUME);
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "e"}}});
    end_turn();
    ck_assert(!tab.unread);
    expect_json(&tab, "{\"type\":\"resumed\",\"count\":0,\"cursor\":\"*\"}");
}
END_TEST

START_TEST(a_session_that_ends_is_read_again_for_the_peers_close)
{
    login_up_to(SESSION_OPEN);
    for (int i = 0; i <= SESSION_PAGES_MAX; i++)
        send_text(&tab, GET_UNREAD);
    ck_assert(tab.unread);
    session_end(tab.session, END_DISCONNECTED);
    ck_assert(!tab.unread);
}
END_TEST

static void send_pings(struct fake_socket *socket, int count)
{
    for (int i = 0; i < count; i++)
        send_text(socket, PING);
}

/* Two tabs of alice's, and one of bob's, in the others. */
static struct fake_socket second, stranger;

static void open_tabs(void)
{
    fake_config.user_rate_limit = (struct rate_limit){10, 30};
    login_up_to(SESSION_OPEN);
    socket_login(&second, "alice");
    socket_login(&stranger, "bob");
}

static void close_tabs(void)
{
    socket_close(&second);
    socket_close(&stranger);
}

static void expect_pongs_at(struct fake_socket *socket, int count)
{
    for (int i = 0; i < count; i++)
        expect_json(socket, PONG);
    expect_nothing(socket);
}

START_TEST(the_tabs_of_a_user_share_a_rate)
{
    open_tabs();
    send_pings(&tab, 15);
    send_pings(&second, 15); /* at the limit */
    send_pings(&stranger, 30);
    end_turn();
    expect_pongs_at(&tab, 15);
    expect_pongs_at(&second, 15);
    expect_pongs_at(&stranger, 30);
    send_pings(&second, 1);
    end_turn();
    expect_json(&second, "{\"type\":\"error\",\"code\":\"rate_limited\",\"message\":\"*\",\"retry_after_ms\":100}");
    ck_assert_uint_eq(fake_relay.counters.messages_limited[LIMITED_BY_USER], 1);
    advance_ms(100);
    send_pings(&tab, 1); /* the other one may have what has come back */
    end_turn();
    expect_json(&tab, PONG);
    send_pings(&second, 1);
    end_turn();
    expect_close(&second, 4029, "too many messages of this user");
    expect_state(SESSION_OPEN);
    ck_assert_uint_eq(fake_relay.counters.sessions_closed[END_USER_RATE], 1);
    close_tabs();
}
END_TEST

START_TEST(a_tab_over_its_own_rate_takes_nothing_from_its_users)
{
    open_tabs();
    fake_config.rate_limit = (struct rate_limit){1, 20};
    tab.session->rate = (struct rate){20000, (uint32_t)fake_now_ms};
    send_pings(&tab, 22);
    end_turn();
    for (int i = 0; i < 20; i++)
        expect_json(&tab, PONG);
    expect_json(&tab, "{\"type\":\"error\",\"code\":\"rate_limited\",\"message\":\"*\",\"retry_after_ms\":1000}");
    expect_close(&tab, 4029, "too many messages");
    send_pings(&second, 10);
    end_turn();
    expect_pongs_at(&second, 10);
    ck_assert_uint_eq(fake_relay.counters.messages_limited[LIMITED_BY_CONNECTION], 1);
    ck_assert_uint_eq(fake_relay.counters.messages_limited[LIMITED_BY_USER], 0);
    close_tabs();
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("messages in");
    tcase_add_loop_test(tcase, a_bad_message_gets_an_error_and_the_session_stays_open, 0,
                        LENGTH(bad_messages));
    tcase_add_loop_test(tcase, a_binary_message_ends_with_1003_in_any_state, 0, 4);
    tcase_add_test(tcase, a_message_may_come_in_pieces_of_any_size);
    tcase_add_test(tcase, empty_pieces_change_nothing);
    tcase_add_test(tcase, a_first_message_may_come_in_pieces);
    tcase_add_loop_test(tcase, a_message_may_be_as_large_as_configured_and_no_larger, 0, 4);
    tcase_add_test(tcase, a_message_announced_as_too_large_ends_before_it_is_read);
    tcase_add_test(tcase, ten_megabytes_announced_take_no_memory);
    tcase_add_test(tcase, what_comes_after_the_end_is_ignored);
    tcase_add_test(tcase, what_comes_after_the_peers_close_frame_is_ignored);
    tcase_add_test(tcase, a_close_frame_that_answers_ours_ends_it);
    tcase_add_test(tcase, messages_sent_before_connected_are_answered_after_it_in_their_order);
    tcase_add_test(tcase, a_message_half_read_at_connected_is_finished_later);
    tcase_add_test(tcase, an_empty_message_is_held_too);
    tcase_add_test(tcase, a_held_message_that_ends_the_session_is_the_last_one_handled);
    tcase_add_loop_test(tcase, held_messages_have_a_bound, 0, 3);
    tcase_add_test(tcase, a_flood_of_empty_messages_is_bounded_too);
    tcase_add_test(tcase, above_the_rate_comes_one_error_and_then_4029);
    tcase_add_test(tcase, a_client_that_waits_as_told_is_forgiven);
    tcase_add_test(tcase, at_the_rate_nobody_is_limited);
    tcase_add_test(tcase, bad_messages_count_like_good_ones);
    tcase_add_test(tcase, held_messages_count_when_they_are_handled);
    tcase_add_test(tcase, a_client_has_so_many_pages_under_way_and_its_next_message_waits);
    tcase_add_test(tcase, a_client_that_does_not_take_its_answers_is_not_read_until_it_does);
    tcase_add_test(tcase, answers_held_behind_a_catch_up_count_as_well);
    tcase_add_test(tcase, a_session_that_ends_is_read_again_for_the_peers_close);
    tcase_add_test(tcase, the_tabs_of_a_user_share_a_rate);
    tcase_add_test(tcase, a_tab_over_its_own_rate_takes_nothing_from_its_users);
    return run_suite("session_in", tcase);
}
