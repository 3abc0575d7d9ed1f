/* The table of problems; see problem.h. */
#include "problem.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    int status;
    const char *title; /* RFC 9110 §15: what "about:blank" means (RFC 9457 §4.2.1) */
    const char *code;
    const char *detail;
    const char *challenge;
} problem_table[PROBLEMS] = {
    [PROBLEM_BAD_REQUEST] = {400, "Bad Request", "bad_request", "the request is ambiguous", NULL},
    [PROBLEM_BAD_JSON] = {400, "Bad Request", "bad_json",
                          "the body must be one JSON object in UTF-8, not too deep, without repeated names, NUL "
                          "characters, half surrogates and numbers out of range", NULL},
    [PROBLEM_BAD_FIELD] = {400, "Bad Request", "bad_field", "a value has the wrong type or is out of range", NULL},
    [PROBLEM_NO_TOKEN] = {401, "Unauthorized", "no_token", "authenticate with Authorization: Bearer", "Bearer"},
    [PROBLEM_TOKEN] = {401, "Unauthorized", "token_refused", "token refused", "Bearer error=\"invalid_token\""},
    [PROBLEM_NO_USER] = {403, "Forbidden", "unknown_user", "the token's user is unknown or disabled", NULL},
    [PROBLEM_SCOPE] = {403, "Forbidden", "insufficient_scope", "to notify others needs the scope notifications:write",
                       "Bearer error=\"insufficient_scope\", scope=\"notifications:write\""},
    [PROBLEM_ORIGIN] = {403, "Forbidden", "origin_not_allowed", "origin not allowed", NULL},
    [PROBLEM_NOT_FOUND] = {404, "Not Found", "not_found", "there is no such resource", NULL},
    [PROBLEM_METHOD] = {405, "Method Not Allowed", "method_not_allowed", "Allow has the methods of this resource", NULL},
    [PROBLEM_KEY_IN_USE] = {409, "Conflict", "key_in_use", "a request with this Idempotency-Key is under way", NULL},
    [PROBLEM_GONE] = {410, "Gone", "gone", "this request was carried out, and its notification is no more", NULL},
    [PROBLEM_LENGTH] = {411, "Length Required", "length_required", "a body needs a Content-Length", NULL},
    [PROBLEM_TOO_LARGE] = {413, "Content Too Large", "too_large", "the body is over HERALD_MAX_MESSAGE_BYTES", NULL},
    [PROBLEM_TYPE] = {415, "Unsupported Media Type", "unsupported_type", "the body must be application/json, not encoded",
                      NULL},
    [PROBLEM_EXPECTATION] = {417, "Expectation Failed", "expectation_failed", "only 100-continue can be expected", NULL},
    [PROBLEM_KEY_REUSED] = {422, "Unprocessable Content", "key_reused",
                            "another request has used this Idempotency-Key", NULL},
    [PROBLEM_RATE] = {429, "Too Many Requests", "rate_limited", "too many requests", NULL},
    [PROBLEM_BUSY] = {429, "Too Many Requests", "too_many_at_once", "too many requests of this user at once", NULL},
    [PROBLEM_ADDRESS_FULL] = {429, "Too Many Requests", "address_full", "too many connections from this address", NULL},
    [PROBLEM_AUTH_FAILURES] = {429, "Too Many Requests", "auth_failures",
                               "too many failed logins from this address", NULL},
    [PROBLEM_INTERNAL] = {500, "Internal Server Error", "internal", "the request failed", NULL},
    [PROBLEM_CAPACITY] = {503, "Service Unavailable", "at_capacity", "at capacity", NULL},
    [PROBLEM_UNAVAILABLE] = {503, "Service Unavailable", "unavailable", "the database is unavailable", NULL},
    [PROBLEM_DISCONNECTED] = {403, "Forbidden", "disconnected", "disconnected by the application", NULL},
    [PROBLEM_TABS] = {429, "Too Many Requests", "too_many_tabs", "too many connections of this user", NULL},
};

int problem_status(enum problem problem)
{
    return problem_table[problem].status;
}

const char *problem_title(enum problem problem)
{
    return problem_table[problem].title;
}

const char *problem_code(enum problem problem)
{
    return problem_table[problem].code;
}

const char *problem_challenge(enum problem problem)
{
    return problem_table[problem].challenge;
}

size_t problem_json(enum problem problem, const char *detail, int64_t retry_after_ms, int close_code,
                    char out[PROBLEM_JSON_SIZE])
{
    char retry[48] = "", close[48] = "";
    if (close_code)
        snprintf(close, sizeof(close), ",\"close_code\":%d", close_code);
    if (retry_after_ms)
        snprintf(retry, sizeof(retry), ",\"retry_after_ms\":%" PRId64, retry_after_ms);
    int size = snprintf(out, PROBLEM_JSON_SIZE,
                        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\",\"code\":\"%s\"%s%s}",
                        problem_table[problem].title, problem_table[problem].status,
                        detail ? detail : problem_table[problem].detail, problem_table[problem].code, retry, close);
    return (size_t)size;
}
