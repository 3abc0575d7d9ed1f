#include "figure.h"
#include "load.h"
#include "loop.h"
#include "modes.h"
#include "usage.h"

struct churn {
    const struct options *options;
    unsigned begun;
};

static void print(const struct options *options, const char *mode, struct load *load, unsigned done, double took_s,
                  double cpu_s, double postgres_s)
{
    figure_begin(options, mode);
    figure_text("alg", options->alg);
    figure_number("connections", options->connections, 0);
    figure_number("connected", done, 0);
    figure_number("failed", load->ended_early, 0);
    figure_number("connects_s", done / took_s, 0);
    figure_number("cpu_us", 1e6 * cpu_s / done, 1);
    figure_number("postgres_us", 1e6 * postgres_s / done, 1);
    samples_print(&load->connect_us, "connect");
    figure_end();
}

void mode_connect(const struct options *options)
{
    struct load *load = load_new(options, options->connections, 0, options->users, 0);
    double cpu_s = usage_cpu_s(options->pids), postgres_s = usage_cpu_s(options->postgres);
    uint64_t start = now_us();
    load_open(load);
    double took_s = (double)(now_us() - start) / 1e6;
    cpu_s = usage_cpu_s(options->pids) - cpu_s;
    postgres_s = usage_cpu_s(options->postgres) - postgres_s;
    print(options, "connect", load, load->connected, took_s, cpu_s, postgres_s);
    load_free(load);
}

/* ---- churn: whoever is connected makes room for the next ---- */

static void open_next(struct load *load, struct churn *churn)
{
    for (unsigned i = 0; i < load->count && churn->begun < churn->options->count; i++) {
        struct client *client = &load->clients[i];
        if (client->connected)
            client_close(client);
        if (client->state == CLIENT_CLOSED) {
            load_open_one(load, client);
            churn->begun++;
        }
    }
}

void mode_churn(const struct options *options)
{
    struct churn churn = {.options = options};
    struct load *load = load_new(options, options->connections, 0, options->users, 0);
    double cpu_s = usage_cpu_s(options->pids), postgres_s = usage_cpu_s(options->postgres);
    uint64_t start = now_us(), end = start + (uint64_t)options->seconds * 1000000;
    while (load->connected + load->ended_early < options->count && now_us() < end) {
        open_next(load, &churn);
        loop_turn(10);
    }
    double took_s = (double)(now_us() - start) / 1e6;
    cpu_s = usage_cpu_s(options->pids) - cpu_s;
    postgres_s = usage_cpu_s(options->postgres) - postgres_s;
    print(options, "churn", load, load->connected, took_s, cpu_s, postgres_s);
    load_free(load);
}
