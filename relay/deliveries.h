/* What one process has written to its clients' sockets: frames by type, bytes, and how long new
 * notifications took from their commit. Counting takes no clock of its own: the loop turn's is used. */
#ifndef PGHERALD_DELIVERIES_H
#define PGHERALD_DELIVERIES_H

#include "frame.h"
#include "histogram.h"

struct deliveries {
    int64_t now_us;        /* monotonic; when the present turn writes */
    uint64_t frames[FRAME_TYPES];
    uint64_t bytes;
    struct histogram latency; /* of frames whose commit is known (frame.since_us), once for each socket */
};

static inline void deliveries_count(struct deliveries *deliveries, const struct frame *frame)
{
    deliveries->frames[frame->type]++;
    deliveries->bytes += frame->size;
    if (frame->since_us)
        histogram_count(&deliveries->latency, &histogram_times,
                        deliveries->now_us > frame->since_us ? (uint64_t)(deliveries->now_us - frame->since_us) : 0);
}

#endif
