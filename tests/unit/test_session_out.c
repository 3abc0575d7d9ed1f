/* Frames on their way out: joined, bounded, dropped and told anew; and the close frame, always the last. */
#include "fake_tab.h"
#include "run_suite.h"

START_TEST(small_frames_of_one_turn_go_out_in_one_write)
{
    login_up_to(SESSION_OPEN);
    int before = tab.writes;
    for (int i = 0; i < 20; i++)
        session_push(tab.session, frame_of(100));
    ck_assert_int_eq(tab.writes, before);
    end_turn();
    ck_assert_int_eq(tab.writes, before + 1);
    for (int i = 0; i < 20; i++)
        expect_size(100);
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_large_frame_is_written_as_it_is_and_in_order)
{
    static const size_t sizes[] = {
        100, SESSION_SCRATCH_BYTES / 4 - 1, SESSION_SCRATCH_BYTES / 4, SESSION_SCRATCH_BYTES + 1, 200, 200000,
        50};
    fake_config.queue_bytes = 1 << 20;
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < LENGTH(sizes); i++)
        session_push(tab.session, frame_of(sizes[i]));
    end_turn();
    for (int i = 0; i < LENGTH(sizes); i++)
        expect_size(sizes[i]);
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_busy_socket_is_waited_for)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(100));
    end_turn();
    expect_nothing(&tab);
    ck_assert(tab.wanted);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_size(100);
}
END_TEST

START_TEST(a_socket_that_breaks_ends_its_session_and_no_other)
{
    struct fake_socket other;
    login_up_to(SESSION_OPEN);
    socket_login(&other, "alice");
    tab.broken = true;
    struct frame *frame = frame_of(100);
    session_push_shared(tab.session, frame);
    session_push_shared(other.session, frame);
    frame_drop(frame);
    end_turn();
    ck_assert(tab.gone);
    struct frame *got = next_frame(&other);
    ck_assert_ptr_nonnull(got);
    frame_drop(got);
    ck_assert_int_eq(other.session->user->tab_count, 1);
    socket_close(&other);
}
END_TEST

/* The first frame of 5000 is there; another one at, below and above the bound of 10000. */
static const struct {
    size_t second;
    bool kept;
} bounds[] = {{4999, true}, {5000, true}, {5001, false}};

START_TEST(unsent_bytes_are_kept_up_to_the_bound_and_then_dropped)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(5000));
    end_turn();
    session_push(tab.session, frame_of(bounds[_i].second));
    end_turn();
    ck_assert_int_eq(tab.session->dirty, !bounds[_i].kept);
    ck_assert_uint_eq(tab.session->outbox.bytes, bounds[_i].kept ? 5000 + bounds[_i].second : 0);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    if (bounds[_i].kept) {
        expect_size(5000);
        expect_size(bounds[_i].second);
    } else {
        expect_resumed();
    }
    expect_nothing(&tab);
}
END_TEST

START_TEST(an_answer_is_never_dropped_for_a_tab_that_is_behind)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(5000));
    struct frame *answer = frame_of(20000);
    answer->passing = false;
    session_push(tab.session, answer);
    end_turn();
    session_push(tab.session, frame_of(5000));
    ck_assert(tab.session->dirty);
    ck_assert_uint_eq(tab.session->outbox.bytes, 20000);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_size(20000);
    expect_resumed();
}
END_TEST

START_TEST(an_answer_to_a_tab_that_is_behind_does_not_move_where_it_is_caught_up_from)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(9000));
    session_push(tab.session, frame_of(9000));
    ck_assert(tab.session->dirty);
    fake_relay.router.now.xmin = 900; /* windows that it was not told of */
    struct frame *answer = frame_of(100);
    answer->passing = false;
    session_push(tab.session, answer);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_size(100);
    ck_assert_str_eq(expect_query(DESK_RESUME)->values[1], "{\"731\"}");
}
END_TEST

/* Its client may come back with that cursor, and never have got what waited before it. */
START_TEST(an_answer_behind_frames_that_wait_has_the_cursor_of_what_was_written)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(_i ? 10000 : 100));
    if (_i)
        session_push(tab.session, frame_of(100)); /* too much: all is dropped */
    struct change_sink sink = relay_sink(&fake_relay);
    sink.window(sink.owner, "deadbeef-900");
    send_text(&tab, PING);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    if (!_i)
        expect_size(100);
    expect_json(&tab, PONG);
}
END_TEST

