/* One key: the checks it must pass, and the signatures it verifies. OpenSSL's error queue is left
 * empty, because TLS in the same thread looks at it. */
#include "jwt_key.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "memory.h"

#define DER_SIGNATURE_MAX_BYTES 160 /* ES512: two integers of 67 bytes and their headers */

static const struct token_curve curves[] = {
    {"prime256v1", "P-256", 32},
    {"secp384r1", "P-384", 48},
    {"secp521r1", "P-521", 66},
};

static const struct {
    const char *name;
    enum token_family family;
    const char *digest;
    const struct token_curve *curve;
} algs[TOKEN_ALG_COUNT] = {
    [TOKEN_ALG_HS256] = {"HS256", TOKEN_FAMILY_HMAC, "SHA256", NULL},
    [TOKEN_ALG_HS384] = {"HS384", TOKEN_FAMILY_HMAC, "SHA384", NULL},
    [TOKEN_ALG_HS512] = {"HS512", TOKEN_FAMILY_HMAC, "SHA512", NULL},
    [TOKEN_ALG_RS256] = {"RS256", TOKEN_FAMILY_RSA, "SHA256", NULL},
    [TOKEN_ALG_RS384] = {"RS384", TOKEN_FAMILY_RSA, "SHA384", NULL},
    [TOKEN_ALG_RS512] = {"RS512", TOKEN_FAMILY_RSA, "SHA512", NULL},
    [TOKEN_ALG_ES256] = {"ES256", TOKEN_FAMILY_EC, "SHA256", &curves[0]},
    [TOKEN_ALG_ES384] = {"ES384", TOKEN_FAMILY_EC, "SHA384", &curves[1]},
    [TOKEN_ALG_ES512] = {"ES512", TOKEN_FAMILY_EC, "SHA512", &curves[2]},
};

const char *token_alg_name(enum token_alg alg)
{
    return algs[alg].name;
}

enum token_family token_alg_family(enum token_alg alg)
{
    return algs[alg].family;
}

const struct token_curve *token_alg_curve(enum token_alg alg)
{
    return algs[alg].curve;
}

bool token_alg_parse(const char *name, size_t len, enum token_alg *alg)
{
    for (int i = 0; i < TOKEN_ALG_COUNT; i++) {
        if (strlen(algs[i].name) == len && memcmp(algs[i].name, name, len) == 0) {
            *alg = (enum token_alg)i;
            return true;
        }
    }
    return false;
}

bool jwt_key_fail(char err[JWT_KEYS_ERROR_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err, JWT_KEYS_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

bool jwt_key_init_secret(struct jwt_key *key, enum token_alg alg, const unsigned char *secret, size_t size,
                         char err[JWT_KEYS_ERROR_BYTES])
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)algs[alg].digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (size < JWT_KEYS_SECRET_MIN_BYTES)
        return jwt_key_fail(err,
                            "the secret has %zu bytes; at least %d are needed, made for example by: "
                            "openssl rand -base64 48",
                            size, JWT_KEYS_SECRET_MIN_BYTES);

    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    key->mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the context has its own reference */
    if (!key->mac || EVP_MAC_init(key->mac, secret, size, params) != 1) {
        ERR_clear_error();
        return jwt_key_fail(err, "OpenSSL does not offer HMAC with %s", algs[alg].digest);
    }
    key->alg = alg;
    key->secret = memory_copy(secret, size);
    key->secret_size = size;
    return true;
}

static bool check_kind(enum token_alg alg, EVP_PKEY *pkey, char err[JWT_KEYS_ERROR_BYTES])
{
    const char *wanted = algs[alg].family == TOKEN_FAMILY_RSA ? "RSA" : "EC";
    if (EVP_PKEY_is_a(pkey, wanted))
        return true;
    return jwt_key_fail(err, "%s needs an %s key; this one is of another kind", algs[alg].name, wanted);
}

static bool check_strength(enum token_alg alg, EVP_PKEY *pkey, char err[JWT_KEYS_ERROR_BYTES])
{
    if (algs[alg].family == TOKEN_FAMILY_RSA) {
        int bits = EVP_PKEY_get_bits(pkey);
        if (bits >= JWT_KEYS_RSA_MIN_BITS && bits <= OPENSSL_RSA_MAX_MODULUS_BITS)
            return true;
        return jwt_key_fail(err, "the RSA key has %d bits; %d to %d are allowed", bits, JWT_KEYS_RSA_MIN_BITS,
                            OPENSSL_RSA_MAX_MODULUS_BITS);
    }
    char group[64] = "";
    if (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
        strcmp(group, algs[alg].curve->group) == 0)
        return true;
    return jwt_key_fail(err, "%s needs a key on curve %s; this one is on another curve", algs[alg].name,
                        algs[alg].curve->crv);
}

