/* What one process has counted since it began. Whoever sees a thing happen raises its number;
 * the log and whoever else reports them walk the one table of names. */
#ifndef PGHERALD_COUNTERS_H
#define PGHERALD_COUNTERS_H

#include <stdint.h>

#include "login.h"
#include "refusal.h"
#include "session.h"

enum limited_message { LIMITED_BY_CONNECTION, LIMITED_BY_USER, LIMITED_BY_ADDRESS, LIMITED_MESSAGES };
enum lookup { LOOKUP_KNOWN, LOOKUP_ASKED, LOOKUP_STATEMENTS, LOOKUPS }; /* of the users of tokens */
enum dropped_socket { DROPPED_OUT_OF_FILES, DROPPED_PROXY_HEADER, DROPPED_SOCKETS };

struct counters {
    uint64_t sessions_closed[END_REASONS];
    uint64_t handshakes_refused[REFUSALS];
    uint64_t logins[LOGIN_RESULTS];
    uint64_t lookups[LOOKUPS];
    uint64_t messages_limited[LIMITED_MESSAGES]; /* answered rate_limited; the one that closes is not among them */
    uint64_t sockets_dropped[DROPPED_SOCKETS];   /* closed without a word */
};

/* A handshake, or a request for a stream, was refused: counts it and logs it, with what the client is told. */
void counters_refused(struct counters *counters, enum refusal refusal, const char *reason);

/* One counter: a family and the word within it. */
typedef void counters_visit(void *context, const char *family, const char *word, uint64_t value);

/* Visits all, those that are zero too, always in the same order. */
void counters_each(const struct counters *counters, counters_visit *visit, void *context);
/* One event with those that are not zero, each as family_word. */
void counters_log(const struct counters *counters);

#endif
