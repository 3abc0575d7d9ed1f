/* A relay without sockets and without a database, for one test program: what sessions write is kept and read
 * back as frames; what goes to the desk waits for the test's answer. Defines the desk's functions, so that
 * relay/desk.c is not linked. Time stands still until advance_s(). */
#ifndef PGHERALD_TEST_FAKE_RELAY_H
#define PGHERALD_TEST_FAKE_RELAY_H

#include <check.h>
#include <limits.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "desk.h"
#include "frame.h"
#include "log.h"
#include "memory.h"
#include "relay.h"

#define FAKE_CURSOR "deadbeef-731"

/* ---- the desk ---- */

enum { FAKE_QUERIES = 256, FAKE_ROWS = 50, FAKE_COLUMNS = 7 };

struct answer {
    const char *error; /* SQLSTATE */
    int rows;
    const char *cells[FAKE_ROWS][FAKE_COLUMNS];
};

struct desk {
    struct desk_query queries[FAKE_QUERIES]; /* oldest first */
    int count;
};

void desk_submit(struct desk *desk, const struct desk_query *query)
{
    ck_assert_int_lt(desk->count, FAKE_QUERIES);
    struct desk_query *kept = &desk->queries[desk->count++];
    *kept = *query;
    for (int i = 0; i < DESK_PARAMS_MAX; i++)
        kept->values[i] = memory_copy_text(query->values[i]);
}

int answer_rows(const struct answer *answer)
{
    return answer->rows;
}

struct text answer_text(const struct answer *answer, int row, int column)
{
    return text_of(answer->cells[row][column]);
}

int64_t answer_int(const struct answer *answer, int row, int column)
{
    return strtoll(answer->cells[row][column], NULL, 10);
}

const char *answer_error(const struct answer *answer)
{
    return answer->error;
}

/* ---- the socket ---- */

struct fake_socket {
    struct session *session;
    uint8_t *bytes; /* written by the session and not yet read by the test */
    size_t size;
    int writes;      /* how many there were */
    int writes_left; /* until it is busy; -1: never */
    bool broken;     /* the next write fails */
    bool wanted;     /* session_writable() was asked for */
    bool unread;     /* the session does not read now */
    uint32_t taken;  /* what the kernel says of its peer */
    bool gone;
};

static inline bool fake_write(void *context, const uint8_t *bytes, size_t size)
{
    struct fake_socket *socket = context;
    ck_assert(!socket->gone);
    ck_assert_int_ne(socket->writes_left, 0); /* only when not busy */
    if (socket->broken)
        return false;
    socket->bytes = memory_resize(socket->bytes, socket->size + size);
    memcpy(socket->bytes + socket->size, bytes, size);
    socket->size += size;
    socket->writes++;
    if (socket->writes_left > 0)
        socket->writes_left--;
    return true;
}

static inline bool fake_busy(void *context)
{
    return ((struct fake_socket *)context)->writes_left == 0;
}

static inline void fake_want_write(void *context)
{
    ((struct fake_socket *)context)->wanted = true;
}

static inline void fake_kill(void *context)
{
    struct fake_socket *socket = context;
    ck_assert(!socket->gone);
    session_gone(socket->session);
    socket->session = NULL;
    socket->gone = true;
}

static inline void fake_read(void *context, bool on)
{
    ((struct fake_socket *)context)->unread = !on;
}

static inline uint32_t fake_taken(void *context)
{
    return ((struct fake_socket *)context)->taken;
}

static inline void fake_expect(void *context)
{
    if (((struct fake_socket *)context)->gone)
        abort(); /* ck_assert() allocates, and allocations are counted */
}

static const struct door fake_door = {fake_write, fake_busy,  fake_want_write, fake_kill,
                                      fake_read,  fake_taken, fake_expect};

/* ---- the relay ---- */

static struct config fake_config;
static struct desk fake_desk;
static struct relay fake_relay;
static uv_loop_t fake_loop;
static uv_timer_t fake_timer;
static uint64_t fake_now_ms;
static int64_t fake_wall_ms;

static inline void set_time(uint64_t now_ms, int64_t wall_ms)
{
    fake_now_ms = now_ms;
    fake_wall_ms = wall_ms;
    clock_set_for_test(now_ms, wall_ms);
}

static inline void advance_ms(uint64_t ms)
{
    set_time(fake_now_ms + ms, fake_wall_ms + (int64_t)ms);
}

