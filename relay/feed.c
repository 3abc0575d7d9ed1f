/* The feed: what has changed since the last look comes in from herald.feed(), and
 * goes to the sink. One connection listens, owns a doorbell key and asks; while it
 * holds its key ("armed") it sleeps until a bell rings, and looks once a second for
 * safety. Without the key it asks again and again. feed_pace.c decides which, and
 * docs/ARCHITECTURE.md says why nothing is lost. */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cursor.h"
#include "feed_counting.h"
#include "feed_pace.h"
#include "feed_place.h"
#include "feed_row.h"
#include "log.h"
#include "memory.h"
#include "migrate.h"
#include "pg_link.h"
#include "pooler_check.h"

enum {
    SLICE_ROWS = 256,     /* handled in one loop turn, */
    SLICE_BYTES = 262144, /* or so much of them */
    GATHERED = 8,         /* of them looked at before the first is handled */
    WATCHDOG_MS = 1000,
    HANG_MS = 10000,      /* a statement without an answer: the connection is given up */
    USAGE_PERIOD_MS = 5000,
    KEY_PERIOD_MS = 5000, /* a relay without a key asks for one this often */
    KEYS = 4,
    KEY_CLASS_BELL = 1212502606,  /* held exclusively while armed; see herald's trigger */
    KEY_CLASS_OWNER = 1212502607, /* held while connected: this key is ours */
};

/* What is being asked; one statement at a time. */
enum step {
    STEP_NONE,
    STEP_SETUP,
    STEP_POOLER,  /* the bell of our own is awaited */
    STEP_UNHEARD, /* it was not heard in time: the answer before which it has to come */
    STEP_EPOCH,
    STEP_PREPARE,
    STEP_KEY,
    STEP_BEGIN, /* the first snapshot ever */
    STEP_LOOK,  /* the feed query */
    STEP_ARM,
    STEP_DISARM,
    STEP_CHECK, /* who waits for the NOTIFY lock */
    STEP_USAGE,
};

/* A server that cannot reach this relay any more gives its doorbell key back after the times of tcp_…: until then
 * writers would ring for nobody. */
static const char setup_sql[] =
    "set search_path = pg_catalog; set enable_seqscan = off; set enable_bitmapscan = off; "
    "set plan_cache_mode = force_generic_plan; set jit = off; set max_parallel_workers_per_gather = 0; "
    "set statement_timeout = 0; set idle_session_timeout = 0; set tcp_keepalives_idle = 5; "
    "set tcp_keepalives_interval = 3; set tcp_keepalives_count = 3; set tcp_user_timeout = '15s'; listen herald";
/* A text of FEED_HEADER_PARTS; its time and its last part are those of the look itself. */
#define HEADER(snapshot, xmin, insert_lsn, flush_lsn) \
    "concat_ws(' ', " snapshot ", " xmin ", " insert_lsn ", " flush_lsn ", " \
    "(extract(epoch from statement_timestamp()) * 1000000)::bigint, " \
    "pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot()))"
#define FEED_SQL(function) \
    "select kind, user_id, id, version, " \
    "case kind when 'h' then " HEADER("snapshot", "xmin", "insert_lsn", "flush_lsn") " else body end, unread " \
    "from herald." function "($1::pg_snapshot, $2)"
static const char prepare_sql[] = "prepare feed (text, int) as " FEED_SQL("feed")
                                  "; prepare feed_settled (text, int) as " FEED_SQL("feed_settled");
static const char begin_sql[] = "select 'h', null, null, null, "
    HEADER("pg_current_snapshot()", "pg_snapshot_xmin(pg_current_snapshot())",
           "pg_current_wal_insert_lsn() - '0/0'::pg_lsn", "pg_current_wal_flush_lsn() - '0/0'::pg_lsn") ", null";

struct feed {
    uv_loop_t *loop;
    const struct config *config;
    struct change_sink sink;
    void (*fatal)(void *owner, const char *why);
    void *owner;

    struct pg_link link;
    struct pooler_check *pooler_check; /* until it has passed */
    enum step step;
    bool live;
    struct feed_pace pace;
    bool resync_due;  /* another history begins: everybody is told anew */
    int key;          /* 0…3, or -1 */
    uint64_t key_at_ms, usage_at_ms;
    uint64_t heard_ms; /* last bytes of the running statement */

