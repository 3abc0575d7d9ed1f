/* Reads and write-backs over one pipelined connection; see desk.h. Queries come
 * in, are sent at the end of the loop turn, and their answers go to their askers. */
#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "clock.h"
#include "cursor.h"
#include "log.h"
#include "memory.h"
#include "pg_link.h"
#include "relay.h"

enum {
    SWEEP_MS = 1000,
    HANG_MS = 12000,      /* a sent query without an answer: the connection is given up */
    PROBE_MS = 4000,      /* an idle connection is asked so often whether it lives, */
    PROBE_HANG_MS = 6000, /* and has so long for the answer */
    TROUBLE_MS = 10000,   /* not ready for so long after the database refused something */
    SAY_MS = 5000,        /* a statement's failure is logged so often */
};

static const struct {
    const char *name;
    int params;
    const char *sql;
} statement_table[DESK_STATEMENTS] = {
    [DESK_RESOLVE_USERS] = {"resolve_users", 1,
                            "select herald.resolve_user(u.claims) from unnest($1::jsonb[]) with ordinality u (claims, n) "
                            "order by u.n"},
    [DESK_UNREAD_COUNTS] = {"unread_counts", 1,
                            "select c.user_id, c.count from unnest($1::text[]) with ordinality u (id, n) "
                            "join herald.relay_unread_counts($1::text[]) c on c.user_id = u.id order by u.n"},
    [DESK_PAGES] = {"pages", 5,
                    "select unread_count, notifications, next from herald.relay_pages($1::text[], $2::boolean[], "
                    "$3::int[], $4::timestamptz[], $5::uuid[])"},
    [DESK_MARK_READ] = {"mark_read", 2,
                        "select user_id, id, version, notification from "
                        "herald.relay_mark_read($1::text[], $2::uuid[])"},
    [DESK_MARK_ALL_READ] = {"mark_all_read", 3,
                            "select herald.relay_mark_all_read($1::text, $2::timestamptz, $3::xid8)"},
    [DESK_RESUME] = {"resume", 7,
                     "select n, kind, id, version, body, xid, rank from herald.relay_resume($1::text[], $2::xid8[], "
                     "$3::xid8[], $4::int[], $5::uuid[], $6::int, $7::int)"},
    [DESK_API_LIST] = {"api_list", 7,
                       "select unread_count, notifications, next, total from herald.relay_list($1::text, $2::boolean, "
                       "$3::text, $4::text, $5::int, $6::timestamptz, $7::uuid)"},
    [DESK_API_GET] = {"api_get", 2, "select herald.relay_get($1::text, $2::uuid)"},
    [DESK_API_CREATE] = {"api_create", 4,
                         "select outcome, id, notification from "
                         "herald.relay_create($1::text, $2::text, $3::jsonb, $4::text)"},
    [DESK_API_SET_READ] = {"api_set_read", 3, "select herald.relay_set_read($1::text, $2::uuid, $3::boolean)"},
    [DESK_API_READ_ALL] = {"api_read_all", 2,
                           "select marked, unread_count from herald.relay_read_all($1::text, $2::timestamptz)"},
    [DESK_API_DELETE] = {"api_delete", 2, "select herald.relay_delete($1::text, $2::uuid)"},
    [DESK_SAMPLES] =
        {"samples", 2,
         "select count(herald.notify_user(u.id, s.title, s.message, s.category, s.severity, s.action_url)) "
         "from herald.resolve_user($1::jsonb) u (id), generate_series(1, $2::int) n join (values "
         "(0, 'Payment failed for order 2041', 'The card was declined. The next try is tomorrow at 09:00.', 'billing', "
         "'error', '#2041'), "
         "(1, 'Mira mentioned you', 'Could you check the delivery dates before Thursday?', 'team', 'info', '#mentions'), "
         "(2, 'Order 2047 was delivered', 'Signed for at the front desk.', 'shipping', 'success', '#2047'), "
         "(3, 'Stock is low: desk lamp', 'Four are left; about two days at the current rate.', 'stock', 'warning', "
         "'#stock'), "
         "(4, 'New order 2048', '3 items, 184.50 EUR, express delivery.', 'orders', 'info', '#2048'), "
         "(5, 'Refund for order 2033 went out', '59.00 EUR to the original card.', 'billing', 'success', '#2033'), "
         "(6, 'Sign-in from a new device', 'Firefox on Linux, Lisbon. Not you? End all sessions.', 'security', "
         "'warning', '#security'), "
         "(7, 'Weekly report is ready', '212 orders, 4 % more than the week before.', 'reports', 'info', '#reports')"
         ") s (k, title, message, category, severity, action_url) "
         "on s.k = (n + extract(epoch from now())::bigint) % 8 where u.id is not null"},
    [DESK_TIDY] = {"tidy", 0, "select messages, tombstones, expired from herald.relay_tidy()"},
    [DESK_TRACE] = {"trace", 2, "select herald.relay_trace_answer($1::uuid, $2::text)"},
    [DESK_PROBE] = {"probe", 0, "select 1"},
};

