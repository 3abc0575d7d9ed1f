/* Makes one allocation of the process fail; see fail_malloc.c. */
#ifndef PGHERALD_TEST_FAIL_MALLOC_H
#define PGHERALD_TEST_FAIL_MALLOC_H

#include <stdbool.h>

/* The n-th allocation from now on fails, n from 1; 0: none does. */
void fail_malloc_at(long n);
/* Whether it has come to that since. */
bool fail_malloc_has_failed(void);
/* How many allocations are left until then: n less this have been made. */
long fail_malloc_left(void);

#endif
