/* A session that is an HTTP response: nothing before its login is decided, then a status; its heartbeat and its end. */
#include "fake_tab.h"
#include "login.h"
#include "message.h"
#include "run_suite.h"
#include "stream.h"

#define PAGE "https://app.example.org"
#define FURTHER "Further: field\r\n"

static void open_stream(const char *origin)
{
    tab = (struct fake_socket){.writes_left = -1};
    tab.session = session_open(&fake_relay, &tab, (struct net_address){0}, stream_new(&fake_door, origin, FURTHER));
}

static void begin_login(void)
{
    login_start(tab.session, TEXT("dummy-jwt-for-alice"), (struct text){0}, "");
    answer_user("alice");
    end_turn();
}

/* Everything written so far, which is taken. */
static const char *written(void)
{
    static char text[8192];
    ck_assert_uint_lt(tab.size, sizeof(text));
    memcpy(text, tab.bytes, tab.size);
    text[tab.size] = '\0';
    tab.size = 0;
    return text;
}

static void expect_written(const char *expected)
{
    ck_assert_str_eq(written(), expected);
}

static void expect_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no %s in %s", part, text);
}

static void log_in(const char *origin)
{
    open_stream(origin);
    begin_login();
    answer_count("alice", "0");
    end_turn();
    expect_state(SESSION_OPEN);
}

START_TEST(streams_are_counted_apart_from_websockets)
{
    const struct sessions *sessions = &fake_relay.sessions;
    log_in("");
    ck_assert_int_eq(sessions->by_state[SESSION_SSE][SESSION_OPEN], 1);
    ck_assert_int_eq(sessions->by_state[SESSION_WEBSOCKET][SESSION_OPEN], 0);
    session_end(tab.session, END_SHUTDOWN);
    ck_assert_int_eq(sessions->by_state[SESSION_SSE][SESSION_ENDING], 1);
    socket_close(&tab);
    for (int i = 0; i < SESSION_STATES; i++)
        ck_assert_int_eq(sessions->by_state[SESSION_SSE][i], 0);
    ck_assert_uint_eq(sessions->opened[SESSION_SSE], 1);
    ck_assert_uint_eq(sessions->opened[SESSION_WEBSOCKET], 0);
}
END_TEST

START_TEST(nothing_is_written_before_the_login_is_decided)
{
    open_stream(PAGE);
    end_turn();
    expect_nothing(&tab);
    begin_login();
    expect_nothing(&tab);
    answer_count("alice", "0");
    end_turn();
    const char *text = written();
    expect_has(text, "HTTP/1.1 200 OK\r\n");
    expect_has(text, "\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\nretry: ");
    expect_has(text, "\r\nAccess-Control-Allow-Origin: " PAGE "\r\n");
    expect_has(text, "\r\n" FURTHER);
    expect_has(text, "\n\nid: " FAKE_CURSOR "\ndata: {\"type\":\"connected\",");
}
END_TEST

START_TEST(what_came_during_the_login_follows_connected)
{
    open_stream("");
    begin_login();
    session_push(tab.session, message_unread_count(7, FAKE_CURSOR, ""));
    end_turn();
    expect_nothing(&tab);
    answer_count("alice", "0");
    end_turn();
    const char *connected = strstr(written(), "\"connected\"");
    ck_assert_ptr_nonnull(connected);
    expect_has(connected, "\n\nid: " FAKE_CURSOR "\ndata: {\"type\":\"unread_count\",\"count\":7,");
}
END_TEST

static const struct {
    enum end_reason reason;
    const char *status, *field, *member;
} refusals[] = {
    {END_NO_TOKEN, "401 Unauthorized", "WWW-Authenticate: Bearer\r\n", "\"code\":\"no_token\",\"close_code\":4000"},
    {END_TOKEN_MALFORMED, "401 Unauthorized", "error=\"invalid_token\"", "\"close_code\":4000"},
    {END_TOKEN_EXPIRED, "401 Unauthorized", "error=\"invalid_token\"", "\"detail\":\"token expired\""},
    {END_NO_USER, "403 Forbidden", "", "\"code\":\"unknown_user\",\"close_code\":4000"},
    {END_DISCONNECTED, "403 Forbidden", "", "\"close_code\":4002"},
    {END_TOO_MANY_TABS, "429 Too Many Requests", "Retry-After: 1\r\n", "\"close_code\":4029"},
    {END_ADDRESS_FULL, "429 Too Many Requests", "Retry-After: 1\r\n", "\"code\":\"address_full\""},
    {END_AUTH_FAILURES, "429 Too Many Requests", "Retry-After: 1\r\n", "\"code\":\"auth_failures\""},
    {END_CAPACITY, "503 Service Unavailable", "Retry-After: 1\r\n", "\"close_code\":1013"},
    {END_UNAVAILABLE, "503 Service Unavailable", "Retry-After: 1\r\n", "\"code\":\"unavailable\""},
    {END_SHUTDOWN, "503 Service Unavailable", "Retry-After: 1\r\n", "\"close_code\":1001"},
};

