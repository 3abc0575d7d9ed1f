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

static uint64_t latencies(void)
{
    uint64_t count = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
        count += fake_relay.sessions.sent.latency.buckets[i];
    return count;
}

static const char notification[] =
    "{\"id\":\"01234567-89ab-cdef-0123-456789abcdef\",\"created_at\":\"2026-11-18T11:06:40.250000Z\",\"read_at\":null,"
    "\"is_read\":false,\"version\":1}";

/* Of the user's, committed 2 ms before the look, which was asked for 5 ms ago. */
static void tell_new(void)
{
    struct look_times times = {clock_now_us() - 5000, INT64_C(1795000000252000), 0};
    struct change change = {.kind = CHANGE_NEW, .user = TEXT("alice"), .version = 1, .body = text_of(notification),
                            .cursor = FAKE_CURSOR, .times = &times};
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
    sink.window(sink.owner, FAKE_CURSOR);
}

START_TEST(what_is_written_is_counted_by_its_type)
{
    const struct deliveries *sent = &fake_relay.sessions.sent;
    login_up_to(SESSION_OPEN);
    uint64_t bytes = sent->bytes;
    send_text(&tab, PING);
    ck_assert_uint_eq(sent->frames[FRAME_PONG], 0); /* not before it is written */
    end_turn();
    send_text(&tab, PING);
    send_text(&tab, "{\"type\":\"party\"}"); /* with the pong, in one write */
    end_turn();
    ck_assert_uint_eq(sent->frames[FRAME_CONNECTED], 1);
    ck_assert_uint_eq(sent->frames[FRAME_PONG], 2);
    ck_assert_uint_eq(sent->frames[FRAME_ERROR], 1);
    ck_assert_uint_eq(fake_relay.tally.received[COMMAND_PING], 2);
    ck_assert_uint_eq(fake_relay.tally.received[COMMAND_AUTHENTICATE], 1);
    ck_assert_uint_eq(fake_relay.tally.received[COMMAND_TYPES], 1);
    ck_assert_uint_eq(sent->bytes - bytes, tab.size);
    session_end(tab.session, END_DISCONNECTED);
    end_turn();
    ck_assert_uint_eq(sent->frames[FRAME_CLOSE], 1);
}
END_TEST

START_TEST(a_new_notification_tells_how_long_it_took_once_for_each_tab)
{
    struct fake_socket other;
    login_up_to(SESSION_OPEN);
    resolver_forget(&fake_relay.resolver); /* another tab is looked up and counted like the first */
    advance_ms(COUNTS_PERIOD_MS);
    socket_login(&other, "alice");
    tell_new();
    ck_assert_uint_eq(latencies(), 0);
    advance_ms(3);
    end_turn();
    ck_assert_uint_eq(latencies(), 2);
    ck_assert_uint_eq(fake_relay.sessions.sent.latency.sum, 2 * (2000 + 5000 + 3000));
    ck_assert_uint_eq(fake_relay.sessions.sent.frames[FRAME_NEW_NOTIFICATION], 2);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    answer_count("alice", "1");
    end_turn();
    ck_assert_uint_eq(fake_relay.sessions.sent.frames[FRAME_UNREAD_COUNT], 2);
    ck_assert_uint_eq(latencies(), 2); /* it has no such time */
    socket_close(&other);
}
END_TEST

START_TEST(what_waits_is_counted_until_it_is_written_or_dropped)
{
    login_up_to(SESSION_OPEN);
    ck_assert_uint_eq(fake_relay.sessions.pool.bytes, 0);
    tab.writes_left = 0;
    tell_new();
    ck_assert_uint_eq(fake_relay.sessions.pool.bytes, tab.session->outbox.bytes);
    ck_assert_uint_gt(tab.session->outbox.bytes, sizeof(notification));
    socket_close(&tab);
    ck_assert_uint_eq(fake_relay.sessions.pool.bytes, 0);
}
END_TEST

START_TEST(sessions_are_counted_by_their_state)
{
    const int *by_state = fake_relay.sessions.by_state[SESSION_WEBSOCKET];
    for (int state = SESSION_WAITING; state <= SESSION_OPEN; state++) {
        resolver_forget(&fake_relay.resolver);
        login_up_to((enum session_state)state);
        for (int i = 0; i < SESSION_STATES; i++)
            ck_assert_int_eq(by_state[i], i == state);
        session_end(tab.session, END_SHUTDOWN);
        ck_assert_int_eq(by_state[SESSION_ENDING], 1);
        end_turn();
        ck_assert_int_eq(by_state[SESSION_CLOSED], 1);
        socket_close(&tab);
        for (int i = 0; i < SESSION_STATES; i++)
            ck_assert_int_eq(by_state[i], 0);
        while (fake_desk.count)
            answer_next(NULL);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("counters");
    tcase_add_test(tcase, every_counter_is_visited_once_under_a_name_of_its_own);
    tcase_add_test(tcase, every_end_of_a_session_is_counted_once);
    tcase_add_test(tcase, failed_logins_are_counted_by_their_cause);
    tcase_add_test(tcase, what_is_written_is_counted_by_its_type);
    tcase_add_test(tcase, a_new_notification_tells_how_long_it_took_once_for_each_tab);
    tcase_add_test(tcase, what_waits_is_counted_until_it_is_written_or_dropped);
    tcase_add_test(tcase, sessions_are_counted_by_their_state);
    return run_suite("counters", tcase);
}
