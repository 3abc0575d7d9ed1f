/* The end of a process: who is told, who is ended when. The relay's modules are real; socket, database and time are
 * the test's. */
#include "fake_tab.h"
#include "run_suite.h"

enum { TABS = 20, SPREAD_MS = 8000 };

static struct fake_socket tabs[TABS];

static void open_tabs(void)
{
    char user[16];
    for (int i = 0; i < TABS; i++) {
        snprintf(user, sizeof(user), "user%d", i);
        socket_login(&tabs[i], user);
    }
}

static void close_tabs(void)
{
    for (int i = 0; i < TABS; i++)
        socket_close(&tabs[i]);
}

static void start(uint64_t spread_ms)
{
    fake_relay.stopping = true;
    drain_start(&fake_relay, spread_ms);
    end_turn();
}

static void step_at(uint64_t passed_ms, uint64_t now_ms)
{
    advance_ms(passed_ms - now_ms);
    drain_step(&fake_relay);
    end_turn();
}

/* The wait that this tab was told; its next frame must be `draining`. */
static int64_t expect_draining(struct fake_socket *socket)
{
    struct frame *frame = next_frame(socket);
    ck_assert_ptr_nonnull(frame);
    struct text payload = frame_payload(frame);
    json_t *message = json_loadb(payload.bytes, payload.size, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(message, "type")), "draining");
    ck_assert_uint_eq(json_object_size(message), 2);
    int64_t wait_ms = json_integer_value(json_object_get(message, "retry_after_ms"));
    ck_assert_int_ge(wait_ms, DRAIN_RETRY_MIN_MS);
    ck_assert_int_le(wait_ms, DRAIN_RETRY_MAX_MS);
    json_decref(message);
    frame_drop(frame);
    return wait_ms;
}

static int ended(void)
{
    int count = 0;
    for (int i = 0; i < TABS; i++)
        count += tabs[i].session->state >= SESSION_ENDING;
    return count;
}

START_TEST(every_tab_is_told_at_once_with_a_wait_of_its_own)
{
    int64_t lowest = DRAIN_RETRY_MAX_MS, highest = 0;
    open_tabs();
    start(SPREAD_MS);
    ck_assert_int_eq(ended(), 0);
    for (int i = 0; i < TABS; i++) {
        int64_t wait_ms = expect_draining(&tabs[i]);
        lowest = wait_ms < lowest ? wait_ms : lowest;
        highest = wait_ms > highest ? wait_ms : highest;
        expect_nothing(&tabs[i]);
    }
    ck_assert_int_gt(highest, lowest);
    close_tabs();
}
END_TEST

START_TEST(tabs_are_ended_evenly_over_the_time)
{
    uint64_t now_ms = 0;
    open_tabs();
    start(SPREAD_MS);
    for (uint64_t at_ms = SPREAD_MS / TABS; at_ms <= SPREAD_MS; at_ms += SPREAD_MS / TABS) {
        step_at(at_ms - 1, now_ms);
        ck_assert_int_eq(ended(), (int)(at_ms / (SPREAD_MS / TABS)) - 1);
        step_at(at_ms, at_ms - 1);
        ck_assert_int_eq(ended(), (int)(at_ms / (SPREAD_MS / TABS)));
        now_ms = at_ms;
    }
    for (int i = 0; i < TABS; i++) {
        expect_draining(&tabs[i]);
        expect_close(&tabs[i], 1001, "server is shutting down");
    }
    close_tabs();
}
END_TEST

