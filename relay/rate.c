/* The token bucket; see rate.h. */
#include "rate.h"

enum { ONE_M = 1000 };

static uint32_t full_m(struct rate_limit limit)
{
    return (uint32_t)limit.burst * ONE_M;
}

static void refill(struct rate *rate, uint64_t now_ms, struct rate_limit limit)
{
    uint64_t left_m = rate->left_m + (uint64_t)((uint32_t)now_ms - rate->at_ms) * (uint64_t)limit.per_s;
    rate->left_m = left_m < full_m(limit) ? (uint32_t)left_m : full_m(limit);
    rate->at_ms = (uint32_t)now_ms;
}

void rate_start(struct rate *rate, uint64_t now_ms, struct rate_limit limit)
{
    *rate = (struct rate){full_m(limit), (uint32_t)now_ms};
}

int64_t rate_wait_ms(struct rate *rate, uint64_t now_ms, struct rate_limit limit)
{
    refill(rate, now_ms, limit);
    return rate->left_m >= ONE_M ? 0 : (ONE_M - (int64_t)rate->left_m + limit.per_s - 1) / limit.per_s;
}

bool rate_take(struct rate *rate, uint64_t now_ms, struct rate_limit limit, int64_t *wait_ms)
{
    *wait_ms = rate_wait_ms(rate, now_ms, limit);
    if (*wait_ms)
        return false;
    rate->left_m -= ONE_M;
    return true;
}

bool rate_is_full(struct rate *rate, uint64_t now_ms, struct rate_limit limit)
{
    refill(rate, now_ms, limit);
    return rate->left_m == full_m(limit);
}
