/* Brings the schema of a database up to date from the SQL files inside the
 * binary. One transaction takes the lock, reads what is applied, and applies
 * the first pending file; that repeats until nothing is pending. The lock is a
 * transaction's, so that neither a crash nor a pooler can leave it behind. */
#include "migrate.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    /* 1212502606 and …607 are the doorbell's. */
    LOCK_CLASS = 1212502608,
    OLDEST_SERVER = 140000,
    BUSY_PAUSE_MS = 200,
    /* A DDL statement that waits for a table makes every writer of that table wait
     * behind it: so it waits briefly, lets them pass, and tries again. */
    LOCK_TIMEOUT_MS = 1000,
    LOCK_PAUSE_MS = 2000,
};

enum { MIGRATE_WHAT_BYTES = 128 };

enum step_result {
    STEP_APPLIED, /* a file, or the rows were re-stamped */
    STEP_DONE,    /* nothing was pending */
    STEP_BUSY,    /* another migrator has the lock */
    STEP_LOCKED,  /* a table was in use for longer than LOCK_TIMEOUT_MS */
    STEP_FAILED,
};

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

__attribute__((format(printf, 2, 3))) static bool fail(char error[MIGRATE_ERROR_BYTES], const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, MIGRATE_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

/* What the server said, in one line. */
static void server_says(PGconn *db, const PGresult *res, char text[MIGRATE_ERROR_BYTES])
{
    const char *primary = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *hint = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) : NULL;
    const char *said = primary ? primary : PQerrorMessage(db);
    int length = (int)strcspn(said, "\n");
    fail(text, "%.*s%s%s", length, said, hint ? ". " : "", hint ? hint : "");
}

static bool fail_server(PGconn *db, const PGresult *res, char error[MIGRATE_ERROR_BYTES])
{
    char text[MIGRATE_ERROR_BYTES];
    server_says(db, res, text);
    return fail(error, "database_error: %.900s", text);
}

static void text_copy(char *to, size_t to_bytes, const char *from, size_t length)
{
    if (length >= to_bytes)
        length = to_bytes - 1;
    memcpy(to, from, length);
    to[length] = '\0';
}

/* ---- what the files and the database tell ---- */

int migrate_file_id(const char *file_name)
{
    int id = 0;
    size_t digits = strspn(file_name, "0123456789");
    const char *suffix = strrchr(file_name, '.');
    if (digits == 0 || digits > 6 || file_name[digits] != '_' || !suffix || strcmp(suffix, ".sql") != 0)
        return 0;
    for (size_t i = 0; i < digits; i++)
        id = id * 10 + (file_name[i] - '0');
    return id;
}

int migrate_newest_id(void)
{
    int newest = 0;
    for (const struct embedded_file *file = embedded_migrations; file->name; file++) {
        int id = migrate_file_id(file->name);
        newest = id > newest ? id : newest;
    }
    return newest;
}

