#include "loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

enum { EVENTS_A_TURN = 512 };

static int epoll_fd = -1;

void loop_start(void)
{
    if (epoll_fd >= 0)
        close(epoll_fd);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        fail("epoll", strerror(errno));
}

static void control(int operation, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(epoll_fd, operation, watch->fd, &event) != 0)
        fail("epoll_ctl", strerror(errno));
}

void loop_add(struct watch *watch, uint32_t events)
{
    control(EPOLL_CTL_ADD, watch, events);
}

void loop_change(struct watch *watch, uint32_t events)
{
    control(EPOLL_CTL_MOD, watch, events);
}

void loop_remove(struct watch *watch)
{
    control(EPOLL_CTL_DEL, watch, 0);
}

void loop_turn(int timeout_ms)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(epoll_fd, events, EVENTS_A_TURN, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        watch->ready(watch, events[i].events);
    }
}

void loop_rest(int ms)
{
    uint64_t end = now_us() + (uint64_t)ms * 1000;
    for (uint64_t now = now_us(); now < end; now = now_us())
        loop_turn((int)((end - now) / 1000) + 1);
}

uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