static inline void fake_relay_start(void)
{
    log_open(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    set_time(1000000, 1700000000000);
    fake_config = (struct config){.auth = AUTH_MODE_DEV,
                                  .max_connections = 100,
                                  .max_connections_per_user = 3,
                                  .max_connections_per_ip = 10,
                                  .max_message_bytes = 1000,
                                  .rate_limit = {20, 40},
                                  .user_rate_limit = {1000, 1000},
                                  .auth_failure_limit = {1, 5},
                                  .queue_bytes = 10000,
                                  .heartbeat_s = 30};
    fake_desk = (struct desk){.count = 0};
    uv_loop_init(&fake_loop);
    uv_timer_init(&fake_loop, &fake_timer);
    fake_relay = (struct relay){.config = &fake_config, .loop = &fake_loop, .desk = &fake_desk, .list_desk = &fake_desk, .sharing = 1};
    fake_relay.counts.timer = &fake_timer;
    strcpy(fake_relay.router.cursor, FAKE_CURSOR);
    fake_relay.router.now = (struct cursor){0xdeadbeef, 731};
    sessions_start(&fake_relay.sessions, &fake_door);
}

/* Logins and pages are asked for at the end of a turn; most tests of them end none. */
static inline void ask_now(void)
{
    if (!fake_desk.count)
        resolver_flush(&fake_relay);
    if (!fake_desk.count)
        inbox_flush(&fake_relay);
}

/* Answers the oldest query; NULL: the database was not reached. */
static inline void answer_next(const struct answer *answer)
{
    ask_now();
    ck_assert_int_gt(fake_desk.count, 0);
    struct desk_query query = fake_desk.queries[0];
    fake_desk.count--;
    for (int i = 0; i < fake_desk.count; i++)
        fake_desk.queries[i] = fake_desk.queries[i + 1];
    if (query.done)
        query.done(&fake_relay, query.session, query.context, answer);
    for (int i = 0; i < DESK_PARAMS_MAX; i++)
        free((void *)(uintptr_t)query.values[i]);
}

/* What is still at the desk ends unanswered; all sockets must be gone by then. */
static inline void fake_relay_stop(void)
{
    drain_start(&fake_relay, 0);
    while (fake_desk.count)
        answer_next(NULL);
    resolver_stop(&fake_relay.resolver);
    inbox_stop(&fake_relay.inbox);
    marks_stop(&fake_relay.marks);
    ck_assert_int_eq(fake_relay.sessions.count, 0);
    ck_assert_uint_eq(fake_relay.router.users.count, 0);
    router_stop(&fake_relay.router);
    sessions_stop(&fake_relay.sessions);
    ck_assert_ptr_null(fake_relay.sessions.peers.by_address);
    uv_close((uv_handle_t *)&fake_timer, NULL);
    uv_run(&fake_loop, UV_RUN_DEFAULT);
    uv_loop_close(&fake_loop);
    clock_unset_for_test();
}

/* The end of a loop turn, as worker.c has it. */
static inline void end_turn(void)
{
    resolver_flush(&fake_relay);
    counts_tell(&fake_relay);
    sessions_flush(&fake_relay.sessions, INT_MAX);
    counts_flush(&fake_relay);
    marks_flush(&fake_relay);
    inbox_flush(&fake_relay);
    resume_flush(&fake_relay);
    sessions_flush(&fake_relay.sessions, INT_MAX);
}

/* Time goes by second by second, with the ticks and turns that a loop would have. */
static inline void advance_s(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        advance_ms(1000);
        sessions_tick(&fake_relay);
        while (sessions_due(&fake_relay, 3))
            end_turn();
        marks_tick(&fake_relay);
        end_turn();
    }
}

static inline const struct desk_query *expect_query(enum desk_statement statement)
{
    ask_now();
    ck_assert_int_gt(fake_desk.count, 0);
    ck_assert_int_eq(fake_desk.queries[0].statement, statement);
    return &fake_desk.queries[0];
}

/* ---- sockets and what comes out of them ---- */

static inline void socket_open_from(struct fake_socket *socket, const char *address)
{
    struct net_address from = {0};
    ck_assert(!*address || net_address_parse(text_of(address), &from));
    *socket = (struct fake_socket){.writes_left = -1};
    socket->session = session_open(&fake_relay, socket, from, NULL);
}

static inline void socket_open(struct fake_socket *socket)
{
    socket_open_from(socket, "");
}

/* The peer is gone, whatever the session's state. */
static inline void socket_close(struct fake_socket *socket)
{
    if (!socket->gone)
        fake_kill(socket);
    free(socket->bytes);
    socket->bytes = NULL;
    socket->size = 0;
}

static inline void send_bytes(struct fake_socket *socket, const char *bytes, size_t size)
{
    char *copy = memory_new(size ? size : 1); /* no zero byte behind: a sanitizer sees what is read there */
    memcpy(copy, bytes, size);
    session_receive(socket->session, copy, size, false, true, 0);
    free(copy);
}

