/* What every Check program ends with. */
#ifndef PGHERALD_TEST_RUN_SUITE_H
#define PGHERALD_TEST_RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Runs the test cases; returns the program's exit status. */
static inline int run_cases(const char *name, TCase *const cases[], int count)
{
    Suite *suite = suite_create(name);
    for (int i = 0; i < count; i++) {
        tcase_set_timeout(cases[i], 120); /* seconds; valgrind is slow */
        suite_add_tcase(suite, cases[i]);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int run_suite(const char *name, TCase *only)
{
    return run_cases(name, &only, 1);
}

#endif
