/* Asks tables and relays, and says what they know; see tracer.h. */
#include "tracer.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "memory.h"
#include "pg_blocking.h"
#include "findings.h"
#include "uuid.h"

enum { LOOK_MS = 50, NEWEST = 10, PROCESSES_MAX = 4096 };

#define UTC(column) "to_char(" column " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* A notification as the table has it. With track_commit_timestamp the server knows when. */
#define NOTIFICATION_COLUMNS                                                                                 \
    "n.id::text, n.user_id, n.version, " UTC("n.created_at") ", " UTC("n.read_at") ", " UTC(                 \
        "n.expires_at") ", coalesce(n.expires_at <= now(), false), n.xid::text, "                            \
                        "case when current_setting('track_commit_timestamp')::boolean "                      \
                        "then " UTC("pg_xact_commit_timestamp(n.xid::xid)") " end"

enum notification_column {
    N_ID,
    N_USER,
    N_VERSION,
    N_CREATED,
    N_READ,
    N_EXPIRES,
    N_EXPIRED,
    N_XID,
    N_COMMITTED
};

/* Backends of relays. */
struct processes {
    int pids[PROCESSES_MAX];
    int count;
};

struct tracer {
    struct findings findings;
    PGconn *db;
    char *user;  /* owned; NULL: not known yet */
    bool failed; /* a statement has: nothing more can be asked */
    struct processes awaited, answered;
    int tabs, held_up;
};

/* NULL: it failed, which has been said. */
static PGresult *ask_keeping(struct tracer *tracer, bool keep, const char *sql, int count,
                             const char *const values[])
{
    char why[LINK_WHY_SIZE];
    PGresult *result = pg_blocking_ask(tracer->db, keep, sql, count, values);
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        return result;
    const char *code = pg_blocking_explain(tracer->db, result, why);
    findings_fail(&tracer->findings, code, "%s", why);
    tracer->failed = true;
    PQclear(result);
    return NULL;
}

static PGresult *ask(struct tracer *tracer, const char *sql, int count, const char *const values[])
{
    return ask_keeping(tracer, false, sql, count, values);
}

/* ---- the tables ---- */

static void tell_notification(struct tracer *tracer, const PGresult *rows, int row)
{
    const char *read = PQgetvalue(rows, row, N_READ), *expires = PQgetvalue(rows, row, N_EXPIRES);
    const char *committed = PQgetvalue(rows, row, N_COMMITTED);
    if (PQgetvalue(rows, row, N_EXPIRED)[0] == 't') {
        findings_warn(&tracer->findings, "notification_expired", "%s expired at %s", PQgetvalue(rows, row, N_ID),
                    expires);
        return;
    }
    findings_ok(&tracer->findings,
              "%s: version %s, created %s, %s%s, last written by transaction %s, committed%s%s%s%s",
              PQgetvalue(rows, row, N_ID), PQgetvalue(rows, row, N_VERSION), PQgetvalue(rows, row, N_CREATED),
              *read ? "read " : "unread", read, PQgetvalue(rows, row, N_XID), *committed ? " " : "",
              committed, *expires ? ", expires " : "", expires);
}

/* Whoever has written the table and not ended may yet bring it. */
static void tell_unknown(struct tracer *tracer, const char *id)
{
    PGresult *rows =
        ask(tracer,
            "select count(distinct l.pid), string_agg(distinct l.pid::text, ', ') from pg_locks l "
            "where l.relation = 'herald.notifications'::regclass and l.mode = 'RowExclusiveLock' "
            "and l.database = (select d.oid from pg_database d where d.datname = current_database())",
            0, NULL);
    PGresult *truncated =
        ask(tracer, "select " UTC("max(t.deleted_at)") " from herald.tombstones t where t.user_id is null", 0,
            NULL);
    bool open = rows && strcmp(PQgetvalue(rows, 0, 0), "0") != 0;
    if (!rows || !truncated)
        goto out;
    findings_fail(&tracer->findings, "notification_unknown",
                "%s is in no row that is committed; transactions that have written the table and are open: "
                "%s%s%s%s%s%s",
                id, PQgetvalue(rows, 0, 0), open ? " (backends " : "", PQgetvalue(rows, 0, 1),
                open ? ")" : "", PQgetisnull(truncated, 0, 0) ? "" : "; the table was truncated at ",
                PQgetvalue(truncated, 0, 0));
out:
    PQclear(rows);
    PQclear(truncated);
}

static bool find_tombstone(struct tracer *tracer, const char *id)
{
    const char *const values[] = {id};
    PGresult *rows = ask(tracer,
                         "select t.user_id, " UTC(
                             "t.deleted_at") ", t.xid::text from herald.tombstones t "
                                             "where t.notification_id = $1::uuid order by t.xid desc limit 1",
                         1, values);
    if (!rows)
        return true;
    bool found = PQntuples(rows) == 1;
    if (found) {
        tracer->user = memory_copy_text(PQgetvalue(rows, 0, 0));
        findings_warn(&tracer->findings, "notification_deleted",
                    "%s of user %s was deleted at %s, by transaction %s", id, tracer->user,
                    PQgetvalue(rows, 0, 1), PQgetvalue(rows, 0, 2));
    }
    PQclear(rows);
    return found;
}

