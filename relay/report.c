/* A relay's rooms in, one report out; see report.h. */
#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "relay.h"

const char *report_not_ready(const struct relay *relay)
{
    if (relay->stopping)
        return "shutting down";
    if (!relay->router.live)
        return relay->router.why[0] ? relay->router.why : "the feed is starting";
    return desk_ready(relay->desk) ? NULL : desk_why(relay->desk);
}

/* ---- the process ---- */

static uint64_t started_ms;

/* When main() begins: its exact time is nobody's concern. */
__attribute__((constructor)) static void note_start(void)
{
    started_ms = (uint64_t)clock_wall_ms();
}

static uint64_t time_us(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* proc(5): the second number is that of resident pages. */
static uint64_t resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const char *second = strchr(text, ' ');
    return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void report_process(struct report_process *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    out->cpu_us = time_us(usage.ru_utime) + time_us(usage.ru_stime);
    out->resident_bytes = resident_bytes();
    out->started_ms = started_ms;
}

/* ---- the relay ---- */

/* Whatever is added is nothing but such numbers, which a test holds the report's structs to. */
static void add(void *sum, const void *one, size_t size)
{
    uint64_t *to = sum;
    const uint64_t *from = one;
    for (size_t i = 0; i < size / sizeof(*to); i++)
        to[i] += from[i];
}

static void take_sessions(const struct sessions *sessions, struct report *out)
{
    memcpy(out->totals.sessions_opened, sessions->opened, sizeof(out->totals.sessions_opened));
    memcpy(out->totals.frames, sessions->sent.frames, sizeof(out->totals.frames));
    out->totals.bytes_sent = sessions->sent.bytes;
    out->totals.latency = sessions->sent.latency;
    for (int i = 0; i < SESSION_TRANSPORTS; i++)
        for (int j = 0; j < SESSION_STATES; j++)
            out->levels.sessions[i][j] = (uint64_t)sessions->by_state[i][j];
    out->levels.queued_bytes = sessions->pool.bytes;
}

/* Adds what a desk has done; *up is whether it is connected. */
static void take_desk(const struct desk *desk, struct report *out, uint64_t *up)
{
    struct desk_report report;
    desk_report(desk, &report);
    add(out->totals.queries_failed, report.failed, sizeof(out->totals.queries_failed));
    add(out->totals.queries, report.answered, sizeof(out->totals.queries));
    out->levels.queries_waiting += report.waiting;
    *up = report.up;
}

void report_make(const struct relay *relay, struct report *out)
{
    const char *why = report_not_ready(relay);
    memset(out, 0, sizeof(*out));
    out->totals.counters = relay->counters;
    out->totals.tally = relay->tally;
    take_sessions(&relay->sessions, out);
    take_desk(relay->desk, out, &out->levels.desks_up);
    take_desk(relay->list_desk, out, &out->levels.list_desks_up);
    out->levels.sessions_max = (uint64_t)sessions_allowed(relay);
    out->levels.users = relay->router.users.count;
    out->levels.guests = (uint64_t)relay->guests;
    for (int i = 0; i < API_STATES; i++)
        out->levels.api_requests[i] = (uint64_t)relay->api.in_state[i];
    report_process(&out->process);
    snprintf(out->why, sizeof(out->why), "%s", why ? why : "");
}

/* ---- sums ---- */

void report_add_totals(struct report_totals *sum, const struct report_totals *one)
{
    add(sum, one, sizeof(*sum));
}

void report_add_levels(struct report_levels *sum, const struct report_levels *one)
{
    add(sum, one, sizeof(*sum));
}
