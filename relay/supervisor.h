/* The supervisor of a relay with several workers: it has the only feed, passes each
 * change once to each worker, and starts a worker again that has died. */
#ifndef PGHERALD_SUPERVISOR_H
#define PGHERALD_SUPERVISOR_H

#include "config.h"
#include "tls.h"

enum {
    SUPERVISOR_WORKERS_MAX = 256,
    SUPERVISOR_LISTEN_FD = 3, /* where a worker finds its listening socket, */
    SUPERVISOR_BUS_FD = 4,    /* and its end of the bus */
};

/* Runs config->workers workers on these sockets until SIGTERM or SIGINT; returns the exit status. admin_fd is the
 * admin port's, or -1. Closes the sockets when it stops. SIGHUP reaches the workers too, and changes config and
 * *tls in place. */
int supervisor_run(struct config *config, struct tls_pair **tls, const int *listen_fds, int admin_fd);

#endif
