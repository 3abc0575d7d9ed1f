/* The intake of HERALD_PROXY_PROTOCOL=yes: a trusted proxy's connection waits here until the
 * header that says whose it is has come, and been taken off it. In goes a socket; it goes on
 * with its client's address, or is closed. Owns the sockets that wait. */
#ifndef PGHERALD_PROXY_INTAKE_H
#define PGHERALD_PROXY_INTAKE_H

#include "relay.h"

struct proxy_intake;

typedef void proxy_intake_pass(void *owner, int fd, struct net_address client); /* takes the socket */

struct proxy_intake *proxy_intake_new(struct relay *relay, proxy_intake_pass *pass, void *owner);
/* A stream socket, not blocking; address is its peer's, or none. */
void proxy_intake_take(struct proxy_intake *intake, int fd, struct net_address address);
void proxy_intake_close(struct proxy_intake *intake); /* closes the sockets; the loop must run once more */
void proxy_intake_free(struct proxy_intake *intake);  /* after that */

#endif