static bool checksum_make(const struct embedded_file *file, char hex[MIGRATE_CHECKSUM_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (!EVP_Digest(file->data, file->size, digest, &length, EVP_sha256(), NULL))
        return false;
    for (unsigned int i = 0; i < length && 2 * i + 2 < MIGRATE_CHECKSUM_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return true;
}

static bool step_from_file(struct migrate_step *step, const struct embedded_file *file)
{
    *step = (struct migrate_step){.id = migrate_file_id(file->name), .file = file, .state = MIGRATE_PENDING};
    text_copy(step->name, sizeof step->name, file->name, strlen(file->name) - strlen(".sql"));
    return checksum_make(file, step->checksum);
}

/* A row of an id no file has, or the row that belongs to step. */
static void step_add_row(struct migrate_step *step, const struct migrate_row *row)
{
    snprintf(step->applied_at, sizeof step->applied_at, "%s", row->applied_at);
    if (!step->file) {
        step->id = row->id;
        snprintf(step->name, sizeof step->name, "%s", row->name);
        step->state = MIGRATE_UNKNOWN;
        return;
    }
    step->adopt = row->checksum[0] == '\0';
    bool same_text = step->adopt || strcmp(row->checksum, step->checksum) == 0;
    bool same = same_text && strcmp(row->name, step->name) == 0;
    step->state = same ? MIGRATE_APPLIED : MIGRATE_CHANGED;
}

static int by_id(const void *a, const void *b)
{
    const struct migrate_step *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

int migrate_compare(const struct embedded_file *files, const struct migrate_row *rows, size_t row_count,
                    struct migrate_step **steps)
{
    size_t count = 0, file_count = 0;
    while (files[file_count].name)
        file_count++;
    struct migrate_step *list = calloc(file_count + row_count + 1, sizeof *list);
    if (!list)
        return -1;
    for (size_t i = 0; i < file_count; i++) {
        if (migrate_file_id(files[i].name) > 0 && !step_from_file(&list[count++], &files[i])) {
            free(list);
            return -1;
        }
    }
    size_t from_files = count;
    for (size_t i = 0; i < row_count; i++) {
        size_t at = 0;
        while (at < from_files && list[at].id != rows[i].id)
            at++;
        step_add_row(at < from_files ? &list[at] : &list[count++], &rows[i]);
    }
    qsort(list, count, sizeof *list, by_id);
    *steps = list;
    return (int)count;
}

/* ---- the database ---- */

/* Runs one statement and forgets its rows. */
static bool run(PGconn *db, const char *sql, char error[MIGRATE_ERROR_BYTES])
{
    PGresult *res = PQexec(db, sql);
    ExecStatusType status = PQresultStatus(res);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!ok)
        fail_server(db, res, error);
    PQclear(res);
    return ok;
}

/* One value of one row; NULL (error filled in) when the statement failed. The
 * caller frees it. SQL null gives "". */
static char *ask(PGconn *db, const char *sql, char error[MIGRATE_ERROR_BYTES])
{
    char *value = NULL;
    PGresult *res = PQexec(db, sql);
    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1)
        fail_server(db, res, error);
    else if (!(value = strdup(PQgetvalue(res, 0, 0))))
        fail(error, "out_of_memory: there is none left");
    PQclear(res);
    return value;
}

static bool ask_bool(PGconn *db, const char *sql, bool *answer, char error[MIGRATE_ERROR_BYTES])
{
    char *value = ask(db, sql, error);
    if (!value)
        return false;
    *answer = value[0] == 't';
    free(value);
    return true;
}

static bool rows_read(PGconn *db, struct migrate_row **rows, size_t *count, char error[MIGRATE_ERROR_BYTES])
{
    bool present = false;
    *rows = NULL;
    *count = 0;
    if (!ask_bool(db, "select to_regclass('herald.migrations') is not null", &present, error))
        return false;
    if (!present)
        return true;
    PGresult *res = PQexec(db, "select id, name, coalesce(checksum, ''),"
                               " to_char(applied_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"')"
                               " from herald.migrations order by id");
    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        fail_server(db, res, error);
        PQclear(res);
        return false;
    }
    size_t n = (size_t)PQntuples(res);
    *rows = calloc(n + 1, sizeof **rows);
    if (!*rows) {
        PQclear(res);
        return fail(error, "out_of_memory: there is none left");
    }
    for (size_t i = 0; i < n; i++) {
        struct migrate_row *row = &(*rows)[i];
        row->id = atoi(PQgetvalue(res, (int)i, 0));
        snprintf(row->name, sizeof row->name, "%s", PQgetvalue(res, (int)i, 1));
        snprintf(row->checksum, sizeof row->checksum, "%s", PQgetvalue(res, (int)i, 2));
        snprintf(row->applied_at, sizeof row->applied_at, "%s", PQgetvalue(res, (int)i, 3));
    }
    *count = n;
    PQclear(res);
    return true;
}

/* The steps of this database; the caller frees them. -1: error tells why. */
static int steps_read(PGconn *db, struct migrate_step **steps, char error[MIGRATE_ERROR_BYTES])
{
    struct migrate_row *rows = NULL;
    size_t row_count = 0;
    if (!rows_read(db, &rows, &row_count, error))
        return -1;
    int count = migrate_compare(embedded_migrations, rows, row_count, steps);
    free(rows);
    if (count < 0)
        fail(error, "out_of_memory: there is none left");
    return count;
}

