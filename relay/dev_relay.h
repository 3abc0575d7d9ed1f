/* The relay of `pgherald dev`: this same program run as `pgherald serve`. In: a
 * listening address and HERALD_* in dev's own environment. Out: a relay that
 * said it is ready. */
#ifndef PGHERALD_DEV_RELAY_H
#define PGHERALD_DEV_RELAY_H

#include "config.h"
#include "dev_process.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct dev_relay {
    struct dev_process process;
    struct listen_address address;
    char log[PATH_MAX]; /* "": its log goes where dev's own messages go */
};

/* Finds a free port of 127.0.0.1; listen (at least 32 bytes) gets "127.0.0.1:PORT". */
bool dev_relay_free_port(char *listen, size_t size, char error[DEV_ERROR_BYTES]);

/* False: somebody else listens there, or nobody may; error says which. */
bool dev_relay_port_check(const struct listen_address *address, char error[DEV_ERROR_BYTES]);

bool dev_relay_start(struct dev_relay *relay, const struct dev_user *user, char error[DEV_ERROR_BYTES]);

/* Returns true once /readyz answers 200. */
bool dev_relay_wait_ready(struct dev_relay *relay, uint64_t deadline_ms, char error[DEV_ERROR_BYTES]);

void dev_relay_stop(struct dev_relay *relay);

/* The last lines of its log; nothing when the log is not a file. */
void dev_relay_print_log(const struct dev_relay *relay, FILE *out);

#endif
