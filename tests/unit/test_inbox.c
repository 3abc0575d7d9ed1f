/* Pages: what a command asks of the database, and what its answer becomes. */
#include "fake_tab.h"
#include "run_suite.h"

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define TIME "2024-05-01T10:00:00.123456Z"
#define CURSOR "\"cursor\":\"" FAKE_CURSOR "\""

static const struct {
    const char *text;
    const char *values[DESK_PARAMS_MAX];
} questions[] = {
    {"{\"type\":\"get_unread\"}", {"alice", "t", "10", NULL, NULL}},
    {"{\"type\":\"get_notifications\"}", {"alice", "f", "10", NULL, NULL}},
    {"{\"type\":\"get_unread\",\"limit\":1,\"before\":null}", {"alice", "t", "1", NULL, NULL}},
    {"{\"type\":\"get_unread\",\"limit\":100,\"before\":\"" TIME "_" ID "\"}",
     {"alice", "t", "100", TIME, ID}},
    {"{\"type\":\"get_notifications\",\"before\":\"" TIME "_" ID "\"}", {"alice", "f", "10", TIME, ID}},
};

START_TEST(a_page_is_asked_for_as_the_command_says)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, questions[_i].text);
    const struct desk_query *query = expect_query(DESK_PAGE);
    for (int i = 0; i < DESK_PARAMS_MAX; i++) {
        if (questions[_i].values[i])
            ck_assert_str_eq(query->values[i], questions[_i].values[i]);
        else
            ck_assert_ptr_null(query->values[i]);
    }
    ck_assert(!query->once); /* reading twice does no harm */
}
END_TEST

static const struct {
    const char *text;
    struct answer answer;
    const char *expected;
} answers[] = {
    {"{\"type\":\"get_unread\"}",
     {.rows = 1, .cells = {{"12", "[{\"id\":1}]", TIME "_" ID}}},
     "{\"type\":\"unread_notifications\",\"count\":12,\"notifications\":[{\"id\":1}],\"next\":\"" TIME "_" ID
     "\"," CURSOR "}"},
    {"{\"type\":\"get_notifications\",\"ref\":\"r\"}",
     {.rows = 1, .cells = {{"0", "[]", NULL}}},
     "{\"type\":\"notifications\",\"count\":0,\"notifications\":[],\"next\":null," CURSOR ",\"ref\":\"r\"}"},
    {"{\"type\":\"get_unread\",\"ref\":\"r\"}",
     {.error = "22008"},
     "{\"type\":\"error\",\"code\":\"bad_field\",\"message\":\"*\",\"ref\":\"r\"}"},
    {"{\"type\":\"get_unread\"}",
     {.error = "57014"},
     "{\"type\":\"error\",\"code\":\"internal\",\"message\":\"*\",\"retry_after_ms\":1000}"},
    {"{\"type\":\"get_unread\"}",
     {.rows = 0},
     "{\"type\":\"error\",\"code\":\"internal\",\"message\":\"*\",\"retry_after_ms\":1000}"},
};

START_TEST(the_database_s_answer_becomes_one_message)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, answers[_i].text);
    answer_next(&answers[_i].answer);
    end_turn();
    expect_json(&tab, answers[_i].expected);
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_database_that_is_away_is_said_so)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"get_unread\",\"ref\":\"r\"}");
    answer_next(NULL);
    end_turn();
    expect_json(&tab,
                "{\"type\":\"error\",\"code\":\"unavailable\",\"message\":\"*\",\"retry_after_ms\":1000,"
                "\"ref\":\"r\"}");
}
END_TEST

START_TEST(several_pages_under_way_keep_their_order_and_their_refs)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"get_unread\",\"ref\":\"1\"}");
    send_text(&tab, "{\"type\":\"get_notifications\",\"ref\":\"2\"}");
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "[]", NULL}}});
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "[]", NULL}}});
    end_turn();
    expect_json(&tab,
                "{\"type\":\"unread_notifications\",\"count\":1,\"notifications\":[],\"next\":null," CURSOR
                ",\"ref\":\"1\"}");
    expect_json(&tab, "{\"type\":\"notifications\",\"count\":1,\"notifications\":[],\"next\":null," CURSOR
                      ",\"ref\":\"2\"}");
}
END_TEST

START_TEST(a_page_for_a_tab_that_is_gone_is_dropped)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"get_unread\"}");
    socket_close(&tab);
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "[]", NULL}}});
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("pages");
    tcase_add_loop_test(tcase, a_page_is_asked_for_as_the_command_says, 0, LENGTH(questions));
    tcase_add_loop_test(tcase, the_database_s_answer_becomes_one_message, 0, LENGTH(answers));
    tcase_add_test(tcase, a_database_that_is_away_is_said_so);
    tcase_add_test(tcase, several_pages_under_way_keep_their_order_and_their_refs);
    tcase_add_test(tcase, a_page_for_a_tab_that_is_gone_is_dropped);
    return run_suite("inbox", tcase);
}
