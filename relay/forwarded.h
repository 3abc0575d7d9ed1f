/* X-Forwarded-For, the list that each proxy appends its peer's address to: field values in, the
 * client's address out. Whether the peer may be believed at all is the caller's to know. Pure. */
#ifndef PGHERALD_FORWARDED_H
#define PGHERALD_FORWARDED_H

#include "trusted_proxies.h"

/* Reads the values in their order, each from left to right; *client begins as none. In the end it is
 * what reading from right to left gives: the first address that is not itself a trusted proxy's; the
 * leftmost when all are; and none of what stands before an entry that is no address. None: there is
 * nothing to believe. */
void forwarded_read(const struct trusted_proxies *proxies, struct text value, struct net_address *client);

#endif