    struct feed_place place;
    bool settled; /* place.newest is known to have no transaction in progress */
    char cursor[CURSOR_TEXT_SIZE]; /* of place.newest */
    uint32_t epoch;
    bool header_seen; /* of the running look */
    int rows;
    struct feed_counting counting;
    int count_rows; /* of the running look */
    bool paused;
    size_t slice_bytes; /* handled in this loop turn */
    struct feed_header header; /* its text is in header_snapshot */
    char *header_snapshot;

    struct look_times times; /* of the running look */
    int64_t looked_us;       /* when the last one that is done was sent; 0: none */
    uint64_t changes[FEED_CHANGES];
    uint64_t bells;
    struct histogram looks;
    double queue_usage;

    uv_timer_t timer;    /* when the pace wants to be asked again */
    uv_timer_t watchdog;
    uv_idle_t more;      /* rows are left after a slice */
};

static void go_on(struct feed *feed);

/* ---- asking ---- */

static void say_state(struct feed *feed, bool live, const char *why)
{
    feed->live = live;
    feed->sink.state(feed->sink.owner, live, why);
}

static void asked(struct feed *feed, enum step step, int accepted)
{
    feed->step = step;
    feed->heard_ms = clock_now_ms();
    if (!accepted)
        link_restart(&feed->link, PQerrorMessage(feed->link.conn));
    else
        link_flush(&feed->link);
}

static void ask(struct feed *feed, enum step step, const char *sql)
{
    asked(feed, step, PQsendQuery(feed->link.conn, sql));
}

static void look(struct feed *feed)
{
    char count_rows[12];
    const char *values[] = {feed->place.newest.snapshot, count_rows};
    unsigned missed_bells = feed->pace.missed_bells;
    pace_looking(&feed->pace, clock_now_ms());
    if (feed->pace.missed_bells != missed_bells)
        log_debug("bell_missed", LOG_INT("count", feed->pace.missed_bells));
    feed->header_seen = false;
    feed->rows = 0;
    feed->count_rows = counting_rows(&feed->counting);
    snprintf(count_rows, sizeof(count_rows), "%d", feed->count_rows);
    feed->times.asked_us = clock_now_us();
    feed->times.database_us = 0; /* until its header comes */
    int accepted = PQsendQueryPrepared(feed->link.conn, feed->settled ? "feed_settled" : "feed", 2, values, NULL, NULL, 0) &&
                   PQsetSingleRowMode(feed->link.conn);
    asked(feed, STEP_LOOK, accepted);
}

static void ask_for_key(struct feed *feed)
{
    char sql[224];
    snprintf(sql, sizeof(sql),
             "select k from (select (n + %ld) %% %d as k from generate_series(0, %d) n) keys "
             "where pg_try_advisory_lock(%d, k) limit 1",
             random() % KEYS, KEYS, KEYS - 1, KEY_CLASS_OWNER);
    ask(feed, STEP_KEY, sql);
}

static void ask_to_arm(struct feed *feed)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "select pg_try_advisory_lock(%d, %d)", KEY_CLASS_BELL, feed->key);
    ask(feed, STEP_ARM, sql);
}

static void ask_to_disarm(struct feed *feed)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "select pg_advisory_unlock(%d, %d)", KEY_CLASS_BELL, feed->key);
    ask(feed, STEP_DISARM, sql);
}

/* PostgreSQL locks database 0 for it (1262 is pg_database), until the commit is flushed. */
static void ask_who_waits(struct feed *feed)
{
    ask(feed, STEP_CHECK, "select exists (select from pg_locks where locktype = 'object' and database = 0 "
                          "and classid = 1262 and objid = 0 and not granted)");
}

/* ---- a look's rows ---- */

static const struct {
    enum change_kind kind;
    const char *word;
} change_table[FEED_CHANGES] = {{CHANGE_NEW, "new"},         {CHANGE_UPDATED, "updated"},
                                {CHANGE_DELETED, "deleted"}, {CHANGE_TRUNCATED, "truncated"},
                                {CHANGE_MESSAGE, "message"}, {CHANGE_DISCONNECT, "disconnect"}};

const char *feed_change_word(int number)
{
    return change_table[number].word;
}

static int change_number(enum change_kind kind)
{
    int number = 0;
    while (number < FEED_CHANGES - 1 && change_table[number].kind != kind)
        number++;
    return number;
}

static void take_header(struct feed *feed, const struct feed_header *header)
{
    free(feed->header_snapshot);
    feed->header_snapshot = memory_copy(header->snapshot.bytes, header->snapshot.size);
    feed->header = *header;
    feed->header.snapshot.bytes = feed->header_snapshot;
    feed->times.database_us = (int64_t)header->now_us;
    feed->header_seen = true;
}

