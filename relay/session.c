/* Sessions: see session.h. Client bytes become commands, frames become writes. */
#include "session.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "auth.h"
#include "clock.h"
#include "commands.h"
#include "event.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "relay.h"
#include "stream.h"

static const struct {
    int code;
    const char *text; /* the close frame's reason: says which, never more */
    const char *word; /* for the log */
} end_table[END_REASONS] = {
    [END_PEER] = {1000, "", "peer_closed"},
    [END_SHUTDOWN] = {1001, "server is shutting down", "shutdown"},
    [END_BINARY] = {1003, "text frames only", "binary_frame"},
    [END_TOO_LARGE] = {1009, "message too large", "message_too_large"},
    [END_CAPACITY] = {1013, "at capacity", "at_capacity"},
    [END_ADDRESS_FULL] = {4029, "too many connections from this address", "address_full"},
    [END_AUTH_FAILURES] = {4029, "too many failed logins from this address", "auth_failures"},
    [END_UNAVAILABLE] = {1013, "database unavailable", "database_unavailable"},
    [END_NO_TOKEN] = {4000, "authenticate first", "no_token"},
    [END_LOGIN_DEADLINE] = {4000, "no token in time", "login_deadline"},
    [END_TOKEN_MALFORMED] = {4000, "malformed token", "token_malformed"},
    [END_NO_USER] = {4000, "unknown user", "unknown_user"},
    [END_TOKEN_SIGNATURE] = {4001, "bad signature", "token_signature"},
    [END_TOKEN_EXPIRED] = {4001, "token expired", "token_expired"},
    [END_TOKEN_EARLY] = {4001, "token not yet valid", "token_early"},
    [END_TOKEN_ISSUER] = {4001, "wrong issuer", "token_issuer"},
    [END_TOKEN_AUDIENCE] = {4001, "wrong audience", "token_audience"},
    [END_TOKEN_REFUSED] = {4001, "token refused", "token_refused"},
    [END_TOKEN_OTHER_USER] = {4001, "token of another user", "token_other_user"},
    [END_DISCONNECTED] = {4002, "disconnected by the application", "disconnected"},
    [END_RATE] = {4029, "too many messages", "rate_limit"},
    [END_USER_RATE] = {4029, "too many messages of this user", "user_rate_limit"},
    [END_TOO_MANY_TABS] = {4029, "too many connections of this user", "too_many_tabs"},
    [END_UNRESPONSIVE] = {1001, "no answer to pings", "unresponsive"},
    [END_STALLED] = {1001, "nothing was taken", "stalled"},
};

const char *session_state_word(int state)
{
    static const char *const words[SESSION_STATES] = {
        [SESSION_WAITING] = "waiting", [SESSION_LOGIN] = "login",   [SESSION_JOINED] = "joined",
        [SESSION_OPEN] = "open",       [SESSION_ENDING] = "ending", [SESSION_CLOSED] = "closed"};
    return words[state];
}

const char *session_transport_word(int transport)
{
    static const char *const words[SESSION_TRANSPORTS] = {[SESSION_WEBSOCKET] = "websocket", [SESSION_SSE] = "sse"};
    return words[transport];
}

int end_reason_code(enum end_reason reason)
{
    return end_table[reason].code;
}

const char *end_reason_text(enum end_reason reason)
{
    return end_table[reason].text;
}

const char *end_reason_word(int reason)
{
    return end_table[reason].word;
}

/* Messages read but not handled: a sequence of (size, bytes); the last one may
 * still be growing. Exists only while a message comes in pieces or a login is
 * under way. */
struct pending {
    uint32_t used;
    uint32_t room;
    uint32_t open_at; /* where the message that is still growing begins */
    bool open;
    char bytes[];
};

enum { PENDING_HEAD = sizeof(uint32_t), PENDING_MESSAGES_MAX = 4 };

enum { EXPECTED = 16 /* sockets looked for together */ };

static uint64_t now_s(void)
{
    return clock_now_ms() / 1000;
}

static struct sessions *sessions_of(const struct session *session)
{
    return &session->relay->sessions;
}

static const struct door *door_of(const struct session *session)
{
    return session->stream ? session->stream->door : sessions_of(session)->door;
}

static enum session_transport transport_of(const struct session *session)
{
    return session->stream ? SESSION_SSE : SESSION_WEBSOCKET;
}

/* How many sessions are in its state. */
static int *state_count(const struct session *session)
{
    return &sessions_of(session)->by_state[transport_of(session)][session->state];
}

