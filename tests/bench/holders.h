/* Connections that only stay, in processes of their own: one process may not have 100,000 files. */
#ifndef BENCH_HOLDERS_H
#define BENCH_HOLDERS_H

#include "options.h"

enum { HOLDERS_A_PROCESS = 15000, HOLDERS_PROCESSES_MAX = 64 };

struct holders {
    int count;
    int fds[HOLDERS_PROCESSES_MAX];
    unsigned connected, failed; /* when all had been opened */
};

/* Opens options->holders connections, of the users behind options->users, and returns when that is done. */
void holders_start(struct holders *holders, const struct options *options);
/* Ends them; returns how many connections the servers had ended before. */
unsigned holders_end(struct holders *holders);

#endif
