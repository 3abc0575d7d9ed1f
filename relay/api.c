/* Requests of the HTTP API; see api.h. */
#include "api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "clock.h"
#include "desk.h"
#include "etag.h"
#include "log.h"
#include "login.h"
#include "memory.h"
#include "relay.h"

static const char json_type[] = "application/json", problem_type[] = "application/problem+json";

const char *api_state_word(int state)
{
    static const char *const words[API_STATES] = {[API_READING] = "reading",
                                                  [API_DISCARDING] = "discarding",
                                                  [API_ASKING] = "asking",
                                                  [API_ANSWERED] = "answered"};
    return words[state];
}

/* ---- life ---- */

static struct api_request *find(struct relay *relay, uint64_t id)
{
    struct api_request *request = NULL;
    HASH_FIND(hh, relay->api.requests, &id, sizeof(id), request);
    return request && request->state == API_ASKING ? request : NULL;
}

struct api_request *api_open(struct relay *relay, const struct api_door *door, void *guest)
{
    if (HASH_COUNT(relay->api.requests) >= API_REQUESTS_MAX)
        return NULL;
    struct api_request *request = memory_zero(sizeof(*request));
    request->id = ++relay->api.last_id;
    request->relay = relay;
    request->door = door;
    request->guest = guest;
    relay->api.in_state[API_READING]++;
    api_query_start(&request->query);
    HASH_ADD(hh, relay->api.requests, id, sizeof(request->id), request);
    return request;
}

void api_set_state(struct api_request *request, enum api_state state)
{
    struct api *api = &request->relay->api;
    api->in_state[request->state]--;
    api->in_state[state]++;
    request->state = state;
    if (state == API_ASKING)
        request->since_us = clock_now_us();
}

static enum api_operation operation_of(const struct api_request *request)
{
    return api_operation_of(request->route, request->method);
}

void api_close(struct api_request *request)
{
    struct api *api = &request->relay->api;
    api->in_state[request->state]--;
    if (request->state != API_ANSWERED)
        request->relay->tally.api.requests[operation_of(request)][API_ABANDONED]++;
    lists_forget(request);
    if (request->user)
        user_rates_leave(request->user);
    if (request->is_refused)
        LL_DELETE2(api->refused, request, next_refused);
    HASH_DEL(api->requests, request);
    free(request->if_none_match);
    free(request->claims_json);
    free(request->body);
    free(request->user_id);
    free(request);
}

bool api_idle(const struct relay *relay)
{
    return relay->api.in_state[API_ASKING] == 0;
}

void api_tick(struct relay *relay)
{
    lists_tick(relay);
    user_rates_sweep(&relay->api.rates, clock_now_ms(), relay->config->user_rate_limit);
}

void api_stop(struct relay *relay)
{
    user_rates_free(&relay->api.rates);
}

/* ---- answers ---- */

static enum api_outcome outcome_of(int status)
{
    return status < 300 ? API_2XX : status < 400 ? API_3XX : status < 500 ? API_4XX : API_5XX;
}

static void count(struct relay *relay, enum api_operation operation, int status, int64_t took_us)
{
    struct api_tally *tally = &relay->tally.api;
    tally->requests[operation][outcome_of(status)]++;
    histogram_count(&tally->times[operation], &histogram_times, took_us > 0 ? (uint64_t)took_us : 0);
}

void api_count_turned_away(struct relay *relay, enum api_operation operation)
{
    relay->tally.api.problems[PROBLEM_CAPACITY]++;
    count(relay, operation, problem_status(PROBLEM_CAPACITY), 0);
}

void api_give(struct api_request *request, const struct api_answer *answer)
{
    log_debug("http_answered", LOG_STR("method", api_method_word(request->method)),
              LOG_STR("resource", api_route_word(request->route)), LOG_INT("status", answer->status));
    count(request->relay, operation_of(request), answer->status,
          request->since_us ? clock_now_us() - request->since_us : 0);
    api_set_state(request, API_ANSWERED);
    request->door->respond(request, answer);
}

