/* Logins; see login.h. A token comes in, `connected` or a close code goes out. */
#include "login.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "message.h"
#include "relay.h"
#include "stream.h"

static enum end_reason reason_of(enum auth_result result)
{
    switch (result) {
    case AUTH_MALFORMED:
        return END_TOKEN_MALFORMED;
    case AUTH_BAD_SIGNATURE:
        return END_TOKEN_SIGNATURE;
    case AUTH_EXPIRED:
        return END_TOKEN_EXPIRED;
    case AUTH_NOT_YET_VALID:
        return END_TOKEN_EARLY;
    case AUTH_WRONG_ISSUER:
        return END_TOKEN_ISSUER;
    case AUTH_WRONG_AUDIENCE:
        return END_TOKEN_AUDIENCE;
    case AUTH_OK:
    case AUTH_REFUSED:
        break;
    }
    return END_TOKEN_REFUSED;
}

enum auth_result login_verify(const struct relay *relay, struct text token, struct auth_claims *claims)
{
    const struct config *config = relay->config;
    if (config->auth == AUTH_MODE_DEV)
        return auth_verify_dev(token.bytes, token.size, claims);
    struct auth_rules rules = {config->jwt_issuer, config->jwt_audience};
    return auth_verify(relay->keys, &rules, token.bytes, token.size, clock_wall_s(), claims);
}

int64_t login_wait_ms(const struct relay *relay, struct net_address address)
{
    return peers_login_wait_ms(&relay->sessions.peers, address, clock_now_ms(),
                               relay->config->auth_failure_limit);
}

void login_failed(struct relay *relay, struct net_address address, int result)
{
    relay->counters.logins[result]++;
    peers_login_failed(&relay->sessions.peers, address, clock_now_ms(), relay->config->auth_failure_limit);
}

const char *login_result_word(int result)
{
    if (result == LOGIN_UNKNOWN_USER)
        return "unknown_user";
    return result == LOGIN_OTHER_USER ? "other_user" : auth_log_word((enum auth_result)result);
}

static struct net_address address_of(const struct session *session)
{
    return session->peer ? session->peer->address : (struct net_address){0};
}

/* A session that is open already is not ended for what others of its address do. */
static void refuse_unread(struct session *session, int64_t wait_ms, const char *ref)
{
    const char *why = end_reason_text(END_AUTH_FAILURES);
    if (session->state == SESSION_WAITING) {
        session_end(session, END_AUTH_FAILURES);
        return;
    }
    session->relay->counters.messages_limited[LIMITED_BY_ADDRESS]++;
    session_push(session, message_error("rate_limited", why, wait_ms, ref));
}

static void forget(struct session *session)
{
    free(session->login);
    session->login = NULL;
}

/* The user of a new session is known: register it, then have it counted. */
static void enter(struct session *session, struct text user_id)
{
    struct relay *relay = session->relay;
    const struct user *known = router_find(&relay->router, user_id);
    if (known && known->tab_count >= relay->config->max_connections_per_user) {
        session_end(session, END_TOO_MANY_TABS);
        return;
    }
    if (!session->login->resumes)
        memcpy(session->login->cursor, relay->router.cursor, CURSOR_TEXT_SIZE);
    session->told = relay->router.now;
    struct user *user = router_join(&relay->router, session, user_id);
    if (user->tab_count == 1)
        rate_start(&user->rate, clock_now_ms(), relay->config->user_rate_limit);
    session_set_state(session, SESSION_JOINED);
    counts_want_login(&relay->counts, user);
}

/* A new token for an open session: it may only be the same user's. */
static void renew(struct session *session, struct text user_id)
{
    const struct user *user = session->user;
    if (user->id_size != user_id.size || memcmp(user->id, user_id.bytes, user_id.size) != 0) {
        login_failed(session->relay, address_of(session), LOGIN_OTHER_USER);
        session_end(session, END_TOKEN_OTHER_USER);
        return;
    }
    session_set_expiry(session, session->login->expires_s);
    session_push(session, message_authenticated(session->login->expires_s, session->login->ref));
    forget(session);
}