void sessions_start(struct sessions *sessions, const struct door *door)
{
    *sessions = (struct sessions){
        .door = door, .scratch = memory_new(SESSION_SCRATCH_BYTES), .ping = frame_new_ping()};
    wheel_start(&sessions->wheel, now_s());
    if (RAND_bytes((unsigned char *)&sessions->instance, sizeof(sessions->instance)) != 1)
        abort();
}

void sessions_stop(struct sessions *sessions)
{
    outbox_pool_free(&sessions->pool);
    table_free(&sessions->by_id);
    peers_free(&sessions->peers);
    free(sessions->scratch);
    frame_drop(sessions->ping);
}

struct session *session_find(struct relay *relay, uint64_t id)
{
    struct session *session = table_find(&relay->sessions.by_id, id, NULL, NULL);
    return session && session->state < SESSION_ENDING ? session : NULL;
}

void session_public_id(const struct session *session, char out[SESSION_ID_SIZE])
{
    struct uuid uuid;
    memcpy(uuid.bytes, &sessions_of(session)->instance, 8);
    for (size_t i = 0; i < 8; i++)
        uuid.bytes[8 + i] = (uint8_t)(session->id >> (8 * (7 - i)));
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x80); /* RFC 9562 §5.8: version 8 */
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    uuid_format(&uuid, out);
}

/* ---- deadlines ---- */

static void set_deadline(struct session *session, uint64_t due_s)
{
    session->due_at_s = (uint32_t)due_s;
    if (session->expires_at_s && session->state == SESSION_OPEN) {
        uint64_t next = session->expires_at_s;
        if (!session->warned_expiry)
            next = next > SESSION_EXPIRY_WARNING_S ? next - SESSION_EXPIRY_WARNING_S : 0;
        if (next < due_s)
            due_s = next;
    }
    wheel_set(&sessions_of(session)->wheel, &session->deadline, due_s);
}

void session_set_state(struct session *session, enum session_state state)
{
    static const int patience_s[] = {
        [SESSION_WAITING] = SESSION_LOGIN_SECONDS, [SESSION_LOGIN] = 2 * SESSION_LOGIN_SECONDS,
        [SESSION_JOINED] = 2 * SESSION_LOGIN_SECONDS, [SESSION_ENDING] = SESSION_CLOSE_SECONDS,
        [SESSION_CLOSED] = SESSION_CLOSE_SECONDS,
    };
    --*state_count(session);
    session->state = (uint8_t)state;
    ++*state_count(session);
    int wait_s = state == SESSION_OPEN ? session->relay->config->heartbeat_s : patience_s[state];
    set_deadline(session, now_s() + (uint64_t)wait_s);
}

/* A token of a century is one for ever: the session's clock has 32 bits. */
static uint32_t end_of_token(int64_t left_s)
{
    uint64_t end_s = now_s() + (uint64_t)(left_s > 0 ? left_s : 0);
    return end_s < UINT32_MAX ? (uint32_t)end_s : UINT32_MAX;
}

void session_set_expiry(struct session *session, int64_t expires_s)
{
    int64_t left_s = expires_s - clock_wall_s();
    if (left_s <= 0)
        left_s += AUTH_SKEW_S; /* accepted within the skew: it ends with it */
    session->expires_s = expires_s;
    session->expires_at_s = expires_s ? end_of_token(left_s) : 0;
    session->warned_expiry = false;
    set_deadline(session, session->due_at_s);
}

static void check_expiry(struct session *session, uint64_t now)
{
    if (!session->expires_at_s || now + SESSION_EXPIRY_WARNING_S < session->expires_at_s)
        return;
    if (now >= session->expires_at_s) {
        session_end(session, END_TOKEN_EXPIRED);
    } else if (!session->warned_expiry) {
        session->warned_expiry = true;
        session_push(session, message_token_expiring((int64_t)(session->expires_at_s - now)));
    }
}

/* Whoever takes bytes is alive, however slow: a ping would wait behind them. Zero is a unix socket whose peer has taken
 * all. */
static bool is_stalled(struct session *session)
{
    uint32_t taken = door_of(session)->taken(session->socket);
    if (taken != session->taken || taken == 0)
        session->stalls = session->missed_pings = 0;
    else
        session->stalls++;
    session->taken = taken;
    return session->stalls >= SESSION_STALLS;
}

