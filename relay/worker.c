/* One process of the relay; see worker.h. Puts the rooms together and runs the loop. */
#include "worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "bus.h"
#include "clock.h"
#include "desk.h"
#include "feed.h"
#include "front.h"
#include "log.h"
#include "metrics_page.h"
#include "reload.h"
#include "relay.h"
#include "service.h"

enum {
    TICK_MS = 1000,
    TIDY_TICKS = 60,
    COUNT_TICKS = 60,
    TIDY_TOMBSTONES = 10000, /* what herald.relay_tidy() deletes at most in one call */
    TIDY_EXPIRED = 1000,
    STOP_POLL_MS = 20,
    FLUSH_SESSIONS = 256, /* written to in one turn of the loop: about a millisecond */
    DUE_SESSIONS = 64,    /* pinged in one turn of the loop: less than half a millisecond */
};

struct worker {
    struct relay relay;
    struct config *config;
    struct worker_place place;
    uv_loop_t loop;
    struct front *front;
    struct feed *feed;           /* NULL under a supervisor */
    struct bus_reader *bus;      /* NULL without one */
    pid_t supervisor;            /* that has the other end */
    struct admin *admin;         /* NULL without one */
    uv_prepare_t turn_end;       /* just before the loop sleeps */
    uv_idle_t behind;            /* active: some sessions are still to be written to, so it does not sleep */
    uv_idle_t due;               /* active: some deadlines of this second are still to be looked at */
    uv_timer_t tick;
    uv_timer_t counts_timer;
    uv_timer_t stop_timer;
    uv_signal_t signals[3];
    struct counters logged; /* what the log was told last */
    uint64_t stop_at_ms;
    int ticks;
    int exit_status;
};

static void on_behind(uv_idle_t *idle)
{
    (void)idle; /* the turn ends with on_turn_end() */
}

/* A notification for ten thousand tabs is no reason to keep everybody else waiting: the loop goes round meanwhile, and
 * what comes for those still to be written to goes out with it. More rows would only wait, so they wait at their source. */
static void write_out(struct worker *worker)
{
    bool was_behind = uv_is_active((uv_handle_t *)&worker->behind);
    bool behind = sessions_flush(&worker->relay.sessions, FLUSH_SESSIONS);
    if (behind == was_behind)
        return;
    if (behind)
        uv_idle_start(&worker->behind, on_behind);
    else
        uv_idle_stop(&worker->behind);
    if (worker->feed)
        feed_pause(worker->feed, behind);
    else
        bus_reader_pause(worker->bus, behind);
}

/* Whatever this turn of the loop has brought together goes out now, once. */
static void on_turn_end(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    api_flush(&worker->relay);
    resolver_flush(&worker->relay);
    counts_tell(&worker->relay);
    write_out(worker);
    counts_flush(&worker->relay);
    marks_flush(&worker->relay);
    inbox_flush(&worker->relay);
    resume_flush(&worker->relay);
    desk_flush(worker->relay.desk);
    desk_flush(worker->relay.list_desk);
    if (!uv_is_active((uv_handle_t *)&worker->behind))
        write_out(worker); /* for what the desk could not send */
}

static void tidy(struct relay *relay);

/* A failure is logged by the desk, and tried again in a minute. */
static void tidied(struct relay *relay, uint64_t unused, void *context, const struct answer *answer)
{
    (void)unused, (void)context;
    if (!answer || answer_error(answer) || relay->stopping)
        return;
    if (answer_int(answer, 0, 1) >= TIDY_TOMBSTONES || answer_int(answer, 0, 2) >= TIDY_EXPIRED)
        tidy(relay); /* there was more than one call deletes */
}

static void tidy(struct relay *relay)
{
    desk_submit(relay->desk, &(struct desk_query){.statement = DESK_TIDY, .done = tidied});
}

/* The log is told of what has changed. */
static void log_counters(struct worker *worker)
{
    const struct counters *counters = &worker->relay.counters;
    if (memcmp(counters, &worker->logged, sizeof(*counters)) == 0)
        return;
    counters_log(counters);
    worker->logged = *counters;
}

static void send_report(struct worker *worker)
{
    struct report report;
    report_make(&worker->relay, &report);
    bus_reader_report(worker->bus, &report);
}

