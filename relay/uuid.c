/* UUID text <-> bytes. Pure. */
#include "uuid.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool dash_at(size_t position)
{
    return position == 8 || position == 13 || position == 18 || position == 23;
}

bool uuid_parse(const char *text, size_t size, struct uuid *out)
{
    if (size != UUID_TEXT_SIZE - 1)
        return false;
    struct uuid uuid = {{0}};
    size_t digits = 0;
    for (size_t i = 0; i < size; i++) {
        if (dash_at(i)) {
            if (text[i] != '-')
                return false;
            continue;
        }
        int value = hex_value(text[i]);
        if (value < 0)
            return false;
        uuid.bytes[digits / 2] = (uint8_t)(uuid.bytes[digits / 2] << 4 | value);
        digits++;
    }
    *out = uuid;
    return true;
}

void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    char *at = out;
    for (size_t i = 0; i < sizeof(uuid->bytes); i++) {
        if (dash_at((size_t)(at - out)))
            *at++ = '-';
        *at++ = hex[uuid->bytes[i] >> 4];
        *at++ = hex[uuid->bytes[i] & 15];
    }
    *at = '\0';
}
