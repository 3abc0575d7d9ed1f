/* Row n of user u has the id uuuuuuuu-0000-4000-8000-nnnnnnnnnnnn, so that a client knows its ids. Each client has one
 * mark_read under way. At the end the table is asked whether everything that was acknowledged is there. */
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "figure.h"
#include "load.h"
#include "loop.h"
#include "modes.h"
#include "usage.h"
#include "writer.h"

enum { ID_BYTES = 37, LATE_MS = 2000 };

struct mark {
    const struct options *options;
    bool over; /* nothing more is asked for */
    unsigned waiting;
    uint64_t acknowledged, refused, foreign;
    struct samples latency;
};

static void write_id(char out[ID_BYTES], unsigned user, unsigned nth)
{
    snprintf(out, ID_BYTES, "%08x-0000-4000-8000-%012x", user, nth);
}

void mode_mark_seed(const struct options *options)
{
    char sql[1024];
    snprintf(sql, sizeof(sql),
             "insert into %s (id, user_id, title, message) "
             "select (lpad(to_hex(u), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench' || u, "
             "'bench:' || u || ':' || n, repeat('x', %u) "
             "from generate_series(0, %u) n, generate_series(0, %u) u",
             options->table, options->bytes, options->count - 1, options->users - 1);
    writer_query(options, sql);
}

static void ask(struct mark *mark, struct client *client)
{
    char id[ID_BYTES], text[128];
    if (mark->over || client->asked == mark->options->count)
        return;
    write_id(id, client->user, client->asked++);
    int size = snprintf(text, sizeof(text), "{\"type\":\"mark_read\",\"notification_id\":\"%s\"}", id);
    client->since_us = now_us();
    client_send(client, text, (size_t)size);
    mark->waiting++;
}

static void take_text(struct client *client, enum text_type type, const char *text, size_t size)
{
    struct mark *mark = load_of(client)->context;
    char id[ID_BYTES], got[ID_BYTES];
    if (type != TEXT_UPDATED)
        return;
    write_id(id, client->user, client->asked - 1);
    if (!text_member(text, size, "notification_id", got, sizeof(got)) || strcmp(id, got) != 0) {
        mark->foreign++;
        return;
    }
    if (memmem(text, size, "\"success\":true", 14))
        mark->acknowledged++;
    else
        mark->refused++;
    samples_add(&mark->latency, now_us() - client->since_us);
    mark->waiting--;
    ask(mark, client);
}

static void run(struct mark *mark, struct load *load)
{
    uint64_t end = now_us() + (uint64_t)mark->options->seconds * 1000000;
    for (unsigned i = 0; i < load->count; i++)
        ask(mark, &load->clients[i]);
    while (mark->waiting && now_us() < end)
        loop_turn(100);
    mark->over = true;
}

static double count_read(const struct options *options)
{
    char sql[256];
    snprintf(sql, sizeof(sql), "select count(*) from %s where read_at is not null", options->table);
    return writer_query(options, sql);
}

void mode_mark(const struct options *options)
{
    struct mark mark = {.options = options};
    struct load *load = load_new(options, options->connections, 0, options->users, 0);
    if (options->connections != options->users)
        fail("mark", "each user must have one connection");
    load->context = &mark;
    load->on_text = take_text;
    load_open(load);
    if (load->connected < load->count)
        fail("mark", "not all clients could connect");
    loop_rest(1000);
    double cpu_s = usage_cpu_s(options->pids), postgres_s = usage_cpu_s(options->postgres);
    uint64_t start = now_us();
    run(&mark, load);
    double took_s = (double)(now_us() - start) / 1e6, acknowledged = (double)mark.acknowledged;
    cpu_s = usage_cpu_s(options->pids) - cpu_s;
    postgres_s = usage_cpu_s(options->postgres) - postgres_s;
    loop_rest(LATE_MS);

    figure_begin(options, "mark");
    figure_number("connections", options->connections, 0);
    figure_number("acknowledged_s", acknowledged / took_s, 0);
    figure_number("acknowledged", (double)mark.acknowledged, 0);
    figure_number("refused", (double)mark.refused, 0);
    figure_number("misrouted", (double)mark.foreign, 0);
    figure_number("lost", mark.waiting + ((double)mark.acknowledged > count_read(options)), 0);
    samples_print(&mark.latency, "latency");
    figure_number("cpu_us", 1e6 * cpu_s / acknowledged, 2);
    figure_number("postgres_us", 1e6 * postgres_s / acknowledged, 2);
    figure_end();
    samples_free(&mark.latency);
    load_free(load);
}
