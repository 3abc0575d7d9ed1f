/* Families, one after another; see metrics_page.h. */
#include "metrics_page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { PAGE_BYTES = 65536, LINE_BYTES = 512, US = 1000000 };

struct page {
    bool openmetrics;
    char *text; /* owned */
    size_t size, room;
    const char *name;  /* of the family, without the suffix of its samples */
    const char *total; /* that suffix */
};

static void __attribute__((format(printf, 2, 3))) put(struct page *page, const char *format, ...)
{
    if (page->room - page->size < LINE_BYTES) {
        page->room = page->room ? 2 * page->room : PAGE_BYTES;
        page->text = memory_resize(page->text, page->room);
    }
    va_list values;
    va_start(values, format);
    int length = vsnprintf(page->text + page->size, LINE_BYTES, format, values);
    va_end(values);
    page->size += (size_t)(length < LINE_BYTES ? length : LINE_BYTES - 1);
}

/* ---- families ---- */

/* OpenMetrics names a counter without _total, Prometheus' format with it; in both its samples have it. The same
 * goes for _info. */
static void family_with(struct page *page, const char *name, const char *suffix, const char *type, const char *help)
{
    page->name = name;
    page->total = suffix;
    const char *named = page->openmetrics ? "" : suffix;
    put(page, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, named, help, name, named, type);
}

static void counter(struct page *page, const char *name, const char *help)
{
    family_with(page, name, "_total", "counter", help);
}

static void gauge(struct page *page, const char *name, const char *help)
{
    family_with(page, name, "", "gauge", help);
}

/* ---- samples ---- */

static void value(struct page *page, uint64_t number)
{
    put(page, "%s%s %" PRIu64 "\n", page->name, page->total, number);
}

static void value_of(struct page *page, const char *label, const char *word, uint64_t number)
{
    put(page, "%s%s{%s=\"%s\"} %" PRIu64 "\n", page->name, page->total, label, word, number);
}

static void value_of_two(struct page *page, const char *label, const char *word, const char *label2, const char *word2,
                         uint64_t number)
{
    put(page, "%s%s{%s=\"%s\",%s=\"%s\"} %" PRIu64 "\n", page->name, page->total, label, word, label2, word2, number);
}

/* Seconds of microseconds, all digits: a double would lose the last ones of a large sum. */
static void put_seconds(struct page *page, uint64_t us)
{
    put(page, "%" PRIu64 ".%06" PRIu64 "\n", us / US, us % US);
}

static void seconds(struct page *page, uint64_t us)
{
    put(page, "%s%s ", page->name, page->total);
    put_seconds(page, us);
}

static void seconds_of(struct page *page, const char *label, const char *word, uint64_t us)
{
    put(page, "%s%s{%s=\"%s\"} ", page->name, page->total, label, word);
    put_seconds(page, us);
}

/* ---- histograms ---- */

