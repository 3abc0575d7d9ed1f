/* Words to systemd; see service.h. A manager that cannot be reached changes nothing. */
#include "service.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <systemd/sd-daemon.h>

void service_ready(void)
{
    sd_notify(0, "READY=1");
}

void service_stopping(uint64_t limit_ms)
{
    sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, limit_ms * 1000);
}

void service_alive(void)
{
    if (sd_watchdog_enabled(0, NULL) > 0)
        sd_notify(0, "WATCHDOG=1");
}

void service_ending(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}
