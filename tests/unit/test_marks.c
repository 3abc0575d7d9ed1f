/* Write-backs: one statement a turn, one answer each, and the feed's echo of a tab's own mark neither twice
 * nor before its answer. */
#include "fake_relay.h"
#include "run_suite.h"

#include <stdio.h>

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define ID_2 "fedcba98-7654-3210-fedc-ba9876543210"
#define MARK(id, ref) "{\"type\":\"mark_read\",\"notification_id\":\"" id "\"" ref "}"
#define REF(ref) ",\"ref\":\"" ref "\""
#define BODY(version) "{\"id\":\"" ID "\",\"is_read\":true,\"version\":" version "}"
#define UNREAD(version) "{\"id\":\"" ID "\",\"is_read\":false,\"version\":" version "}"
#define UPDATED_WITH(body, ref)                                                                              \
    "{\"type\":\"notification_updated\",\"notification_id\":\"" ID                                           \
    "\",\"success\":true,\"notification\":" body ",\"cursor\":\"" FAKE_CURSOR "\"" ref "}"
#define UPDATED(version, ref) UPDATED_WITH(BODY(version), ref)
#define DELETED                                                                                              \
    "{\"type\":\"notification_deleted\",\"notification_id\":\"" ID "\",\"cursor\":\"" FAKE_CURSOR "\"}"
#define FAILED(id, code, ref)                                                                                \
    "{\"type\":\"notification_updated\",\"notification_id\":\"" id "\",\"success\":false,\"code\":\"" code   \
    "\"" ref "}"

static struct fake_socket tab, other;

static void start(void)
{
    fake_relay_start();
    socket_login(&tab, "alice");
    socket_login(&other, "alice");
}

static void stop(void)
{
    socket_close(&tab);
    socket_close(&other);
    end_turn();
    while (fake_desk.count) {
        answer_next(NULL);
        end_turn();
    }
    advance_s(MARKS_ECHO_SECONDS + 1);
    ck_assert(marks_idle(&fake_relay.marks));
    ck_assert_ptr_null(fake_relay.marks.by_key); /* no mark outlives its echo's time */
    fake_relay_stop();
}

static void mark(const char *text)
{
    send_text(&tab, text);
    end_turn();
}

static void answer_marked(const char *owner, const char *version, const char *body)
{
    expect_query(DESK_MARK_READ);
    answer_next(&(struct answer){.rows = 1, .cells = {{owner, ID, version, body}}});
    sessions_flush(&fake_relay.sessions, INT_MAX);
}

static void feed(enum change_kind kind, int version, const char *body)
{
    struct change change = {.kind = kind,
                            .user = TEXT("alice"),
                            .version = version,
                            .body = text_of(body),
                            .cursor = FAKE_CURSOR};
    ck_assert(uuid_parse(ID, sizeof(ID) - 1, &change.id));
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
    sessions_flush(&fake_relay.sessions, INT_MAX);
}

START_TEST(a_mark_is_written_for_its_user_and_answered_with_the_new_state)
{
    mark(MARK(ID, REF("r")));
    const struct desk_query *query = expect_query(DESK_MARK_READ);
    ck_assert_str_eq(query->values[0], "{\"alice\"}");
    ck_assert_str_eq(query->values[1], "{\"" ID "\"}");
    expect_nothing(&tab); /* not before the commit */
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", REF("r")));
    expect_nothing(&tab);
    expect_nothing(&other); /* it hears of it from the feed */
}
END_TEST

static const struct {
    const char *name, *owner; /* NULL: no row at all */
} not_found[] = {
    {"no such row", NULL}, {"another's", "bob"}, {"a longer id", "alice2"}, {"a shorter id", "alic"}};

START_TEST(what_is_not_the_users_is_not_found)
{
    mark(MARK(ID, REF("r")));
    if (not_found[_i].owner) {
        answer_marked(not_found[_i].owner, "2", BODY("2"));
    } else {
        answer_next(&(struct answer){.rows = 0});
        sessions_flush(&fake_relay.sessions, INT_MAX);
    }
    expect_json(&tab, FAILED(ID, "not_found", REF("r")));
    expect_nothing(&tab);
}
END_TEST

START_TEST(each_id_of_one_message_gets_its_own_answer)
{
    mark("{\"type\":\"mark_read\",\"notification_ids\":[\"" ID_2 "\",\"" ID "\"],\"ref\":\"r\"}");
    ck_assert_str_eq(expect_query(DESK_MARK_READ)->values[0], "{\"alice\",\"alice\"}");
    ck_assert_str_eq(expect_query(DESK_MARK_READ)->values[1], "{\"" ID_2 "\",\"" ID "\"}");
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, FAILED(ID_2, "not_found", REF("r")));
    expect_json(&tab, UPDATED("2", REF("r")));
    expect_nothing(&tab);
}
END_TEST

