/* HERALD_TRUSTED_PROXIES: whose word about its client's address is believed. Text in, a list of
 * address blocks out, and whether an address is in it. Pure. */
#ifndef PGHERALD_TRUSTED_PROXIES_H
#define PGHERALD_TRUSTED_PROXIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net_address.h"

enum { TRUSTED_PROXIES_MAX = 256 };

struct net_block {
    struct net_address first; /* its bits behind the prefix are zero */
    uint8_t prefix;           /* of 128 bits */
};

struct trusted_proxies {
    bool unix_peers; /* whoever connects to a unix socket */
    int count;
    struct net_block blocks[TRUSTED_PROXIES_MAX];
};

/* Addresses, blocks (192.0.2.0/24, 2001:db8::/32) and the word unix, with spaces or commas between, at
 * least one. False: *out is unspecified. */
bool trusted_proxies_parse(const char *text, struct trusted_proxies *out);
/* What would be parsed to the same, to be freed; NULL for none at all. */
char *trusted_proxies_text(const struct trusted_proxies *proxies);

/* Whether a socket's peer is one; an address that is none is that of a unix socket. */
bool trusted_proxies_have(const struct trusted_proxies *proxies, struct net_address peer);

#endif