/* What comes between two slices is handled between them; the pongs as well, many at a time. */
static void on_due(uv_idle_t *idle)
{
    struct worker *worker = idle->data;
    if (!sessions_due(&worker->relay, DUE_SESSIONS))
        uv_idle_stop(idle);
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    if (worker->bus)
        send_report(worker);
    else
        service_alive();
    uv_idle_start(&worker->due, on_due);
    sessions_tick(&worker->relay);
    marks_tick(&worker->relay);
    api_tick(&worker->relay);
    worker->ticks++;
    if (worker->ticks % COUNT_TICKS == 0)
        log_counters(worker);
    if (worker->place.number == 0 && worker->ticks % TIDY_TICKS == 0 && desk_ready(worker->relay.desk))
        tidy(&worker->relay);
}

/* ---- the end ---- */

static bool quiet(const struct relay *relay)
{
    return relay->sessions.count == 0 && marks_idle(&relay->marks) && api_idle(relay) && desk_idle(relay->desk);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    drain_step(&worker->relay);
    if (quiet(&worker->relay) || clock_now_ms() >= worker->stop_at_ms)
        uv_stop(&worker->loop);
}

/* at_once: nobody has anything of staying longer. */
static void stop(struct worker *worker, int exit_status, bool at_once)
{
    uint64_t limit_ms = (uint64_t)worker->config->drain_s * 1000;
    if (worker->relay.stopping)
        return;
    log_info("stopping", LOG_INT("sessions", worker->relay.sessions.count));
    if (!worker->bus)
        service_stopping(limit_ms);
    worker->relay.stopping = true;
    worker->exit_status = exit_status;
    worker->stop_at_ms = clock_now_ms() + limit_ms;
    front_stop_accepting(worker->front);
    close(worker->place.listen_fd);
    admin_stop_accepting(worker->admin);
    if (worker->place.admin_fd >= 0)
        close(worker->place.admin_fd);
    drain_start(&worker->relay, at_once ? 0 : drain_spread_ms(limit_ms));
    uv_timer_start(&worker->stop_timer, on_stop_timer, 0, STOP_POLL_MS);
}

/* Of a certificate that is of no use the supervisor tells, if there is one. */
static void reload_all(struct worker *worker)
{
    if (reload(worker->config, &worker->relay.keys, &worker->relay.tls) && !worker->bus)
        tls_pair_warn(worker->relay.tls);
}

/* The supervisor is gone, and with it the feed: what tabs would wait for comes on another relay. */
static void on_supervisor_gone(void *owner)
{
    struct worker *worker = owner;
    stop(worker, EXIT_SUCCESS, true);
    drain_finish(&worker->relay); /* it may have begun to stop before */
}

/* Its death is told by the end of the bus and by SIGTERM (PR_SET_PDEATHSIG): neither is somebody's wish. */
static bool supervisor_is_gone(const struct worker *worker)
{
    return worker->bus && getppid() != worker->supervisor;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct worker *worker = handle->data;
    if (number == SIGINT && worker->place.bus_fd >= 0)
        return; /* a terminal tells the whole process group; the supervisor says what it means */
    if (number == SIGHUP)
        reload_all(worker);
    else if (supervisor_is_gone(worker))
        on_supervisor_gone(worker);
    else if (worker->relay.stopping)
        uv_stop(&worker->loop); /* asked twice: at once */
    else
        stop(worker, EXIT_SUCCESS, false);
}

static void on_fatal(void *owner, const char *why)
{
    log_error("cannot_serve", LOG_STR("why", why));
    stop(owner, CONFIG_EXIT_STATUS, true);
}

/* ---- the admin port ---- */

static const char *not_ready(void *owner)
{
    const struct worker *worker = owner;
    return report_not_ready(&worker->relay);
}

/* Everything on the page is of this process. */
static char *own_metrics(void *owner, bool openmetrics, size_t *size)
{
    const struct worker *worker = owner;
    struct report report;
    report_make(&worker->relay, &report);
    struct metrics_process process = {"0", report.process, (uint64_t)worker->relay.sessions.count};
    struct metrics metrics = {.totals = report.totals,
                              .levels = report.levels,
                              .ready = !report.why[0],
                              .workers = 1,
                              .process_count = 1,
                              .processes = &process};
    feed_report(worker->feed, &metrics.feed);
    return metrics_page(&metrics, openmetrics, size);
}

/* ---- the beginning ---- */

