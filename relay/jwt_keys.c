/* A key file in, a set of checked keys out: secret, public PEM or JWK set. */
#include "jwt_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "file.h"
#include "jwt_key.h"
#include "memory.h"

#define PEM_BEGIN "-----BEGIN "

static size_t count_pem_blocks(const char *data, size_t size)
{
    size_t count = 0;
    const char *end = data + size;
    for (const char *at = data; (at = memmem(at, (size_t)(end - at), PEM_BEGIN, strlen(PEM_BEGIN))) != NULL;
         at++)
        count++;
    return count;
}

static bool has_text(const char *data, size_t size, const char *text)
{
    return memmem(data, size, text, strlen(text)) != NULL;
}

/* An encrypted key must not make OpenSSL ask on a terminal. */
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static bool parse_pem(struct jwt_keys *keys, enum token_alg alg, const char *data, size_t size,
                      char err[JWT_KEYS_ERROR_BYTES])
{
    if (count_pem_blocks(data, size) > 1)
        return jwt_key_fail(err, "it holds several PEM blocks; several keys belong in a JWK set");
    if (has_text(data, size, "PRIVATE KEY-----"))
        return jwt_key_fail(err,
                            "it holds a private key; the relay wants the public one: openssl pkey -pubout");
    if (has_text(data, size, "CERTIFICATE-----"))
        return jwt_key_fail(err,
                            "it holds a certificate; take its key out with: openssl x509 -noout -pubkey");

    BIO *bio = BIO_new_mem_buf(data, (int)size);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL) : NULL;
    bool ok = pkey ? jwt_key_init_public(&keys->key[keys->count++], alg, pkey, err)
                   : jwt_key_fail(err, "OpenSSL cannot read a public key from this PEM");
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

static bool parse_secret(struct jwt_keys *keys, enum token_alg alg, const char *data, size_t size,
                         char err[JWT_KEYS_ERROR_BYTES])
{
    if (size > 0 && data[size - 1] == '\n')
        size -= size > 1 && data[size - 2] == '\r' ? 2 : 1;
    return jwt_key_init_secret(&keys->key[keys->count++], alg, (const unsigned char *)data, size, err);
}

static bool parse_any(struct jwt_keys *keys, enum token_alg alg, const char *data, size_t size,
                      char err[JWT_KEYS_ERROR_BYTES])
{
    bool hmac = token_alg_family(alg) == TOKEN_FAMILY_HMAC;
    bool pem = count_pem_blocks(data, size) > 0;
    size_t first = 0;
    while (first < size && isspace((unsigned char)data[first]))
        first++;

    if (first == size)
        return jwt_key_fail(err, "it is empty");
    if (data[first] == '{')
        return jwt_jwk_parse(keys, alg, data, size, err);
    if (pem && hmac)
        return jwt_key_fail(err,
                            "it is a PEM file, but %s needs a secret; set HERALD_JWT_ALG to RS256 or ES256",
                            token_alg_name(alg));
    if (hmac)
        return parse_secret(keys, alg, data, size, err);
    if (!pem)
        return jwt_key_fail(err, "%s needs a public key as PEM or a JWK set; this is neither",
                            token_alg_name(alg));
    return parse_pem(keys, alg, data, size, err);
}

bool jwt_keys_parse(struct jwt_keys **keys, enum token_alg alg, const char *data, size_t size,
                    const char *what, char err[JWT_KEYS_ERROR_BYTES])
{
    char reason[JWT_KEYS_ERROR_BYTES];
    *keys = memory_zero(sizeof **keys);
    if (parse_any(*keys, alg, data, size, reason))
        return true;
    jwt_keys_free(*keys);
    *keys = NULL;
    return jwt_key_fail(err, "%.120s: %.130s", what, reason);
}

bool jwt_keys_load(struct jwt_keys **keys, enum token_alg alg, const char *file,
                   char err[JWT_KEYS_ERROR_BYTES])
{
    size_t size = 0;
    char *data = file_read_all(file, JWT_KEYS_FILE_BYTES, &size);
    *keys = NULL;
    if (!data && errno == EFBIG)
        return jwt_key_fail(err, "%.160s: it has more than %d bytes", file, JWT_KEYS_FILE_BYTES);
    if (!data)
        return jwt_key_fail(err, "cannot read key file %.160s: %s", file, strerror(errno));
    bool ok = jwt_keys_parse(keys, alg, data, size, file, err);
    OPENSSL_cleanse(data, size);
    free(data);
    return ok;
}

void jwt_keys_free(struct jwt_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        jwt_key_clear(&keys->key[i]);
    free(keys);
}

size_t jwt_keys_count(const struct jwt_keys *keys)
{
    return keys->count;
}

bool jwt_keys_have_alg(const struct jwt_keys *keys, enum token_alg alg)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->key[i].alg == alg)
            return true;
    }
    return false;
}

const struct jwt_key *jwt_keys_find(const struct jwt_keys *keys, const char *kid)
{
    if (keys->count == 1 && (!kid || !keys->key[0].kid))
        return &keys->key[0];
    for (size_t i = 0; kid && i < keys->count; i++) {
        if (keys->key[i].kid && strcmp(keys->key[i].kid, kid) == 0)
            return &keys->key[i];
    }
    return NULL;
}
