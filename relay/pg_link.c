/* Asynchronous connections; see pg_link.h. libpq and libuv meet here only. */
#include "pg_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"

enum {
    SAY_AGAIN_MS = 60000, /* the same reason is logged so often, */
    SAY_OTHER_MS = 5000,  /* and another one */
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* ---- what is wrong, and what to do ---- */

struct cause {
    const char *state, *code, *remedy;
};

static const struct cause causes[] = {
    {"28P01", "password_refused", "check user and password: "},
    {"28000", "login_refused", "check user and pg_hba.conf: "},
    {"3D000", "no_database", "check the database's name: "},
    {"3F000", "schema_missing", "run `pgherald migrate` (schema missing): "},
    {"42883", "schema_missing", "run `pgherald migrate` (function missing): "},
    {"42P01", "schema_missing", "run `pgherald migrate` (table missing): "},
    {"42501", "privileges_missing", "grant the relay's role herald_relay, and CONNECT: "},
    {"25006", "not_primary", "connect to the primary (read-only): "},
    {"53100", "disk_full", "free disk space: "},
    {"53200", "server_memory", "give the server memory: "},
    {"53300", "too_many_connections", "raise max_connections or close others: "},
    {"57P03", "server_starting", "wait for the server to start: "},
};

enum { CAUSES = sizeof(causes) / sizeof(*causes) };

/* What libpq finds itself has no SQLSTATE. */
static const struct cause unreachable = {"", "database_unreachable", ""}, unnamed = {"", "database_error", ""},
                          no_password = {"", "password_refused", "give a password: "},
                          no_tls = {"", "tls_refused", "check sslmode, sslrootcert and the host's name: "};

static const struct cause *cause_of(const char *sqlstate)
{
    for (size_t i = 0; i < CAUSES; i++)
        if (strncmp(sqlstate, causes[i].state, 5) == 0)
            return &causes[i];
    return *sqlstate ? &unnamed : &unreachable;
}

const char *link_error_code(const char *sqlstate)
{
    return cause_of(sqlstate)->code;
}

static bool has_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strstr(text, *words))
            return true;
    return false;
}

/* libpq says these in English, as no locale is set; each has a space, which no host's name has. The text may be of
 * several hosts: what a server has said comes before what libpq says of one, and that before another's silence. */
static const struct cause *cause_of_refusal(const char *text)
{
    static const char *const password[] = {"no password supplied", NULL};
    static const char *const tls[] = {"server does not support SSL", "SSL error: ", "response to SSL negotiation",
                                      "SSL connection: ", "SSL context", "verified SSL connection",
                                      "server certificate for ", "certificate file ", "private key file ", NULL};
    static const char *const standby[] = {"session is read-only", "server is in hot standby mode", NULL};
    const char *state = link_refusal_state(text);
    if (*state)
        return cause_of(state);
    if (has_one_of(text, password))
        return &no_password;
    if (has_one_of(text, tls))
        return &no_tls;
    return has_one_of(text, standby) ? cause_of("25006") : &unreachable;
}

const char *link_refusal_code(const char *text)
{
    return cause_of_refusal(text)->code;
}

/* libpq's errors end in a newline and may have several lines, one for each host. Those that say where in the
 * server's source an error arose are of no use here. */
void link_one_line(const char *before, const char *why, char out[LINK_WHY_SIZE])
{
    size_t size = (size_t)snprintf(out, LINK_WHY_SIZE, "%s", before);
    for (const char *line = why; *line && size < LINK_WHY_SIZE - 1; line += strspn(line, "\n")) {
        int length = (int)strcspn(line, "\n");
        if (strncmp(line, "LOCATION:", 9) != 0)
            size += (size_t)snprintf(out + size, LINK_WHY_SIZE - size, "%s%.*s", line == why ? "" : " ",
                                     length, line);
        line += length;
    }
}

/* The SQLSTATE in the text of a refused connection, "FATAL:  53300: sorry, …", which libpq gives in no other
 * way;
 * "" without one. */
const char *link_refusal_state(const char *text)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *at = text; (at = strstr(at, ":  ")); at += 3)
        if (strspn(at + 3, digits) == 5 && at[8] == ':')
            return at + 3;
    return "";
}

void link_explain(const PGresult *result, char why[LINK_WHY_SIZE])
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!message)
        message = PQresultErrorMessage(result);
    snprintf(why, LINK_WHY_SIZE, "%s%s", state ? cause_of(state)->remedy : "", message);
}

