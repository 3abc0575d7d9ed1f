/* `pgherald doctor`: what an operator gets wrong, looked for one thing after the other. In: a
 * configuration. Out: one line for each check, with the code and the remedy of errors.c where
 * something is wrong. It writes nothing but what any relay's start does. Blocking. */
#ifndef PGHERALD_DOCTOR_H
#define PGHERALD_DOCTOR_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"
#include "findings.h"

/* What a check stands on; each level has the ones before it. */
enum doctor_need {
    DOCTOR_NEEDS_NOTHING,
    DOCTOR_NEEDS_SERVER,  /* connected */
    DOCTOR_NEEDS_PRIMARY, /* that takes writes */
    DOCTOR_NEEDS_SCHEMA,  /* as new as the program, which may be read */
};

struct doctor {
    struct findings findings;
    const struct config *config;
    PGconn *db;           /* NULL: not connected */
    enum doctor_need has; /* raised by checks that pass */
    bool pooled;          /* a transaction pooler was proven */
};

struct doctor_check {
    const char *name;
    enum doctor_need need;
    void (*run)(struct doctor *doctor); /* says exactly one line */
};

/* True: nothing has failed (there may be warnings). */
bool doctor_run(const struct config *config, FILE *out);

/* The checks of each file, ended by a NULL name. */
extern const struct doctor_check doctor_local_checks[], doctor_database_checks[], doctor_feed_checks[];

/* How far two clocks are apart for certain, of which one was read during round_trip_ms and is ahead_ms
 * ahead of the middle of that time. Pure. */
int64_t doctor_clock_distance_ms(int64_t ahead_ms, int64_t round_trip_ms);

#endif
