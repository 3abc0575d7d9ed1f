/* Sessions by their ids, while many come and go. */
#include "run_suite.h"
#include "session.h"

#include <stdbool.h>
#include <string.h>

enum { MANY = 2000, STEPS = 100000 };

static struct session_table table;
static struct session sessions[MANY];
static bool in_it[MANY];

static void start(void)
{
    table = (struct session_table){0};
    memset(in_it, 0, sizeof(in_it));
    for (int i = 0; i < MANY; i++)
        sessions[i].id = (uint64_t)i + 1;
}

static void stop(void)
{
    session_table_free(&table);
}

static void add(int i)
{
    session_table_add(&table, &sessions[i]);
    in_it[i] = true;
}

static void remove_it(int i)
{
    session_table_remove(&table, &sessions[i]);
    in_it[i] = false;
}

/* Every session is found by its id exactly when it is in the table, and the table goes through each once. */
static void expect_all(void)
{
    size_t wanted = 0, seen = 0;
    for (int i = 0; i < MANY; i++) {
        wanted += in_it[i];
        ck_assert_ptr_eq(session_table_find(&table, sessions[i].id), in_it[i] ? &sessions[i] : NULL);
    }
    for (size_t at = 0; session_table_next(&table, &at);)
        seen++;
    ck_assert_uint_eq(table.count, wanted);
    ck_assert_uint_eq(seen, wanted);
}

START_TEST(an_empty_table_has_nobody)
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
            sessions[i].id = (uint64_t)step + MANY + 1;
            add(i);
        }
        if (step % 500 == 0)
            expect_all();
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("the table");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, an_empty_table_has_nobody);
    tcase_add_test(tcase, all_are_found_while_the_table_grows_and_empties);
    tcase_add_test(tcase, whoever_comes_and_goes_leaves_the_others_in_place);
    return run_suite("session_table", tcase);
}
