/* Sessions from handshake to close: logins, limits, deadlines, tokens that end. The relay's modules are real;
 * socket, database and time are the test's. */
#include "fake_tab.h"
#include "run_suite.h"

enum { PATIENCE_S = 10, CLOSE_S = 5 };

/* ---- logging in ---- */

START_TEST(a_session_logs_in_step_by_step)
{
    socket_open(&tab);
    expect_state(SESSION_WAITING);
    send_text(&tab, LOGIN);
    expect_state(SESSION_LOGIN);
    end_turn();
    ck_assert_str_eq(expect_query(DESK_RESOLVE_USERS)->values[0], "{\"{\\\"username\\\":\\\"alice\\\"}\"}");
    ck_assert_uint_eq(fake_relay.router.users.count, 0);
    answer_user("17");
    expect_state(SESSION_JOINED);
    ck_assert_ptr_nonnull(router_find(&fake_relay.router, TEXT("17"))); /* before it is counted */
    end_turn();
    ck_assert_str_eq(expect_query(DESK_UNREAD_COUNTS)->values[0], "{\"17\"}");
    expect_nothing(&tab);
    answer_count("17", "4");
    expect_state(SESSION_OPEN);
    end_turn();
    expect_connected(&tab, "17", 4);
    expect_nothing(&tab);
}
END_TEST

START_TEST(connected_comes_before_what_the_feed_brought_meanwhile)
{
    login_up_to(SESSION_JOINED);
    struct change change = {
        .kind = CHANGE_MESSAGE, .user = TEXT("alice"), .body = TEXT("{\"type\":\"first\"}")};
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
    change.body = TEXT("{\"type\":\"second\"}");
    sink.change(sink.owner, &change);
    sink.window(sink.owner, "deadbeef-900");
    end_turn();
    expect_nothing(&tab);
    answer_count("alice", "1");
    end_turn();
    /* Its cursor is the one it was registered at: nothing before it can be missed. */
    expect_json(&tab,
                "{\"type\":\"connected\",\"message\":\"Application startup complete\",\"user_id\":\"alice\","
                "\"session_id\":\"*\",\"unread_count\":1,\"cursor\":\"" FAKE_CURSOR "\","
                "\"heartbeat_interval\":30,\"token_expires_at\":null,\"protocol\":1}");
    expect_json(&tab, "{\"type\":\"first\"}");
    expect_json(&tab, "{\"type\":\"second\"}");
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_cursor_is_judged_when_the_login_is_done_not_before_the_feed_began)
{
    fake_relay.router.cursor[0] = '\0';
    socket_open(&tab);
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\",\"cursor\":\"deadbeef-700\"}");
    strcpy(fake_relay.router.cursor, FAKE_CURSOR);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_json(&tab,
                "{\"type\":\"connected\",\"message\":\"*\",\"user_id\":\"alice\",\"session_id\":\"*\","
                "\"unread_count\":0,\"cursor\":\"deadbeef-700\",\"heartbeat_interval\":30,"
                "\"token_expires_at\":null,\"protocol\":1}");
    ck_assert_str_eq(expect_query(DESK_RESUME)->values[1], "{\"700\"}");
    expect_resumed();
}
END_TEST

static const char *const void_cursors[] = {"", "deadbee0-700", "nonsense", "deadbeef-99999999999999999999",
                                           "deadbeef-7000000000000000000000000000000000000000000000"};

START_TEST(a_cursor_that_is_none_of_the_present_history_is_told_everything)
{
    char text[256];
    socket_open(&tab);
    snprintf(text, sizeof(text), "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\",\"cursor\":\"%s\"}",
             void_cursors[_i]);
    send_text(&tab, text);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_json(&tab,
                "{\"type\":\"connected\",\"message\":\"*\",\"user_id\":\"alice\",\"session_id\":\"*\","
                "\"unread_count\":0,\"cursor\":\"00000000-0\",\"heartbeat_interval\":30,"
                "\"token_expires_at\":null,\"protocol\":1}");
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
}
END_TEST