static void hand_on(struct feed *feed, const struct change *change)
{
    bool here = feed->sink.change(feed->sink.owner, change);
    bool countable = change->kind == CHANGE_NEW || change->kind == CHANGE_UPDATED || change->kind == CHANGE_DELETED;
    if (countable && feed->rows < feed->count_rows) /* the header is the first of the rows */
        counting_was(&feed->counting, here && change->counted);
}

/* False: the row is none of herald.feed()'s. */
static bool take_row(struct feed *feed, const PGresult *result)
{
    struct text columns[FEED_COLUMNS] = {{0}};
    for (int i = 0; i < FEED_COLUMNS && i < PQnfields(result); i++)
        if (!PQgetisnull(result, 0, i))
            columns[i] = (struct text){PQgetvalue(result, 0, i), (size_t)PQgetlength(result, 0, i)};

    struct feed_header header;
    struct change change;
    switch (feed_row_read(columns, &header, &change)) {
    case FEED_ROW_HEADER:
        take_header(feed, &header);
        return true;
    case FEED_ROW_CHANGE:
        change.cursor = feed->cursor;
        change.times = &feed->times;
        feed->changes[change_number(change.kind)]++;
        feed->rows++;
        feed->slice_bytes += change.body.size;
        hand_on(feed, &change);
        return true;
    case FEED_ROW_BAD:
        break;
    }
    return false;
}

/* All rows of the window have been handed on: only now does the feed stand at its end. */
static void window_done(struct feed *feed)
{
    feed_place_advance(&feed->place, &feed->header);
    feed->settled = feed->header.settled;
    feed->times.previous_us = feed->times.database_us;
    feed->looked_us = feed->times.asked_us;
    cursor_format((struct cursor){feed->epoch, feed->header.xmin}, feed->cursor);
    if (feed->resync_due)
        feed->sink.resync(feed->sink.owner, feed->cursor);
    else
        feed->sink.window(feed->sink.owner, feed->cursor);
    feed->resync_due = false;
    if (!feed->live) {
        feed->link.attempts = 0;
        log_info("feed_live", LOG_INT("key", feed->key), LOG_INT("changes", feed->rows));
        say_state(feed, true, "");
    }
}

/* ---- answers ---- */

/* False, and the link was restarted: a schema older than the program. A newer one serves older relays. */
static bool schema_allowed(struct feed *feed, int version)
{
    char why[LINK_WHY_SIZE];
    if (version >= migrate_newest_id())
        return true;
    snprintf(why, sizeof(why), "run `pgherald migrate`: the schema has migration %d, this relay needs %d",
             version, migrate_newest_id());
    link_restart(&feed->link, why);
    return false;
}

static void take_epoch(struct feed *feed, const char *epoch)
{
    enum feed_move move = feed_place_enter(&feed->place, epoch);
    feed->settled = false; /* it may be another snapshot now */
    feed->epoch = cursor_epoch(epoch);
    if (feed->place.newest.snapshot)
        cursor_format((struct cursor){feed->epoch, feed->place.newest.xmin}, feed->cursor);
    switch (move) {
    case FEED_MOVE_ON:
        break;
    case FEED_MOVE_BACK:
        log_warn("feed_moved_back", LOG_STR("why", "the database crashed: going on from what was durable"));
        feed->times.previous_us = 0; /* it says nothing of what comes again */
        /* What was told since may never have been, and the same versions may come again. */
        feed->sink.resync(feed->sink.owner, feed->cursor);
        break;
    case FEED_MOVE_RESYNC:
        log_warn("feed_resync", LOG_STR("why", "the database has another history"));
        feed->resync_due = true; /* not before there is a snapshot that what is read then cannot precede */
        break;
    }
}

static void take_key(struct feed *feed, const PGresult *result)
{
    feed->key_at_ms = clock_now_ms();
    feed->key = PQntuples(result) == 1 ? atoi(PQgetvalue(result, 0, 0)) : -1;
    pace_key(&feed->pace, feed->key >= 0);
    if (feed->key < 0 && !feed->live)
        log_info("feed_polls", LOG_STR("why", "all doorbell keys are taken by other relays"));
}

static bool is_true(const PGresult *result)
{
    return PQgetvalue(result, 0, 0)[0] == 't';
}

static void take_arm(struct feed *feed, const PGresult *result)
{
    pace_arm_answered(&feed->pace, clock_now_ms(), is_true(result));
    if (is_true(result))
        log_debug("feed_armed", LOG_INT("key", feed->key));
}

