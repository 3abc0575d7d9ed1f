/* The HTTP API on libwebsockets; see api_http.h. libwebsockets 4.1 spins on whatever a client sends while its request
 * is handled, so reading rests until the answer, which is written at once. */
#include "api_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "api.h"
#include "bearer.h"
#include "clock.h"
#include "http_response.h"
#include "login.h"
#include "memory.h"
#include "origin.h"
#include "relay.h"

enum {
    VALUE_SIZE = 16384, /* of a field: what libwebsockets takes of a head */
    PATH_SIZE = 256,
    ORIGIN_SIZE = 512,
    BODY_MS = 10000, /* for the whole body to come */
    THROW_AWAY_MAX_BYTES = 16 * 1024 * 1024, /* of a body that is refused: closing before would lose the answer */
    ANSWER_SECONDS = 60, /* for the client to take its answer */
};

/* ---- the head ---- */

static bool has(struct lws *wsi, enum lws_token_indexes token)
{
    return lws_hdr_total_length(wsi, token) > 0;
}

/* A field's value; "" when it is absent. False: it does not fit. */
static bool copy(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
    if (lws_hdr_copy(wsi, out, (int)size, token) >= 0)
        return true;
    out[0] = '\0';
    return false;
}

static const struct {
    enum lws_token_indexes token;
    enum api_method method;
} method_table[] = {
    {WSI_TOKEN_GET_URI, API_GET},         {WSI_TOKEN_HEAD_URI, API_HEAD},
    {WSI_TOKEN_POST_URI, API_POST},       {WSI_TOKEN_PATCH_URI, API_PATCH},
    {WSI_TOKEN_DELETE_URI, API_DELETE},   {WSI_TOKEN_OPTIONS_URI, API_OPTIONS},
    {WSI_TOKEN_PUT_URI, API_OTHER_METHOD},
};

static bool read_target(struct lws *wsi, enum api_method *method, char path[PATH_SIZE])
{
    for (size_t i = 0; i < sizeof(method_table) / sizeof(*method_table); i++) {
        if (!has(wsi, method_table[i].token))
            continue;
        *method = method_table[i].method;
        return copy(wsi, method_table[i].token, path, PATH_SIZE);
    }
    return false;
}

bool api_http_wants(struct lws *wsi)
{
    char path[PATH_SIZE];
    enum api_method method;
    return read_target(wsi, &method, path) && api_has_path(path);
}

/* False: a page may not ask from there. */
static bool check_origin(struct lws *wsi, const struct config *config)
{
    char origin[ORIGIN_SIZE], host[PATH_SIZE];
    if (!has(wsi, WSI_TOKEN_ORIGIN))
        return true;
    copy(wsi, WSI_TOKEN_HOST, host, sizeof(host));
    return copy(wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin)) &&
           origin_allowed(config->allowed_origins, origin, host);
}

static bool may_have_body(enum api_method method)
{
    return method == API_POST || method == API_PATCH || method == API_OTHER_METHOD;
}

/* PROBLEMS: the end of the request is known, and the body's size. */
static enum problem check_length(struct lws *wsi, struct api_guest *guest, struct api_request *request)
{
    char value[32];
    guest->has_length = guest->is_endless = false;
    if (has(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING)) {
        guest->is_endless = may_have_body(request->method);
        return PROBLEM_LENGTH;
    }
    if (!has(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH)) {
        guest->has_length = !may_have_body(request->method);
        return PROBLEMS; /* RFC 9112 §6.3: there is no body */
    }
    guest->has_length = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, 1) == 0 &&
                        copy(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, value, sizeof(value)) &&
                        api_length_parse(value, &request->body_size);
    return guest->has_length ? PROBLEMS : PROBLEM_BAD_REQUEST;
}

static enum problem check_body(struct lws *wsi, struct api_request *request, const char **detail)
{
    char value[PATH_SIZE];
    if (!request->body_size)
        return PROBLEMS;
    if (!may_have_body(request->method)) {
        *detail = "this method takes no body";
        return PROBLEM_BAD_REQUEST;
    }
    if (request->body_size > (size_t)request->relay->config->max_message_bytes)
        return PROBLEM_TOO_LARGE;
    copy(wsi, WSI_TOKEN_HTTP_CONTENT_ENCODING, value, sizeof(value));
    if (value[0] && strcasecmp(value, "identity") != 0)
        return PROBLEM_TYPE;
    return copy(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, value, sizeof(value)) && api_type_is_json(value) ? PROBLEMS
                                                                                                   : PROBLEM_TYPE;
}

