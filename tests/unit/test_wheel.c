/* The timing wheel: nothing comes late, nothing is lost, nothing comes twice. */
#include "run_suite.h"
#include "wheel.h"

#include <stddef.h>

#define START 1000 /* seconds; not a multiple of the wheel's size */

static struct wheel wheel;

static void start(void)
{
    wheel_start(&wheel, START);
}

static void expect(uint64_t now_s, struct wheel_entry *entry)
{
    ck_assert_ptr_eq(wheel_take(&wheel, now_s), entry);
}

static const int delays[] = {1, 2, 5, 29, 30, 62, 63};

START_TEST(a_deadline_comes_in_its_second_and_not_before)
{
    struct wheel_entry entry = {0};
    uint64_t due = START + (uint64_t)delays[_i];
    wheel_set(&wheel, &entry, due);
    for (uint64_t now = START; now < due; now++)
        expect(now, NULL);
    expect(due, &entry);
    expect(due, NULL);
    expect(due + 200, NULL);
}
END_TEST

START_TEST(a_deadline_in_the_past_or_present_comes_in_the_next_second)
{
    static const uint64_t dues[] = {0, 1, START - 64, START - 1, START};
    struct wheel_entry entry = {0};
    wheel_set(&wheel, &entry, dues[_i]);
    expect(START, NULL);
    expect(START + 1, &entry);
    expect(START + 2, NULL);
}
END_TEST

START_TEST(a_deadline_beyond_the_wheel_comes_up_early_for_its_owner_to_set_again)
{
    static const uint64_t dues[] = {START + 64, START + 65, START + 128, START + 100000, UINT64_MAX};
    struct wheel_entry entry = {0};
    wheel_set(&wheel, &entry, dues[_i]);
    expect(START + 62, NULL);
    expect(START + 63, &entry);
    expect(START + 63, NULL);
    wheel_set(&wheel, &entry, dues[_i]);
    uint64_t next = dues[_i] < START + 126 ? dues[_i] : START + 126;
    expect(next - 1, NULL);
    expect(next, &entry);
}
END_TEST

START_TEST(after_a_long_pause_every_deadline_comes_once)
{
    static const uint64_t pauses[] = {63, 64, 65, 127, 128, 129, 3600, 100000};
    struct wheel_entry entries[WHEEL_SLOTS] = {0};
    for (int i = 0; i < WHEEL_SLOTS; i++)
        wheel_set(&wheel, &entries[i], START + 1 + (uint64_t)i);
    int taken = 0;
    while (wheel_take(&wheel, START + pauses[_i]))
        taken++;
    ck_assert_int_eq(taken, WHEEL_SLOTS);
    for (int i = 0; i < WHEEL_SLOTS; i++)
        ck_assert_ptr_null(entries[i].prev);
    struct wheel_entry later = {0};
    wheel_set(&wheel, &later, START + pauses[_i] + 5);
    expect(START + pauses[_i] + 4, NULL);
    expect(START + pauses[_i] + 5, &later);
}
END_TEST

START_TEST(an_entry_set_again_while_a_pause_is_made_up_for_comes_no_later_than_due)
{
    struct wheel_entry entry = {0};
    uint64_t now = START + 1000, due = now + 30;
    wheel_set(&wheel, &entry, START + 2);
    expect(now, &entry);
    wheel_set(&wheel, &entry, due);
    while (wheel_take(&wheel, now)) /* may come up early; must come to an end */
        wheel_set(&wheel, &entry, due);
    ck_assert_ptr_nonnull(entry.prev);
    for (uint64_t at = now + 1; at < due; at++)
        while (wheel_take(&wheel, at))
            wheel_set(&wheel, &entry, due);
    expect(due, &entry);
}
END_TEST

START_TEST(a_deadline_set_again_counts_only_once)
{
    struct wheel_entry entry = {0};
    wheel_set(&wheel, &entry, START + 5);
    wheel_set(&wheel, &entry, START + 20);
    expect(START + 19, NULL);
    expect(START + 20, &entry);
    wheel_set(&wheel, &entry, START + 50);
    wheel_set(&wheel, &entry, START + 22);
    expect(START + 22, &entry);
    expect(START + 100, NULL);
}
END_TEST

START_TEST(a_removed_deadline_never_comes)
{
    struct wheel_entry first = {0}, second = {0}, third = {0};
    wheel_set(&wheel, &first, START + 5);
    wheel_set(&wheel, &second, START + 5);
    wheel_set(&wheel, &third, START + 5);
    wheel_remove(&wheel, &second);
    wheel_remove(&wheel, &second); /* twice does no harm */
    expect(START + 5, &first);
    expect(START + 5, &third);
    expect(START + 200, NULL);
}
END_TEST

START_TEST(removing_what_was_never_set_does_nothing)
{
    struct wheel_entry set = {0}, never = {0};
    wheel_set(&wheel, &set, START + 1);
    wheel_remove(&wheel, &never);
    expect(START + 1, &set);
}
END_TEST

START_TEST(those_of_one_second_come_in_the_order_they_were_set)
{
    struct wheel_entry entries[3] = {0};
    for (int i = 0; i < 3; i++)
        wheel_set(&wheel, &entries[i], START + 7);
    for (int i = 0; i < 3; i++)
        expect(START + 7, &entries[i]);
    expect(START + 7, NULL);
}
END_TEST

START_TEST(another_turn_of_the_wheel_does_not_bring_a_deadline_forward)
{
    struct wheel_entry soon = {0}, late = {0};
    wheel_set(&wheel, &soon, START + 3);
    expect(START + 3, &soon);
    expect(START + 3, NULL);
    wheel_set(&wheel, &late, START + 66); /* one slot before START + 3's */
    expect(START + 65, NULL);
    expect(START + 66, &late);
}
END_TEST

START_TEST(a_clock_that_stands_still_or_goes_back_takes_nothing)
{
    struct wheel_entry entry = {0};
    wheel_set(&wheel, &entry, START + 1);
    expect(START, NULL);
    expect(START - 500, NULL);
    expect(START + 1, &entry);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("wheel");
    tcase_add_checked_fixture(tcase, start, NULL);
    tcase_add_loop_test(tcase, a_deadline_comes_in_its_second_and_not_before, 0, LENGTH(delays));
    tcase_add_loop_test(tcase, a_deadline_in_the_past_or_present_comes_in_the_next_second, 0, 5);
    tcase_add_loop_test(tcase, a_deadline_beyond_the_wheel_comes_up_early_for_its_owner_to_set_again, 0, 5);
    tcase_add_loop_test(tcase, after_a_long_pause_every_deadline_comes_once, 0, 8);
    tcase_add_test(tcase, an_entry_set_again_while_a_pause_is_made_up_for_comes_no_later_than_due);
    tcase_add_test(tcase, a_deadline_set_again_counts_only_once);
    tcase_add_test(tcase, a_removed_deadline_never_comes);
    tcase_add_test(tcase, removing_what_was_never_set_does_nothing);
    tcase_add_test(tcase, those_of_one_second_come_in_the_order_they_were_set);
    tcase_add_test(tcase, another_turn_of_the_wheel_does_not_bring_a_deadline_forward);
    tcase_add_test(tcase, a_clock_that_stands_still_or_goes_back_takes_nothing);
    return run_suite("wheel", tcase);
}
