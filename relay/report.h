/* What one process says of itself, for /metrics and /readyz of the admin port: what it has counted since
 * it began, how it stands now, and whether it is ready. It travels over the bus as it is: no pointers, and
 * numbers of 64 bits only, so that those of several processes can be added. */
#ifndef PGHERALD_REPORT_H
#define PGHERALD_REPORT_H

#include <stdint.h>

#include "api.h"
#include "counters.h"
#include "deliveries.h"
#include "desk.h"
#include "tally.h"

struct relay;

enum { REPORT_WHY_SIZE = 384 };

/* Only grows, but for a process that is started again. */
struct report_totals {
    struct counters counters;
    struct tally tally;
    uint64_t sessions_opened[SESSION_TRANSPORTS];
    uint64_t frames[FRAME_TYPES];
    uint64_t bytes_sent;
    struct histogram latency; /* see latency.h */
    uint64_t queries_failed[DESK_STATEMENTS];
    struct histogram queries[DESK_STATEMENTS];
};

/* Goes up and down. */
struct report_levels {
    uint64_t sessions[SESSION_TRANSPORTS][SESSION_STATES];
    uint64_t sessions_max; /* HERALD_MAX_CONNECTIONS, or this process's share */
    uint64_t users;
    uint64_t guests;
    uint64_t api_requests[API_STATES];
    uint64_t queued_bytes;
    uint64_t queries_waiting;
    uint64_t desks_up;
    uint64_t list_desks_up;
};

struct report_process {
    uint64_t cpu_us;
    uint64_t resident_bytes;
    uint64_t started_ms; /* Unix time */
};

struct report {
    struct report_totals totals;
    struct report_levels levels;
    struct report_process process;
    char why[REPORT_WHY_SIZE]; /* why it is not ready; "": it is */
};

/* Why no notifications would arrive now in this process; NULL when all is well. */
const char *report_not_ready(const struct relay *relay);
void report_make(const struct relay *relay, struct report *out);
/* Of the process that calls it. Reads /proc/self/statm: for once a second, or a scrape. */
void report_process(struct report_process *out);

void report_add_totals(struct report_totals *sum, const struct report_totals *one);
void report_add_levels(struct report_levels *sum, const struct report_levels *one);

#endif
