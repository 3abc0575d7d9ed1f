/* Preloaded into PostgreSQL: every fdatasync takes SLOW_SYNC_US microseconds longer, as on a slower disk. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int fdatasync(int fd);

int fdatasync(int fd)
{
    static int (*real)(int);
    static long wait_us = -1;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    if (wait_us < 0) {
        const char *text = getenv("SLOW_SYNC_US");
        wait_us = text ? strtol(text, NULL, 10) : 0;
    }
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    nanosleep(&wait, NULL);
    return real(fd);
}
