/* UUID text <-> bytes. Pure. */
#include "uuid.h"

#include <string.h>

/* Its value and one: zero is no digit. */
static const uint8_t hex_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static bool dash_at(size_t position)
{
    return position == 8 || position == 13 || position == 18 || position == 23;
}

bool uuid_parse(const char *text, size_t size, struct uuid *out)
{
    if (size != UUID_TEXT_SIZE - 1)
        return false;
    struct uuid uuid;
    const char *at = text;
    for (size_t i = 0; i < sizeof(uuid.bytes); i++) {
        if (dash_at((size_t)(at - text))) {
            if (*at != '-')
                return false;
            at++;
        }
        unsigned high = hex_digits[(uint8_t)*at++], low = hex_digits[(uint8_t)*at++];
        if (!high || !low)
            return false;
        uuid.bytes[i] = (uint8_t)((high - 1) << 4 | (low - 1));
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