START_TEST(who_may_not_pass_gets_a_status_and_the_end)
{
    open_stream(PAGE);
    session_end(tab.session, refusals[_i].reason);
    end_turn();
    ck_assert(tab.gone);
    const char *text = written();
    char line[64], length[48];
    snprintf(line, sizeof(line), "HTTP/1.1 %s\r\n", refusals[_i].status);
    ck_assert_int_eq(strncmp(text, line, strlen(line)), 0);
    expect_has(text, refusals[_i].field);
    expect_has(text, "\r\nAccess-Control-Allow-Origin: " PAGE "\r\n");
    expect_has(text, "\r\n" FURTHER);
    expect_has(text, "\r\nContent-Type: application/problem+json\r\n");
    const char *body = strstr(text, "\r\n\r\n") + 4;
    snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(body));
    expect_has(text, length);
    json_t *problem = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(problem, "status")), atoi(refusals[_i].status));
    json_decref(problem);
    expect_has(body, refusals[_i].member);
}
END_TEST

START_TEST(what_waits_behind_connected_is_not_in_a_refusal)
{
    open_stream("");
    begin_login();
    session_push(tab.session, message_unread_count(7, FAKE_CURSOR, ""));
    session_end(tab.session, END_DISCONNECTED);
    end_turn();
    ck_assert(tab.gone);
    const char *text = written();
    ck_assert_int_eq(strncmp(text, "HTTP/1.1 403 ", 13), 0);
    ck_assert_ptr_null(strstr(text, "unread_count"));
}
END_TEST

START_TEST(the_end_is_an_event_and_only_a_final_one_has_the_id_for_it)
{
    static const struct {
        enum end_reason reason;
        const char *event;
    } ends[] = {
        {END_DISCONNECTED, "event: close\nid: closed\ndata: {\"code\":4002,\"reason\":\"disconnected by the application\"}\n\n"},
        {END_TOKEN_EXPIRED, "event: close\ndata: {\"code\":4001,\"reason\":\"token expired\"}\n\n"},
        {END_SHUTDOWN, "event: close\ndata: {\"code\":1001,\"reason\":\"server is shutting down\"}\n\n"},
    };
    for (int i = 0; i < LENGTH(ends); i++) {
        log_in("");
        written();
        session_end(tab.session, ends[i].reason);
        end_turn();
        ck_assert(tab.gone);
        expect_written(ends[i].event);
        socket_close(&tab);
    }
}
END_TEST

START_TEST(an_end_that_the_socket_does_not_take_is_waited_for_and_then_cut)
{
    log_in("");
    written();
    tab.writes_left = 0;
    session_end(tab.session, END_DISCONNECTED);
    end_turn();
    ck_assert(!tab.gone);
    advance_s(SESSION_CLOSE_SECONDS + 1);
    ck_assert(tab.gone);
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_stream_that_takes_its_comments_is_never_ended)
{
    log_in("");
    written();
    for (uint32_t beat = 1; beat <= 5; beat++) {
        tab.taken = beat;
        advance_s(fake_config.heartbeat_s);
        expect_written(": alive\n\n");
    }
    expect_state(SESSION_OPEN);
}
END_TEST

START_TEST(comments_come_during_a_catch_up_that_lasts)
{
    log_in("");
    written();
    resume_start(tab.session, TEXT(FAKE_CURSOR), "");
    for (uint32_t beat = 1; beat <= 3; beat++) {
        tab.taken = beat;
        advance_s(fake_config.heartbeat_s);
        expect_written(": alive\n\n");
    }
    ck_assert_ptr_nonnull(tab.session->replay);
}
END_TEST

