/* Tokens against auth_verify: each hostile one differs in one thing from one that is accepted, is
 * signed rightly unless the signature is the thing, and must get exactly its own answer. */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth.h"
#include "token_maker.h"

#define NOW 1700000000
#define SECRET "0123456789abcdef0123456789abcdef"
#define SECRET_2 "another secret of more than 32 bytes"
#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

#define HS "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define RS "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"
#define ES "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"
#define KID(alg, kid) "{\"alg\":\"" alg "\",\"kid\":\"" kid "\"}"
#define EXP "\"exp\":1700003600"
#define SUB "\"sub\":\"alice\""
#define GOOD "{" SUB "," EXP "}"
#define WITH(more) "{" SUB "," EXP "," more "}"
#define PARTIES(more) "{" SUB "," EXP more "}"
#define ISS "\"iss\":\"https://login.example.org\""
#define AUD "\"aud\":\"herald\""

enum key_set { K_HS256, K_HS512, K_RS256, K_ES256, K_ES384, K_ES512, K_SET, K_NAMED, K_COUNT };

enum signature {
    S_HS256,
    S_HS384,
    S_HS512,
    S_HS256_SECOND, /* the other secret of the set */
    S_HS256_EMPTY_KEY,
    S_HS256_PUBLIC_PEM, /* the RSA public key as an HMAC secret */
    S_HS256_HALF,
    S_HS256_LONGER,
    S_HS256_FLIPPED,
    S_RS256,
    S_RS512,
    S_PS256,
    S_RS256_STRANGER,
    S_RS256_SHORT,
    S_ES256,
    S_ES256_DER,
    S_ES256_WIDE, /* r and s with a leading zero each */
    S_ES256_ZERO,
    S_ES256_STRANGER,
    S_ES256_R_ONLY,
    S_ES384,
    S_ES512,
    S_NONE
};

static EVP_PKEY *rsa, *rsa_stranger, *ec256, *ec256_stranger, *ec384, *ec521;
static char *rsa_pem;
static struct jwt_keys *sets[K_COUNT];

static struct jwt_keys *load(enum token_alg alg, const char *text)
{
    struct jwt_keys *keys = NULL;
    char err[JWT_KEYS_ERROR_BYTES] = "";
    ck_assert_msg(jwt_keys_parse(&keys, alg, text, strlen(text), "test", err), "%s", err);
    return keys;
}

static struct jwt_keys *load_public(enum token_alg alg, EVP_PKEY *pkey)
{
    char *pem = maker_public_pem(pkey);
    struct jwt_keys *keys = load(alg, pem);
    free(pem);
    return keys;
}

static struct jwt_keys *load_set(void)
{
    char *text = malloc(16384);
    char *one = maker_base64url(SECRET, strlen(SECRET));
    char *two = maker_base64url(SECRET_2, strlen(SECRET_2));
    char *r = maker_jwk_members(rsa, "", 0);
    char *e = maker_jwk_members(ec256, "P-256", 32);
    snprintf(text, 16384,
             "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h1\",\"alg\":\"HS256\",\"k\":\"%s\"},"
             "{\"kty\":\"oct\",\"kid\":\"h2\",\"alg\":\"HS256\",\"k\":\"%s\"},"
             "{%s,\"kid\":\"r1\",\"alg\":\"RS256\"},{%s,\"kid\":\"e1\",\"alg\":\"ES256\"}]}",
             one, two, r, e);
    struct jwt_keys *keys = load(TOKEN_ALG_HS256, text);
    free(text);
    free(one);
    free(two);
    free(r);
    free(e);
    return keys;
}

static struct jwt_keys *load_named(void)
{
    char text[256];
    char *k = maker_base64url(SECRET, strlen(SECRET));
    snprintf(text, sizeof text, "{\"kty\":\"oct\",\"kid\":\"only\",\"k\":\"%s\"}", k);
    free(k);
    return load(TOKEN_ALG_HS256, text);
}

static void make_keys(void)
{
    rsa = maker_rsa(2048);
    rsa_stranger = maker_rsa(2048);
    ec256 = maker_ec("P-256");
    ec256_stranger = maker_ec("P-256");
    ec384 = maker_ec("P-384");
    ec521 = maker_ec("P-521");
    rsa_pem = maker_public_pem(rsa);
    sets[K_HS256] = load(TOKEN_ALG_HS256, SECRET);
    sets[K_HS512] = load(TOKEN_ALG_HS512, SECRET);
    sets[K_RS256] = load_public(TOKEN_ALG_RS256, rsa);
    sets[K_ES256] = load_public(TOKEN_ALG_ES256, ec256);
    sets[K_ES384] = load_public(TOKEN_ALG_ES384, ec384);
    sets[K_ES512] = load_public(TOKEN_ALG_ES512, ec521);
    sets[K_SET] = load_set();
    sets[K_NAMED] = load_named();
}

static void free_keys(void)
{
    EVP_PKEY *const all[] = {rsa, rsa_stranger, ec256, ec256_stranger, ec384, ec521};
    for (int i = 0; i < LENGTH(all); i++)
        EVP_PKEY_free(all[i]);
    for (int i = 0; i < K_COUNT; i++)
        jwt_keys_free(sets[i]);
    free(rsa_pem);
}

static struct maker_bytes widen(struct maker_bytes raw)
{
    size_t half = raw.size / 2;
    struct maker_bytes wide = {calloc(1, raw.size + 2), raw.size + 2};
    memcpy(wide.data + 1, raw.data, half);
    memcpy(wide.data + half + 2, raw.data + half, half);
    free(raw.data);
    return wide;
}

static struct maker_bytes cut(struct maker_bytes sig, size_t size)
{
    sig.size = size;
    return sig;
}

