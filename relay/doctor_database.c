/* The doctor's checks of the database, from the connection to what is in the schema. Each query is a
 * transaction of its own and is rolled back. */
#include "doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "migrate.h"
#include "pg_blocking.h"

enum {
    OLDEST_SERVER = 140000,
    CLOCK_WARN_MS = 2000,
    CLOCK_FAIL_MS = 30000, /* the leeway of the times in a token */
};

/* One row; NULL: the check's line has been said. */
static PGresult *ask(struct doctor *doctor, const char *sql, int count, const char *const values[])
{
    char why[LINK_WHY_SIZE];
    PGresult *result = pg_blocking_ask(doctor->db, false, sql, count, values);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
        return result;
    const char *code = pg_blocking_explain(doctor->db, result, why);
    findings_fail(&doctor->findings, code, "%s", why);
    PQclear(result);
    return NULL;
}

static bool is_true(const PGresult *row, int column)
{
    return PQgetvalue(row, 0, column)[0] == 't';
}

static void check_connection(struct doctor *doctor)
{
    char why[LINK_WHY_SIZE];
    const char *code;
    if (!link_check_url(doctor->config->database_url, why)) {
        findings_fail(&doctor->findings, "bad_configuration", "HERALD_DATABASE_URL: %s", why);
        return;
    }
    doctor->db = pg_blocking_connect(doctor->config->database_url, "pgherald doctor", &code, why);
    if (!doctor->db) {
        findings_fail(&doctor->findings, code, "%s", why);
        return;
    }
    doctor->has = DOCTOR_NEEDS_SERVER;
    findings_ok(&doctor->findings, "database %s at %s, as %s", PQdb(doctor->db), PQhost(doctor->db),
              PQuser(doctor->db));
}

static void check_version(struct doctor *doctor)
{
    const char *version = PQparameterStatus(doctor->db, "server_version");
    if (PQserverVersion(doctor->db) < OLDEST_SERVER)
        findings_fail(&doctor->findings, "server_too_old", "the server is PostgreSQL %s", version);
    else
        findings_ok(&doctor->findings, "PostgreSQL %s, pgherald " PGHERALD_VERSION, version);
}

/* A session in recovery cannot write; nor can one whose role or database says so. */
static void check_primary(struct doctor *doctor)
{
    PGresult *row =
        ask(doctor, "select pg_is_in_recovery(), current_setting('transaction_read_only')::boolean", 0, NULL);
    if (!row)
        return;
    if (is_true(row, 0)) {
        findings_fail(&doctor->findings, "not_primary", "the server is a standby");
    } else if (is_true(row, 1)) {
        findings_fail(&doctor->findings, "not_primary",
                    "transactions are read-only here (default_transaction_read_only)");
    } else {
        doctor->has = DOCTOR_NEEDS_PRIMARY;
        findings_ok(&doctor->findings, "it takes writes");
    }
    PQclear(row);
}

/* A pooler tells its own number of a backend at the start. Whether it keeps a backend for each connection is
 * seen by a second one, which holds a transaction open: in a pooler of transactions it may get the backend of
 * the first one. */
static void check_pooler(struct doctor *doctor)
{
    static const char sql[] = "select pg_backend_pid()";
    const char *code;
    char why[LINK_WHY_SIZE];
    PGresult *row = ask(doctor, sql, 0, NULL);
    if (!row)
        return;
    int backend = atoi(PQgetvalue(row, 0, 0));
    PQclear(row);
    if (backend == PQbackendPID(doctor->db)) {
        findings_ok(&doctor->findings, "none: a direct connection");
        return;
    }
    PGconn *other = pg_blocking_connect(doctor->config->database_url, "pgherald doctor", &code, why);
    if (!other) {
        findings_fail(&doctor->findings, code, "a second connection through the pooler: %s", why);
        return;
    }
    PGresult *same = pg_blocking_ask(other, false, sql, 0, NULL);
    doctor->pooled = PQresultStatus(same) == PGRES_TUPLES_OK && atoi(PQgetvalue(same, 0, 0)) == backend;
    PQclear(same);
    PQfinish(other);
    if (doctor->pooled)
        findings_fail(&doctor->findings, "transaction_pooler", "two connections share a backend");
    else
        findings_ok(&doctor->findings,
                  "there is one, whose sessions keep their backend as far as two connections tell");
}

static void check_migrations(struct doctor *doctor)
{
    PGresult *row = ask(doctor, "select exists (select from pg_namespace where nspname = 'herald')", 0, NULL);
    if (!row)
        return;
    bool present = is_true(row, 0);
    PQclear(row);
    if (!present) {
        findings_fail(&doctor->findings, "schema_missing", "database %s has no schema herald", PQdb(doctor->db));
        return;
    }
    row = ask(doctor, "select coalesce(herald.relay_schema_version(), 0)", 0, NULL);
    if (!row)
        return;
    int version = atoi(PQgetvalue(row, 0, 0));
    PQclear(row);
    if (version < migrate_newest_id()) {
        findings_fail(&doctor->findings, "schema_old", "the schema has migration %d, this program needs %d",
                    version, migrate_newest_id());
        return;
    }
    doctor->has = DOCTOR_NEEDS_SCHEMA;
    findings_ok(&doctor->findings, "%d%s", version,
              version > migrate_newest_id() ? ", newer than this program" : "");
}

