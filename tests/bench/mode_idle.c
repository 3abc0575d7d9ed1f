#include "figure.h"
#include "holders.h"
#include "load.h"
#include "loop.h"
#include "modes.h"
#include "usage.h"

enum { SETTLE_MS = 2000 };

void mode_idle(const struct options *options)
{
    struct holders holders;
    double bytes = usage_bytes(options->pids), cpu_s = usage_cpu_s(options->pids);
    uint64_t start = now_us();
    holders_start(&holders, options);
    struct load *load = load_new(options, options->connections, 0, options->users, 0);
    load_open(load);
    double opened_s = (double)(now_us() - start) / 1e6;
    unsigned connected = load->connected + holders.connected;
    double open_cpu_s = usage_cpu_s(options->pids) - cpu_s;
    loop_rest(SETTLE_MS);
    bytes = usage_bytes(options->pids) - bytes;
    cpu_s = usage_cpu_s(options->pids);
    start = now_us();
    loop_rest((int)options->seconds * 1000);
    double looked_s = (double)(now_us() - start) / 1e6;
    cpu_s = usage_cpu_s(options->pids) - cpu_s;

    figure_begin(options, "idle");
    figure_number("connections", options->connections + options->holders, 0);
    figure_number("processes", usage_processes(options->pids), 0);
    figure_number("connected", connected, 0);
    figure_number("failed", options->connections + options->holders - connected, 0);
    unsigned ended = load->ended - load->ended_early;
    figure_number("ended", ended + holders_end(&holders), 0);
    figure_number("bytes_each", bytes / connected, 0);
    figure_number("cpu_percent", 100 * cpu_s / looked_s, 2);
    figure_number("seconds", looked_s, 1);
    figure_number("connects_s", connected / opened_s, 0);
    figure_number("connect_cpu_us", 1e6 * open_cpu_s / connected, 1);
    figure_end();
    load_free(load);
}