static struct maker_bytes hmac_variant(enum signature how, const char *text)
{
    struct maker_bytes mac = maker_hmac(EVP_sha256(), SECRET, strlen(SECRET), text);
    if (how == S_HS256_FLIPPED)
        mac.data[31] ^= 1;
    if (how == S_HS256_LONGER)
        mac.data[mac.size++] = 0;
    return how == S_HS256_HALF ? cut(mac, 16) : mac;
}

static struct maker_bytes sign(enum signature how, const char *text)
{
    switch (how) {
    case S_HS384:
        return maker_hmac(EVP_sha384(), SECRET, strlen(SECRET), text);
    case S_HS512:
        return maker_hmac(EVP_sha512(), SECRET, strlen(SECRET), text);
    case S_HS256_SECOND:
        return maker_hmac(EVP_sha256(), SECRET_2, strlen(SECRET_2), text);
    case S_HS256_EMPTY_KEY:
        return maker_hmac(EVP_sha256(), "", 0, text);
    case S_HS256_PUBLIC_PEM:
        return maker_hmac(EVP_sha256(), rsa_pem, strlen(rsa_pem), text);
    case S_RS256:
        return maker_sign(rsa, EVP_sha256(), text);
    case S_RS512:
        return maker_sign(rsa, EVP_sha512(), text);
    case S_PS256:
        return maker_sign_pss(rsa, EVP_sha256(), text);
    case S_RS256_STRANGER:
        return maker_sign(rsa_stranger, EVP_sha256(), text);
    case S_RS256_SHORT:
        return cut(maker_sign(rsa, EVP_sha256(), text), 255);
    case S_ES256:
        return maker_sign_raw(ec256, EVP_sha256(), 32, text);
    case S_ES256_DER:
        return maker_sign(ec256, EVP_sha256(), text);
    case S_ES256_WIDE:
        return widen(maker_sign_raw(ec256, EVP_sha256(), 32, text));
    case S_ES256_ZERO:
        return (struct maker_bytes){calloc(1, 64), 64};
    case S_ES256_STRANGER:
        return maker_sign_raw(ec256_stranger, EVP_sha256(), 32, text);
    case S_ES256_R_ONLY:
        return cut(maker_sign_raw(ec256, EVP_sha256(), 32, text), 32);
    case S_ES384:
        return maker_sign_raw(ec384, EVP_sha384(), 48, text);
    case S_ES512:
        return maker_sign_raw(ec521, EVP_sha512(), 66, text);
    case S_NONE:
        return (struct maker_bytes){NULL, 0};
    default:
        return hmac_variant(how, text);
    }
}

static char *make_token(const char *header, const char *payload, enum signature how)
{
    char *text = maker_signed_text(header, payload);
    return maker_join(text, sign(how, text));
}

static enum auth_result verify(enum key_set set, const struct auth_rules *rules, const char *token,
                               size_t len, struct auth_claims *claims)
{
    static const struct auth_claims empty;
    enum auth_result result = auth_verify(sets[set], rules, token, len, NOW, claims);
    if (result != AUTH_OK)
        ck_assert_msg(memcmp(claims, &empty, sizeof empty) == 0, "claims of a refused token are not empty");
    return result;
}

struct token_case {
    const char *name;
    enum key_set set;
    const char *header;
    const char *payload;
    enum signature how;
    enum auth_result expected;
};

static void check_token(const struct token_case *c, const struct auth_rules *rules)
{
    struct auth_claims claims;
    char *token = make_token(c->header, c->payload, c->how);
    enum auth_result result = verify(c->set, rules, token, strlen(token), &claims);
    ck_assert_msg(result == c->expected, "%s: %s, not %s", c->name, auth_log_word(result),
                  auth_log_word(c->expected));
    auth_claims_clear(&claims);
    free(token);
}

static const struct auth_rules any_party = {NULL, NULL};
static const struct auth_rules one_party = {"https://login.example.org", "herald"};