/* Says no to a database that this program must not touch. */
static bool steps_allowed(const struct migrate_step *steps, int count, char error[MIGRATE_ERROR_BYTES])
{
    for (int i = 0; i < count; i++) {
        if (steps[i].state == MIGRATE_UNKNOWN)
            return fail(
                error,
                "schema_newer: the database has migration %d (%s), and this program knows them up to %d only:"
                " use the pgherald that applied it, or a newer one",
                steps[i].id, steps[i].name, migrate_newest_id());
        if (steps[i].state == MIGRATE_CHANGED)
            return fail(error,
                        "migration_changed: %s.sql is not the file that was applied on %s: its text or name "
                        "has changed since."
                        " Put the file back as it was and make the change in a new migration",
                        steps[i].name, steps[i].applied_at);
    }
    return true;
}

/* Gives rows applied by psql the checksum of their file. */
static bool step_set_checksum(PGconn *db, const struct migrate_step *step, char error[MIGRATE_ERROR_BYTES])
{
    char id[16];
    const char *params[] = {id, step->checksum};
    snprintf(id, sizeof id, "%d", step->id);
    PGresult *res = PQexecParams(db, "update herald.migrations set checksum = $2 where id = $1", 2, NULL,
                                 params, NULL, NULL, 0);
    bool ok = PQresultStatus(res) == PGRES_COMMAND_OK;
    if (!ok)
        fail_server(db, res, error);
    else if (!(ok = strcmp(PQcmdTuples(res), "1") == 0))
        fail(error, "migration_failed: %s.sql does not insert its id %d into herald.migrations", step->name,
             step->id);
    PQclear(res);
    return ok;
}

/* The privileges a migration needs, checked first: the server's own words for a
 * missing one come late and do not say what to do. */
static bool privileges_allowed(PGconn *db, char error[MIGRATE_ERROR_BYTES])
{
    static const struct {
        const char *missing; /* asks whether it is */
        const char *fault;
        const char *remedy; /* asks for what to do */
    } needs[] = {
        {"select to_regnamespace('herald') is null"
         " and not has_database_privilege(current_database(), 'create')",
         "may not create a schema in this database",
         "select format('As an administrator: grant create on database %I to %I', current_database(), current_user)"},
        {"select exists (select from pg_namespace where nspname = 'herald'"
         " and not pg_has_role(nspowner, 'usage'))",
         "does not own the schema herald",
         /* The relay's own role is often the one that tries, and must not get the tables. */
         "select format('Run pgherald migrate as the owner, %1$I; or, if %2$I is not the relay''s role, as an "
         "administrator: grant %1$I to %2$I', pg_get_userbyid(nspowner), current_user)"
         " from pg_namespace where nspname = 'herald'"},
        {"select (select count(*) from pg_roles where rolname in ('herald_relay', 'herald_app')) < 2"
         " and not exists (select from pg_roles where rolname = current_user and (rolcreaterole or "
         "rolsuper))",
         "may not create the roles herald_relay and herald_app",
         "select format('As an administrator: alter role %I createrole', current_user)"
         " || ', or: create role herald_relay nologin; create role herald_app nologin'"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        bool missing = false;
        if (!ask_bool(db, needs[i].missing, &missing, error))
            return false;
        if (!missing)
            continue;
        char *remedy = ask(db, needs[i].remedy, error);
        if (remedy)
            fail(error, "migrate_not_allowed: role \"%s\" %s. %s", PQuser(db), needs[i].fault, remedy);
        free(remedy);
        return false;
    }
    return true;
}

/* The line of text that the character at position (from 1) is on. */
static int line_at(const struct embedded_file *file, long position)
{
    int line = 1;
    long character = 0;
    for (size_t i = 0; i < file->size; i++) {
        if ((file->data[i] & 0xc0) != 0x80 && ++character >= position)
            break;
        line += file->data[i] == '\n';
    }
    return line;
}

static enum step_result file_fail(PGconn *db, const struct migrate_step *step, const PGresult *res,
                                  char error[MIGRATE_ERROR_BYTES])
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *position = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
    char reason[MIGRATE_ERROR_BYTES];
    server_says(db, res, reason);
    if (state && (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0)) {
        fail(error, "table_in_use: %s.sql: %.900s", step->name, reason);
        return STEP_LOCKED;
    }
    if (position)
        fail(error, "migration_failed: %s.sql:%d: %.900s", step->name,
             line_at(step->file, strtol(position, NULL, 10)), reason);
    else
        fail(error, "migration_failed: %s.sql: %.900s", step->name, reason);
    return STEP_FAILED;
}