START_TEST(a_tab_behind_of_another_history_is_told_its_whole_state)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(10000));
    session_push(tab.session, frame_of(100));
    struct change_sink sink = relay_sink(&fake_relay);
    sink.window(sink.owner, "feedface-500"); /* its transaction ids went back */
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
}
END_TEST

/* The page was read before the change that is told behind it. */
START_TEST(a_first_page_has_the_cursor_of_when_it_was_asked_for)
{
    login_up_to(SESSION_OPEN);
    resume_afresh(tab.session);
    session_push(tab.session, frame_of(100));
    struct change_sink sink = relay_sink(&fake_relay);
    sink.window(sink.owner, "deadbeef-900");
    expect_query(DESK_PAGES);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]"}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    expect_json(&tab, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                      "\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_size(100);
}
END_TEST

START_TEST(a_late_answer_is_not_taken_for_that_of_the_catch_up_that_replaced_its_own)
{
    struct change_sink sink = relay_sink(&fake_relay);
    login_up_to(SESSION_OPEN);
    resume_start(tab.session, TEXT(FAKE_CURSOR), "");
    end_turn();
    expect_query(DESK_RESUME);
    sink.resync(sink.owner, FAKE_CURSOR);
    answer_next(&(struct answer){
        .rows = 2,
        .cells = {{"1", "n", "01234567-89ab-cdef-0123-456789abcdef", "1", "{}", "800", "1"}, {"1", "e"}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_catch_up_that_gives_way_to_the_whole_state_keeps_its_answers)
{
    struct change_sink sink = relay_sink(&fake_relay);
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"resume\",\"cursor\":\"" FAKE_CURSOR "\",\"ref\":\"r\"}");
    end_turn();
    send_text(&tab, PING_REF("p"));
    session_push(tab.session, frame_of(100)); /* of the feed: the page has what it says */
    sink.resync(sink.owner, FAKE_CURSOR);
    sink.resync(sink.owner, FAKE_CURSOR); /* and again, before the page has come */
    end_turn();
    expect_json(&tab, PONG_REF("p")); /* before: a page among them could bring back what is gone */
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\",\"ref\":\"r\"}");
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    while (fake_desk.count && tab.session->replay)
        answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]"}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                      "\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_nothing(&tab);
    while (fake_desk.count)
        answer_next(NULL);
}
END_TEST

/* A page among them was read before: told behind a deletion it would bring back what is gone. Nothing is claimed by
 * them: the client may go away before the rest has come. */
START_TEST(answers_that_wait_are_told_before_anything_is_read_again)
{
    static const char *const kinds[] = {"e", "r"}; /* another pass, the whole state */
    struct change_sink sink = relay_sink(&fake_relay);
    login_up_to(SESSION_OPEN);
    send_text(&tab, "{\"type\":\"resume\",\"cursor\":\"" FAKE_CURSOR "\"}");
    end_turn();
    sink.window(sink.owner, "deadbeef-900");
    send_text(&tab, PING);
    session_push(tab.session, frame_of(9000));
    session_push(tab.session, frame_of(9000)); /* too much: both are dropped */
    expect_query(DESK_RESUME);
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", kinds[_i]}}});
    end_turn();
    expect_json(&tab, PONG);
    if (_i) {
        expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
        expect_query(DESK_PAGES);
    } else {
        expect_query(DESK_RESUME);
        answer_next(&(struct answer){.rows = 1, .cells = {{"1", "e"}}});
        end_turn();
        expect_json(&tab, "{\"type\":\"resumed\",\"count\":0,\"cursor\":\"deadbeef-900\"}");
    }
    expect_nothing(&tab);
}
END_TEST

/* Of what happens behind the page more than the bound comes: it is read again, or all anew in another history. */
START_TEST(what_was_dropped_while_the_first_page_was_read_is_caught_up)
{
    login_up_to(SESSION_OPEN);
    resume_afresh(tab.session);
    session_push(tab.session, frame_of(9000));
    session_push(tab.session, frame_of(9000));
    if (_i)
        fake_relay.router.now.epoch++;
    expect_query(DESK_PAGES);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]"}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    expect_json(&tab, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                      "\"cursor\":\"" FAKE_CURSOR "\"}");
    if (_i) {
        expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
        expect_query(DESK_PAGES);
    } else {
        ck_assert_str_eq(expect_query(DESK_RESUME)->values[1], "{\"731\"}");
        expect_resumed();
    }
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_frame_larger_than_the_bound_goes_out_when_nothing_waits)
{
    login_up_to(SESSION_OPEN);
    session_push(tab.session, frame_of(200000));
    end_turn();
    expect_size(200000);
    ck_assert(!tab.session->dirty);
}
END_TEST

