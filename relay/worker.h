/* A worker is one event loop with the sessions of its own connections: the only
 * process of a small relay, or one of several under a supervisor. */
#ifndef PGHERALD_WORKER_H
#define PGHERALD_WORKER_H

#include "config.h"
#include "jwt_keys.h"
#include "tls.h"

struct worker_place {
    int number;    /* 0 for the first */
    int listen_fd; /* closed as soon as it stops, so that a successor can have the port */
    int bus_fd;    /* from the supervisor, who has the feed; -1: this process has its own */
    int admin_fd;  /* the admin port's, closed with the other; -1: none, or it is the supervisor's */
};

/* Runs until SIGTERM, SIGINT or the end of the bus; returns the exit status. config, keys and tls
 * stay the caller's, but SIGHUP replaces the latter two and the reloadable values in place. */
int worker_run(struct config *config, struct jwt_keys **keys, struct tls_pair **tls, struct worker_place place);

#endif
