/* Several workers, one feed; see supervisor.h. Changes come from the feed, are encoded
 * once, and the same bytes go to every worker. */
#include "supervisor.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "admin.h"
#include "bus.h"
#include "clock.h"
#include "feed.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "metrics_page.h"
#include "reload.h"
#include "service.h"

enum {
    FLUSH_BYTES = 65536, /* of one write to the workers */
    RESTART_MS = 200,    /* a worker that has died is started again after this, */
    RESTART_MAX_MS = 5000, /* or after twice as long as the last time if it did not get to serve, up to this */
    TICK_MS = 1000,
    WORKER_SILENT_MS = 10000, /* a worker sends a report a second; one that sends none hangs */
    STOP_GRACE_MS = 3000, /* past HERALD_DRAIN_SECONDS: then workers that have not ended are killed */
};

struct slot {
    struct supervisor *supervisor;
    int number;
    int listen_fd;
    uv_process_t process;
    uv_pipe_t *pipe; /* freed by its close callback; NULL: not running */
    uint64_t heard_ms; /* when it was last heard of */
    struct report report;   /* its last whole one; all zero before */
    struct report incoming; /* the next one, of which incoming_bytes are there */
    size_t incoming_bytes;
    bool reported;
    uv_timer_t restart;
    uint64_t restart_ms; /* after the last death; 0: none yet */
    char why[REPORT_WHY_SIZE]; /* why it ended at once, until it serves; "": it did not, or nobody knows */
    bool running;
};

struct supervisor {
    struct config *config;
    struct tls_pair **tls; /* the caller's; NULL without TLS */
    uv_loop_t loop;
    struct feed *feed;
    struct slot *slots;
    int count, running;
    struct bus_buffer out; /* not yet sent */
    struct admin *admin;   /* NULL without one */
    int admin_fd;          /* -1: none, or closed */
    struct report_totals past; /* of workers that have ended */
    uint64_t restarts;
    char not_ready[REPORT_WHY_SIZE + 32];
    uv_signal_t signals[3];
    uv_timer_t tick;
    uint64_t ticked_ms;
    uv_timer_t stop_timer;
    bool stopping;
    int exit_status;
};

/* Bytes on their way to several workers. */
struct parcel {
    int refs;
    uint8_t *bytes;
};

struct delivery {
    uv_write_t request;
    struct parcel *parcel;
};

static void parcel_drop(struct parcel *parcel)
{
    if (--parcel->refs > 0)
        return;
    free(parcel->bytes);
    free(parcel);
}

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* a worker that is gone is seen by its exit */
    struct delivery *delivery = (struct delivery *)request;
    parcel_drop(delivery->parcel);
    free(delivery);
}

/* It is started again when its end is noticed. */
static void kill_stuck(struct slot *slot, const char *why)
{
    log_error("worker_stuck", LOG_INT("worker", slot->number), LOG_INT("worker_pid", slot->process.pid),
              LOG_STR("why", why));
    uv_process_kill(&slot->process, SIGKILL);
}

static void send_to(struct slot *slot, struct parcel *parcel, size_t size)
{
    uv_stream_t *stream = (uv_stream_t *)slot->pipe;
    if (uv_stream_get_write_queue_size(stream) + size > BUS_QUEUE_MAX_BYTES) {
        kill_stuck(slot, "64 MiB of changes pile up");
        return;
    }
    struct delivery *delivery = memory_new(sizeof(*delivery));
    delivery->parcel = parcel;
    parcel->refs++;
    uv_buf_t buffer = uv_buf_init((char *)parcel->bytes, (unsigned)size);
    if (uv_write(&delivery->request, stream, &buffer, 1, on_written) != 0)
        on_written(&delivery->request, 0);
}

