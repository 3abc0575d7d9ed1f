/* The one way out of the load generator when it cannot go on. */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

/* Says on stderr what failed and why; ends the process with status 1. */
_Noreturn void fail(const char *what, const char *why);

#endif
