/* Queues of frames: order, bytes, ownership, and what goes into one write. */
#include "outbox.h"
#include "run_suite.h"

#include <string.h>

static struct outbox_pool pool;
static struct deliveries sent;
static struct outbox outbox;

static void start(void)
{
    pool = (struct outbox_pool){0};
    sent = (struct deliveries){0};
    outbox = (struct outbox){0};
}

static void stop(void)
{
    outbox_clear(&outbox, &pool);
    outbox_pool_free(&pool);
}

/* A frame of exactly so many bytes on the wire, all of them `byte`. */
static struct frame *frame_of(char byte, size_t size)
{
    uint8_t bytes[512];
    memset(bytes, byte, sizeof(bytes));
    return frame_from_wire(bytes, size);
}

static void push(char byte, size_t size)
{
    outbox_push(&outbox, &pool, frame_of(byte, size));
}

static void expect_next(char byte)
{
    struct frame *frame = outbox_take(&outbox, &pool);
    ck_assert_ptr_nonnull(frame);
    ck_assert_int_eq(frame->bytes[0], byte);
    frame_drop(frame);
}

START_TEST(frames_come_out_in_the_order_they_went_in)
{
    push('a', 1), push('b', 2), push('c', 3);
    expect_next('a'), expect_next('b');
    push('d', 4);
    expect_next('c'), expect_next('d');
    ck_assert_ptr_null(outbox_take(&outbox, &pool));
    push('e', 1);
    expect_next('e');
}
END_TEST

START_TEST(the_feeds_frames_are_dropped_and_answers_stay_in_order)
{
    for (const char *byte = "abcd"; *byte; byte++) {
        struct frame *frame = frame_of(*byte, 10);
        frame->passing = *byte == 'a' || *byte == 'c';
        outbox_push(&outbox, &pool, frame);
    }
    outbox_drop_passing(&outbox, &pool);
    ck_assert_uint_eq(outbox.bytes, 20);
    expect_next('b'), expect_next('d');
    ck_assert_ptr_null(outbox.tail);
}
END_TEST

START_TEST(its_bytes_are_those_of_the_frames_in_it)
{
    ck_assert_uint_eq(outbox.bytes, 0);
    push('a', 10), push('b', 300);
    ck_assert_uint_eq(outbox.bytes, 310);
    expect_next('a');
    ck_assert_uint_eq(outbox.bytes, 300);
    expect_next('b');
    ck_assert_uint_eq(outbox.bytes, 0);
    push('c', 5), push('d', 5);
    outbox_clear(&outbox, &pool);
    ck_assert_uint_eq(outbox.bytes, 0);
    ck_assert_ptr_null(outbox_take(&outbox, &pool));
}
END_TEST

START_TEST(a_shared_frame_is_counted_and_released_once_by_each_queue)
{
    struct outbox other = {0};
    struct frame *frame = frame_of('s', 8);
    outbox_push(&outbox, &pool, frame_hold(frame));
    outbox_push(&outbox, &pool, frame_hold(frame));
    outbox_push(&other, &pool, frame_hold(frame));
    ck_assert_uint_eq(frame->refs, 4);
    outbox_clear(&outbox, &pool);
    ck_assert_uint_eq(frame->refs, 2);
    ck_assert_ptr_eq(outbox_take(&other, &pool), frame);
    ck_assert_uint_eq(frame->refs, 2); /* take hands the reference on */
    frame_drop(frame);
    frame_drop(frame);
}
END_TEST

static const struct {
    size_t sizes[4], room, written;
    int left;
} gathers[] = {
    {{0}, 10, 0, 0},       {{5}, 10, 5, 0},         {{10}, 10, 10, 0},      {{11}, 10, 0, 1},
    {{5, 5}, 10, 10, 0},   {{5, 6}, 10, 5, 1},      {{4, 5, 1}, 10, 10, 0}, {{4, 5, 2}, 10, 9, 1},
    {{4, 7, 1}, 10, 4, 2}, /* the one behind does not overtake */
    {{11, 1}, 10, 0, 2},   {{3, 3, 3, 3}, 0, 0, 4},
};

START_TEST(whole_frames_are_gathered_as_long_as_they_fit)
{
    uint8_t buffer[16], expected[16];
    size_t total = 0, at = 0;
    int count = 0;
    memset(buffer, '#', sizeof(buffer));
    memset(expected, '#', sizeof(expected));
    for (; count < 4 && gathers[_i].sizes[count]; count++) {
        size_t size = gathers[_i].sizes[count];
        push((char)('a' + count), size);
        total += size;
        if (at + size <= gathers[_i].written) {
            memset(expected + at, 'a' + count, size);
            at += size;
        }
    }
    ck_assert_uint_eq(outbox_gather(&outbox, &pool, buffer, gathers[_i].room, &sent), gathers[_i].written);
    ck_assert_mem_eq(buffer, expected, sizeof(buffer)); /* nothing behind it is touched */
    ck_assert_uint_eq(outbox.bytes, total - gathers[_i].written);
    ck_assert_uint_eq(pool.bytes, outbox.bytes);
    ck_assert_uint_eq(sent.bytes, gathers[_i].written);
    for (int i = 0; i < gathers[_i].left; i++)
        expect_next((char)('a' + count - gathers[_i].left + i));
    ck_assert_ptr_null(outbox.head);
}
END_TEST

START_TEST(gathering_releases_what_it_copied)
{
    struct frame *frame = frame_of('s', 8);
    uint8_t buffer[8];
    outbox_push(&outbox, &pool, frame_hold(frame));
    ck_assert_uint_eq(outbox_gather(&outbox, &pool, buffer, sizeof(buffer), &sent), 8);
    ck_assert_uint_eq(frame->refs, 1);
    frame_drop(frame);
}
END_TEST

START_TEST(the_pool_grows_and_its_nodes_are_used_again)
{
    enum { MANY = 5000 };
    struct frame *frame = frame_of('m', 2);
    for (int i = 0; i < MANY; i++)
        outbox_push(&outbox, &pool, frame_hold(frame));
    ck_assert_uint_eq(frame->refs, MANY + 1);
    ck_assert_uint_eq(outbox.bytes, 2 * MANY);
    const struct outbox_block *blocks = pool.blocks;
    for (int turn = 0; turn < 3; turn++) {
        outbox_clear(&outbox, &pool);
        ck_assert_uint_eq(frame->refs, 1);
        for (int i = 0; i < MANY; i++)
            outbox_push(&outbox, &pool, frame_hold(frame));
    }
    ck_assert_ptr_eq(pool.blocks, blocks); /* nothing was allocated */
    outbox_clear(&outbox, &pool);
    frame_drop(frame);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("outboxes");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, frames_come_out_in_the_order_they_went_in);
    tcase_add_test(tcase, the_feeds_frames_are_dropped_and_answers_stay_in_order);
    tcase_add_test(tcase, its_bytes_are_those_of_the_frames_in_it);
    tcase_add_test(tcase, a_shared_frame_is_counted_and_released_once_by_each_queue);
    tcase_add_loop_test(tcase, whole_frames_are_gathered_as_long_as_they_fit, 0, LENGTH(gathers));
    tcase_add_test(tcase, gathering_releases_what_it_copied);
    tcase_add_test(tcase, the_pool_grows_and_its_nodes_are_used_again);
    return run_suite("outbox", tcase);
}
