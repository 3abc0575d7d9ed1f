/* Tokens. The first byte says what the others are: a token, or header and payload (a zero byte between) that
 * are signed here with the right secret. Whatever is accepted was signed with that very key, by the algorithm
 * the header names, and has the claims that the rules ask for. */
#include "fuzz.h"

#include <jansson.h>

#include "auth.h"
#include "token_keys.h"
#include "token_maker.h"

enum { NOW_S = 1700000000, KEY_SETS = 4 };
enum { SET_HMAC, SET_RSA, SET_EC, SET_ALL };

static struct jwt_keys *key_sets[KEY_SETS];
static const struct auth_rules rules = {"issuer", "herald"}, no_rules;

static void load(int set, enum token_alg alg, const char *text)
{
    char error[JWT_KEYS_ERROR_BYTES];
    bool good = jwt_keys_parse(&key_sets[set], alg, text, strlen(text), "a key", error);
    assert(good);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    load(SET_HMAC, TOKEN_ALG_HS256, SECRET);
    load(SET_RSA, TOKEN_ALG_RS256, rsa_pem);
    load(SET_EC, TOKEN_ALG_ES256, ec_pem);
    load(SET_ALL, TOKEN_ALG_HS256, key_set);
    return 0;
}

/* ---- what must hold of a token that was accepted ---- */

static bool same_signed_text(const char *token, size_t size, const char *known)
{
    size_t signed_size = (size_t)(strrchr(known, '.') - known);
    return size > signed_size && memcmp(token, known, signed_size + 1) == 0;
}

static bool hmac_fits(const char *token, size_t size)
{
    char *copy = zero_terminated(token, size);
    char *dot = strrchr(copy, '.');
    *dot = '\0';
    struct maker_bytes mac = maker_hmac(EVP_sha256(), SECRET, strlen(SECRET), copy);
    char *expected = maker_base64url(mac.data, mac.size);
    bool fits = strcmp(expected, dot + 1) == 0;
    free(expected);
    free(mac.data);
    free(copy);
    return fits;
}

static void assert_signed(int set, const char *token, size_t size)
{
    bool hmac = hmac_fits(token, size), rsa = same_signed_text(token, size, rsa_token);
    bool ec = same_signed_text(token, size, ec_token);
    switch (set) {
    case SET_HMAC:
        assert(hmac);
        return;
    case SET_RSA:
        assert(rsa);
        return;
    case SET_EC:
        assert(ec);
        return;
    default:
        assert(hmac || rsa || ec);
    }
}

static bool audience_fits(const json_t *audience)
{
    bool found = json_is_string(audience) && strcmp(json_string_value(audience), rules.audience) == 0;
    for (size_t i = 0; i < json_array_size(audience); i++) {
        const char *one = json_string_value(json_array_get(audience, i));
        found = found || (one && strcmp(one, rules.audience) == 0);
    }
    return found;
}

static void assert_claims(const struct auth_claims *claims, bool ruled)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:-";
    json_t *payload = json_loads(claims->claims_json, JSON_REJECT_DUPLICATES, NULL);
    assert(json_is_object(payload));
    const char *subject = json_string_value(json_object_get(payload, "sub"));
    assert(strcmp(claims->subject, subject) == 0 && !claims->by_username);
    assert(*subject && strlen(subject) <= AUTH_SUBJECT_MAX_BYTES &&
           strspn(subject, allowed) == strlen(subject));

    const json_t *expires = json_object_get(payload, "exp"), *from = json_object_get(payload, "nbf");
    assert(json_is_integer(expires) && json_integer_value(expires) == claims->expires_s);
    assert(claims->expires_s > NOW_S - AUTH_SKEW_S && claims->expires_s <= AUTH_EXPIRY_MAX_S);
    assert(!from || (json_is_integer(from) && json_integer_value(from) <= NOW_S + AUTH_SKEW_S));
    if (ruled) {
        assert(strcmp(json_string_value(json_object_get(payload, "iss")), rules.issuer) == 0);
        assert(audience_fits(json_object_get(payload, "aud")));
    }
    const char *scope = json_string_value(json_object_get(payload, "scope"));
    assert(!claims->can_write || strstr(scope, AUTH_WRITE_SCOPE));
    json_decref(payload);
}

static enum auth_result check(int set, bool ruled, const char *token, size_t size)
{
    static const struct auth_claims none;
    struct auth_claims claims;
    memset(&claims, 0x5a, sizeof(claims));
    enum auth_result result =
        auth_verify(key_sets[set], ruled ? &rules : &no_rules, token, size, NOW_S, &claims);
    if (result != AUTH_OK) {
        assert(memcmp(&claims, &none, sizeof(claims)) == 0);
        return result;
    }
    assert(size <= AUTH_TOKEN_MAX_BYTES);
    assert_signed(set, token, size);
    assert_claims(&claims, ruled);
    auth_claims_clear(&claims);
    return result;
}

/* ---- the inputs ---- */

static void check_everywhere(const char *token, size_t size)
{
    static const size_t prefix = sizeof(AUTH_DEV_PREFIX) - 1;
    for (int set = 0; set < KEY_SETS; set++) {
        enum auth_result ruled = check(set, true, token, size);
        enum auth_result free_of_rules = check(set, false, token, size);
        assert(ruled != AUTH_OK || free_of_rules == AUTH_OK);
    }
    struct auth_claims claims;
    if (auth_verify_dev(token, size, &claims) != AUTH_OK)
        return;
    assert(claims.by_username && claims.expires_s == 0);
    assert(strlen(claims.subject) == size - prefix &&
           memcmp(claims.subject, token + prefix, size - prefix) == 0);
    auth_claims_clear(&claims);
}

/* Other headers than those of HS256 are refused, although the signature fits. */
static void assert_header(const char *bytes, size_t size)
{
    json_t *header = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    assert(strcmp(json_string_value(json_object_get(header, "alg")), "HS256") == 0);
    assert(!json_object_get(header, "crit"));
    json_decref(header);
}

static void check_signed(const char *bytes, size_t size)
{
    const char *zero = memchr(bytes, '\0', size);
    size_t header_size = zero ? (size_t)(zero - bytes) : size;
    size_t payload_size = zero ? size - header_size - 1 : 0;
    char *header = maker_base64url(bytes, header_size);
    char *payload = maker_base64url(bytes + size - payload_size, payload_size);
    char *signed_text = malloc(strlen(header) + strlen(payload) + 2);
    sprintf(signed_text, "%s.%s", header, payload);
    char *token = maker_join(signed_text, maker_hmac(EVP_sha256(), SECRET, strlen(SECRET), signed_text));
    check_everywhere(token, strlen(token));
    if (check(SET_HMAC, false, token, strlen(token)) == AUTH_OK)
        assert_header(bytes, header_size);
    assert(check(SET_RSA, false, token, strlen(token)) != AUTH_OK);
    assert(check(SET_EC, false, token, strlen(token)) != AUTH_OK);
    free(header);
    free(payload);
    free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    bool is_token = input_byte(&input) == 't';
    if (is_token)
        check_everywhere((const char *)input.at, input.left);
    else
        check_signed((const char *)input.at, input.left);
    return 0;
}
