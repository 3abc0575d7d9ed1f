/* The HTTP API: a request whose head has been read comes in with a verified token; its user is looked up, its
 * statement asked, and one answer goes out. Nothing waits for anything else here, and an answer for a request whose
 * client is gone finds nobody. api_http.c is its door; docs/PROTOCOL.md says what may be asked. */
#ifndef PGHERALD_API_H
#define PGHERALD_API_H

#include <stdbool.h>
#include <stdint.h>

#include "api_request.h"
#include "hash.h"
#include "net_address.h"
#include "user_rates.h"

struct answer;
struct relay;

enum {
    API_REQUESTS_MAX = 512,  /* in a process; beyond, 503. libwebsockets has room for twice as many heads */
    API_REQUESTS_A_USER = 4, /* as many as pages of a session; beyond, 429 */
    API_AGAIN_MS = 1000,     /* when it may be tried again after the database could not */
    API_PARTS = 5,
};

enum api_state {
    API_READING,    /* its head or its body */
    API_DISCARDING, /* its body, before it is told what is wrong */
    API_ASKING,     /* the database, or for the end of the turn */
    API_ANSWERED,   /* the answer is on its way, or the rest of the body */
    API_STATES
};

const char *api_state_word(int state); /* for its gauge */

/* Texts are borrowed; NULL or empty: there is none. */
struct api_answer {
    int status;
    const char *type; /* of the body */
    struct text parts[API_PARTS];
    size_t part_count;
    const char *etag, *total, *location, *challenge;
    int64_t retry_after_s;
    bool may_be_kept; /* and asked for again with its etag */
};

struct api_request;

/* Where requests come from. Either may close the request. */
struct api_door {
    void (*respond)(struct api_request *request, const struct api_answer *answer); /* once a request */
    void (*check)(struct api_request *request); /* at the end of each turn while it is API_ANSWERED */
};

struct api_request {
    uint64_t id;
    struct relay *relay;
    const struct api_door *door;
    void *guest; /* the door's own */
    enum api_state state; /* changed by api_set_state() only */

    enum api_method method;
    enum api_route route;
    struct uuid notification;
    struct api_query query;
    char key[API_WORD_SIZE];   /* Idempotency-Key; "": none */
    char *if_none_match;       /* owned; NULL: none */
    struct net_address client; /* whose failed logins count */
    char *claims_json;         /* owned; of the token, which has been verified */
    bool can_write;            /* may notify others */
    char *body;                /* owned, with a zero byte behind; NULL: none */
    size_t body_size, body_used;

    struct api_create create;
    bool is_read;
    char until[COMMAND_TIME_SIZE];
    char *user_id; /* owned; NULL until it is known */
    struct user_rate *user;
    bool waits_for_list;
    struct api_request *list_prev, *list_next; /* utlist */
    bool repeated; /* after a lock or a deadlock */

    int64_t since_us;     /* monotonic: when all of it was there; 0: not yet */
    enum problem problem; /* what it is told once its body has come */
    const char *detail;
    int64_t retry_after_ms;
    bool is_refused;                  /* at the end of the turn */
    struct api_request *next_refused; /* utlist */
    UT_hash_handle hh;
};

struct api {
    struct api_request *requests; /* uthash by id */
    struct api_request *refused; /* at the end of the turn; utlist */
    uint64_t last_id;
    int in_state[API_STATES]; /* so many requests */
    struct user_rates rates;
};

/* A new one, READING; NULL: there are too many. */
struct api_request *api_open(struct relay *relay, const struct api_door *door, void *guest);
/* Counts one that was answered PROBLEM_CAPACITY because of that. */
void api_count_turned_away(struct relay *relay, enum api_operation operation);
void api_set_state(struct api_request *request, enum api_state state);
/* The answer of its statement, or NULL; a request that is gone is not found. Nobody looks at context. */
void api_answered(struct relay *relay, uint64_t id, void *context, const struct answer *found);
/* Answers now; once a request. */
void api_give(struct api_request *request, const struct api_answer *answer);
/* Head and body are there. */
void api_begin(struct api_request *request);
/* Answers with a problem; see problem_json(). */
void api_refuse(struct api_request *request, enum problem problem, const char *detail, int64_t retry_after_ms);
/* The same at the end of the turn. */
void api_refuse_later(struct api_request *request, enum problem problem, const char *detail, int64_t retry_after_ms);
void api_close(struct api_request *request); /* answered, or its client is gone; frees it */

void api_flush(struct relay *relay);      /* at the end of each loop turn */
bool api_idle(const struct relay *relay); /* nobody waits for the database */
void api_tick(struct relay *relay); /* once a second */
void api_stop(struct relay *relay); /* every request is closed */

#endif