START_TEST(a_burst_larger_than_the_bound_is_no_reason_to_drop_for_a_socket_that_takes_it)
{
    login_up_to(SESSION_OPEN);
    for (int i = 0; i < 100; i++)
        session_push(tab.session, frame_of(1000));
    end_turn();
    for (int i = 0; i < 100; i++)
        expect_size(1000);
    ck_assert(!tab.session->dirty);
}
END_TEST

START_TEST(a_tab_that_was_behind_is_caught_up_once_its_socket_takes_bytes_again)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    for (int i = 0; i < 30; i++) {
        session_push(tab.session, frame_of(1000));
        end_turn();
    }
    ck_assert(tab.session->dirty);
    expect_nothing(&tab);
    ck_assert_int_eq(fake_desk.count, 0);
    end_turn();
    ck_assert_int_eq(fake_desk.count, 0); /* not before the socket is ready */
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    const struct desk_query *query = expect_query(DESK_RESUME);
    ck_assert_str_eq(query->values[0], "{\"alice\"}");
    ck_assert_str_eq(query->values[1], "{\"731\"}"); /* from where all had been told */
    session_push(tab.session, frame_of(100)); /* what comes now waits behind */
    answer_next(&(struct answer){
        .rows = 2,
        .cells = {{"1", "n", "01234567-89ab-cdef-0123-456789abcdef", "1", "{}", "800", "1"}, {"1", "e"}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"new_notification\",\"notification\":{},\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_json(&tab, "{\"type\":\"resumed\",\"count\":1,\"cursor\":\"" FAKE_CURSOR "\"}");
    expect_size(100);
    expect_nothing(&tab);
}
END_TEST

START_TEST(a_tab_that_was_behind_is_told_the_count_as_well)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(9000));
    counts_changed(&fake_relay.counts, tab.session->user);
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    session_push(tab.session, frame_of(9000));
    ck_assert(tab.session->dirty);
    answer_count("alice", "5"); /* dropped */
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_resumed();
    advance_ms(COUNTS_PERIOD_MS);
    end_turn();
    answer_count("alice", "5");
    end_turn();
    expect_json(&tab, "{\"type\":\"unread_count\",\"count\":5,\"cursor\":\"" FAKE_CURSOR "\"}");
}
END_TEST

START_TEST(a_first_page_that_comes_late_does_not_end_the_catch_up_that_follows)
{
    login_up_to(SESSION_OPEN);
    resume_afresh(tab.session);
    resume_forget(tab.session);
    resume_behind(tab.session, fake_relay.router.now);
    end_turn();
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]", NULL}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"00000000-0\"}");
    expect_nothing(&tab);
    expect_resumed();
    expect_json(&tab, "{\"type\":\"unread_notifications\",\"count\":0,\"notifications\":[],\"next\":null,"
                      "\"cursor\":\"" FAKE_CURSOR "\"}");
}
END_TEST

START_TEST(a_tab_behind_before_connected_is_connected_first_and_then_caught_up)
{
    login_up_to(SESSION_JOINED);
    for (int i = 0; i < 11; i++)
        session_push(tab.session, frame_of(1000));
    ck_assert(tab.session->dirty);
    end_turn();
    expect_nothing(&tab);
    answer_count("alice", "0");
    end_turn();
    expect_connected(&tab, "alice", 0);
    expect_resumed();
}
END_TEST

/* ---- the end ---- */

START_TEST(frames_that_wait_go_out_before_the_close_and_nothing_after_it)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(100));
    end_turn();
    session_end(tab.session, END_SHUTDOWN);
    session_end(tab.session, END_RATE); /* the first reason stays */
    struct change change = {.kind = CHANGE_MESSAGE, .body = TEXT("{}")};
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &change);
    change.user = TEXT("alice");
    sink.change(sink.owner, &change);
    sink.resync(sink.owner, FAKE_CURSOR);
    end_turn();
    expect_state(SESSION_ENDING);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_state(SESSION_CLOSED);
    session_push(tab.session, frame_of(100));
    session_writable(tab.session);
    end_turn();
    expect_size(100);
    expect_close(&tab, 1001, "server is shutting down");
}
END_TEST

