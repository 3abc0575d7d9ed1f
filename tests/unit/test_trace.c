/* What a process answers when it is asked about a user, and what it takes for no question. */
#include <string.h>

#include "fake_tab.h"
#include "run_suite.h"
#include "trace.h"

#define TRACE "926f5a44-7bea-4a4c-9d51-7eedbef93b36"

static void ask(const char *address, const char *body)
{
    struct change message = {.kind = CHANGE_MESSAGE, .user = text_of(address), .body = text_of(body)};
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &message);
}

/* The answer at the desk; the caller drops it. */
static json_t *expect_answer(void)
{
    const struct desk_query *query = expect_query(DESK_TRACE);
    ck_assert_str_eq(query->values[0], TRACE);
    ck_assert(query->once);
    json_t *answer = json_loads(query->values[1], JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(answer);
    answer_next(NULL);
    ck_assert_int_eq(fake_desk.count, 0);
    return answer;
}

static json_t *expect_one_session(const char *state, json_int_t waiting_bytes, bool busy)
{
    ask("(trace " TRACE ")", "\"alice\"");
    json_t *answer = expect_answer();
    json_t *session = json_array_get(json_object_get(answer, "sessions"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "tabs")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(session, "state")), state);
    ck_assert_int_eq(json_integer_value(json_object_get(session, "waiting_bytes")), waiting_bytes);
    ck_assert_int_eq(json_is_true(json_object_get(session, "busy")), busy);
    ck_assert_int_eq(json_integer_value(json_object_get(session, "session")), (json_int_t)tab.session->id);
    return answer;
}

START_TEST(a_question_is_answered_with_the_users_sessions)
{
    login_up_to(SESSION_OPEN);
    fake_relay.router.live = true;
    json_t *answer = expect_one_session("open", 0, false);
    ck_assert(json_is_true(json_object_get(answer, "live")));
    ck_assert(json_is_false(json_object_get(answer, "stopping")));
    json_decref(answer);
    expect_nothing(&tab);
}
END_TEST

START_TEST(what_was_handed_on_in_the_same_turn_is_written_before_it_is_told)
{
    login_up_to(SESSION_OPEN);
    session_push(tab.session, frame_of(500));
    json_decref(expect_one_session("open", 0, false));
    expect_size(500);
}
END_TEST

START_TEST(a_socket_that_takes_nothing_is_told_with_what_waits_for_it)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(500));
    json_decref(expect_one_session("open", 500, true));
    session_push(tab.session, frame_of(9800)); /* over queue_bytes: both are dropped */
    json_decref(expect_one_session("behind", 0, true));
}
END_TEST

START_TEST(a_login_that_is_not_over_is_told)
{
    login_up_to(SESSION_LOGIN);
    answer_user("alice");
    expect_state(SESSION_JOINED);
    ask("(trace " TRACE ")", "\"alice\"");
    json_t *answer = expect_answer();
    json_t *session = json_array_get(json_object_get(answer, "sessions"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(session, "state")), "login");
    json_decref(answer);
    end_turn();
    answer_count("alice", "0");
    end_turn();
    expect_connected(&tab, "alice", 0);
}
END_TEST

START_TEST(somebody_who_is_not_here_has_no_sessions)
{
    login_up_to(SESSION_OPEN);
    ask("(trace " TRACE ")", "\"bob\"");
    json_t *answer = expect_answer();
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "tabs")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "sessions")), 0);
    json_decref(answer);
}
END_TEST

START_TEST(sessions_are_told_up_to_a_bound_and_all_counted)
{
    enum { TABS = TRACE_SESSIONS_MAX + 1 };
    static struct fake_socket tabs[TABS];
    fake_config.max_connections = fake_config.max_connections_per_user = TABS;
    for (int i = 0; i < TABS; i++)
        socket_login(&tabs[i], "alice");
    ask("(trace " TRACE ")", "\"alice\"");
    json_t *answer = expect_answer();
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "tabs")), TABS);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "sessions")), TRACE_SESSIONS_MAX);
    char *text = json_dumps(answer, JSON_COMPACT);
    ck_assert_uint_le(strlen(text), 65536); /* what herald.relay_trace_answer takes */
    free(text);
    json_decref(answer);
    for (int i = 0; i < TABS; i++)
        socket_close(&tabs[i]);
}
END_TEST

START_TEST(what_is_no_question_is_not_answered)
{
    static const char *const addresses[] = {"bob",
                                            "(trace )",
                                            "(trace " TRACE,
                                            "(trace " TRACE ") ",
                                            "(answer " TRACE ")",
                                            "(trace 926f5a44-7bea-4a4c-9d51-7eedbef93b3x)"};
    static const char *const bodies[] = {"{\"type\":\"x\"}", "alice",      "", "null",
                                         "[\"alice\"]",      "\"a\\u0000b"};
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < LENGTH(addresses); i++)
        ask(addresses[i], "\"alice\"");
    for (int i = 0; i < LENGTH(bodies); i++)
        ask("(trace " TRACE ")", bodies[i]);
    ck_assert_int_eq(fake_desk.count, 0);
    expect_nothing(&tab);
}
END_TEST

int main(void)
{
    TCase *tests = tab_case("trace");
    tcase_add_test(tests, a_question_is_answered_with_the_users_sessions);
    tcase_add_test(tests, what_was_handed_on_in_the_same_turn_is_written_before_it_is_told);
    tcase_add_test(tests, a_socket_that_takes_nothing_is_told_with_what_waits_for_it);
    tcase_add_test(tests, a_login_that_is_not_over_is_told);
    tcase_add_test(tests, somebody_who_is_not_here_has_no_sessions);
    tcase_add_test(tests, sessions_are_told_up_to_a_bound_and_all_counted);
    tcase_add_test(tests, what_is_no_question_is_not_answered);
    return run_suite("trace", tests);
}
