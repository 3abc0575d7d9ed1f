/* One tab of alice's on a fake relay, for the tests of sessions. */
#ifndef PGHERALD_TEST_FAKE_TAB_H
#define PGHERALD_TEST_FAKE_TAB_H

#include <stdio.h>

#include "fake_relay.h"

#define LOGIN "{\"type\":\"authenticate\",\"token\":\"dummy-jwt-for-alice\"}"
#define PING "{\"type\":\"ping\"}"
#define PING_REF(ref) "{\"type\":\"ping\",\"ref\":\"" ref "\"}"
#define PONG "{\"type\":\"pong\",\"cursor\":\"" FAKE_CURSOR "\"}"
#define PONG_REF(ref) "{\"type\":\"pong\",\"cursor\":\"" FAKE_CURSOR "\",\"ref\":\"" ref "\"}"

static struct fake_socket tab;

static inline void tab_start(void)
{
    fake_relay_start();
    tab = (struct fake_socket){.gone = true}; /* until it is opened */
}

static inline void tab_stop(void)
{
    socket_close(&tab);
    fake_relay_stop();
}

static inline void expect_state(enum session_state state)
{
    ck_assert_int_eq(tab.session->state, state);
}

/* A frame of exactly so many bytes on the wire. */
static inline struct frame *frame_of(size_t size)
{
    size_t payload = size - (size < 128 ? 2 : size < 65540 ? 4 : 10);
    char *text = malloc(payload);
    memset(text, 'x', payload);
    struct frame *frame = frame_new_text(&(struct text){text, payload}, 1);
    free(text);
    ck_assert_uint_eq(frame->size, size);
    frame->passing = true;
    return frame;
}

/* The tab has been caught up, and had missed nothing. */
static inline void expect_resumed(void)
{
    expect_query(DESK_RESUME);
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "e"}}});
    end_turn();
    expect_json(&tab, "{\"type\":\"resumed\",\"count\":0,\"cursor\":\"" FAKE_CURSOR "\"}");
}

/* Takes a frame off and looks at its size only. */
static inline void expect_size(size_t size)
{
    struct frame *frame = next_frame(&tab);
    ck_assert_ptr_nonnull(frame);
    ck_assert_uint_eq(frame->size, size);
    frame_drop(frame);
}

static inline void receive(const char *bytes, bool final, size_t announced)
{
    session_receive(tab.session, bytes, strlen(bytes), false, final, announced);
}

/* To the state before this step of a login. */
static inline void login_up_to(enum session_state state)
{
    socket_open(&tab);
    if (state == SESSION_WAITING)
        return;
    send_text(&tab, LOGIN);
    if (state == SESSION_LOGIN)
        return;
    answer_user("alice");
    end_turn();
    if (state == SESSION_OPEN) {
        answer_count("alice", "0");
        end_turn();
        expect_connected(&tab, "alice", 0);
    }
    expect_state(state);
}

static inline TCase *tab_case(const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, tab_start, tab_stop);
    return tcase;
}

#endif
