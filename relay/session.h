/* A session is one tab: a socket, a user, what is still to be written to it.
 * Bytes of client messages come in (a stream has none); frames go out through its door. It owns its
 * outbox and its half-read message; the socket belongs to the door. Late answers
 * find it by id, never by pointer (session_find()). */
#ifndef PGHERALD_SESSION_H
#define PGHERALD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"
#include "deliveries.h"
#include "frame.h"
#include "outbox.h"
#include "peers.h"
#include "rate.h"
#include "table.h"
#include "wheel.h"

struct login;
struct pending;
struct relay;
struct replay;
struct stream;
struct user;

enum {
    SESSION_ID_SIZE = 37,          /* text, with the zero */
    SESSION_LOGIN_SECONDS = 10,    /* to show a good token */
    SESSION_CLOSE_SECONDS = 5,     /* for the peer's half of the closing handshake */
    SESSION_EXPIRY_WARNING_S = 60, /* token_expiring comes so long before */
    SESSION_MISSED_PINGS = 2,
    SESSION_STALLS = 2,    /* heartbeats without a byte taken, though there were some to take */
    SESSION_PAGES_MAX = 4, /* pages under way; the next message waits */
};

/* What a session needs of the socket it lives on. */
struct door {
    /* Writes whole frames; false: the socket is gone. Only when not busy. */
    bool (*write)(void *socket, const uint8_t *bytes, size_t size);
    bool (*busy)(void *socket);       /* the kernel has not taken all bytes yet */
    void (*want_write)(void *socket); /* ask for session_writable() */
    void (*kill)(void *socket);       /* closes now; session_gone() comes before it returns */
    void (*read)(void *socket, bool on); /* off: what the client sends waits in the kernel */
    uint32_t (*taken)(void *socket);  /* changes when the peer takes bytes */
    void (*expect)(void *socket);     /* it is written to soon */
};

enum session_state {
    SESSION_WAITING, /* for a token */
    SESSION_LOGIN,   /* its token is good, its user is being looked up */
    SESSION_JOINED,  /* in the router; frames wait behind `connected` */
    SESSION_OPEN,
    SESSION_ENDING,  /* the close frame is the last in the outbox */
    SESSION_CLOSED,  /* the close frame is written */
};

enum { SESSION_STATES = SESSION_CLOSED + 1 };

enum session_transport { SESSION_WEBSOCKET, SESSION_SSE, SESSION_TRANSPORTS };

/* Each has its close code, reason and log word in session.c's table. */
enum end_reason {
    END_PEER,
    END_SHUTDOWN,
    END_BINARY,
    END_TOO_LARGE,
    END_CAPACITY,
    END_ADDRESS_FULL,
    END_AUTH_FAILURES,
    END_UNAVAILABLE,
    END_NO_TOKEN,
    END_LOGIN_DEADLINE,
    END_TOKEN_MALFORMED,
    END_NO_USER,
    END_TOKEN_SIGNATURE,
    END_TOKEN_EXPIRED,
    END_TOKEN_EARLY,
    END_TOKEN_ISSUER,
    END_TOKEN_AUDIENCE,
    END_TOKEN_REFUSED,
    END_TOKEN_OTHER_USER,
    END_DISCONNECTED,
    END_RATE,
    END_USER_RATE,
    END_TOO_MANY_TABS,
    END_UNRESPONSIVE,
    END_STALLED,
    END_REASONS
};

struct session {
    /* First what a heartbeat looks at, then what a delivery does: of thousands of sessions nothing is in the processor's
     * caches. */
    struct wheel_entry deadline;
    struct relay *relay;
    void *socket;
    struct stream *stream; /* what it is of an HTTP response; NULL: a WebSocket */
    uint32_t expires_at_s; /* the end of its token on the monotonic clock; 0: never */
    uint32_t due_at_s;     /* monotonic: next ping, or the end of this state's patience */
    uint8_t state;         /* enum session_state, changed by session_set_state() only */
    uint8_t missed_pings;
    uint8_t stalls; /* heartbeats at which its socket was full and nothing had been taken */
    bool unread;    /* door->read is off */
    bool touched;
    bool dirty;     /* its frames were dropped; it must be told anew */
    uint16_t marks; /* mark_reads whose echo from the feed is still to come */
    struct outbox outbox;
    struct cursor told; /* all before has been written: where a catch-up would begin */
    struct session *touched_prev, *touched_next;
    struct session *tab_next;
    struct replay *replay; /* a catch-up under way; NULL mostly */

