/* A frame is one finished WebSocket frame (RFC 6455 §5.2, server side, never
 * masked): header and payload as they go to the socket. It is made once per
 * event, never changed, and shared by reference count between all tabs. What goes
 * to an event stream is a frame as well, without that header. */
#ifndef PGHERALD_FRAME_H
#define PGHERALD_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEADER_MAX = 10, FRAME_REASON_MAX = 123 /* bytes, RFC 6455 §5.5.1 */ };

/* A borrowed piece of text; need not end with a zero byte. */
struct text {
    const char *bytes;
    size_t size;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})
struct text text_of(const char *zero_terminated); /* NULL gives an empty text */
size_t text_characters(const char *text);         /* of UTF-8, as PostgreSQL counts them */

/* What a frame says, for those who count; the first is what frames are made as. */
enum frame_type {
    FRAME_OTHER,
    FRAME_PING,
    FRAME_CLOSE,
    FRAME_CONNECTED,
    FRAME_AUTHENTICATED,
    FRAME_TOKEN_EXPIRING,
    FRAME_NEW_NOTIFICATION,
    FRAME_NOTIFICATION_UPDATED,
    FRAME_NOTIFICATION_DELETED,
    FRAME_UNREAD_NOTIFICATIONS,
    FRAME_NOTIFICATIONS,
    FRAME_UNREAD_COUNT,
    FRAME_RESUMED,
    FRAME_DRAINING,
    FRAME_PONG,
    FRAME_ERROR,
    FRAME_BROADCAST, /* what the application sends */
    FRAME_TYPES
};

const char *frame_type_word(int type); /* for its counter */

struct frame {
    uint32_t refs;
    uint32_t size; /* bytes on the wire */
    int64_t since_us; /* monotonic: since when what it says is true, see latency.h; 0: not known */
    struct frame *event; /* the same for event streams, made when the first one needs it (event.h); or NULL */
    uint8_t type;     /* enum frame_type */
    bool passing;     /* of the feed: who cannot take it is caught up later; an answer is never dropped */
    bool application; /* its text is the application's: what looks like a cursor in it is none */
    bool is_event;    /* bytes of an event stream, not of a WebSocket */
    uint8_t bytes[];
};

/* Each returns a frame with one reference; memory that is not there ends the process. */
struct frame *frame_new_text(const struct text *parts, size_t count); /* payload: the parts joined */
struct frame *frame_new_ping(void); /* with a payload: libwebsockets tells of no empty pong */
struct frame *frame_new_close(uint16_t code, const char *reason);
/* For an event stream: the parts joined and nothing around them. */
struct frame *frame_new_event(const struct text *parts, size_t count);
struct frame *frame_from_wire(const uint8_t *bytes, size_t size); /* copies a finished frame */

struct frame *frame_hold(struct frame *frame); /* one more owner; returns its argument */
void frame_drop(struct frame *frame);          /* one owner less; NULL is allowed */

struct text frame_payload(const struct frame *frame); /* borrowed */

#endif