START_TEST(a_login_that_ends_is_told_nothing_but_why)
{
    login_up_to(SESSION_JOINED);
    struct change change = {
        .kind = CHANGE_MESSAGE, .user = TEXT("alice"), .body = TEXT("{\"type\":\"first\"}")};
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
    change.kind = CHANGE_DISCONNECT;
    sink.change(sink.owner, &change);
    end_turn();
    expect_close(&tab, 4002, "disconnected by the application");
}
END_TEST

START_TEST(a_tab_is_told_its_whole_state_when_the_history_broke_while_it_logged_in)
{
    login_up_to(SESSION_JOINED);
    struct change truncated = {.kind = CHANGE_TRUNCATED};
    struct change_sink sink = relay_sink(&fake_relay);
    session_push(tab.session, frame_of(100)); /* of the time before: not to be told after it */
    if (_i)
        sink.resync(sink.owner, FAKE_CURSOR);
    else
        sink.change(sink.owner, &truncated);
    answer_count("alice", "0");
    end_turn();
    expect_json(&tab,
                "{\"type\":\"connected\",\"message\":\"*\",\"user_id\":\"alice\",\"session_id\":\"*\","
                "\"unread_count\":0,\"cursor\":\"00000000-0\",\"heartbeat_interval\":30,"
                "\"token_expires_at\":null,\"protocol\":1}");
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    expect_nothing(&tab);
    while (fake_desk.count && fake_desk.queries[0].statement != DESK_PAGES)
        answer_next(NULL);
    expect_query(DESK_PAGES);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]"}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                      "\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_nothing(&tab);
}
END_TEST

START_TEST(the_ref_of_authenticate_comes_back_in_connected)
{
    socket_open(&tab);
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\",\"ref\":\"a\\\"b\"}");
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_json(&tab,
                "{\"type\":\"connected\",\"message\":\"*\",\"user_id\":\"alice\",\"session_id\":\"*\","
                "\"unread_count\":0,\"cursor\":\"*\",\"heartbeat_interval\":30,\"token_expires_at\":null,"
                "\"protocol\":1,\"ref\":\"a\\\"b\"}");
}
END_TEST

static const struct {
    const char *text, *reason;
} first_messages[] = {
    {PING, "authenticate first"},
    {"", "authenticate first"},
    {"not JSON", "authenticate first"},
    {"{\"type\":\"authenticate\"}", "authenticate first"},
    {"{\"type\":\"get_unread\"}", "authenticate first"},
    {"{\"type\":\"nonsense\"}", "authenticate first"},
    {"{\"type\":\"authenticate\",\"token\":\"\"}", "malformed token"},
    {"{\"type\":\"authenticate\",\"token\":\"alice\"}", "malformed token"},
};

