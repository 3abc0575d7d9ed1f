/* Listening sockets: opened before workers are made, so that a worker's death
 * loses no connection that waits in its queue. */
#ifndef PGHERALD_LISTENER_H
#define PGHERALD_LISTENER_H

#include <stdbool.h>

#include "config.h"

enum { LISTENER_ERROR_SIZE = 400 };

/* Opens count sockets on one address (several share the port by SO_REUSEPORT; a unix socket is
 * one, given count times). Returns false with a clear error and nothing open. */
bool listener_open(const struct listen_address *address, int *sockets, int count,
                   char error[LISTENER_ERROR_SIZE]);

enum listener_prospect {
    LISTENER_FREE,
    LISTENER_IN_USE, /* somebody listens there */
    LISTENER_DENIED, /* not with the privileges of this process; whether somebody listens is not known */
    LISTENER_IMPOSSIBLE,
};

/* What listener_open() would meet there now; nothing is left open, made or removed. error says why, unless it is free. */
enum listener_prospect listener_try(const struct listen_address *address, char error[LISTENER_ERROR_SIZE]);

/* A socket that listens already (given_socket.h), prepared and given count times. It is one queue for all workers, and
 * no second one is opened beside it: what waits in one that closes would be lost. */
void listener_take(int fd, int *sockets, int count);

#endif
