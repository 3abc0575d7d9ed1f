#include "database.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "tabs.h"

enum { MARKS_MAX = 20000 };

const char database_listener, database_writer;

static PGconn *listener, *writer;
static char *ids, *names; /* two array literals under construction */
static size_t ids_size, names_size;
static unsigned marks;
static char sending; /* an UPDATE is under way */

static PGconn *connect_one(const char *conninfo, const char *sql, int epoll_fd, const char *data)
{
    PGconn *conn = PQconnectdb(conninfo);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)data};
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "bare: %s", PQerrorMessage(conn));
        exit(EXIT_FAILURE);
    }
    PQclear(result);
    PQsetnonblocking(conn, 1);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, PQsocket(conn), &event);
    return conn;
}

void database_start(const char *conninfo, int epoll_fd)
{
    listener = connect_one(conninfo, "listen bare", epoll_fd, &database_listener);
    writer = connect_one(conninfo,
                         "prepare mark as update bare.notifications n set read_at = coalesce(read_at, now()) "
                         "from unnest($1::uuid[], $2::text[]) m (id, user_id) "
                         "where n.id = m.id and n.user_id = m.user_id returning n.user_id, "
                         "'{\"type\":\"notification_updated\",\"notification_id\":\"' || n.id || '\",\"success\":true,"
                         "\"notification\":' || row_to_json(n) || '}'",
                         epoll_fd, &database_writer);
    ids = malloc(MARKS_MAX * ID_BYTES + 3);
    names = malloc(MARKS_MAX * (USER_BYTES + 1) + 3);
    if (!ids || !names)
        abort();
}

static void check(PGconn *conn)
{
    if (PQconsumeInput(conn))
        return;
    fprintf(stderr, "bare: %s", PQerrorMessage(conn));
    exit(EXIT_FAILURE);
}

/* A payload is the user's id, a space, and the finished message. */
void database_hear(void)
{
    check(listener);
    for (PGnotify *heard; (heard = PQnotifies(listener)); PQfreemem(heard)) {
        char *space = strchr(heard->extra, ' ');
        if (!space)
            continue;
        *space = '\0';
        tabs_tell(heard->extra, space + 1, strlen(space + 1));
    }
}

void database_take(void)
{
    check(writer);
    while (sending && !PQisBusy(writer)) {
        PGresult *result = PQgetResult(writer);
        if (!result)
            sending = 0;
        for (int i = 0; i < PQntuples(result); i++)
            tabs_tell(PQgetvalue(result, i, 0), PQgetvalue(result, i, 1), (size_t)PQgetlength(result, i, 1));
        PQclear(result);
    }
}

void database_mark(const char *user, const char *id, size_t id_size)
{
    if (marks == MARKS_MAX)
        return;
    char separator = marks++ ? ',' : '{';
    ids_size += (size_t)sprintf(ids + ids_size, "%c%.*s", separator, (int)id_size, id);
    names_size += (size_t)sprintf(names + names_size, "%c%s", separator, user);
}

void database_send(void)
{
    const char *values[] = {ids, names};
    if (sending || !marks)
        return;
    memcpy(ids + ids_size, "}", 2);
    memcpy(names + names_size, "}", 2);
    if (!PQsendQueryPrepared(writer, "mark", 2, values, NULL, NULL, 0) || PQflush(writer) < 0)
        check(writer);
    sending = 1;
    marks = 0;
    ids_size = names_size = 0;
}