/* Short waits for locks: rather give the row back to the application than hold it up. */
#define SESSION_SETUP(timeout)                                                                                         \
    "set search_path = pg_catalog; set lock_timeout = '500ms'; set statement_timeout = '" timeout "'; "                \
    "set idle_session_timeout = 0; set jit = off; set default_transaction_read_only = off; "                           \
    "select herald.relay_epoch()"

static const struct {
    const char *name; /* of its connection */
    const char *setup;
} kind_table[DESK_KINDS] = {
    [DESK_MAIN] = {"pgherald desk", SESSION_SETUP("10s")},
    [DESK_LISTS] = {"pgherald lists", SESSION_SETUP("5s")}, /* so long another user may have to wait */
};

/* One query, or one step of the set-up. */
struct entry {
    struct desk_query query;
    uint64_t queued_ms;
    int64_t sent_us;
    bool sent;
    struct entry *prev, *next; /* utlist */
    char texts[];
};

struct desk {
    struct relay *relay;
    enum desk_kind kind;
    struct pg_link link;
    bool started; /* the link */
    uv_timer_t sweep;
    struct entry *queue; /* oldest first: sent ones, then the others */
    struct entry *unsent;
    int length;
    bool ready;       /* the set-up went well */
    uint32_t epoch;  /* of the history that is read and written here */
    PGresult *result; /* of the query at the head, until its sync comes */
    uint64_t heard_ms; /* last bytes from the database while queries were out */
    uint64_t trouble_at_ms; /* when a query failed by no fault of its own; 0: none has, or it works again */
    enum desk_statement troubled;
    struct {
        uint64_t said_ms;
        int unsaid;
    } failures[DESK_STATEMENTS];
    int64_t turn_us; /* when this turn sends or reads */
    uint64_t failed[DESK_STATEMENTS];
    struct histogram answered[DESK_STATEMENTS];
    char why[LINK_WHY_SIZE];
};

struct answer {
    const PGresult *result;
};

int answer_rows(const struct answer *answer)
{
    return PQntuples(answer->result);
}

struct text answer_text(const struct answer *answer, int row, int column)
{
    if (PQgetisnull(answer->result, row, column))
        return (struct text){0};
    return (struct text){PQgetvalue(answer->result, row, column),
                         (size_t)PQgetlength(answer->result, row, column)};
}

int64_t answer_int(const struct answer *answer, int row, int column)
{
    return strtoll(PQgetvalue(answer->result, row, column), NULL, 10);
}

