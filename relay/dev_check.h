/* The proof of `pgherald dev --check`: a small WebSocket client that shares no
 * code with the relay. In: a running relay and its database. Out: whether an
 * INSERT arrived and its mark_read was written, and how long both took. */
#ifndef PGHERALD_DEV_CHECK_H
#define PGHERALD_DEV_CHECK_H

#include "dev_process.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct dev_check_result {
    double arrive_ms; /* from sending the INSERT to its new_notification */
    double read_ms;   /* from sending mark_read to its notification_updated */
};

/* db may write herald.notifications. On failure *step says where it was. relay
 * is watched: when it ends, so does the check. */
bool dev_check_run(const char *host, int port, PGconn *db, struct dev_process *relay, uint64_t deadline_ms,
                   struct dev_check_result *result, const char **step, char error[DEV_ERROR_BYTES]);

#endif
