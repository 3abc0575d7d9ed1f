/* The two clocks of the system, or what a test has set instead. */
#include "clock.h"

#include <stdbool.h>
#include <time.h>

static struct {
    bool set;
    uint64_t now_ms;
    int64_t wall_ms;
} test_clock;

static int64_t system_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t system_ms(clockid_t id)
{
    return system_us(id) / 1000;
}

uint64_t clock_now_ms(void)
{
    return test_clock.set ? test_clock.now_ms : (uint64_t)system_ms(CLOCK_MONOTONIC);
}

int64_t clock_now_us(void)
{
    return test_clock.set ? (int64_t)test_clock.now_ms * 1000 : system_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return test_clock.set ? test_clock.wall_ms : system_ms(CLOCK_REALTIME);
}

int64_t clock_wall_s(void)
{
    return clock_wall_ms() / 1000;
}

void clock_set_for_test(uint64_t now_ms, int64_t wall_ms)
{
    test_clock.set = true;
    test_clock.now_ms = now_ms;
    test_clock.wall_ms = wall_ms;
}

void clock_unset_for_test(void)
{
    test_clock.set = false;
}
