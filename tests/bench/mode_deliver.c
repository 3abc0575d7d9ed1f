/* A transaction is sent at its time, or when fewer than `window` are under way; it is done when each of its rows has
 * come to every tab of its user. The ledger has rows numbered over the run; warm-up rows come first and are not
 * measured, but they must arrive as well. */
#include <stdlib.h>

#include "fail.h"
#include "figure.h"
#include "holders.h"
#include "ledger.h"
#include "load.h"
#include "loop.h"
#include "modes.h"
#include "usage.h"
#include "writer.h"

enum { LATE_S = 5 };

struct transaction {
    uint64_t sent_us;
    uint64_t left; /* deliveries */
};

struct deliver {
    const struct options *options;
    struct load *load;
    struct writer *writer;
    struct ledger ledger;
    struct transaction *transactions;
    uint64_t each;                /* deliveries of a transaction */
    unsigned sent, returned, done;
    struct samples latency, last, commit;
    uint64_t other;               /* messages that are no new_notification */
};

static void take_row(struct deliver *deliver, struct client *client, unsigned user, uint64_t row)
{
    const struct options *options = deliver->options;
    if (user != client->user || writer_user(options, row) != user) {
        ledger_misrouted(&deliver->ledger);
        return;
    }
    uint64_t at = row / options->rows;
    if (!ledger_enter(&deliver->ledger, client->slot, row / options->users) || at >= deliver->sent)
        return;
    struct transaction *transaction = &deliver->transactions[at];
    uint64_t us = now_us() - transaction->sent_us;
    samples_add(&deliver->latency, us);
    if (--transaction->left == 0) {
        samples_add(&deliver->last, us);
        deliver->done++;
    }
}

static void take_text(struct client *client, enum text_type type, const char *text, size_t size)
{
    struct deliver *deliver = load_of(client)->context;
    size_t at = 0;
    unsigned user;
    uint64_t row;
    if (type == TEXT_NEW && text_next_row(text, size, &at, &user, &row))
        take_row(deliver, client, user, row);
    else
        deliver->other++;
}

static void take_return(void *context)
{
    struct deliver *deliver = context;
    samples_add(&deliver->commit, now_us() - deliver->transactions[deliver->returned++].sent_us);
}

static void send_one(struct deliver *deliver)
{
    unsigned at = deliver->sent++;
    deliver->transactions[at] = (struct transaction){.sent_us = now_us(), .left = deliver->each};
    writer_insert(deliver->writer, (uint64_t)at * deliver->options->rows, deliver->options->rows);
}

/* Sends what is due; returns how long nothing will be, in ms. */
static int send_due(struct deliver *deliver, uint64_t start_us, unsigned first, unsigned end)
{
    const struct options *options = deliver->options;
    if (options->rate <= 0) {
        while (deliver->sent < end && deliver->sent - deliver->done < options->window)
            send_one(deliver);
        return LATE_S * 1000;
    }
    while (deliver->sent < end) {
        uint64_t due = start_us + (uint64_t)((deliver->sent - first) * 1e6 / options->rate), now = now_us();
        if (due > now)
            return (int)((due - now + 999) / 1000);
        send_one(deliver);
    }
    return LATE_S * 1000;
}

/* Until all of them are done, or, so many seconds after the last was sent, what is missing is lost. */
static void run_phase(struct deliver *deliver, unsigned count, unsigned seconds)
{
    unsigned first = deliver->sent, end = first + count;
    uint64_t start = now_us(), stop = start + (uint64_t)seconds * 1000000;
    while (deliver->done < end && now_us() < stop + LATE_S * 1000000ull) {
        if (now_us() >= stop)
            end = deliver->sent;
        loop_turn(send_due(deliver, start, first, end));
    }
    while (writer_busy(deliver->writer))
        loop_turn(1000);
}

static void print(struct deliver *deliver, unsigned measured, double took_s, double cpu_s, double postgres_s)
{
    const struct options *options = deliver->options;
    uint64_t deliveries = deliver->latency.count, rows = (uint64_t)measured * options->rows;
    figure_begin(options, "deliver");
    figure_number("connections", options->connections + options->holders, 0);
    figure_number("users", options->users, 0);
    figure_number("rows", options->rows, 0);
    figure_number("transactions", measured, 0);
    ledger_print(&deliver->ledger, (uint64_t)deliver->sent * deliver->each);
    samples_print(&deliver->latency, "latency");
    samples_print(&deliver->last, "last");
    samples_print(&deliver->commit, "commit");
    figure_number("rows_s", (double)rows / took_s, 0);
    figure_number("deliveries_s", (double)deliveries / took_s, 0);
    figure_number("cpu_us", 1e6 * cpu_s / (double)deliveries, 2);
    figure_number("cpu_percent", 100 * cpu_s / took_s, 1);
    figure_number("postgres_us_a_row", 1e6 * postgres_s / (double)rows, 2);
    figure_number("other_messages", (double)deliver->other, 0);
    figure_end();
}

static void measure(struct deliver *deliver)
{
    const struct options *options = deliver->options;
    run_phase(deliver, options->warm, options->seconds);
    unsigned before = deliver->sent;
    samples_clear(&deliver->latency);
    samples_clear(&deliver->last);
    samples_clear(&deliver->commit);
    deliver->other = 0;
    double cpu_s = usage_cpu_s(options->pids), postgres_s = usage_cpu_s(options->postgres);
    uint64_t start = now_us();
    run_phase(deliver, options->count, options->seconds);
    double took_s = (double)(now_us() - start) / 1e6;
    cpu_s = usage_cpu_s(options->pids) - cpu_s;
    postgres_s = usage_cpu_s(options->postgres) - postgres_s;
    loop_rest(200); /* for what comes twice */
    print(deliver, deliver->sent - before, took_s, cpu_s, postgres_s);
}

void mode_deliver(const struct options *options)
{
    unsigned transactions = options->warm + options->count;
    uint64_t rows = (uint64_t)transactions * options->rows;
    struct deliver deliver = {.options = options, .transactions = calloc(transactions, sizeof(struct transaction))};
    struct holders holders;
    if (!deliver.transactions || options->connections % options->users != 0)
        fail("deliver", "connections must be a multiple of users");
    deliver.each = (uint64_t)options->rows * (options->connections / options->users);
    ledger_start(&deliver.ledger, options->connections, (rows + options->users - 1) / options->users);
    holders_start(&holders, options);
    deliver.load = load_new(options, options->connections, 0, options->users, 0);
    deliver.load->context = &deliver;
    deliver.load->on_text = take_text;
    deliver.writer = writer_new(options);
    writer_on_return(deliver.writer, take_return, &deliver);
    load_open(deliver.load);
    if (deliver.load->connected < options->connections || holders.failed)
        fail("deliver", "not all clients could connect");
    loop_rest(1000);
    measure(&deliver);
    holders_end(&holders);
    load_free(deliver.load);
    writer_free(deliver.writer);
    ledger_free(&deliver.ledger);
    samples_free(&deliver.latency);
    samples_free(&deliver.last);
    samples_free(&deliver.commit);
    free(deliver.transactions);
}