/* Whether a ping is to be written. */
static bool check_heartbeat(struct session *session, uint64_t now)
{
    if (now < session->due_at_s)
        return false;
    session->due_at_s = (uint32_t)(now + (uint64_t)session->relay->config->heartbeat_s);
    bool busy = door_of(session)->busy(session->socket);
    /* The client of a stream never answers: whether the last comment was taken, its kernel says. */
    if ((busy || session->stream) && is_stalled(session)) {
        session_end(session, END_STALLED);
        return false;
    }
    if (busy)
        return false;
    /* During a catch-up, too: neither says anything that has an order. */
    if (session->stream) {
        session_push_now(session, event_alive());
        return false;
    }
    session->stalls = 0;
    if (session->missed_pings >= SESSION_MISSED_PINGS) {
        session_end(session, END_UNRESPONSIVE);
        return false;
    }
    session->missed_pings++;
    return true;
}

/* Past the outbox, whose frames are whole: of a hundred thousand idle tabs nearly all that is written are pings. */
static void write_ping(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    const struct frame *ping = sessions->ping;
    deliveries_count(&sessions->sent, ping);
    if (!door_of(session)->write(session->socket, ping->bytes, ping->size))
        door_of(session)->kill(session->socket);
}

static void check_open(struct session *session, uint64_t now)
{
    check_expiry(session, now);
    bool ping = session->state == SESSION_OPEN && check_heartbeat(session, now);
    if (session->state == SESSION_OPEN)
        set_deadline(session, session->due_at_s);
    if (ping)
        write_ping(session);
}

static void check_deadline(struct session *session, uint64_t now)
{
    switch ((enum session_state)session->state) {
    case SESSION_OPEN:
        check_open(session, now);
        return;
    case SESSION_WAITING:
    case SESSION_LOGIN:
    case SESSION_JOINED:
        if (now < session->due_at_s)
            set_deadline(session, session->due_at_s);
        else
            session_end(session, session->state == SESSION_WAITING ? END_LOGIN_DEADLINE : END_UNAVAILABLE);
        return;
    case SESSION_ENDING:
    case SESSION_CLOSED:
        door_of(session)->kill(session->socket);
        return;
    }
}

bool sessions_due(struct relay *relay, int most)
{
    uint64_t now = now_s();
    for (int left = most; left; left--) {
        struct wheel_entry *entry = wheel_take(&relay->sessions.wheel, now);
        if (!entry)
            return false;
        check_deadline((struct session *)((char *)entry - offsetof(struct session, deadline)), now);
    }
    return true;
}

void sessions_tick(struct relay *relay)
{
    peers_sweep(&relay->sessions.peers, clock_now_ms(), relay->config->auth_failure_limit);
}

/* ---- life ---- */

int sessions_allowed(const struct relay *relay)
{
    return (relay->config->max_connections + relay->sharing - 1) / relay->sharing;
}

struct session *session_open(struct relay *relay, void *socket, struct net_address address, struct stream *stream)
{
    struct sessions *sessions = &relay->sessions;
    struct session *session = memory_zero(sizeof(*session));
    session->id = ++sessions->last_id;
    session->relay = relay;
    session->socket = socket;
    session->stream = stream;
    session->peer = peers_enter(&sessions->peers, address, clock_now_ms(), relay->config->auth_failure_limit);
    rate_start(&session->rate, clock_now_ms(), relay->config->rate_limit);
    table_add(&sessions->by_id, session->id, session);
    sessions->count++;
    sessions->opened[transport_of(session)]++;
    ++*state_count(session);
    session_set_state(session, SESSION_WAITING);
    if (relay->stopping)
        session_end(session, END_SHUTDOWN);
    else if (sessions->count > sessions_allowed(relay))
        session_end(session, END_CAPACITY);
    else if (session->peer && session->peer->count > relay->config->max_connections_per_ip)
        session_end(session, END_ADDRESS_FULL);
    return session;
}

static void set_reading(struct session *session, bool on)
{
    if (session->unread != on)
        return;
    session->unread = !on;
    door_of(session)->read(session->socket, on);
}

static void leave_router(struct session *session)
{
    if (!session->user)
        return;
    bool emptied;
    struct user *user = router_leave(session, &emptied);
    if (!emptied)
        return;
    counts_forget(&session->relay->counts, user);
    router_forget(&session->relay->router, user);
}

static void note_end(const struct session *session, enum end_reason reason)
{
    session->relay->counters.sessions_closed[reason]++;
    log_info("session_closed", LOG_INT("session", session->id), LOG_INT("code", end_table[reason].code),
             LOG_STR("reason", end_table[reason].word));
}