/* What libwebsockets takes for a request with a body. */
static bool body_may_follow(struct lws *wsi)
{
    char value[32];
    if (has(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH))
        return !copy(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, value, sizeof(value)) || strcmp(value, "0") != 0;
    return has(wsi, WSI_TOKEN_POST_URI) || has(wsi, WSI_TOKEN_PATCH_URI) || has(wsi, WSI_TOKEN_PUT_URI);
}

static bool expects_continue(struct lws *wsi)
{
    return has(wsi, WSI_TOKEN_HTTP_EXPECT);
}

static enum problem check_expectation(struct lws *wsi)
{
    char value[32];
    if (!expects_continue(wsi))
        return PROBLEMS;
    return copy(wsi, WSI_TOKEN_HTTP_EXPECT, value, sizeof(value)) && strcasecmp(value, "100-continue") == 0
               ? PROBLEMS
               : PROBLEM_EXPECTATION;
}

static enum problem check_query(struct lws *wsi, struct api_request *request, const char **detail)
{
    char argument[VALUE_SIZE];
    if (request->route != API_COLLECTION || (request->method != API_GET && request->method != API_HEAD))
        return PROBLEMS;
    /* Each fits: the whole head does. An empty one, as between two ampersands, is not the last. */
    for (int i = 0; lws_hdr_copy_fragment(wsi, argument, sizeof(argument), WSI_TOKEN_HTTP_URI_ARGS, i) >= 0; i++) {
        *detail = api_query_take(&request->query, argument);
        if (*detail)
            return PROBLEM_BAD_FIELD;
    }
    return PROBLEMS;
}

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static enum problem read_fields(struct lws *wsi, struct api_request *request, const char **detail)
{
    static const char key[] = "idempotency-key:";
    char value[VALUE_SIZE];
    if (has(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH) && copy(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, value, sizeof(value)))
        request->if_none_match = memory_copy_text(value);
    int length = lws_hdr_custom_copy(wsi, value, sizeof(value), key, (int)sizeof(key) - 1);
    if (request->method != API_POST || request->route != API_COLLECTION || length < 0)
        return PROBLEMS;
    if (length < 1 || length >= API_WORD_SIZE || !is_visible(value)) {
        *detail = "Idempotency-Key must have 1 to 255 visible ASCII characters";
        return PROBLEM_BAD_FIELD;
    }
    memcpy(request->key, value, (size_t)length + 1);
    return PROBLEMS;
}

static enum problem check_token(struct lws *wsi, struct api_request *request, const char **detail)
{
    char value[VALUE_SIZE];
    struct text token;
    struct auth_claims claims;
    copy(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, value, sizeof(value));
    if (!bearer_token(text_of(value), &token))
        return PROBLEM_NO_TOKEN;
    enum auth_result result = login_verify(request->relay, token, &claims);
    if (result != AUTH_OK) {
        login_failed(request->relay, request->client, (int)result);
        *detail = auth_reason(result);
        return PROBLEM_TOKEN;
    }
    request->can_write = claims.can_write;
    request->claims_json = memory_copy_text(claims.claims_json);
    auth_claims_clear(&claims);
    return PROBLEMS;
}

/* Limits that need no token; *wait_ms says when it may be tried again. */
static enum problem check_limits(struct api_guest *guest, const struct api_request *request, const struct peer *peer,
                                 int64_t *wait_ms)
{
    struct relay *relay = guest->relay;
    const struct config *config = relay->config;
    *wait_ms = 1000;
    if (relay->sessions.count + relay->guests > sessions_allowed(relay))
        return PROBLEM_CAPACITY;
    if (peer && peer->count > config->max_connections_per_ip)
        return PROBLEM_ADDRESS_FULL;
    /* A proxy's connection has the requests of many. */
    if (peer && !rate_take(&guest->rate, clock_now_ms(), config->rate_limit, wait_ms)) {
        relay->counters.messages_limited[LIMITED_BY_CONNECTION]++;
        return PROBLEM_RATE;
    }
    *wait_ms = login_wait_ms(relay, request->client);
    return *wait_ms ? PROBLEM_AUTH_FAILURES : PROBLEMS;
}