/* A database that is away for an hour must not fill the log. What had worked is said always. */
static bool worth_a_line(struct pg_link *link, bool worked)
{
    uint64_t now_ms = clock_now_ms(), silent_ms = now_ms - link->said_at_ms;
    bool other = strcmp(link->why, link->said) != 0;
    if (link->said[0] && !worked && silent_ms < (other ? SAY_OTHER_MS : SAY_AGAIN_MS))
        return false;
    link->said_at_ms = now_ms;
    memcpy(link->said, link->why, sizeof(link->said));
    return true;
}

/* ---- the socket ---- */

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void unwatch(struct pg_link *link)
{
    if (!link->poll)
        return;
    uv_poll_stop(link->poll);
    uv_close((uv_handle_t *)link->poll, on_poll_closed);
    link->poll = NULL;
}

static void watch(struct pg_link *link, int events)
{
    if (!link->poll) {
        link->poll = memory_zero(sizeof(*link->poll));
        if (uv_poll_init_socket(link->loop, link->poll, PQsocket(link->conn)) != 0)
            abort(); /* a socket that libpq has just opened */
        link->poll->data = link;
    }
    uv_poll_start(link->poll, events, on_poll);
}

static void disconnect(struct pg_link *link)
{
    unwatch(link); /* before libpq closes the socket under it */
    PQfinish(link->conn);
    link->conn = NULL;
}

/* libpq reads a port only when it connects. */
static bool port_is_number(const PQconninfoOption *option)
{
    return strcmp(option->keyword, "port") != 0 || !option->val ||
           strspn(option->val, "0123456789,") == strlen(option->val);
}

bool link_check_url(const char *database_url, char why[LINK_WHY_SIZE])
{
    if (!database_url)
        return true;
    char *error = NULL; /* may quote the URL */
    PQconninfoOption *options = PQconninfoParse(database_url, &error);
    bool good = options != NULL;
    if (!good && (!error || strncmp(error, "out of memory", 13) == 0))
        memory_exhausted(0);
    PQfreemem(error);
    snprintf(why, LINK_WHY_SIZE, "not a connection URL or keyword string of libpq "
                                 "(postgresql://user@host:5432/database, or host=… dbname=…)");
    for (const PQconninfoOption *option = options; good && option->keyword; option++) {
        good = port_is_number(option);
        if (!good)
            snprintf(why, LINK_WHY_SIZE, "the port must be a number");
    }
    PQconninfoFree(options);
    return good;
}

static void link_connect(struct pg_link *link);

static void on_retry(uv_timer_t *timer)
{
    link_connect(timer->data);
}

static uint64_t backoff_ms(unsigned attempts)
{
    uint64_t full_ms = LINK_RETRY_LAST_MS;
    if (attempts < 5)
        full_ms = (uint64_t)LINK_RETRY_FIRST_MS << attempts;
    return full_ms / 2 + (uint64_t)random() % (full_ms / 2);
}

static void restart(struct pg_link *link, const struct cause *cause, const char *why)
{
    if (link->state == LINK_CLOSED || link->state == LINK_DOWN)
        return;
    enum link_state was = link->state;
    link_one_line(cause->remedy, *why ? why : "connection lost", link->why);
    disconnect(link);
    link->state = LINK_DOWN;
    bool worked = was == LINK_UP && link->attempts == 0;
    uint64_t wait_ms = backoff_ms(link->attempts++);
    if (worth_a_line(link, worked))
        log_warn(was == LINK_UP ? "database_lost" : cause->code, LOG_STR("link", link->name),
                 LOG_STR("why", link->why), LOG_INT("attempts", link->attempts),
                 LOG_INT("retry_ms", wait_ms));
    uv_timer_start(&link->timer, on_retry, wait_ms, 0);
    link->to.down(link->to.owner, link->why);
}

void link_restart(struct pg_link *link, const char *why)
{
    restart(link, &unreachable, why);
}

void link_restart_for(struct pg_link *link, const PGresult *result)
{
    char why[LINK_WHY_SIZE];
    link_explain(result, why);
    restart(link, &unreachable, why);
}

static void refused(struct pg_link *link)
{
    const char *why = PQerrorMessage(link->conn);
    restart(link, cause_of_refusal(why), why);
}

/* "a,b,c" becomes "b,c,a". */
static void rotate(char *list)
{
    char *comma = list ? strchr(list, ',') : NULL;
    if (!comma)
        return;
    size_t first = (size_t)(comma - list), rest = strlen(comma + 1);
    char *copy = memory_copy(list, first);
    memmove(list, comma + 1, rest);
    list[rest] = ',';
    memcpy(list + rest + 1, copy, first);
    free(copy);
}

