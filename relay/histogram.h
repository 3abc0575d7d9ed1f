/* A histogram counts values in buckets with fixed upper bounds, as Prometheus has it. Only numbers
 * of 64 bits, so that those of several processes can be added. Pure. */
#ifndef PGHERALD_HISTOGRAM_H
#define PGHERALD_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 14 };

/* Upper bounds, inclusive, rising; in the unit of the values. */
struct histogram_bounds {
    int count;
    uint64_t at[HISTOGRAM_BOUNDS_MAX];
};

extern const struct histogram_bounds histogram_times; /* microseconds: 500 µs to 10 s */
extern const struct histogram_bounds histogram_sizes; /* 1 to 1000 */

struct histogram {
    uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* each value in one; [bounds->count]: above all bounds */
    uint64_t sum;
};

void histogram_count(struct histogram *histogram, const struct histogram_bounds *bounds, uint64_t value);

#endif