START_TEST(a_first_message_without_a_good_token_ends_with_4000)
{
    socket_open(&tab);
    send_text(&tab, first_messages[_i].text);
    end_turn();
    expect_close(&tab, 4000, first_messages[_i].reason);
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

static const struct {
    const struct answer *answer;
    int code;
    const char *reason;
} refusals[] = {
    {&(struct answer){.rows = 1, .cells = {{NULL}}}, 4000, "unknown user"},
    {&(struct answer){.rows = 1, .cells = {{""}}}, 4000, "unknown user"},
    {&(struct answer){.rows = 0}, 1013, "database unavailable"}, /* cannot be, but names nobody */
    {&(struct answer){.error = "42883"}, 1013, "database unavailable"},
    {NULL, 1013, "database unavailable"},
};

START_TEST(a_user_that_is_not_found_or_cannot_be_asked_for_is_told_apart)
{
    login_up_to(SESSION_LOGIN);
    end_turn();
    expect_query(DESK_RESOLVE_USERS);
    answer_next(refusals[_i].answer);
    end_turn();
    expect_close(&tab, refusals[_i].code, refusals[_i].reason);
    ck_assert_uint_eq(fake_relay.router.users.count, 0);
}
END_TEST

START_TEST(a_login_that_cannot_be_counted_ends_with_1013)
{
    login_up_to(SESSION_JOINED);
    expect_query(DESK_UNREAD_COUNTS);
    answer_next(NULL);
    end_turn();
    expect_close(&tab, 1013, "database unavailable");
    ck_assert_uint_eq(fake_relay.router.users.count, 0);
}
END_TEST

START_TEST(a_tab_that_joins_while_its_user_is_counted_waits_for_a_count_of_its_own)
{
    struct fake_socket other;
    login_up_to(SESSION_JOINED);
    socket_open(&other);
    send_text(&other, LOGIN);
    end_turn();
    expect_query(DESK_UNREAD_COUNTS);
    ck_assert_int_eq(fake_desk.queries[1].statement, DESK_RESOLVE_USERS);
    struct desk_query first = fake_desk.queries[0]; /* answered after the second's user */
    fake_desk.queries[0] = fake_desk.queries[1];
    fake_desk.queries[1] = first;
    answer_user("alice");
    end_turn();
    answer_count("alice", "1");
    end_turn();
    expect_connected(&tab, "alice", 1);
    expect_nothing(&other);
    answer_count("alice", "2");
    end_turn();
    expect_connected(&other, "alice", 2);
    expect_nothing(&tab);
    socket_close(&other);
}
END_TEST

START_TEST(an_answer_for_a_session_that_is_gone_is_a_miss)
{
    login_up_to(_i == 0 ? SESSION_LOGIN : SESSION_JOINED);
    end_turn();
    socket_close(&tab);
    ck_assert_int_eq(fake_desk.count, 1);
    answer_next(&(struct answer){.rows = 1, .cells = {{"alice", "3"}}});
    end_turn();
    ck_assert_uint_eq(fake_relay.router.users.count, 0);
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

/* ---- limits at the door ---- */

static struct fake_socket many[5];

static void open_many(int count, const char *address)
{
    for (int i = 0; i < count; i++)
        socket_open_from(&many[i], address);
    end_turn();
}

static void close_many(int count)
{
    for (int i = 0; i < count; i++)
        socket_close(&many[i]);
}

START_TEST(as_many_connections_as_configured_are_let_in_and_no_more)
{
    fake_config.max_connections = 4;
    open_many(4, "");
    for (int i = 0; i < 4; i++)
        expect_nothing(&many[i]);
    socket_open(&tab);
    end_turn();
    expect_close(&tab, 1013, "at capacity");
    socket_close(&tab);
    socket_close(&many[0]);
    socket_open(&tab); /* there is room again */
    end_turn();
    expect_nothing(&tab);
    close_many(4);
}
END_TEST

START_TEST(workers_share_the_limit_of_connections)
{
    fake_config.max_connections = 10;
    fake_relay.sharing = 4; /* 3 each, rounded up */
    open_many(4, "");
    expect_nothing(&many[2]);
    expect_close(&many[3], 1013, "at capacity");
    close_many(4);
}
END_TEST

START_TEST(an_address_gets_as_many_connections_as_configured_and_no_more)
{
    fake_config.max_connections_per_ip = 3;
    open_many(3, "192.0.2.1");
    for (int i = 0; i < 3; i++)
        expect_nothing(&many[i]);
    socket_open_from(&tab, "192.0.2.1");
    socket_open_from(&many[3], "192.0.2.2");
    socket_open_from(&many[4], ""); /* a unix socket has no address */
    end_turn();
    expect_close(&tab, 4029, "too many connections from this address");
    expect_nothing(&many[3]);
    expect_nothing(&many[4]);
    close_many(5);
}
END_TEST

/* ---- failed logins: the fake relay allows 5 at once and one a second ---- */

#define GARBAGE "{\"type\":\"authenticate\",\"token\":\"garbage\",\"ref\":\"g\"}"

static void fail_logins(const char *address, int count)
{
    struct fake_socket guesser;
    for (int i = 0; i < count; i++) {
        socket_open_from(&guesser, address);
        send_text(&guesser, GARBAGE);
        end_turn();
        expect_close(&guesser, 4000, "malformed token");
        socket_close(&guesser);
    }
}

START_TEST(an_address_may_fail_as_often_as_configured_and_then_even_good_tokens_are_not_looked_at)
{
    fail_logins("192.0.2.1", 4);
    socket_open_from(&tab, "192.0.2.1");
    send_text(&tab, LOGIN); /* one below */
    answer_user("alice");
    socket_close(&tab);
    fail_logins("192.0.2.1", 1);
    socket_open_from(&tab, "192.0.2.1");
    send_text(&tab, LOGIN);
    end_turn();
    expect_close(&tab, 4029, "too many failed logins from this address");
    ck_assert_uint_eq(fake_relay.counters.sessions_closed[END_AUTH_FAILURES], 1);
    ck_assert_int_eq(fake_desk.count, 0);
    socket_close(&tab);
    advance_ms(999);
    socket_open_from(&tab, "192.0.2.1");
    send_text(&tab, LOGIN);
    end_turn();
    expect_close(&tab, 4029, "too many failed logins from this address");
    socket_close(&tab);
    advance_ms(1);
    socket_open_from(&tab, "192.0.2.1");
    send_text(&tab, LOGIN);
    expect_state(SESSION_LOGIN);
}
END_TEST

START_TEST(the_failures_of_one_address_are_not_anothers)
{
    fail_logins("192.0.2.1", 5);
    socket_open_from(&tab, "192.0.2.2");
    send_text(&tab, LOGIN);
    expect_state(SESSION_LOGIN);
    socket_close(&tab);
    fail_logins("", 50); /* a unix socket has no address */
}
END_TEST

START_TEST(users_that_are_not_known_count_as_failures)
{
    for (int i = 0; i < 5; i++) {
        socket_open_from(&tab, "192.0.2.1");
        send_text(&tab, LOGIN);
        answer_next(&(struct answer){.rows = 1});
        end_turn();
        socket_close(&tab);
    }
    socket_open_from(&tab, "192.0.2.1");
    send_text(&tab, LOGIN);
    end_turn();
    expect_close(&tab, 4029, "too many failed logins from this address");
}
END_TEST

START_TEST(an_open_session_that_renews_its_token_is_told_to_wait_and_not_ended)
{
    socket_open_from(&tab, "192.0.2.1");
    send_text(&tab, LOGIN);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_connected(&tab, "alice", 0);
    fail_logins("192.0.2.1", 5);
    send_text(&tab, GARBAGE);
    end_turn();
    expect_json(&tab, "{\"type\":\"error\",\"code\":\"rate_limited\",\"message\":\"*\",\"retry_after_ms\":1000,\"ref\":\"g\"}");
    expect_state(SESSION_OPEN);
    ck_assert_uint_eq(fake_relay.counters.messages_limited[LIMITED_BY_ADDRESS], 1);
}
END_TEST

START_TEST(a_user_gets_as_many_tabs_as_configured_and_no_more)
{
    for (int i = 0; i < 3; i++)
        socket_login(&many[i], "alice");
    socket_login(&many[3], "bob");
    socket_open(&tab);
    send_text(&tab, LOGIN);
    answer_user("alice");
    end_turn();
    expect_close(&tab, 4029, "too many connections of this user");
    ck_assert_int_eq(router_find(&fake_relay.router, TEXT("alice"))->tab_count, 3);
    close_many(4);
}
END_TEST

START_TEST(a_relay_that_stops_lets_nobody_in)
{
    fake_relay.stopping = true;
    socket_open(&tab);
    end_turn();
    expect_close(&tab, 1001, "server is shutting down");
}
END_TEST

/* ---- deadlines ---- */

static const struct {
    enum session_state state;
    int patience_s, code;
    const char *reason;
} patiences[] = {
    {SESSION_WAITING, PATIENCE_S, 4000, "no token in time"},
    {SESSION_LOGIN, 2 * PATIENCE_S, 1013, "database unavailable"},
    {SESSION_JOINED, 2 * PATIENCE_S, 1013, "database unavailable"},
};

START_TEST(a_login_has_its_time_and_no_more)
{
    login_up_to(patiences[_i].state);
    advance_s(patiences[_i].patience_s - 1);
    expect_state(patiences[_i].state);
    expect_nothing(&tab);
    advance_s(1);
    expect_close(&tab, patiences[_i].code, patiences[_i].reason);
}
END_TEST

START_TEST(a_login_that_was_quick_is_not_ended_later)
{
    login_up_to(SESSION_WAITING);
    advance_s(PATIENCE_S - 1);
    send_text(&tab, LOGIN);
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    advance_s(PATIENCE_S);
    expect_state(SESSION_OPEN);
}
END_TEST

/* Whether the peer takes the close frame or not. */
START_TEST(a_peer_that_does_not_answer_the_close_is_cut_off_after_5_seconds)
{
    login_up_to(SESSION_WAITING);
    tab.writes_left = _i ? -1 : 0;
    session_end(tab.session, END_SHUTDOWN);
    end_turn();
    expect_state(_i ? SESSION_CLOSED : SESSION_ENDING);
    advance_s(CLOSE_S - 1);
    ck_assert(!tab.gone);
    advance_s(1);
    ck_assert(tab.gone);
    ck_assert_int_eq(fake_relay.sessions.count, 0);
}
END_TEST

START_TEST(an_open_session_is_pinged_and_ended_after_two_missed)
{
    login_up_to(SESSION_OPEN);
    for (int ping = 0; ping < 2; ping++) {
        advance_s(29);
        expect_nothing(&tab);
        advance_s(1);
        expect_ping(&tab);
        expect_nothing(&tab);
    }
    advance_s(29);
    expect_state(SESSION_OPEN);
    advance_s(1);
    expect_close(&tab, 1001, "no answer to pings");
}
END_TEST

/* A pong, a message, a part of a message. */
START_TEST(any_sign_of_life_answers_a_ping)
{
    login_up_to(SESSION_OPEN);
    for (int ping = 0; ping < 6; ping++) {
        advance_s(30);
        expect_ping(&tab);
        if (_i == 0)
            session_heard(tab.session);
        else if (_i == 1)
            send_text(&tab, PING);
        else
            receive(" ", false, 0);
        end_turn();
        if (_i == 1)
            expect_json(&tab, PONG);
    }
    expect_state(SESSION_OPEN);
}
END_TEST

/* From the last byte taken it is two to three heartbeats. */
START_TEST(a_tab_that_takes_nothing_for_two_heartbeats_is_ended_whatever_it_sends)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    tab.taken = 5;
    for (int second = 0; second < 89; second++) {
        advance_s(1);
        session_heard(tab.session);
    }
    expect_state(SESSION_OPEN);
    advance_s(1);
    expect_state(SESSION_ENDING);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_close(&tab, 1001, "nothing was taken");
}
END_TEST

/* The database may be away for longer than two heartbeats. */
START_TEST(a_tab_is_pinged_during_a_catch_up_that_lasts)
{
    login_up_to(SESSION_OPEN);
    resume_start(tab.session, TEXT(FAKE_CURSOR), "");
    for (int ping = 0; ping < 2 * SESSION_MISSED_PINGS; ping++) {
        advance_s(fake_config.heartbeat_s);
        expect_ping(&tab);
        session_heard(tab.session);
    }
    ck_assert_ptr_nonnull(tab.session->replay);
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_slow_tab_that_takes_some_bytes_is_neither_pinged_nor_ended)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    for (int heartbeat = 0; heartbeat < 10; heartbeat++) {
        tab.taken += (uint32_t)heartbeat % 2; /* now and then is enough */
        advance_s(30);
        expect_state(SESSION_OPEN);
    }
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_nothing(&tab);
}
END_TEST

