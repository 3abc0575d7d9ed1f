/* Many tabs that come back at once: how many statements their catch-ups become, and how many are under way. */
#include "fake_relay.h"
#include "run_suite.h"

enum { TABS = RESUME_BATCH_MAX * (RESUME_FLIGHTS_MAX + 2) + 1 };

static struct fake_socket tabs[TABS];

static void start(void)
{
    fake_relay_start();
    fake_config.max_connections = TABS;
    for (int i = 0; i < TABS; i++) {
        char user[16];
        snprintf(user, sizeof(user), "user%d", i);
        socket_login(&tabs[i], user);
    }
}

static void stop(void)
{
    for (int i = 0; i < TABS; i++)
        socket_close(&tabs[i]);
    fake_relay_stop();
}

static void resume_all(void)
{
    for (int i = 0; i < TABS; i++)
        send_text(&tabs[i], "{\"type\":\"resume\",\"cursor\":\"" FAKE_CURSOR "\"}");
    end_turn();
}

/* Users in the oldest statement. */
static int asked_about(void)
{
    int commas = 0;
    for (const char *at = expect_query(DESK_RESUME)->values[0]; *at; at++)
        commas += *at == ',';
    return commas + 1;
}

/* Nothing has changed for any of the users of the oldest statement. */
static void answer_all_told(void)
{
    static const char *const numbers[] = {
        "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11", "12", "13", "14", "15", "16", "17",
        "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34",
        "35", "36", "37", "38", "39", "40", "41", "42", "43", "44", "45", "46", "47", "48", "49", "50"};
    struct answer answer = {.rows = asked_about()};
    ck_assert_int_le(answer.rows, LENGTH(numbers));
    for (int i = 0; i < answer.rows; i++) {
        answer.cells[i][0] = numbers[i];
        answer.cells[i][1] = "e";
    }
    answer_next(&answer);
    end_turn();
}

START_TEST(many_catch_ups_share_statements_and_few_are_under_way)
{
    resume_all();
    for (int left = TABS; left > 0;) {
        int statements = (left + RESUME_BATCH_MAX - 1) / RESUME_BATCH_MAX;
        ck_assert_int_eq(fake_desk.count, statements < RESUME_FLIGHTS_MAX ? statements : RESUME_FLIGHTS_MAX);
        ck_assert_int_eq(asked_about(), left < RESUME_BATCH_MAX ? left : RESUME_BATCH_MAX);
        left -= asked_about();
        answer_all_told();
    }
    for (int i = 0; i < TABS; i++)
        expect_json(&tabs[i], "{\"type\":\"resumed\",\"count\":0,\"cursor\":\"" FAKE_CURSOR "\"}");
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(catch_ups_without_an_answer_are_asked_for_again_and_no_more_at_a_time)
{
    resume_all();
    for (int i = 0; i < RESUME_FLIGHTS_MAX; i++) {
        answer_next(NULL);
        end_turn();
        ck_assert_int_eq(fake_desk.count, RESUME_FLIGHTS_MAX);
    }
    while (fake_desk.count)
        answer_all_told();
    for (int i = 0; i < TABS; i++)
        expect_json(&tabs[i], "{\"type\":\"resumed\",\"count\":0,\"cursor\":\"" FAKE_CURSOR "\"}");
}
END_TEST

START_TEST(tabs_that_leave_meanwhile_are_not_asked_for)
{
    resume_all();
    for (int i = 0; i < TABS - 1; i++)
        socket_close(&tabs[i]);
    for (int i = 0; i < RESUME_FLIGHTS_MAX; i++)
        answer_all_told(); /* for nobody */
    ck_assert_int_eq(asked_about(), 1);
    answer_all_told();
    ck_assert_int_eq(fake_desk.count, 0);
    expect_json(&tabs[TABS - 1], "{\"type\":\"resumed\",\"count\":0,\"cursor\":\"" FAKE_CURSOR "\"}");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("resume");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, many_catch_ups_share_statements_and_few_are_under_way);
    tcase_add_test(tcase, catch_ups_without_an_answer_are_asked_for_again_and_no_more_at_a_time);
    tcase_add_test(tcase, tabs_that_leave_meanwhile_are_not_asked_for);
    return run_suite("resume", tcase);
}