START_TEST(a_tab_that_leaves_by_itself_does_not_hurry_the_others)
{
    open_tabs();
    start(SPREAD_MS);
    for (int i = 0; i < TABS / 2; i++) {
        fake_kill(&tabs[i]);
        tabs[i].gone = true;
    }
    step_at(SPREAD_MS / 4, 0);
    int left = 0;
    for (int i = TABS / 2; i < TABS; i++)
        left += tabs[i].session->state == SESSION_OPEN;
    ck_assert_int_eq(left, TABS / 2 - TABS / 4);
    step_at(SPREAD_MS, SPREAD_MS / 4);
    for (int i = TABS / 2; i < TABS; i++)
        ck_assert_int_ge(tabs[i].session->state, SESSION_ENDING);
    close_tabs();
}
END_TEST

START_TEST(a_tab_is_served_until_its_turn)
{
    login_up_to(SESSION_OPEN);
    start(SPREAD_MS);
    expect_draining(&tab);
    send_text(&tab, PING);
    end_turn();
    expect_json(&tab, PONG);
    struct change change = {.kind = CHANGE_MESSAGE, .user = TEXT("alice"), .body = TEXT("{\"type\":\"late\"}")};
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
    end_turn();
    expect_json(&tab, "{\"type\":\"late\"}");
    step_at(SPREAD_MS, 0);
    expect_close(&tab, 1001, "server is shutting down");
}
END_TEST

START_TEST(a_tab_that_catches_up_is_told_as_well)
{
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"resume\",\"cursor\":\"" FAKE_CURSOR "\"}");
    start(SPREAD_MS);
    expect_draining(&tab);
}
END_TEST

START_TEST(who_is_not_logged_in_yet_is_ended_at_once)
{
    login_up_to((enum session_state)_i);
    start(SPREAD_MS);
    expect_close(&tab, 1001, "server is shutting down");
}
END_TEST

START_TEST(without_time_all_are_told_and_ended_at_once)
{
    open_tabs();
    start(0);
    for (int i = 0; i < TABS; i++) {
        expect_draining(&tabs[i]);
        expect_close(&tabs[i], 1001, "server is shutting down");
    }
    close_tabs();
}
END_TEST

START_TEST(a_session_that_is_ending_keeps_its_reason)
{
    login_up_to(SESSION_OPEN);
    session_end(tab.session, END_RATE);
    start(0);
    expect_close(&tab, 4029, "too many messages");
}
END_TEST

START_TEST(what_is_left_can_be_ended_early)
{
    open_tabs();
    start(SPREAD_MS);
    step_at(SPREAD_MS / 2, 0);
    ck_assert_int_eq(ended(), TABS / 2);
    drain_finish(&fake_relay);
    ck_assert_int_eq(ended(), TABS);
    close_tabs();
}
END_TEST

static const struct {
    uint64_t limit_ms, spread_ms;
} limits[] = {{0, 0}, {1000, 800}, {5000, 4000}, {10000, 8000}, {11000, 9000}, {3600000, 3598000}};

START_TEST(some_of_the_time_is_left_for_the_last_closing_handshakes)
{
    ck_assert_uint_eq(drain_spread_ms(limits[_i].limit_ms), limits[_i].spread_ms);
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("drain");
    tcase_add_test(tcase, every_tab_is_told_at_once_with_a_wait_of_its_own);
    tcase_add_test(tcase, tabs_are_ended_evenly_over_the_time);
    tcase_add_test(tcase, a_tab_that_leaves_by_itself_does_not_hurry_the_others);
    tcase_add_test(tcase, a_tab_is_served_until_its_turn);
    tcase_add_test(tcase, a_tab_that_catches_up_is_told_as_well);
    tcase_add_loop_test(tcase, who_is_not_logged_in_yet_is_ended_at_once, SESSION_WAITING, SESSION_OPEN);
    tcase_add_test(tcase, without_time_all_are_told_and_ended_at_once);
    tcase_add_test(tcase, a_session_that_is_ending_keeps_its_reason);
    tcase_add_test(tcase, what_is_left_can_be_ended_early);
    tcase_add_loop_test(tcase, some_of_the_time_is_left_for_the_last_closing_handshakes, 0, LENGTH(limits));
    return run_suite("drain", tcase);
}
