/* Connects, asks, waits; see pg_blocking.h. */
#include "pg_blocking.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "clock.h"
#include "memory.h"

enum { ANSWER_MS = 12000 /* the server itself gives a statement up after 10 s */ };

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
    *code = link_refusal_code(PQerrorMessage(db));
    link_one_line("", PQerrorMessage(db), why);
    PQfinish(db);
    return NULL;
}

static void cut(PGconn *db)
{
    PGresult *rest;
    shutdown(PQsocket(db), SHUT_RDWR);
    while ((rest = PQgetResult(db)))
        PQclear(rest);
}

/* The last result of what was sent. NULL: the server does not answer; then the connection is cut, so that
 * nobody waits for it again. */
static PGresult *wait_for_result(PGconn *db)
{
    const uint64_t deadline_ms = clock_now_ms() + ANSWER_MS;
    PGresult *last = NULL, *next;
    for (;;) {
        while (PQisBusy(db)) {
            if (!wait_for_socket(db, PGRES_POLLING_READING, deadline_ms)) {
                PQclear(last);
                cut(db);
                return NULL;
            }
            if (!PQconsumeInput(db))
                break; /* PQgetResult() says why */
        }
        if (!(next = PQgetResult(db)))
            return last;
        PQclear(last);
        last = next;
    }
}

static PGresult *run(PGconn *db, const char *sql)
{
    return PQsendQuery(db, sql) ? wait_for_result(db) : NULL;
}

PGresult *pg_blocking_ask(PGconn *db, bool keep, const char *sql, int count, const char *const values[])
{
    PGresult *begun = run(db, begin_sql);
    if (!begun)
        return NULL;
    PQclear(begun);
    PGresult *result =
        PQsendQueryParams(db, sql, count, NULL, values, NULL, NULL, 0) ? wait_for_result(db) : NULL;
    PGresult *end = run(db, keep ? "commit" : "rollback");
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
    if (!message)
        message = result ? PQerrorMessage(db) : "the database does not answer";
    link_one_line("", message, why);
    return link_error_code(state ? state : "");
}
