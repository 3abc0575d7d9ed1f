/* What the load generator can do; tests/bench/run says with which servers and numbers. Each prints its figures. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "options.h"

/* Connections that only stay: memory and CPU of the servers. */
void mode_idle(const struct options *options);
/* Rows to connected users, at a rate or a few transactions at a time: how soon they come and what they cost. */
void mode_deliver(const struct options *options);
/* Each client marks one notification after another as read. `seed` makes them, before the server starts. */
void mode_mark_seed(const struct options *options);
void mode_mark(const struct options *options);
/* From connect() to `connected`: all stay, or each is replaced by the next. */
void mode_connect(const struct options *options);
void mode_churn(const struct options *options);
/* All clients are away while rows are written, then all come back at once. */
void mode_resume(const struct options *options);
/* Some of a user's tabs stop reading. */
void mode_slow(const struct options *options);

#endif
