/* `pgherald trace` asks every process what it knows of a user: the question comes by the feed, as a message
 * to an address that no user has, so whoever answers it has handed on all that was committed before. The
 * answer goes back through the desk. No delivery is recorded for it. */
#ifndef PGHERALD_TRACE_H
#define PGHERALD_TRACE_H

#include "change.h"

struct relay;

enum { TRACE_SESSIONS_MAX = 100 /* told of a user; further ones are counted */ };

/* A message for nobody here, and its body: answered if it is a question. */
void trace_take(struct relay *relay, const struct change *message, struct text body);

#endif
