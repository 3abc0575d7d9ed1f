/* The page that Prometheus reads: numbers in, text out, in Prometheus' own format (0.0.4) or as OpenMetrics
 * 1.0. Labels have a fixed set of values each; nothing of a user, a token or a payload is among them. Pure but
 * for memory; docs/OPERATIONS.md has the table of what is on it. */
#ifndef PGHERALD_METRICS_PAGE_H
#define PGHERALD_METRICS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed.h"
#include "report.h"

/* One process of the relay. */
struct metrics_process {
    char name[16]; /* "0", "1", … for workers; "supervisor" */
    struct report_process process;
    uint64_t sessions;
};

struct metrics {
    struct report_totals totals; /* of all processes, those that have ended included */
    struct report_levels levels;
    struct feed_report feed;
    bool ready;
    uint64_t workers;         /* that run */
    uint64_t worker_restarts; /* how often one was started again */
    uint64_t bus_bytes;       /* wait for workers */
    size_t process_count;
    const struct metrics_process *processes; /* borrowed */
};

#define METRICS_TYPE_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* The caller frees it. */
char *metrics_page(const struct metrics *metrics, bool openmetrics, size_t *size);

#endif