static void check_privileges(struct doctor *doctor)
{
    PGresult *row =
        ask(doctor,
            "select (select string_agg(m.what, ', ') from ("
            " select p.oid::regprocedure::text as what from pg_proc p"
            " where p.pronamespace = 'herald'::regnamespace and (p.proname like 'relay\\_%'"
            "  or p.proname in ('feed', 'notification_json', 'resolve_user')) and not "
            "has_function_privilege(p.oid, 'execute')"
            " union all"
            " select c.oid::regclass::text from pg_class c where c.relnamespace = 'herald'::regnamespace"
            "  and c.relname in ('notifications', 'tombstones', 'messages') and not "
            "has_table_privilege(c.oid, 'select')) m),"
            " (select r.rolsuper from pg_roles r where r.rolname = current_user),"
            " has_table_privilege('herald.notifications', 'insert, update, delete')",
            0, NULL);
    if (!row)
        return;
    if (!PQgetisnull(row, 0, 0))
        findings_fail(&doctor->findings, "privileges_missing", "role %s may not use %.300s", PQuser(doctor->db),
                    PQgetvalue(row, 0, 0));
    else if (is_true(row, 1) || is_true(row, 2))
        findings_warn(&doctor->findings, "role_too_mighty", "role %s is %s", PQuser(doctor->db),
                    is_true(row, 1) ? "a superuser" : "allowed to change tables, so that it may notify anybody, or delete");
    else
        findings_ok(&doctor->findings, "role %s may do what a relay does, and no more", PQuser(doctor->db));
    PQclear(row);
}

/* What herald.relay_epoch() refuses, and what a restore without it would look like. */
static void check_rows(struct doctor *doctor)
{
    PGresult *row = pg_blocking_ask(doctor->db, false, "select herald.relay_epoch()", 0, NULL);
    char why[LINK_WHY_SIZE];
    const char *state = PQresultErrorField(row, PG_DIAG_SQLSTATE);
    bool good = PQresultStatus(row) == PGRES_TUPLES_OK;
    const char *code = good ? "" : pg_blocking_explain(doctor->db, row, why);
    if (state && strcmp(state, "55000") == 0) /* which it raises itself; a standby was found before */
        code = "foreign_rows";
    if (!good)
        findings_fail(&doctor->findings, code, "%s", why);
    PQclear(row);
    if (!good)
        return;
    row = ask(
        doctor,
        "select exists (select from herald.notifications n where n.xid >= "
        "pg_snapshot_xmax(pg_current_snapshot()))"
        " or exists (select from herald.tombstones t where t.xid >= pg_snapshot_xmax(pg_current_snapshot()))",
        0, NULL);
    if (!row)
        return;
    if (is_true(row, 0))
        findings_fail(&doctor->findings, "future_rows",
                    "rows have transaction ids that this cluster has not reached");
    else
        findings_ok(&doctor->findings, "they belong to this cluster");
    PQclear(row);
}

/* A restore of data alone, or somebody in a hurry, leaves them disabled. */
static void check_triggers(struct doctor *doctor)
{
    PGresult *row = ask(
        doctor,
        "select string_agg(format('%s of %s', e.trigger, e.table), ', ') from (values"
        " ('notifications', 'zz_stamp'), ('notifications', 'doorbell'), ('notifications', 'bury_deleted'),"
        " ('notifications', 'bury_moved'), ('notifications', 'bury_replicated'), ('notifications', "
        "'bury_all'),"
        " ('messages', 'zz_stamp'), ('messages', 'doorbell'), ('users', 'forget_users')) e (\"table\", "
        "trigger)"
        " left join pg_class c on c.relnamespace = 'herald'::regnamespace and c.relname = e.table"
        " left join pg_trigger t on t.tgrelid = c.oid and t.tgname = e.trigger"
        " where t.tgenabled is distinct from 'A'",
        0, NULL);
    if (!row)
        return;
    if (!PQgetisnull(row, 0, 0))
        findings_fail(&doctor->findings, "trigger_off", "not there, or not enabled always: %.300s",
                    PQgetvalue(row, 0, 0));
    else
        findings_ok(&doctor->findings, "all there, and enabled");
    PQclear(row);
}

