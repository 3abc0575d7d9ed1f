/* A minimal WebSocket client (RFC 6455) for the benchmark: blocking handshake, then
 * frames read from its socket when poll() says so. Text frames of a server only. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct client {
    int fd;
    size_t used;
    char buffer[65536];
};

/* Connects to 127.0.0.1:port as user and waits for `connected`. False: *why says what went wrong. */
bool client_open(struct client *client, int port, const char *user, const char **why);
/* The next whole frame's payload, zero-terminated, or NULL when none is there yet. Valid until the next
 * call. *closed is set when the server has ended the connection. */
const char *client_next(struct client *client, bool *closed);
void client_close(struct client *client);

#endif