static enum step_result file_run(PGconn *db, const struct migrate_step *step, char error[MIGRATE_ERROR_BYTES])
{
    PGresult *res = PQexec(db, (const char *)step->file->data);
    ExecStatusType status = PQresultStatus(res);
    enum step_result result = STEP_APPLIED;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        result = file_fail(db, step, res, error);
    PQclear(res);
    if (result == STEP_APPLIED && !step_set_checksum(db, step, error))
        result = STEP_FAILED;
    return result;
}

/* Whether the rows have transaction ids of another cluster, as after a restore. */
static bool ask_foreign(PGconn *db, bool *foreign, char error[MIGRATE_ERROR_BYTES])
{
    return ask_bool(db,
                    "select not exists (select from herald.state s, pg_control_system() c"
                    " where s.system_identifier = c.system_identifier)",
                    foreign, error);
}

/* Nothing is pending: makes rows of another cluster this one's. */
static enum step_result rows_restamp(PGconn *db, char *what, char error[MIGRATE_ERROR_BYTES])
{
    bool foreign = false;
    if (!ask_foreign(db, &foreign, error))
        return STEP_FAILED;
    if (!foreign)
        return STEP_DONE;
    PGresult *res = PQexec(db, "select herald.restamp()");
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    enum step_result result = STEP_FAILED;
    if (PQresultStatus(res) == PGRES_TUPLES_OK) {
        snprintf(what, MIGRATE_WHAT_BYTES, "re-stamped the rows of another cluster: %s notifications changed",
                 PQgetvalue(res, 0, 0));
        result = STEP_APPLIED;
    } else {
        fail_server(db, res, error);
        result = state && strcmp(state, "55P03") == 0 ? STEP_LOCKED : STEP_FAILED;
    }
    PQclear(res);
    return result;
}

/* Inside the transaction that has the lock: adopts rows, then applies the first
 * pending file. what (MIGRATE_WHAT_BYTES) gets what was done. */
static enum step_result step_next(PGconn *db, char *what, char error[MIGRATE_ERROR_BYTES])
{
    struct migrate_step *steps = NULL;
    enum step_result result = STEP_FAILED;
    int count = 0, pending = -1;
    if (!privileges_allowed(db, error))
        goto out;
    count = steps_read(db, &steps, error);
    if (count < 0 || !steps_allowed(steps, count, error))
        goto out;
    for (int i = count - 1; i >= 0; i--)
        pending = steps[i].state == MIGRATE_PENDING ? i : pending;
    for (int i = 0; i < count; i++) {
        if (steps[i].adopt && !step_set_checksum(db, &steps[i], error))
            goto out;
    }
    if (pending < 0) {
        result = rows_restamp(db, what, error);
        goto out;
    }
    snprintf(what, MIGRATE_WHAT_BYTES, "applied %s", steps[pending].name);
    result = file_run(db, &steps[pending], error);
out:
    free(steps);
    return result;
}

static enum step_result transaction_run(PGconn *db, char *what, char error[MIGRATE_ERROR_BYTES])
{
    static const char begin[] = "begin isolation level read committed read write;"
                                " set local statement_timeout = 0;"
                                " set local idle_in_transaction_session_timeout = 0;"
                                " set local search_path = pg_catalog, pg_temp;"
                                " set local client_min_messages = warning";
    char timeout[96], lock[96], ignored[MIGRATE_ERROR_BYTES];
    bool mine = false;
    enum step_result result = STEP_FAILED;
    snprintf(timeout, sizeof timeout, "set local lock_timeout = %d", LOCK_TIMEOUT_MS);
    snprintf(lock, sizeof lock, "select pg_try_advisory_xact_lock(%d, 0)", LOCK_CLASS);
    if (run(db, begin, error) && run(db, timeout, error) && ask_bool(db, lock, &mine, error))
        result = mine ? step_next(db, what, error) : STEP_BUSY;
    if (result != STEP_APPLIED && result != STEP_DONE)
        run(db, "rollback", ignored);
    else if (!run(db, "commit", error))
        result = STEP_FAILED;
    return result;
}

