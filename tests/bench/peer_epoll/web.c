#include "web.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* What stands between `before` and the first of `ends`. */
static bool between(const char *text, size_t size, const char *before, const char *ends, char *out, size_t room)
{
    const char *at = memmem(text, size, before, strlen(before));
    if (!at)
        return false;
    at += strlen(before);
    size_t used = 0, left = size - (size_t)(at - text);
    while (used < left && !strchr(ends, at[used]))
        used++;
    if (used == left || used >= room)
        return false;
    memcpy(out, at, used);
    out[used] = '\0';
    return true;
}

bool web_accept(const char *text, size_t size, char *user, size_t user_room, char *out, size_t *out_size)
{
    char key[64], hashed[64 + sizeof(guid)], accept[64];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_size;
    if (!between(text, size, "user=", "& ", user, user_room) ||
        !between(text, size, "Sec-WebSocket-Key: ", "\r", key, sizeof(key)))
        return false;
    int length = snprintf(hashed, sizeof(hashed), "%s%s", key, guid);
    if (!EVP_Digest(hashed, (size_t)length, digest, &digest_size, EVP_sha1(), NULL))
        return false;
    EVP_EncodeBlock((unsigned char *)accept, digest, (int)digest_size);
    *out_size = (size_t)sprintf(out,
                                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: %s\r\n\r\n",
                                accept);
    return true;
}

size_t web_head(size_t payload, unsigned char out[WEB_HEAD_MAX])
{
    out[0] = 0x81;
    if (payload < 126) {
        out[1] = (unsigned char)payload;
        return 2;
    }
    size_t bytes = payload < 65536 ? 2 : 8;
    out[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        out[2 + i] = (unsigned char)((uint64_t)payload >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

size_t web_frame(unsigned char *bytes, size_t size, size_t size_max, int *opcode, char **payload, size_t *payload_size)
{
    if (size < 2)
        return 0;
    size_t length = bytes[1] & 0x7f, head = 2;
    if (length == 127)
        return SIZE_MAX;
    if (length == 126) {
        if (size < 4)
            return 0;
        length = (size_t)bytes[2] << 8 | bytes[3];
        head = 4;
    }
    if (head + WEB_MASK_BYTES + length > size_max)
        return SIZE_MAX;
    if (head + WEB_MASK_BYTES + length > size)
        return 0;
    const unsigned char *mask = bytes + head;
    unsigned char *text = bytes + head + WEB_MASK_BYTES;
    for (size_t i = 0; i < length; i++)
        text[i] ^= mask[i % WEB_MASK_BYTES];
    *opcode = bytes[0] & 0x0f;
    *payload = (char *)text;
    *payload_size = length;
    return head + WEB_MASK_BYTES + length;
}
