/* From where the feed goes on: over reconnections, crashes and failovers. */
#include "feed_place.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>

#define EPOCH "7300000000000000001:00000001:01234567-89ab-cdef-0123-456789abcdef"
#define CRASHED "7300000000000000001:00000001:fedcba98-7654-3210-fedc-ba9876543210"
#define PROMOTED "7300000000000000001:00000002:01234567-89ab-cdef-0123-456789abcdef"
#define OTHER_SYSTEM "7300000000000000002:00000001:01234567-89ab-cdef-0123-456789abcdef"

static struct feed_place place;

static void start(void)
{
    place = (struct feed_place){0};
}

static void stop(void)
{
    feed_place_free(&place);
}

static void advance(const char *snapshot, uint64_t xmin, uint64_t insert_lsn, uint64_t flush_lsn)
{
    char *copy = strdup(snapshot); /* the row is gone after the call */
    feed_place_advance(&place, &(struct feed_header){text_of(copy), xmin, insert_lsn, flush_lsn, 0, false});
    memset(copy, '#', strlen(copy));
    free(copy);
}

static void expect(const struct feed_point *point, const char *snapshot, uint64_t xmin)
{
    if (!snapshot) {
        ck_assert_ptr_null(point->snapshot);
        return;
    }
    ck_assert_ptr_nonnull(point->snapshot);
    ck_assert_str_eq(point->snapshot, snapshot);
    ck_assert_uint_eq(point->xmin, xmin);
}

START_TEST(the_first_connection_goes_on_from_nowhere)
{
    ck_assert_int_eq(feed_place_enter(&place, EPOCH), FEED_MOVE_ON);
    ck_assert_str_eq(place.epoch, EPOCH);
    expect(&place.newest, NULL, 0);
    expect(&place.durable, NULL, 0);
}
END_TEST

START_TEST(each_window_moves_the_newest_point)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 90);
    expect(&place.newest, "10:10:", 10);
    advance("11:12:11", 11, 110, 90);
    expect(&place.newest, "11:12:11", 11);
}
END_TEST

START_TEST(a_snapshot_is_kept_to_its_size_and_not_beyond)
{
    feed_place_advance(&place, &(struct feed_header){{"10:12:10,11 and more", 11}, 10, 1, 0, 0, false});
    expect(&place.newest, "10:12:10,11", 10);
}
END_TEST

START_TEST(the_same_epoch_goes_on_from_the_newest_point)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 100);
    advance("11:11:", 11, 110, 100);
    ck_assert_int_eq(feed_place_enter(&place, EPOCH), FEED_MOVE_ON);
    expect(&place.newest, "11:11:", 11);
    expect(&place.durable, "10:10:", 10);
}
END_TEST

/* flush_lsn of the second window against the 100 bytes inserted at the first. */
static const struct {
    uint64_t flush_lsn;
    bool durable;
} flushes[] = {{0, false}, {99, false}, {100, true}, {101, true}, {UINT64_MAX, true}};

START_TEST(a_point_is_durable_once_all_wal_up_to_it_is_flushed)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 50);
    expect(&place.durable, NULL, 0);
    advance("11:11:", 11, 110, flushes[_i].flush_lsn);
    expect(&place.durable, flushes[_i].durable ? "10:10:" : NULL, 10);
}
END_TEST

/* A later flush_lsn must say it: the one of the point itself was read before or after its rows. */
START_TEST(no_window_makes_itself_durable)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 100);
    expect(&place.durable, NULL, 0);
    advance("11:11:", 11, 110, 110);
    expect(&place.durable, "10:10:", 10);
}
END_TEST

START_TEST(the_durable_point_follows_the_newest_one)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 0);
    advance("11:11:", 11, 110, 50);  /* 10 waits for 100 */
    advance("12:12:", 12, 120, 105); /* 10 is durable, 12 waits for 120 */
    expect(&place.durable, "10:10:", 10);
    advance("13:13:", 13, 130, 119);
    expect(&place.durable, "10:10:", 10);
    advance("14:14:", 14, 140, 120);
    expect(&place.durable, "12:12:", 12);
    expect(&place.newest, "14:14:", 14);
}
END_TEST

START_TEST(it_catches_up_when_everything_is_flushed_all_the_time)
{
    feed_place_enter(&place, EPOCH);
    for (uint64_t i = 0; i < 1000; i++) {
        char snapshot[32];
        snprintf(snapshot, sizeof(snapshot), "%d:%d:", (int)i, (int)i);
        advance(snapshot, i, i * 10, i * 10);
        if (i > 0)
            ck_assert_uint_eq(place.durable.xmin, i - 1);
    }
}
END_TEST

START_TEST(after_a_crash_the_durable_point_is_the_newest)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 0);
    advance("11:11:", 11, 110, 100);
    advance("12:12:", 12, 120, 100);
    ck_assert_int_eq(feed_place_enter(&place, CRASHED), FEED_MOVE_BACK);
    ck_assert_str_eq(place.epoch, CRASHED);
    expect(&place.newest, "10:10:", 10);
    expect(&place.durable, "10:10:", 10);
    expect(&place.waiting, NULL, 0); /* the WAL it waited for may be gone */
}
END_TEST

