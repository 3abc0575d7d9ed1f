/* The door of streams. libwebsockets owns their sockets and has read the request, but cannot be
 * left to poll them during a response of hours: for bytes that nobody reads it would never sleep
 * again, and told not to read it never writes either. So all are written and watched here, by one epoll
 * instance in the loop: for room, and for the client's end. Owns what the kernel has not taken. */
#ifndef PGHERALD_STREAM_SOCKET_H
#define PGHERALD_STREAM_SOCKET_H

#include <openssl/types.h>

#include "relay.h"

struct stream_sockets;
struct stream_socket;

/* What a stream's session is opened with; its socket is a struct stream_socket. */
extern const struct door stream_door;

/* kill: closes a connection now; session_gone() comes before it returns. NULL: there is no descriptor left. */
struct stream_sockets *stream_sockets_new(struct relay *relay, void (*kill)(void *connection));
/* tls: of the connection, which owns it; NULL: there is none. */
struct stream_socket *stream_socket_new(struct stream_sockets *sockets, int fd, SSL *tls, void *connection);
/* From now on its session hears of it. False: it cannot be watched. */
bool stream_socket_watch(struct stream_socket *socket, uint64_t session_id);
void stream_socket_free(struct stream_socket *socket); /* the descriptor is closed by its owner, and so watched no more */
void stream_sockets_close(struct stream_sockets *sockets); /* the loop must run once more before it is freed */
void stream_sockets_free(struct stream_sockets *sockets);

#endif
