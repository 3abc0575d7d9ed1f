/* Origins; see origin.h. */
#include "origin.h"

#include <string.h>
#include <strings.h>

static bool in_list(const char *list, const char *origin)
{
    size_t size = strlen(origin);
    while (*list) {
        size_t next = strcspn(list, " ");
        if (next == size && strncasecmp(list, origin, size) == 0)
            return true;
        list += next;
        list += strspn(list, " ");
    }
    return false;
}

static bool same_host(const char *origin, const char *host)
{
    const char *name = strstr(origin, "://");
    return name && *host && strcasecmp(name + 3, host) == 0;
}

bool origin_allowed(const char *allowed, const char *origin, const char *host)
{
    if (!allowed)
        return same_host(origin, host);
    if (strcmp(allowed, "*") == 0)
        return true;
    return *origin && !strpbrk(origin, " ") && in_list(allowed, origin);
}

const char *origin_to_name(const char *allowed, const char *origin)
{
    return allowed && strcmp(allowed, "*") == 0 ? "*" : origin;
}
