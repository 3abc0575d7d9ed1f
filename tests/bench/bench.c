/* The benchmark's load generator: opens WebSocket connections to a relay with development tokens, writes
 * rows with libpq, and prints what it measured. tests/bench/run starts everything it needs. */
#include <dirent.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { FRAME_MS = 5000 };

struct options {
    int port;
    const char *database;
    int connections;
    int users;
    double rate; /* rows a second */
    int count;   /* rows */
    int pid;     /* the relay's first process */
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- memory ---- */

/* One number behind a name in a file of /proc; 0 when the process is gone. */
static long proc_number(int pid, const char *file, const char *name)
{
    char path[64], line[256];
    long value = 0;
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof(line), in))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (in)
        fclose(in);
    return value;
}

/* Proportional memory of a process and its children, in bytes. */
static long relay_bytes(int pid)
{
    long kilobytes = proc_number(pid, "smaps_rollup", "Pss:");
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
        int child = atoi(entry->d_name);
        if (child && proc_number(child, "status", "PPid:") == pid)
            kilobytes += proc_number(child, "smaps_rollup", "Pss:");
    }
    if (processes)
        closedir(processes);
    return kilobytes * 1024;
}

static void user_name(char out[32], int number)
{
    snprintf(out, 32, "bench%d", number);
}

static void run_idle(const struct options *options)
{
    struct client *clients = calloc((size_t)options->connections, sizeof(*clients));
    const char *why;
    char user[32];
    if (!clients)
        fail("idle", "no memory");
    long before = relay_bytes(options->pid);
    double start = now_ms();
    for (int i = 0; i < options->connections; i++) {
        user_name(user, i % options->users);
        if (!client_open(&clients[i], options->port, user, &why))
            fail("idle", why);
    }
    double took = now_ms() - start;
    sleep(2);
    long after = relay_bytes(options->pid);
    printf("idle connections=%d bytes_each=%ld login_ms=%.3f\n", options->connections,
           (after - before) / options->connections, took / options->connections);
    for (int i = 0; i < options->connections; i++)
        client_close(&clients[i]);
    free(clients);
}

/* ---- latency ---- */

static int compare(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static void print_times(const char *name, double *ms, int count)
{
    qsort(ms, (size_t)count, sizeof(*ms), compare);
    printf("latency from=%s rows=%d p50_ms=%.3f p90_ms=%.3f p99_ms=%.3f max_ms=%.3f\n", name, count,
           ms[count / 2], ms[count * 9 / 10], ms[count * 99 / 100], ms[count - 1]);
}

/* Inserts one row and waits for its frame. *call_ms counts from the call of the INSERT, *commit_ms from its
 * return: the commit has happened between the two. */
static void one_row(struct client *client, PGconn *conn, int number, double *call_ms, double *commit_ms)
{
    char sql[160], mark[32];
    double called = now_ms(), committed = 0, arrived = 0;
    snprintf(mark, sizeof(mark), "\"bench row %d\"", number);
    snprintf(sql, sizeof(sql),
             "insert into herald.notifications (user_id, title) values ('u-bench0', 'bench row %d')", number);
    if (!PQsendQuery(conn, sql))
        fail("latency", PQerrorMessage(conn));
    while (!arrived || !committed) {
        struct pollfd fds[] = {{.fd = client->fd, .events = POLLIN}, {.fd = PQsocket(conn), .events = POLLIN}};
        if (poll(fds, 2, FRAME_MS) < 1)
            fail("latency", "a row did not arrive");
        double now = now_ms();
        bool closed = false;
        for (const char *frame; fds[0].revents && (frame = client_next(client, &closed));)
            if (strstr(frame, mark))
                arrived = now;
        if (closed)
            fail("latency", "the relay closed the connection");
        if (!fds[1].revents)
            continue;
        PQconsumeInput(conn);
        while (!committed && !PQisBusy(conn)) {
            PGresult *result = PQgetResult(conn);
            if (result && PQresultStatus(result) != PGRES_COMMAND_OK)
                fail("latency", PQresultErrorMessage(result));
            committed = result ? committed : now;
            PQclear(result);
        }
    }
    *call_ms = arrived - called;
    *commit_ms = arrived > committed ? arrived - committed : 0;
}

static void run_latency(const struct options *options)
{
    struct client *client = calloc(1, sizeof(*client));
    double *call_ms = calloc((size_t)options->count, sizeof(*call_ms));
    double *commit_ms = calloc((size_t)options->count, sizeof(*commit_ms));
    PGconn *conn = PQconnectdb(options->database);
    const char *why;
    if (!client || !call_ms || !commit_ms || PQstatus(conn) != CONNECTION_OK)
        fail("latency", PQerrorMessage(conn));
    if (!client_open(client, options->port, "bench0", &why))
        fail("latency", why);
    for (int i = 0; i < options->count; i++) {
        double start = now_ms();
        one_row(client, conn, i, &call_ms[i], &commit_ms[i]);
        double left_ms = 1000 / options->rate - (now_ms() - start);
        if (left_ms > 0)
            usleep((useconds_t)(left_ms * 1000));
    }
    print_times("insert_call", call_ms, options->count);
    print_times("insert_return", commit_ms, options->count);
    PQfinish(conn);
    client_close(client);
    free(client);
    free(call_ms);
    free(commit_ms);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},  {"database", required_argument, NULL, 'd'},
        {"connections", required_argument, NULL, 'c'}, {"users", required_argument, NULL, 'u'},
        {"rate", required_argument, NULL, 'r'},  {"count", required_argument, NULL, 'n'},
        {"pid", required_argument, NULL, 'P'},   {0}};
    struct options options = {.connections = 10000, .users = 1000, .rate = 1, .count = 60};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'p': options.port = atoi(optarg); break;
        case 'd': options.database = optarg; break;
        case 'c': options.connections = atoi(optarg); break;
        case 'u': options.users = atoi(optarg); break;
        case 'r': options.rate = atof(optarg); break;
        case 'n': options.count = atoi(optarg); break;
        case 'P': options.pid = atoi(optarg); break;
        default: return 2;
        }
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const char *mode = optind < argc ? argv[optind] : "";
    if (strcmp(mode, "idle") == 0)
        run_idle(&options);
    else if (strcmp(mode, "latency") == 0)
        run_latency(&options);
    else
        fail(mode, "modes: idle, latency");
    return 0;
}
