/* The doorman: an accepted socket waits here until its request's head has come, in time and
 * within bounds, which libwebsockets would refuse without a word. With HERALD_AUTH_REJECT=http
 * it also waits until its user is known, since libwebsockets cannot pause a handshake. It is
 * only looked at: its bytes stay in the socket for libwebsockets. In goes a socket; it goes
 * on, or is refused with an HTTP status. The doorman owns the sockets that wait. */
#ifndef PGHERALD_DOORMAN_H
#define PGHERALD_DOORMAN_H

#include "relay.h"

struct doorman;

typedef void doorman_pass(void *owner, int fd, struct net_address address); /* takes the socket */

/* endpoint: the one path that may be upgraded, borrowed. */
struct doorman *doorman_new(struct relay *relay, const char *endpoint, doorman_pass *pass, void *owner);
/* A stream socket, not blocking; address is its peer's, or none. */
void doorman_take(struct doorman *doorman, int fd, struct net_address address);
void doorman_close(struct doorman *doorman); /* closes the waiting sockets; the loop must run once more */
void doorman_free(struct doorman *doorman);  /* after that and after desk_free(), which still calls back */

#endif
