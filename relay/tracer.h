/* `pgherald trace`: where a user's notifications went, and why not. In: what the tables say, and what the
 * relays answer (trace.h). Out: one line for each finding. Never a title, a message or data. Blocking. */
#ifndef PGHERALD_TRACER_H
#define PGHERALD_TRACER_H

#include <stdbool.h>
#include <stdio.h>

#include "config.h"

struct tracer_request {
    const char *user;         /* or */
    const char *notification; /* a uuid */
    int wait_s;               /* for the relays' answers */
};

/* False: the way to a tab is interrupted somewhere, or could not be followed. */
bool tracer_run(const struct config *config, const struct tracer_request *request, FILE *out);

#endif
