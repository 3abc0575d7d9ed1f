/* What the load generator is told on its command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>

enum { OPTIONS_SERVERS_MAX = 16 };

struct options {
    const char *server;   /* its name, only printed */
    const char *label;    /* what varies in a series of runs, only printed */
    const char *transport; /* of the clients: websocket or, for idle and deliver, sse */
    const char *name;     /* the figure's name, when it is not the mode's */
    int round;            /* only printed */
    const char *raw;      /* file for the figures as JSON lines, or NULL */
    const char *database; /* conninfo of the application that writes */
    const char *table;    /* where it inserts notifications */
    const char *alg;      /* of the tokens: HS256 or ES256 */
    const char *key;      /* file that signs them */
    int ports[OPTIONS_SERVERS_MAX]; /* connections go to these in turn */
    int port_count;
    int pids[OPTIONS_SERVERS_MAX + 1]; /* the servers' first processes, then -1 */
    int postgres[2];                   /* PostgreSQL's first process, then -1 */
    unsigned connections;
    unsigned users;   /* connection n is of user n modulo this */
    unsigned holders; /* further connections, of further users, that only stay */
    unsigned at_once; /* handshakes under way at a time */
    double rate;      /* transactions a second; 0: the next one when an earlier one has been delivered */
    unsigned window;  /* transactions under way at a time, when rate is 0 */
    unsigned rows;    /* rows a transaction */
    unsigned count;   /* transactions; of `churn`: connections in all */
    unsigned warm;    /* transactions before these, not measured */
    unsigned seconds; /* how long to look on, or to try at most */
    unsigned bytes;   /* of a notification's message */
    unsigned slow;    /* connections that stop reading */
};

/* False: something is unknown; it has been said. Afterwards *mode is what to do. */
bool options_read(struct options *options, int argc, char **argv, const char **mode);

#endif
