/* The token of an Authorization field: `Bearer`, in letters of either case, a space, the token
 * (RFC 9110 §11.4, RFC 6750 §2.1). Pure. */
#ifndef PGHERALD_BEARER_H
#define PGHERALD_BEARER_H

#include <stdbool.h>

#include "frame.h"

/* *token is a part of the field's value; it may be empty. False: another scheme, or none. */
bool bearer_token(struct text authorization, struct text *token);

#endif
