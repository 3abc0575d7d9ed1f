/* Cursor text <-> numbers: eight hex digits, a dash, a decimal. Pure. */
#include "cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t cursor_epoch(const char *epoch_text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)epoch_text, strlen(epoch_text), digest);
    return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
}

void cursor_format(struct cursor cursor, char out[CURSOR_TEXT_SIZE])
{
    snprintf(out, CURSOR_TEXT_SIZE, "%08" PRIx32 "-%" PRIu64, cursor.epoch, cursor.xmin);
}

bool cursor_parse(const char *text, size_t size, struct cursor *out)
{
    char copy[CURSOR_TEXT_SIZE];
    if (size >= sizeof(copy))
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (size < 10 || copy[8] != '-' || strspn(copy, "0123456789abcdef") != 8 || strspn(copy + 9, "0123456789") != size - 9)
        return false;
    errno = 0;
    struct cursor cursor = {(uint32_t)strtoul(copy, NULL, 16), strtoull(copy + 9, NULL, 10)};
    if (errno == ERANGE)
        return false;
    *out = cursor;
    return true;
}