static void trace_notification(struct tracer *tracer, const char *id)
{
    const char *const values[] = {id};
    PGresult *rows =
        ask(tracer, "select " NOTIFICATION_COLUMNS " from herald.notifications n where n.id = $1::uuid", 1,
            values);
    if (!rows)
        return;
    if (PQntuples(rows) == 1) {
        tracer->user = memory_copy_text(PQgetvalue(rows, 0, N_USER));
        tell_notification(tracer, rows, 0);
    } else if (!find_tombstone(tracer, id)) {
        tell_unknown(tracer, id);
    }
    PQclear(rows);
}

static void trace_inbox(struct tracer *tracer, const char *user)
{
    char limit[16];
    const char *const values[] = {user, limit};
    tracer->user = memory_copy_text(user);
    snprintf(limit, sizeof(limit), "%d", NEWEST);
    PGresult *rows = ask(tracer,
                         "select " NOTIFICATION_COLUMNS " from herald.notifications n where n.user_id = $1 "
                         "order by n.created_at desc, n.id desc limit $2::int",
                         2, values);
    for (int row = 0; rows && row < PQntuples(rows); row++)
        tell_notification(tracer, rows, row);
    if (rows && PQntuples(rows) == 0)
        findings_warn(&tracer->findings, "no_notifications", "the user has none that is committed");
    PQclear(rows);
}

static void trace_user(struct tracer *tracer)
{
    const char *const values[] = {tracer->user};
    tracer->findings.subject = "user";
    PGresult *rows =
        ask(tracer, "select herald.resolve_user(jsonb_build_object('sub', $1::text))", 1, values);
    if (!rows)
        return;
    if (PQgetisnull(rows, 0, 0))
        findings_fail(&tracer->findings, "unknown_user",
                    "herald.resolve_user does not find %s: such a token gets 4000", tracer->user);
    else if (strcmp(PQgetvalue(rows, 0, 0), tracer->user) != 0)
        findings_warn(&tracer->findings, "other_user", "herald.resolve_user gives %s for a token of %s",
                    PQgetvalue(rows, 0, 0), tracer->user);
    else
        findings_ok(&tracer->findings, "%s is found by herald.resolve_user", tracer->user);
    PQclear(rows);
}

/* ---- the relays ---- */

/* What is behind has had frames dropped: nothing need be waiting. */
static void tell_held_up(struct tracer *tracer, const char *state, json_int_t waiting_bytes, bool busy)
{
    tracer->held_up++;
    if (waiting_bytes)
        findings_warn(&tracer->findings, "session_behind", "%s, %" JSON_INTEGER_FORMAT " bytes wait for its socket%s",
                    state, waiting_bytes, busy ? ", which is full" : "");
    else
        findings_warn(&tracer->findings, "session_behind", "%s%s", state, busy ? ", its socket is full" : "");
}

static void tell_session(struct tracer *tracer, json_t *session)
{
    json_int_t number = 0, waiting_bytes = 0;
    int busy = 0, missed_pings = 0;
    const char *state = "";
    char subject[32];
    if (json_unpack(session, "{s:I, s:s, s:I, s:b, s:i}", "session", &number, "state", &state,
                    "waiting_bytes", &waiting_bytes, "busy", &busy, "missed_pings", &missed_pings) != 0)
        return;
    snprintf(subject, sizeof(subject), "session %" JSON_INTEGER_FORMAT, number);
    tracer->findings.subject = subject;
    if (strcmp(state, "open") == 0 && !waiting_bytes && !busy) {
        findings_ok(&tracer->findings, "all of it is written to the socket%s",
                  missed_pings ? ", but the last PING was not answered" : "");
        return;
    }
    tell_held_up(tracer, state, waiting_bytes, busy);
}

static void tell_process(struct tracer *tracer, const char *address, json_t *answer)
{
    int pid = 0, live = 0, stopping = 0, tabs = 0;
    const char *version = "";
    char subject[32];
    json_t *sessions = NULL;
    if (json_unpack(answer, "{s:s, s:i, s:b, s:b, s:i, s:o}", "version", &version, "pid", &pid, "live", &live,
                    "stopping", &stopping, "tabs", &tabs, "sessions", &sessions) != 0)
        return;
    tracer->tabs += tabs;
    snprintf(subject, sizeof(subject), "relay %d", pid);
    tracer->findings.subject = subject;
    findings_ok(&tracer->findings,
              "at %s, version %s: it has handed on what was committed; tabs of the user: %d%s%s", address,
              version, tabs, stopping ? "; it is being stopped" : "",
              live ? "" : "; its feed has stopped since");
    for (size_t i = 0; i < json_array_size(sessions); i++)
        tell_session(tracer, json_array_get(sessions, i));
}