START_TEST(pings_missed_behind_a_full_socket_are_forgiven_when_it_moves)
{
    login_up_to(SESSION_OPEN);
    advance_s(30);
    expect_ping(&tab);
    advance_s(30);
    expect_ping(&tab);
    tab.writes_left = 0;
    tab.taken = 1;
    advance_s(30);
    expect_state(SESSION_OPEN);
    tab.writes_left = -1;
    advance_s(30);
    expect_ping(&tab);
    expect_state(SESSION_OPEN);
}
END_TEST

START_TEST(the_heartbeat_is_the_configured_one)
{
    fake_config.heartbeat_s = 200; /* more than the wheel has slots */
    login_up_to(SESSION_OPEN);
    advance_s(199);
    expect_nothing(&tab);
    advance_s(1);
    expect_ping(&tab);
}
END_TEST

/* Room for what else there is to do comes between the slices. */
START_TEST(pings_go_out_in_slices_and_each_once)
{
    static const char *const users[] = {"u0", "u1", "u2", "u3", "u4"};
    for (int i = 0; i < LENGTH(many); i++)
        socket_login(&many[i], users[i]);
    advance_ms(30000);
    ck_assert(sessions_due(&fake_relay, 2));
    expect_ping(&many[1]);
    expect_nothing(&many[2]);
    ck_assert(sessions_due(&fake_relay, 2));
    expect_ping(&many[3]);
    expect_nothing(&many[4]);
    ck_assert(!sessions_due(&fake_relay, 2));
    expect_ping(&many[4]);
    ck_assert(!sessions_due(&fake_relay, 2)); /* until the next heartbeat */
    advance_ms(29000);
    ck_assert(!sessions_due(&fake_relay, 2));
    expect_ping(&many[0]);
    expect_ping(&many[2]);
    for (int i = 0; i < LENGTH(many); i++)
        expect_nothing(&many[i]);
    close_many(LENGTH(many));
}
END_TEST