static void unavailable(struct session *session)
{
    if (session->state != SESSION_OPEN) {
        session_end(session, END_UNAVAILABLE);
        return;
    }
    session_push(session,
                 message_error("unavailable", "the database is unavailable", 1000, session->login->ref));
    forget(session);
}

static void resolved(struct relay *relay, uint64_t id, void *context, enum resolver_result result,
                     struct text user_id)
{
    (void)context;
    struct session *session = session_find(relay, id);
    if (!session || !session->login)
        return;
    if (result == RESOLVER_UNAVAILABLE) {
        unavailable(session);
    } else if (result == RESOLVER_NOBODY) {
        login_failed(relay, address_of(session), LOGIN_UNKNOWN_USER);
        session_end(session, END_NO_USER);
    } else if (session->state == SESSION_OPEN) {
        renew(session, user_id);
    } else {
        enter(session, user_id);
    }
}

void login_start(struct session *session, struct text token, struct text cursor, const char *ref)
{
    struct relay *relay = session->relay;
    if (session->login) {
        session_push(session, message_error("bad_message", "an authentication is under way", 0, ref));
        return;
    }
    int64_t wait_ms = login_wait_ms(relay, address_of(session));
    if (wait_ms) {
        refuse_unread(session, wait_ms, ref);
        return;
    }
    struct auth_claims claims;
    enum auth_result result = login_verify(relay, token, &claims);
    if (result != AUTH_OK) {
        login_failed(relay, address_of(session), (int)result);
        session_end(session, reason_of(result));
        return;
    }
    size_t ref_size = strlen(ref) + 1;
    session->login = memory_zero(sizeof(*session->login) + ref_size);
    session->login->expires_s = claims.expires_s;
    memcpy(session->login->ref, ref, ref_size);
    session->login->resumes = cursor.bytes != NULL;
    /* Judged when the login is done: a relay that has just started does not know its database's history yet. What
     * does not fit is none of ours, and an empty one is judged so. */
    if (cursor.size < CURSOR_TEXT_SIZE && cursor.bytes)
        memcpy(session->login->cursor, cursor.bytes, cursor.size);
    if (session->state == SESSION_WAITING)
        session_set_state(session, SESSION_LOGIN);
    resolver_want(&relay->resolver, claims.claims_json, session->id, NULL, resolved);
    auth_claims_clear(&claims);
}

void login_resync(struct session *session)
{
    session->login->resumes = true;
    resume_cursor(session->relay, (struct text){0}, session->login->cursor);
    outbox_drop_passing(&session->outbox, &session->relay->sessions.pool); /* of the time before */
}

void login_finish(struct session *session, int64_t unread_count)
{
    char public_id[SESSION_ID_SIZE];
    struct login *login = session->login;
    if (login->resumes)
        resume_cursor(session->relay, text_of(login->cursor), login->cursor);
    session_public_id(session, public_id);
    session_set_state(session, SESSION_OPEN);
    session_set_expiry(session, login->expires_s);
    session->login = NULL;
    session->relay->counters.logins[AUTH_OK]++;
    log_info("session_open", LOG_INT("session", session->id), LOG_STR("user", session->user->id),
             LOG_INT("tabs", session->user->tab_count), LOG_STR("transport", session->stream ? "sse" : "websocket"));

    /* `connected`, then what it missed, then what came while it logged in. */
    struct outbox waiting = session_take_waiting(session);
    if (session->stream)
        session_push_now(session, stream_begin(session->stream));
    session_push_now(session, message_connected(session->user->id, public_id, unread_count, login->cursor,
                                                session->relay->config->heartbeat_s, login->expires_s, login->ref));
    if (login->resumes)
        resume_start(session, text_of(login->cursor), "");
    session_give_waiting(session, &waiting);
    free(login);
    session_resume_reading(session);
}
