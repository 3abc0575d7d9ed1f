/* A client that has a cursor comes back with it and is told what it missed; one whose server gives none asks for its
 * unread notifications, as such clients do. Either way each row of its user must come. */
#include <stdio.h>
#include <stdlib.h>

#include "fail.h"
#include "figure.h"
#include "ledger.h"
#include "load.h"
#include "loop.h"
#include "modes.h"
#include "usage.h"
#include "writer.h"

enum { CURSOR_BYTES = 64 };

struct resume {
    const struct options *options;
    char (*cursors)[CURSOR_BYTES];
    unsigned *missing; /* rows, of each client */
    bool back;
    unsigned complete;
    struct ledger ledger;
    struct samples told;
};

static size_t add_cursor(struct client *client, char *out, size_t room)
{
    struct resume *resume = load_of(client)->context;
    const char *cursor = resume->cursors[client->slot];
    return cursor[0] ? (size_t)snprintf(out, room, "&cursor=%s", cursor) : 0;
}

static void take_connected(struct client *client, const char *text, size_t size)
{
    static const char ask[] = "{\"type\":\"get_unread\",\"limit\":100}";
    struct resume *resume = load_of(client)->context;
    char *cursor = resume->cursors[client->slot];
    if (!resume->back && !text_member(text, size, "cursor", cursor, CURSOR_BYTES))
        cursor[0] = '\0';
    if (resume->back && !cursor[0])
        client_send(client, ask, sizeof(ask) - 1);
}

static void take_text(struct client *client, enum text_type type, const char *text, size_t size)
{
    struct resume *resume = load_of(client)->context;
    size_t at = 0;
    unsigned user;
    uint64_t row;
    (void)type;
    while (resume->back && text_next_row(text, size, &at, &user, &row)) {
        if (user != client->user || writer_user(resume->options, row) != user)
            ledger_misrouted(&resume->ledger);
        else if (ledger_enter(&resume->ledger, client->slot, row / resume->options->users) &&
                 --resume->missing[client->slot] == 0) {
            samples_add(&resume->told, now_us() - client->since_us);
            resume->complete++;
        }
    }
}

/* `rows` rows for each user, a thousand a transaction. */
static void write_rows(const struct options *options)
{
    struct writer *writer = writer_new(options);
    uint64_t rows = (uint64_t)options->rows * options->users;
    for (uint64_t first = 0; first < rows; first += 1000) {
        writer_insert(writer, first, rows - first < 1000 ? (unsigned)(rows - first) : 1000);
        while (writer_busy(writer))
            loop_turn(1000);
    }
    writer_free(writer);
}

static void come_back(struct resume *resume, struct load *load)
{
    uint64_t end = now_us() + (uint64_t)resume->options->seconds * 1000000;
    load_open(load);
    while (resume->complete < load->count && now_us() < end)
        loop_turn(100);
}

static void measure(struct resume *resume, struct load *load)
{
    const struct options *options = resume->options;
    double cpu_s = usage_cpu_s(options->pids), postgres_s = usage_cpu_s(options->postgres);
    uint64_t start = now_us();
    come_back(resume, load);
    double took_s = (double)(now_us() - start) / 1e6;
    cpu_s = usage_cpu_s(options->pids) - cpu_s;
    postgres_s = usage_cpu_s(options->postgres) - postgres_s;
    figure_begin(options, "resume");
    figure_number("connections", options->connections, 0);
    figure_number("rows", options->rows, 0);
    figure_number("complete", resume->complete, 0);
    figure_number("failed", load->ended_early, 0);
    ledger_print(&resume->ledger, (uint64_t)options->rows * options->connections);
    figure_number("all_s", took_s, 3);
    figure_number("cpu_us", 1e6 * cpu_s / options->connections, 1);
    figure_number("postgres_us", 1e6 * postgres_s / options->connections, 1);
    samples_print(&resume->told, "told");
    figure_end();
}

void mode_resume(const struct options *options)
{
    struct resume resume = {.options = options, .cursors = calloc(options->connections, CURSOR_BYTES),
                            .missing = calloc(options->connections, sizeof(unsigned))};
    struct load *load = load_new(options, options->connections, 0, options->users, 0);
    if (!resume.cursors || !resume.missing)
        fail("resume", "no memory");
    ledger_start(&resume.ledger, options->connections, options->rows);
    load->context = &resume;
    load->on_connected = take_connected;
    load->on_text = take_text;
    load->on_query = add_cursor;
    load_open(load);
    loop_rest(1000);
    load_close(load);
    write_rows(options);
    loop_rest(2000);
    for (unsigned i = 0; i < options->connections; i++) {
        load->clients[i].connected = false;
        resume.missing[i] = options->rows;
    }
    resume.back = true;
    measure(&resume, load);
    load_free(load);
    ledger_free(&resume.ledger);
    samples_free(&resume.told);
    free(resume.cursors);
    free(resume.missing);
}
