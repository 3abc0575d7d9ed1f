/* The table of refusals; see refusal.h. */
#include "refusal.h"

static const struct {
    int status;
    const char *phrase;
    const char *fields;
    const char *reason;
    const char *word;
} refusal_table[REFUSALS] = {
    [REFUSAL_BAD_REQUEST] = {400, "Bad Request", "", "bad request", "400_bad_request"},
    [REFUSAL_NOT_WEBSOCKET] = {400, "Bad Request", "",
                               "no WebSocket handshake; does a proxy pass on Upgrade and Connection?",
                               "400_not_websocket"},
    [REFUSAL_NO_TOKEN] = {403, "Forbidden", "", "authenticate first", "403_no_token"},
    [REFUSAL_TOKEN] = {403, "Forbidden", "", "token refused", "403_token"},
    [REFUSAL_NO_USER] = {403, "Forbidden", "", "unknown user", "403_unknown_user"},
    [REFUSAL_ORIGIN] = {403, "Forbidden", "", "origin not allowed", "403_origin"},
    [REFUSAL_NOT_FOUND] = {404, "Not Found", "", "not found", "404_not_found"},
    [REFUSAL_METHOD] = {405, "Method Not Allowed", "Allow: GET, HEAD\r\n", "method not allowed",
                        "405_method_not_allowed"},
    [REFUSAL_TOO_LATE] = {408, "Request Timeout", "", "no request in time", "408_too_late"},
    [REFUSAL_ADDRESS_FULL] = {429, "Too Many Requests", "Retry-After: 1\r\n",
                              "too many connections from this address", "429_address_full"},
    /* A second brings at least one more attempt: HERALD_AUTH_FAILURES_PER_IP begins at 1/s. */
    [REFUSAL_AUTH_FAILURES] = {429, "Too Many Requests", "Retry-After: 1\r\n",
                               "too many failed logins from this address", "429_auth_failures"},
    [REFUSAL_TOO_LARGE] = {431, "Request Header Fields Too Large", "", "request head too large",
                           "431_too_large"},
    [REFUSAL_CAPACITY] = {503, "Service Unavailable", "Retry-After: 1\r\n", "at capacity",
                          "503_at_capacity"},
    [REFUSAL_UNAVAILABLE] = {503, "Service Unavailable", "Retry-After: 1\r\n", "database unavailable",
                             "503_database_unavailable"},
};

int refusal_status(enum refusal refusal)
{
    return refusal_table[refusal].status;
}

const char *refusal_phrase(enum refusal refusal)
{
    return refusal_table[refusal].phrase;
}

const char *refusal_fields(enum refusal refusal)
{
    return refusal_table[refusal].fields;
}

const char *refusal_reason(enum refusal refusal)
{
    return refusal_table[refusal].reason;
}

const char *refusal_word(int refusal)
{
    return refusal_table[refusal].word;
}
