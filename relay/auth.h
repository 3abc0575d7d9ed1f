/* Tokens: bytes in, verified claims or a reason out. No I/O, no clock, no globals.
 * Whether the user exists is the database's answer (herald.resolve_user), not ours. */
#ifndef PGHERALD_AUTH_H
#define PGHERALD_AUTH_H

#include "jwt_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_TOKEN_MAX_BYTES 8192
#define AUTH_SUBJECT_MAX_BYTES 128
#define AUTH_USERNAME_MAX_BYTES 64
#define AUTH_SKEW_S 30                   /* how far the issuer's clock may be off */
#define AUTH_EXPIRY_MAX_S 253402300799LL /* 9999-12-31T23:59:59Z: what RFC 3339 can say */
#define AUTH_DEV_PREFIX "dummy-jwt-for-"
#define AUTH_WRITE_SCOPE "notifications:write"

enum auth_result {
    AUTH_OK,
    AUTH_MALFORMED, /* not a token at all; the only one that closes with 4000 */
    AUTH_BAD_SIGNATURE,
    AUTH_EXPIRED,
    AUTH_NOT_YET_VALID,
    AUTH_WRONG_ISSUER,
    AUTH_WRONG_AUDIENCE,
    AUTH_REFUSED /* algorithm, key, crit, no integer exp, subject */
};

struct auth_rules {
    const char *issuer;   /* NULL: any */
    const char *audience; /* NULL: any */
};

struct auth_claims {
    char subject[AUTH_SUBJECT_MAX_BYTES + 1]; /* sub, or the user name of a development token */
    bool by_username;
    bool can_write;    /* may notify other users: scope notifications:write */
    int64_t expires_s; /* Unix time of exp as the token has it; 0: never (development) */
    char *claims_json; /* owned; compact JSON object for herald.resolve_user */
};

/* Both fill claims only on AUTH_OK, and then the caller ends with auth_claims_clear(); otherwise
 * claims is all zero. token need not end in NUL. A token is still good until exp + AUTH_SKEW_S. */
enum auth_result auth_verify(const struct jwt_keys *keys, const struct auth_rules *rules, const char *token,
                             size_t len, int64_t now_s, struct auth_claims *claims);

/* dummy-jwt-for-{username}, username [A-Za-z0-9._@-]{1,64}. It proves nothing, so it may do
 * everything: can_write is true. Only for HERALD_AUTH=dev. */
enum auth_result auth_verify_dev(const char *token, size_t len, struct auth_claims *claims);

/* True if text can be a token's sub: [A-Za-z0-9._@:-]{1,128}. */
bool auth_is_subject(const char *text, size_t len);

void auth_claims_clear(struct auth_claims *claims);

int auth_close_code(enum auth_result result);       /* 4000 or 4001; 0 for AUTH_OK */
const char *auth_reason(enum auth_result result);   /* the close reason, e.g. "token expired" */
const char *auth_log_word(enum auth_result result); /* for the log, e.g. "token_expired" */

#endif
