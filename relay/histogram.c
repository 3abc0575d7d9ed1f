/* Buckets; see histogram.h. */
#include "histogram.h"

const struct histogram_bounds histogram_times = {
    14, {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000}};
const struct histogram_bounds histogram_sizes = {10, {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}};

void histogram_count(struct histogram *histogram, const struct histogram_bounds *bounds, uint64_t value)
{
    int i = 0;
    while (i < bounds->count && value > bounds->at[i]) /* most values are small: the first bounds decide */
        i++;
    histogram->buckets[i]++;
    histogram->sum += value;
}
