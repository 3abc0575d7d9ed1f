#include "writer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "fail.h"
#include "loop.h"

enum { SQL_BYTES = 1024 };

struct writer {
    struct watch watch;
    PGconn *conn;
    unsigned busy;
    bool blocked; /* libpq has bytes that the socket did not take */
    void (*on_return)(void *context);
    void *context;
};

static PGconn *connect_database(const struct options *options)
{
    PGconn *conn = PQconnectdb(options->database);
    if (PQstatus(conn) != CONNECTION_OK)
        fail("database", PQerrorMessage(conn));
    return conn;
}

static void prepare(struct writer *writer, const struct options *options)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof(sql),
             "insert into %s (user_id, title, message) "
             "select 'bench' || u, 'bench:' || u || ':' || n, repeat('x', %u) "
             "from (select n, n * %d %% %u as u from generate_series($1::bigint, $2::bigint) n) rows",
             options->table, options->bytes, WRITER_STEP, options->users);
    PGresult *result = PQprepare(writer->conn, "insert", sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail("prepare", PQerrorMessage(writer->conn));
    PQclear(result);
    result = PQexec(writer->conn, "set plan_cache_mode = force_generic_plan");
    PQclear(result);
}

static void flush(struct writer *writer)
{
    int left = PQflush(writer->conn);
    if (left < 0)
        fail("insert", PQerrorMessage(writer->conn));
    bool blocked = left > 0;
    if (blocked != writer->blocked)
        loop_change(&writer->watch, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    writer->blocked = blocked;
}

static void take_results(struct writer *writer)
{
    while (writer->busy && !PQisBusy(writer->conn)) {
        PGresult *result = PQgetResult(writer->conn);
        ExecStatusType status = PQresultStatus(result);
        if (result && status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC)
            fail("insert", PQerrorMessage(writer->conn));
        PQclear(result);
        if (status != PGRES_PIPELINE_SYNC)
            continue;
        writer->busy--;
        if (writer->on_return)
            writer->on_return(writer->context);
    }
}

static void writer_ready(struct watch *watch, uint32_t events)
{
    struct writer *writer = (struct writer *)watch;
    if (events & EPOLLOUT)
        flush(writer);
    if (!PQconsumeInput(writer->conn))
        fail("insert", PQerrorMessage(writer->conn));
    take_results(writer);
}

struct writer *writer_new(const struct options *options)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        fail("writer", "no memory");
    writer->conn = connect_database(options);
    prepare(writer, options);
    if (PQsetnonblocking(writer->conn, 1) != 0 || !PQenterPipelineMode(writer->conn))
        fail("pipeline", PQerrorMessage(writer->conn));
    writer->watch = (struct watch){.ready = writer_ready, .fd = PQsocket(writer->conn)};
    loop_add(&writer->watch, EPOLLIN);
    return writer;
}

unsigned writer_user(const struct options *options, uint64_t row)
{
    return (unsigned)(row * WRITER_STEP % options->users);
}

void writer_insert(struct writer *writer, uint64_t first, unsigned count)
{
    char from[24], to[24];
    const char *values[] = {from, to};
    snprintf(from, sizeof(from), "%llu", (unsigned long long)first);
    snprintf(to, sizeof(to), "%llu", (unsigned long long)(first + count - 1));
    if (!PQsendQueryPrepared(writer->conn, "insert", 2, values, NULL, NULL, 0) || !PQpipelineSync(writer->conn))
        fail("insert", PQerrorMessage(writer->conn));
    writer->busy++;
    flush(writer);
}

void writer_on_return(struct writer *writer, void (*on_return)(void *context), void *context)
{
    writer->on_return = on_return;
    writer->context = context;
}

unsigned writer_busy(const struct writer *writer)
{
    return writer->busy;
}

void writer_free(struct writer *writer)
{
    loop_remove(&writer->watch);
    PQfinish(writer->conn);
    free(writer);
}

double writer_query(const struct options *options, const char *sql)
{
    PGconn *conn = connect_database(options);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail(sql, PQerrorMessage(conn));
    double value = PQntuples(result) ? strtod(PQgetvalue(result, 0, 0), NULL) : 0;
    PQclear(result);
    PQfinish(conn);
    return value;
}
