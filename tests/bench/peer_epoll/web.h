/* The bytes of HTTP and WebSocket (RFC 6455), as little of them as the benchmark's clients need. */
#ifndef PEER_WEB_H
#define PEER_WEB_H

#include <stdbool.h>
#include <stddef.h>

enum { WEB_HEAD_MAX = 10, WEB_MASK_BYTES = 4 };

/* The answer to a handshake whose head is text[0..size), and the value of `user` in its query. False: no handshake. */
bool web_accept(const char *text, size_t size, char *user, size_t user_room, char *out, size_t *out_size);
/* A text frame's header for that payload; returns its size. */
size_t web_head(size_t payload, unsigned char out[WEB_HEAD_MAX]);
/* A client's frame at the front of bytes: unmasks its payload and gives it. Returns the frame's size, 0 when it is not
 * whole, SIZE_MAX when it is larger than `size_max`. */
size_t web_frame(unsigned char *bytes, size_t size, size_t size_max, int *opcode, char **payload, size_t *payload_size);

#endif
