#include "token.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fail.h"

enum { HALF = 32, LIFE_S = 3600 };

struct token_signer {
    unsigned char secret[256];
    size_t secret_size;
    EVP_PKEY *key; /* NULL: HS256 */
};

struct token_signer *token_signer_new(const char *algorithm, const char *key_file)
{
    struct token_signer *signer = calloc(1, sizeof(*signer));
    FILE *in = fopen(key_file, "r");
    if (!signer || !in)
        fail(key_file, "cannot be read");
    if (strcmp(algorithm, "ES256") == 0) {
        signer->key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
        if (!signer->key)
            fail(key_file, "no private key");
    } else {
        signer->secret_size = fread(signer->secret, 1, sizeof(signer->secret), in);
    }
    fclose(in);
    return signer;
}

static size_t base64url(const unsigned char *bytes, size_t size, char *out)
{
    size_t used = (size_t)EVP_EncodeBlock((unsigned char *)out, bytes, (int)size);
    while (used && out[used - 1] == '=')
        used--;
    for (size_t i = 0; i < used; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    out[used] = '\0';
    return used;
}

/* OpenSSL signs in DER; a token has the two numbers, 32 bytes each. */
static void sign_es256(EVP_PKEY *key, const char *text, size_t size, unsigned char out[2 * HALF])
{
    unsigned char der[128];
    size_t der_size = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, der, &der_size, (const unsigned char *)text, size) != 1)
        fail("token", "cannot be signed");
    EVP_MD_CTX_free(context);
    const unsigned char *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der_size);
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, HALF) != HALF ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + HALF, HALF) != HALF)
        fail("token", "has an unexpected signature");
    ECDSA_SIG_free(signature);
}

static size_t sign(struct token_signer *signer, const char *text, size_t size, unsigned char out[2 * HALF])
{
    unsigned used = 0;
    if (signer->key) {
        sign_es256(signer->key, text, size, out);
        return 2 * HALF;
    }
    HMAC(EVP_sha256(), signer->secret, (int)signer->secret_size, (const unsigned char *)text, size, out, &used);
    return used;
}

void token_make(struct token_signer *signer, const char *subject, char out[TOKEN_MAX])
{
    const char *header = signer->key ? "{\"alg\":\"ES256\",\"typ\":\"JWT\"}" : "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    char claims[128];
    unsigned char signature[2 * HALF];
    long now = (long)time(NULL);
    int size = snprintf(claims, sizeof(claims), "{\"sub\":\"%s\",\"iat\":%ld,\"exp\":%ld}", subject, now, now + LIFE_S);
    size_t used = base64url((const unsigned char *)header, strlen(header), out);
    out[used++] = '.';
    used += base64url((const unsigned char *)claims, (size_t)size, out + used);
    size_t signature_size = sign(signer, out, used, signature);
    out[used++] = '.';
    base64url(signature, signature_size, out + used);
}

void token_signer_free(struct token_signer *signer)
{
    EVP_PKEY_free(signer->key);
    free(signer);
}
