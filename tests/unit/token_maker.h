/* Makes keys and tokens for tests, right and wrong ones, with OpenSSL alone: independent of the code
 * under test. Everything returned is the caller's to free. */
#ifndef PGHERALD_TEST_TOKEN_MAKER_H
#define PGHERALD_TEST_TOKEN_MAKER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

struct maker_bytes {
    unsigned char *data;
    size_t size;
};

static inline char *maker_base64url(const void *data, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = data;
    char *out = malloc(size * 4 / 3 + 8);
    char *at = out;
    for (size_t i = 0; i < size; i += 3) {
        size_t have = size - i < 3 ? size - i : 3;
        unsigned bits = (unsigned)in[i] << 16;
        if (have > 1)
            bits |= (unsigned)in[i + 1] << 8;
        if (have > 2)
            bits |= in[i + 2];
        for (size_t c = 0; c <= have; c++)
            *at++ = alphabet[bits >> (18 - 6 * c) & 63];
    }
    *at = '\0';
    return out;
}

static inline EVP_PKEY *maker_rsa(unsigned bits)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
}

static inline EVP_PKEY *maker_ec(const char *curve)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
}

static inline char *maker_bio_text(BIO *bio)
{
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);
    char *text = calloc(1, (size_t)size + 1);
    memcpy(text, data, (size_t)size);
    BIO_free(bio);
    return text;
}

static inline char *maker_public_pem(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, pkey);
    return maker_bio_text(bio);
}

static inline char *maker_private_pem(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    return maker_bio_text(bio);
}

/* One number of a key as base64url; width 0: as many bytes as it needs. */
static inline char *maker_number(EVP_PKEY *pkey, const char *name, size_t width)
{
    unsigned char bytes[2048];
    BIGNUM *number = NULL;
    EVP_PKEY_get_bn_param(pkey, name, &number);
    size_t size = width ? width : (size_t)BN_num_bytes(number);
    BN_bn2binpad(number, bytes, (int)size);
    BN_free(number);
    return maker_base64url(bytes, size);
}

/* The members kty, n and e, or kty, crv, x and y, without braces; crv and coordinate_bytes
 * are "" and 0 for RSA. */
static inline char *maker_jwk_members(EVP_PKEY *pkey, const char *crv, size_t coordinate_bytes)
{
    char *text = malloc(4096);
    bool rsa = EVP_PKEY_is_a(pkey, "RSA");
    char *first =
        maker_number(pkey, rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, coordinate_bytes);
    char *second =
        maker_number(pkey, rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y, coordinate_bytes);
    if (rsa)
        snprintf(text, 4096, "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", first, second);
    else
        snprintf(text, 4096, "\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"", crv, first, second);
    free(first);
    free(second);
    return text;
}

static inline struct maker_bytes maker_hmac(const EVP_MD *md, const void *key, size_t key_size,
                                            const char *data)
{
    struct maker_bytes mac = {malloc(EVP_MAX_MD_SIZE), 0};
    unsigned size = 0;
    HMAC(md, key, (int)key_size, (const unsigned char *)data, strlen(data), mac.data, &size);
    mac.size = size;
    return mac;
}

/* RSA PKCS #1 v1.5, or ECDSA as DER. */
static inline struct maker_bytes maker_sign(EVP_PKEY *pkey, const EVP_MD *md, const char *data)
{
    struct maker_bytes sig = {malloc(2048), 2048};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, NULL, md, NULL, pkey);
    EVP_DigestSign(ctx, sig.data, &sig.size, (const unsigned char *)data, strlen(data));
    EVP_MD_CTX_free(ctx);
    return sig;
}

/* The same key's RSASSA-PSS signature, as PS256 has it. */
static inline struct maker_bytes maker_sign_pss(EVP_PKEY *pkey, const EVP_MD *md, const char *data)
{
    struct maker_bytes sig = {malloc(2048), 2048};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    EVP_DigestSignInit(ctx, &pctx, md, NULL, pkey);
    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    EVP_DigestSign(ctx, sig.data, &sig.size, (const unsigned char *)data, strlen(data));
    EVP_MD_CTX_free(ctx);
    return sig;
}

/* ECDSA as JOSE has it: r||s, each width bytes. */
static inline struct maker_bytes maker_sign_raw(EVP_PKEY *pkey, const EVP_MD *md, size_t width,
                                                const char *data)
{
    struct maker_bytes der = maker_sign(pkey, md, data);
    struct maker_bytes raw = {malloc(2 * width), 2 * width};
    const unsigned char *at = der.data;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.size);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw.data, (int)width);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw.data + width, (int)width);
    ECDSA_SIG_free(sig);
    free(der.data);
    return raw;
}

/* base64url(header).base64url(payload): what is signed. */
static inline char *maker_signed_text(const char *header, const char *payload)
{
    char *first = maker_base64url(header, strlen(header));
    char *second = maker_base64url(payload, strlen(payload));
    char *text = malloc(strlen(first) + strlen(second) + 2);
    sprintf(text, "%s.%s", first, second);
    free(first);
    free(second);
    return text;
}

/* Takes both. */
static inline char *maker_join(char *signed_text, struct maker_bytes sig)
{
    char *encoded = maker_base64url(sig.data, sig.size);
    char *token = malloc(strlen(signed_text) + strlen(encoded) + 2);
    sprintf(token, "%s.%s", signed_text, encoded);
    free(signed_text);
    free(sig.data);
    free(encoded);
    return token;
}

#endif
