/* Times in microseconds, all of them kept: percentiles are exact. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint32_t *us;
    size_t count, room;
};

void samples_add(struct samples *samples, uint64_t us);
void samples_clear(struct samples *samples);
/* The figures NAME_p50_ms, NAME_p90_ms, NAME_p99_ms and NAME_max_ms. Sorts. */
void samples_print(struct samples *samples, const char *name);
void samples_free(struct samples *samples);

#endif