START_TEST(the_close_frame_goes_out_even_when_the_queue_is_full)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(10000));
    end_turn();
    session_end(tab.session, END_SHUTDOWN);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_size(10000);
    expect_close(&tab, 1001, "server is shutting down");
}
END_TEST

START_TEST(a_tab_that_is_behind_still_gets_its_close_frame_and_no_catch_up)
{
    login_up_to(SESSION_OPEN);
    tab.writes_left = 0;
    session_push(tab.session, frame_of(10000));
    session_push(tab.session, frame_of(10000));
    ck_assert(tab.session->dirty);
    session_end(tab.session, END_SHUTDOWN);
    tab.writes_left = -1;
    session_writable(tab.session);
    end_turn();
    expect_close(&tab, 1001, "server is shutting down");
    ck_assert_int_eq(fake_desk.count, 0);
}
END_TEST

START_TEST(a_session_that_ends_is_no_longer_found_and_its_late_answers_are_lost)
{
    login_up_to(SESSION_OPEN);
    uint64_t id = tab.session->id;
    ck_assert_ptr_eq(session_find(&fake_relay, id), tab.session);
    send_text(&tab, "{\"type\":\"get_unread\"}");
    end_turn();
    session_end(tab.session, END_SHUTDOWN);
    ck_assert_ptr_null(session_find(&fake_relay, id));
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]", NULL}}});
    end_turn();
    expect_close(&tab, 1001, "server is shutting down");
    ck_assert_ptr_null(session_find(&fake_relay, id + 1));
}
END_TEST

/* A sanitizer or valgrind sees what would be left. */
START_TEST(a_socket_that_goes_away_in_any_state_leaves_nothing_behind)
{
    static const enum session_state states[] = {SESSION_WAITING, SESSION_LOGIN, SESSION_JOINED, SESSION_OPEN};
    login_up_to(states[_i]);
    receive("{\"type\":", false, 0);
    if (states[_i] == SESSION_OPEN) {
        tab.writes_left = 0;
        session_push(tab.session, frame_of(100));
        end_turn();
        session_writable(tab.session); /* on the list of the next turn */
    }
    socket_close(&tab);
    ck_assert_int_eq(fake_relay.sessions.count, 0);
    ck_assert_ptr_null(fake_relay.sessions.touched);
    ck_assert_uint_eq(fake_relay.router.users.count, 0);
    advance_s(70); /* no deadline is left on the wheel */
}
END_TEST

static const struct {
    enum end_reason reason;
    int code;
} codes[] = {
    {END_PEER, 1000},           {END_SHUTDOWN, 1001},
    {END_BINARY, 1003},         {END_TOO_LARGE, 1009},
    {END_CAPACITY, 1013},       {END_ADDRESS_FULL, 4029},
    {END_UNAVAILABLE, 1013},    {END_NO_TOKEN, 4000},
    {END_LOGIN_DEADLINE, 4000}, {END_TOKEN_MALFORMED, 4000},
    {END_NO_USER, 4000},        {END_TOKEN_SIGNATURE, 4001},
    {END_TOKEN_EXPIRED, 4001},  {END_TOKEN_EARLY, 4001},
    {END_TOKEN_ISSUER, 4001},   {END_TOKEN_AUDIENCE, 4001},
    {END_TOKEN_REFUSED, 4001},  {END_TOKEN_OTHER_USER, 4001},
    {END_DISCONNECTED, 4002},   {END_RATE, 4029},
    {END_TOO_MANY_TABS, 4029},  {END_UNRESPONSIVE, 1001},
    {END_STALLED, 1001},
    {END_USER_RATE, 4029},      {END_AUTH_FAILURES, 4029},
};

START_TEST(every_reason_has_the_close_code_of_the_protocol_and_a_short_text)
{
    ck_assert_int_eq(LENGTH(codes), END_REASONS);
    for (int i = 0; i < LENGTH(codes); i++) {
        ck_assert_int_eq(end_reason_code(codes[i].reason), codes[i].code);
        ck_assert_uint_le(strlen(end_reason_text(codes[i].reason)), FRAME_REASON_MAX);
        ck_assert_int_eq(*end_reason_text(codes[i].reason) == '\0', codes[i].reason == END_PEER);
    }
}
END_TEST

