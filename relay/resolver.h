/* Whose are a token's claims? Questions of one turn of the loop share a statement, each
 * distinct claims asked once; answers are remembered for RESOLVER_KNOWN_MS, unless the
 * feed says before that users have changed. Askers are answered by id, never by pointer. */
#ifndef PGHERALD_RESOLVER_H
#define PGHERALD_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

struct relay;
struct ask;
struct known;

enum {
    RESOLVER_KNOWN_MS = 5000,
    RESOLVER_KNOWN_BYTES = 4 * 1024 * 1024, /* of all that is remembered; the oldest goes first */
    RESOLVER_BATCH_MAX = 1000,              /* claims a statement */
    RESOLVER_BATCH_BYTES = 256 * 1024,
};

enum resolver_result {
    RESOLVER_FOUND,
    RESOLVER_NOBODY,      /* no such user, or a disabled one */
    RESOLVER_UNAVAILABLE, /* the database did not answer, or the application's function raised an error */
};

/* user_id is borrowed, and empty unless it was FOUND. context is the asker's own. */
typedef void resolver_done(struct relay *relay, uint64_t asker, void *context, enum resolver_result result,
                           struct text user_id);

struct resolver {
    struct ask *asks;   /* uthash by claims, oldest first: to be asked */
    struct known *known; /* uthash by claims, oldest first: answers that were a user */
    size_t known_bytes;
    uint64_t forgotten; /* how often; an answer to a question of before is asked for again */
    bool in_flight;
};

/* Copies the claims (compact JSON). The answer comes at the end of a turn of the loop, never from within. */
void resolver_want(struct resolver *resolver, const char *claims_json, uint64_t asker, void *context,
                   resolver_done *done);
/* Users have changed: nothing that was read before counts for a login any more. */
void resolver_forget(struct resolver *resolver);
void resolver_flush(struct relay *relay);         /* at the end of a loop turn */
void resolver_stop(struct resolver *resolver);    /* drops all; whoever has asked must be gone */

#endif
