/* A token bucket: so many events a second, so many at once. Pure. */
#ifndef PGHERALD_RATE_H
#define PGHERALD_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    uint32_t left_m; /* thousandths of an event that may still happen now */
    uint32_t at_ms;  /* when that was so; wraps around after 49 days, which only refills it */
};

void rate_start(struct rate *rate, uint64_t now_ms, int burst);
/* True when one more event may happen now. Otherwise *wait_ms says when the next one may. */
bool rate_take(struct rate *rate, uint64_t now_ms, int per_s, int burst, int64_t *wait_ms);

#endif