/* What has been put together goes to every worker that runs. */
static void flush(struct supervisor *supervisor)
{
    if (!supervisor->out.size)
        return;
    struct parcel *parcel = memory_new(sizeof(*parcel));
    *parcel = (struct parcel){1, supervisor->out.bytes};
    for (int i = 0; i < supervisor->count; i++)
        if (supervisor->slots[i].pipe)
            send_to(&supervisor->slots[i], parcel, supervisor->out.size);
    parcel_drop(parcel);
    supervisor->out = (struct bus_buffer){0};
}

/* ---- the feed's sink ---- */

/* Which users the workers have is not known here. */
static bool take_change(void *owner, const struct change *change)
{
    struct supervisor *supervisor = owner;
    struct frame *frame = message_change(change);
    bus_put_change(&supervisor->out, change, frame);
    frame_drop(frame);
    if (supervisor->out.size >= FLUSH_BYTES)
        flush(supervisor);
    return true;
}

static void take_window(void *owner, const char *cursor)
{
    struct supervisor *supervisor = owner;
    bus_put_window(&supervisor->out, cursor);
    flush(supervisor);
}

static void take_resync(void *owner, const char *cursor)
{
    struct supervisor *supervisor = owner;
    bus_put_resync(&supervisor->out, cursor);
    flush(supervisor);
}

static void take_state(void *owner, bool live, const char *why)
{
    struct supervisor *supervisor = owner;
    bus_put_state(&supervisor->out, live, why);
    flush(supervisor);
}

/* ---- reports ---- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct slot *slot = handle->data;
    *out = uv_buf_init((char *)&slot->incoming + slot->incoming_bytes,
                       (unsigned)(sizeof(slot->incoming) - slot->incoming_bytes));
}

static void on_report(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    struct slot *slot = stream->data;
    if (count < 0) {
        uv_read_stop(stream); /* it is gone: its exit is awaited */
        return;
    }
    slot->heard_ms = clock_now_ms();
    slot->incoming_bytes += (size_t)count;
    if (slot->incoming_bytes < sizeof(slot->incoming))
        return;
    slot->report = slot->incoming;
    slot->report.why[sizeof(slot->report.why) - 1] = '\0';
    slot->reported = true;
    slot->why[0] = '\0';
    slot->incoming_bytes = 0;
}

/* What it has counted stays: a sum that fell would look like a restart of all. */
static void forget_report(struct slot *slot)
{
    report_add_totals(&slot->supervisor->past, &slot->report.totals);
    slot->report = (struct report){.why = ""};
    slot->incoming_bytes = 0;
    slot->reported = false;
}

/* ---- workers ---- */

static void start_worker(struct slot *slot);

static void on_restart(uv_timer_t *timer)
{
    struct slot *slot = timer->data;
    if (slot->supervisor->stopping)
        return;
    slot->supervisor->restarts++;
    start_worker(slot);
}

/* One that does not get to serve will hardly do so at once, and each attempt costs. */
static void start_again_later(struct slot *slot, bool served)
{
    uint64_t more_ms = served ? 0 : 2 * slot->restart_ms;
    slot->restart_ms = more_ms < RESTART_MS ? RESTART_MS : more_ms < RESTART_MAX_MS ? more_ms : RESTART_MAX_MS;
    uv_timer_start(&slot->restart, on_restart, slot->restart_ms, 0);
}

/* A worker reads the files anew, which may no longer be what the others are using. */
static void explain_exit(struct slot *slot, int64_t status)
{
    char why[RELOAD_WHY_SIZE];
    if (status == CONFIG_EXIT_STATUS && !reload_check(slot->supervisor->config, why))
        snprintf(slot->why, sizeof(slot->why), "does not start: %.350s", why);
}

static void on_pipe_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_pipe(struct slot *slot)
{
    if (slot->pipe)
        uv_close((uv_handle_t *)slot->pipe, on_pipe_closed);
    slot->pipe = NULL;
}

