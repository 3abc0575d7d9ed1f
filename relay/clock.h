/* Time, in one place, so that tests can set it. */
#ifndef PGHERALD_CLOCK_H
#define PGHERALD_CLOCK_H

#include <stdint.h>

/* Monotonic milliseconds from an arbitrary start: for every timer and interval. */
uint64_t clock_now_ms(void);
/* The same in microseconds, for what is measured. */
int64_t clock_now_us(void);

/* Unix time: only for what leaves the program (log lines, token expiry). */
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* Stops both clocks at these values, until the next call or clock_unset_for_test(). */
void clock_set_for_test(uint64_t now_ms, int64_t wall_ms);
void clock_unset_for_test(void);

#endif