const char *answer_error(const struct answer *answer)
{
    ExecStatusType status = PQresultStatus(answer->result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return NULL;
    const char *state = PQresultErrorField(answer->result, PG_DIAG_SQLSTATE);
    return state ? state : "XX000";
}

/* ---- the queue ---- */

/* Errors of class 22 (data) quote a client's value, which is no business of the log. A failure that repeats
 * itself is counted instead. */
static void log_failure(struct desk *desk, const struct desk_query *query, const PGresult *result,
                        const char *sqlstate)
{
    uint64_t now_ms = clock_now_ms(), *said_ms = &desk->failures[query->statement].said_ms;
    int *unsaid = &desk->failures[query->statement].unsaid;
    bool quotes_data = strncmp(sqlstate, "22", 2) == 0;
    if (*said_ms && now_ms - *said_ms < SAY_MS) {
        ++*unsaid;
        return;
    }
    log_warn("query_failed", LOG_STR("statement", statement_table[query->statement].name),
             LOG_STR("sqlstate", sqlstate),
             LOG_STR("why", quotes_data ? "bad value" : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)),
             LOG_INT("unsaid", *unsaid));
    *said_ms = now_ms;
    *unsaid = 0;
}

/* Disk full, privileges, schema, read-only: the next query will fail as well. A bad value, a lock or a
 * time-out is the query's own. */