static void on_exit_of_worker(uv_process_t *process, int64_t status, int signal_number)
{
    struct slot *slot = process->data;
    struct supervisor *supervisor = slot->supervisor;
    bool served = slot->reported;
    close_pipe(slot);
    forget_report(slot);
    slot->running = false;
    supervisor->running--;
    uv_close((uv_handle_t *)&slot->process, NULL);
    if (supervisor->stopping) {
        if (supervisor->running == 0)
            uv_stop(&supervisor->loop);
        return;
    }
    log_error("worker_died", LOG_INT("worker", slot->number), LOG_INT("worker_pid", process->pid),
              LOG_INT("status", status), LOG_INT("signal", signal_number));
    explain_exit(slot, status);
    start_again_later(slot, served);
}

static void on_tick(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    uint64_t now_ms = clock_now_ms();
    /* After a stop of this process their reports may still have to be read. */
    bool was_away = now_ms - supervisor->ticked_ms > 3 * TICK_MS;
    supervisor->ticked_ms = now_ms;
    service_alive();
    for (int i = 0; i < supervisor->count && !was_away; i++) {
        struct slot *slot = &supervisor->slots[i];
        if (slot->running && now_ms - slot->heard_ms > WORKER_SILENT_MS)
            kill_stuck(slot, "no sign of life");
    }
}

/* Where the feed stands, so that a worker can begin before the next window. */
static void introduce(struct slot *slot)
{
    const struct feed *feed = slot->supervisor->feed;
    struct bus_buffer words = {0};
    bus_put_state(&words, feed_live(feed), feed_why(feed));
    if (feed_cursor(feed)[0])
        bus_put_window(&words, feed_cursor(feed));
    struct parcel *parcel = memory_new(sizeof(*parcel));
    *parcel = (struct parcel){1, words.bytes};
    send_to(slot, parcel, words.size);
    parcel_drop(parcel);
}

/* This very program. The link works where the path does not, as when a newer one has replaced it; the path is what
 * debuggers can follow. */
static const char *own_program(char *path, size_t size)
{
    return uv_exepath(path, &size) == 0 && access(path, X_OK) == 0 ? path : "/proc/self/exe";
}

static void start_worker(struct slot *slot)
{
    struct supervisor *supervisor = slot->supervisor;
    char number[16], path[PATH_MAX];
    snprintf(number, sizeof(number), "%d", slot->number);
    char *arguments[] = {"pgherald", "serve", "--worker", number, "--config", supervisor->config->file, NULL};
    if (!supervisor->config->file)
        arguments[4] = NULL;

    flush(supervisor); /* what is older is not for the new one */
    slot->pipe = memory_zero(sizeof(*slot->pipe));
    uv_pipe_init(&supervisor->loop, slot->pipe, 0);
    slot->pipe->data = slot;
    uv_stdio_container_t files[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = 1},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        [SUPERVISOR_LISTEN_FD] = {.flags = UV_INHERIT_FD, .data.fd = slot->listen_fd},
        [SUPERVISOR_BUS_FD] = {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
                               .data.stream = (uv_stream_t *)slot->pipe},
    };
    uv_process_options_t options = {
        .file = own_program(path, sizeof(path)),
        .args = arguments,
        .exit_cb = on_exit_of_worker,
        .stdio = files,
        .stdio_count = sizeof(files) / sizeof(*files),
    };
    slot->process.data = slot;
    int failed = uv_spawn(&supervisor->loop, &slot->process, &options);
    if (failed) {
        log_error("worker_not_started", LOG_INT("worker", slot->number), LOG_STR("why", uv_strerror(failed)));
        close_pipe(slot);
        uv_close((uv_handle_t *)&slot->process, NULL);
        start_again_later(slot, false);
        return;
    }
    slot->running = true;
    slot->heard_ms = clock_now_ms();
    supervisor->running++;
    uv_read_start((uv_stream_t *)slot->pipe, give_room, on_report);
    introduce(slot);
}

/* ---- the end ---- */

static void signal_workers(struct supervisor *supervisor, int number)
{
    for (int i = 0; i < supervisor->count; i++)
        if (supervisor->slots[i].running)
            uv_process_kill(&supervisor->slots[i].process, number);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    log_error("workers_killed", LOG_INT("count", supervisor->running));
    signal_workers(supervisor, SIGKILL);
}