static const struct token_case token_cases[] = {
    /* accepted */
    {"HS256", K_HS256, HS, GOOD, S_HS256, AUTH_OK},
    {"HS512", K_HS512, "{\"alg\":\"HS512\"}", GOOD, S_HS512, AUTH_OK},
    {"RS256", K_RS256, RS, GOOD, S_RS256, AUTH_OK},
    {"ES256", K_ES256, ES, GOOD, S_ES256, AUTH_OK},
    {"ES384", K_ES384, "{\"alg\":\"ES384\"}", GOOD, S_ES384, AUTH_OK},
    {"ES512", K_ES512, "{\"alg\":\"ES512\"}", GOOD, S_ES512, AUTH_OK},
    {"kid h1 of a set", K_SET, KID("HS256", "h1"), GOOD, S_HS256, AUTH_OK},
    {"kid h2 of a set", K_SET, KID("HS256", "h2"), GOOD, S_HS256_SECOND, AUTH_OK},
    {"kid r1 of a set", K_SET, KID("RS256", "r1"), GOOD, S_RS256, AUTH_OK},
    {"kid e1 of a set", K_SET, KID("ES256", "e1"), GOOD, S_ES256, AUTH_OK},
    {"no kid, one named key", K_NAMED, HS, GOOD, S_HS256, AUTH_OK},
    {"the kid of the one named key", K_NAMED, KID("HS256", "only"), GOOD, S_HS256, AUTH_OK},
    {"a kid, one unnamed key", K_HS256, KID("HS256", "whatever"), GOOD, S_HS256, AUTH_OK},
    {"no typ", K_HS256, "{\"alg\":\"HS256\"}", GOOD, S_HS256, AUTH_OK},
    {"unknown header members", K_HS256, "{\"alg\":\"HS256\",\"x\":{\"y\":[1]}}", GOOD, S_HS256, AUTH_OK},
    {"white space in the JSON", K_HS256, " { \"alg\" : \"HS256\" } ", " " GOOD "\n", S_HS256, AUTH_OK},
    {"unknown claims, unicode in one", K_HS256, HS,
     WITH("\"name\":\"\xc3\x84lice \xf0\x9f\x91\x8b\",\"n\":1.5e3"), S_HS256, AUTH_OK},
    {"sub as an e-mail address", K_HS256, HS, "{\"sub\":\"a.b-c_d@example.org:7\"," EXP "}", S_HS256,
     AUTH_OK},
    {"escaped ASCII in sub", K_HS256, HS, "{\"sub\":\"\\u0061lice\"," EXP "}", S_HS256, AUTH_OK},
    {"exp 29 s ago, within the skew", K_HS256, HS, "{" SUB ",\"exp\":1699999971}", S_HS256, AUTH_OK},
    {"nbf in 30 s, within the skew", K_HS256, HS, WITH("\"nbf\":1700000030"), S_HS256, AUTH_OK},
    {"nbf long ago", K_HS256, HS, WITH("\"nbf\":0"), S_HS256, AUTH_OK},
    {"the last exp there is", K_HS256, HS, "{" SUB ",\"exp\":253402300799}", S_HS256, AUTH_OK},
    {"iss and aud nobody asked for", K_HS256, HS, WITH("\"iss\":1,\"aud\":{}"), S_HS256, AUTH_OK},

    /* the algorithm */
    {"alg none, no signature", K_HS256, "{\"alg\":\"none\"}", GOOD, S_NONE, AUTH_MALFORMED},
    {"alg none, some signature", K_HS256, "{\"alg\":\"none\"}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg None", K_HS256, "{\"alg\":\"None\"}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg NONE", K_RS256, "{\"alg\":\"NONE\"}", GOOD, S_RS256, AUTH_REFUSED},
    {"alg hs256", K_HS256, "{\"alg\":\"hs256\"}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg with a space", K_HS256, "{\"alg\":\"HS256 \"}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg HS2567", K_HS256, "{\"alg\":\"HS2567\"}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg empty", K_HS256, "{\"alg\":\"\"}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg missing", K_HS256, "{\"typ\":\"JWT\"}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg null", K_HS256, "{\"alg\":null}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg a number", K_HS256, "{\"alg\":256}", GOOD, S_HS256, AUTH_REFUSED},
    {"alg an array", K_HS256, "{\"alg\":[\"HS256\"]}", GOOD, S_HS256, AUTH_REFUSED},
    {"Alg instead of alg", K_HS256, "{\"Alg\":\"HS256\"}", GOOD, S_HS256, AUTH_REFUSED},
    {"HS512 under an HS256 key", K_HS256, "{\"alg\":\"HS512\"}", GOOD, S_HS512, AUTH_REFUSED},
    {"HS384 under an HS256 key", K_HS256, "{\"alg\":\"HS384\"}", GOOD, S_HS384, AUTH_REFUSED},
    {"HS256 under an HS512 key", K_HS512, HS, GOOD, S_HS256, AUTH_REFUSED},
    {"HS256 with the RSA public key as secret", K_RS256, HS, GOOD, S_HS256_PUBLIC_PEM, AUTH_REFUSED},
    {"the same, saying RS256", K_RS256, RS, GOOD, S_HS256_PUBLIC_PEM, AUTH_BAD_SIGNATURE},
    {"the same, under the RSA key of a set", K_SET, KID("HS256", "r1"), GOOD, S_HS256_PUBLIC_PEM,
     AUTH_REFUSED},
    {"RS512 under an RS256 key", K_RS256, "{\"alg\":\"RS512\"}", GOOD, S_RS512, AUTH_REFUSED},
    {"RS512 that says RS256", K_RS256, RS, GOOD, S_RS512, AUTH_BAD_SIGNATURE},
    {"PS256 under an RS256 key", K_RS256, "{\"alg\":\"PS256\"}", GOOD, S_PS256, AUTH_REFUSED},
    {"PS256 that says RS256", K_RS256, RS, GOOD, S_PS256, AUTH_BAD_SIGNATURE},
    {"EdDSA", K_ES256, "{\"alg\":\"EdDSA\"}", GOOD, S_ES256, AUTH_REFUSED},
    {"ES256K", K_ES256, "{\"alg\":\"ES256K\"}", GOOD, S_ES256, AUTH_REFUSED},
    {"another key's algorithm", K_SET, KID("ES256", "r1"), GOOD, S_ES256, AUTH_REFUSED},
    {"another key's algorithm and signature", K_SET, KID("RS256", "h1"), GOOD, S_RS256, AUTH_REFUSED},

    /* the rest of the header */
    {"crit", K_HS256, "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", GOOD, S_HS256, AUTH_REFUSED},
    {"crit unknown", K_HS256, "{\"alg\":\"HS256\",\"crit\":[\"x\"],\"x\":1}", GOOD, S_HS256, AUTH_REFUSED},
    {"crit empty", K_HS256, "{\"alg\":\"HS256\",\"crit\":[]}", GOOD, S_HS256, AUTH_REFUSED},
    {"crit null", K_HS256, "{\"alg\":\"HS256\",\"crit\":null}", GOOD, S_HS256, AUTH_REFUSED},
    {"unencoded payload (RFC 7797)", K_HS256, "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", GOOD,
     S_HS256, AUTH_REFUSED},
    {"alg twice, none first", K_HS256, "{\"alg\":\"none\",\"alg\":\"HS256\"}", GOOD, S_HS256, AUTH_MALFORMED},
    {"alg twice, none last", K_HS256, "{\"alg\":\"HS256\",\"alg\":\"none\"}", GOOD, S_HS256, AUTH_MALFORMED},
    {"alg twice, one escaped", K_HS256, "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}", GOOD, S_HS256,
     AUTH_MALFORMED},
    {"a duplicate deeper down", K_HS256, "{\"alg\":\"HS256\",\"x\":{\"y\":1,\"y\":2}}", GOOD, S_HS256,
     AUTH_MALFORMED},
    {"header an array", K_HS256, "[\"HS256\"]", GOOD, S_HS256, AUTH_MALFORMED},
    {"header a string", K_HS256, "\"HS256\"", GOOD, S_HS256, AUTH_MALFORMED},
    {"header not JSON", K_HS256, "alg=HS256", GOOD, S_HS256, AUTH_MALFORMED},
    {"header and more", K_HS256, "{\"alg\":\"HS256\"}{}", GOOD, S_HS256, AUTH_MALFORMED},
    {"header not UTF-8", K_HS256, "{\"alg\":\"HS256\",\"x\":\"\xff\"}", GOOD, S_HS256, AUTH_MALFORMED},
    {"unknown kid", K_SET, KID("HS256", "h3"), GOOD, S_HS256, AUTH_REFUSED},
    {"no kid, several keys", K_SET, HS, GOOD, S_HS256, AUTH_REFUSED},
    {"kid empty", K_SET, KID("HS256", ""), GOOD, S_HS256, AUTH_REFUSED},
    {"kid in another case", K_SET, KID("HS256", "H1"), GOOD, S_HS256, AUTH_REFUSED},
    {"kid a path", K_SET, KID("HS256", "../../../../dev/null"), GOOD, S_HS256_EMPTY_KEY, AUTH_REFUSED},
    {"kid a quotation", K_SET, KID("HS256", "h1' or '1'='1"), GOOD, S_HS256, AUTH_REFUSED},
    {"kid with a zero character", K_SET, KID("HS256", "h1\\u0000x"), GOOD, S_HS256, AUTH_MALFORMED},
    {"kid a number", K_SET, "{\"alg\":\"HS256\",\"kid\":1}", GOOD, S_HS256, AUTH_REFUSED},
    {"kid null", K_SET, "{\"alg\":\"HS256\",\"kid\":null}", GOOD, S_HS256, AUTH_REFUSED},
    {"kid an array", K_NAMED, "{\"alg\":\"HS256\",\"kid\":[\"only\"]}", GOOD, S_HS256, AUTH_REFUSED},
    {"not the kid of the one named key", K_NAMED, KID("HS256", "other"), GOOD, S_HS256, AUTH_REFUSED},
    {"the key itself in the header", K_HS256, "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"\"}}",
     GOOD, S_HS256_EMPTY_KEY, AUTH_BAD_SIGNATURE},
    {"jku", K_RS256, "{\"alg\":\"RS256\",\"jku\":\"https://evil.example/keys\"}", GOOD, S_RS256_STRANGER,
     AUTH_BAD_SIGNATURE},

    /* the signature */
    {"another secret", K_HS256, HS, GOOD, S_HS256_SECOND, AUTH_BAD_SIGNATURE},
    {"another key of the set", K_SET, KID("HS256", "h1"), GOOD, S_HS256_SECOND, AUTH_BAD_SIGNATURE},
    {"an empty secret", K_HS256, HS, GOOD, S_HS256_EMPTY_KEY, AUTH_BAD_SIGNATURE},
    {"no signature", K_HS256, HS, GOOD, S_NONE, AUTH_MALFORMED},
    {"half an HMAC", K_HS256, HS, GOOD, S_HS256_HALF, AUTH_BAD_SIGNATURE},
    {"an HMAC and a byte", K_HS256, HS, GOOD, S_HS256_LONGER, AUTH_BAD_SIGNATURE},
    {"the last bit of an HMAC", K_HS256, HS, GOOD, S_HS256_FLIPPED, AUTH_BAD_SIGNATURE},
    {"an HS512 signature that says HS256", K_HS256, HS, GOOD, S_HS512, AUTH_BAD_SIGNATURE},
    {"another RSA key", K_RS256, RS, GOOD, S_RS256_STRANGER, AUTH_BAD_SIGNATURE},
    {"a byte less than the modulus", K_RS256, RS, GOOD, S_RS256_SHORT, AUTH_BAD_SIGNATURE},
    {"another EC key", K_ES256, ES, GOOD, S_ES256_STRANGER, AUTH_BAD_SIGNATURE},
    {"ECDSA as DER", K_ES256, ES, GOOD, S_ES256_DER, AUTH_BAD_SIGNATURE},
    {"ECDSA with r = s = 0", K_ES256, ES, GOOD, S_ES256_ZERO, AUTH_BAD_SIGNATURE},
    {"ECDSA with 33 bytes each", K_ES256, ES, GOOD, S_ES256_WIDE, AUTH_BAD_SIGNATURE},
    {"ECDSA, only r", K_ES256, ES, GOOD, S_ES256_R_ONLY, AUTH_BAD_SIGNATURE},
    {"an ES256 signature that says ES384", K_ES384, "{\"alg\":\"ES384\"}", GOOD, S_ES256, AUTH_BAD_SIGNATURE},
    {"expired and forged: says only that it is forged", K_HS256, HS, "{" SUB ",\"exp\":1}", S_HS256_SECOND,
     AUTH_BAD_SIGNATURE},

    /* the payload */
    {"payload an array", K_HS256, HS, "[" SUB "]", S_HS256, AUTH_MALFORMED},
    {"payload an array of an object", K_HS256, HS, "[" GOOD "]", S_HS256, AUTH_MALFORMED},
    {"payload a string", K_HS256, HS, "\"alice\"", S_HS256, AUTH_MALFORMED},
    {"payload null", K_HS256, HS, "null", S_HS256, AUTH_MALFORMED},
    {"payload not JSON", K_HS256, HS, "sub=alice", S_HS256, AUTH_MALFORMED},
    {"payload and more", K_HS256, HS, GOOD GOOD, S_HS256, AUTH_MALFORMED},
    {"sub twice", K_HS256, HS, "{\"sub\":\"bob\"," SUB "," EXP "}", S_HS256, AUTH_MALFORMED},
    {"exp twice", K_HS256, HS, "{\"exp\":1," SUB "," EXP "}", S_HS256, AUTH_MALFORMED},
    {"a claim twice, deeper down", K_HS256, HS, WITH("\"x\":[{\"y\":1,\"y\":2}]"), S_HS256, AUTH_MALFORMED},
    {"a zero character in sub", K_HS256, HS, "{\"sub\":\"alice\\u0000\"," EXP "}", S_HS256, AUTH_MALFORMED},
    {"a lone surrogate", K_HS256, HS, WITH("\"x\":\"\\ud800\""), S_HS256, AUTH_MALFORMED},
    {"exp missing", K_HS256, HS, "{" SUB "}", S_HS256, AUTH_REFUSED},
    {"exp null", K_HS256, HS, "{" SUB ",\"exp\":null}", S_HS256, AUTH_REFUSED},
    {"exp a string", K_HS256, HS, "{" SUB ",\"exp\":\"1700003600\"}", S_HS256, AUTH_REFUSED},
    {"exp a fraction", K_HS256, HS, "{" SUB ",\"exp\":1700003600.5}", S_HS256, AUTH_REFUSED},
    {"exp with .0", K_HS256, HS, "{" SUB ",\"exp\":1700003600.0}", S_HS256, AUTH_REFUSED},
    {"exp with an exponent", K_HS256, HS, "{" SUB ",\"exp\":17e8}", S_HS256, AUTH_REFUSED},
    {"exp true", K_HS256, HS, "{" SUB ",\"exp\":true}", S_HS256, AUTH_REFUSED},
    {"exp in the year 10000", K_HS256, HS, "{" SUB ",\"exp\":253402300800}", S_HS256, AUTH_REFUSED},
    {"exp 2^63-1", K_HS256, HS, "{" SUB ",\"exp\":9223372036854775807}", S_HS256, AUTH_REFUSED},
    {"exp beyond 64 bits", K_HS256, HS, "{" SUB ",\"exp\":99999999999999999999}", S_HS256, AUTH_MALFORMED},
    {"exp negative", K_HS256, HS, "{" SUB ",\"exp\":-1}", S_HS256, AUTH_EXPIRED},
    {"exp -2^63", K_HS256, HS, "{" SUB ",\"exp\":-9223372036854775808}", S_HS256, AUTH_EXPIRED},
    {"exp 0", K_HS256, HS, "{" SUB ",\"exp\":0}", S_HS256, AUTH_EXPIRED},
    {"exp 30 s ago", K_HS256, HS, "{" SUB ",\"exp\":1699999970}", S_HS256, AUTH_EXPIRED},
    {"EXP instead of exp", K_HS256, HS, "{" SUB ",\"EXP\":1700003600}", S_HS256, AUTH_REFUSED},
    {"nbf in 31 s", K_HS256, HS, WITH("\"nbf\":1700000031"), S_HS256, AUTH_NOT_YET_VALID},
    {"nbf 2^63-1", K_HS256, HS, WITH("\"nbf\":9223372036854775807"), S_HS256, AUTH_NOT_YET_VALID},
    {"nbf a string", K_HS256, HS, WITH("\"nbf\":\"0\""), S_HS256, AUTH_REFUSED},
    {"nbf null", K_HS256, HS, WITH("\"nbf\":null"), S_HS256, AUTH_REFUSED},
    {"sub missing", K_HS256, HS, "{" EXP "}", S_HS256, AUTH_REFUSED},
    {"sub empty", K_HS256, HS, "{\"sub\":\"\"," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub a number", K_HS256, HS, "{\"sub\":7," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub null", K_HS256, HS, "{\"sub\":null," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub an array", K_HS256, HS, "{\"sub\":[\"alice\"]," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub with CR LF", K_HS256, HS, "{\"sub\":\"alice\\r\\nX: y\"," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub with a space", K_HS256, HS, "{\"sub\":\"alice \"," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub with a quote", K_HS256, HS, "{\"sub\":\"alice'\"," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub with a slash", K_HS256, HS, "{\"sub\":\"../alice\"," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub in Cyrillic", K_HS256, HS, "{\"sub\":\"\xd0\xb0lice\"," EXP "}", S_HS256, AUTH_REFUSED},
    {"sub with an emoji", K_HS256, HS, "{\"sub\":\"\xf0\x9f\x91\x8b\"," EXP "}", S_HS256, AUTH_REFUSED},
};

START_TEST(every_token_gets_its_own_answer)
{
    check_token(&token_cases[_i], &any_party);
}
END_TEST

static const struct token_case party_cases[] = {
    {"both right", K_HS256, HS, PARTIES("," ISS "," AUD), S_HS256, AUTH_OK},
    {"aud an array with ours", K_HS256, HS, PARTIES("," ISS ",\"aud\":[\"other\",\"herald\"]"), S_HS256,
     AUTH_OK},
    {"iss missing", K_HS256, HS, PARTIES("," AUD), S_HS256, AUTH_WRONG_ISSUER},
    {"iss another", K_HS256, HS, PARTIES(",\"iss\":\"https://evil.example\"," AUD), S_HS256,
     AUTH_WRONG_ISSUER},
    {"iss with more behind", K_HS256, HS, PARTIES(",\"iss\":\"https://login.example.org/\"," AUD), S_HS256,
     AUTH_WRONG_ISSUER},
    {"iss with less", K_HS256, HS, PARTIES(",\"iss\":\"https://login.example\"," AUD), S_HS256,
     AUTH_WRONG_ISSUER},
    {"iss an array", K_HS256, HS, PARTIES(",\"iss\":[\"https://login.example.org\"]," AUD), S_HS256,
     AUTH_WRONG_ISSUER},
    {"aud missing", K_HS256, HS, PARTIES("," ISS), S_HS256, AUTH_WRONG_AUDIENCE},
    {"aud another", K_HS256, HS, PARTIES("," ISS ",\"aud\":\"heralds\""), S_HS256, AUTH_WRONG_AUDIENCE},
    {"aud an array without ours", K_HS256, HS, PARTIES("," ISS ",\"aud\":[\"a\",\"b\"]"), S_HS256,
     AUTH_WRONG_AUDIENCE},
    {"aud an empty array", K_HS256, HS, PARTIES("," ISS ",\"aud\":[]"), S_HS256, AUTH_WRONG_AUDIENCE},
    {"aud an array with a number", K_HS256, HS, PARTIES("," ISS ",\"aud\":[\"herald\",1]"), S_HS256,
     AUTH_WRONG_AUDIENCE},
    {"aud an object", K_HS256, HS, PARTIES("," ISS ",\"aud\":{\"herald\":1}"), S_HS256, AUTH_WRONG_AUDIENCE},
    {"expired is said before issuer", K_HS256, HS, "{" SUB ",\"exp\":1}", S_HS256, AUTH_EXPIRED},
};

START_TEST(issuer_and_audience_are_checked_when_configured)
{
    check_token(&party_cases[_i], &one_party);
}
END_TEST

/* Takes token. */
static void check_raw(const char *name, char *token, size_t len, enum auth_result expected)
{
    struct auth_claims claims;
    enum auth_result result = verify(K_HS256, &any_party, token, len, &claims);
    ck_assert_msg(result == expected, "%s: %s", name, auth_log_word(result));
    auth_claims_clear(&claims);
    free(token);
}

static char *good_token(void)
{
    return make_token(HS, GOOD, S_HS256);
}

/* text with insert put in at offset, which counts from the end if negative. */
static char *insert(char *text, long offset, const char *add)
{
    size_t len = strlen(text);
    size_t at = offset < 0 ? len - (size_t)(-offset - 1) : (size_t)offset;
    char *out = malloc(len + strlen(add) + 1);
    memcpy(out, text, at);
    strcpy(out + at, add);
    strcat(out, text + at);
    free(text);
    return out;
}

static const struct {
    const char *name;
    long offset;
    const char *add;
} insertions[] = {
    {"a dot behind", -1, "."},
    {"a dot before", 0, "."},
    {"a fourth part", -1, ".YQ"},
    {"two dots in the middle", 36, "."},
    {"padding behind", -1, "="},
    {"full padding behind", -1, "=="},
    {"a newline behind", -1, "\n"},
    {"CR LF behind", -1, "\r\n"},
    {"a space behind", -1, " "},
    {"a space before", 0, " "},
    {"a tab inside", 40, "\t"},
    {"a newline inside", 40, "\n"},
    {"a plus", 40, "+"},
    {"a slash", 40, "/"},
    {"a percent escape", 40, "%2E"},
    {"not ASCII", 40, "\xc3\xa9"},
    {"Bearer before", 0, "Bearer "},
    {"quotes", 0, "\""},
    {"two letters more, which no encoding has", -1, "AA"},
};

START_TEST(a_token_with_anything_added_is_malformed)
{
    char *token = insert(good_token(), insertions[_i].offset, insertions[_i].add);
    check_raw(insertions[_i].name, token, strlen(token), AUTH_MALFORMED);
}
END_TEST

START_TEST(what_is_no_token_is_malformed)
{
    static const char *const texts[] = {
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a.b.c",
        "a..c",
        ".b.c",
        "a.b.",
        "null",
        "undefined",
        "{}",
        "dummy-jwt-for-alice",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.e30",
        "eyJhbGciOiJIUzI1NiJ9.e30.",
    };
    for (int i = 0; i < LENGTH(texts); i++) {
        char *copy = strdup(texts[i]);
        check_raw(texts[i], copy, strlen(copy), AUTH_MALFORMED);
    }
}
END_TEST

START_TEST(a_zero_byte_makes_a_token_malformed_wherever_it_stands)
{
    char *probe = good_token();
    size_t len = strlen(probe);
    free(probe);
    for (size_t at = 0; at <= len; at++) {
        char *token = insert(good_token(), (long)at, "_");
        token[at] = '\0';
        check_raw("zero byte", token, len + 1, AUTH_MALFORMED);
    }
}
END_TEST

START_TEST(only_len_bytes_of_a_token_are_read)
{
    char *token = good_token();
    size_t len = strlen(token);
    char *exact = malloc(len); /* no zero behind it: a read beyond is found by ASan and valgrind */
    memcpy(exact, token, len);
    free(token);
    check_raw("without NUL", exact, len, AUTH_OK);
}
END_TEST

START_TEST(spare_bits_at_the_end_of_a_part_are_refused)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *token = good_token();
    char *last = token + strlen(token) - 1;
    size_t value = (size_t)(strchr(alphabet, *last) - alphabet);
    ck_assert_uint_eq(value & 3, 0); /* 32 bytes are 43 letters, two bits left over */
    *last = alphabet[value | 1];
    check_raw("the same bytes, written otherwise", token, strlen(token), AUTH_MALFORMED);
}
END_TEST

/* A rightly signed token of exactly len bytes: padding in a claim and, for the rest, in the header. */
static char *token_of_length(size_t len)
{
    for (int spaces = 0; spaces < 4; spaces++) {
        char header[64];
        snprintf(header, sizeof header, "{\"alg\":\"HS256\"%*s}", spaces, "");
        for (size_t pad = len * 3 / 4 - 110; pad < len; pad++) {
            char *payload = malloc(pad + 128);
            char *filler = malloc(pad + 1);
            memset(filler, 'x', pad);
            filler[pad] = '\0';
            sprintf(payload, "{" SUB "," EXP ",\"pad\":\"%s\"}", filler);
            char *token = make_token(header, payload, S_HS256);
            size_t got = strlen(token);
            free(payload);
            free(filler);
            if (got == len)
                return token;
            free(token);
            if (got > len)
                break;
        }
    }
    ck_abort_msg("no token of %zu bytes", len);
    return NULL;
}

START_TEST(a_token_may_have_8192_bytes_and_no_more)
{
    static const struct {
        size_t len;
        enum auth_result expected;
    } cases[] = {
        {5000, AUTH_OK},        {8191, AUTH_OK},        {8192, AUTH_OK},         {8193, AUTH_MALFORMED},
        {8194, AUTH_MALFORMED}, {9000, AUTH_MALFORMED}, {65536, AUTH_MALFORMED}, {8 << 20, AUTH_MALFORMED},
    };
    for (int i = 0; i < LENGTH(cases); i++)
        check_raw("length", token_of_length(cases[i].len), cases[i].len, cases[i].expected);
}
END_TEST

START_TEST(deep_nesting_ends_in_an_answer)
{
    static const struct {
        int depth;
        enum auth_result expected;
    } cases[] = {{500, AUTH_OK}, {2500, AUTH_MALFORMED}};
    for (int i = 0; i < LENGTH(cases); i++) {
        char payload[8192] = "{" SUB "," EXP ",\"x\":";
        size_t start = strlen(payload);
        size_t depth = (size_t)cases[i].depth;
        memset(payload + start, '[', depth);
        memset(payload + start + depth, ']', depth);
        strcpy(payload + start + 2 * depth, "}");
        char *token = make_token(HS, payload, S_HS256);
        check_raw("depth", token, strlen(token), cases[i].expected);
    }
}
END_TEST

/* Whatever single letter is altered, the token is refused: header, payload and signature. */
static void check_alterations(enum key_set set, char *token, size_t step)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    struct auth_claims claims;
    size_t len = strlen(token);
    for (size_t at = 0; at < len; at++) {
        char old = token[at];
        for (size_t i = at % step; i < strlen(alphabet); i += step) {
            token[at] = alphabet[i];
            enum auth_result result = verify(set, &any_party, token, len, &claims);
            ck_assert_msg((result == AUTH_OK) == (token[at] == old), "letter %zu: %c for %c", at, token[at],
                          old);
            auth_claims_clear(&claims);
        }
        token[at] = old;
    }
    free(token);
}

START_TEST(no_letter_of_a_token_can_be_altered)
{
    check_alterations(K_HS256, good_token(), 1);
    check_alterations(K_RS256, make_token(RS, GOOD, S_RS256), 13);
    check_alterations(K_ES256, make_token(ES, GOOD, S_ES256), 31);
}
END_TEST

START_TEST(no_token_can_be_cut_short)
{
    struct auth_claims claims;
    char *token = good_token();
    for (size_t len = 0; len < strlen(token); len++)
        ck_assert_int_ne(verify(K_HS256, &any_party, token, len, &claims), AUTH_OK);
    free(token);
}
END_TEST

START_TEST(a_subject_may_have_128_bytes_and_no_more)
{
    for (int len = 127; len <= 129; len++) {
        char payload[256];
        struct auth_claims claims;
        snprintf(payload, sizeof payload, "{\"sub\":\"%0*d\"," EXP "}", len, 7);
        char *token = make_token(HS, payload, S_HS256);
        enum auth_result result = verify(K_HS256, &any_party, token, strlen(token), &claims);
        ck_assert_int_eq(result, len <= 128 ? AUTH_OK : AUTH_REFUSED);
        ck_assert_uint_eq(strlen(claims.subject), len <= 128 ? (size_t)len : 0);
        auth_claims_clear(&claims);
        free(token);
    }
}
END_TEST

START_TEST(claims_of_an_accepted_token_are_handed_out)
{
    struct auth_claims claims;
    char *token = make_token(
        HS, "{ \"sub\" : \"alice\", \"exp\":1700003600, \"role\":\"\xc3\xa4\\n\", \"big\":1e-400 }", S_HS256);
    ck_assert_int_eq(verify(K_HS256, &any_party, token, strlen(token), &claims), AUTH_OK);
    ck_assert_str_eq(claims.subject, "alice");
    ck_assert(!claims.by_username);
    ck_assert(!claims.can_write);
    ck_assert_int_eq(claims.expires_s, 1700003600);
    ck_assert_str_eq(claims.claims_json,
                     "{\"sub\":\"alice\",\"exp\":1700003600,\"role\":\"\xc3\xa4\\n\",\"big\":0.0}");
    auth_claims_clear(&claims);
    ck_assert_ptr_null(claims.claims_json);
    ck_assert_str_eq(claims.subject, "");
    free(token);
}
END_TEST

static const struct {
    const char *scope;
    bool can_write;
} scopes[] = {
    {"\"notifications:write\"", true},
    {"\"openid notifications:write\"", true},
    {"\"notifications:write profile\"", true},
    {"\"a notifications:write b\"", true},
    {"\"\"", false},
    {"\" \"", false},
    {"\"notifications:read\"", false},
    {"\"notifications:writer\"", false},
    {"\"xnotifications:write\"", false},
    {"\"notifications:write,openid\"", false},
    {"\"Notifications:Write\"", false},
    {"\"notifications:write\\n\"", false},
    {"[\"notifications:write\"]", false},
    {"{\"notifications:write\":true}", false},
    {"true", false},
    {"null", false},
};

START_TEST(only_the_whole_scope_word_allows_writing)
{
    char payload[256];
    struct auth_claims claims;
    snprintf(payload, sizeof payload, WITH("\"scope\":%s"), scopes[_i].scope);
    char *token = make_token(HS, payload, S_HS256);
    ck_assert_int_eq(verify(K_HS256, &any_party, token, strlen(token), &claims), AUTH_OK);
    ck_assert_msg(claims.can_write == scopes[_i].can_write, "%s", scopes[_i].scope);
    auth_claims_clear(&claims);
    free(token);
}
END_TEST

static const struct {
    const char *token;
    size_t len; /* 0: strlen */
    bool good;
} dev_cases[] = {
    {"dummy-jwt-for-ashumba", 0, true},
    {"dummy-jwt-for-a.b_c@d-1", 0, true},
    {"dummy-jwt-for-x", 0, true},
    {"dummy-jwt-for-0123456789012345678901234567890123456789012345678901234567890123", 0, true},
    {"dummy-jwt-for-01234567890123456789012345678901234567890123456789012345678901234", 0, false},
    {"dummy-jwt-for-", 0, false},
    {"dummy-jwt-for", 0, false},
    {"dummy-jwt-for-alice ", 0, false},
    {"dummy-jwt-for-al ice", 0, false},
    {" dummy-jwt-for-alice", 0, false},
    {"Dummy-jwt-for-alice", 0, false},
    {"dummy-jwt-for-alice\n", 0, false},
    {"dummy-jwt-for-alice\0", 20, false},
    {"dummy-jwt-for-alice\"", 0, false},
    {"dummy-jwt-for-alice\\", 0, false},
    {"dummy-jwt-for-al:ice", 0, false},
    {"dummy-jwt-for-{username}", 0, false},
    {"dummy-jwt-for-\xc3\xa9", 0, false},
    {"dummy-jwt-for-a'; drop table", 0, false},
    {"alice", 0, false},
    {"", 0, false},
};

START_TEST(development_tokens_name_a_user_and_nothing_else)
{
    struct auth_claims claims;
    char expected[128];
    const char *token = dev_cases[_i].token;
    size_t len = dev_cases[_i].len ? dev_cases[_i].len : strlen(token);
    enum auth_result result = auth_verify_dev(token, len, &claims);
    ck_assert_msg((result == AUTH_OK) == dev_cases[_i].good, "%s", token);
    if (result != AUTH_OK) {
        ck_assert_int_eq(auth_close_code(result), 4000);
        ck_assert_ptr_null(claims.claims_json);
        return;
    }
    snprintf(expected, sizeof expected, "{\"username\":\"%s\"}", token + strlen(AUTH_DEV_PREFIX));
    ck_assert_str_eq(claims.claims_json, expected);
    ck_assert_str_eq(claims.subject, token + strlen(AUTH_DEV_PREFIX));
    ck_assert(claims.by_username);
    ck_assert(claims.can_write);
    ck_assert_int_eq(claims.expires_s, 0);
    auth_claims_clear(&claims);
}
END_TEST

START_TEST(a_development_token_is_nothing_where_keys_are_used)
{
    struct auth_claims claims;
    const char *token = "dummy-jwt-for-alice";
    ck_assert_int_eq(verify(K_HS256, &any_party, token, strlen(token), &claims), AUTH_MALFORMED);
}
END_TEST

START_TEST(close_codes_and_reasons_follow_the_protocol)
{
    ck_assert_int_eq(auth_close_code(AUTH_OK), 0);
    ck_assert_int_eq(auth_close_code(AUTH_MALFORMED), 4000);
    for (int result = AUTH_BAD_SIGNATURE; result <= AUTH_REFUSED; result++)
        ck_assert_int_eq(auth_close_code((enum auth_result)result), 4001);
    for (int result = AUTH_OK; result <= AUTH_REFUSED; result++) {
        ck_assert_uint_gt(strlen(auth_reason((enum auth_result)result)), 0);
        ck_assert_uint_le(strlen(auth_reason((enum auth_result)result)), 123); /* RFC 6455 section 5.5 */
        ck_assert_ptr_null(strchr(auth_log_word((enum auth_result)result), ' '));
    }
}
END_TEST

/* Bytes of all kinds, most of them near a token: nothing may crash, nothing may be accepted. */
START_TEST(noise_is_never_a_token)
{
    struct auth_claims claims;
    uint64_t seed = 88172645463325252ULL;
    for (int round = 0; round < 20000; round++) {
        char *token = good_token();
        size_t len = strlen(token);
        for (int change = 0; change < 1 + round % 7; change++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            size_t at = (size_t)(seed >> 8) % len;
            token[at] = (char)(token[at] ^ (1 << (seed & 7)));
        }
        char *good = good_token();
        bool same = memcmp(good, token, len) == 0;
        enum auth_result result = verify(K_HS256, &any_party, token, len, &claims);
        ck_assert_int_eq(result == AUTH_OK, same);
        auth_claims_clear(&claims);
        free(good);
        free(token);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("tokens");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, make_keys, free_keys);
    tcase_add_loop_test(tcase, every_token_gets_its_own_answer, 0, LENGTH(token_cases));
    tcase_add_loop_test(tcase, issuer_and_audience_are_checked_when_configured, 0, LENGTH(party_cases));
    tcase_add_loop_test(tcase, a_token_with_anything_added_is_malformed, 0, LENGTH(insertions));
    tcase_add_test(tcase, what_is_no_token_is_malformed);
    tcase_add_test(tcase, a_zero_byte_makes_a_token_malformed_wherever_it_stands);
    tcase_add_test(tcase, only_len_bytes_of_a_token_are_read);
    tcase_add_test(tcase, spare_bits_at_the_end_of_a_part_are_refused);
    tcase_add_test(tcase, a_token_may_have_8192_bytes_and_no_more);
    tcase_add_test(tcase, deep_nesting_ends_in_an_answer);
    tcase_add_test(tcase, no_letter_of_a_token_can_be_altered);
    tcase_add_test(tcase, no_token_can_be_cut_short);
    tcase_add_test(tcase, a_subject_may_have_128_bytes_and_no_more);
    tcase_add_test(tcase, claims_of_an_accepted_token_are_handed_out);
    tcase_add_loop_test(tcase, only_the_whole_scope_word_allows_writing, 0, LENGTH(scopes));
    tcase_add_loop_test(tcase, development_tokens_name_a_user_and_nothing_else, 0, LENGTH(dev_cases));
    tcase_add_test(tcase, a_development_token_is_nothing_where_keys_are_used);
    tcase_add_test(tcase, close_codes_and_reasons_follow_the_protocol);
    tcase_add_test(tcase, noise_is_never_a_token);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
