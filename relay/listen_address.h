/* Where to listen, as HERALD_LISTEN says it: text in, parts out. */
#ifndef PGHERALD_LISTEN_ADDRESS_H
#define PGHERALD_LISTEN_ADDRESS_H

#include <stdbool.h>

struct listen_address {
    bool is_unix;
    bool is_loopback; /* 127.0.0.0/8, ::1, localhost; false for unix sockets */
    char host[256];   /* without brackets; the path of a unix socket */
    char port[6];     /* 1 to 65535; "" for unix */
};

/* Reads "host:port", "[::1]:8000" or "unix:/path". A host is an address or a name; names are not
 * looked up. False: *why says what is allowed (static text), and *out is unspecified. */
bool listen_address_parse(const char *text, struct listen_address *out, const char **why);

#endif