START_TEST(the_public_id_is_a_uuid_that_only_this_session_of_this_process_has)
{
    char one[SESSION_ID_SIZE], again[SESSION_ID_SIZE], two[SESSION_ID_SIZE], elsewhere[SESSION_ID_SIZE];
    struct uuid uuid;
    struct fake_socket other;
    socket_open(&tab);
    socket_open(&other);
    session_public_id(tab.session, one);
    session_public_id(tab.session, again);
    session_public_id(other.session, two);
    fake_relay.sessions.instance ^= 0xff00000000ULL; /* another process */
    session_public_id(tab.session, elsewhere);
    ck_assert(uuid_parse(one, strlen(one), &uuid));
    ck_assert_int_eq(one[14], '8'); /* RFC 9562: version 8, variant 10 */
    ck_assert_ptr_nonnull(strchr("89ab", one[19]));
    ck_assert_str_eq(one, again);
    ck_assert_str_ne(one, two);
    ck_assert_str_ne(one, elsewhere);
    socket_close(&other);
}
END_TEST

int main(void)
{
    TCase *tcase = tab_case("frames out");
    tcase_add_test(tcase, small_frames_of_one_turn_go_out_in_one_write);
    tcase_add_test(tcase, a_large_frame_is_written_as_it_is_and_in_order);
    tcase_add_test(tcase, a_busy_socket_is_waited_for);
    tcase_add_test(tcase, a_socket_that_breaks_ends_its_session_and_no_other);
    tcase_add_loop_test(tcase, unsent_bytes_are_kept_up_to_the_bound_and_then_dropped, 0, LENGTH(bounds));
    tcase_add_test(tcase, an_answer_is_never_dropped_for_a_tab_that_is_behind);
    tcase_add_test(tcase, an_answer_to_a_tab_that_is_behind_does_not_move_where_it_is_caught_up_from);
    tcase_add_loop_test(tcase, an_answer_behind_frames_that_wait_has_the_cursor_of_what_was_written, 0, 2);
    tcase_add_test(tcase, a_tab_behind_of_another_history_is_told_its_whole_state);
    tcase_add_test(tcase, a_first_page_has_the_cursor_of_when_it_was_asked_for);
    tcase_add_test(tcase, a_late_answer_is_not_taken_for_that_of_the_catch_up_that_replaced_its_own);
    tcase_add_test(tcase, a_catch_up_that_gives_way_to_the_whole_state_keeps_its_answers);
    tcase_add_loop_test(tcase, answers_that_wait_are_told_before_anything_is_read_again, 0, 2);
    tcase_add_loop_test(tcase, what_was_dropped_while_the_first_page_was_read_is_caught_up, 0, 2);
    tcase_add_test(tcase, a_frame_larger_than_the_bound_goes_out_when_nothing_waits);
    tcase_add_test(tcase, a_burst_larger_than_the_bound_is_no_reason_to_drop_for_a_socket_that_takes_it);
    tcase_add_test(tcase, a_tab_that_was_behind_is_caught_up_once_its_socket_takes_bytes_again);
    tcase_add_test(tcase, a_tab_that_was_behind_is_told_the_count_as_well);
    tcase_add_test(tcase, a_first_page_that_comes_late_does_not_end_the_catch_up_that_follows);
    tcase_add_test(tcase, a_tab_behind_before_connected_is_connected_first_and_then_caught_up);
    tcase_add_test(tcase, frames_that_wait_go_out_before_the_close_and_nothing_after_it);
    tcase_add_test(tcase, the_close_frame_goes_out_even_when_the_queue_is_full);
    tcase_add_test(tcase, a_tab_that_is_behind_still_gets_its_close_frame_and_no_catch_up);
    tcase_add_test(tcase, a_session_that_ends_is_no_longer_found_and_its_late_answers_are_lost);
    tcase_add_loop_test(tcase, a_socket_that_goes_away_in_any_state_leaves_nothing_behind, 0, 4);
    tcase_add_test(tcase, every_reason_has_the_close_code_of_the_protocol_and_a_short_text);
    tcase_add_test(tcase, the_public_id_is_a_uuid_that_only_this_session_of_this_process_has);
    return run_suite("session_out", tcase);
}
