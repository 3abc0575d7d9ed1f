/* The keys that may sign tokens: read once from HERALD_JWT_KEY_FILE, parsed, checked and
 * ready for use. Each key has exactly one algorithm. A set never changes; a reload loads a
 * new one and frees the old. */
#ifndef PGHERALD_JWT_KEYS_H
#define PGHERALD_JWT_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 7518 section 3.1. Named so as not to meet libjwt's enum jwt_alg. */
enum token_alg {
    TOKEN_ALG_HS256,
    TOKEN_ALG_HS384,
    TOKEN_ALG_HS512,
    TOKEN_ALG_RS256,
    TOKEN_ALG_RS384,
    TOKEN_ALG_RS512,
    TOKEN_ALG_ES256,
    TOKEN_ALG_ES384,
    TOKEN_ALG_ES512,
    TOKEN_ALG_COUNT
};

enum token_family { TOKEN_FAMILY_HMAC, TOKEN_FAMILY_RSA, TOKEN_FAMILY_EC };

#define JWT_KEYS_MAX 64
#define JWT_KEYS_FILE_BYTES (256 * 1024)
#define JWT_KEYS_SECRET_MIN_BYTES 32
#define JWT_KEYS_RSA_MIN_BITS 2048
#define JWT_KEYS_ERROR_BYTES 256

struct jwt_key;  /* one key; owned by its set */
struct jwt_keys; /* the set */

/* The name as it stands in a header, e.g. "HS256". */
const char *token_alg_name(enum token_alg alg);
enum token_family token_alg_family(enum token_alg alg);

/* True if name (len bytes) is exactly one of the algorithms, case included; none is not one. */
bool token_alg_parse(const char *name, size_t len, enum token_alg *alg);

/* Reads a file with a raw HMAC secret (one trailing newline is not part of it), a public PEM, or
 * a JWK or JWK set (RFC 7517) in JSON. alg is the algorithm of a key that names none itself. Keys
 * for encryption and of kinds unknown here are skipped, as RFC 7517 section 5 wants; a weak,
 * damaged or private key is an error. On success *keys is the caller's, to be freed with
 * jwt_keys_free(); otherwise *keys is NULL and err says in one line what is wrong and what to do. */
bool jwt_keys_load(struct jwt_keys **keys, enum token_alg alg, const char *file,
                   char err[JWT_KEYS_ERROR_BYTES]);

/* The same from memory; what names the source in errors. */
bool jwt_keys_parse(struct jwt_keys **keys, enum token_alg alg, const char *data, size_t size,
                    const char *what, char err[JWT_KEYS_ERROR_BYTES]);
void jwt_keys_free(struct jwt_keys *keys);

size_t jwt_keys_count(const struct jwt_keys *keys);

/* True if some key of the set is used with alg. */
bool jwt_keys_have_alg(const struct jwt_keys *keys, enum token_alg alg);

/* The key for a token: the one named kid; for kid NULL the only one. A set of one key without a
 * name serves every kid. NULL if there is none. */
const struct jwt_key *jwt_keys_find(const struct jwt_keys *keys, const char *kid);

enum token_alg jwt_key_alg(const struct jwt_key *key);
const char *jwt_key_id(const struct jwt_key *key); /* its kid; NULL: none */

/* The bytes of an HMAC key, NULL for the others: for issuing tokens. */
const unsigned char *jwt_key_secret(const struct jwt_key *key, size_t *size);

/* True if sig signs data with this key and this key's algorithm. HMACs are compared in constant
 * time; ECDSA signatures are r||s of exactly the right size (RFC 7518 section 3.4). */
bool jwt_key_verify(const struct jwt_key *key, const void *data, size_t size, const unsigned char *sig,
                    size_t sig_size);

#endif