START_TEST(a_socket_that_breaks_at_its_ping_is_gone_and_no_other)
{
    login_up_to(SESSION_OPEN);
    socket_login(&many[0], "bob");
    tab.broken = true;
    advance_s(30);
    ck_assert(tab.gone);
    ck_assert_int_eq(fake_relay.sessions.count, 1);
    expect_ping(&many[0]);
    close_many(1);
}
END_TEST

/* ---- the token's end ---- */

static void expire_in(int seconds)
{
    session_set_expiry(tab.session, clock_wall_s() + seconds);
}

static const int lifetimes_s[] = {61, 90, 130, 300};

START_TEST(a_token_that_ends_is_announced_60_seconds_before_and_then_closes_with_4001)
{
    fake_config.heartbeat_s = 3600;
    login_up_to(SESSION_OPEN);
    expire_in(lifetimes_s[_i]);
    advance_s(lifetimes_s[_i] - 61);
    expect_nothing(&tab);
    advance_s(1);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":60}");
    advance_s(59);
    expect_nothing(&tab);
    advance_s(1);
    expect_close(&tab, 4001, "token expired");
}
END_TEST

START_TEST(a_token_with_less_than_a_minute_left_is_announced_at_once)
{
    login_up_to(SESSION_OPEN);
    expire_in(25);
    advance_s(1);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":24}");
    advance_s(23);
    expect_nothing(&tab);
    advance_s(1);
    expect_close(&tab, 4001, "token expired");
}
END_TEST