/* In the order in which a client is told; PROBLEMS: all is well. */
static enum problem check_request(struct lws *wsi, struct api_guest *guest, const struct peer *peer,
                                  const char **detail, int64_t *wait_ms)
{
    struct api_request *request = guest->request;
    *wait_ms = 0;
    enum problem length = check_length(wsi, guest, request);
    if (!check_origin(wsi, guest->relay->config))
        return PROBLEM_ORIGIN;
    if (request->route == API_NOWHERE)
        return PROBLEM_NOT_FOUND;
    if (!api_route_allows(request->route, request->method))
        return PROBLEM_METHOD;
    if (length != PROBLEMS)
        return length;
    if (request->method == API_OPTIONS)
        return check_body(wsi, request, detail);
    enum problem problem = check_limits(guest, request, peer, wait_ms);
    if (problem == PROBLEMS)
        problem = check_token(wsi, request, detail);
    if (problem == PROBLEMS)
        problem = check_body(wsi, request, detail);
    if (problem == PROBLEMS)
        problem = check_expectation(wsi);
    if (problem == PROBLEMS)
        problem = check_query(wsi, request, detail);
    return problem == PROBLEMS ? read_fields(wsi, request, detail) : problem;
}

/* ---- answers ---- */

static void forget_request(struct api_guest *guest)
{
    if (guest->request)
        api_close(guest->request);
    guest->request = NULL;
}

/* What a page of another origin may be told; NULL: nothing. */
static const char *allowed_origin(struct lws *wsi, const struct config *config, char origin[ORIGIN_SIZE])
{
    if (!has(wsi, WSI_TOKEN_ORIGIN) || !check_origin(wsi, config))
        return NULL;
    copy(wsi, WSI_TOKEN_ORIGIN, origin, ORIGIN_SIZE);
    return origin_to_name(config->allowed_origins, origin);
}

/* A body that is still to come is thrown away behind the answer. */
static bool must_leave(const struct api_guest *guest)
{
    const struct api_request *request = guest->request;
    return guest->is_overrun ||
           (guest->in_callback && (guest->is_endless || request->body_used < request->body_size));
}

static bool is_last(const struct api_guest *guest)
{
    const struct relay *relay = guest->relay;
    /* Only the first request of a connection passes the doorman; an upgrade may not be the second. */
    return relay->stopping || relay->config->auth_reject == AUTH_REJECT_HTTP || !guest->has_length ||
           guest->is_overrun || guest->request->body_used < guest->request->body_size;
}

static bool write_answer(struct api_guest *guest, const struct api_answer *answer)
{
    char origin[ORIGIN_SIZE], retry[24];
    const struct api_request *request = guest->request;
    const char *allowed = allowed_origin(guest->wsi, guest->relay->config, origin);
    bool is_options = request->method == API_OPTIONS && answer->status == 204, is_preflight = allowed && is_options;
    const char *methods = is_options || answer->status == 405 ? api_route_methods(request->route) : NULL;
    snprintf(retry, sizeof(retry), "%d", (int)answer->retry_after_s);
    const struct http_field fields[] = {
        {"cache-control:", answer->may_be_kept ? "private, no-cache" : "no-store"},
        {"vary:", "Origin, Authorization"},
        {"allow:", methods},
        {"etag:", answer->etag},
        {"x-total-count:", answer->total},
        {"location:", answer->location},
        {"www-authenticate:", answer->challenge},
        {"retry-after:", answer->retry_after_s ? retry : NULL},
        {"access-control-allow-origin:", allowed},
        {"access-control-expose-headers:",
         allowed && !is_options ? "ETag, Location, Retry-After, WWW-Authenticate, X-Total-Count" : NULL},
        {"access-control-allow-methods:", is_preflight ? methods : NULL},
        {"access-control-allow-headers:",
         is_preflight ? "Authorization, Content-Type, Idempotency-Key, If-None-Match" : NULL},
        {"access-control-max-age:", is_preflight ? "600" : NULL},
    };
    return http_response_write(guest->wsi, &(struct http_response){.status = (unsigned)answer->status,
                                                                   .type = answer->type,
                                                                   .parts = answer->parts,
                                                                   .part_count = answer->part_count,
                                                                   .fields = fields,
                                                                   .field_count = sizeof(fields) / sizeof(*fields),
                                                                   .last = is_last(guest),
                                                                   .head_only = request->method == API_HEAD});
}