START_TEST(an_id_asked_for_twice_is_answered_twice)
{
    mark("{\"type\":\"mark_read\",\"notification_ids\":[\"" ID "\",\"" ID "\"]}");
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", ""));
    expect_json(&tab, UPDATED("2", ""));
    feed(CHANGE_UPDATED, 2, BODY("2"));
    expect_nothing(&tab);
    expect_json(&other, UPDATED("2", ""));
}
END_TEST

START_TEST(marks_of_one_turn_share_a_statement_and_the_next_waits_for_it)
{
    send_text(&tab, MARK(ID, REF("1")));
    send_text(&other, MARK(ID_2, REF("2")));
    end_turn();
    ck_assert_int_eq(fake_desk.count, 1);
    ck_assert_str_eq(expect_query(DESK_MARK_READ)->values[1], "{\"" ID "\",\"" ID_2 "\"}");
    mark(MARK(ID_2, REF("3")));
    ck_assert_int_eq(fake_desk.count, 1);
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", REF("1")));
    expect_json(&other, FAILED(ID_2, "not_found", REF("2")));
    end_turn();
    ck_assert_str_eq(expect_query(DESK_MARK_READ)->values[1], "{\"" ID_2 "\"}");
}
END_TEST

START_TEST(the_echo_behind_the_answer_is_kept_from_the_asker_only)
{
    mark(MARK(ID, ""));
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", ""));
    feed(CHANGE_UPDATED, 2, BODY("2"));
    expect_nothing(&tab);
    expect_json(&other, UPDATED("2", ""));
    ck_assert_ptr_null(fake_relay.marks.by_key); /* the echo was all it waited for */
}
END_TEST

START_TEST(an_echo_before_the_result_is_the_answer_and_the_only_one)
{
    mark(MARK(ID, REF("r")));
    feed(CHANGE_UPDATED, 2, BODY("2"));
    expect_json(&tab, UPDATED("2", REF("r")));
    expect_json(&other, UPDATED("2", ""));
    feed(CHANGE_UPDATED, 2, BODY("2")); /* the feed looked again after a break */
    if (_i)
        answer_marked("alice", "2", BODY("2"));
    else
        answer_next(NULL); /* lost, but it was committed */
    sessions_flush(&fake_relay.sessions, INT_MAX);
    expect_nothing(&tab);
    ck_assert_ptr_null(fake_relay.marks.by_key);
}
END_TEST

/* Held back it could be lost: later frames have cursors past it. */
START_TEST(what_the_feed_says_before_the_answer_is_told_at_once)
{
    mark(MARK(ID, REF("r")));
    feed(CHANGE_UPDATED, 2, UNREAD("2"));
    expect_json(&tab, UPDATED_WITH(UNREAD("2"), ""));
    feed(CHANGE_UPDATED, 4, BODY("4"));
    expect_json(&tab, UPDATED("4", REF("r")));
    feed(CHANGE_UPDATED, 5, UNREAD("5"));
    expect_json(&tab, UPDATED_WITH(UNREAD("5"), ""));
    answer_marked("alice", "3", BODY("3"));
    expect_nothing(&tab);
}
END_TEST

START_TEST(an_unread_state_before_the_answer_is_none_and_the_echo_still_waited_for)
{
    mark(MARK(ID, ""));
    feed(CHANGE_UPDATED, 2, UNREAD("2"));
    expect_json(&tab, UPDATED_WITH(UNREAD("2"), ""));
    answer_marked("alice", "3", BODY("3"));
    expect_json(&tab, UPDATED("3", ""));
    feed(CHANGE_UPDATED, 3, BODY("3"));
    expect_nothing(&tab);
    feed(CHANGE_UPDATED, 4, BODY("4"));
    expect_json(&tab, UPDATED("4", ""));
}
END_TEST

START_TEST(a_newer_state_behind_the_answer_passes)
{
    mark(MARK(ID, ""));
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", ""));
    feed(CHANGE_UPDATED, 1, BODY("1")); /* on its way when it was marked */
    expect_nothing(&tab);
    feed(CHANGE_UPDATED, 3, BODY("3"));
    expect_json(&tab, UPDATED("3", ""));
}
END_TEST

