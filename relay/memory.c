/* Allocation that either succeeds or ends the process; see memory.h. */
#include "memory.h"

#include <jansson.h>
#include <libwebsockets.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "log.h"

void memory_exhausted(size_t size)
{
    log_write(LOG_LEVEL_ERROR, "out_of_memory", LOG_INT("bytes", (long long)size));
    abort();
}

static void *present(void *block, size_t size)
{
    if (!block && size)
        memory_exhausted(size);
    return block;
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

/* ---- what the libraries want to call ---- */

static void *zero_for_uv(size_t count, size_t size)
{
    return present(calloc(count, size), count * size);
}

static void *resize_for_lws(void *block, size_t size, const char *reason)
{
    (void)reason;
    if (size)
        return memory_resize(block, size);
    free(block);
    return NULL;
}

static void *new_for_openssl(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return memory_new(size);
}

static void *resize_for_openssl(void *block, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return memory_resize(block, size);
}

static void free_for_openssl(void *block, const char *file, int line)
{
    (void)file, (void)line;
    free(block);
}

void memory_lend_to_libraries(void)
{
    json_set_alloc_funcs(memory_new, free);
    uv_replace_allocator(memory_new, memory_resize, zero_for_uv, free);
    lws_set_allocator(resize_for_lws);
    CRYPTO_set_mem_functions(new_for_openssl, resize_for_openssl, free_for_openssl);
}
