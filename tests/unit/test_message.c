/* Every message of the server, parsed again: exactly the members the protocol's table gives it, whatever
 * texts go in; what PostgreSQL made is passed on byte by byte. */
#include "message.h"
#include "run_suite.h"

#include <jansson.h>
#include <string.h>

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define SESSION "0f0e0d0c-0b0a-8908-8706-050403020100"
#define CURSOR "deadbeef-731"
/* Blanks, escapes, numbers and an order of members that no JSON library would write again like that. */
#define NOTIFICATION                                                                                         \
    "{\"id\":\"" ID "\", \"title\" : \"a \\u00e9\\/\\n\",\"data\":{\"z\":1.50,\"a\":1e3,\"n\":null},"        \
    "\"message\":\"caf\xc3\xa9\",\"version\":3}"

static struct uuid the_id(void)
{
    struct uuid id = {{0}};
    ck_assert(uuid_parse(ID, sizeof(ID) - 1, &id));
    return id;
}

static struct change change_of(enum change_kind kind)
{
    return (struct change){.kind = kind,
                           .user = TEXT("alice"),
                           .id = the_id(),
                           .version = 3,
                           .body = TEXT(NOTIFICATION),
                           .cursor = CURSOR};
}

static struct frame *connected(void)
{
    return message_connected("alice", SESSION, 5, CURSOR, 30, 1700003600, "");
}

static struct frame *connected_for_ever(void)
{
    return message_connected("alice", SESSION, 0, "", 1, 0, "\"r1\"");
}

static struct frame *connected_at_its_limits(void)
{
    return message_connected("", SESSION, INT64_MAX, CURSOR, INT32_MAX, 253402300799, "");
}

static struct frame *authenticated(void)
{
    return message_authenticated(1700003600, "\"again\"");
}

static struct frame *authenticated_for_ever(void)
{
    return message_authenticated(0, "");
}

static struct frame *token_expiring(void)
{
    return message_token_expiring(60);
}

static struct frame *new_notification(void)
{
    struct change change = change_of(CHANGE_NEW);
    return message_change(&change);
}

static struct frame *updated_notification(void)
{
    struct change change = change_of(CHANGE_UPDATED);
    return message_change(&change);
}

static struct frame *deleted_notification(void)
{
    struct change change = change_of(CHANGE_DELETED);
    change.body = (struct text){0};
    return message_change(&change);
}

static struct frame *broadcast(void)
{
    struct change change = change_of(CHANGE_MESSAGE);
    change.body = TEXT("{\"type\":\"system_alert\",\"level\":1.0}");
    return message_change(&change);
}

static struct frame *marked(void)
{
    struct uuid id = the_id();
    return message_marked(&id, TEXT(NOTIFICATION), CURSOR, "\"r2\"");
}

static struct frame *mark_failed(void)
{
    struct uuid id = the_id();
    return message_mark_failed(&id, "not_found", "\"r3\"");
}

static struct frame *unread_page(void)
{
    return message_page("unread_notifications", 12, TEXT("[" NOTIFICATION "]"),
                        TEXT("2024-05-01T10:00:00.000001Z_" ID), CURSOR, "\"r4\"");
}

static struct frame *last_page(void)
{
    return message_page("notifications", 0, TEXT("[]"), (struct text){0}, CURSOR, "");
}

static struct frame *unread_count(void)
{
    return message_unread_count(3, CURSOR, "");
}

static struct frame *unread_count_asked_for(void)
{
    return message_unread_count(0, CURSOR, "\"r5\"");
}

static struct frame *resync(void)
{
    return message_resync(CURSOR, "");
}

static struct frame *pong(void)
{
    return message_pong(CURSOR, "");
}

static struct frame *pong_with_ref(void)
{
    return message_pong(CURSOR, "\"r6\"");
}

static struct frame *error(void)
{
    return message_error("bad_field", "limit must be a \"whole\" number\n", 0, "\"r7\"");
}

static struct frame *error_with_wait(void)
{
    return message_error("rate_limited", "wait", 50, "");
}