void api_refuse(struct api_request *request, enum problem problem, const char *detail, int64_t retry_after_ms)
{
    char json[PROBLEM_JSON_SIZE];
    size_t size = problem_json(problem, detail, retry_after_ms, 0, json);
    request->relay->tally.api.problems[problem]++;
    api_give(request, &(struct api_answer){.status = problem_status(problem),
                                           .type = problem_type,
                                           .parts = {{json, size}},
                                           .part_count = 1,
                                           .challenge = problem_challenge(problem),
                                           .retry_after_s = (retry_after_ms + 999) / 1000});
}

void api_refuse_later(struct api_request *request, enum problem problem, const char *detail, int64_t retry_after_ms)
{
    request->problem = problem;
    request->detail = detail;
    request->retry_after_ms = retry_after_ms;
    api_set_state(request, API_ASKING);
    LL_PREPEND2(request->relay->api.refused, request, next_refused);
    request->is_refused = true;
}

static void check_answered(struct relay *relay)
{
    struct api_request *request, *next;
    HASH_ITER (hh, relay->api.requests, request, next) {
        if (request->state == API_ANSWERED)
            request->door->check(request);
    }
}

void api_flush(struct relay *relay)
{
    struct api_request *request;
    while ((request = relay->api.refused)) {
        LL_DELETE2(relay->api.refused, request, next_refused);
        request->is_refused = false;
        api_refuse(request, request->problem, request->detail, request->retry_after_ms);
    }
    if (relay->api.in_state[API_ANSWERED])
        check_answered(relay);
}

/* A representation that the client may have already. */
static void give_or_not_modified(struct api_request *request, const struct api_answer *answer)
{
    char etag[ETAG_SIZE];
    struct api_answer given = *answer;
    etag_make(answer->parts, answer->part_count, etag);
    given.etag = etag;
    given.may_be_kept = true;
    if (request->if_none_match && etag_matches(request->if_none_match, etag)) {
        given.status = 304;
        given.type = NULL;
        given.part_count = 0;
    }
    api_give(request, &given);
}

static void give_page(struct api_request *request, const struct answer *found)
{
    char count[64], next[COMMAND_TIME_SIZE + UUID_TEXT_SIZE + 16], total[24];
    struct text key = answer_text(found, 0, 2);
    snprintf(count, sizeof(count), "{\"count\":%" PRId64 ",\"notifications\":", answer_int(found, 0, 0));
    if (key.bytes)
        snprintf(next, sizeof(next), ",\"next\":\"%.*s\"}", (int)key.size, key.bytes);
    else
        snprintf(next, sizeof(next), ",\"next\":null}");
    snprintf(total, sizeof(total), "%" PRId64, answer_int(found, 0, 3));
    give_or_not_modified(request, &(struct api_answer){.status = 200,
                                                       .type = json_type,
                                                       .parts = {text_of(count), answer_text(found, 0, 1), text_of(next)},
                                                       .part_count = 3,
                                                       .total = total});
}

/* The row of a statement that has one, or null. */
static void give_row(struct api_request *request, const struct answer *found)
{
    struct text row = answer_text(found, 0, 0);
    struct api_answer answer = {.status = 200, .type = json_type, .parts = {row}, .part_count = 1};
    if (!row.bytes)
        api_refuse(request, PROBLEM_NOT_FOUND, "there is no such notification", 0);
    else if (request->method == API_PATCH)
        api_give(request, &answer);
    else
        give_or_not_modified(request, &answer);
}