static void take_disarm(struct feed *feed)
{
    pace_disarmed(&feed->pace, clock_now_ms());
    log_debug("feed_disarmed", LOG_INT("key", feed->key), LOG_INT("hold_ms", feed->pace.hold_ms));
}

static void take_usage(struct feed *feed, const PGresult *result)
{
    feed->usage_at_ms = clock_now_ms();
    feed->queue_usage = strtod(PQgetvalue(result, 0, 0), NULL);
    if (feed->queue_usage > 0.5)
        log_warn("notify_queue_filling", LOG_INT("percent", feed->queue_usage * 100));
}

/* False: the link was restarted. */
static bool take_result(struct feed *feed, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_SINGLE_TUPLE) {
        link_restart_for(&feed->link, result);
        return false;
    }
    if (status == PGRES_COMMAND_OK)
        return true;
    if (PQntuples(result) == 1 && (feed->step == STEP_LOOK || feed->step == STEP_BEGIN)) {
        if (take_row(feed, result))
            return true;
        link_restart(&feed->link, "herald.feed() gave a row of unknown form: is the schema another version's?");
        return false;
    }
    if (feed->step == STEP_EPOCH) {
        if (!schema_allowed(feed, atoi(PQgetvalue(result, 0, 1))))
            return false;
        take_epoch(feed, PQgetvalue(result, 0, 0));
    } else if (feed->step == STEP_KEY)
        take_key(feed, result);
    else if (feed->step == STEP_ARM)
        take_arm(feed, result);
    else if (feed->step == STEP_DISARM)
        take_disarm(feed);
    else if (feed->step == STEP_CHECK)
        pace_checked(&feed->pace, clock_now_ms(), is_true(result));
    else if (feed->step == STEP_USAGE)
        take_usage(feed, result);
    return true;
}

/* ---- what comes next ---- */

static void on_timer(uv_timer_t *timer);

/* Nothing to look at: time for what is done now and then. */
static void rest(struct feed *feed, uint64_t wait_ms)
{
    uint64_t now_ms = clock_now_ms();
    if (now_ms - feed->usage_at_ms >= USAGE_PERIOD_MS)
        ask(feed, STEP_USAGE, "select pg_notification_queue_usage()");
    else if (feed->key < 0 && feed->config->feed != FEED_POLL && now_ms - feed->key_at_ms >= KEY_PERIOD_MS)
        ask_for_key(feed);
    else
        uv_timer_start(&feed->timer, on_timer, wait_ms, 0);
}