static bool open_rooms(struct worker *worker)
{
    struct relay *relay = &worker->relay;
    worker->supervisor = getppid();
    relay->loop = &worker->loop;
    relay->config = worker->config;
    relay->sharing = worker->place.bus_fd >= 0 ? worker->config->workers : 1;
    relay->counts.timer = &worker->counts_timer;
    sessions_start(&relay->sessions, front_door(worker->config));
    relay->desk = desk_new(relay, DESK_MAIN);
    relay->list_desk = desk_new(relay, DESK_LISTS);
    worker->front = front_new(relay, worker->place.listen_fd);
    if (worker->place.bus_fd >= 0)
        worker->bus = bus_reader_new(&worker->loop, worker->place.bus_fd, relay, on_supervisor_gone, worker);
    else
        worker->feed = feed_new(&worker->loop, worker->config, relay_sink(relay), on_fatal, worker);
    worker->admin = admin_new(&worker->loop, worker->place.admin_fd,
                              (struct admin_source){not_ready, own_metrics, worker});
    return worker->front != NULL;
}

static void start_handles(struct worker *worker)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    uv_prepare_init(&worker->loop, &worker->turn_end);
    uv_idle_init(&worker->loop, &worker->behind);
    uv_idle_init(&worker->loop, &worker->due);
    uv_timer_init(&worker->loop, &worker->tick);
    uv_timer_init(&worker->loop, &worker->counts_timer);
    uv_timer_init(&worker->loop, &worker->stop_timer);
    worker->turn_end.data = worker->due.data = worker->tick.data = worker->stop_timer.data = worker;
    uv_prepare_start(&worker->turn_end, on_turn_end);
    uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        uv_signal_init(&worker->loop, &worker->signals[i]);
        worker->signals[i].data = worker;
        uv_signal_start(&worker->signals[i], on_signal, numbers[i]);
    }
}

static void close_handles(struct worker *worker)
{
    uv_close((uv_handle_t *)&worker->turn_end, NULL);
    uv_close((uv_handle_t *)&worker->behind, NULL);
    uv_close((uv_handle_t *)&worker->due, NULL);
    uv_close((uv_handle_t *)&worker->tick, NULL);
    uv_close((uv_handle_t *)&worker->counts_timer, NULL);
    uv_close((uv_handle_t *)&worker->stop_timer, NULL);
    for (size_t i = 0; i < sizeof(worker->signals) / sizeof(*worker->signals); i++)
        uv_close((uv_handle_t *)&worker->signals[i], NULL);
}

static void close_rooms(struct worker *worker)
{
    front_close(worker->front);
    admin_close(worker->admin);
    desk_close(worker->relay.desk);
    desk_close(worker->relay.list_desk);
    if (worker->feed)
        feed_close(worker->feed);
    if (worker->bus)
        bus_reader_close(worker->bus);
    close_handles(worker);
    uv_run(&worker->loop, UV_RUN_DEFAULT); /* until every handle is closed */
    desk_free(worker->relay.desk);
    desk_free(worker->relay.list_desk);
    if (worker->feed)
        feed_free(worker->feed);
    if (worker->bus)
        bus_reader_free(worker->bus);
    front_free(worker->front);
    admin_free(worker->admin);
    resolver_stop(&worker->relay.resolver);
    marks_stop(&worker->relay.marks);
    inbox_stop(&worker->relay.inbox);
    api_stop(&worker->relay);
    router_stop(&worker->relay.router);
    sessions_stop(&worker->relay.sessions);
    uv_loop_close(&worker->loop);
}

int worker_run(struct config *config, struct jwt_keys **keys, struct tls_pair **tls, struct worker_place place)
{
    struct worker worker = {.config = config, .place = place};
    uv_loop_init(&worker.loop);
    start_handles(&worker);
    worker.relay.keys = *keys;
    worker.relay.tls = *tls;
    if (!open_rooms(&worker)) {
        log_error("cannot_serve", LOG_STR("why", "libwebsockets did not start; is libwebsockets-evlib-uv installed?"));
        return EXIT_FAILURE;
    }
    log_info("worker_started", LOG_INT("worker", place.number));
    if (!worker.bus)
        service_ready();
    uv_run(&worker.loop, UV_RUN_DEFAULT);
    service_ending();
    close_rooms(&worker);
    log_counters(&worker);
    *keys = worker.relay.keys;
    *tls = worker.relay.tls;
    log_info("worker_stopped", LOG_INT("worker", place.number));
    return worker.exit_status;
}