static const struct {
    struct frame *(*make)(void);
    const char *expected;
} message_cases[] = {
    {connected,
     "{\"type\":\"connected\",\"message\":\"Application startup complete\",\"user_id\":\"alice\","
     "\"session_id\":\"" SESSION "\",\"unread_count\":5,\"cursor\":\"" CURSOR "\",\"heartbeat_interval\":30,"
     "\"token_expires_at\":\"2023-11-14T23:13:20.000000Z\",\"protocol\":1}"},
    {connected_for_ever, "{\"type\":\"connected\",\"message\":\"Application startup "
                         "complete\",\"user_id\":\"alice\",\"session_id\":\"" SESSION
                         "\",\"unread_count\":0,\"cursor\":\"\",\"heartbeat_interval\":1,\"token_expires_"
                         "at\":null,\"protocol\":1,"
                         "\"ref\":\"r1\"}"},
    {connected_at_its_limits,
     "{\"type\":\"connected\",\"message\":\"Application startup "
     "complete\",\"user_id\":\"\",\"session_id\":\"" SESSION
     "\",\"unread_count\":9223372036854775807,\"cursor\":\"" CURSOR "\",\"heartbeat_interval\":2147483647,"
     "\"token_expires_at\":\"9999-12-31T23:59:59.000000Z\",\"protocol\":1}"},
    {authenticated, "{\"type\":\"authenticated\",\"token_expires_at\":\"2023-11-14T23:13:20.000000Z\","
                    "\"ref\":\"again\"}"},
    {authenticated_for_ever, "{\"type\":\"authenticated\",\"token_expires_at\":null}"},
    {token_expiring, "{\"type\":\"token_expiring\",\"expires_in\":60}"},
    {new_notification,
     "{\"type\":\"new_notification\",\"notification\":" NOTIFICATION ",\"cursor\":\"" CURSOR "\"}"},
    {updated_notification,
     "{\"type\":\"notification_updated\",\"notification_id\":\"" ID "\",\"success\":true,"
     "\"notification\":" NOTIFICATION ",\"cursor\":\"" CURSOR "\"}"},
    {deleted_notification,
     "{\"type\":\"notification_deleted\",\"notification_id\":\"" ID "\",\"cursor\":\"" CURSOR "\"}"},
    {broadcast, "{\"type\":\"system_alert\",\"level\":1.0}"},
    {marked, "{\"type\":\"notification_updated\",\"notification_id\":\"" ID "\",\"success\":true,"
             "\"notification\":" NOTIFICATION ",\"cursor\":\"" CURSOR "\",\"ref\":\"r2\"}"},
    {mark_failed, "{\"type\":\"notification_updated\",\"notification_id\":\"" ID "\",\"success\":false,"
                  "\"code\":\"not_found\",\"ref\":\"r3\"}"},
    {unread_page,
     "{\"type\":\"unread_notifications\",\"count\":12,\"notifications\":[" NOTIFICATION "],"
     "\"next\":\"2024-05-01T10:00:00.000001Z_" ID "\",\"cursor\":\"" CURSOR "\",\"ref\":\"r4\"}"},
    {last_page,
     "{\"type\":\"notifications\",\"count\":0,\"notifications\":[],\"next\":null,\"cursor\":\"" CURSOR "\"}"},
    {unread_count, "{\"type\":\"unread_count\",\"count\":3,\"cursor\":\"" CURSOR "\"}"},
    {unread_count_asked_for,
     "{\"type\":\"unread_count\",\"count\":0,\"cursor\":\"" CURSOR "\",\"ref\":\"r5\"}"},
    {resync, "{\"type\":\"resumed\",\"resync\":true,\"cursor\":\"" CURSOR "\"}"},
    {pong, "{\"type\":\"pong\",\"cursor\":\"" CURSOR "\"}"},
    {pong_with_ref, "{\"type\":\"pong\",\"cursor\":\"" CURSOR "\",\"ref\":\"r6\"}"},
    {error,
     "{\"type\":\"error\",\"code\":\"bad_field\",\"message\":\"limit must be a \\\"whole\\\" number\\n\","
     "\"ref\":\"r7\"}"},
    {error_with_wait,
     "{\"type\":\"error\",\"code\":\"rate_limited\",\"message\":\"wait\",\"retry_after_ms\":50}"},
};