START_TEST(a_token_accepted_within_the_skew_ends_with_the_skew)
{
    login_up_to(SESSION_OPEN);
    expire_in(-10);
    advance_s(1);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":19}");
    advance_s(18);
    expect_nothing(&tab);
    advance_s(1);
    expect_close(&tab, 4001, "token expired");
}
END_TEST

START_TEST(pings_go_on_until_the_token_ends)
{
    login_up_to(SESSION_OPEN);
    expire_in(100);
    advance_s(30);
    expect_ping(&tab);
    session_heard(tab.session);
    advance_s(10);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":60}");
    advance_s(20);
    expect_ping(&tab);
    session_heard(tab.session);
    advance_s(30);
    expect_ping(&tab);
    session_heard(tab.session);
    advance_s(10);
    expect_close(&tab, 4001, "token expired");
}
END_TEST

START_TEST(a_wall_clock_that_jumps_does_not_move_the_end)
{
    login_up_to(SESSION_OPEN);
    expire_in(90);
    set_time(fake_now_ms, fake_wall_ms + 3600 * 1000);
    advance_s(29);
    expect_nothing(&tab);
    advance_s(1);
    expect_ping(&tab);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":60}");
}
END_TEST

START_TEST(a_new_token_in_time_keeps_the_session)
{
    login_up_to(SESSION_OPEN);
    expire_in(61);
    advance_s(1);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":60}");
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\",\"ref\":\"n\"}");
    answer_user("alice");
    end_turn();
    expect_json(&tab, "{\"type\":\"authenticated\",\"token_expires_at\":null,\"ref\":\"n\"}");
    fake_config.heartbeat_s = 3600;
    advance_s(29);
    expect_ping(&tab);
    advance_s(300);
    expect_state(SESSION_OPEN);
    expect_nothing(&tab);
}
END_TEST