START_TEST(after_a_crash_an_old_waiting_point_never_becomes_durable)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 0);
    advance("11:11:", 11, 110, 100);
    feed_place_enter(&place, CRASHED);
    advance("20:20:", 20, 105, 105);
    expect(&place.durable, "10:10:", 10);
    advance("21:21:", 21, 125, 125);
    expect(&place.durable, "20:20:", 20);
}
END_TEST

START_TEST(a_database_before_the_newest_point_is_an_older_copy)
{
    static const uint64_t lsns[] = {99, 100, 101};
    struct feed_header header = {{"5:5:", 4}, 5, lsns[_i], 0, 0, false};
    ck_assert(!feed_place_is_ahead(&place, &header));
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 100);
    ck_assert_int_eq(feed_place_is_ahead(&place, &header), lsns[_i] < 100);
    feed_place_forget(&place);
    expect(&place.newest, NULL, 0);
    expect(&place.durable, NULL, 0);
    ck_assert(!feed_place_is_ahead(&place, &header));
    ck_assert_int_eq(feed_place_enter(&place, EPOCH), FEED_MOVE_ON); /* the epoch is still known */
}
END_TEST

START_TEST(two_crashes_in_a_row_go_back_to_the_same_point)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 0);
    advance("11:11:", 11, 110, 100);
    ck_assert_int_eq(feed_place_enter(&place, CRASHED), FEED_MOVE_BACK);
    ck_assert_int_eq(feed_place_enter(&place, EPOCH), FEED_MOVE_BACK);
    expect(&place.newest, "10:10:", 10);
}
END_TEST

START_TEST(a_crash_before_anything_was_durable_is_a_resync)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 0);
    ck_assert_int_eq(feed_place_enter(&place, CRASHED), FEED_MOVE_RESYNC);
    ck_assert_str_eq(place.epoch, CRASHED);
    expect(&place.newest, NULL, 0);
    expect(&place.waiting, NULL, 0);
}
END_TEST

static const char *const other_histories[] = {
    PROMOTED,
    OTHER_SYSTEM,
    "7300000000000000002:00000002:fedcba98-7654-3210-fedc-ba9876543210",
    "730000000000000000:00000001:01234567-89ab-cdef-0123-456789abcdef",
    "73000000000000000010:00000001:01234567-89ab-cdef-0123-456789abcdef",
    "7300000000000000001:0000001:01234567-89ab-cdef-0123-456789abcdef",
    "7300000000000000001:00000001:16384.16390:01234567-89ab-cdef-0123-456789abcdef",
    "no epoch",
    "",
};

START_TEST(another_system_or_timeline_is_a_resync_even_with_a_durable_point)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 0);
    advance("11:11:", 11, 110, 100);
    ck_assert_int_eq(feed_place_enter(&place, other_histories[_i]), FEED_MOVE_RESYNC);
    ck_assert_str_eq(place.epoch, other_histories[_i]);
    expect(&place.newest, NULL, 0);
    expect(&place.durable, NULL, 0);
    expect(&place.waiting, NULL, 0);
    advance("5:5:", 5, 10, 10); /* and it begins anew */
    advance("6:6:", 6, 20, 20);
    expect(&place.newest, "6:6:", 6);
    expect(&place.durable, "5:5:", 5);
    ck_assert_int_eq(feed_place_enter(&place, other_histories[_i]), FEED_MOVE_ON);
}
END_TEST

START_TEST(a_freed_place_is_like_a_new_one)
{
    feed_place_enter(&place, EPOCH);
    advance("10:10:", 10, 100, 100);
    advance("11:11:", 11, 110, 110);
    feed_place_free(&place);
    expect(&place.newest, NULL, 0);
    ck_assert_int_eq(feed_place_enter(&place, OTHER_SYSTEM), FEED_MOVE_ON);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("feed places");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, the_first_connection_goes_on_from_nowhere);
    tcase_add_test(tcase, each_window_moves_the_newest_point);
    tcase_add_test(tcase, a_snapshot_is_kept_to_its_size_and_not_beyond);
    tcase_add_test(tcase, the_same_epoch_goes_on_from_the_newest_point);
    tcase_add_loop_test(tcase, a_point_is_durable_once_all_wal_up_to_it_is_flushed, 0, LENGTH(flushes));
    tcase_add_test(tcase, no_window_makes_itself_durable);
    tcase_add_test(tcase, the_durable_point_follows_the_newest_one);
    tcase_add_test(tcase, it_catches_up_when_everything_is_flushed_all_the_time);
    tcase_add_test(tcase, after_a_crash_the_durable_point_is_the_newest);
    tcase_add_test(tcase, after_a_crash_an_old_waiting_point_never_becomes_durable);
    tcase_add_loop_test(tcase, a_database_before_the_newest_point_is_an_older_copy, 0, 3);
    tcase_add_test(tcase, two_crashes_in_a_row_go_back_to_the_same_point);
    tcase_add_test(tcase, a_crash_before_anything_was_durable_is_a_resync);
    tcase_add_loop_test(tcase, another_system_or_timeline_is_a_resync_even_with_a_durable_point, 0,
                        LENGTH(other_histories));
    tcase_add_test(tcase, a_freed_place_is_like_a_new_one);
    return run_suite("feed_place", tcase);
}
