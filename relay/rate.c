/* The token bucket; see rate.h. */
#include "rate.h"

enum { ONE_M = 1000 };

void rate_start(struct rate *rate, uint64_t now_ms, int burst)
{
    *rate = (struct rate){(uint32_t)burst * ONE_M, (uint32_t)now_ms};
}

bool rate_take(struct rate *rate, uint64_t now_ms, int per_s, int burst, int64_t *wait_ms)
{
    uint64_t full_m = (uint64_t)burst * ONE_M;
    uint64_t left_m = rate->left_m + (uint64_t)((uint32_t)now_ms - rate->at_ms) * (uint64_t)per_s;
    rate->left_m = (uint32_t)(left_m < full_m ? left_m : full_m);
    rate->at_ms = (uint32_t)now_ms;
    if (rate->left_m >= ONE_M) {
        rate->left_m -= ONE_M;
        return true;
    }
    *wait_ms = (ONE_M - (int64_t)rate->left_m + per_s - 1) / per_s;
    return false;
}
