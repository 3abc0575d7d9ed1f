/* One key, as jwt_keys.c and jwt_jwk.c make it and jwt_keys.h hands it out. A key is filled by
 * exactly one of the init functions and is then ready: its checks are behind it. */
#ifndef PGHERALD_JWT_KEY_H
#define PGHERALD_JWT_KEY_H

#include "jwt_keys.h"

#include <openssl/evp.h>

struct jwt_key {
    enum token_alg alg;
    char *kid;             /* NULL: none */
    unsigned char *secret; /* HMAC only */
    size_t secret_size;
    EVP_MAC_CTX *mac;   /* HMAC: keyed, to be copied for each token */
    EVP_MD_CTX *verify; /* the others: the same */
};

struct jwt_keys {
    size_t count;
    struct jwt_key key[JWT_KEYS_MAX];
};

/* The curve of an ES algorithm: as OpenSSL names it, as a JWK does, and bytes of a coordinate. */
struct token_curve {
    const char *group;
    const char *crv;
    size_t coordinate_bytes;
};
const struct token_curve *token_alg_curve(enum token_alg alg);

/* Copies the secret. False: err says why. */
bool jwt_key_init_secret(struct jwt_key *key, enum token_alg alg, const unsigned char *secret, size_t size,
                         char err[JWT_KEYS_ERROR_BYTES]);

/* Refuses a key of another kind, on another curve or too short for alg. Borrows pkey. */
bool jwt_key_init_public(struct jwt_key *key, enum token_alg alg, EVP_PKEY *pkey,
                         char err[JWT_KEYS_ERROR_BYTES]);

void jwt_key_clear(struct jwt_key *key);

/* Adds the usable keys of a JWK or JWK set (RFC 7517) to keys. */
bool jwt_jwk_parse(struct jwt_keys *keys, enum token_alg alg, const char *json, size_t size,
                   char err[JWT_KEYS_ERROR_BYTES]);

/* Writes err and returns false. */
bool jwt_key_fail(char err[JWT_KEYS_ERROR_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
