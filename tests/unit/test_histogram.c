/* Histograms: each value is in one bucket, a bound belongs to the bucket below it. */
#include "histogram.h"
#include "run_suite.h"

static const struct {
    const struct histogram_bounds *bounds;
    uint64_t value;
    int bucket;
} values[] = {
    {&histogram_times, 0, 0},
    {&histogram_times, 499, 0},
    {&histogram_times, 500, 0},
    {&histogram_times, 501, 1},
    {&histogram_times, 10000000, 13},
    {&histogram_times, 10000001, 14},
    {&histogram_times, UINT64_MAX, 14},
    {&histogram_sizes, 1, 0},
    {&histogram_sizes, 2, 1},
    {&histogram_sizes, 3, 2},
    {&histogram_sizes, 1000, 9},
    {&histogram_sizes, 1001, 10},
};

START_TEST(a_value_is_counted_in_one_bucket)
{
    struct histogram histogram = {.sum = 0};
    histogram_count(&histogram, values[_i].bounds, values[_i].value);
    for (int i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
        ck_assert_uint_eq(histogram.buckets[i], i == values[_i].bucket);
    ck_assert_uint_eq(histogram.sum, values[_i].value);
}
END_TEST

START_TEST(bounds_rise_and_there_is_room_for_them)
{
    static const struct histogram_bounds *const all[] = {&histogram_times, &histogram_sizes};
    const struct histogram_bounds *bounds = all[_i];
    ck_assert_int_le(bounds->count, HISTOGRAM_BOUNDS_MAX);
    for (int i = 1; i < bounds->count; i++)
        ck_assert_uint_gt(bounds->at[i], bounds->at[i - 1]);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("histogram");
    tcase_add_loop_test(tcase, a_value_is_counted_in_one_bucket, 0, LENGTH(values));
    tcase_add_loop_test(tcase, bounds_rise_and_there_is_room_for_them, 0, 2);
    return run_suite("histogram", tcase);
}
