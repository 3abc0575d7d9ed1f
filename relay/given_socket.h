/* The listening socket that a service manager has opened for this process (sd_listen_fds(3)), if it has. The manager
 * keeps it open while the relay restarts: connections wait in its queue, and none is refused. */
#ifndef PGHERALD_GIVEN_SOCKET_H
#define PGHERALD_GIVEN_SOCKET_H

#include <stdbool.h>

enum { GIVEN_SOCKET_NAME_SIZE = 120, GIVEN_SOCKET_ERROR_SIZE = 200 };

/* *fd is -1 when none was given; otherwise name is where it listens, in the form of HERALD_LISTEN. To be called once,
 * before there are other processes: they are not to take it for theirs. False: a clear error. */
bool given_socket_take(int *fd, char name[GIVEN_SOCKET_NAME_SIZE], char error[GIVEN_SOCKET_ERROR_SIZE]);

/* Whether there is one (or a number that cannot be taken), for who does not serve. It stays there. */
bool given_socket_is_there(void);

#endif
