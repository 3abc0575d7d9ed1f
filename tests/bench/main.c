/* The benchmark's load generator: clients on epoll and an application that writes with libpq, against any
 * server that speaks the protocol's beginning (docs/PROTOCOL.md). tests/bench/run starts everything it needs. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "fail.h"
#include "figure.h"
#include "loop.h"
#include "modes.h"

static const struct {
    const char *name;
    void (*run)(const struct options *options);
} modes[] = {
    {"idle", mode_idle},       {"deliver", mode_deliver}, {"mark_seed", mode_mark_seed}, {"mark", mode_mark},
    {"connect", mode_connect}, {"churn", mode_churn},     {"resume", mode_resume},       {"slow", mode_slow},
};

int main(int argc, char **argv)
{
    struct options options;
    const char *mode;
    struct rlimit limit;
    if (!options_read(&options, argc, argv, &mode))
        return 2;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    figure_open(options.raw);
    loop_start();
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, mode) == 0) {
            modes[i].run(&options);
            return 0;
        }
    }
    fail(mode, "modes: idle, deliver, mark_seed, mark, connect, churn, resume, slow");
}