static bool server_allowed(PGconn *db, char error[MIGRATE_ERROR_BYTES])
{
    bool standby = false;
    int version = PQserverVersion(db);
    if (version < OLDEST_SERVER)
        return fail(error, "server_too_old: PostgreSQL 14 or newer is needed; this server is version %d",
                    version / 10000);
    if (!ask_bool(db, "select pg_is_in_recovery()", &standby, error))
        return false;
    return !standby ||
           fail(error, "not_primary: this server is a standby and read-only: connect to the primary");
}

/* Adds to the error who has the tables. */
static bool fail_in_use(PGconn *db, char error[MIGRATE_ERROR_BYTES])
{
    char reason[MIGRATE_ERROR_BYTES], ignored[MIGRATE_ERROR_BYTES];
    char *pids =
        ask(db,
            "select string_agg(distinct l.pid::text, ', ') from pg_locks l"
            " join pg_class c on c.oid = l.relation"
            " where l.granted and l.pid <> pg_backend_pid() and c.relnamespace = to_regnamespace('herald')"
            " and l.database = (select d.oid from pg_database d where d.datname = current_database())",
            ignored);
    text_copy(reason, sizeof reason, error, strlen(error));
    fail(error,
         "%.700s. Its table is in use by a transaction that does not end%s%.100s: end it, or use --wait",
         reason, pids && *pids ? "; process " : "", pids ? pids : "");
    free(pids);
    return false;
}

bool migrate_apply(PGconn *db, int wait_s, FILE *progress, char error[MIGRATE_ERROR_BYTES])
{
    char what[MIGRATE_WHAT_BYTES] = "";
    long waited_ms = 0;
    bool told = false;
    if (!server_allowed(db, error))
        return false;
    for (;;) {
        long pause_ms = 0;
        switch (transaction_run(db, what, error)) {
        case STEP_APPLIED:
            waited_ms = 0;
            if (progress)
                fprintf(progress, "%s\n", what);
            break;
        case STEP_DONE:
            return true;
        case STEP_BUSY:
            if (progress && !told)
                fprintf(progress, "another pgherald is migrating this database: waiting for it\n");
            told = true;
            pause_ms = BUSY_PAUSE_MS;
            break;
        case STEP_LOCKED:
            waited_ms += LOCK_TIMEOUT_MS;
            if (waited_ms > wait_s * 1000L)
                return fail_in_use(db, error);
            if (progress)
                fprintf(progress, "%s: trying again\n", error);
            pause_ms = LOCK_PAUSE_MS;
            waited_ms += pause_ms;
            break;
        case STEP_FAILED:
            return false;
        }
        if (progress)
            fflush(progress);
        sleep_ms(pause_ms);
    }
}

bool migrate_status(PGconn *db, FILE *out, bool *up_to_date, char error[MIGRATE_ERROR_BYTES])
{
    static const char *const words[] = {"applied", "pending", "changed", "unknown"};
    struct migrate_step *steps = NULL;
    int count = steps_read(db, &steps, error);
    if (count < 0)
        return false;
    *up_to_date = true;
    fprintf(out, "%4s  %-32s  %-8s  %s\n", "id", "name", "state", "when");
    for (int i = 0; i < count; i++) {
        fprintf(out, "%4d  %-32s  %-8s  %s\n", steps[i].id, steps[i].name, words[steps[i].state],
                steps[i].applied_at[0] ? steps[i].applied_at : "-");
        *up_to_date = *up_to_date && steps[i].state == MIGRATE_APPLIED;
    }
    free(steps);
    if (!*up_to_date)
        return true;
    bool foreign = false;
    if (!ask_foreign(db, &foreign, error))
        return false;
    if (foreign)
        fprintf(out, "pending: the rows come from another cluster and have to be re-stamped\n");
    *up_to_date = !foreign;
    return true;
}
