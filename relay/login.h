/* From a token to a registered session: verify, look the user up, register,
 * count, say `connected`. Also the token that replaces one in an open session. */
#ifndef PGHERALD_LOGIN_H
#define PGHERALD_LOGIN_H

#include <stdbool.h>

#include "auth.h"
#include "cursor.h"
#include "session.h"

/* How a login ended: an enum auth_result, or one of these. */
enum {
    LOGIN_UNKNOWN_USER = AUTH_REFUSED + 1,
    LOGIN_OTHER_USER, /* a new token for an open session */
    LOGIN_RESULTS
};

/* What a login remembers until it is done. */
struct login {
    int64_t expires_s;
    bool counting; /* its user's count has been asked for since it was registered */
    bool resumes;  /* came with a cursor */
    char cursor[CURSOR_TEXT_SIZE]; /* the client's as it came, or the router's when it was registered */
    char ref[];
};

/* Verifies a token as the configuration says; AUTH_OK fills *claims. */
enum auth_result login_verify(const struct relay *relay, struct text token, struct auth_claims *claims);
/* How long no login from this address is tried, because too many failed; 0: now. */
int64_t login_wait_ms(const struct relay *relay, struct net_address address);
void login_failed(struct relay *relay, struct net_address address, int result);
const char *login_result_word(int result); /* for its counter */
/* cursor is empty when the client has none; ref is JSON text or "". The session is WAITING or OPEN. */
void login_start(struct session *session, struct text token, struct text cursor, const char *ref);
/* Nothing is known of what it missed since it was registered: behind `connected` it is told its whole state. */
void login_resync(struct session *session);
/* Its user has been counted. */
void login_finish(struct session *session, int64_t unread_count);

#endif