/* From here on nothing is read, and only what is in the outbox is still written. */
static void finish(struct session *session, enum end_reason reason, enum session_state state)
{
    note_end(session, reason);
    leave_router(session);
    resume_forget(session);
    if (session->state == SESSION_JOINED) /* it waits behind a `connected` that will not come */
        outbox_clear(&session->outbox, &sessions_of(session)->pool);
    free(session->pending);
    session->pending = NULL;
    set_reading(session, true); /* for the peer's half of the close */
    session->reason = (uint8_t)reason;
    session->dirty = false;
    session_set_state(session, state);
}

void session_end(struct session *session, enum end_reason reason)
{
    if (session->state >= SESSION_ENDING)
        return;
    finish(session, reason, SESSION_ENDING);
    session_push_now(session, session->stream
                                  ? stream_end(session->stream, (int)reason)
                                  : frame_new_close((uint16_t)end_table[reason].code, end_table[reason].text));
}

bool session_peer_closes(struct session *session)
{
    if (session->state >= SESSION_ENDING)
        return false;
    finish(session, END_PEER, SESSION_CLOSED);
    return true;
}

void session_gone(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    if (session->state < SESSION_ENDING)
        note_end(session, END_PEER);
    leave_router(session);
    resume_forget(session);
    if (session->touched)
        DL_DELETE2(sessions->touched, session, touched_prev, touched_next);
    wheel_remove(&sessions->wheel, &session->deadline);
    outbox_clear(&session->outbox, &sessions->pool);
    peers_leave(&sessions->peers, session->peer, clock_now_ms(), session->relay->config->auth_failure_limit);
    table_remove(&sessions->by_id, session->id, session);
    --*state_count(session);
    sessions->count--;
    free(session->login);
    free(session->pending);
    free(session->stream);
    free(session);
}

/* ---- frames out ---- */

static void touch(struct session *session)
{
    if (session->touched)
        return;
    session->touched = true;
    DL_APPEND2(sessions_of(session)->touched, session, touched_prev, touched_next);
}

/* The next bytes for the socket: small frames joined, a large one as it is. Returns
 * false when the socket is gone. */
static bool write_some(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    const struct frame *first = session->outbox.head->frame;
    if (!session->outbox.head->next || first->size >= SESSION_SCRATCH_BYTES / 4) {
        struct frame *frame = outbox_take(&session->outbox, &sessions->pool);
        bool written = door_of(session)->write(session->socket, frame->bytes, frame->size);
        deliveries_count(&sessions->sent, frame);
        frame_drop(frame);
        return written;
    }
    size_t size = outbox_gather(&session->outbox, &sessions->pool, sessions->scratch, SESSION_SCRATCH_BYTES,
                                &sessions->sent);
    return door_of(session)->write(session->socket, sessions->scratch, size);
}

/* Writes until all is out or the kernel takes no more. False: the socket is gone. */
static bool write_all(struct session *session)
{
    const struct door *door = door_of(session);
    while (session->outbox.head && !door->busy(session->socket))
        if (!write_some(session))
            return false;
    return true;
}

/* Takes the frame, gives what its socket is to get. */
static struct frame *for_socket(const struct session *session, struct frame *frame)
{
    if (!session->stream)
        return frame;
    struct frame *event = event_of(frame);
    frame_drop(frame);
    return event;
}

/* A burst of one loop turn may be larger than the bound: what the socket takes is not behind. */
static bool overflows(struct session *session, const struct frame *frame)
{
    uint64_t limit = (uint64_t)session->relay->config->queue_bytes;
    if (!frame->passing || !session->outbox.head || session->outbox.bytes + frame->size <= limit)
        return false;
    if (session->state == SESSION_JOINED)
        return true;
    sessions_of(session)->sent.now_us = clock_now_us();
    if (!write_all(session))
        return true;
    return session->outbox.head && session->outbox.bytes + frame->size > limit;
}

/* A tab that does not take its frames is not waited for: they are dropped, and it
 * is told its state anew when its socket takes bytes again. */
void session_push(struct session *session, struct frame *frame)
{
    struct sessions *sessions = sessions_of(session);
    /* Nothing follows a close frame (RFC 6455 §5.5.1). */
    if (session->state >= SESSION_ENDING || (session->dirty && frame->passing)) {
        frame_drop(frame);
        return;
    }
    if (session->replay) {
        resume_hold(session, frame);
        return;
    }
    frame = for_socket(session, frame);
    if (!session->outbox.head && !session->dirty)
        session->told = session->relay->router.now;
    if (overflows(session, frame)) {
        log_debug("session_behind", LOG_INT("session", session->id), LOG_INT("bytes", session->outbox.bytes));
        outbox_drop_passing(&session->outbox, &sessions->pool);
        session->dirty = true;
        frame_drop(frame);
        return;
    }
    outbox_push(&session->outbox, &sessions->pool, frame);
    if (session->state != SESSION_JOINED)
        touch(session);
}

