/* Draining; see drain.h. Time goes by, close frames go out. */
#include "drain.h"

#include <stdlib.h>

#include "clock.h"
#include "event.h"
#include "message.h"
#include "relay.h"

uint64_t drain_spread_ms(uint64_t limit_ms)
{
    uint64_t rest_ms = limit_ms / 5;
    return limit_ms - (rest_ms < DRAIN_REST_MAX_MS ? rest_ms : DRAIN_REST_MAX_MS);
}

static void tell(struct session *session)
{
    int64_t retry_ms = DRAIN_RETRY_MIN_MS + random() % (DRAIN_RETRY_MAX_MS - DRAIN_RETRY_MIN_MS + 1);
    if (session->stream)
        session_push_now(session, event_retry(retry_ms));
    session_push_now(session, message_draining(retry_ms));
}

void drain_start(struct relay *relay, uint64_t spread_ms)
{
    struct session *session;
    relay->drain = (struct drain){.start_ms = clock_now_ms(), .spread_ms = spread_ms};
    for (size_t at = 0; (session = table_next(&relay->sessions.by_id, &at));) {
        if (session->state > SESSION_OPEN)
            continue;
        if (session->state < SESSION_OPEN) {
            session_end(session, END_SHUTDOWN);
            continue;
        }
        tell(session);
        relay->drain.total++;
    }
    drain_step(relay);
}

/* How many shall have been ended by now. */
static uint64_t due(const struct drain *drain)
{
    uint64_t passed_ms = clock_now_ms() - drain->start_ms;
    return passed_ms < drain->spread_ms ? drain->total * passed_ms / drain->spread_ms : drain->total;
}

/* Who has left by itself is not made up for: the others leave no faster. */
void drain_step(struct relay *relay)
{
    struct session *session;
    uint64_t wanted = due(&relay->drain);
    for (size_t at = 0; (session = table_next(&relay->sessions.by_id, &at));) {
        if (relay->drain.ended >= wanted)
            return;
        if (session->state != SESSION_OPEN)
            continue;
        session_end(session, END_SHUTDOWN);
        relay->drain.ended++;
    }
}

void drain_finish(struct relay *relay)
{
    relay->drain.spread_ms = 0;
    drain_step(relay);
}