START_TEST(the_next_tokens_end_is_announced_again)
{
    fake_config.heartbeat_s = 3600;
    login_up_to(SESSION_OPEN);
    expire_in(61);
    advance_s(1);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":60}");
    expire_in(100);
    advance_s(39);
    expect_nothing(&tab);
    advance_s(1);
    expect_json(&tab, "{\"type\":\"token_expiring\",\"expires_in\":60}");
}
END_TEST

static const struct {
    const char *token;
    const struct answer *answer; /* NULL: it does not come to a question */
    int code;
    const char *reason;
} renewals[] = {
    {"dummy-jwt-for-bob", &(struct answer){.rows = 1, .cells = {{"bob"}}}, 4001, "token of another user"},
    {"dummy-jwt-for-ali", &(struct answer){.rows = 1, .cells = {{"ali"}}}, 4001, "token of another user"},
    {"dummy-jwt-for-alicex", &(struct answer){.rows = 1, .cells = {{"alicex"}}}, 4001,
     "token of another user"},
    {"dummy-jwt-for-alice", &(struct answer){.rows = 1, .cells = {{NULL}}}, 4000, "unknown user"},
    {"garbage", NULL, 4000, "malformed token"},
};

START_TEST(a_new_token_must_be_good_and_of_the_same_user)
{
    char text[128];
    login_up_to(SESSION_OPEN);
    snprintf(text, sizeof(text), "{\"type\":\"authenticate\",\"token\":\"%s\"}", renewals[_i].token);
    send_text(&tab, text);
    if (renewals[_i].answer)
        answer_next(renewals[_i].answer);
    end_turn();
    expect_close(&tab, renewals[_i].code, renewals[_i].reason);
    ck_assert_uint_eq(fake_relay.router.users.count, 0);
}
END_TEST

START_TEST(a_new_token_that_cannot_be_checked_leaves_the_session_open)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\",\"ref\":\"n\"}");
    answer_next(NULL);
    end_turn();
    expect_json(&tab,
                "{\"type\":\"error\",\"code\":\"unavailable\",\"message\":\"*\",\"retry_after_ms\":1000,"
                "\"ref\":\"n\"}");
    send_text(&tab, LOGIN); /* and it may be tried again */
    answer_user("alice");
    end_turn();
    expect_json(&tab, "{\"type\":\"authenticated\",\"token_expires_at\":null}");
}
END_TEST

START_TEST(one_new_token_at_a_time)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, LOGIN);
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-bob\",\"ref\":\"2\"}");
    end_turn();
    expect_json(&tab, "{\"type\":\"error\",\"code\":\"bad_message\",\"message\":\"*\",\"ref\":\"2\"}");
    ck_assert_int_eq(fake_desk.count, 1);
    answer_user("alice");
    end_turn();
    expect_json(&tab, "{\"type\":\"authenticated\",\"token_expires_at\":null}");
}
END_TEST

