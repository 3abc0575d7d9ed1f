/* The load generator's event loop: epoll, one a process. What is watched embeds a struct watch as its first member. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stdint.h>

struct watch {
    void (*ready)(struct watch *watch, uint32_t events);
    int fd;
};

/* Again after fork(): the child's loop is then its own and empty. */
void loop_start(void);
void loop_add(struct watch *watch, uint32_t events);
void loop_change(struct watch *watch, uint32_t events);
/* Before its descriptor is closed. An event of the same turn may still reach it. */
void loop_remove(struct watch *watch);
/* Waits at most that long for anything and handles it. */
void loop_turn(int timeout_ms);
/* Turns until that much time has passed. */
void loop_rest(int ms);

/* Microseconds of the monotonic clock. */
uint64_t now_us(void);

#endif
