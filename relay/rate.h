/* A token bucket: so many events a second, so many at once. Pure. */
#ifndef PGHERALD_RATE_H
#define PGHERALD_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* As the configuration has it: N/s:BURST. */
struct rate_limit {
    int per_s;
    int burst;
};

struct rate {
    uint32_t left_m; /* thousandths of an event that may still happen now */
    uint32_t at_ms;  /* when that was so; wraps around after 49 days, which only refills it */
};

void rate_start(struct rate *rate, uint64_t now_ms, struct rate_limit limit); /* full */
/* True when one more event may happen now. Otherwise *wait_ms says when the next one may. */
bool rate_take(struct rate *rate, uint64_t now_ms, struct rate_limit limit, int64_t *wait_ms);
/* The same without taking: 0 when one more may happen now, else after how many ms. */
int64_t rate_wait_ms(struct rate *rate, uint64_t now_ms, struct rate_limit limit);
bool rate_is_full(struct rate *rate, uint64_t now_ms, struct rate_limit limit);

#endif
