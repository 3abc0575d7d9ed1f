/* Entity tags (RFC 9110 §8.8.3): a strong one is made of a representation's bytes, and looked for
 * in an If-None-Match field. Pure. */
#ifndef PGHERALD_ETAG_H
#define PGHERALD_ETAG_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

enum { ETAG_SIZE = 35 }; /* 32 hexadecimal digits in quotes, with the zero */

/* Of the parts joined. */
void etag_make(const struct text *parts, size_t count, char out[ETAG_SIZE]);
/* Whether a field names this tag, weak or strong (the weak comparison of RFC 9110 §13.1.2), or any (*). */
bool etag_matches(const char *if_none_match, const char *etag);

#endif
