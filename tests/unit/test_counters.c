/* Counters: every one has a name of its own, and what sessions and logins count is what happened. */
#include "fake_tab.h"
#include "run_suite.h"

#define NAME_MAX_SIZE 64

static uint64_t wanted_value;
static int visited;
static char names[256][NAME_MAX_SIZE];

static void note_name(void *context, const char *family, const char *word, uint64_t value)
{
    (void)context;
    ck_assert_int_lt(visited, LENGTH(names));
    ck_assert_uint_eq(value, wanted_value);
    ck_assert_uint_gt(strlen(word), 0);
    int size = snprintf(names[visited], NAME_MAX_SIZE, "%s_%s", family, word);
    ck_assert_int_lt(size, NAME_MAX_SIZE);
    ck_assert_uint_eq(strspn(names[visited], "abcdefghijklmnopqrstuvwxyz0123456789_"), (size_t)size);
    visited++;
}

START_TEST(every_counter_is_visited_once_under_a_name_of_its_own)
{
    struct counters counters;
    uint64_t *values = (uint64_t *)&counters;
    enum { COUNT = sizeof(counters) / sizeof(uint64_t) };
    visited = 0;
    wanted_value = 7;
    for (int i = 0; i < COUNT; i++)
        values[i] = wanted_value;
    counters_each(&counters, note_name, NULL);
    ck_assert_int_eq(visited, COUNT);
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(names[i], names[j]);
    }
}
END_TEST

struct wanted {
    const char *name;
    uint64_t value;
};

static void look_for(void *context, const char *family, const char *word, uint64_t value)
{
    struct wanted *wanted = context;
    char name[NAME_MAX_SIZE];
    snprintf(name, sizeof(name), "%s_%s", family, word);
    if (strcmp(name, wanted->name) == 0)
        wanted->value = value;
}

static void expect_count(const char *name, uint64_t expected)
{
    struct wanted wanted = {name, UINT64_MAX};
    counters_each(&fake_relay.counters, look_for, &wanted);
    ck_assert_msg(wanted.value == expected, "%s is %llu, not %llu", name, (unsigned long long)wanted.value,
                  (unsigned long long)expected);
}

START_TEST(every_end_of_a_session_is_counted_once)
{
    login_up_to(SESSION_OPEN);
    session_end(tab.session, END_DISCONNECTED);
    session_end(tab.session, END_SHUTDOWN);
    end_turn();
    socket_close(&tab);
    expect_count("sessions_closed_disconnected", 1);
    expect_count("sessions_closed_shutdown", 0);
    expect_count("sessions_closed_peer_closed", 0);
    login_up_to(SESSION_OPEN);
    socket_close(&tab);
    expect_count("sessions_closed_peer_closed", 1);
    expect_count("logins_ok", 2);
}
END_TEST

START_TEST(failed_logins_are_counted_by_their_cause)
{
    socket_open(&tab);
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"garbage\"}");
    end_turn();
    socket_close(&tab);
    login_up_to(SESSION_LOGIN);
    answer_next(&(struct answer){.rows = 1});
    end_turn();
    socket_close(&tab);
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-bob\"}");
    answer_user("bob");
    end_turn();
    expect_count("logins_malformed_token", 1);
    expect_count("logins_unknown_user", 1);
    expect_count("logins_other_user", 1);
    expect_count("logins_ok", 1);
    expect_count("sessions_closed_token_malformed", 1);
    expect_count("sessions_closed_unknown_user", 1);
    expect_count("sessions_closed_token_other_user", 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("counters");
    tcase_add_test(tcase, every_counter_is_visited_once_under_a_name_of_its_own);
    tcase_add_test(tcase, every_end_of_a_session_is_counted_once);
    tcase_add_test(tcase, failed_logins_are_counted_by_their_cause);
    return run_suite("counters", tcase);
}
