/* Pages: what a command asks of the database, and what its answer becomes. */
#include "fake_tab.h"
#include "run_suite.h"

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define TIME "2024-05-01T10:00:00.123456Z"
#define NEWEST "infinity", "ffffffff-ffff-ffff-ffff-ffffffffffff"
#define CURSOR "\"cursor\":\"" FAKE_CURSOR "\""

static const struct {
    const char *text;
    const char *values[DESK_PARAMS_MAX];
} questions[] = {
    {"{\"type\":\"get_unread\"}", {"alice", "t", "10", NEWEST}},
    {"{\"type\":\"get_notifications\"}", {"alice", "f", "10", NEWEST}},
    {"{\"type\":\"get_unread\",\"limit\":1,\"before\":null}", {"alice", "t", "1", NEWEST}},
    {"{\"type\":\"get_unread\",\"limit\":100,\"before\":\"" TIME "_" ID "\"}",
     {"alice", "t", "100", TIME, ID}},
    {"{\"type\":\"get_notifications\",\"before\":\"" TIME "_" ID "\"}", {"alice", "f", "10", TIME, ID}},
};

START_TEST(a_page_is_asked_for_as_the_command_says)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, questions[_i].text);
    const struct desk_query *query = expect_query(DESK_PAGES);
    for (int i = 0; i < DESK_PARAMS_MAX; i++) {
        char expected[64] = "";
        if (questions[_i].values[i])
            snprintf(expected, sizeof(expected), "{\"%s\"}", questions[_i].values[i]);
        ck_assert_str_eq(query->values[i] ? query->values[i] : "", expected);
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

#define UNAVAILABLE(REF) \
    "{\"type\":\"error\",\"code\":\"unavailable\",\"message\":\"*\",\"retry_after_ms\":1000,\"ref\":\"" REF "\"}"

static void ask(const char *ref)
{
    char text[64];
    snprintf(text, sizeof(text), "{\"type\":\"get_unread\",\"ref\":\"%s\"}", ref);
    send_text(&tab, text);
}

static void expect_page(const char *ref, int count)
{
    char text[256];
    snprintf(text, sizeof(text),
             "{\"type\":\"unread_notifications\",\"count\":%d,\"notifications\":[],\"next\":null," CURSOR
             ",\"ref\":\"%s\"}", count, ref);
    expect_json(&tab, text);
}

START_TEST(several_pages_under_way_keep_their_order_and_their_refs)
{
    login_up_to(SESSION_OPEN);
    ask("1"), ask("2");
    ck_assert_str_eq(expect_query(DESK_PAGES)->values[0], "{\"alice\",\"alice\"}");
    answer_next(&(struct answer){.rows = 2, .cells = {{"1", "[]"}, {"2", "[]"}}});
    end_turn();
    expect_page("1", 1);
    expect_page("2", 2);
    expect_nothing(&tab);
}
END_TEST

START_TEST(what_is_asked_for_meanwhile_waits_for_the_next_statement)
{
    login_up_to(SESSION_OPEN);
    ask("1");
    end_turn();
    ask("2");
    end_turn();
    ck_assert_int_eq(fake_desk.count, 1);
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "[]"}}});
    end_turn();
    expect_page("1", 1);
    answer_next(&(struct answer){.rows = 1, .cells = {{"2", "[]"}}});
    end_turn();
    expect_page("2", 2);
}
END_TEST

START_TEST(pages_behind_the_bytes_of_one_answer_are_asked_for_again_and_first)
{
    login_up_to(SESSION_OPEN);
    ask("1"), ask("2"), ask("3");
    end_turn();
    ask("4");
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "[]"}}});
    ck_assert_str_eq(expect_query(DESK_PAGES)->values[0], "{\"alice\",\"alice\",\"alice\"}");
    answer_next(&(struct answer){.rows = 3, .cells = {{"2", "[]"}, {"3", "[]"}, {"4", "[]"}}});
    end_turn();
    for (int i = 1; i <= 4; i++)
        expect_page((const char[]){(char)('0' + i), '\0'}, i);
    expect_nothing(&tab);
}
END_TEST

/* The others get theirs, and it is told what is wrong with its own. */
START_TEST(a_page_that_the_database_refuses_is_refused_alone)
{
    login_up_to(SESSION_OPEN);
    ask("1"), ask("2"), ask("3");
    answer_next(&(struct answer){.error = "22008"});
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "[]"}}});
    answer_next(&(struct answer){.error = "22008"});
    answer_next(&(struct answer){.rows = 1, .cells = {{"3", "[]"}}});
    end_turn();
    expect_page("1", 1);
    expect_json(&tab, "{\"type\":\"error\",\"code\":\"bad_field\",\"message\":\"*\",\"ref\":\"2\"}");
    expect_page("3", 3);
    expect_nothing(&tab);
}
END_TEST

START_TEST(when_the_database_is_away_those_behind_are_told_at_once)
{
    login_up_to(SESSION_OPEN);
    ask("1");
    end_turn();
    ask("2");
    answer_next(NULL);
    end_turn();
    expect_json(&tab, UNAVAILABLE("1"));
    expect_json(&tab, UNAVAILABLE("2"));
    expect_nothing(&tab);
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(a_page_for_a_tab_that_is_gone_is_dropped)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"get_unread\"}");
    if (_i == 0)
        end_turn(); /* else it is not even asked for */
    socket_close(&tab);
    if (_i == 0)
        answer_next(&(struct answer){.rows = 1, .cells = {{"1", "[]"}}});
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("pages");
    tcase_add_loop_test(tcase, a_page_is_asked_for_as_the_command_says, 0, LENGTH(questions));
    tcase_add_loop_test(tcase, the_database_s_answer_becomes_one_message, 0, LENGTH(answers));
    tcase_add_test(tcase, several_pages_under_way_keep_their_order_and_their_refs);
    tcase_add_test(tcase, what_is_asked_for_meanwhile_waits_for_the_next_statement);
    tcase_add_test(tcase, pages_behind_the_bytes_of_one_answer_are_asked_for_again_and_first);
    tcase_add_test(tcase, a_page_that_the_database_refuses_is_refused_alone);
    tcase_add_test(tcase, when_the_database_is_away_those_behind_are_told_at_once);
    tcase_add_loop_test(tcase, a_page_for_a_tab_that_is_gone_is_dropped, 0, 2);
    return run_suite("inbox", tcase);
}