/* label is `name="word",` or "". Times become seconds. */
static void put_buckets(struct page *page, const char *label, const struct histogram_bounds *bounds,
                        const struct histogram *histogram, double unit)
{
    uint64_t below = 0;
    for (int i = 0; i < bounds->count; i++) {
        double bound = (double)bounds->at[i] / unit;
        below += histogram->buckets[i];
        /* OpenMetrics writes whole numbers with a fraction. */
        put(page, "%s_bucket{%sle=\"%.*g%s\"} %" PRIu64 "\n", page->name, label, 15, bound,
            bound >= 1 && bound == (double)(uint64_t)bound ? ".0" : "", below);
    }
    put(page, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", page->name, label, below + histogram->buckets[bounds->count]);
}

static uint64_t count_of(const struct histogram_bounds *bounds, const struct histogram *histogram)
{
    uint64_t count = 0;
    for (int i = 0; i <= bounds->count; i++)
        count += histogram->buckets[i];
    return count;
}

static void times(struct page *page, const struct histogram *histogram)
{
    put_buckets(page, "", &histogram_times, histogram, US);
    put(page, "%s_sum ", page->name);
    put_seconds(page, histogram->sum);
    put(page, "%s_count %" PRIu64 "\n", page->name, count_of(&histogram_times, histogram));
}

static void times_of(struct page *page, const char *label, const char *word, const struct histogram *histogram)
{
    char labels[96];
    snprintf(labels, sizeof(labels), "%s=\"%s\",", label, word);
    put_buckets(page, labels, &histogram_times, histogram, US);
    put(page, "%s_sum{%s=\"%s\"} ", page->name, label, word);
    put_seconds(page, histogram->sum);
    put(page, "%s_count{%s=\"%s\"} %" PRIu64 "\n", page->name, label, word, count_of(&histogram_times, histogram));
}

static void sizes(struct page *page, const struct histogram *histogram)
{
    put_buckets(page, "", &histogram_sizes, histogram, 1);
    put(page, "%s_sum %" PRIu64 "\n%s_count %" PRIu64 "\n", page->name, histogram->sum, page->name,
        count_of(&histogram_sizes, histogram));
}

static void histogram_family(struct page *page, const char *name, const char *help)
{
    family_with(page, name, "", "histogram", help);
}

/* ---- what there is ---- */

static void put_sessions(struct page *page, const struct metrics *metrics)
{
    const struct report_levels *levels = &metrics->levels;
    gauge(page, "pgherald_sessions", "WebSockets and streams (sse) by state; those that are open get notifications.");
    for (int i = 0; i < SESSION_TRANSPORTS; i++)
        for (int j = 0; j < SESSION_STATES; j++)
            value_of_two(page, "transport", session_transport_word(i), "state", session_state_word(j),
                         levels->sessions[i][j]);
    gauge(page, "pgherald_sessions_max", "HERALD_MAX_CONNECTIONS of the workers that run.");
    value(page, levels->sessions_max);
    gauge(page, "pgherald_users", "Users with a connection, for each worker that they are connected to.");
    value(page, levels->users);
    gauge(page, "pgherald_guests", "Connections whose request is being read or answered: no session, or not yet.");
    value(page, levels->guests);
    counter(page, "pgherald_sessions_opened", "Handshakes of WebSockets, and requests for streams (sse), that were accepted.");
    for (int i = 0; i < SESSION_TRANSPORTS; i++)
        value_of(page, "transport", session_transport_word(i), metrics->totals.sessions_opened[i]);
}

static void put_refusals(struct page *page, const struct counters *counters)
{
    counter(page, "pgherald_sessions_closed", "Sessions that ended, by close code and reason.");
    for (int i = 0; i < END_REASONS; i++)
        put(page, "%s_total{code=\"%d\",reason=\"%s\"} %" PRIu64 "\n", page->name, end_reason_code((enum end_reason)i),
            end_reason_word(i), counters->sessions_closed[i]);
    counter(page, "pgherald_handshakes_refused", "Requests answered with an error before they became sessions.");
    for (int i = 0; i < REFUSALS; i++) { /* the word has the status in front */
        const char *word = strchr(refusal_word(i), '_');
        put(page, "%s_total{status=\"%d\",reason=\"%s\"} %" PRIu64 "\n", page->name, refusal_status((enum refusal)i),
            word + 1, counters->handshakes_refused[i]);
    }
    counter(page, "pgherald_sockets_dropped", "Connections closed without a word.");
    value_of(page, "reason", "out_of_files", counters->sockets_dropped[DROPPED_OUT_OF_FILES]);
    value_of(page, "reason", "proxy_header", counters->sockets_dropped[DROPPED_PROXY_HEADER]);
}

static void put_logins(struct page *page, const struct counters *counters)
{
    counter(page, "pgherald_logins", "Tokens that were verified: ok, or why they were refused.");
    for (int i = 0; i < LOGIN_RESULTS; i++)
        value_of(page, "result", login_result_word(i), counters->logins[i]);
    counter(page, "pgherald_user_lookups", "Users of tokens, by where they were found.");
    value_of(page, "from", "memory", counters->lookups[LOOKUP_KNOWN]);
    value_of(page, "from", "database", counters->lookups[LOOKUP_ASKED]);
    counter(page, "pgherald_user_lookup_statements", "Statements that looked users up, many at a time.");
    value(page, counters->lookups[LOOKUP_STATEMENTS]);
}

static void put_messages(struct page *page, const struct report_totals *totals)
{
    counter(page, "pgherald_messages_received", "Messages of clients by type; invalid: no command could be made of it.");
    for (int i = 0; i <= COMMAND_TYPES; i++)
        value_of(page, "type", command_word(i), totals->tally.received[i]);
    counter(page, "pgherald_messages_limited", "Messages that were not read, by whose limit was exceeded.");
    value_of(page, "by", "connection", totals->counters.messages_limited[LIMITED_BY_CONNECTION]);
    value_of(page, "by", "user", totals->counters.messages_limited[LIMITED_BY_USER]);
    value_of(page, "by", "address", totals->counters.messages_limited[LIMITED_BY_ADDRESS]);
    counter(page, "pgherald_messages_sent", "Frames written to clients by type; broadcast: what the application sends.");
    for (int i = 0; i < FRAME_TYPES; i++)
        value_of(page, "type", frame_type_word(i), totals->frames[i]);
    counter(page, "pgherald_sent_bytes", "Bytes of these frames.");
    value(page, totals->bytes_sent);
}

static void put_api(struct page *page, const struct metrics *metrics)
{
    static const char *const outcomes[API_OUTCOMES] = {[API_2XX] = "2xx", [API_3XX] = "3xx", [API_4XX] = "4xx",
                                                       [API_5XX] = "5xx", [API_ABANDONED] = "none"};
    const struct api_tally *tally = &metrics->totals.tally.api;
    counter(page, "pgherald_http_requests",
            "Requests of the HTTP API by operation and class of the status; none: the client did not wait for it.");
    for (int i = 0; i < API_OPERATIONS; i++)
        for (int j = 0; j < API_OUTCOMES; j++)
            value_of_two(page, "operation", api_operation_word(i), "status", outcomes[j], tally->requests[i][j]);
    counter(page, "pgherald_http_problems", "Requests of the HTTP API that were refused, by the code they were told.");
    for (int i = 0; i < PROBLEMS_OF_API; i++)
        value_of(page, "code", problem_code((enum problem)i), tally->problems[i]);
    counter(page, "pgherald_http_replays", "Requests whose Idempotency-Key was known, and that stored nothing again.");
    value(page, tally->replays);
    gauge(page, "pgherald_http_requests_under_way",
          "Requests of the HTTP API: being read, being thrown away (discarding), waiting for the database (asking), or "
          "answered and still to be taken.");
    for (int i = 0; i < API_STATES; i++)
        value_of(page, "state", api_state_word(i), metrics->levels.api_requests[i]);
    histogram_family(page, "pgherald_http_request_seconds",
                     "Requests of the HTTP API, from having been read to the answer; 0 for those refused before.");
    for (int i = 0; i < API_OPERATIONS; i++)
        times_of(page, "operation", api_operation_word(i), &tally->times[i]);
}

static void put_delivery(struct page *page, const struct metrics *metrics)
{
    static const char *const causes[CATCH_UPS] = {
        [CATCH_UP_CLIENT] = "client", [CATCH_UP_SLOW] = "slow", [CATCH_UP_HISTORY] = "history"};
    histogram_family(page, "pgherald_commit_to_socket_seconds",
                     "From the commit of a new notification to the write of its frame, once for each tab. The commit "
                     "is taken for as early as it can have been: the later of created_at and the previous look.");
    times(page, &metrics->totals.latency);
    gauge(page, "pgherald_queued_bytes", "Frames that wait for their sockets, counted once for each tab.");
    value(page, metrics->levels.queued_bytes);
    counter(page, "pgherald_catch_ups",
            "Sessions that were told what they had missed: they came with a cursor (client), had not taken their "
            "frames (slow), or the database began another history.");
    for (int i = 0; i < CATCH_UPS; i++)
        value_of(page, "cause", causes[i], metrics->totals.tally.catch_ups[i]);
    counter(page, "pgherald_resyncs", "Catch-ups in which the whole state was told instead of the changes.");
    value(page, metrics->totals.tally.resyncs);
}

static void put_feed(struct page *page, const struct feed_report *feed)
{
    gauge(page, "pgherald_feed_state", "1 for what the feed does: down, it sleeps on its bell (armed), or polls.");
    value_of(page, "state", "down", !feed->live);
    value_of(page, "state", "armed", feed->armed);
    value_of(page, "state", "polling", feed->live && !feed->armed);
    gauge(page, "pgherald_feed_lag_seconds",
          "Since the beginning of the last look at the database that is done. Up to 1 s while armed; changes are told "
          "at once then.");
    seconds(page, feed->lag_us);
    histogram_family(page, "pgherald_feed_look_seconds", "Looks at the database, until all they found was handed on.");
    times(page, &feed->looks);
    counter(page, "pgherald_feed_changes", "Changes that the feed has found, for whomever they were.");
    for (int i = 0; i < FEED_CHANGES; i++)
        value_of(page, "kind", feed_change_word(i), feed->changes[i]);
    counter(page, "pgherald_feed_bells", "Notifications from PostgreSQL that woke the feed.");
    value(page, feed->bells);
    counter(page, "pgherald_feed_missed_bells", "Looks that found what no bell had announced.");
    value(page, feed->missed_bells);
    gauge(page, "pgherald_notification_queue_usage_ratio", "pg_notification_queue_usage(), every few seconds: 0 to 1.");
    put(page, "%s %.9g\n", page->name, feed->queue_usage);
}

static void put_database(struct page *page, const struct metrics *metrics)
{
    gauge(page, "pgherald_database_connections",
          "Connections to PostgreSQL that work: one feed, a desk for each worker, and one for lists once they are asked for.");
    value_of(page, "link", "feed", metrics->feed.live);
    value_of(page, "link", "desk", metrics->levels.desks_up);
    value_of(page, "link", "lists", metrics->levels.list_desks_up);
    gauge(page, "pgherald_queries_waiting", "Queries of the desks that are not answered yet.");
    value(page, metrics->levels.queries_waiting);
    counter(page, "pgherald_queries_failed", "Queries that PostgreSQL answered with an error.");
    for (int i = 0; i < DESK_STATEMENTS; i++)
        value_of(page, "statement", desk_statement_word(i), metrics->totals.queries_failed[i]);
    histogram_family(page, "pgherald_query_seconds",
                     "Queries of the desks, from being sent to the answer, behind those sent before them.");
    for (int i = 0; i < DESK_STATEMENTS; i++)
        times_of(page, "statement", desk_statement_word(i), &metrics->totals.queries[i]);
    histogram_family(page, "pgherald_mark_read_batch_rows", "Reads that were written back by one statement.");
    sizes(page, &metrics->totals.tally.mark_batches);
}

static void put_processes(struct page *page, const struct metrics *metrics)
{
    size_t count = metrics->process_count;
    const struct metrics_process *all = metrics->processes;
    gauge(page, "pgherald_ready", "1 if /readyz of the admin port says so.");
    value(page, metrics->ready);
    gauge(page, "pgherald_workers", "Processes with clients that run.");
    value(page, metrics->workers);
    counter(page, "pgherald_worker_restarts", "Workers that were started again after they had died.");
    value(page, metrics->worker_restarts);
    gauge(page, "pgherald_bus_queued_bytes", "What waits in the supervisor for its workers, all together.");
    value(page, metrics->bus_bytes);
    counter(page, "pgherald_process_cpu_seconds", "Processor time.");
    for (size_t i = 0; i < count; i++)
        seconds_of(page, "process", all[i].name, all[i].process.cpu_us);
    gauge(page, "pgherald_process_resident_memory_bytes", "Resident memory; shared pages count in each process.");
    for (size_t i = 0; i < count; i++)
        value_of(page, "process", all[i].name, all[i].process.resident_bytes);
    gauge(page, "pgherald_process_start_time_seconds", "Unix time at which the process began.");
    for (size_t i = 0; i < count; i++)
        seconds_of(page, "process", all[i].name, all[i].process.started_ms * 1000);
    gauge(page, "pgherald_process_sessions", "WebSockets and streams of a process, in whatever state.");
    for (size_t i = 0; i < count; i++)
        value_of(page, "process", all[i].name, all[i].sessions);
}

static void put_build(struct page *page)
{
    family_with(page, "pgherald_build", "_info", page->openmetrics ? "info" : "gauge", "Always 1; the label has the version.");
    value_of(page, "version", PGHERALD_VERSION, 1);
}

char *metrics_page(const struct metrics *metrics, bool openmetrics, size_t *size)
{
    struct page page = {.openmetrics = openmetrics};
    put_build(&page);
    put_processes(&page, metrics);
    put_sessions(&page, metrics);
    put_refusals(&page, &metrics->totals.counters);
    put_logins(&page, &metrics->totals.counters);
    put_messages(&page, &metrics->totals);
    put_api(&page, metrics);
    put_delivery(&page, metrics);
    put_feed(&page, &metrics->feed);
    put_database(&page, metrics);
    if (openmetrics)
        put(&page, "# EOF\n");
    *size = page.size;
    return page.text;
}
