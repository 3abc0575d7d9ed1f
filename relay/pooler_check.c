/* The self-test; see pooler_check.h. */
#include "pooler_check.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pg_link.h"

enum { HEAR_MS = 2000, PAYLOAD_SIZE = 32 };

struct pooler_check {
    struct pg_link link;
    uv_timer_t deadline;
    bool started, rung;
    int open_handles;
    char payload[PAYLOAD_SIZE];
    void (*unheard)(void *owner);
    void *owner;
};

static void on_deadline(uv_timer_t *timer)
{
    struct pooler_check *check = timer->data;
    check->unheard(check->owner);
}

static void on_up(void *owner)
{
    struct pooler_check *check = owner;
    char sql[96];
    snprintf(sql, sizeof(sql), "select pg_notify('herald', '%s')", check->payload);
    check->rung = true;
    if (!PQsendQuery(check->link.conn, sql))
        link_restart(&check->link, PQerrorMessage(check->link.conn));
    else
        link_flush(&check->link);
}

static void on_readable(void *owner)
{
    struct pooler_check *check = owner;
    while (check->link.state == LINK_UP && !PQisBusy(check->link.conn)) {
        PGresult *result = PQgetResult(check->link.conn);
        if (!result)
            return;
        bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
        if (good)
            uv_timer_start(&check->deadline, on_deadline, HEAR_MS, 0); /* committed: it must ring now */
        else
            link_restart_for(&check->link, result);
        PQclear(result);
    }
}

static void on_down(void *owner, const char *why)
{
    struct pooler_check *check = owner;
    (void)why; /* logged by the link, which tries again */
    uv_timer_stop(&check->deadline);
}

struct pooler_check *pooler_check_new(uv_loop_t *loop, const char *database_url, void (*unheard)(void *owner),
                                      void *owner)
{
    uint64_t secret;
    struct pooler_check *check = memory_zero(sizeof(*check));
    if (RAND_bytes((unsigned char *)&secret, sizeof(secret)) != 1)
        abort();
    snprintf(check->payload, sizeof(check->payload), "check %016" PRIx64, secret);
    check->unheard = unheard;
    check->owner = owner;
    check->link = (struct pg_link){.loop = loop,
                                   .name = "pgherald check",
                                   .database_url = database_url,
                                   .to = {on_up, on_readable, on_down, check}};
    uv_timer_init(loop, &check->deadline);
    check->deadline.data = check;
    return check;
}

void pooler_check_ring(struct pooler_check *check)
{
    if (!check->started) {
        check->started = true;
        link_start(&check->link);
    } else if (check->link.state == LINK_UP) {
        on_up(check);
    }
}

bool pooler_check_hear(const struct pooler_check *check, const char *payload)
{
    return check->rung && strcmp(payload, check->payload) == 0;
}

static void part_closed(void *owner)
{
    struct pooler_check *check = owner;
    if (--check->open_handles == 0)
        free(check);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void pooler_check_close(struct pooler_check *check)
{
    check->open_handles = check->started ? 2 : 1;
    if (check->started)
        link_close(&check->link, part_closed);
    uv_close((uv_handle_t *)&check->deadline, on_deadline_closed);
}
