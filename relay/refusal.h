/* Why a request is refused before it becomes a session: each with its HTTP status, what the peer
 * is told and the word of its counter. Pure. */
#ifndef PGHERALD_REFUSAL_H
#define PGHERALD_REFUSAL_H

enum refusal {
    REFUSAL_BAD_REQUEST,
    REFUSAL_NOT_WEBSOCKET,
    REFUSAL_NO_TOKEN,
    REFUSAL_TOKEN, /* auth_reason() says why */
    REFUSAL_NO_USER,
    REFUSAL_ORIGIN,
    REFUSAL_NOT_FOUND,
    REFUSAL_METHOD,
    REFUSAL_TOO_LATE,
    REFUSAL_TOO_LARGE,
    REFUSAL_ADDRESS_FULL,
    REFUSAL_AUTH_FAILURES,
    REFUSAL_CAPACITY,
    REFUSAL_UNAVAILABLE,
    REFUSALS
};

int refusal_status(enum refusal refusal);
const char *refusal_phrase(enum refusal refusal); /* RFC 9110 §15 */
const char *refusal_fields(enum refusal refusal); /* further lines of the response's head, or "" */
const char *refusal_reason(enum refusal refusal); /* says which, never more */
const char *refusal_word(int refusal);            /* with its status, for counters: "404_not_found" */

#endif
