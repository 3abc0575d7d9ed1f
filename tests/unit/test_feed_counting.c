/* Whether the feed counts along: as long as most totals are of use. */
#include "feed_counting.h"
#include "run_suite.h"

static struct feed_counting counting;

static void start(void)
{
    counting = (struct feed_counting){0};
}

static void rows(int count, bool of_use)
{
    for (int i = 0; i < count; i++)
        counting_was(&counting, of_use);
}

START_TEST(at_first_it_counts_along)
{
    ck_assert_int_eq(counting_rows(&counting), COUNTING_ROWS);
    rows(10000, true);
    ck_assert_int_eq(counting_rows(&counting), COUNTING_ROWS);
}
END_TEST

START_TEST(what_reaches_nobody_is_not_counted_along_but_for_a_row_to_try)
{
    rows(COUNTING_MEMORY / 2 - 1, false);
    ck_assert_int_eq(counting_rows(&counting), COUNTING_ROWS);
    rows(1, false);
    ck_assert_int_eq(counting_rows(&counting), COUNTING_ROWS_TRY);
    ck_assert_int_gt(COUNTING_ROWS_TRY, 1); /* the header is the first row */
}
END_TEST

START_TEST(it_begins_again_soon_however_long_it_was_of_no_use)
{
    rows(1000000, false);
    rows(COUNTING_MEMORY / 2, true);
    ck_assert_int_eq(counting_rows(&counting), COUNTING_ROWS_TRY);
    rows(1, true);
    ck_assert_int_eq(counting_rows(&counting), COUNTING_ROWS);
}
END_TEST

START_TEST(one_row_in_three_for_nobody_changes_nothing)
{
    for (int i = 0; i < 1000; i++) {
        rows(1, false);
        rows(2, true);
        ck_assert_int_eq(counting_rows(&counting), COUNTING_ROWS);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("counting along");
    tcase_add_checked_fixture(tcase, start, NULL);
    tcase_add_test(tcase, at_first_it_counts_along);
    tcase_add_test(tcase, what_reaches_nobody_is_not_counted_along_but_for_a_row_to_try);
    tcase_add_test(tcase, it_begins_again_soon_however_long_it_was_of_no_use);
    tcase_add_test(tcase, one_row_in_three_for_nobody_changes_nothing);
    return run_suite("feed_counting", tcase);
}