/* An application may have a function of its own in its place. '(nobody)' can be the sub of no token. */
static void check_users(struct doctor *doctor)
{
    char why[LINK_WHY_SIZE];
    PGresult *row =
        pg_blocking_ask(doctor->db, false, "select herald.resolve_user('{\"sub\":\"(nobody)\"}')", 0, NULL);
    if (PQresultStatus(row) != PGRES_TUPLES_OK) {
        pg_blocking_explain(doctor->db, row, why);
        findings_fail(&doctor->findings, "resolve_user_fails", "herald.resolve_user: %s", why);
    } else if (!PQgetisnull(row, 0, 0)) {
        findings_fail(&doctor->findings, "resolve_user_lets_in",
                    "herald.resolve_user finds a user for a name that none has");
    } else {
        findings_ok(&doctor->findings, "herald.resolve_user answers");
    }
    PQclear(row);
}

int64_t doctor_clock_distance_ms(int64_t ahead_ms, int64_t round_trip_ms)
{
    int64_t apart_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    return apart_ms > round_trip_ms ? apart_ms - round_trip_ms : 0;
}

static void check_clock(struct doctor *doctor)
{
    int64_t before_ms = clock_wall_ms();
    PGresult *row = ask(doctor, "select (extract(epoch from clock_timestamp()) * 1000)::bigint", 0, NULL);
    if (!row)
        return;
    int64_t after_ms = clock_wall_ms();
    int64_t ahead_ms = strtoll(PQgetvalue(row, 0, 0), NULL, 10) - before_ms / 2 - after_ms / 2;
    int64_t apart_ms = doctor_clock_distance_ms(ahead_ms, after_ms - before_ms);
    PQclear(row);
    const char *way = ahead_ms < 0 ? "behind" : "ahead of";
    if (apart_ms >= CLOCK_FAIL_MS)
        findings_fail(&doctor->findings, "clocks_apart", "the server's clock is %" PRId64 " s %s this machine's",
                    apart_ms / 1000, way);
    else if (apart_ms >= CLOCK_WARN_MS)
        findings_warn(&doctor->findings, "clocks_apart", "the server's clock is %" PRId64 " ms %s this machine's",
                    apart_ms, way);
    else
        findings_ok(&doctor->findings, "the server's and this machine's agree");
}

static void check_queue(struct doctor *doctor)
{
    PGresult *row = ask(doctor, "select (pg_notification_queue_usage() * 100)::int", 0, NULL);
    if (!row)
        return;
    int percent = atoi(PQgetvalue(row, 0, 0));
    PQclear(row);
    if (percent >= 50)
        findings_fail(&doctor->findings, "notify_queue_filling",
                    "%d %% of PostgreSQL's notification queue is used", percent);
    else
        findings_ok(&doctor->findings, "%d %% of PostgreSQL's notification queue is used", percent);
}

/* Those that this role, this database and the server may still have. */
static void check_connections(struct doctor *doctor)
{
    PGresult *row = ask(
        doctor,
        "select least("
        "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - (select sum(d.numbackends) from pg_stat_database d),"
        " (select d.datconnlimit - s.numbackends from pg_database d join pg_stat_database s on s.datid = "
        "d.oid"
        "  where d.datname = current_database() and d.datconnlimit >= 0),"
        " (select r.rolconnlimit - (select count(*) from pg_stat_activity a where a.usename = current_user)"
        "  from pg_roles r where r.rolname = current_user and r.rolconnlimit >= 0))::int,"
        " (select count(*) from pg_stat_activity a where a.application_name = 'pgherald feed'"
        "  and a.datname = current_database())",
        0, NULL);
    if (!row)
        return;
    int left = atoi(PQgetvalue(row, 0, 0)), wanted = 2 + 2 * doctor->config->workers;
    const char *relays = PQgetvalue(row, 0, 1);
    if (left < wanted)
        findings_warn(&doctor->findings, "too_many_connections",
                    "%d are left, and a relay of %d workers takes %d", left, doctor->config->workers, wanted);
    else
        findings_ok(&doctor->findings, "%d are left; a relay takes %d. Relays connected now: %s", left, wanted,
                  relays);
    PQclear(row);
}

const struct doctor_check doctor_database_checks[] = {
    {"connection", DOCTOR_NEEDS_NOTHING, check_connection},
    {"version", DOCTOR_NEEDS_SERVER, check_version},
    {"primary", DOCTOR_NEEDS_SERVER, check_primary},
    {"pooler", DOCTOR_NEEDS_SERVER, check_pooler},
    {"clocks", DOCTOR_NEEDS_SERVER, check_clock},
    {"connections", DOCTOR_NEEDS_SERVER, check_connections},
    {"migrations", DOCTOR_NEEDS_PRIMARY, check_migrations},
    {"privileges", DOCTOR_NEEDS_SCHEMA, check_privileges},
    {"rows", DOCTOR_NEEDS_SCHEMA, check_rows},
    {"triggers", DOCTOR_NEEDS_SCHEMA, check_triggers},
    {"users", DOCTOR_NEEDS_SCHEMA, check_users},
    {"bell queue", DOCTOR_NEEDS_PRIMARY, check_queue},
    {0},
};
