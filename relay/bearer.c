/* Authorization fields; see bearer.h. */
#include "bearer.h"

#include <strings.h>

bool bearer_token(struct text authorization, struct text *token)
{
    const struct text scheme = TEXT("Bearer ");
    if (authorization.size < scheme.size || strncasecmp(authorization.bytes, scheme.bytes, scheme.size) != 0)
        return false;
    *token = (struct text){authorization.bytes + scheme.size, authorization.size - scheme.size};
    while (token->size && token->bytes[0] == ' ') /* one blank or more (RFC 9110 §11.4) */
        *token = (struct text){token->bytes + 1, token->size - 1};
    return true;
}
