/* When a notification was committed, as exactly as a row tells. PostgreSQL keeps no time of commits
 * (track_commit_timestamp is off by default); but a row that a look of the feed finds and the look
 * before did not was committed after that one, and after its own created_at. The later of the two is
 * taken: the commit came then or later, so what is measured from there is never too short. Pure. */
#ifndef PGHERALD_LATENCY_H
#define PGHERALD_LATENCY_H

#include <stdint.h>

#include "frame.h"

/* The times of one look, and of the look before. */
struct look_times {
    int64_t asked_us;           /* monotonic clock of this machine: when it was sent */
    int64_t database_us;        /* Unix time, the database's clock: when it began; 0: not known */
    int64_t previous_us;        /* the same of the look before; 0: there was none */
};

/* The monotonic time of the commit of a new notification, at the earliest; 0: it cannot be told (read already,
 * a created_at of the future, no times). body is its JSON as herald.notification_json() writes it. */
int64_t latency_since_us(const struct look_times *times, struct text body);

/* created_at of an unread notification's JSON, in microseconds of Unix time; 0: none is found. */
int64_t latency_created_us(struct text body);

#endif
