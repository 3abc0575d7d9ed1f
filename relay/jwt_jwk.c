/* A JWK or JWK set (RFC 7517, members in RFC 7518 section 6) in, keys out. Keys that are not for
 * verifying tokens, or of a kind unknown here, are skipped; wrong ones are errors. */
#include "jwt_key.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base64url.h"
#include "memory.h"

#define COORDINATE_MAX_BYTES 66 /* P-521 */

struct bytes {
    unsigned char *data; /* owned */
    size_t size;
};

static void bytes_clear(struct bytes *bytes)
{
    if (bytes->data)
        OPENSSL_cleanse(bytes->data, bytes->size);
    free(bytes->data);
    *bytes = (struct bytes){0};
}

static bool read_bytes(const json_t *jwk, const char *member, struct bytes *out,
                       char err[JWT_KEYS_ERROR_BYTES])
{
    const json_t *value = json_object_get(jwk, member);
    size_t len = json_string_length(value);
    if (len == 0)
        return jwt_key_fail(err, "\"%s\" is missing", member);
    out->data = memory_new(BASE64URL_DECODED_BYTES(len));
    if (base64url_decode(json_string_value(value), len, out->data, &out->size))
        return true;
    bytes_clear(out);
    return jwt_key_fail(err, "\"%s\" is not base64url without padding", member);
}

static bool array_has(const json_t *array, const char *word)
{
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), word) == 0)
            return true;
    }
    return false;
}

static bool is_for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *ops = json_object_get(jwk, "key_ops");
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    return !ops || array_has(ops, "verify");
}

static const char *family_kty(enum token_family family)
{
    return family == TOKEN_FAMILY_HMAC ? "oct" : family == TOKEN_FAMILY_RSA ? "RSA" : "EC";
}

static bool kty_is_known(const char *kty)
{
    return strcmp(kty, "oct") == 0 || strcmp(kty, "RSA") == 0 || strcmp(kty, "EC") == 0;
}

static EVP_PKEY *pkey_from_params(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *rsa_from_numbers(const struct bytes *n, const struct bytes *e)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n->data, (int)n->size, NULL);
    BIGNUM *exponent = BN_bin2bn(e->data, (int)e->size, NULL);
    EVP_PKEY *pkey = NULL;
    if (builder && modulus && exponent &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        pkey = pkey_from_params("RSA", builder);
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static EVP_PKEY *ec_from_point(const struct token_curve *curve, const struct bytes *x, const struct bytes *y)
{
    unsigned char point[1 + 2 * COORDINATE_MAX_BYTES];
    EVP_PKEY *pkey = NULL;
    if (!x->data || !y->data || x->size + y->size > sizeof point - 1)
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x->data, x->size);
    memcpy(point + 1 + x->size, y->data, y->size);
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + x->size + y->size) == 1)
        pkey = pkey_from_params("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static bool init_public(struct jwt_key *key, enum token_alg alg, EVP_PKEY *pkey,
                        char err[JWT_KEYS_ERROR_BYTES])
{
    bool ok = pkey ? jwt_key_init_public(key, alg, pkey, err)
                   : jwt_key_fail(err, "the key is damaged: its numbers are not those of a public key");
    EVP_PKEY_free(pkey);
    return ok;
}

static bool read_oct(struct jwt_key *key, enum token_alg alg, const json_t *jwk,
                     char err[JWT_KEYS_ERROR_BYTES])
{
    struct bytes k = {0};
    bool ok = read_bytes(jwk, "k", &k, err) && jwt_key_init_secret(key, alg, k.data, k.size, err);
    bytes_clear(&k);
    return ok;
}

static bool read_rsa(struct jwt_key *key, enum token_alg alg, const json_t *jwk,
                     char err[JWT_KEYS_ERROR_BYTES])
{
    struct bytes n = {0};
    struct bytes e = {0};
    bool ok = read_bytes(jwk, "n", &n, err) && read_bytes(jwk, "e", &e, err) &&
              init_public(key, alg, rsa_from_numbers(&n, &e), err);
    bytes_clear(&n);
    bytes_clear(&e);
    return ok;
}

static bool check_curve(const struct token_curve *curve, const json_t *jwk, char err[JWT_KEYS_ERROR_BYTES])
{
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    if (crv && strcmp(crv, curve->crv) == 0)
        return true;
    return jwt_key_fail(err, "\"crv\" must be \"%s\" for its algorithm", curve->crv);
}

static bool read_ec(struct jwt_key *key, enum token_alg alg, const json_t *jwk,
                    char err[JWT_KEYS_ERROR_BYTES])
{
    const struct token_curve *curve = token_alg_curve(alg);
    struct bytes x = {0};
    struct bytes y = {0};
    bool ok = check_curve(curve, jwk, err) && read_bytes(jwk, "x", &x, err) && read_bytes(jwk, "y", &y, err);
    if (ok && (x.size != curve->coordinate_bytes || y.size != curve->coordinate_bytes))
        ok = jwt_key_fail(err, "\"x\" and \"y\" must have %zu bytes each", curve->coordinate_bytes);
    ok = ok && init_public(key, alg, ec_from_point(curve, &x, &y), err);
    bytes_clear(&x);
    bytes_clear(&y);
    return ok;
}

