/* Which pages may connect: the Origin header (RFC 6454 §7) against the configured
 * list. Browsers always send it; programs do not, and are not asked. Pure. */
#ifndef PGHERALD_ORIGIN_H
#define PGHERALD_ORIGIN_H

#include <stdbool.h>

/* allowed: origins with one space between, "*" for all, or NULL for the request's own host
 * only. host: the Host header. Comparison is exact but for the case of letters. */
bool origin_allowed(const char *allowed, const char *origin, const char *host);

/* What a response to a page of an allowed origin names in Access-Control-Allow-Origin (Fetch §3.2): "*" where all are
 * allowed, else the origin. Borrowed. */
const char *origin_to_name(const char *allowed, const char *origin);

#endif
