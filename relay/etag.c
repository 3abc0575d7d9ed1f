/* Entity tags; see etag.h. */
#include "etag.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

void etag_make(const struct text *parts, size_t count, char out[ETAG_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(context, parts[i].bytes, parts[i].size) == 1;
    if (!good || EVP_DigestFinal_ex(context, digest, NULL) != 1)
        memory_exhausted(0);
    EVP_MD_CTX_free(context);
    for (size_t i = 0; i < (ETAG_SIZE - 3) / 2; i++)
        snprintf(out + 1 + 2 * i, 3, "%02x", digest[i]);
    out[0] = out[ETAG_SIZE - 2] = '"';
    out[ETAG_SIZE - 1] = '\0';
}

bool etag_matches(const char *if_none_match, const char *etag)
{
    size_t size = strlen(etag);
    const char *at = if_none_match;
    if (strcmp(at, "*") == 0)
        return true;
    while (*at) {
        at += strspn(at, ", \t");
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        if (strncmp(at, etag, size) == 0 && (at[size] == '\0' || strchr(", \t", at[size])))
            return true;
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (!end)
            return false; /* no list of tags */
        at = end + 1;
    }
    return false;
}
