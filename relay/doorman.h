/* The doorman, for HERALD_AUTH_REJECT=http: libwebsockets cannot pause a handshake, and
 * whether a user exists is PostgreSQL's answer. So an accepted socket waits here until its
 * request's head has come and its user is known. It is only looked at: its bytes stay in
 * the socket for libwebsockets. In goes a socket; it goes on, or is refused with an HTTP
 * status. The doorman owns the sockets that wait. */
#ifndef PGHERALD_DOORMAN_H
#define PGHERALD_DOORMAN_H

#include "relay.h"

struct doorman;

typedef void doorman_pass(void *owner, int fd); /* takes the socket */

/* endpoint: the one path that may be upgraded, borrowed. */
struct doorman *doorman_new(struct relay *relay, const char *endpoint, doorman_pass *pass, void *owner);
void doorman_take(struct doorman *doorman, int fd); /* a stream socket, not blocking */
void doorman_close(struct doorman *doorman); /* closes the waiting sockets; the loop must run once more */
void doorman_free(struct doorman *doorman);  /* after that and after desk_free(), which still calls back */

#endif
