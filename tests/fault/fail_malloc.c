/* An allocator of which the n-th call fails, over that of the C library. Linked to a test program, which sets
 * n; or loaded with LD_PRELOAD into a program that is as it is shipped, with n in FAIL_MALLOC_AT, counted from its
 * start, or in FAIL_MALLOC_AT_SIGNAL, counted from SIGUSR2. */
#include "fail_malloc.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static atomic_long left; /* calls until one fails; 0 and below: none does */
static atomic_bool failed;

void fail_malloc_at(long n)
{
    failed = false;
    left = n;
}

bool fail_malloc_has_failed(void)
{
    return failed;
}

long fail_malloc_left(void)
{
    return left;
}

static bool fails(void)
{
    if (left <= 0 || atomic_fetch_sub(&left, 1) != 1)
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

/* realloc(block, 0) frees: that cannot fail. */
void *realloc(void *block, size_t size)
{
    return size && fails() ? NULL : __libc_realloc(block, size);
}

static long at_signal;

static void start_counting(int unused)
{
    (void)unused;
    fail_malloc_at(at_signal);
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *n = getenv("FAIL_MALLOC_AT"), *later = getenv("FAIL_MALLOC_AT_SIGNAL");
    if (n)
        fail_malloc_at(atol(n));
    if (later) {
        at_signal = atol(later);
        signal(SIGUSR2, start_counting);
    }
}