START_TEST(a_row_that_ends_before_the_answer_is_not_found_and_not_brought_back)
{
    mark(MARK(ID, REF("r")));
    feed(CHANGE_NEW, 1, UNREAD("1"));
    expect_json(&tab, "{\"type\":\"new_notification\",\"notification\":" UNREAD(
                          "1") ",\"cursor\":\"" FAKE_CURSOR "\"}");
    feed(CHANGE_DELETED, 0, NULL);
    expect_json(&tab, DELETED);
    if (_i) { /* it comes back, with versions of its own */
        feed(CHANGE_NEW, 1, UNREAD("1"));
        expect_json(&tab, "{\"type\":\"new_notification\",\"notification\":" UNREAD(
                              "1") ",\"cursor\":\"" FAKE_CURSOR "\"}");
    }
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, FAILED(ID, "not_found", REF("r")));
    expect_nothing(&tab);
    ck_assert_ptr_null(fake_relay.marks.by_key);
}
END_TEST

START_TEST(a_row_that_ends_behind_the_answer_is_told_so)
{
    mark(MARK(ID, REF("r")));
    if (_i)
        feed(CHANGE_UPDATED, 2, BODY("2"));
    else
        answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", REF("r")));
    feed(CHANGE_DELETED, 0, NULL);
    expect_json(&tab, DELETED);
    if (_i)
        answer_marked("alice", "2", BODY("2"));
    expect_nothing(&tab);
    ck_assert_ptr_null(fake_relay.marks.by_key);
}
END_TEST

START_TEST(an_answer_that_failed_after_an_unread_state_says_so)
{
    mark(MARK(ID, REF("r")));
    feed(CHANGE_UPDATED, 2, UNREAD("2"));
    expect_json(&tab, UPDATED_WITH(UNREAD("2"), ""));
    answer_next(_i ? &(struct answer){.rows = 0} : NULL);
    sessions_flush(&fake_relay.sessions, INT_MAX);
    expect_json(&tab, _i ? FAILED(ID, "not_found", REF("r")) : FAILED(ID, "unavailable", REF("r")));
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_mark_under_way_while_all_is_told_anew_has_to_be_asked_again)
{
    struct change_sink sink = relay_sink(&fake_relay);
    mark(MARK(ID, REF("r")));
    sink.resync(sink.owner, FAKE_CURSOR);
    answer_marked("alice", "2", BODY("2")); /* perhaps the row has gone since */
    expect_query(DESK_PAGES);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]"}}});
    sessions_flush(&fake_relay.sessions, INT_MAX);
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    expect_json(&tab, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                      "\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_json(&tab, FAILED(ID, "unavailable", REF("r")));
    expect_nothing(&tab);
}
END_TEST

START_TEST(an_echo_is_no_longer_waited_for_when_all_is_told_anew)
{
    struct change_sink sink = relay_sink(&fake_relay);
    mark(MARK(ID, ""));
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", ""));
    sink.resync(sink.owner, FAKE_CURSOR);
    ck_assert_int_eq(tab.session->marks, 0); /* in another history that version may be another state */
    ck_assert_ptr_null(fake_relay.marks.by_key);
}
END_TEST

START_TEST(a_second_mark_of_a_row_that_ended_meanwhile_does_not_bring_it_back)
{
    send_text(&tab, MARK(ID, REF("a")));
    mark(MARK(ID, REF("b")));
    feed(CHANGE_DELETED, 0, NULL);
    expect_json(&tab, DELETED);
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, FAILED(ID, "not_found", REF("a")));
    expect_json(&tab, FAILED(ID, "unavailable", REF("b")));
    expect_nothing(&tab);
}
END_TEST

START_TEST(an_echo_that_never_comes_is_forgotten_after_its_time)
{
    mark(MARK(ID, "")); /* was read before: nothing changed, no echo */
    answer_marked("alice", "2", BODY("2"));
    expect_json(&tab, UPDATED("2", ""));
    advance_s(MARKS_ECHO_SECONDS);
    ck_assert_int_eq(tab.session->marks, 1);
    advance_s(1);
    ck_assert_int_eq(tab.session->marks, 0);
    ck_assert_ptr_null(fake_relay.marks.by_key);
}
END_TEST