static TCase *logins(void)
{
    TCase *tcase = tab_case("logins");
    tcase_add_test(tcase, a_session_logs_in_step_by_step);
    tcase_add_test(tcase, connected_comes_before_what_the_feed_brought_meanwhile);
    tcase_add_test(tcase, a_cursor_is_judged_when_the_login_is_done_not_before_the_feed_began);
    tcase_add_loop_test(tcase, a_cursor_that_is_none_of_the_present_history_is_told_everything, 0,
                        LENGTH(void_cursors));
    tcase_add_test(tcase, a_login_that_ends_is_told_nothing_but_why);
    tcase_add_loop_test(tcase, a_tab_is_told_its_whole_state_when_the_history_broke_while_it_logged_in, 0, 2);
    tcase_add_test(tcase, the_ref_of_authenticate_comes_back_in_connected);
    tcase_add_loop_test(tcase, a_first_message_without_a_good_token_ends_with_4000, 0,
                        LENGTH(first_messages));
    tcase_add_loop_test(tcase, a_user_that_is_not_found_or_cannot_be_asked_for_is_told_apart, 0,
                        LENGTH(refusals));
    tcase_add_test(tcase, a_login_that_cannot_be_counted_ends_with_1013);
    tcase_add_test(tcase, a_tab_that_joins_while_its_user_is_counted_waits_for_a_count_of_its_own);
    tcase_add_loop_test(tcase, an_answer_for_a_session_that_is_gone_is_a_miss, 0, 2);
    tcase_add_test(tcase, as_many_connections_as_configured_are_let_in_and_no_more);
    tcase_add_test(tcase, workers_share_the_limit_of_connections);
    tcase_add_test(tcase, an_address_gets_as_many_connections_as_configured_and_no_more);
    tcase_add_test(tcase, an_address_may_fail_as_often_as_configured_and_then_even_good_tokens_are_not_looked_at);
    tcase_add_test(tcase, the_failures_of_one_address_are_not_anothers);
    tcase_add_test(tcase, users_that_are_not_known_count_as_failures);
    tcase_add_test(tcase, an_open_session_that_renews_its_token_is_told_to_wait_and_not_ended);
    tcase_add_test(tcase, a_user_gets_as_many_tabs_as_configured_and_no_more);
    tcase_add_test(tcase, a_relay_that_stops_lets_nobody_in);
    return tcase;
}

static TCase *deadlines(void)
{
    TCase *tcase = tab_case("deadlines");
    tcase_add_loop_test(tcase, a_login_has_its_time_and_no_more, 0, LENGTH(patiences));
    tcase_add_test(tcase, a_login_that_was_quick_is_not_ended_later);
    tcase_add_loop_test(tcase, a_peer_that_does_not_answer_the_close_is_cut_off_after_5_seconds, 0, 2);
    tcase_add_test(tcase, an_open_session_is_pinged_and_ended_after_two_missed);
    tcase_add_loop_test(tcase, any_sign_of_life_answers_a_ping, 0, 3);
    tcase_add_test(tcase, a_tab_is_pinged_during_a_catch_up_that_lasts);
    tcase_add_test(tcase, a_tab_that_takes_nothing_for_two_heartbeats_is_ended_whatever_it_sends);
    tcase_add_test(tcase, a_slow_tab_that_takes_some_bytes_is_neither_pinged_nor_ended);
    tcase_add_test(tcase, pings_missed_behind_a_full_socket_are_forgiven_when_it_moves);
    tcase_add_test(tcase, the_heartbeat_is_the_configured_one);
    tcase_add_test(tcase, pings_go_out_in_slices_and_each_once);
    tcase_add_test(tcase, a_socket_that_breaks_at_its_ping_is_gone_and_no_other);
    tcase_add_loop_test(tcase, a_token_that_ends_is_announced_60_seconds_before_and_then_closes_with_4001, 0,
                        LENGTH(lifetimes_s));
    tcase_add_test(tcase, a_token_with_less_than_a_minute_left_is_announced_at_once);
    tcase_add_test(tcase, a_token_accepted_within_the_skew_ends_with_the_skew);
    tcase_add_test(tcase, pings_go_on_until_the_token_ends);
    tcase_add_test(tcase, a_wall_clock_that_jumps_does_not_move_the_end);
    tcase_add_test(tcase, a_new_token_in_time_keeps_the_session);
    tcase_add_test(tcase, the_next_tokens_end_is_announced_again);
    tcase_add_loop_test(tcase, a_new_token_must_be_good_and_of_the_same_user, 0, LENGTH(renewals));
    tcase_add_test(tcase, a_new_token_that_cannot_be_checked_leaves_the_session_open);
    tcase_add_test(tcase, one_new_token_at_a_time);
    return tcase;
}

int main(void)
{
    TCase *const cases[] = {logins(), deadlines()};
    return run_cases("session", cases, LENGTH(cases));
}
