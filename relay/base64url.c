/* base64url text in, bytes out; see the header. */
#include "base64url.h"

#include <stdint.h>

/* 0…63, or -1 for a character outside the alphabet. */
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(const char *text, size_t len, unsigned char *out, size_t *size)
{
    uint32_t bits = 0;
    unsigned pending = 0; /* bits read and not yet written; below 8 */
    size_t written = 0;

    if (len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int value = sextet(text[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        pending += 6;
        if (pending >= 8) {
            pending -= 8;
            out[written++] = (unsigned char)(bits >> pending);
        }
    }
    if (bits & ((1U << pending) - 1))
        return false;
    *size = written;
    return true;
}