static inline void send_text(struct fake_socket *socket, const char *text)
{
    send_bytes(socket, text, strlen(text));
}

/* Takes the next frame off; the caller drops it. NULL: there is none. */
static inline struct frame *next_frame(struct fake_socket *socket)
{
    if (!socket->size)
        return NULL;
    size_t length = socket->bytes[1], head = 2;
    if (length >= 126) {
        size_t width = length == 126 ? 2 : 8;
        length = 0;
        for (size_t i = 0; i < width; i++)
            length = length << 8 | socket->bytes[2 + i];
        head += width;
    }
    ck_assert_uint_le(head + length, socket->size); /* only whole frames are written */
    struct frame *frame = frame_from_wire(socket->bytes, head + length);
    socket->size -= frame->size;
    memmove(socket->bytes, socket->bytes + frame->size, socket->size);
    return frame;
}

static inline void expect_nothing(struct fake_socket *socket)
{
    ck_assert_msg(socket->size == 0, "unexpected: %.*s", (int)socket->size, (const char *)socket->bytes);
}

/* The next frame is a text with exactly these members; what is "*" in `expected` may be anything. */
static inline void expect_json(struct fake_socket *socket, const char *expected)
{
    struct frame *frame = next_frame(socket);
    ck_assert_msg(frame != NULL, "no frame, expected %s", expected);
    ck_assert_uint_eq(frame->bytes[0], 0x81);
    struct text payload = frame_payload(frame);
    json_t *actual = json_loadb(payload.bytes, payload.size, JSON_REJECT_DUPLICATES, NULL);
    json_t *wanted = json_loads(expected, 0, NULL), *value;
    const char *name;
    ck_assert_ptr_nonnull(wanted);
    json_object_foreach(wanted, name, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), "*") == 0 &&
            json_object_get(actual, name))
            json_object_set(wanted, name, json_object_get(actual, name));
    }
    ck_assert_msg(json_equal(actual, wanted), "expected %s, got %.*s", expected, (int)payload.size,
                  payload.bytes);
    json_decref(actual);
    json_decref(wanted);
    frame_drop(frame);
}

static inline void expect_ping(struct fake_socket *socket)
{
    struct frame *frame = next_frame(socket);
    ck_assert_ptr_nonnull(frame);
    ck_assert_uint_eq(frame->bytes[0], 0x89);
    frame_drop(frame);
}

/* The next frame, and the last, is this close frame. */
static inline void expect_close(struct fake_socket *socket, int code, const char *reason)
{
    struct frame *frame = next_frame(socket);
    ck_assert_msg(frame != NULL, "no frame, expected close %d %s", code, reason);
    struct text payload = frame_payload(frame);
    ck_assert_msg(frame->bytes[0] == 0x88, "expected close %d, got %.*s", code, (int)payload.size,
                  payload.bytes);
    ck_assert_int_eq(frame->bytes[2] << 8 | frame->bytes[3], code);
    ck_assert_uint_eq(payload.size, 2 + strlen(reason));
    ck_assert_mem_eq(payload.bytes + 2, reason, strlen(reason));
    frame_drop(frame);
    expect_nothing(socket);
}

/* ---- logging in ---- */

static inline void answer_user(const char *user_id)
{
    resolver_flush(&fake_relay);
    expect_query(DESK_RESOLVE_USERS);
    answer_next(&(struct answer){.rows = 1, .cells = {{user_id}}});
}

static inline void answer_count(const char *user_id, const char *count)
{
    expect_query(DESK_UNREAD_COUNTS);
    answer_next(&(struct answer){.rows = 1, .cells = {{user_id, count}}});
}

static inline void expect_connected(struct fake_socket *socket, const char *user_id, int count)
{
    char expected[512];
    snprintf(expected, sizeof(expected),
             "{\"type\":\"connected\",\"message\":\"Application startup complete\",\"user_id\":\"%s\","
             "\"session_id\":\"*\",\"unread_count\":%d,\"cursor\":\"*\",\"heartbeat_interval\":%d,"
             "\"token_expires_at\":null,\"protocol\":1}",
             user_id, count, fake_config.heartbeat_s);
    expect_json(socket, expected);
}

/* An open tab of this user, which is also its name. */
static inline void socket_login(struct fake_socket *socket, const char *user_id)
{
    char text[256];
    socket_open(socket);
    snprintf(text, sizeof(text), "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-%s\"}", user_id);
    send_text(socket, text);
    answer_user(user_id);
    end_turn();
    answer_count(user_id, "0");
    end_turn();
    expect_connected(socket, user_id, 0);
    expect_nothing(socket);
}

#endif