/* A unix socket is one, shared by all. */
static void close_listeners(struct supervisor *supervisor)
{
    admin_stop_accepting(supervisor->admin);
    if (supervisor->admin_fd >= 0)
        close(supervisor->admin_fd);
    supervisor->admin_fd = -1;
    for (int i = 0; i < supervisor->count; i++)
        if (i == 0 || supervisor->slots[i].listen_fd != supervisor->slots[0].listen_fd)
            close(supervisor->slots[i].listen_fd);
}

static void stop(struct supervisor *supervisor, int exit_status)
{
    if (supervisor->stopping)
        return;
    close_listeners(supervisor); /* a successor can have the ports while clients leave */
    supervisor->stopping = true;
    supervisor->exit_status = exit_status;
    log_info("stopping", LOG_INT("workers", supervisor->running));
    signal_workers(supervisor, SIGTERM);
    uint64_t limit_ms = (uint64_t)supervisor->config->drain_s * 1000 + STOP_GRACE_MS;
    service_stopping(limit_ms);
    uv_timer_start(&supervisor->stop_timer, on_stop_timer, limit_ms, 0);
    if (supervisor->running == 0)
        uv_stop(&supervisor->loop);
}

/* What is wrong is said once, and no worker has to find it out. */
static void reload_all(struct supervisor *supervisor)
{
    struct jwt_keys *no_keys = NULL; /* they are the workers' */
    if (!reload(supervisor->config, &no_keys, supervisor->tls))
        return;
    tls_pair_warn(*supervisor->tls);
    signal_workers(supervisor, SIGHUP);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor *supervisor = handle->data;
    if (number == SIGHUP) {
        reload_all(supervisor);
    } else if (supervisor->stopping) {
        signal_workers(supervisor, SIGKILL); /* asked twice: at once */
    } else {
        stop(supervisor, EXIT_SUCCESS);
    }
}

static void on_fatal(void *owner, const char *why)
{
    log_error("cannot_serve", LOG_STR("why", why));
    stop(owner, CONFIG_EXIT_STATUS);
}

/* ---- the admin port ---- */

static const char *say_of_worker(struct supervisor *supervisor, int number, const char *why)
{
    snprintf(supervisor->not_ready, sizeof(supervisor->not_ready), "worker %d: %s", number, why);
    return supervisor->not_ready;
}

/* The relay is ready when each of its workers is: nobody knows whom the next client gets. */
static const char *not_ready(void *owner)
{
    struct supervisor *supervisor = owner;
    if (supervisor->stopping)
        return "shutting down";
    if (!feed_live(supervisor->feed))
        return feed_why(supervisor->feed)[0] ? feed_why(supervisor->feed) : "the feed is starting";
    for (int i = 0; i < supervisor->count; i++) {
        const struct slot *slot = &supervisor->slots[i];
        if (!slot->running || !slot->reported)
            return say_of_worker(supervisor, i, slot->why[0] ? slot->why : "is starting");
        if (slot->report.why[0])
            return say_of_worker(supervisor, i, slot->report.why);
    }
    return NULL;
}

static uint64_t sessions_in(const struct report_levels *levels)
{
    uint64_t sum = 0;
    for (int i = 0; i < SESSION_TRANSPORTS; i++)
        for (int j = 0; j < SESSION_STATES; j++)
            sum += levels->sessions[i][j];
    return sum;
}

static void add_worker(struct metrics *metrics, struct metrics_process *process, const struct slot *slot)
{
    const struct report *report = &slot->report;
    report_add_totals(&metrics->totals, &report->totals);
    if (!slot->running || !slot->reported)
        return;
    report_add_levels(&metrics->levels, &report->levels);
    metrics->bus_bytes += uv_stream_get_write_queue_size((uv_stream_t *)slot->pipe);
    metrics->process_count++;
    snprintf(process->name, sizeof(process->name), "%d", slot->number);
    process->process = report->process;
    process->sessions = sessions_in(&report->levels);
}