    struct session *tab_prev;
    uint64_t id;
    struct user *user; /* NULL before SESSION_JOINED */
    struct peer *peer; /* NULL without an address */
    struct login *login;     /* a token whose user is being looked up; NULL mostly */
    struct pending *pending; /* messages that cannot be handled yet; NULL mostly */
    int64_t expires_s;       /* Unix time of the token's end; 0: never */
    uint32_t taken; /* door->taken at the last heartbeat: of a stream, or at which its socket was full */
    struct rate rate;
    uint8_t reason; /* enum end_reason, once ending */
    uint8_t pages;  /* asked for and not yet answered */
    bool warned_rate; /* the error before 4029 was sent */
    bool warned_expiry;
};

struct sessions {
    struct table by_id; /* the sessions, by their ids */
    struct session *touched;
    struct outbox_pool pool;
    struct deliveries sent;
    struct wheel wheel;
    struct peers peers;
    const struct door *door;
    uint64_t instance; /* random; half of each session's public id */
    uint64_t last_id;
    int count;
    int by_state[SESSION_TRANSPORTS][SESSION_STATES];
    uint64_t opened[SESSION_TRANSPORTS];
    uint8_t *scratch; /* SESSION_SCRATCH_BYTES, to join small frames into one write */
    struct frame *ping; /* the same for all */
};

enum { SESSION_SCRATCH_BYTES = 65536 };

void sessions_start(struct sessions *sessions, const struct door *door);
void sessions_stop(struct sessions *sessions); /* all must be gone */
/* At the end of a loop turn: writes to those that have something to be told, the longest waiting first, so many of
 * them at most. True: some are left for the next turn. */
bool sessions_flush(struct sessions *sessions, int most);
/* Once a second, and again in the next turn of the loop while it returns true: deadlines, so many of them at most. */
bool sessions_due(struct relay *relay, int most);
void sessions_tick(struct relay *relay); /* once a second: addresses that are gone are forgotten */

/* HERALD_MAX_CONNECTIONS, or the share of it that each of several workers has. */
int sessions_allowed(const struct relay *relay);
/* A socket whose handshake is done; address is the client's, or none. stream is taken; NULL for a WebSocket. Never
 * NULL: a relay that is full ends the session at once. */
struct session *session_open(struct relay *relay, void *socket, struct net_address address, struct stream *stream);
/* A piece of a message; final: the last one. */
void session_receive(struct session *session, const char *bytes, size_t size, bool binary, bool final,
                     size_t announced /* bytes of this frame still to come */);
void session_heard(struct session *session); /* a pong */
void session_writable(struct session *session);
void session_gone(struct session *session); /* the socket is closed; frees the session */

/* It is needed soon: of thousands of sessions nothing is in the processor's caches. May be NULL. */
static inline void session_expect(const struct session *session)
{
    enum { CACHE_LINE = 64 };
    for (size_t at = 0; session && at < sizeof(*session); at += CACHE_LINE)
        __builtin_prefetch((const char *)session + at, 1);
}

struct session *session_find(struct relay *relay, uint64_t id); /* NULL: gone or ending */
void session_public_id(const struct session *session, char out[SESSION_ID_SIZE]);
void session_set_state(struct session *session, enum session_state state);
/* Pages that a client has asked for are counted, so that one who does not take them cannot ask for ever. */
void session_page_asked(struct session *session);
void session_page_answered(struct session *session);
/* Its token holds until expires_s (Unix time; 0: for ever). */
void session_set_expiry(struct session *session, int64_t expires_s);

void session_push(struct session *session, struct frame *frame); /* takes the reference */
void session_push_shared(struct session *session, struct frame *frame); /* takes one of its own */
/* Past the frames that are held back during a login or a catch-up; not bounded here. */
void session_push_now(struct session *session, struct frame *frame);
/* Up to where the client has been told, for an answer that it gets now: what waits may yet be dropped. */
void session_cursor(const struct session *session, char out[CURSOR_TEXT_SIZE]);
/* What came while the session was being registered; it is given back once `connected` is said. */
struct outbox session_take_waiting(struct session *session);
void session_give_waiting(struct session *session, struct outbox *waiting);
/* The messages that came before `connected` are handled now. */
void session_resume_reading(struct session *session);

/* The one way to end a session. */
void session_end(struct session *session, enum end_reason reason);
/* The peer's close frame: nothing after it counts (RFC 6455 §1.4). False: it answers the session's own. */
bool session_peer_closes(struct session *session);
/* Words for the labels of counters. */
const char *session_state_word(int state);
const char *session_transport_word(int transport);
int end_reason_code(enum end_reason reason);
const char *end_reason_text(enum end_reason reason);
const char *end_reason_word(int reason); /* for the log and its counter */

#endif
