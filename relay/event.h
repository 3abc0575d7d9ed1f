/* Events of a stream (WHATWG HTML §9.2, Server-Sent Events): frames in, the bytes of
 * an event stream out, with the frame's cursor as the event's id. Pure but for memory. */
#ifndef PGHERALD_EVENT_H
#define PGHERALD_EVENT_H

#include <stdint.h>

#include "frame.h"

/* The id of a stream's last event when its client is not to come back. */
#define EVENT_ID_CLOSED "closed"

/* What an event stream writes for a frame; gives a reference. It is made once, for all streams that are given this
 * frame. An event comes back as it is. */
struct frame *event_of(struct frame *frame);
struct frame *event_alive(void); /* a comment: clients see nothing, proxies see bytes */
/* How long a client waits before it comes back after the next break. */
struct frame *event_retry(int64_t ms);
/* What a close frame says; final: who comes back with its id is told to stop. */
struct frame *event_close(int code, const char *reason, bool final);

#endif
