#include "holders.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "load.h"
#include "loop.h"

struct report {
    unsigned connected, failed, ended;
};

struct parent {
    struct watch watch;
    bool gone;
};

static void parent_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    ((struct parent *)watch)->gone = true;
}

static void tell(int fd, const struct load *load)
{
    struct report report = {.connected = load->connected, .failed = load->count - load->connected,
                            .ended = load->ended - load->ended_early};
    if (write(fd, &report, sizeof(report)) != sizeof(report))
        fail("holder", strerror(errno));
}

/* The child: holds its connections until the parent has no more to say. */
static void hold(const struct options *options, int fd, unsigned first, unsigned count)
{
    loop_start();
    struct parent parent = {.watch = {.ready = parent_ready, .fd = fd}};
    struct load *load = load_new(options, count, options->connections + first, count, options->users + first);
    load_open(load);
    tell(fd, load);
    loop_add(&parent.watch, EPOLLIN);
    while (!parent.gone)
        loop_turn(1000);
    tell(fd, load);
    _exit(0);
}

static int start_one(const struct options *options, unsigned first, unsigned count)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        fail("holders", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        fail("holders", strerror(errno));
    if (pid == 0) {
        close(fds[0]);
        hold(options, fds[1], first, count);
    }
    close(fds[1]);
    return fds[0];
}

static struct report hear(int fd)
{
    struct report report;
    if (read(fd, &report, sizeof(report)) != sizeof(report))
        fail("holders", "one has ended");
    return report;
}

void holders_start(struct holders *holders, const struct options *options)
{
    *holders = (struct holders){0};
    for (unsigned first = 0; first < options->holders; first += HOLDERS_A_PROCESS) {
        unsigned left = options->holders - first;
        if (holders->count == HOLDERS_PROCESSES_MAX)
            fail("holders", "too many");
        /* One after the other, so that the servers see no more handshakes at a time than in other runs. */
        int fd = start_one(options, first, left < HOLDERS_A_PROCESS ? left : HOLDERS_A_PROCESS);
        struct report report = hear(fd);
        holders->fds[holders->count++] = fd;
        holders->connected += report.connected;
        holders->failed += report.failed;
    }
}

unsigned holders_end(struct holders *holders)
{
    unsigned ended = 0;
    for (int i = 0; i < holders->count; i++) {
        shutdown(holders->fds[i], SHUT_WR);
        ended += hear(holders->fds[i]).ended;
        close(holders->fds[i]);
    }
    while (holders->count && wait(NULL) > 0)
        ;
    holders->count = 0;
    return ended;
}
