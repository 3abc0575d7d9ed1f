/* Why a request of the HTTP API, or for a stream, is refused: each with its status, the word a program reads and
 * what a person reads; and the RFC 9457 document that says so. Pure. */
#ifndef PGHERALD_PROBLEM_H
#define PGHERALD_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

enum problem {
    PROBLEM_BAD_REQUEST,
    PROBLEM_BAD_JSON,
    PROBLEM_BAD_FIELD,
    PROBLEM_NO_TOKEN,
    PROBLEM_TOKEN,
    PROBLEM_NO_USER,
    PROBLEM_SCOPE,
    PROBLEM_ORIGIN,
    PROBLEM_NOT_FOUND,
    PROBLEM_METHOD,
    PROBLEM_KEY_IN_USE,
    PROBLEM_GONE,
    PROBLEM_LENGTH,
    PROBLEM_TOO_LARGE,
    PROBLEM_TYPE,
    PROBLEM_EXPECTATION,
    PROBLEM_KEY_REUSED,
    PROBLEM_RATE,
    PROBLEM_BUSY,
    PROBLEM_ADDRESS_FULL,
    PROBLEM_AUTH_FAILURES,
    PROBLEM_INTERNAL,
    PROBLEM_CAPACITY,
    PROBLEM_UNAVAILABLE,
    PROBLEMS_OF_API,
    PROBLEM_DISCONNECTED = PROBLEMS_OF_API, /* this and those behind it: of streams only */
    PROBLEM_TABS,
    PROBLEMS
};

enum { PROBLEM_JSON_SIZE = 512 };

int problem_status(enum problem problem);
const char *problem_title(enum problem problem);
const char *problem_code(enum problem problem);
/* The value of WWW-Authenticate (RFC 6750 §3); NULL: none. */
const char *problem_challenge(enum problem problem);
/* Writes the document and returns its bytes. detail is plain text of ours, never the client's; NULL: what there is to
 * say of this problem in general. retry_after_ms and close_code (of a WebSocket in the place of a stream): 0 for none. */
size_t problem_json(enum problem problem, const char *detail, int64_t retry_after_ms, int close_code,
                    char out[PROBLEM_JSON_SIZE]);

#endif