START_TEST(a_stream_that_takes_nothing_for_two_heartbeats_is_ended)
{
    log_in("");
    written();
    tab.taken = 99;
    advance_s(fake_config.heartbeat_s); /* the first comment */
    advance_s(fake_config.heartbeat_s);
    ck_assert(!tab.gone);
    advance_s(fake_config.heartbeat_s);
    ck_assert(tab.gone);
    expect_has(written(), "\"nothing was taken\"");
}
END_TEST

/* Of a unix socket the kernel says what the peer has not read yet. */
START_TEST(a_proxy_that_has_read_all_has_not_stalled)
{
    log_in("");
    tab.taken = 0;
    for (int beat = 0; beat < 5; beat++)
        advance_s(fake_config.heartbeat_s);
    expect_state(SESSION_OPEN);
}
END_TEST

START_TEST(a_stream_and_a_websocket_share_a_frame_and_get_their_own_form)
{
    struct fake_socket other;
    log_in("");
    written();
    socket_login(&other, "alice");
    struct frame *frame = message_unread_count(1, FAKE_CURSOR, "");
    session_push_shared(tab.session, frame);
    session_push_shared(other.session, frame);
    ck_assert_uint_eq(frame->refs, 2);
    ck_assert_uint_eq(frame->event->refs, 2);
    frame_drop(frame);
    end_turn();
    expect_has(written(), "data: {\"type\":\"unread_count\",\"count\":1,\"cursor\":\"" FAKE_CURSOR "\"}\n\n");
    expect_json(&other, "{\"type\":\"unread_count\",\"count\":1,\"cursor\":\"" FAKE_CURSOR "\"}");
    socket_close(&other);
}
END_TEST

START_TEST(a_stream_that_is_behind_is_caught_up)
{
    log_in("");
    written();
    tab.writes_left = 0;
    session_push(tab.session, frame_of(9000));
    session_push(tab.session, frame_of(9000));
    ck_assert(tab.session->dirty);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_query(DESK_RESUME);
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "e"}}});
    end_turn();
    expect_written("id: " FAKE_CURSOR "\ndata: {\"type\":\"resumed\",\"count\":0,\"cursor\":\"" FAKE_CURSOR "\"}\n\n");
}
END_TEST

START_TEST(draining_says_when_to_come_back)
{
    log_in("");
    written();
    fake_relay.stopping = true;
    drain_start(&fake_relay, 8000);
    end_turn();
    const char *text = written();
    long ms = strtol(text + strlen("retry: "), NULL, 10);
    char expected[128];
    snprintf(expected, sizeof(expected), "retry: %ld\n\ndata: {\"type\":\"draining\",\"retry_after_ms\":%ld}\n\n", ms, ms);
    ck_assert_str_eq(text, expected);
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("streams");
    tcase_add_test(tcase, nothing_is_written_before_the_login_is_decided);
    tcase_add_test(tcase, what_came_during_the_login_follows_connected);
    tcase_add_loop_test(tcase, who_may_not_pass_gets_a_status_and_the_end, 0, LENGTH(refusals));
    tcase_add_test(tcase, what_waits_behind_connected_is_not_in_a_refusal);
    tcase_add_test(tcase, the_end_is_an_event_and_only_a_final_one_has_the_id_for_it);
    tcase_add_test(tcase, an_end_that_the_socket_does_not_take_is_waited_for_and_then_cut);
    tcase_add_test(tcase, a_stream_that_takes_its_comments_is_never_ended);
    tcase_add_test(tcase, comments_come_during_a_catch_up_that_lasts);
    tcase_add_test(tcase, a_stream_that_takes_nothing_for_two_heartbeats_is_ended);
    tcase_add_test(tcase, a_proxy_that_has_read_all_has_not_stalled);
    tcase_add_test(tcase, a_stream_and_a_websocket_share_a_frame_and_get_their_own_form);
    tcase_add_test(tcase, a_stream_that_is_behind_is_caught_up);
    tcase_add_test(tcase, draining_says_when_to_come_back);
    tcase_add_test(tcase, streams_are_counted_apart_from_websockets);
    return run_suite("streams", tcase);
}