static bool has(const struct processes *processes, int pid)
{
    for (int i = 0; i < processes->count; i++)
        if (processes->pids[i] == pid)
            return true;
    return false;
}

static void add(struct processes *processes, int pid)
{
    if (processes->count < PROCESSES_MAX)
        processes->pids[processes->count++] = pid;
}

static void strike(struct processes *processes, int pid)
{
    for (int i = 0; i < processes->count; i++)
        if (processes->pids[i] == pid)
            processes->pids[i--] = processes->pids[--processes->count];
}

/* A row of herald.messages; each process answers once. */
static void tell_answer(struct tracer *tracer, const char *body)
{
    int backend = 0;
    const char *address = "";
    json_t *answer = NULL, *document = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    if (document &&
        json_unpack(document, "{s:i, s:s, s:o}", "backend", &backend, "address", &address, "answer",
                    &answer) == 0 &&
        !has(&tracer->answered, backend)) {
        add(&tracer->answered, backend);
        strike(&tracer->awaited, backend);
        tell_process(tracer, address, answer);
    }
    json_decref(document);
}

/* False: it failed, which has been said. */
static bool list_processes(struct tracer *tracer)
{
    PGresult *rows = ask(tracer,
                         "select pid from pg_stat_activity where datname = current_database() "
                         "and application_name = 'pgherald desk' order by pid",
                         0, NULL);
    for (int i = 0; rows && i < PQntuples(rows); i++)
        add(&tracer->awaited, atoi(PQgetvalue(rows, i, 0)));
    PQclear(rows);
    return rows != NULL;
}

static void new_trace(char trace[UUID_TEXT_SIZE])
{
    struct uuid uuid;
    if (RAND_bytes(uuid.bytes, sizeof(uuid.bytes)) != 1)
        abort();
    uuid_format(&uuid, trace);
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* Tells the answers that have come. All are read each time: a later one may have been written first. */
static bool take_answers(struct tracer *tracer, const char *const asked[2])
{
    PGresult *rows = ask(tracer,
                         "select m.body from herald.messages m where m.xid >= $1::xid8 "
                         "and m.user_id = '(answer ' || $2 || ')' order by m.id",
                         2, asked);
    for (int i = 0; rows && i < PQntuples(rows); i++)
        tell_answer(tracer, PQgetvalue(rows, i, 0));
    PQclear(rows);
    return rows != NULL;
}

static void wait_for_answers(struct tracer *tracer, const char *const asked[2], int wait_s)
{
    const uint64_t deadline_ms = clock_now_ms() + (uint64_t)wait_s * 1000;
    while (take_answers(tracer, asked) && clock_now_ms() < deadline_ms) {
        if (tracer->answered.count && !tracer->awaited.count)
            return;
        pause_ms(LOOK_MS);
    }
}

static void conclude(struct tracer *tracer, int wait_s)
{
    const int answers = tracer->answered.count;
    tracer->findings.subject = "relays";
    for (int i = 0; i < tracer->awaited.count; i++)
        findings_warn(&tracer->findings, "relay_silent", "the one with backend %d gave no answer within %d s",
                    tracer->awaited.pids[i], wait_s);
    if (!answers && !tracer->awaited.count)
        findings_fail(&tracer->findings, "no_relay", "none is connected to this database");
    else if (answers && !tracer->tabs)
        findings_warn(&tracer->findings, "no_tab", "%d answered, and the user has no tab at any", answers);
    else if (answers)
        findings_ok(&tracer->findings, "%d answered; tabs of the user: %d, of them held up: %d", answers,
                  tracer->tabs, tracer->held_up);
}

static void trace_relays(struct tracer *tracer, int wait_s)
{
    char trace[UUID_TEXT_SIZE];
    tracer->findings.subject = "relays";
    if (!list_processes(tracer))
        return;
    new_trace(trace);
    const char *const question[] = {trace, tracer->user};
    PGresult *rows = ask_keeping(tracer, true, "select herald.relay_trace_ask($1::uuid, $2)", 2, question);
    if (!rows)
        return;
    const char *const asked[] = {PQgetvalue(rows, 0, 0), trace};
    wait_for_answers(tracer, asked, wait_s);
    PQclear(rows);
    conclude(tracer, wait_s);
}

bool tracer_run(const struct config *config, const struct tracer_request *request, FILE *out)
{
    struct tracer tracer = {.findings = {.out = out, .subject = "connection"}};
    char why[LINK_WHY_SIZE];
    const char *code;
    tracer.db = pg_blocking_connect(config->database_url, "pgherald trace", &code, why);
    if (!tracer.db) {
        findings_fail(&tracer.findings, code, "%s", why);
        return false;
    }
    tracer.findings.subject = "notification";
    if (request->notification)
        trace_notification(&tracer, request->notification);
    else
        trace_inbox(&tracer, request->user);
    if (tracer.user && !tracer.failed)
        trace_user(&tracer);
    if (tracer.user && !tracer.failed)
        trace_relays(&tracer, request->wait_s);
    PQfinish(tracer.db);
    free(tracer.user);
    return tracer.findings.failed == 0;
}
