/* One blocking connection to PostgreSQL, for commands that ask and end; the relay never calls this. */
#ifndef PGHERALD_PG_BLOCKING_H
#define PGHERALD_PG_BLOCKING_H

#include "pg_link.h"

/* NULL: not connected within 10 s; then *code is errors.h's name for it, and why has no password. name is the
 * application_name. database_url as in struct config. */
PGconn *pg_blocking_connect(const char *database_url, const char *name, const char **code,
                            char why[LINK_WHY_SIZE]);

/* The statement as a transaction of its own; what is set for it ends with it, since
 * through a pooler it would stay behind in somebody else's connection. keep: commit, otherwise it is rolled
 * back. values are text, count of them. The caller clears the result. NULL: nothing has come for 12 s (the
 * server itself gives up after 10 s), or the connection was cut then. */
PGresult *pg_blocking_ask(PGconn *db, bool keep, const char *sql, int count, const char *const values[]);

/* What is wrong with a result, or with the connection, and the name for it. */
const char *pg_blocking_explain(PGconn *db, const PGresult *result, char why[LINK_WHY_SIZE]);

#endif
