/* All connections are tabs of one user; the first `slow` of them do not read while rows are written, then they do.
 * What the others see must not depend on them. A slow tab has come to the right state when it has been given every
 * row, or was told to read its state anew, or was disconnected and so has to. */
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "figure.h"
#include "ledger.h"
#include "load.h"
#include "loop.h"
#include "modes.h"
#include "usage.h"
#include "writer.h"

enum { SLOW_RCVBUF = 8192, LATE_S = 5 };

struct slow {
    const struct options *options;
    uint64_t *sent_us;
    unsigned *given; /* rows, of each client */
    bool *renewed;   /* told to read everything anew */
    struct ledger ledger, slow_ledger;
    struct samples latency;
};

static void take_text(struct client *client, enum text_type type, const char *text, size_t size)
{
    struct slow *slow = load_of(client)->context;
    size_t at = 0;
    unsigned user;
    uint64_t row;
    bool is_slow = client->slot < slow->options->slow;
    if (type == TEXT_RESUMED && memmem(text, size, "\"resync\":true", 13))
        slow->renewed[client->slot] = true;
    if (type != TEXT_NEW || !text_next_row(text, size, &at, &user, &row))
        return;
    if (user != client->user)
        ledger_misrouted(&slow->ledger);
    else if (ledger_enter(is_slow ? &slow->slow_ledger : &slow->ledger, client->slot, row)) {
        slow->given[client->slot]++;
        if (!is_slow)
            samples_add(&slow->latency, now_us() - slow->sent_us[row]);
    }
}

static void pause_slow(struct load *load, bool pause)
{
    for (unsigned i = 0; i < load->options->slow; i++)
        client_pause(&load->clients[i], pause);
}

static void write_rows(struct slow *slow, struct writer *writer)
{
    uint64_t start = now_us();
    for (unsigned i = 0; i < slow->options->count; i++) {
        uint64_t due = start + (uint64_t)(i * 1e6 / slow->options->rate);
        for (uint64_t now = now_us(); now < due; now = now_us())
            loop_turn((int)((due - now + 999) / 1000));
        slow->sent_us[i] = now_us();
        writer_insert(writer, i, 1);
    }
}

static uint64_t expected(const struct options *options)
{
    return (uint64_t)options->count * (options->connections - options->slow);
}

static bool is_right(const struct slow *slow, const struct client *client)
{
    return slow->given[client->slot] == slow->options->count || slow->renewed[client->slot] ||
           client->state == CLIENT_CLOSED;
}

static unsigned count_right(const struct slow *slow, const struct load *load)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slow->options->slow; i++)
        count += is_right(slow, &load->clients[i]);
    return count;
}

static void measure(struct slow *slow, struct load *load, struct writer *writer)
{
    const struct options *options = slow->options;
    double bytes = usage_bytes(options->pids), cpu_s = usage_cpu_s(options->pids);
    pause_slow(load, true);
    write_rows(slow, writer);
    uint64_t end = now_us() + LATE_S * 1000000ull;
    while ((slow->ledger.delivered < expected(options) || writer_busy(writer)) && now_us() < end)
        loop_turn(100);
    bytes = usage_bytes(options->pids) - bytes;
    cpu_s = usage_cpu_s(options->pids) - cpu_s;
    pause_slow(load, false);
    uint64_t start = now_us();
    end = start + (uint64_t)options->seconds * 1000000;
    while (count_right(slow, load) < options->slow && now_us() < end)
        loop_turn(10);
    double caught_up_s = (double)(now_us() - start) / 1e6;

    figure_begin(options, "slow");
    figure_number("connections", options->connections, 0);
    figure_number("slow", options->slow, 0);
    figure_number("row_bytes", options->bytes, 0);
    ledger_print(&slow->ledger, expected(options));
    samples_print(&slow->latency, "latency");
    figure_number("cpu_us", 1e6 * cpu_s / (double)slow->ledger.delivered, 2);
    figure_number("growth_bytes", bytes, 0);
    figure_number("slow_right", count_right(slow, load), 0);
    figure_number("slow_ended", load->ended, 0);
    figure_number("slow_duplicate", (double)slow->slow_ledger.duplicate, 0);
    figure_number("slow_right_s", caught_up_s, 3);
    figure_end();
}

void mode_slow(const struct options *options)
{
    struct slow slow = {.options = options, .sent_us = calloc(options->count, sizeof(uint64_t)),
                        .given = calloc(options->connections, sizeof(unsigned)),
                        .renewed = calloc(options->connections, sizeof(bool))};
    struct load *load = load_new(options, options->connections, 0, options->users, 0);
    if (!slow.sent_us || !slow.given || !slow.renewed || options->users != 1 || options->rate <= 0)
        fail("slow", "one user and a rate");
    ledger_start(&slow.ledger, options->connections, options->count);
    ledger_start(&slow.slow_ledger, options->connections, options->count);
    load->context = &slow;
    load->on_text = take_text;
    load->rcvbuf_bytes = SLOW_RCVBUF;
    struct writer *writer = writer_new(options);
    load_open(load);
    if (load->connected < load->count)
        fail("slow", "not all clients could connect");
    loop_rest(1000);
    measure(&slow, load, writer);
    writer_free(writer);
    load_free(load);
    ledger_free(&slow.ledger);
    ledger_free(&slow.slow_ledger);
    samples_free(&slow.latency);
    free(slow.sent_us);
    free(slow.given);
    free(slow.renewed);
}