static bool is_trouble(const char *sqlstate)
{
    static const char *const classes[] = {"25", "3F", "42", "53", "58", "XX"};
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

static void query_failed(struct desk *desk, const struct desk_query *query, const PGresult *result,
                         const char *sqlstate)
{
    desk->failed[query->statement]++;
    log_failure(desk, query, result, sqlstate);
    if (!is_trouble(sqlstate))
        return;
    desk->trouble_at_ms = clock_now_ms();
    desk->troubled = query->statement;
    link_explain(result, desk->why);
}

static void count_answer(struct desk *desk, const struct entry *entry)
{
    int64_t took_us = desk->turn_us - entry->sent_us;
    histogram_count(&desk->answered[entry->query.statement], &histogram_times, took_us > 0 ? (uint64_t)took_us : 0);
}

static void entry_finish(struct desk *desk, struct entry *entry, const PGresult *result)
{
    if (result)
        count_answer(desk, entry);
    struct answer answer = {result};
    if (desk->unsent == entry)
        desk->unsent = entry->next;
    DL_DELETE(desk->queue, entry);
    desk->length--;
    if (result && answer_error(&answer))
        query_failed(desk, &entry->query, result, answer_error(&answer));
    else if (result && entry->query.statement == desk->troubled)
        desk->trouble_at_ms = 0;
    if (entry->query.done)
        entry->query.done(desk->relay, entry->query.session, entry->query.context, result ? &answer : NULL);
    free(entry);
}

static struct entry *entry_new(const struct desk_query *query)
{
    size_t size = 0;
    for (int i = 0; i < DESK_PARAMS_MAX; i++)
        size += query->values[i] ? strlen(query->values[i]) + 1 : 0;
    struct entry *entry = memory_zero(sizeof(*entry) + size);
    entry->query = *query;
    entry->queued_ms = clock_now_ms();
    char *at = entry->texts;
    for (int i = 0; i < DESK_PARAMS_MAX; i++) {
        if (!query->values[i])
            continue;
        size_t length = strlen(query->values[i]) + 1;
        entry->query.values[i] = memcpy(at, query->values[i], length);
        at += length;
    }
    return entry;
}

void desk_submit(struct desk *desk, const struct desk_query *query)
{
    struct entry *entry = entry_new(query);
    DL_APPEND(desk->queue, entry);
    desk->length++;
    if (!desk->unsent)
        desk->unsent = entry;
}

/* ---- sending ---- */

static bool entry_send(struct desk *desk, struct entry *entry)
{
    PGconn *conn = desk->link.conn;
    int params = statement_table[entry->query.statement].params;
    if (!PQsendQueryPrepared(conn, statement_table[entry->query.statement].name, params, entry->query.values,
                             NULL, NULL, 0) ||
        !PQpipelineSync(conn))
        return false;
    entry->sent = true;
    entry->sent_us = desk->turn_us;
    return true;
}

/* Those over the bound fail here, where no caller is in the middle of something. */
static void fail_excess(struct desk *desk)
{
    while (desk->length > DESK_QUEUE_MAX && desk->unsent)
        entry_finish(desk, desk->queue->prev, NULL);
}

/* What is read must be of the history that the feed tells, and what is written must go there: after a
 * failover one of the two may still be connected to the old primary. Without a cursor the feed has not begun:
 * what is read now could be missed later. */
static bool same_history(struct desk *desk)
{
    const struct router *router = &desk->relay->router;
    if (!router->cursor[0])
        return false;
    if (router->now.epoch == desk->epoch) {
        desk->link.attempts = 0;
        return true;
    }
    if (router->live)
        link_restart(&desk->link, "connected to another server than the feed");
    return false;
}

static void start(struct desk *desk)
{
    desk->started = true;
    link_start(&desk->link);
}

void desk_flush(struct desk *desk)
{
    fail_excess(desk);
    if (!desk->started && desk->queue)
        start(desk);
    if (!desk->ready || !same_history(desk) || !desk->unsent)
        return;
    if (desk->queue == desk->unsent)
        desk->heard_ms = clock_now_ms();
    desk->turn_us = clock_now_us();
    while (desk->unsent) {
        struct entry *entry = desk->unsent;
        if (!entry_send(desk, entry)) {
            link_restart(&desk->link, PQerrorMessage(desk->link.conn));
            return;
        }
        desk->unsent = entry->next;
    }
    link_flush(&desk->link);
}

/* ---- the connection ---- */

static void on_up(void *owner)
{
    struct desk *desk = owner;
    PGconn *conn = desk->link.conn;
    if (!PQsendQuery(conn, kind_table[desk->kind].setup))
        link_restart(&desk->link, PQerrorMessage(conn));
    else
        link_flush(&desk->link);
}

static bool is_asked(const struct desk *desk, int statement)
{
    if (statement == DESK_SAMPLES && !desk->relay->config->dev_psql)
        return false;
    return statement == DESK_PROBE || (statement == DESK_API_LIST) == (desk->kind == DESK_LISTS);
}

static void prepare_all(struct desk *desk)
{
    PGconn *conn = desk->link.conn;
    bool good = PQenterPipelineMode(conn);
    for (int i = 0; good && i < DESK_STATEMENTS; i++)
        if (is_asked(desk, i))
            good = PQsendPrepare(conn, statement_table[i].name, statement_table[i].sql, 0, NULL);
    if (!good || !PQpipelineSync(conn)) {
        link_restart(&desk->link, PQerrorMessage(conn));
        return;
    }
    link_flush(&desk->link);
}

static void setup_done(struct desk *desk)
{
    desk->ready = true;
    desk->why[0] = '\0';
    desk->trouble_at_ms = 0;
    desk->unsent = desk->queue;
    log_info("desk_ready", LOG_STR("link", desk->link.name), LOG_INT("queued", desk->length));
}

/* False: the link was restarted. */
static bool setup_result(struct desk *desk, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_SYNC || status == PGRES_TUPLES_OK;
    if (!good)
        link_restart_for(&desk->link, result);
    else if (status == PGRES_TUPLES_OK)
        desk->epoch = cursor_epoch(PQgetvalue(result, 0, 0));
    else if (status == PGRES_PIPELINE_SYNC)
        setup_done(desk);
    PQclear(result);
    return good;
}

/* An error without an SQLSTATE is libpq's own, say for want of memory: it has lost its place in the pipeline. */
static bool is_of_libpq(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_FATAL_ERROR && !PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

static void query_result(struct desk *desk, PGresult *result)
{
    if (is_of_libpq(result)) {
        link_restart_for(&desk->link, result);
        PQclear(result);
        return;
    }
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        PGresult *whole = desk->result;
        desk->result = NULL;
        if (desk->queue && desk->queue->sent)
            entry_finish(desk, desk->queue, whole);
        PQclear(whole);
        return;
    }
    PQclear(desk->result);
    desk->result = result;
}

static void on_readable(void *owner)
{
    struct desk *desk = owner;
    PGconn *conn = desk->link.conn;
    bool was_null = false;
    desk->turn_us = clock_now_us();
    desk->heard_ms = (uint64_t)desk->turn_us / 1000;
    while (desk->link.conn == conn && !PQisBusy(conn)) {
        PGresult *result = PQgetResult(conn);
        if (!result) {
            /* The plain query is over, or one of the pipeline's; two in a row: nothing left. */
            if (!desk->ready && PQpipelineStatus(conn) == PQ_PIPELINE_OFF) {
                prepare_all(desk);
                return;
            }
            if (was_null)
                break;
            was_null = true;
            continue;
        }
        was_null = false;
        if (desk->ready)
            query_result(desk, result);
        else if (!setup_result(desk, result))
            return;
    }
}

/* What was under way is asked again later, but for what may not run twice. */
static void on_down(void *owner, const char *why)
{
    struct desk *desk = owner;
    struct entry *entry, *next;
    desk->ready = false;
    snprintf(desk->why, sizeof(desk->why), "%s", why);
    PQclear(desk->result);
    desk->result = NULL;
    desk->unsent = NULL;
    DL_FOREACH_SAFE (desk->queue, entry, next) {
        bool sent = entry->sent;
        entry->sent = false;
        if (sent && entry->query.once)
            entry_finish(desk, entry, NULL);
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct desk *desk = timer->data;
    uint64_t now_ms = clock_now_ms();
    if (desk->ready && !desk->queue && !desk->relay->stopping && now_ms - desk->heard_ms > PROBE_MS)
        desk_submit(desk, &(struct desk_query){.statement = DESK_PROBE});
    uint64_t limit_ms = desk->queue && desk->queue->query.statement == DESK_PROBE ? PROBE_HANG_MS : HANG_MS;
    if (desk->queue && desk->queue->sent && now_ms - desk->heard_ms > limit_ms)
        link_restart(&desk->link, "the database does not answer");
    while (desk->queue && !desk->queue->sent && now_ms - desk->queue->queued_ms > DESK_PATIENCE_MS)
        entry_finish(desk, desk->queue, NULL);
}

struct desk *desk_new(struct relay *relay, enum desk_kind kind)
{
    struct desk *desk = memory_zero(sizeof(*desk));
    desk->relay = relay;
    desk->kind = kind;
    desk->link = (struct pg_link){.loop = relay->loop,
                                  .name = kind_table[kind].name,
                                  .database_url = relay->config->database_url,
                                  .to = {on_up, on_readable, on_down, desk}};
    snprintf(desk->why, sizeof(desk->why), "connecting");
    uv_timer_init(relay->loop, &desk->sweep);
    desk->sweep.data = desk;
    uv_timer_start(&desk->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    if (kind == DESK_MAIN)
        start(desk);
    return desk;
}

void desk_close(struct desk *desk)
{
    if (desk->started)
        link_close(&desk->link, NULL);
    uv_close((uv_handle_t *)&desk->sweep, NULL);
    PQclear(desk->result);
    desk->result = NULL;
    desk->ready = false;
}

void desk_free(struct desk *desk)
{
    while (desk->queue)
        entry_finish(desk, desk->queue, NULL);
    free(desk);
}

bool desk_idle(const struct desk *desk)
{
    return desk->queue == NULL;
}

bool desk_ready(const struct desk *desk)
{
    bool troubled = desk->trouble_at_ms && clock_now_ms() - desk->trouble_at_ms < TROUBLE_MS;
    return desk->ready && !troubled;
}

const char *desk_why(const struct desk *desk)
{
    return desk->why;
}

void desk_report(const struct desk *desk, struct desk_report *out)
{
    memcpy(out->failed, desk->failed, sizeof(out->failed));
    memcpy(out->answered, desk->answered, sizeof(out->answered));
    out->waiting = (uint64_t)desk->length;
    out->up = desk->ready;
}

const char *desk_statement_word(int statement)
{
    return statement_table[statement].name;
}
