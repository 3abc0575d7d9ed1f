/* IP addresses without ports. IPv4 is kept as the IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2),
 * so that both spellings are one address. The peer of a unix socket has none. Pure. */
#ifndef PGHERALD_NET_ADDRESS_H
#define PGHERALD_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct sockaddr;

enum {
    NET_ADDRESS_IPV4_BITS = 96, /* before an IPv4 address begin */
    NET_ADDRESS_TEXT_SIZE = 46, /* INET6_ADDRSTRLEN */
};

struct net_address {
    uint8_t bytes[16]; /* all zero (the unspecified address, nobody's): none */
};

bool net_address_is_none(struct net_address address);
bool net_address_is_ipv4(struct net_address address);
bool net_address_equal(struct net_address a, struct net_address b);

/* "192.0.2.1" or "2001:db8::1", all of the text; no zone, no brackets. */
bool net_address_parse(struct text text, struct net_address *address);
void net_address_format(struct net_address address, char out[NET_ADDRESS_TEXT_SIZE]);
struct net_address net_address_from_ipv4(const uint8_t bytes[4]);
/* None for another family than IPv4 and IPv6. */
struct net_address net_address_from_socket(const struct sockaddr *name, size_t size);

/* What limits count as one: an IPv4 address, or an IPv6 /64, which one subscriber has to himself. */
struct net_address net_address_group(struct net_address address);

#endif