static char *all_metrics(void *owner, bool openmetrics, size_t *size)
{
    struct supervisor *supervisor = owner;
    struct metrics_process *processes = memory_zero((size_t)(supervisor->count + 1) * sizeof(*processes));
    struct metrics metrics = {.totals = supervisor->past,
                              .ready = not_ready(supervisor) == NULL,
                              .workers = (uint64_t)supervisor->running,
                              .worker_restarts = supervisor->restarts,
                              .process_count = 1,
                              .processes = processes};
    snprintf(processes[0].name, sizeof(processes[0].name), "supervisor");
    report_process(&processes[0].process);
    for (int i = 0; i < supervisor->count; i++)
        add_worker(&metrics, &processes[metrics.process_count], &supervisor->slots[i]);
    feed_report(supervisor->feed, &metrics.feed);
    char *page = metrics_page(&metrics, openmetrics, size);
    free(processes);
    return page;
}

/* ---- the beginning ---- */

static void start_handles(struct supervisor *supervisor)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    uv_timer_init(&supervisor->loop, &supervisor->tick);
    uv_timer_init(&supervisor->loop, &supervisor->stop_timer);
    supervisor->tick.data = supervisor->stop_timer.data = supervisor;
    uv_timer_start(&supervisor->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        uv_signal_init(&supervisor->loop, &supervisor->signals[i]);
        supervisor->signals[i].data = supervisor;
        uv_signal_start(&supervisor->signals[i], on_signal, numbers[i]);
    }
}

static void start_slots(struct supervisor *supervisor, const int *listen_fds)
{
    supervisor->slots = memory_zero((size_t)supervisor->config->workers * sizeof(*supervisor->slots));
    supervisor->count = supervisor->config->workers; /* from here on the feed's words go to them */
    for (int i = 0; i < supervisor->count; i++) {
        struct slot *slot = &supervisor->slots[i];
        slot->supervisor = supervisor;
        slot->number = i;
        slot->listen_fd = listen_fds[i];
        uv_timer_init(&supervisor->loop, &slot->restart);
        slot->restart.data = slot;
        start_worker(slot);
    }
}

static void close_all(struct supervisor *supervisor)
{
    feed_close(supervisor->feed);
    admin_close(supervisor->admin);
    for (int i = 0; i < supervisor->count; i++) {
        close_pipe(&supervisor->slots[i]);
        uv_close((uv_handle_t *)&supervisor->slots[i].restart, NULL);
    }
    for (size_t i = 0; i < sizeof(supervisor->signals) / sizeof(*supervisor->signals); i++)
        uv_close((uv_handle_t *)&supervisor->signals[i], NULL);
    uv_close((uv_handle_t *)&supervisor->tick, NULL);
    uv_close((uv_handle_t *)&supervisor->stop_timer, NULL);
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    feed_free(supervisor->feed);
    admin_free(supervisor->admin);
    free(supervisor->slots);
    free(supervisor->out.bytes);
    uv_loop_close(&supervisor->loop);
}

int supervisor_run(struct config *config, struct tls_pair **tls, const int *listen_fds, int admin_fd)
{
    struct supervisor supervisor = {.config = config, .tls = tls, .admin_fd = admin_fd};
    uv_loop_init(&supervisor.loop);
    start_handles(&supervisor);
    struct change_sink sink = {take_change, take_window, take_resync, take_state, NULL, &supervisor};
    supervisor.feed = feed_new(&supervisor.loop, config, sink, on_fatal, &supervisor);
    start_slots(&supervisor, listen_fds);
    supervisor.admin =
        admin_new(&supervisor.loop, admin_fd, (struct admin_source){not_ready, all_metrics, &supervisor});
    service_ready();
    uv_run(&supervisor.loop, UV_RUN_DEFAULT);
    service_ending();
    close_all(&supervisor);
    return supervisor.exit_status;
}
