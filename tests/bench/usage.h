/* What processes of this machine have used, by /proc: a process with all its children and theirs. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

/* Seconds of CPU of these processes (-1 ends the list), of their children and of children that have ended. */
double usage_cpu_s(const int *pids);
/* Proportional memory of these processes and their children. Shared pages count in parts, so the sum is right. */
double usage_bytes(const int *pids);
/* How many processes that is. */
int usage_processes(const int *pids);

#endif