void session_push_shared(struct session *session, struct frame *frame)
{
    session_push(session, frame_hold(frame));
}

void session_push_now(struct session *session, struct frame *frame)
{
    outbox_push(&session->outbox, &sessions_of(session)->pool, for_socket(session, frame));
    touch(session);
}

void session_cursor(const struct session *session, char out[CURSOR_TEXT_SIZE])
{
    if (session->replay)
        resume_answer_cursor(session, out);
    else if (session->dirty || session->outbox.head)
        cursor_format(session->told, out);
    else
        memcpy(out, session->relay->router.cursor, CURSOR_TEXT_SIZE);
}

struct outbox session_take_waiting(struct session *session)
{
    struct outbox waiting = session->outbox;
    session->outbox = (struct outbox){0};
    return waiting;
}

void session_give_waiting(struct session *session, struct outbox *waiting)
{
    struct frame *frame;
    while ((frame = outbox_take(waiting, &sessions_of(session)->pool)))
        session_push(session, frame);
}

/* Its answers would pile up here: first it takes what it asked for. */
static bool owes_room(const struct session *session)
{
    uint64_t unsent = session->outbox.bytes + resume_held_bytes(session);
    return session->pages >= SESSION_PAGES_MAX || unsent > (uint64_t)session->relay->config->queue_bytes;
}

/* Messages that had to wait are handled as soon as there is room for their answers. */
static void read_on(struct session *session)
{
    if (!session->unread || session->state != SESSION_OPEN || owes_room(session))
        return;
    set_reading(session, true);
    session_resume_reading(session);
}

void session_page_asked(struct session *session)
{
    session->pages++;
}

void session_page_answered(struct session *session)
{
    session->pages--;
    read_on(session);
}

/* False: the socket is gone, or has been told all, and waits to be killed. */
static bool session_flush(struct session *session)
{
    const struct door *door = door_of(session);
    if (!write_all(session))
        return false;
    read_on(session);
    if (session->outbox.head || door->busy(session->socket)) {
        door->want_write(session->socket);
        return true;
    }
    if (session->dirty) {
        session->dirty = false;
        resume_behind(session, session->told);
    } else if (session->replay) {
        resume_drained(session);
    }
    if (session->state != SESSION_ENDING)
        return true;
    session_set_state(session, SESSION_CLOSED);
    return !session->stream; /* its end is that of the connection: nobody answers */
}

void session_writable(struct session *session)
{
    touch(session); /* written with all others at the end of the turn */
}

/* What the library knows of these sockets is in no cache: looked for together, it comes in the time of one. */
static void expect_sockets(const struct sessions *sessions)
{
    const struct session *session = sessions->touched;
    for (int i = 0; session && i < EXPECTED; i++, session = session->touched_next)
        door_of(session)->expect(session->socket);
}

bool sessions_flush(struct sessions *sessions, int most)
{
    if (sessions->touched)
        sessions->sent.now_us = clock_now_us();
    for (int left = most; sessions->touched && left; left--) {
        if ((most - left) % EXPECTED == 0)
            expect_sockets(sessions);
        struct session *session = sessions->touched;
        DL_DELETE2(sessions->touched, session, touched_prev, touched_next);
        session->touched = false;
        if (!session_flush(session))
            door_of(session)->kill(session->socket);
    }
    return sessions->touched != NULL;
}

/* ---- messages in ---- */

/* A connection that is over its own rate takes nothing from its user's. */
static bool within_rate(struct session *session)
{
    const struct config *config = session->relay->config;
    int64_t wait_ms;
    if (session->state != SESSION_OPEN)
        return true;
    bool own = rate_take(&session->rate, clock_now_ms(), config->rate_limit, &wait_ms);
    if (own && rate_take(&session->user->rate, clock_now_ms(), config->user_rate_limit, &wait_ms)) {
        session->warned_rate = false;
        return true;
    }
    if (session->warned_rate) {
        session_end(session, own ? END_USER_RATE : END_RATE);
        return false;
    }
    session->warned_rate = true;
    session->relay->counters.messages_limited[own ? LIMITED_BY_USER : LIMITED_BY_CONNECTION]++;
    session_push(session, message_error("rate_limited", "too many messages: wait, or be disconnected", wait_ms, ""));
    return false;
}

