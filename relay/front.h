/* The front is what clients connect to: libwebsockets on this process's loop. It
 * accepts, checks handshakes, and translates between sockets and sessions. */
#ifndef PGHERALD_FRONT_H
#define PGHERALD_FRONT_H

#include "relay.h"

struct front;

/* The door for sessions_start(). */
const struct door *front_door(const struct config *config);

/* listen_fd stays the caller's. NULL when libwebsockets cannot start (it has logged why). */
struct front *front_new(struct relay *relay, int listen_fd);
void front_stop_accepting(struct front *front);
/* Closes all sockets; the loop must run until its handles are closed before front_free(). */
void front_close(struct front *front);
void front_free(struct front *front);

#endif