static bool read_material(struct jwt_key *key, enum token_alg alg, const json_t *jwk,
                          char err[JWT_KEYS_ERROR_BYTES])
{
    if (token_alg_family(alg) == TOKEN_FAMILY_HMAC)
        return read_oct(key, alg, jwk, err);
    if (json_object_get(jwk, "d"))
        return jwt_key_fail(err, "it holds a private key (\"d\"); only public keys belong here");
    return token_alg_family(alg) == TOKEN_FAMILY_RSA ? read_rsa(key, alg, jwk, err)
                                                     : read_ec(key, alg, jwk, err);
}

static bool read_kid(struct jwt_key *key, const json_t *jwk, char err[JWT_KEYS_ERROR_BYTES])
{
    const json_t *kid = json_object_get(jwk, "kid");
    if (!kid)
        return true;
    if (json_string_length(kid) == 0)
        return jwt_key_fail(err, "\"kid\" must be a string that is not empty");
    key->kid = memory_copy_text(json_string_value(kid));
    return true;
}

/* The algorithm of this key. *skip: it has one, and that is not one of ours. */
static bool read_alg(const json_t *jwk, enum token_alg configured, const char *kty, enum token_alg *alg,
                     bool *skip, char err[JWT_KEYS_ERROR_BYTES])
{
    const json_t *name = json_object_get(jwk, "alg");
    *alg = configured;
    if (name && !token_alg_parse(json_is_string(name) ? json_string_value(name) : "",
                                 json_string_length(name), alg)) {
        *skip = true;
        return true;
    }
    if (strcmp(kty, family_kty(token_alg_family(*alg))) == 0)
        return true;
    return name ? jwt_key_fail(err, "\"alg\" is %s, which does not go with \"kty\" %s", token_alg_name(*alg),
                               kty)
                : jwt_key_fail(err, "it has no \"alg\", and the configured %s does not go with \"kty\" %s",
                               token_alg_name(*alg), kty);
}

static bool add_jwk(struct jwt_keys *keys, enum token_alg configured, const json_t *jwk,
                    char err[JWT_KEYS_ERROR_BYTES])
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    enum token_alg alg;
    bool skip = false;
    if (!kty)
        return jwt_key_fail(err, "it is not an object with a string \"kty\"");
    if (!kty_is_known(kty) || !is_for_signatures(jwk))
        return true;
    if (!read_alg(jwk, configured, kty, &alg, &skip, err))
        return false;
    if (skip)
        return true;

    struct jwt_key *key = &keys->key[keys->count++]; /* counted first: jwt_keys_free() clears it */
    return read_kid(key, jwk, err) && read_material(key, alg, jwk, err);
}

static bool check_kids(const struct jwt_keys *keys, char err[JWT_KEYS_ERROR_BYTES])
{
    for (size_t i = 0; i < keys->count && keys->count > 1; i++) {
        if (!keys->key[i].kid)
            return jwt_key_fail(err, "with several keys each needs a \"kid\"");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(keys->key[i].kid, keys->key[j].kid) == 0)
                return jwt_key_fail(err, "two keys have the same \"kid\"");
        }
    }
    return true;
}

static bool add_set(struct jwt_keys *keys, enum token_alg alg, const json_t *set,
                    char err[JWT_KEYS_ERROR_BYTES])
{
    size_t i;
    const json_t *jwk;
    if (json_array_size(set) > JWT_KEYS_MAX)
        return jwt_key_fail(err, "it has %zu keys; at most %d are allowed", json_array_size(set),
                            JWT_KEYS_MAX);
    json_array_foreach(set, i, jwk)
    {
        char reason[JWT_KEYS_ERROR_BYTES];
        if (!add_jwk(keys, alg, jwk, reason))
            return jwt_key_fail(err, "key %zu: %.200s", i + 1, reason);
    }
    return check_kids(keys, err);
}

bool jwt_jwk_parse(struct jwt_keys *keys, enum token_alg alg, const char *json, size_t size,
                   char err[JWT_KEYS_ERROR_BYTES])
{
    json_error_t where;
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &where);
    json_t *set = json_object_get(root, "keys");
    bool ok;
    if (!root)
        /* jansson's own words quote the place, which may be the secret. */
        return jwt_key_fail(err, "it starts like a JWK set but is not JSON (line %d, column %d)", where.line,
                            where.column);
    if (json_is_array(set))
        ok = add_set(keys, alg, set, err);
    else
        ok = set ? jwt_key_fail(err, "\"keys\" must be an array") : add_jwk(keys, alg, root, err);
    json_decref(root);
    if (ok && keys->count == 0)
        return jwt_key_fail(err, "it has no key that can verify tokens (kty oct, RSA or EC; use sig)");
    return ok;
}
