/* Frames on the wire (RFC 6455 §5.2): every width of length, close frames, shared ownership. */
#include "frame.h"
#include "run_suite.h"

#include <string.h>

static const struct {
    size_t payload;
    size_t header_size;
    uint8_t header[FRAME_HEADER_MAX];
} lengths[] = {
    {0, 2, {0x81, 0}},
    {1, 2, {0x81, 1}},
    {125, 2, {0x81, 125}},
    {126, 4, {0x81, 126, 0, 126}},
    {255, 4, {0x81, 126, 0, 255}},
    {256, 4, {0x81, 126, 1, 0}},
    {65535, 4, {0x81, 126, 0xff, 0xff}},
    {65536, 10, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
    {1 << 20, 10, {0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 0}},
};

/* Bytes that differ from their neighbours, so that a shifted copy shows. */
static char *pattern(size_t size)
{
    char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 % 251);
    return bytes;
}

START_TEST(each_payload_size_has_the_shortest_header_of_the_rfc)
{
    size_t size = lengths[_i].payload, head = lengths[_i].header_size;
    char *bytes = pattern(size);
    struct frame *frame = frame_new_text(&(struct text){bytes, size}, 1);
    ck_assert_uint_eq(frame->size, head + size);
    ck_assert_mem_eq(frame->bytes, lengths[_i].header, head);
    ck_assert_mem_eq(frame->bytes + head, bytes, size);
    struct text payload = frame_payload(frame);
    ck_assert_ptr_eq(payload.bytes, frame->bytes + head);
    ck_assert_uint_eq(payload.size, size);
    frame_drop(frame);
    free(bytes);
}
END_TEST

START_TEST(the_payload_is_the_parts_in_their_order)
{
    const struct text parts[] = {TEXT("one"), {NULL, 0}, TEXT(""), {"two\0three", 9}, TEXT("!")};
    struct frame *frame = frame_new_text(parts, LENGTH(parts));
    struct text payload = frame_payload(frame);
    ck_assert_uint_eq(payload.size, 13);
    ck_assert_mem_eq(payload.bytes, "onetwo\0three!", 13);
    frame_drop(frame);
}
END_TEST

START_TEST(a_text_of_no_parts_is_an_empty_frame)
{
    struct frame *frame = frame_new_text(NULL, 0);
    ck_assert_uint_eq(frame->size, 2);
    ck_assert_uint_eq(frame_payload(frame).size, 0);
    frame_drop(frame);
}
END_TEST

START_TEST(a_ping_is_a_control_frame_with_a_short_payload)
{
    struct frame *frame = frame_new_ping();
    ck_assert_uint_eq(frame->bytes[0], 0x89);
    ck_assert_uint_ge(frame->bytes[1], 1); /* libwebsockets tells of no empty pong */
    ck_assert_uint_le(frame->bytes[1], 125);
    ck_assert_uint_eq(frame->size, 2U + frame->bytes[1]);
    frame_drop(frame);
}
END_TEST

static const struct {
    uint16_t code;
    size_t reason_size, kept;
} closes[] = {
    {1000, 0, 0},     {4000, 18, 18},   {4029, 122, 122},  {1001, 123, 123},
    {1001, 124, 123}, {4999, 200, 123}, {1011, 5000, 123},
};

START_TEST(a_close_frame_has_its_code_and_at_most_123_bytes_of_reason)
{
    char reason[5001];
    memset(reason, 'r', closes[_i].reason_size);
    reason[closes[_i].reason_size] = '\0';
    struct frame *frame = frame_new_close(closes[_i].code, reason);
    size_t kept = closes[_i].kept;
    ck_assert_uint_eq(frame->size, 2 + 2 + kept);
    ck_assert_uint_eq(frame->bytes[0], 0x88);
    ck_assert_uint_eq(frame->bytes[1], 2 + kept); /* at most 125: RFC 6455 §5.5 */
    ck_assert_int_eq(frame->bytes[2] << 8 | frame->bytes[3], closes[_i].code);
    ck_assert_mem_eq(frame->bytes + 4, reason, kept);
    frame_drop(frame);
}
END_TEST

START_TEST(a_close_frame_needs_no_reason)
{
    struct frame *frame = frame_new_close(1000, NULL);
    ck_assert_uint_eq(frame->size, 4);
    ck_assert_mem_eq(frame->bytes, "\x88\x02\x03\xe8", 4);
    frame_drop(frame);
}
END_TEST

START_TEST(a_frame_lives_until_its_last_owner_drops_it)
{
    struct frame *frame = frame_new_text(&TEXT("shared"), 1);
    ck_assert_uint_eq(frame->refs, 1);
    ck_assert_ptr_eq(frame_hold(frame), frame);
    ck_assert_ptr_eq(frame_hold(frame), frame);
    ck_assert_uint_eq(frame->refs, 3);
    frame_drop(frame);
    frame_drop(frame);
    ck_assert_uint_eq(frame->refs, 1);
    ck_assert_mem_eq(frame_payload(frame).bytes, "shared", 6);
    frame_drop(frame); /* a sanitizer or valgrind sees a missing or a second free */
}
END_TEST

START_TEST(dropping_nothing_is_allowed)
{
    frame_drop(NULL);
}
END_TEST

START_TEST(a_finished_frame_is_copied_byte_by_byte)
{
    struct frame *made = frame_new_text(&TEXT("over the bus"), 1);
    struct frame *copy = frame_from_wire(made->bytes, made->size);
    ck_assert_ptr_ne(copy, made);
    ck_assert_uint_eq(copy->refs, 1);
    ck_assert_uint_eq(copy->size, made->size);
    ck_assert_mem_eq(copy->bytes, made->bytes, made->size);
    frame_drop(made);
    ck_assert_mem_eq(frame_payload(copy).bytes, "over the bus", 12);
    frame_drop(copy);
}
END_TEST

START_TEST(text_of_counts_bytes_and_takes_null_for_nothing)
{
    ck_assert_uint_eq(text_of("caf\xc3\xa9").size, 5);
    ck_assert_uint_eq(text_of("").size, 0);
    ck_assert_uint_eq(text_of(NULL).size, 0);
    ck_assert_ptr_null(text_of(NULL).bytes);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("frames");
    tcase_add_loop_test(tcase, each_payload_size_has_the_shortest_header_of_the_rfc, 0, LENGTH(lengths));
    tcase_add_test(tcase, the_payload_is_the_parts_in_their_order);
    tcase_add_test(tcase, a_text_of_no_parts_is_an_empty_frame);
    tcase_add_test(tcase, a_ping_is_a_control_frame_with_a_short_payload);
    tcase_add_loop_test(tcase, a_close_frame_has_its_code_and_at_most_123_bytes_of_reason, 0, LENGTH(closes));
    tcase_add_test(tcase, a_close_frame_needs_no_reason);
    tcase_add_test(tcase, a_frame_lives_until_its_last_owner_drops_it);
    tcase_add_test(tcase, dropping_nothing_is_allowed);
    tcase_add_test(tcase, a_finished_frame_is_copied_byte_by_byte);
    tcase_add_test(tcase, text_of_counts_bytes_and_takes_null_for_nothing);
    return run_suite("frame", tcase);
}
