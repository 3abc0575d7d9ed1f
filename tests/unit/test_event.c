/* Frames as events of a stream: fields, ids, line ends; made once however many want them. */
#include "event.h"
#include "message.h"
#include "run_suite.h"

#include <string.h>

#define ID "926f5a44-7bea-4a4c-9d51-7eedbef93b36"

/* Both are dropped. */
static void expect_event(struct frame *frame, const char *expected)
{
    struct frame *event = event_of(frame);
    ck_assert_msg(event->size == strlen(expected) && memcmp(event->bytes, expected, event->size) == 0,
                  "expected %s, got %.*s", expected, (int)event->size, (const char *)event->bytes);
    ck_assert(event->is_event);
    frame_drop(event);
    frame_drop(frame);
}

static struct frame *application(const char *text)
{
    struct frame *frame = frame_new_text(&(struct text){text, strlen(text)}, 1);
    frame->application = true;
    return frame;
}

START_TEST(the_cursor_of_a_frame_is_the_id_of_its_event)
{
    expect_event(message_unread_count(3, "deadbeef-731", ""),
                 "id: deadbeef-731\ndata: {\"type\":\"unread_count\",\"count\":3,\"cursor\":\"deadbeef-731\"}\n\n");
    expect_event(message_connected("alice", ID, 0, "deadbeef-7", 30, 0, ""),
                 "id: deadbeef-7\ndata: {\"type\":\"connected\",\"message\":\"Application startup complete\","
                 "\"user_id\":\"alice\",\"session_id\":\"" ID "\",\"unread_count\":0,\"cursor\":\"deadbeef-7\","
                 "\"heartbeat_interval\":30,\"token_expires_at\":null,\"protocol\":1}\n\n");
    expect_event(message_draining(700), "data: {\"type\":\"draining\",\"retry_after_ms\":700}\n\n");
}
END_TEST

START_TEST(what_a_notification_has_under_that_name_is_no_id)
{
    struct change change = {.kind = CHANGE_NEW,
                            .body = TEXT("{\"title\":\",\\\"cursor\\\":\\\"a\\\"\",\"data\":{\"x\":1,\"cursor\":\"b\"}}"),
                            .cursor = "deadbeef-8"};
    expect_event(message_change(&change),
                 "id: deadbeef-8\ndata: {\"type\":\"new_notification\",\"notification\":{\"title\":\",\\\"cursor\\\":"
                 "\\\"a\\\"\",\"data\":{\"x\":1,\"cursor\":\"b\"}},\"cursor\":\"deadbeef-8\"}\n\n");
}
END_TEST

START_TEST(a_broadcast_has_no_id_whatever_it_says)
{
    expect_event(application("{\"type\":\"x\",\"cursor\":\"deadbeef-9\"}"),
                 "data: {\"type\":\"x\",\"cursor\":\"deadbeef-9\"}\n\n");
}
END_TEST

/* Between tokens JSON may have line ends; each would end the field, two the event. */
START_TEST(no_line_end_of_a_broadcast_ends_a_field)
{
    expect_event(application("{\n\"type\":\"x\"\r\n}\r"), "data: {\ndata: \"type\":\"x\"\ndata: }\ndata: \n\n");
    expect_event(application("{}\n\nid: forged"), "data: {}\ndata: \ndata: id: forged\n\n");
    expect_event(application("\r\r\n\n"), "data: \ndata: \ndata: \ndata: \n\n");
}
END_TEST

START_TEST(an_event_is_made_once_and_outlives_its_frame)
{
    struct frame *frame = message_draining(5);
    frame->passing = true;
    struct frame *one = event_of(frame), *other = event_of(frame), *same = event_of(one);
    ck_assert_ptr_eq(one, other);
    ck_assert_ptr_eq(one, same);
    ck_assert(one->passing);
    frame_drop(frame);
    ck_assert_uint_eq(one->refs, 3);
    frame_drop(one);
    frame_drop(other);
    frame_drop(same);
}
END_TEST

static void expect_bytes(struct frame *frame, const char *expected)
{
    ck_assert_uint_eq(frame->size, strlen(expected));
    ck_assert_mem_eq(frame->bytes, expected, frame->size);
    frame_drop(frame);
}

START_TEST(events_without_a_frame_are_fields_of_the_standard)
{
    expect_bytes(event_alive(), ": alive\n\n");
    expect_bytes(event_retry(1742), "retry: 1742\n\n");
    expect_bytes(event_close(1001, "server is shutting down", false),
                 "event: close\ndata: {\"code\":1001,\"reason\":\"server is shutting down\"}\n\n");
    expect_bytes(event_close(4002, "disconnected by the application", true),
                 "event: close\nid: closed\ndata: {\"code\":4002,\"reason\":\"disconnected by the application\"}\n\n");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("events");
    tcase_add_test(tcase, the_cursor_of_a_frame_is_the_id_of_its_event);
    tcase_add_test(tcase, what_a_notification_has_under_that_name_is_no_id);
    tcase_add_test(tcase, a_broadcast_has_no_id_whatever_it_says);
    tcase_add_test(tcase, no_line_end_of_a_broadcast_ends_a_field);
    tcase_add_test(tcase, an_event_is_made_once_and_outlives_its_frame);
    tcase_add_test(tcase, events_without_a_frame_are_fields_of_the_standard);
    return run_suite("events", tcase);
}