static void handle(struct session *session, const char *bytes, size_t size)
{
    if (!within_rate(session))
        return;
    struct command command;
    struct command_error error;
    bool good = command_parse(bytes, size, &command, &error);
    session->relay->tally.received[good ? command.type : COMMAND_TYPES]++;
    if (session->state == SESSION_WAITING && (!good || command.type != COMMAND_AUTHENTICATE))
        session_end(session, END_NO_TOKEN);
    else if (good)
        commands_run(session, &command);
    else
        commands_refuse(session, command.ref, &error);
    command_clear(&command);
}

/* Room for so many bytes more; twice what it takes while the message goes on, for it comes in many pieces. (What a
 * frame announces earns no memory before it comes.) */
static struct pending *pending_room(struct session *session, size_t more, bool final)
{
    struct pending *pending = session->pending;
    size_t need = (pending ? pending->used : 0) + more;
    if (pending && need <= pending->room)
        return pending;
    size_t room = final ? need : need * 2;
    struct pending *grown = memory_resize(pending, sizeof(*pending) + room);
    if (!pending)
        *grown = (struct pending){0};
    grown->room = (uint32_t)room;
    session->pending = grown;
    return grown;
}

/* Keeps a piece; the caller has checked the bounds. */
static void pending_add(struct session *session, const char *bytes, size_t size, bool final)
{
    struct pending *pending = pending_room(session, size + PENDING_HEAD, final);
    if (!pending->open) {
        pending->open = true;
        pending->open_at = pending->used;
        pending->used += PENDING_HEAD;
    }
    if (size)
        memcpy(pending->bytes + pending->used, bytes, size);
    pending->used += (uint32_t)size;
    uint32_t length = pending->used - pending->open_at - (uint32_t)PENDING_HEAD;
    memcpy(pending->bytes + pending->open_at, &length, PENDING_HEAD);
    if (final)
        pending->open = false;
}

static bool reads_now(const struct session *session)
{
    return session->state == SESSION_WAITING || (session->state == SESSION_OPEN && !owes_room(session));
}

void session_resume_reading(struct session *session)
{
    struct pending *pending = session->pending;
    session->pending = NULL;
    uint32_t at = 0;
    while (pending && at < pending->used && !(pending->open && at == pending->open_at) && reads_now(session)) {
        uint32_t size;
        memcpy(&size, pending->bytes + at, PENDING_HEAD);
        handle(session, pending->bytes + at + PENDING_HEAD, size);
        at += (uint32_t)PENDING_HEAD + size;
    }
    if (!pending || at >= pending->used || session->state >= SESSION_ENDING) {
        free(pending);
        return;
    }
    /* A login began again, or a message is still growing: keep the rest. */
    memmove(pending->bytes, pending->bytes + at, pending->used - at);
    pending->used -= at;
    pending->open_at -= pending->open ? at : 0;
    session->pending = pending;
    set_reading(session, session->state != SESSION_OPEN || !owes_room(session));
}

static bool within_bounds(struct session *session, size_t size, size_t announced)
{
    const struct pending *pending = session->pending;
    size_t growing = pending && pending->open ? pending->used - pending->open_at - PENDING_HEAD : 0;
    size_t limit = (size_t)session->relay->config->max_message_bytes;
    if (growing + size + announced > limit) {
        session_end(session, END_TOO_LARGE);
        return false;
    }
    size_t waiting = (pending ? pending->used : 0) + size + PENDING_HEAD;
    if (!reads_now(session) && waiting > limit * PENDING_MESSAGES_MAX) {
        session_end(session, END_RATE);
        return false;
    }
    return true;
}

void session_receive(struct session *session, const char *bytes, size_t size, bool binary, bool final,
                     size_t announced)
{
    if (session->state >= SESSION_ENDING)
        return;
    session->missed_pings = 0;
    if (binary) {
        session_end(session, END_BINARY);
        return;
    }
    if (!within_bounds(session, size, announced))
        return;
    if (!session->pending && final && reads_now(session)) {
        handle(session, bytes, size);
        return;
    }
    pending_add(session, bytes, size, final);
    if (final && reads_now(session))
        session_resume_reading(session);
    else if (session->state == SESSION_OPEN && owes_room(session))
        set_reading(session, false);
}

void session_heard(struct session *session)
{
    session->missed_pings = 0;
}
