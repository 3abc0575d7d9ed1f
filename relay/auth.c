/* A token in, its claims or the reason for refusing it out. Everything in a token is hostile until
 * its signature is verified, and its header is hostile even then: it may only ever refuse, the
 * algorithm used is the key's own. The order of the checks is part of the contract. */
#include "auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base64url.h"
#include "memory.h"

struct span {
    const char *text;
    size_t len;
};

/* RFC 7515 section 7.1: header.payload.signature */
struct parts {
    struct span header;
    struct span payload;
    struct span signature;
    struct span signed_text; /* header.payload */
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_made_of(const char *text, size_t len, const char *others)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(text[i]) && (text[i] == '\0' || !strchr(others, text[i])))
            return false;
    }
    return true;
}

/* Exactly three parts, none empty. */
static bool split(const char *token, size_t len, struct parts *parts)
{
    const char *end = token + len;
    const char *first = memchr(token, '.', len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    parts->header = (struct span){token, (size_t)(first - token)};
    parts->payload = (struct span){first + 1, (size_t)(second - first - 1)};
    parts->signature = (struct span){second + 1, (size_t)(end - second - 1)};
    parts->signed_text = (struct span){token, (size_t)(second - token)};
    return parts->header.len > 0 && parts->payload.len > 0 && parts->signature.len > 0;
}

/* The JSON object in a part, without duplicate members at any depth; NULL if it is not that. */
static json_t *decode_object(struct span part)
{
    unsigned char json[BASE64URL_DECODED_BYTES(AUTH_TOKEN_MAX_BYTES)];
    size_t size = 0;
    if (!base64url_decode(part.text, part.len, json, &size))
        return NULL;
    json_t *value = json_loadb((const char *)json, size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

/* The key that must have signed a token with this header, and nothing else may. */
static enum auth_result choose_key(const struct jwt_keys *keys, const json_t *header,
                                   const struct jwt_key **key)
{
    const json_t *name = json_object_get(header, "alg");
    const json_t *kid = json_object_get(header, "kid");
    enum token_alg alg;
    if (!json_is_string(name) || !token_alg_parse(json_string_value(name), json_string_length(name), &alg) ||
        !jwt_keys_have_alg(keys, alg))
        return AUTH_REFUSED;
    if (json_object_get(header, "crit")) /* RFC 7515 section 4.1.11: no extension is understood here */
        return AUTH_REFUSED;
    if (kid && !json_is_string(kid))
        return AUTH_REFUSED;
    *key = jwt_keys_find(keys, kid ? json_string_value(kid) : NULL);
    return *key && jwt_key_alg(*key) == alg ? AUTH_OK : AUTH_REFUSED;
}

static enum auth_result verify_signature(const struct jwt_key *key, const struct parts *parts)
{
    unsigned char sig[BASE64URL_DECODED_BYTES(AUTH_TOKEN_MAX_BYTES)];
    size_t size = 0;
    if (!base64url_decode(parts->signature.text, parts->signature.len, sig, &size))
        return AUTH_MALFORMED;
    if (!jwt_key_verify(key, parts->signed_text.text, parts->signed_text.len, sig, size))
        return AUTH_BAD_SIGNATURE;
    return AUTH_OK;
}

static enum auth_result check_header(const struct jwt_keys *keys, const struct parts *parts)
{
    const struct jwt_key *key = NULL;
    json_t *header = decode_object(parts->header);
    if (!header)
        return AUTH_MALFORMED;
    enum auth_result result = choose_key(keys, header, &key);
    if (result == AUTH_OK)
        result = verify_signature(key, parts);
    json_decref(header);
    return result;
}

static enum auth_result check_times(const json_t *payload, int64_t now_s, int64_t *expires_s)
{
    const json_t *exp = json_object_get(payload, "exp");
    const json_t *nbf = json_object_get(payload, "nbf");
    if (!json_is_integer(exp) || json_integer_value(exp) > AUTH_EXPIRY_MAX_S)
        return AUTH_REFUSED;
    if (json_integer_value(exp) <= now_s - AUTH_SKEW_S)
        return AUTH_EXPIRED;
    if (nbf && !json_is_integer(nbf))
        return AUTH_REFUSED;
    if (nbf && json_integer_value(nbf) > now_s + AUTH_SKEW_S)
        return AUTH_NOT_YET_VALID;
    *expires_s = json_integer_value(exp);
    return AUTH_OK;
}

static bool is_text(const json_t *value, const char *wanted)
{
    return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
           memcmp(json_string_value(value), wanted, strlen(wanted)) == 0;
}

/* RFC 7519 section 4.1.3: a string or an array of strings. */
static bool is_audience(const json_t *aud, const char *wanted)
{
    bool found = is_text(aud, wanted);
    size_t i;
    const json_t *item;
    json_array_foreach(aud, i, item)
    {
        if (!json_is_string(item))
            return false;
        found = found || is_text(item, wanted);
    }
    return found;
}

static enum auth_result check_parties(const json_t *payload, const struct auth_rules *rules)
{
    if (rules->issuer && !is_text(json_object_get(payload, "iss"), rules->issuer))
        return AUTH_WRONG_ISSUER;
    if (rules->audience && !is_audience(json_object_get(payload, "aud"), rules->audience))
        return AUTH_WRONG_AUDIENCE;
    return AUTH_OK;
}

bool auth_is_subject(const char *text, size_t len)
{
    return len > 0 && len <= AUTH_SUBJECT_MAX_BYTES && is_made_of(text, len, "._@:-");
}

static bool copy_subject(const json_t *sub, struct auth_claims *claims)
{
    size_t len = json_string_length(sub);
    if (!auth_is_subject(json_string_value(sub), len))
        return false;
    memcpy(claims->subject, json_string_value(sub), len + 1);
    return true;
}

/* RFC 8693 section 4.2: words with one space between. */
static bool has_scope(const json_t *scope, const char *wanted)
{
    const char *at = json_is_string(scope) ? json_string_value(scope) : "";
    size_t wanted_len = strlen(wanted);
    while (*at) {
        size_t len = strcspn(at, " ");
        if (len == wanted_len && memcmp(at, wanted, len) == 0)
            return true;
        at += len + (at[len] == ' ');
    }
    return false;
}

static enum auth_result check_payload(const json_t *payload, const struct auth_rules *rules, int64_t now_s,
                                      struct auth_claims *claims)
{
    enum auth_result result = check_times(payload, now_s, &claims->expires_s);
    if (result == AUTH_OK)
        result = check_parties(payload, rules);
    if (result != AUTH_OK)
        return result;
    if (!copy_subject(json_object_get(payload, "sub"), claims))
        return AUTH_REFUSED;
    claims->can_write = has_scope(json_object_get(payload, "scope"), AUTH_WRITE_SCOPE);
    /* Written anew, not copied: only what jansson holds reaches PostgreSQL, which reads all of it. */
    claims->claims_json = json_dumps(payload, JSON_COMPACT);
    return claims->claims_json ? AUTH_OK : AUTH_REFUSED;
}

enum auth_result auth_verify(const struct jwt_keys *keys, const struct auth_rules *rules, const char *token,
                             size_t len, int64_t now_s, struct auth_claims *claims)
{
    struct parts parts;
    *claims = (struct auth_claims){0};
    if (len == 0 || len > AUTH_TOKEN_MAX_BYTES || !is_made_of(token, len, "-_.") ||
        !split(token, len, &parts))
        return AUTH_MALFORMED;

    enum auth_result result = check_header(keys, &parts);
    if (result != AUTH_OK)
        return result;

    json_t *payload = decode_object(parts.payload);
    result = payload ? check_payload(payload, rules, now_s, claims) : AUTH_MALFORMED;
    json_decref(payload);
    if (result != AUTH_OK)
        auth_claims_clear(claims);
    return result;
}

enum auth_result auth_verify_dev(const char *token, size_t len, struct auth_claims *claims)
{
    char json[AUTH_SUBJECT_MAX_BYTES + 32];
    size_t prefix = strlen(AUTH_DEV_PREFIX);
    *claims = (struct auth_claims){0};
    if (len <= prefix || len > prefix + AUTH_USERNAME_MAX_BYTES ||
        memcmp(token, AUTH_DEV_PREFIX, prefix) != 0 || !is_made_of(token + prefix, len - prefix, "._@-"))
        return AUTH_MALFORMED;

    memcpy(claims->subject, token + prefix, len - prefix); /* ends in NUL: claims was zero */
    claims->by_username = true;
    claims->can_write = true;
    snprintf(json, sizeof json, "{\"username\":\"%s\"}", claims->subject); /* nothing in it needs escaping */
    claims->claims_json = memory_copy_text(json);
    return AUTH_OK;
}

void auth_claims_clear(struct auth_claims *claims)
{
    free(claims->claims_json);
    *claims = (struct auth_claims){0};
}

int auth_close_code(enum auth_result result)
{
    if (result == AUTH_OK)
        return 0;
    return result == AUTH_MALFORMED ? 4000 : 4001;
}

static const struct {
    const char *reason;
    const char *log_word;
} result_texts[] = {
    [AUTH_OK] = {"ok", "ok"},
    [AUTH_MALFORMED] = {"malformed token", "malformed_token"},
    [AUTH_BAD_SIGNATURE] = {"bad signature", "bad_signature"},
    [AUTH_EXPIRED] = {"token expired", "token_expired"},
    [AUTH_NOT_YET_VALID] = {"token not yet valid", "token_not_yet_valid"},
    [AUTH_WRONG_ISSUER] = {"wrong issuer", "wrong_issuer"},
    [AUTH_WRONG_AUDIENCE] = {"wrong audience", "wrong_audience"},
    [AUTH_REFUSED] = {"token refused", "token_refused"},
};

const char *auth_reason(enum auth_result result)
{
    return result_texts[result].reason;
}

const char *auth_log_word(enum auth_result result)
{
    return result_texts[result].log_word;
}
