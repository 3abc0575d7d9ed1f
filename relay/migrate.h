/* Brings the schema of a database up to date from the SQL files inside the
 * binary. In: a connection as the schema's owner. Out: rows in
 * herald.migrations. Each file is one transaction under one advisory lock, so
 * any number of migrators may run at once. Blocking; the relay never calls it. */
#ifndef PGHERALD_MIGRATE_H
#define PGHERALD_MIGRATE_H

#include "embedded.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* MIGRATE_WAIT_S: how long writers' transactions are waited for, unless told otherwise. */
enum {
    MIGRATE_WAIT_S = 60,
    MIGRATE_ERROR_BYTES = 1024,
    MIGRATE_CHECKSUM_BYTES = 65,
    MIGRATE_NAME_BYTES = 80
};

enum migrate_state {
    MIGRATE_APPLIED,
    MIGRATE_PENDING,
    MIGRATE_CHANGED, /* applied, but from a file that had another text */
    MIGRATE_UNKNOWN, /* applied by a newer program: no file of that id here */
};

/* A row of herald.migrations. */
struct migrate_row {
    int id;
    char name[MIGRATE_NAME_BYTES];
    char checksum[MIGRATE_CHECKSUM_BYTES]; /* "" is SQL null: applied by psql -f */
    char applied_at[40];
};

/* One migration as the files and the database together tell it. */
struct migrate_step {
    int id;
    char name[MIGRATE_NAME_BYTES];         /* file name without .sql */
    char checksum[MIGRATE_CHECKSUM_BYTES]; /* of the file, sha256 in hex; "" when unknown */
    char applied_at[40];                   /* "" when pending */
    enum migrate_state state;
    bool adopt;                       /* applied without a checksum, which is to be filled in */
    const struct embedded_file *file; /* borrowed; NULL when unknown */
};

/* The id a file name begins with ("0001_core.sql" → 1); 0 when it is not a
 * migration's name. */
int migrate_file_id(const char *file_name);

/* The newest id this binary knows; 0 without migrations. */
int migrate_newest_id(void);

/* Merges files (ended by a NULL name) and rows into *steps, by id. Returns the
 * number of steps, or -1 without memory. The caller frees *steps. */
int migrate_compare(const struct embedded_file *files, const struct migrate_row *rows, size_t row_count,
                    struct migrate_step **steps);

/* Applies what is pending, re-stamps rows that a restore has brought from another
 * cluster, and says so on progress (NULL: silent). A table in use is asked for
 * again and again for wait_s seconds (0: once); in between its writers go on.
 * False: error tells why and what to do; every file is applied completely or not
 * at all. */
bool migrate_apply(PGconn *db, int wait_s, FILE *progress, char error[MIGRATE_ERROR_BYTES]);

/* Prints a table of all migrations to out, and whether rows have to be re-stamped;
 * sets *up_to_date. */
bool migrate_status(PGconn *db, FILE *out, bool *up_to_date, char error[MIGRATE_ERROR_BYTES]);

#endif