/* The point is on the curve; the modulus is no prime and the exponent no 1. */
static bool check_values(EVP_PKEY *pkey, char err[JWT_KEYS_ERROR_BYTES])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok || jwt_key_fail(err, "the key is damaged: its numbers are not those of a public key");
}

bool jwt_key_init_public(struct jwt_key *key, enum token_alg alg, EVP_PKEY *pkey,
                         char err[JWT_KEYS_ERROR_BYTES])
{
    bool ok = check_kind(alg, pkey, err) && check_strength(alg, pkey, err) && check_values(pkey, err);
    if (ok) {
        key->alg = alg;
        key->verify = EVP_MD_CTX_new();
        ok = key->verify &&
             EVP_DigestVerifyInit_ex(key->verify, NULL, algs[alg].digest, NULL, NULL, pkey, NULL) == 1;
        if (!ok)
            jwt_key_fail(err, "OpenSSL cannot verify %s with this key", algs[alg].name);
    }
    ERR_clear_error();
    return ok;
}

void jwt_key_clear(struct jwt_key *key)
{
    EVP_MAC_CTX_free(key->mac);
    EVP_MD_CTX_free(key->verify);
    if (key->secret)
        OPENSSL_cleanse(key->secret, key->secret_size);
    free(key->secret);
    free(key->kid);
    *key = (struct jwt_key){.alg = key->alg};
}

enum token_alg jwt_key_alg(const struct jwt_key *key)
{
    return key->alg;
}

const char *jwt_key_id(const struct jwt_key *key)
{
    return key->kid;
}

const unsigned char *jwt_key_secret(const struct jwt_key *key, size_t *size)
{
    *size = key->secret_size;
    return key->secret;
}

static bool verify_hmac(const struct jwt_key *key, const void *data, size_t size, const unsigned char *sig,
                        size_t sig_size)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t mac_size = 0;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->mac);
    bool ok = ctx && EVP_MAC_update(ctx, data, size) == 1 &&
              EVP_MAC_final(ctx, mac, &mac_size, sizeof mac) == 1 && mac_size == sig_size &&
              CRYPTO_memcmp(mac, sig, sig_size) == 0;
    EVP_MAC_CTX_free(ctx);
    OPENSSL_cleanse(mac, sizeof mac);
    return ok;
}

static bool verify_public(const struct jwt_key *key, const void *data, size_t size, const unsigned char *sig,
                          size_t sig_size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_MD_CTX_copy_ex(ctx, key->verify) == 1 &&
              EVP_DigestVerify(ctx, sig, sig_size, data, size) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* OpenSSL wants the DER form of what JOSE writes as r||s. Returns its length, 0 on failure. */
static size_t der_from_raw(const unsigned char *raw, size_t half, unsigned char der[DER_SIGNATURE_MAX_BYTES])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)half, NULL);
    BIGNUM *s = BN_bin2bn(raw + half, (int)half, NULL);
    int size = 0;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* owned by sig now */
        size = i2d_ECDSA_SIG(sig, NULL);
        size = size > 0 && size <= DER_SIGNATURE_MAX_BYTES ? i2d_ECDSA_SIG(sig, &der) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return size > 0 ? (size_t)size : 0;
}

static bool verify_ec(const struct jwt_key *key, const void *data, size_t size, const unsigned char *sig,
                      size_t sig_size)
{
    unsigned char der[DER_SIGNATURE_MAX_BYTES];
    size_t half = algs[key->alg].curve->coordinate_bytes;
    if (sig_size != 2 * half)
        return false;
    size_t der_size = der_from_raw(sig, half, der);
    return der_size > 0 && verify_public(key, data, size, der, der_size);
}

bool jwt_key_verify(const struct jwt_key *key, const void *data, size_t size, const unsigned char *sig,
                    size_t sig_size)
{
    bool ok = false;
    switch (algs[key->alg].family) {
    case TOKEN_FAMILY_HMAC:
        ok = verify_hmac(key, data, size, sig, sig_size);
        break;
    case TOKEN_FAMILY_RSA:
        ok = verify_public(key, data, size, sig, sig_size);
        break;
    case TOKEN_FAMILY_EC:
        ok = verify_ec(key, data, size, sig, sig_size);
        break;
    }
    ERR_clear_error();
    return ok;
}
