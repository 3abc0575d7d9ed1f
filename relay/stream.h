/* A stream is a session whose socket is the body of one HTTP response (Server-Sent Events): what
 * is said around its events. The status is known only when the login is: until then nothing is
 * written, and who may not pass gets a problem document (RFC 9457) instead. Pure but for memory. */
#ifndef PGHERALD_STREAM_H
#define PGHERALD_STREAM_H

#include <stdbool.h>

#include "frame.h"
#include "refusal.h"

struct door;

struct stream {
    const struct door *door; /* of its socket */
    const char *further; /* lines of its head */
    bool begun;          /* the head is written */
    char origin[]; /* for Access-Control-Allow-Origin; empty: none */
};

enum {
    STREAM_RETRY_MIN_MS = 2000, /* of a client that loses its stream; random between these, for each stream */
    STREAM_RETRY_MAX_MS = 4000,
};

/* origin: the request's that is allowed, "*" for all, or "" without one. further: lines of any response's head, each
 * with its CRLF, or ""; borrowed for as long as there is a stream. */
struct stream *stream_new(const struct door *door, const char *origin, const char *further);
/* The response's head; once. */
struct frame *stream_begin(struct stream *stream);
/* The last of a stream: an event when it has begun, else the response that there is instead. reason: enum end_reason. */
struct frame *stream_end(const struct stream *stream, int reason);

/* Whole responses for requests that become no stream. */
struct frame *stream_refuse(enum refusal refusal, const char *further);
struct frame *stream_no_more(const char *origin, const char *further);   /* 204: an EventSource comes no more */
struct frame *stream_preflight(const char *origin, const char *further); /* a page may send a stream's headers */

#endif
