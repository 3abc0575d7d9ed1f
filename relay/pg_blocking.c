/* Connects, asks, waits; see pg_blocking.h. */
#include "pg_blocking.h"

#include <poll.h>
#include <stdio.h>

#include "clock.h"
#include "memory.h"

static const char begin_sql[] = "begin; set local statement_timeout = '10s'; set local lock_timeout = '5s'; "
                                "set local search_path = pg_catalog, pg_temp";

static void ignore_notice(void *unused, const PGresult *notice)
{
    (void)unused, (void)notice;
}

/* False: not until then. */
static bool wait_for_socket(const PGconn *db, PostgresPollingStatusType wanted, uint64_t deadline_ms)
{
    struct pollfd socket = {.fd = PQsocket(db), .events = wanted == PGRES_POLLING_WRITING ? POLLOUT : POLLIN};
    uint64_t now_ms = clock_now_ms();
    return now_ms < deadline_ms && poll(&socket, 1, (int)(deadline_ms - now_ms)) > 0;
}

PGconn *pg_blocking_connect(const char *database_url, const char *name, const char **code,
                            char why[LINK_WHY_SIZE])
{
    const char *const names[] = {"client_encoding", "fallback_application_name", "tcp_user_timeout", "dbname",
                                 NULL};
    const char *const values[] = {"UTF8", name, "12000", database_url, NULL};
    const uint64_t deadline_ms = clock_now_ms() + LINK_CONNECT_MS;
    PGconn *db = PQconnectStartParams(names, values, 1);
    if (!db)
        memory_exhausted(0);
    PQsetNoticeReceiver(db, ignore_notice, NULL);
    PQsetErrorVerbosity(db, PQERRORS_VERBOSE); /* for the SQLSTATE of a refusal */
    PostgresPollingStatusType next =
        PQstatus(db) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (next == PGRES_POLLING_WRITING || next == PGRES_POLLING_READING) {
        if (!wait_for_socket(db, next, deadline_ms)) {
            snprintf(why, LINK_WHY_SIZE, "the server does not answer: no connection within %d s",
                     LINK_CONNECT_MS / 1000);
            *code = link_error_code("");
            PQfinish(db);
            return NULL;
        }
        next = PQconnectPoll(db);
    }
    if (next == PGRES_POLLING_OK) {
        PQsetErrorVerbosity(db, PQERRORS_DEFAULT);
        return db;
    }
    *code = link_error_code(link_refusal_state(PQerrorMessage(db)));
    link_one_line("", PQerrorMessage(db), why);
    PQfinish(db);
    return NULL;
}

PGresult *pg_blocking_ask(PGconn *db, bool keep, const char *sql, int count, const char *const values[])
{
    PQclear(PQexec(db, begin_sql));
    PGresult *result = PQexecParams(db, sql, count, NULL, values, NULL, NULL, 0);
    PGresult *end = PQexec(db, keep ? "commit" : "rollback");
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQresultStatus(end) != PGRES_COMMAND_OK) {
        PQclear(result);
        return end;
    }
    PQclear(end);
    return result;
}

const char *pg_blocking_explain(PGconn *db, const PGresult *result, char why[LINK_WHY_SIZE])
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    link_one_line("", message ? message : PQerrorMessage(db), why);
    return link_error_code(state ? state : "");
}
