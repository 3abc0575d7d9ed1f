/* What a delivery costs: one frame an event however many tabs take it, one write a tab and loop turn, and no
 * memory for either of them. What a heartbeat costs: one write and nothing else. And what a long message costs that
 * comes in many pieces. */
#include "../fault/fail_malloc.h"
#include "bus.h"
#include "fake_relay.h"
#include "login.h"
#include "message.h"
#include "run_suite.h"
#include "stream.h"

#include <limits.h>

#define BODY "{\"id\":\"01234567-89ab-cdef-0123-456789abcdef\",\"version\":1}"

enum { TABS = 50, STREAMS = 20, TURNS = 20, EVENTS = 10 /* in each turn */ };

static struct fake_socket tabs[TABS];
static int writes;

/* Keeps nothing, since keeping would take memory. */
static bool count_write(void *socket, const uint8_t *bytes, size_t size)
{
    (void)socket, (void)bytes, (void)size;
    writes++;
    return true;
}

static const struct change event = {
    .kind = CHANGE_NEW, .user = {"alice", 5}, .version = 1, .body = {BODY, sizeof(BODY) - 1}, .cursor = FAKE_CURSOR};

static void from_the_feed(void)
{
    struct change_sink sink = relay_sink(&fake_relay);
    sink.change(sink.owner, &event);
}

static struct bus_buffer on_the_bus;

static void deliver(void *owner, const struct change *change, struct frame *frame)
{
    relay_deliver(owner, change, frame);
}

static void from_the_bus(void)
{
    struct bus_sink sink = {deliver, relay_sink(&fake_relay)};
    if (bus_take(on_the_bus.bytes, on_the_bus.size, &sink) != on_the_bus.size)
        abort(); /* Check's own assertions allocate */
}

static void (*const sources[])(void) = {from_the_feed, from_the_bus};

static void start(void)
{
    fake_relay_start();
    fake_config.max_connections_per_user = TABS;
    for (int i = 0; i < TABS; i++)
        socket_login(&tabs[i], "alice");
    struct frame *frame = message_change(&event);
    bus_put_change(&on_the_bus, &event, frame);
    frame_drop(frame);
}

static void stop(void)
{
    for (int i = 0; i < TABS; i++)
        socket_close(&tabs[i]);
    free(on_the_bus.bytes);
    on_the_bus = (struct bus_buffer){0};
    fake_relay_stop();
}

static void turn(void (*source)(void))
{
    for (int i = 0; i < EVENTS; i++)
        source();
    end_turn();
}

START_TEST(a_delivery_allocates_nothing_and_writes_once_a_turn)
{
    struct door door = fake_door;
    door.write = count_write;
    fake_relay.sessions.door = &door;
    advance_ms(COUNTS_PERIOD_MS);
    turn(sources[_i]); /* the pool of outbox nodes grows, and a count is under way from now on */
    writes = 0;
    fail_malloc_at(LONG_MAX);
    for (int i = 0; i < TURNS; i++)
        turn(sources[_i]);
    long allocations = LONG_MAX - fail_malloc_left();
    fail_malloc_at(0);
    ck_assert_int_eq(allocations, TURNS * EVENTS); /* the frames */
    ck_assert_int_eq(writes, TURNS * TABS);
    fake_relay.sessions.door = &fake_door;
}
END_TEST

START_TEST(a_heartbeat_allocates_nothing_and_writes_once)
{
    struct door door = fake_door;
    door.write = count_write;
    fake_relay.sessions.door = &door;
    advance_ms((uint64_t)fake_config.heartbeat_s * 1000);
    writes = 0;
    fail_malloc_at(LONG_MAX);
    bool more = sessions_due(&fake_relay, TABS + 1);
    long allocations = LONG_MAX - fail_malloc_left();
    fail_malloc_at(0);
    ck_assert(!more);
    ck_assert_int_eq(allocations, 0);
    ck_assert_int_eq(writes, TABS);
    ck_assert_ptr_null(fake_relay.sessions.touched); /* nothing is left for the end of the turn */
    ck_assert_uint_eq(fake_relay.sessions.sent.frames[FRAME_PING], TABS);
    fake_relay.sessions.door = &fake_door;
}
END_TEST

enum { PIECE_BYTES = 128 /* what one read of a socket brings */, PIECES = 4096 };

START_TEST(a_message_in_pieces_is_not_copied_at_each)
{
    static const char piece[PIECE_BYTES];
    struct session *session = tabs[0].session;
    fake_config.max_message_bytes = PIECES * PIECE_BYTES;
    fail_malloc_at(LONG_MAX);
    for (int i = 0; i < PIECES; i++)
        session_receive(session, piece, PIECE_BYTES, false, false, (size_t)PIECE_BYTES * (size_t)(PIECES - 1 - i));
    long allocations = LONG_MAX - fail_malloc_left();
    fail_malloc_at(0);
    ck_assert_int_le(allocations, 13); /* it doubles, from the first piece to 2^12 of them */
    ck_assert_int_ge(allocations, 1);
}
END_TEST

static void open_stream(struct fake_socket *socket, const struct door *door)
{
    *socket = (struct fake_socket){.writes_left = -1};
    socket->session = session_open(&fake_relay, socket, (struct net_address){0}, stream_new(door, "", ""));
    login_start(socket->session, TEXT("dummy-jwt-for-alice"), (struct text){0}, "");
    answer_user("alice");
    end_turn();
    answer_count("alice", "0");
    end_turn();
}

START_TEST(streams_cost_one_frame_more_an_event_however_many_there_are)
{
    static struct fake_socket streams[STREAMS];
    struct door door = fake_door;
    door.write = count_write;
    fake_config.max_connections_per_user = TABS + STREAMS;
    fake_relay.sessions.door = &door;
    for (int i = 0; i < STREAMS; i++)
        open_stream(&streams[i], &door);
    advance_ms(COUNTS_PERIOD_MS);
    turn(sources[_i]);
    writes = 0;
    fail_malloc_at(LONG_MAX);
    for (int i = 0; i < TURNS; i++)
        turn(sources[_i]);
    long allocations = LONG_MAX - fail_malloc_left();
    fail_malloc_at(0);
    ck_assert_int_eq(allocations, 2 * TURNS * EVENTS);
    ck_assert_int_eq(writes, TURNS * (TABS + STREAMS));
    for (int i = 0; i < STREAMS; i++)
        socket_close(&streams[i]);
    fake_relay.sessions.door = &fake_door;
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("a delivery");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_message_in_pieces_is_not_copied_at_each);
    tcase_add_test(tcase, a_heartbeat_allocates_nothing_and_writes_once);
    tcase_add_loop_test(tcase, a_delivery_allocates_nothing_and_writes_once_a_turn, 0, LENGTH(sources));
    tcase_add_loop_test(tcase, streams_cost_one_frame_more_an_event_however_many_there_are, 0, LENGTH(sources));
    return run_suite("allocations", tcase);
}
