/* Authorization fields; see bearer.h. */
#include "bearer.h"

#include <strings.h>

bool bearer_token(struct text authorization, struct text *token)
{
    const struct text scheme = TEXT("Bearer ");
    if (authorization.size < scheme.size || strncasecmp(authorization.bytes, scheme.bytes, scheme.size) != 0)
        return false;
    *token = (struct text){authorization.bytes + scheme.size, authorization.size - scheme.size};
    return true;
}