static void give_created(struct api_request *request, const struct answer *found)
{
    char location[sizeof("/api/v1/notifications/") + UUID_TEXT_SIZE];
    const char *outcome = answer_text(found, 0, 0).bytes;
    if (strcmp(outcome, "mismatch") == 0) {
        api_refuse(request, PROBLEM_KEY_REUSED, NULL, 0);
        return;
    }
    if (strcmp(outcome, "gone") == 0) {
        api_refuse(request, PROBLEM_GONE, NULL, 0);
        return;
    }
    if (strcmp(outcome, "repeated") == 0)
        request->relay->tally.api.replays++;
    snprintf(location, sizeof(location), "/api/v1/notifications/%s", answer_text(found, 0, 1).bytes);
    api_give(request, &(struct api_answer){.status = 201,
                                           .type = json_type,
                                           .parts = {answer_text(found, 0, 2)},
                                           .part_count = 1,
                                           .location = location});
}

static void give_marked(struct api_request *request, const struct answer *found)
{
    char json[96];
    snprintf(json, sizeof(json), "{\"marked\":%" PRId64 ",\"count\":%" PRId64 "}", answer_int(found, 0, 0),
             answer_int(found, 0, 1));
    api_give(request, &(struct api_answer){.status = 200, .type = json_type, .parts = {text_of(json)}, .part_count = 1});
}

static void give_deleted(struct api_request *request, const struct answer *found)
{
    if (answer_text(found, 0, 0).bytes[0] == 't')
        api_give(request, &(struct api_answer){.status = 204});
    else
        api_refuse(request, PROBLEM_NOT_FOUND, "there is no such notification", 0);
}

/* ---- statements ---- */

static const struct {
    enum desk_statement statement;
    bool once; /* not asked again when the connection breaks: it might be carried out twice */
    void (*give)(struct api_request *request, const struct answer *found);
} statements[API_ROUTES][API_OTHER_METHOD] = {
    [API_COLLECTION] = {[API_GET] = {DESK_API_LIST, false, give_page},
                        [API_HEAD] = {DESK_API_LIST, false, give_page},
                        [API_POST] = {DESK_API_CREATE, true, give_created}},
    [API_ITEM] = {[API_GET] = {DESK_API_GET, false, give_row},
                  [API_HEAD] = {DESK_API_GET, false, give_row},
                  [API_PATCH] = {DESK_API_SET_READ, false, give_row},
                  [API_DELETE] = {DESK_API_DELETE, true, give_deleted}},
    [API_READ_ALL] = {[API_POST] = {DESK_API_READ_ALL, true, give_marked}},
};

static void submit(struct api_request *request)
{
    char id[UUID_TEXT_SIZE];
    struct desk_query query = {.statement = statements[request->route][request->method].statement,
                               .values = {request->user_id},
                               .session = request->id,
                               .done = api_answered,
                               .once = statements[request->route][request->method].once};
    switch (query.statement) {
    case DESK_API_LIST:
        lists_want(request);
        return;
    case DESK_API_CREATE:
        query.values[1] = request->create.user[0] ? request->create.user : request->user_id;
        query.values[2] = request->body;
        query.values[3] = desk_value(request->key);
        query.once = !request->key[0];
        break;
    case DESK_API_READ_ALL:
        query.values[1] = desk_value(request->until);
        break;
    default:
        uuid_format(&request->notification, id);
        query.values[1] = id;
        query.values[2] = request->is_read ? "t" : "f"; /* DESK_API_SET_READ */
        break;
    }
    desk_submit(request->relay->desk, &query);
}

static bool is_state(const char *error, const char *state)
{
    return strcmp(error, state) == 0;
}

/* Somebody else has the row, or the key. */
static void stopped_by_lock(struct api_request *request)
{
    if (request->key[0]) {
        api_refuse(request, PROBLEM_KEY_IN_USE, NULL, API_AGAIN_MS);
    } else if (request->repeated) {
        api_refuse(request, PROBLEM_UNAVAILABLE, "the rows are locked by another transaction", API_AGAIN_MS);
    } else {
        request->repeated = true;
        submit(request);
    }
}

