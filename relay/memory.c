/* Allocation that either succeeds or ends the process; see memory.h. */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static void *present(void *block, size_t size)
{
    if (block || size == 0)
        return block;
    log_write(LOG_LEVEL_ERROR, "out_of_memory", LOG_INT("bytes", (long long)size));
    abort();
}

void *memory_new(size_t size)
{
    return present(malloc(size), size);
}

void *memory_zero(size_t size)
{
    return present(calloc(1, size), size);
}

void *memory_resize(void *block, size_t size)
{
    return present(realloc(block, size), size);
}

char *memory_copy_text(const char *text)
{
    return text ? memory_copy(text, strlen(text)) : NULL;
}

void *memory_copy(const void *bytes, size_t size)
{
    char *copy = memory_new(size + 1);
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}