static json_t *parse(struct text text)
{
    json_error_t why;
    json_t *value = json_loadb(text.bytes, text.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    ck_assert_msg(value != NULL, "%s: %.*s", why.text, (int)text.size, text.bytes);
    return value;
}

START_TEST(each_message_has_exactly_the_members_of_the_table)
{
    struct frame *frame = message_cases[_i].make();
    json_t *actual = parse(frame_payload(frame)), *expected = parse(text_of(message_cases[_i].expected));
    ck_assert_msg(json_equal(actual, expected), "%.*s", (int)frame_payload(frame).size,
                  frame_payload(frame).bytes);
    ck_assert_uint_eq(frame->refs, 1);
    ck_assert_uint_eq(frame->bytes[0], 0x81); /* one whole text frame */
    json_decref(actual);
    json_decref(expected);
    frame_drop(frame);
}
END_TEST

static struct frame *(*const carriers[])(void) = {new_notification, updated_notification, marked,
                                                  unread_page};

START_TEST(a_notification_is_passed_on_byte_by_byte)
{
    struct frame *frame = carriers[_i]();
    struct text payload = frame_payload(frame);
    ck_assert_ptr_nonnull(memmem(payload.bytes, payload.size, NOTIFICATION, sizeof(NOTIFICATION) - 1));
    frame_drop(frame);
}
END_TEST

START_TEST(a_broadcast_is_the_applications_text_and_nothing_else)
{
    static const char *const bodies[] = {
        "{\"type\":\"system_alert\"}", " { \"type\" : \"x\" , \"n\":1.50e1 } ", "{\"type\":\"caf\xc3\xa9\"}"};
    for (int i = 0; i < LENGTH(bodies); i++) {
        struct change change = change_of(CHANGE_MESSAGE);
        change.body = text_of(bodies[i]);
        struct frame *frame = message_change(&change);
        ck_assert_uint_eq(frame_payload(frame).size, strlen(bodies[i]));
        ck_assert_mem_eq(frame_payload(frame).bytes, bodies[i], strlen(bodies[i]));
        frame_drop(frame);
    }
}
END_TEST

START_TEST(a_change_that_is_no_message_has_no_frame)
{
    struct change truncated = change_of(CHANGE_TRUNCATED), disconnect = change_of(CHANGE_DISCONNECT);
    ck_assert_ptr_null(message_change(&truncated));
    ck_assert_ptr_null(message_change(&disconnect));
}
END_TEST

static const char *const hostile_texts[] = {
    "\",\"unread_count\":99,\"x\":\"",
    "\\",
    "\\\"",
    "\\u0022",
    "</script><script>alert(1)</script>",
    "\n\r\t\b\f\x01\x1f\x7f",
    "caf\xc3\xa9 \xf0\x9f\x94\x94 \xe2\x80\xa8",
    "%s%n%d",
    "{}[],:",
};

START_TEST(a_hostile_user_id_stays_a_text)
{
    struct frame *frame = message_connected(hostile_texts[_i], SESSION, 1, CURSOR, 30, 0, "");
    json_t *message = parse(frame_payload(frame));
    ck_assert_uint_eq(json_object_size(message), 9);
    ck_assert_str_eq(json_string_value(json_object_get(message, "user_id")), hostile_texts[_i]);
    ck_assert_int_eq(json_integer_value(json_object_get(message, "unread_count")), 1);
    json_decref(message);
    frame_drop(frame);
}
END_TEST

START_TEST(a_hostile_error_text_stays_a_text)
{
    struct frame *frame = message_error("internal", hostile_texts[_i], 0, "");
    json_t *message = parse(frame_payload(frame));
    ck_assert_uint_eq(json_object_size(message), 3);
    ck_assert_str_eq(json_string_value(json_object_get(message, "message")), hostile_texts[_i]);
    json_decref(message);
    frame_drop(frame);
}
END_TEST

START_TEST(text_that_is_not_utf8_still_gives_a_whole_message)
{
    struct frame *frame = message_connected("caf\xe9", SESSION, 1, CURSOR, 30, 0, "");
    json_t *message = parse(frame_payload(frame));
    ck_assert(json_is_string(json_object_get(message, "user_id")));
    json_decref(message);
    frame_drop(frame);
}
END_TEST

/* As command.c hands refs on: JSON text with its quotes. */
static const char *const hostile_refs[] = {
    "\"\"",           "\"\\\"\"",        "\"\\\\\"",
    "\"\\u0001\\n\"", "\"caf\xc3\xa9\"", "\"\\\",\\\"success\\\":true,\\\"x\\\":\\\"\""};

START_TEST(a_ref_comes_back_as_it_came)
{
    struct uuid id = the_id();
    json_t *ref = json_loads(hostile_refs[_i], JSON_DECODE_ANY, NULL);
    struct frame *frames[] = {
        message_pong(CURSOR, hostile_refs[_i]),
        message_mark_failed(&id, "not_found", hostile_refs[_i]),
        message_marked(&id, TEXT(NOTIFICATION), CURSOR, hostile_refs[_i]),
        message_error("bad_field", "no", 1, hostile_refs[_i]),
        message_page("notifications", 0, TEXT("[]"), (struct text){0}, CURSOR, hostile_refs[_i]),
        message_unread_count(0, CURSOR, hostile_refs[_i]),
        message_authenticated(0, hostile_refs[_i]),
        message_connected("alice", SESSION, 0, CURSOR, 30, 0, hostile_refs[_i]),
    };
    for (int i = 0; i < LENGTH(frames); i++) {
        json_t *message = parse(frame_payload(frames[i]));
        ck_assert(json_equal(json_object_get(message, "ref"), ref));
        json_decref(message);
        frame_drop(frames[i]);
    }
    json_decref(ref);
}
END_TEST

START_TEST(a_notification_of_200_kilobytes_makes_one_frame)
{
    size_t size = 200 * 1024;
    char *body = malloc(size);
    memset(body, 'x', size);
    memcpy(body, "{\"t\":\"", 6);
    memcpy(body + size - 2, "\"}", 2);
    struct change change = change_of(CHANGE_NEW);
    change.body = (struct text){body, size};
    struct frame *frame = message_change(&change);
    json_t *message = parse(frame_payload(frame));
    ck_assert_uint_eq(json_string_length(json_object_get(json_object_get(message, "notification"), "t")),
                      size - 8);
    json_decref(message);
    frame_drop(frame);
    free(body);
}
END_TEST

START_TEST(the_notification_of_an_update_is_found_in_its_frame)
{
    static const char *const bodies[] = {NOTIFICATION, "{}", "{\"t\":\",\\\"cursor\\\":\\\"x,y\",\"version\":1}"};
    struct change change = change_of(CHANGE_UPDATED);
    change.body = text_of(bodies[_i]);
    struct frame *frame = message_change(&change);
    struct text found = message_notification(frame);
    ck_assert_uint_eq(found.size, strlen(bodies[_i]));
    ck_assert_mem_eq(found.bytes, bodies[_i], found.size);
    frame_drop(frame);
}
END_TEST

static const struct {
    const char *notification;
    bool read;
} reads[] = {
    {"{\"id\":\"1\",\"is_read\":true,\"version\":1}", true},
    {"{\"id\":\"1\",\"is_read\":true,\"version\":2147483647}", true},
    {"{\"id\":\"1\",\"is_read\":false,\"version\":1}", false},
    {"{\"title\":\"\\\"is_read\\\":true,\\\"version\\\":1\",\"is_read\":false,\"version\":1}", false},
    {"{\"data\":{\"is_read\":true,\"version\":1},\"is_read\":false,\"version\":7}", false},
    {"\"is_read\":true,\"version\":", true}, /* the shortest that is looked at whole */
    {"is_read\":true,\"version\":", false},
    {"{}", false},
    {"}", false},
    {"", false},
};

START_TEST(whether_a_notification_is_read_is_seen_at_its_end_only)
{
    ck_assert_int_eq(message_is_read(text_of(reads[_i].notification)), reads[_i].read);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("messages");
    tcase_add_loop_test(tcase, each_message_has_exactly_the_members_of_the_table, 0, LENGTH(message_cases));
    tcase_add_loop_test(tcase, a_notification_is_passed_on_byte_by_byte, 0, LENGTH(carriers));
    tcase_add_test(tcase, a_broadcast_is_the_applications_text_and_nothing_else);
    tcase_add_test(tcase, a_change_that_is_no_message_has_no_frame);
    tcase_add_loop_test(tcase, a_hostile_user_id_stays_a_text, 0, LENGTH(hostile_texts));
    tcase_add_loop_test(tcase, a_hostile_error_text_stays_a_text, 0, LENGTH(hostile_texts));
    tcase_add_test(tcase, text_that_is_not_utf8_still_gives_a_whole_message);
    tcase_add_loop_test(tcase, a_ref_comes_back_as_it_came, 0, LENGTH(hostile_refs));
    tcase_add_test(tcase, a_notification_of_200_kilobytes_makes_one_frame);
    tcase_add_loop_test(tcase, the_notification_of_an_update_is_found_in_its_frame, 0, 3);
    tcase_add_loop_test(tcase, whether_a_notification_is_read_is_seen_at_its_end_only, 0, LENGTH(reads));
    return run_suite("message", tcase);
}
