/* What a process has counted besides its counters: by ones who see it often, and told to /metrics only,
 * not to the log. All are numbers of 64 bits. */
#ifndef PGHERALD_TALLY_H
#define PGHERALD_TALLY_H

#include <stdint.h>

#include "command.h"
#include "histogram.h"

enum catch_up {
    CATCH_UP_CLIENT,  /* came back with a cursor */
    CATCH_UP_SLOW,    /* did not take its frames */
    CATCH_UP_HISTORY, /* all were told anew: a TRUNCATE, a crash, a failover */
    CATCH_UPS
};

struct tally {
    uint64_t received[COMMAND_TYPES + 1]; /* messages; the last: no command could be made of it */
    uint64_t catch_ups[CATCH_UPS];
    uint64_t resyncs; /* a session was told its whole state instead of what changed */
    struct histogram mark_batches;
};

#endif
