/* The application of a run: inserts notifications, one statement a transaction, in libpq's pipeline mode, so that the
 * next may be sent before the last one has returned. Row n is of user n * WRITER_STEP modulo the number of users: each
 * user's turn comes once in that many rows, and its nth row is row / users. */
#ifndef BENCH_WRITER_H
#define BENCH_WRITER_H

#include <libpq-fe.h>
#include <stdint.h>

#include "options.h"

enum { WRITER_STEP = 7919 };

struct writer;

struct writer *writer_new(const struct options *options);
unsigned writer_user(const struct options *options, uint64_t row);
/* Sends the insert of `count` rows from `first` on. on_return, if any, is called when PostgreSQL has committed it. */
void writer_insert(struct writer *writer, uint64_t first, unsigned count);
void writer_on_return(struct writer *writer, void (*on_return)(void *context), void *context);
/* Statements that have not returned. */
unsigned writer_busy(const struct writer *writer);
void writer_free(struct writer *writer);

/* Runs one statement now, before or after the measured part; returns the first column of its first row as a number. */
double writer_query(const struct options *options, const char *sql);

#endif