/* Whether the connection goes on. The request is kept while its answer, or its body, is on the way. */
static bool send_answer(struct api_guest *guest, const struct api_answer *answer)
{
    lws_rx_flow_control(guest->wsi, 1);
    if (!write_answer(guest, answer))
        return false;
    guest->is_leaving = must_leave(guest);
    if (guest->is_leaving)
        return true;
    if (!guest->has_length)
        return false; /* libwebsockets would wait for a body */
    bool on_its_way = lws_partial_buffered(guest->wsi);
    if (on_its_way)
        guest->deadline_ms = clock_now_ms() + (uint64_t)ANSWER_SECONDS * 1000;
    if (http_response_finish(guest->wsi) != 0)
        return false;
    if (!on_its_way)
        forget_request(guest);
    return true;
}

static void end_connection(struct api_guest *guest)
{
    if (guest->in_callback)
        guest->closing = true;
    else
        lws_set_timeout(guest->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

/* An answer in the callback that tells of a body's end would have libwebsockets go round for ever on what else it has
 * read: api.c answers at the end of the turn. */
static void respond(struct api_request *request, const struct api_answer *answer)
{
    struct api_guest *guest = request->guest;
    if (!send_answer(guest, answer))
        end_connection(guest);
}

/* libwebsockets would first write what the socket does not take, and go round for ever on what has come meanwhile; it
 * notices this at once. */
static void cut_off(struct api_guest *guest)
{
    shutdown(lws_get_socket_fd(guest->wsi), SHUT_RDWR);
}

/* While an answer waits to be taken libwebsockets cannot wait for the socket alone: whatever the client sends meanwhile,
 * or that it sends no more, would keep it awake. So nothing may come, and the answer must be taken in time. */
static void check(struct api_request *request)
{
    struct api_guest *guest = request->guest;
    bool on_its_way = lws_partial_buffered(guest->wsi) != 0, is_late = clock_now_ms() > guest->deadline_ms;
    char byte;
    bool is_sending = on_its_way && recv(lws_get_socket_fd(guest->wsi), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
    if (is_sending || is_late)
        cut_off(guest);
    else if (!on_its_way && guest->is_overrun)
        shutdown(lws_get_socket_fd(guest->wsi), SHUT_WR); /* it has its answer, and libwebsockets waits for no end */
    else if (!on_its_way && !guest->is_leaving)
        forget_request(guest);
}

static const struct api_door door = {respond, check};

/* What becomes of the connection when a callback returns. */
static int outcome(struct api_guest *guest)
{
    guest->in_callback = false;
    return guest->closing ? -1 : 0;
}

/* ---- requests ---- */

static void begin(struct api_guest *guest)
{
    lws_set_timeout(guest->wsi, NO_PENDING_TIMEOUT, 0); /* the desk answers in time, or that it cannot */
    lws_rx_flow_control(guest->wsi, 0);
    api_begin(guest->request);
}

/* Whether libwebsockets has read this request together with the one before it. It cannot read the body of such a
 * request, but would take the head for it. Only what all connections together have is told: when another one has read
 * ahead as well, this is not known, and such a request is refused as bad JSON. */
static bool is_read_ahead(struct lws *wsi)
{
    struct lws_context *context = lws_get_context(wsi);
    bool somebody = lws_service_adjust_timeout(context, 1000, 0) == 0;
    if (!somebody)
        return false;
    lws_rx_flow_control(wsi, 0);
    bool another = lws_service_adjust_timeout(context, 1000, 0) == 0;
    lws_rx_flow_control(wsi, 1);
    return !another;
}

/* A small body is read first, so that the connection can go on. */
static void refuse(struct api_guest *guest, enum problem problem, const char *detail, int64_t wait_ms)
{
    struct api_request *request = guest->request;
    bool waits = expects_continue(guest->wsi); /* it is told before it sends anything */
    if (guest->has_length && request->body_size && !waits &&
        request->body_size <= (size_t)guest->relay->config->max_message_bytes) {
        request->problem = problem;
        request->detail = detail;
        request->retry_after_ms = wait_ms;
        api_set_state(request, API_DISCARDING);
        return;
    }
    api_refuse(request, problem, detail, wait_ms);
}

static void expect_body(struct api_guest *guest)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct api_request *request = guest->request;
    unsigned char bytes[LWS_PRE + sizeof(go_on)];
    request->body = memory_new(request->body_size + 1);
    if (!expects_continue(guest->wsi))
        return;
    memcpy(bytes + LWS_PRE, go_on, sizeof(go_on) - 1);
    if (lws_write(guest->wsi, bytes + LWS_PRE, sizeof(go_on) - 1, LWS_WRITE_RAW) < 0)
        guest->closing = true;
}

static void handle(struct api_guest *guest, const struct peer *peer)
{
    const char *detail = NULL;
    int64_t wait_ms;
    struct api_request *request = guest->request;
    enum problem problem = check_request(guest->wsi, guest, peer, &detail, &wait_ms);
    if (problem != PROBLEMS) {
        refuse(guest, problem, detail, wait_ms);
    } else if (request->method == API_OPTIONS) {
        api_give(request, &(struct api_answer){.status = 204});
    } else if (request->body_size) {
        expect_body(guest);
    } else {
        begin(guest);
    }
}

/* No request can be kept. */
static int turn_away(struct relay *relay, struct lws *wsi, enum api_operation operation)
{
    char json[PROBLEM_JSON_SIZE];
    struct text part = {json, problem_json(PROBLEM_CAPACITY, NULL, 1000, 0, json)};
    const struct http_field fields[] = {{"cache-control:", "no-store"}, {"retry-after:", "1"}};
    api_count_turned_away(relay, operation);
    http_response_write(wsi, &(struct http_response){.status = 503,
                                                     .type = "application/problem+json",
                                                     .parts = &part,
                                                     .part_count = 1,
                                                     .fields = fields,
                                                     .field_count = sizeof(fields) / sizeof(*fields),
                                                     .last = true});
    return -1;
}

int api_http_start(struct relay *relay, struct lws *wsi, struct api_guest *guest, struct net_address client,
                   const struct peer *peer)
{
    char path[PATH_SIZE];
    struct uuid notification = {0};
    enum api_method method = API_OTHER_METHOD;
    forget_request(guest); /* its answer has been taken */
    guest->is_leaving = guest->is_overrun = false;
    guest->thrown_away = 0;
    if (body_may_follow(wsi) && is_read_ahead(wsi))
        return -1; /* RFC 9112 §9.3.2: what was sent ahead and not answered may be sent again */
    if (!guest->relay)
        rate_start(&guest->rate, clock_now_ms(), relay->config->rate_limit);
    guest->relay = relay;
    guest->wsi = wsi;
    read_target(wsi, &method, path);
    enum api_route route = api_route_of(path, &notification);
    struct api_request *request = guest->request = api_open(relay, &door, guest);
    if (!request)
        return turn_away(relay, wsi, api_operation_of(route, method));
    request->method = method;
    request->route = route;
    request->notification = notification;
    request->client = client;
    guest->closing = false;
    guest->in_callback = true;
    guest->deadline_ms = clock_now_ms() + BODY_MS;
    handle(guest, peer);
    return outcome(guest);
}

int api_http_body(struct api_guest *guest, const char *bytes, size_t size)
{
    struct api_request *request = guest->request;
    if (!request || request->state == API_ASKING)
        return 0; /* there was no body: the connection ends with this request */
    if (clock_now_ms() > guest->deadline_ms)
        return -1;
    if (request->state == API_ANSWERED || guest->is_overrun) {
        guest->thrown_away += size;
        return guest->thrown_away > THROW_AWAY_MAX_BYTES ? -1 : 0;
    }
    /* Version 4.3 hands on all that it has read, and knows of no end then. What was sent ahead is lost, and as it is not
     * answered it may be sent again (RFC 9112 §9.3.2). */
    size_t left = request->body_size - request->body_used;
    guest->is_overrun = size > left;
    size = guest->is_overrun ? left : size;
    if (request->state != API_DISCARDING)
        memcpy(request->body + request->body_used, bytes, size);
    request->body_used += size;
    return guest->is_overrun ? api_http_body_end(guest) : 0;
}

int api_http_body_end(struct api_guest *guest)
{
    struct api_request *request = guest->request;
    if (!request || !request->body_size)
        return 0; /* libwebsockets says it also of the empty body of a POST */
    if (request->state >= API_ASKING)
        return -1; /* and when more comes behind a body while nothing can be read, over and over */
    if (request->state == API_DISCARDING) {
        api_refuse_later(request, request->problem, request->detail, request->retry_after_ms);
        lws_rx_flow_control(guest->wsi, 0);
        return 0;
    }
    request->body[request->body_used] = '\0';
    begin(guest);
    return 0;
}

void api_http_end(struct api_guest *guest)
{
    forget_request(guest);
}
