/* Which rows each connection has been given: every one of its user's must come, once, and no other's. */
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct ledger {
    unsigned connections;
    uint64_t rows_each; /* rows a connection is to be given at most */
    uint8_t *bits;
    uint64_t delivered, duplicate, misrouted;
};

void ledger_start(struct ledger *ledger, unsigned connections, uint64_t rows_each);
/* The nth row of its user has come to a connection. False: it had come before, or cannot be. */
bool ledger_enter(struct ledger *ledger, unsigned connection, uint64_t nth);
/* A row of somebody else has. */
void ledger_misrouted(struct ledger *ledger);
/* The figures deliveries, lost, duplicate and misrouted. */
void ledger_print(const struct ledger *ledger, uint64_t expected);
void ledger_free(struct ledger *ledger);

#endif