/* Data that PostgreSQL refuses (class 22, say 30 February; class 23, a limit of the table) is the client's mistake. */
static void failed(struct api_request *request, const char *error)
{
    if (strncmp(error, "22", 2) == 0 || strncmp(error, "23", 2) == 0)
        api_refuse(request, PROBLEM_BAD_FIELD, "the database refused a value of this request", 0);
    else if (is_state(error, "55P03") || is_state(error, "40P01"))
        stopped_by_lock(request);
    else if (is_state(error, "57014"))
        api_refuse(request, PROBLEM_UNAVAILABLE, "the database took too long", API_AGAIN_MS);
    else
        api_refuse(request, PROBLEM_INTERNAL, NULL, 0);
}

void api_answered(struct relay *relay, uint64_t id, void *context, const struct answer *found)
{
    (void)context;
    struct api_request *request = find(relay, id);
    if (!request)
        return;
    if (!found)
        api_refuse(request, PROBLEM_UNAVAILABLE, NULL, API_AGAIN_MS);
    else if (answer_error(found))
        failed(request, answer_error(found));
    else if (answer_rows(found) != 1)
        api_refuse(request, PROBLEM_INTERNAL, NULL, 0);
    else
        statements[request->route][request->method].give(request, found);
}

/* ---- users ---- */

/* A user with a tab has one rate for messages and requests. */
static bool may_ask(struct api_request *request, struct text user_id)
{
    struct relay *relay = request->relay;
    struct rate_limit limit = relay->config->user_rate_limit;
    struct user *with_tabs = router_find(&relay->router, user_id);
    int64_t wait_ms;
    request->user = user_rates_enter(&relay->api.rates, user_id, clock_now_ms(), limit);
    if (request->user->under_way > API_REQUESTS_A_USER) {
        api_refuse(request, PROBLEM_BUSY, NULL, API_AGAIN_MS);
        return false;
    }
    if (!rate_take(with_tabs ? &with_tabs->rate : &request->user->rate, clock_now_ms(), limit, &wait_ms)) {
        relay->counters.messages_limited[LIMITED_BY_USER]++;
        api_refuse(request, PROBLEM_RATE, "too many requests of this user", wait_ms);
        return false;
    }
    return true;
}

static bool is_for_another(const struct api_request *request)
{
    return request->create.user[0] && strcmp(request->create.user, request->user_id) != 0;
}

static void found_user(struct api_request *request, struct text user_id)
{
    if (!may_ask(request, user_id))
        return;
    request->user_id = memory_copy(user_id.bytes, user_id.size);
    if (is_for_another(request) && !request->can_write)
        api_refuse(request, PROBLEM_SCOPE, NULL, 0);
    else
        submit(request);
}

static void resolved(struct relay *relay, uint64_t id, void *context, enum resolver_result result, struct text user_id)
{
    (void)context;
    struct api_request *request = find(relay, id);
    if (!request)
        return;
    if (result == RESOLVER_UNAVAILABLE) {
        api_refuse(request, PROBLEM_UNAVAILABLE, NULL, API_AGAIN_MS);
    } else if (result == RESOLVER_NOBODY) {
        login_failed(relay, request->client, LOGIN_UNKNOWN_USER);
        api_refuse(request, PROBLEM_NO_USER, NULL, 0);
    } else {
        found_user(request, user_id);
    }
}

static enum problem read_body(struct api_request *request, const char **detail)
{
    struct text body = {request->body ? request->body : "", request->body_used};
    *detail = NULL;
    if (request->method == API_PATCH)
        return api_patch_parse(body, &request->is_read, detail);
    if (request->method != API_POST)
        return PROBLEMS;
    return request->route == API_COLLECTION ? api_create_parse(body, &request->create, detail)
                                            : api_read_all_parse(body, request->until, detail);
}

void api_begin(struct api_request *request)
{
    const char *detail;
    enum problem problem = read_body(request, &detail);
    if (problem != PROBLEMS) {
        api_refuse_later(request, problem, detail, 0);
        return;
    }
    api_set_state(request, API_ASKING);
    resolver_want(&request->relay->resolver, request->claims_json, request->id, NULL, resolved);
}
