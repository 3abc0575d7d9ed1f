/* What a process has counted besides its counters: by ones who see it often, and told to /metrics only,
 * not to the log. All are numbers of 64 bits. */
#ifndef PGHERALD_TALLY_H
#define PGHERALD_TALLY_H

#include <stdint.h>

#include "api_request.h"
#include "command.h"
#include "histogram.h"
#include "problem.h"

enum catch_up {
    CATCH_UP_CLIENT,  /* came back with a cursor */
    CATCH_UP_SLOW,    /* did not take its frames */
    CATCH_UP_HISTORY, /* all were told anew: a TRUNCATE, a crash, a failover */
    CATCH_UPS
};

/* What became of a request of the HTTP API: the class of its status (RFC 9110 §15), or no answer. */
enum api_outcome { API_2XX, API_3XX, API_4XX, API_5XX, API_ABANDONED, API_OUTCOMES };

struct api_tally {
    uint64_t requests[API_OPERATIONS][API_OUTCOMES];
    uint64_t problems[PROBLEMS];
    uint64_t replays; /* an Idempotency-Key was known, and its notification given again */
    struct histogram times[API_OPERATIONS]; /* microseconds, of those that were answered */
};

struct tally {
    uint64_t received[COMMAND_TYPES + 1]; /* messages; the last: no command could be made of it */
    uint64_t catch_ups[CATCH_UPS];
    uint64_t resyncs; /* a session was told its whole state instead of what changed */
    struct histogram mark_batches;
    struct api_tally api;
};

#endif