static void keep_text(char **kept, const char *text)
{
    free(*kept);
    *kept = text ? memory_copy_text(text) : NULL;
    rotate(*kept);
}

/* libpq goes on to the next host of a list after an error, but not after silence, as of a machine that is
 * gone: the next attempt begins there. */
static void begin_at_next_host(struct pg_link *link)
{
    PQconninfoOption *options = PQconninfo(link->conn);
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        if (strcmp(option->keyword, "host") == 0)
            keep_text(&link->hosts, option->val);
        else if (strcmp(option->keyword, "hostaddr") == 0)
            keep_text(&link->addresses, option->val);
        else if (strcmp(option->keyword, "port") == 0)
            keep_text(&link->ports, option->val);
    }
    PQconninfoFree(options);
}

static void on_connect_timeout(uv_timer_t *timer)
{
    struct pg_link *link = timer->data;
    begin_at_next_host(link);
    link_restart(link, "the server does not answer: no connection within 10 s");
}

/* What the server tells on the side would go to stderr as it is. */
static void on_notice(void *owner, const PGresult *result)
{
    const struct pg_link *link = owner;
    log_debug("database_notice", LOG_STR("link", link->name),
              LOG_STR("message", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

static void connected(struct pg_link *link)
{
    uv_timer_stop(&link->timer);
    if (PQsetnonblocking(link->conn, 1) != 0) {
        link_restart(link, PQerrorMessage(link->conn));
        return;
    }
    PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
    link->state = LINK_UP;
    link->wants_write = false;
    watch(link, UV_READABLE);
    link->to.up(link->to.owner);
}

/* The socket may be another one after every step, so its watcher goes first. */
static void connect_step(struct pg_link *link)
{
    unwatch(link);
    switch (PQconnectPoll(link->conn)) {
    case PGRES_POLLING_READING:
        watch(link, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        watch(link, UV_WRITABLE);
        return;
    case PGRES_POLLING_OK:
        connected(link);
        return;
    default:
        refused(link);
        return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pg_link *link = poll->data;
    if (link->state == LINK_CONNECTING) {
        connect_step(link);
        return;
    }
    if ((events & UV_WRITABLE) && !link_flush(link))
        return;
    if (!PQconsumeInput(link->conn)) {
        link_restart(link, PQerrorMessage(link->conn));
        return;
    }
    const PGconn *conn = link->conn;
    link->to.readable(link->to.owner);
    /* libuv has stopped watching a socket with an error, though there was something left to read. */
    if (status < 0 && link->conn == conn && link->state == LINK_UP)
        link_restart(link, *PQerrorMessage(conn) ? PQerrorMessage(conn) : "connection lost");
}

static void link_connect(struct pg_link *link)
{
    /* What stands before dbname are defaults that the URL may change. A dead peer is found
     * within 15 s. */
    const char *const names[] = {"client_encoding",
                                 "fallback_application_name",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "dbname",
                                 "host",
                                 "hostaddr",
                                 "port",
                                 NULL};
    const char *const values[] = {
        "UTF8",      link->name,      "5",         "3", "3", "12000", link->database_url,
        link->hosts, link->addresses, link->ports, NULL};
    link->state = LINK_CONNECTING;
    link->conn = PQconnectStartParams(names, values, 1);
    if (!link->conn)
        memory_exhausted(0);
    PQsetNoticeReceiver(link->conn, on_notice, link);
    PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE); /* for the SQLSTATE of a refusal */
    uv_timer_start(&link->timer, on_connect_timeout, LINK_CONNECT_MS, 0);
    if (PQstatus(link->conn) == CONNECTION_BAD) {
        refused(link);
        return;
    }
    watch(link, UV_WRITABLE);
}

void link_start(struct pg_link *link)
{
    uv_timer_init(link->loop, &link->timer);
    link->timer.data = link;
    link_connect(link);
}

bool link_flush(struct pg_link *link)
{
    int left = PQflush(link->conn);
    if (left < 0) {
        link_restart(link, PQerrorMessage(link->conn));
        return false;
    }
    if (link->wants_write != (left > 0)) {
        link->wants_write = left > 0;
        watch(link, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    }
    return true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct pg_link *link = handle->data;
    if (link->closed)
        link->closed(link->to.owner);
}

void link_close(struct pg_link *link, void (*closed)(void *owner))
{
    if (link->state == LINK_CLOSED)
        return;
    link->state = LINK_CLOSED;
    link->closed = closed;
    disconnect(link);
    keep_text(&link->hosts, NULL);
    keep_text(&link->addresses, NULL);
    keep_text(&link->ports, NULL);
    uv_close((uv_handle_t *)&link->timer, on_timer_closed);
}
