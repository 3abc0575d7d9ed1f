/* The doctor's last check: the relay's own feed, started as `pgherald serve` does it, until it is live. Its
 * self-tests are in it: LISTEN and a bell that is rung from another connection, the epoch, the schema, the
 * query. It takes no doorbell key, so writers and other relays do not notice. */
#include "doctor.h"

#include <uv.h>

#include "feed.h"

enum { PATIENCE_MS = 20000 };

struct trial {
    struct doctor *doctor;
    uv_loop_t loop;
    uv_timer_t deadline;
    bool over;
};

static void finish(struct trial *trial)
{
    trial->over = true;
    uv_stop(&trial->loop);
}

static bool take_change(void *owner, const struct change *change)
{
    (void)owner, (void)change;
    return false; /* whatever happens meanwhile is other people's */
}

static void take_window(void *owner, const char *cursor)
{
    (void)owner, (void)cursor;
}

static void take_state(void *owner, bool live, const char *why)
{
    struct trial *trial = owner;
    if (trial->over)
        return;
    if (live)
        findings_ok(&trial->doctor->findings, "a NOTIFY was heard, and the feed answers");
    else
        findings_fail(&trial->doctor->findings, "feed_fails", "%s", why);
    finish(trial);
}

static void on_fatal(void *owner, const char *why)
{
    struct trial *trial = owner;
    if (!trial->over)
        findings_fail(&trial->doctor->findings, "transaction_pooler", "%s", why);
    finish(trial);
}

static void on_deadline(uv_timer_t *timer)
{
    struct trial *trial = timer->data;
    if (!trial->over)
        findings_fail(&trial->doctor->findings, "feed_fails", "the feed was not live within %d s",
                    PATIENCE_MS / 1000);
    finish(trial);
}

static void check_feed(struct doctor *doctor)
{
    struct trial trial = {.doctor = doctor};
    struct config config = *doctor->config;
    struct change_sink sink = {take_change, take_window, take_window, take_state, NULL, &trial};
    if (doctor->pooled) { /* what the feed sets would stay behind in other people's connections */
        findings_fail(&doctor->findings, "transaction_pooler", "not tried: through it nothing would be heard");
        return;
    }
    config.feed = FEED_POLL;
    uv_loop_init(&trial.loop);
    uv_timer_init(&trial.loop, &trial.deadline);
    trial.deadline.data = &trial;
    uv_timer_start(&trial.deadline, on_deadline, PATIENCE_MS, 0);
    struct feed *feed = feed_new(&trial.loop, &config, sink, on_fatal, &trial);
    if (!trial.over)
        uv_run(&trial.loop, UV_RUN_DEFAULT);
    feed_close(feed);
    uv_close((uv_handle_t *)&trial.deadline, NULL);
    while (uv_run(&trial.loop, UV_RUN_DEFAULT) != 0) /* until the last handle is closed */
        continue;
    feed_free(feed);
    uv_loop_close(&trial.loop);
}

const struct doctor_check doctor_feed_checks[] = {
    {"feed", DOCTOR_NEEDS_SCHEMA, check_feed},
    {0},
};
