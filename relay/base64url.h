/* base64url as JOSE has it (RFC 7515 section 2): no padding, no white space. */
#ifndef PGHERALD_BASE64URL_H
#define PGHERALD_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

/* Room that decoding len characters needs, in bytes. */
#define BASE64URL_DECODED_BYTES(len) ((len) / 4 * 3 + 2)

/* True if text is the one encoding of some bytes; then out has them and *size says how many. A
 * second encoding of the same bytes (spare bits set) is refused: nobody may alter a token and
 * keep it valid. */
bool base64url_decode(const char *text, size_t len, unsigned char *out, size_t *size);

#endif
