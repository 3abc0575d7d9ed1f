/* What the service manager is told (sd_notify(3)): by the one process it has
 * started, never by a worker. Without NOTIFY_SOCKET nothing is sent. And what it says. */
#ifndef PGHERALD_SERVICE_H
#define PGHERALD_SERVICE_H

#include <stdint.h>

void service_ready(void); /* the port is open */
/* It may take so long until the process has ended, whatever TimeoutStopSec= says. */
void service_stopping(uint64_t limit_ms);
/* The loop goes round; to be called once a second, for a WatchdogSec= of 3 or more. */
void service_alive(void);

/* For any process, once its loop has ended: another SIGTERM, SIGINT or SIGHUP changes nothing any more. It would kill
 * the process, instead of the exit status, between the end of libuv's handlers and its own. */
void service_ending(void);

#endif
