/* How far the other end of a socket is with what was sent to it: the kernel's view. */
#ifndef PGHERALD_SOCKET_TAKEN_H
#define PGHERALD_SOCKET_TAKEN_H

#include <stdint.h>

/* A number that changes when the peer takes bytes and stays when it takes none. For TCP the bytes it has acknowledged,
 * modulo 2^32; for a unix socket those that it has not read yet. */
uint32_t socket_taken(int fd);

#endif