START_TEST(a_row_that_is_locked_is_tried_once_more)
{
    static const char *const states[] = {"40P01", "55P03"};
    mark(MARK(ID, REF("r")));
    answer_next(&(struct answer){.error = states[_i]});
    ck_assert_str_eq(expect_query(DESK_MARK_READ)->values[1], "{\"" ID "\"}");
    expect_nothing(&tab);
    answer_next(&(struct answer){.error = states[_i]});
    sessions_flush(&fake_relay.sessions, INT_MAX);
    expect_json(&tab, FAILED(ID, "unavailable", REF("r")));
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(a_statement_that_failed_is_answered_for_every_mark)
{
    const struct answer *const answers[] = {NULL, &(struct answer){.error = "57014"}};
    mark("{\"type\":\"mark_read\",\"notification_ids\":[\"" ID "\",\"" ID_2 "\"]}");
    answer_next(answers[_i]);
    sessions_flush(&fake_relay.sessions, INT_MAX);
    expect_json(&tab, FAILED(ID, "unavailable", ""));
    expect_json(&tab, FAILED(ID_2, "unavailable", ""));
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(a_mark_of_a_tab_that_is_gone_is_still_written)
{
    send_text(&tab, MARK(ID, ""));
    socket_close(&tab);
    end_turn();
    feed(CHANGE_UPDATED, 2, BODY("2"));
    answer_marked("alice", "2", BODY("2"));
    expect_json(&other, UPDATED("2", ""));
    expect_nothing(&other);
    ck_assert_ptr_null(fake_relay.marks.by_key);
}
END_TEST

START_TEST(marks_that_pile_up_are_refused_at_the_bound)
{
    fake_relay.marks.queued_count = DESK_QUEUE_MAX - 1;
    mark("{\"type\":\"mark_read\",\"notification_ids\":[\"" ID "\",\"" ID_2 "\"],\"ref\":\"r\"}");
    expect_json(&tab,
                "{\"type\":\"error\",\"code\":\"unavailable\",\"message\":\"*\",\"retry_after_ms\":1000,"
                "\"ref\":\"r\"}");
    ck_assert_int_eq(fake_desk.count, 0);
    send_text(&tab, MARK(ID, ""));
    ck_assert_int_eq(fake_relay.marks.queued_count, DESK_QUEUE_MAX);
    fake_relay.marks.queued_count = 1;
}
END_TEST

START_TEST(a_statement_takes_1000_marks_and_the_rest_the_next)
{
    fake_config.rate_limit.burst = 100;
    fake_config.max_message_bytes = 8192;
    for (int i = 0; i < 11; i++) {
        char text[8192], *at = text + sprintf(text, "{\"type\":\"mark_read\",\"notification_ids\":[");
        for (int j = 0; j < 100; j++)
            at += sprintf(at, "%s\"01234567-89ab-cdef-0123-%012x\"", j ? "," : "", (unsigned)(i * 100 + j));
        strcpy(at, "]}");
        send_text(&tab, text);
    }
    end_turn();
    size_t one = strlen(",\"" ID "\"");
    ck_assert_uint_eq(strlen(expect_query(DESK_MARK_READ)->values[1]), MARKS_BATCH_MAX * one + 1);
    answer_next(&(struct answer){.rows = 0});
    end_turn();
    ck_assert_uint_eq(strlen(expect_query(DESK_MARK_READ)->values[1]), 100 * one + 1);
    answer_next(&(struct answer){.rows = 0});
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
    ck_assert_int_eq(tab.session->marks, 0);
}
END_TEST

/* ---- mark_all_read ---- */

static const struct {
    const char *text, *time, *xid;
} alls[] = {
    {"{\"type\":\"mark_all_read\",\"ref\":\"r\"}", NULL, NULL},
    {"{\"type\":\"mark_all_read\",\"ref\":\"r\",\"until\":\"2024-05-01T10:00:00Z\"}", "2024-05-01T10:00:00Z",
     NULL},
    {"{\"type\":\"mark_all_read\",\"ref\":\"r\",\"until\":\"deadbeef-18446744073709551615\"}", NULL,
     "18446744073709551615"},
};

static void expect_text_or_null(const char *actual, const char *expected)
{
    if (expected)
        ck_assert_str_eq(actual, expected);
    else
        ck_assert_ptr_null(actual);
}

START_TEST(marking_all_is_written_once_and_then_counted)
{
    mark(alls[_i].text);
    const struct desk_query *query = expect_query(DESK_MARK_ALL_READ);
    ck_assert_str_eq(query->values[0], "alice");
    expect_text_or_null(query->values[1], alls[_i].time);
    expect_text_or_null(query->values[2], alls[_i].xid);
    ck_assert(query->once); /* asked twice it could mark what came later */
    answer_next(&(struct answer){.rows = 1, .cells = {{"12"}}});
    ck_assert_str_eq(expect_query(DESK_UNREAD_COUNTS)->values[0], "{\"alice\"}");
    answer_count("alice", "3");
    end_turn();
    expect_json(&tab, "{\"type\":\"unread_count\",\"count\":3,\"cursor\":\"" FAKE_CURSOR "\",\"ref\":\"r\"}");
    expect_nothing(&other);
}
END_TEST

/* The first or the second statement fails. */
static const struct {
    bool second;
    const struct answer *answer;
    const char *expected;
} all_failures[] = {
    {false, NULL, "unavailable"},
    {false, &(struct answer){.error = "40P01"}, "unavailable"},
    {false, &(struct answer){.error = "22008"}, "bad_field"},
    {true, NULL, "unavailable"},
    {true, &(struct answer){.error = "57014"}, "unavailable"},
    {true, &(struct answer){.rows = 0}, "unavailable"},
};

START_TEST(marking_all_that_failed_is_answered_with_an_error)
{
    char expected[256];
    bool bad_field = strcmp(all_failures[_i].expected, "bad_field") == 0;
    mark(alls[0].text);
    if (all_failures[_i].second)
        answer_next(&(struct answer){.rows = 1, .cells = {{"12"}}});
    answer_next(all_failures[_i].answer);
    end_turn();
    snprintf(expected, sizeof(expected),
             "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"*\",%s\"ref\":\"r\"}",
             all_failures[_i].expected, bad_field ? "" : "\"retry_after_ms\":1000,");
    expect_json(&tab, expected);
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(marking_all_by_a_tab_that_is_gone_answers_nobody)
{
    mark(alls[0].text);
    if (_i)
        answer_next(&(struct answer){.rows = 1, .cells = {{"12"}}});
    socket_close(&tab);
    answer_next(&(struct answer){.rows = 1, .cells = {{"alice", "3"}}});
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
    expect_nothing(&other);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("marks");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_mark_is_written_for_its_user_and_answered_with_the_new_state);
    tcase_add_loop_test(tcase, what_is_not_the_users_is_not_found, 0, LENGTH(not_found));
    tcase_add_test(tcase, each_id_of_one_message_gets_its_own_answer);
    tcase_add_test(tcase, an_id_asked_for_twice_is_answered_twice);
    tcase_add_test(tcase, marks_of_one_turn_share_a_statement_and_the_next_waits_for_it);
    tcase_add_test(tcase, the_echo_behind_the_answer_is_kept_from_the_asker_only);
    tcase_add_loop_test(tcase, an_echo_before_the_result_is_the_answer_and_the_only_one, 0, 2);
    tcase_add_test(tcase, what_the_feed_says_before_the_answer_is_told_at_once);
    tcase_add_test(tcase, an_unread_state_before_the_answer_is_none_and_the_echo_still_waited_for);
    tcase_add_test(tcase, a_newer_state_behind_the_answer_passes);
    tcase_add_loop_test(tcase, a_row_that_ends_before_the_answer_is_not_found_and_not_brought_back, 0, 2);
    tcase_add_loop_test(tcase, a_row_that_ends_behind_the_answer_is_told_so, 0, 2);
    tcase_add_loop_test(tcase, an_answer_that_failed_after_an_unread_state_says_so, 0, 2);
    tcase_add_test(tcase, a_mark_under_way_while_all_is_told_anew_has_to_be_asked_again);
    tcase_add_test(tcase, an_echo_is_no_longer_waited_for_when_all_is_told_anew);
    tcase_add_test(tcase, a_second_mark_of_a_row_that_ended_meanwhile_does_not_bring_it_back);
    tcase_add_test(tcase, an_echo_that_never_comes_is_forgotten_after_its_time);
    tcase_add_loop_test(tcase, a_row_that_is_locked_is_tried_once_more, 0, 2);
    tcase_add_loop_test(tcase, a_statement_that_failed_is_answered_for_every_mark, 0, 2);
    tcase_add_test(tcase, a_mark_of_a_tab_that_is_gone_is_still_written);
    tcase_add_test(tcase, marks_that_pile_up_are_refused_at_the_bound);
    tcase_add_test(tcase, a_statement_takes_1000_marks_and_the_rest_the_next);
    tcase_add_loop_test(tcase, marking_all_is_written_once_and_then_counted, 0, LENGTH(alls));
    tcase_add_loop_test(tcase, marking_all_that_failed_is_answered_with_an_error, 0, LENGTH(all_failures));
    tcase_add_loop_test(tcase, marking_all_by_a_tab_that_is_gone_answers_nobody, 0, 2);
    return run_suite("marks", tcase);
}
