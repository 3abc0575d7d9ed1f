/* Things by their numbers, while many come and go. */
#include "run_suite.h"
#include "table.h"

#include <stdbool.h>
#include <string.h>

enum { MANY = 2000, STEPS = 100000 };

struct thing {
    uint64_t number;
};

static struct table table;
static struct thing things[MANY];
static bool in_it[MANY];

static void start(void)
{
    table = (struct table){0};
    memset(in_it, 0, sizeof(in_it));
    for (int i = 0; i < MANY; i++)
        things[i].number = (uint64_t)i + 1;
}

static void stop(void)
{
    table_free(&table);
}

static void add(int i)
{
    table_add(&table, things[i].number, &things[i]);
    in_it[i] = true;
}

static void remove_it(int i)
{
    table_remove(&table, things[i].number, &things[i]);
    in_it[i] = false;
}

/* Each is found by its number exactly when it is in the table, and the table goes through each once. */
static void expect_all(void)
{
    size_t wanted = 0, seen = 0;
    for (int i = 0; i < MANY; i++) {
        wanted += in_it[i];
        ck_assert_ptr_eq(table_find(&table, things[i].number, NULL, NULL), in_it[i] ? &things[i] : NULL);
    }
    for (size_t at = 0; table_next(&table, &at);)
        seen++;
    ck_assert_uint_eq(table.count, wanted);
    ck_assert_uint_eq(seen, wanted);
}

START_TEST(an_empty_table_has_nothing)
{
    expect_all();
}
END_TEST

START_TEST(all_are_found_while_the_table_grows_and_empties)
{
    for (int i = 0; i < MANY; i++)
        add(i);
    expect_all();
    for (int i = 0; i < MANY; i += 2)
        remove_it(i);
    expect_all();
    for (int i = 1; i < MANY; i += 2)
        remove_it(i);
    expect_all();
}
END_TEST

START_TEST(whoever_comes_and_goes_leaves_the_others_in_place)
{
    unsigned chance = 1;
    for (int step = 0; step < STEPS; step++) {
        chance = chance * 1103515245 + 12345;
        int i = (int)(chance >> 8) % 190; /* so many fit into 256 places */
        if (in_it[i]) {
            remove_it(i);
        } else {
            things[i].number = (uint64_t)step + MANY + 1;
            add(i);
        }
        if (step % 500 == 0)
            expect_all();
    }
}
END_TEST

static bool is_same(const void *item, const void *wanted)
{
    return item == wanted;
}

START_TEST(those_with_the_same_number_are_told_apart)
{
    for (int i = 0; i < 300; i++) {
        things[i].number = (uint64_t)i / 30;
        add(i);
    }
    for (int i = 0; i < 300; i += 3)
        remove_it(i);
    for (int i = 0; i < 300; i++) {
        struct thing *thing = &things[i];
        ck_assert_ptr_eq(table_find(&table, thing->number, is_same, thing), in_it[i] ? thing : NULL);
    }
    ck_assert_ptr_null(table_find(&table, 10, NULL, NULL));
    ck_assert_uint_eq(table.count, 200);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("the table");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, an_empty_table_has_nothing);
    tcase_add_test(tcase, all_are_found_while_the_table_grows_and_empties);
    tcase_add_test(tcase, whoever_comes_and_goes_leaves_the_others_in_place);
    tcase_add_test(tcase, those_with_the_same_number_are_told_apart);
    return run_suite("table", tcase);
}
