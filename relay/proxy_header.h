/* The PROXY protocol's header, versions 1 and 2 (haproxy's proxy-protocol.txt): the first bytes of
 * a connection in; how long the header is and whose connection it is out. Pure. */
#ifndef PGHERALD_PROXY_HEADER_H
#define PGHERALD_PROXY_HEADER_H

#include <stddef.h>

#include "net_address.h"

enum {
    PROXY_HEADER_LINE_MAX = 107,   /* §2.1: version 1, with its CRLF */
    PROXY_HEADER_MAX_BYTES = 2048, /* §2 asks for 536; senders that add TLVs of certificates need more */
};

enum proxy_header_result {
    PROXY_HEADER_PARTIAL, /* all bytes belong to a header; *header is unspecified */
    PROXY_HEADER_COMPLETE,
    PROXY_HEADER_BAD, /* none, or one that is not to be accepted; *header is unspecified */
};

struct proxy_header {
    size_t size;               /* what comes behind is the connection's own */
    struct net_address client; /* none: the socket's own peer (LOCAL, UNKNOWN, no IP address) */
};

enum proxy_header_result proxy_header_parse(const char *bytes, size_t size, struct proxy_header *header);

#endif
