/* The end of a process with clients: each tab is told that it comes (`draining`),
 * then they are ended evenly over a time, so that their return is spread as well.
 * Until its turn a tab is served as ever. */
#ifndef PGHERALD_DRAIN_H
#define PGHERALD_DRAIN_H

#include <stdint.h>

struct relay;

enum {
    DRAIN_RETRY_MIN_MS = 500, /* retry_after_ms of a tab is random between these */
    DRAIN_RETRY_MAX_MS = 3000,
    DRAIN_REST_MAX_MS = 2000, /* of HERALD_DRAIN_SECONDS is for the last closing handshakes */
};

struct drain {
    uint64_t start_ms;
    uint64_t spread_ms; /* the last one is ended after it; 0: all at once */
    uint64_t total, ended;
};

/* How much of a time limit the closes are spread over. */
uint64_t drain_spread_ms(uint64_t limit_ms);
/* relay.stopping is set. Those that have not said who they are yet are ended at once. */
void drain_start(struct relay *relay, uint64_t spread_ms);
/* Ends those whose turn has come; to be called every few milliseconds. */
void drain_step(struct relay *relay);
/* All that are left are ended now. */
void drain_finish(struct relay *relay);

#endif