static void next_step(struct feed *feed)
{
    uint64_t wait_ms = 0;
    switch (pace_next(&feed->pace, clock_now_ms(), &wait_ms)) {
    case PACE_LOOK:
        look(feed);
        return;
    case PACE_WAIT:
        rest(feed, wait_ms);
        return;
    case PACE_ARM:
        ask_to_arm(feed);
        return;
    case PACE_DISARM:
        ask_to_disarm(feed);
        return;
    case PACE_CHECK:
        ask_who_waits(feed);
        return;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct feed *feed = timer->data;
    if (feed->step == STEP_NONE && feed->link.state == LINK_UP)
        next_step(feed);
}

static void begin(struct feed *feed)
{
    feed->times.asked_us = clock_now_us();
    ask(feed, STEP_BEGIN, begin_sql);
}

/* Transactions to come have ids that S holds for finished. */
static void begin_anew(struct feed *feed)
{
    log_warn("feed_resync", LOG_STR("why", "the database is older than it was: a copy was put back"));
    feed_place_forget(&feed->place);
    feed->resync_due = true;
    begin(feed);
}

static void after_look(struct feed *feed)
{
    if (!feed->header_seen) {
        link_restart(&feed->link, "herald.feed() gave no header: is the schema another version's?");
        return;
    }
    if (feed_place_is_ahead(&feed->place, &feed->header)) {
        begin_anew(feed);
        return;
    }
    window_done(feed);
    histogram_count(&feed->looks, &histogram_times, (uint64_t)(clock_now_us() - feed->times.asked_us));
    pace_looked(&feed->pace, clock_now_ms(), feed->rows);
    next_step(feed);
}

static void start_looking(struct feed *feed)
{
    if (feed->place.newest.snapshot)
        look(feed);
    else
        begin(feed);
}

static void after_begin(struct feed *feed)
{
    window_done(feed);
    look(feed);
}

/* Anybody can send any payload: it proves nothing, and is looked at for the self-test only. Other bells say nothing
 * until then: everything is still to be looked at. */
static void hear_own_bell(struct feed *feed)
{
    PGnotify *bell;
    while (feed->pooler_check && (bell = PQnotifies(feed->link.conn))) {
        if (pooler_check_hear(feed->pooler_check, bell->extra)) {
            pooler_check_close(feed->pooler_check);
            feed->pooler_check = NULL;
        }
        PQfreemem(bell);
    }
}

static void after_unheard(struct feed *feed)
{
    hear_own_bell(feed);
    if (feed->pooler_check) {
        feed->fatal(feed->owner, "a NOTIFY was not heard: there is a transaction pooler (PgBouncer?) between; "
                                 "give HERALD_DATABASE_URL a direct connection");
        return;
    }
    feed->step = STEP_POOLER;
    go_on(feed);
}

/* The running statement is over: the next one. */
static void go_on(struct feed *feed)
{
    enum step done = feed->step;
    feed->step = STEP_NONE;
    switch (done) {
    case STEP_NONE:
        return;
    case STEP_SETUP:
        feed->step = STEP_POOLER;
        if (feed->pooler_check)
            pooler_check_ring(feed->pooler_check);
        else
            go_on(feed);
        return;
    case STEP_POOLER:
        ask(feed, STEP_EPOCH, "select herald.relay_epoch(), herald.relay_schema_version()");
        return;
    case STEP_UNHEARD:
        after_unheard(feed);
        return;
    case STEP_EPOCH:
        ask(feed, STEP_PREPARE, prepare_sql);
        return;
    case STEP_PREPARE:
        if (feed->config->feed == FEED_POLL)
            start_looking(feed);
        else
            ask_for_key(feed);
        return;
    case STEP_KEY:
        start_looking(feed);
        return;
    case STEP_BEGIN:
        after_begin(feed);
        return;
    case STEP_LOOK:
        after_look(feed);
        return;
    case STEP_ARM:
    case STEP_DISARM:
    case STEP_CHECK:
    case STEP_USAGE:
        next_step(feed);
        return;
    }
}

/* ---- the connection ---- */

static void hear_bells(struct feed *feed)
{
    PGnotify *bell;
    if (feed->pooler_check) {
        hear_own_bell(feed);
        if (feed->step == STEP_POOLER && !feed->pooler_check)
            go_on(feed);
        return;
    }
    while ((bell = PQnotifies(feed->link.conn))) {
        PQfreemem(bell);
        feed->bells += feed->pace.armed;
        pace_bell(&feed->pace, clock_now_ms());
    }
    if (feed->step == STEP_NONE && feed->live) {
        uv_timer_stop(&feed->timer);
        next_step(feed);
    }
}

/* The next results that have come, NULL the last one of a statement. Returns how many. */
static int gather(struct feed *feed, PGresult *results[GATHERED])
{
    int count = 0;
    size_t bytes = 0;
    PGresult *result;
    do {
        result = PQgetResult(feed->link.conn);
        results[count++] = result;
        if (PQntuples(result) == 1 && feed->step == STEP_LOOK)
            bytes += (size_t)PQgetlength(result, 0, FEED_BODY);
    } while (result && count < GATHERED && bytes < SLICE_BYTES && !PQisBusy(feed->link.conn));
    return count;
}

/* Several are looked for together. */
static void expect_users(struct feed *feed, PGresult *const results[], int count)
{
    if (!feed->sink.expect || count < 2 || feed->step != STEP_LOOK)
        return;
    for (int i = 0; i < count; i++)
        if (results[i] && PQntuples(results[i]) == 1 && !PQgetisnull(results[i], 0, FEED_USER))
            feed->sink.expect(feed->sink.owner, (struct text){PQgetvalue(results[i], 0, FEED_USER),
                                                              (size_t)PQgetlength(results[i], 0, FEED_USER)});
}

/* False: the link was restarted. */
static bool take_results(struct feed *feed, PGresult *const results[], int count)
{
    bool good = true;
    for (int i = 0; i < count; i++) {
        if (good && results[i])
            good = take_result(feed, results[i]);
        else if (good)
            go_on(feed);
        PQclear(results[i]);
    }
    return good;
}

/* Handles what has come, a slice at a time so that the loop goes round. */
static void take_slice(struct feed *feed)
{
    const PGconn *conn = feed->link.conn;
    if (feed->paused)
        return; /* the idle watcher goes on */
    feed->slice_bytes = 0;
    for (int left = SLICE_ROWS; feed->link.conn == conn && feed->link.state == LINK_UP;) {
        if (feed->step == STEP_NONE || feed->step == STEP_POOLER || PQisBusy(feed->link.conn))
            break;
        if (left <= 0 || feed->slice_bytes > SLICE_BYTES)
            return; /* the idle watcher goes on */
        PGresult *results[GATHERED];
        int count = gather(feed, results);
        left -= count;
        expect_users(feed, results, count);
        if (!take_results(feed, results, count))
            break;
    }
    uv_idle_stop(&feed->more);
    if (feed->link.conn == conn && feed->link.state == LINK_UP)
        hear_bells(feed);
}

void feed_pause(struct feed *feed, bool paused)
{
    feed->paused = paused;
}

static void on_more(uv_idle_t *idle)
{
    take_slice(idle->data);
}

static void on_readable(void *owner)
{
    struct feed *feed = owner;
    feed->heard_ms = clock_now_ms();
    uv_idle_start(&feed->more, on_more);
    take_slice(feed);
}

static void on_up(void *owner)
{
    struct feed *feed = owner;
    feed->key = -1;
    pace_start(&feed->pace, feed->config->feed, clock_now_ms());
    ask(feed, STEP_SETUP, setup_sql);
}

static void on_down(void *owner, const char *why)
{
    struct feed *feed = owner;
    feed->step = STEP_NONE;
    uv_timer_stop(&feed->timer);
    uv_idle_stop(&feed->more);
    say_state(feed, false, why);
}

static void on_watchdog(uv_timer_t *timer)
{
    struct feed *feed = timer->data;
    if (feed->link.state == LINK_UP && feed->step != STEP_NONE && feed->step != STEP_POOLER &&
        clock_now_ms() - feed->heard_ms > HANG_MS)
        link_restart(&feed->link, "the database does not answer");
}

static void on_unheard(void *owner)
{
    struct feed *feed = owner;
    if (feed->step == STEP_POOLER) /* else it has to connect again, and the bell is rung again */
        ask(feed, STEP_UNHEARD, "select 1");
}

struct feed *feed_new(uv_loop_t *loop, const struct config *config, struct change_sink sink,
                      void (*fatal)(void *owner, const char *why), void *owner)
{
    struct feed *feed = memory_zero(sizeof(*feed));
    feed->loop = loop;
    feed->config = config;
    feed->sink = sink;
    feed->fatal = fatal;
    feed->owner = owner;
    feed->key = -1;
    feed->link = (struct pg_link){.loop = loop,
                                  .name = "pgherald feed",
                                  .database_url = config->database_url,
                                  .to = {on_up, on_readable, on_down, feed}};
    uv_timer_init(loop, &feed->timer);
    uv_timer_init(loop, &feed->watchdog);
    uv_idle_init(loop, &feed->more);
    feed->timer.data = feed->watchdog.data = feed->more.data = feed;
    uv_timer_start(&feed->watchdog, on_watchdog, WATCHDOG_MS, WATCHDOG_MS);
    feed->pooler_check = pooler_check_new(loop, config->database_url, on_unheard, feed);
    link_start(&feed->link);
    return feed;
}

void feed_close(struct feed *feed)
{
    link_close(&feed->link, NULL);
    if (feed->pooler_check)
        pooler_check_close(feed->pooler_check);
    feed->pooler_check = NULL;
    uv_close((uv_handle_t *)&feed->timer, NULL);
    uv_close((uv_handle_t *)&feed->watchdog, NULL);
    uv_close((uv_handle_t *)&feed->more, NULL);
}

void feed_free(struct feed *feed)
{
    feed_place_free(&feed->place);
    free(feed->header_snapshot);
    free(feed);
}

const char *feed_cursor(const struct feed *feed)
{
    return feed->cursor;
}

bool feed_live(const struct feed *feed)
{
    return feed->live;
}

const char *feed_why(const struct feed *feed)
{
    return feed->link.why;
}

void feed_report(const struct feed *feed, struct feed_report *out)
{
    memcpy(out->changes, feed->changes, sizeof(out->changes));
    out->bells = feed->bells;
    out->missed_bells = feed->pace.missed_bells;
    out->looks = feed->looks;
    out->live = feed->live;
    out->armed = feed->live && feed->pace.armed;
    out->lag_us = feed->looked_us ? (uint64_t)(clock_now_us() - feed->looked_us) : 0;
    out->queue_usage = feed->queue_usage;
}
