/* Requests of the HTTP API between their door and the desk: what is asked, what is answered, and who is gone. */
#include "api.h"

#include "fake_relay.h"
#include "run_suite.h"

enum { DOOR_MAX = API_REQUESTS_MAX + 1 };

static struct {
    int status; /* of the last answer */
    int answers;
    int64_t retry_after_s;
    char body[1024];
    char etag[64];
} door;

static void respond(struct api_request *request, const struct api_answer *answer)
{
    size_t used = 0;
    door.status = answer->status;
    door.answers++;
    door.retry_after_s = answer->retry_after_s;
    snprintf(door.etag, sizeof(door.etag), "%s", answer->etag ? answer->etag : "");
    for (size_t i = 0; i < answer->part_count; i++)
        used += (size_t)snprintf(door.body + used, sizeof(door.body) - used, "%.*s", (int)answer->parts[i].size,
                                 answer->parts[i].bytes);
    door.body[used] = '\0';
    api_close(request);
}

static void check(struct api_request *request)
{
    (void)request;
    ck_abort_msg("every answer is taken at once");
}

static const struct api_door test_door = {respond, check};

static void setup(void)
{
    fake_relay_start();
    memset(&door, 0, sizeof(door));
}

static void teardown(void)
{
    fake_relay_stop();
    ck_assert(api_idle(&fake_relay));
    ck_assert_ptr_null(fake_relay.api.requests);
    api_stop(&fake_relay);
}

static struct api_request *request_of(const char *user, enum api_route route, enum api_method method, const char *body)
{
    char claims[64];
    struct api_request *request = api_open(&fake_relay, &test_door, NULL);
    ck_assert_ptr_nonnull(request);
    snprintf(claims, sizeof(claims), "{\"username\":\"%s\"}", user);
    request->claims_json = memory_copy_text(claims);
    request->route = route;
    request->method = method;
    request->body = memory_copy_text(body);
    request->body_size = request->body_used = body ? strlen(body) : 0;
    return request;
}

static void begin(struct api_request *request)
{
    api_begin(request);
    api_flush(&fake_relay);
}

/* The user is found, and the statement is at the desk. */
static struct api_request *ask(const char *user, enum api_route route, enum api_method method, const char *body)
{
    struct api_request *request = request_of(user, route, method, body);
    begin(request);
    answer_next(&(struct answer){.rows = 1, .cells = {{user}}});
    return request;
}

static void expect(int status, const char *part)
{
    ck_assert_int_eq(door.status, status);
    ck_assert_msg(strstr(door.body, part) != NULL, "%s", door.body);
    ck_assert_ptr_null(fake_relay.api.requests);
}

START_TEST(a_page_is_asked_for_and_passed_out_as_it_is)
{
    struct api_request *request = request_of("alice", API_COLLECTION, API_GET, NULL);
    ck_assert_ptr_null(api_query_take(&request->query, "unread=true"));
    ck_assert_ptr_null(api_query_take(&request->query, "category=c"));
    begin(request);
    answer_next(&(struct answer){.rows = 1, .cells = {{"alice"}}});
    const struct desk_query *query = expect_query(DESK_API_LIST);
    static const char *const values[] = {"alice", "t", "c", NULL, "10", NULL, NULL};
    for (int i = 0; i < LENGTH(values); i++)
        ck_assert_pstr_eq(query->values[i], values[i]);
    answer_next(&(struct answer){.rows = 1, .cells = {{"7", "[ready text]", NULL, "12"}}});
    expect(200, "{\"count\":7,\"notifications\":[ready text],\"next\":null}");
    ck_assert_uint_eq(strlen(door.etag), 34);
}
END_TEST

START_TEST(what_is_stored_is_the_body_as_it_came)
{
    static const char body[] = "{ \"title\":\"x\", \"data\":1.10, \"user_id\":\"bob\" }";
    struct api_request *request = request_of("alice", API_COLLECTION, API_POST, body);
    request->can_write = true;
    strcpy(request->key, "k");
    begin(request);
    answer_next(&(struct answer){.rows = 1, .cells = {{"alice"}}});
    const struct desk_query *query = expect_query(DESK_API_CREATE);
    static const char *const values[] = {"alice", "bob", body, "k"};
    for (int i = 0; i < LENGTH(values); i++)
        ck_assert_pstr_eq(query->values[i], values[i]);
    ck_assert(!query->once);
    answer_next(&(struct answer){.rows = 1, .cells = {{"repeated", "id", "{row}"}}});
    expect(201, "{row}");
}
END_TEST

START_TEST(without_a_key_it_is_stored_once_or_not_at_all)
{
    ask("alice", API_COLLECTION, API_POST, "{\"title\":\"x\"}");
    ck_assert(expect_query(DESK_API_CREATE)->once);
    ck_assert_pstr_eq(expect_query(DESK_API_CREATE)->values[1], "alice");
    answer_next(NULL);
    expect(503, "\"unavailable\"");
    ck_assert_int_eq(door.retry_after_s, 1);
}
END_TEST

START_TEST(nobody_is_notified_without_the_scope)
{
    ask("alice", API_COLLECTION, API_POST, "{\"title\":\"x\",\"user_id\":\"bob\"}");
    expect(403, "\"insufficient_scope\"");
    ask("alice", API_COLLECTION, API_POST, "{\"title\":\"x\",\"user_id\":\"alice\"}");
    ck_assert_int_eq(expect_query(DESK_API_CREATE)->statement, DESK_API_CREATE);
}
END_TEST

START_TEST(an_answer_for_a_client_that_is_gone_finds_nobody)
{
    api_close(ask("alice", API_COLLECTION, API_GET, NULL));
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]", NULL, "0"}}});
    struct api_request *request = request_of("bob", API_COLLECTION, API_GET, NULL);
    begin(request);
    api_close(request);
    answer_next(&(struct answer){.rows = 1, .cells = {{"bob"}}});
    request = request_of("bob", API_ITEM, API_PATCH, "{}");
    api_begin(request); /* it is told at the end of the turn */
    api_close(request);
    api_flush(&fake_relay);
    ck_assert_int_eq(door.answers, 0);
    ck_assert_ptr_null(fake_relay.api.requests);
}
END_TEST

static const struct {
    const char *error;
    const char *key;
    int status;
    const char *code;
} error_cases[] = {
    {"22008", "", 400, "\"bad_field\""},   {"23514", "", 400, "\"bad_field\""},     {"55P03", "k", 409, "\"key_in_use\""},
    {"57014", "", 503, "\"unavailable\""}, {"42501", "", 500, "\"internal\""},      {"53100", "", 500, "\"internal\""},
};

START_TEST(an_error_of_the_database_is_the_clients_or_not)
{
    struct api_request *request = request_of("alice", API_COLLECTION, API_POST, "{\"title\":\"x\"}");
    strcpy(request->key, error_cases[_i].key);
    begin(request);
    answer_next(&(struct answer){.rows = 1, .cells = {{"alice"}}});
    answer_next(&(struct answer){.error = error_cases[_i].error});
    expect(error_cases[_i].status, error_cases[_i].code);
}
END_TEST

START_TEST(a_lock_or_a_deadlock_is_tried_a_second_time)
{
    static const char row[] = "{row}";
    ask("alice", API_ITEM, API_PATCH, "{\"is_read\":true}");
    answer_next(&(struct answer){.error = "55P03"});
    ck_assert_pstr_eq(expect_query(DESK_API_SET_READ)->values[2], "t");
    answer_next(&(struct answer){.rows = 1, .cells = {{row}}});
    expect(200, row);
    ask("alice", API_READ_ALL, API_POST, NULL);
    answer_next(&(struct answer){.error = "40P01"});
    answer_next(&(struct answer){.error = "40P01"});
    expect(503, "\"unavailable\"");
}
END_TEST

START_TEST(a_user_has_four_requests_at_once)
{
    for (int i = 0; i < API_REQUESTS_A_USER + 1; i++)
        begin(request_of("alice", API_ITEM, API_GET, NULL));
    answer_next(&(struct answer){.rows = 1, .cells = {{"alice"}}});
    ck_assert_int_eq(door.answers, 1);
    ck_assert_int_eq(door.status, 429);
    ck_assert_int_eq(fake_desk.count, API_REQUESTS_A_USER);
    while (fake_desk.count)
        answer_next(&(struct answer){.rows = 1, .cells = {{"{row}"}}});
    ask("alice", API_COLLECTION, API_GET, NULL);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]", NULL, "0"}}});
    expect(200, "[]");
}
END_TEST

START_TEST(a_process_has_as_many_as_it_may)
{
    for (int i = 0; i < API_REQUESTS_MAX; i++)
        ck_assert_ptr_nonnull(api_open(&fake_relay, &test_door, NULL));
    ck_assert_ptr_null(api_open(&fake_relay, &test_door, NULL));
    while (fake_relay.api.requests)
        api_close(fake_relay.api.requests);
}
END_TEST

START_TEST(an_unknown_user_counts_as_a_failed_login)
{
    struct api_request *request = request_of("nobody", API_COLLECTION, API_GET, NULL);
    ck_assert(net_address_parse(TEXT("192.0.2.1"), &request->client));
    begin(request);
    answer_next(&(struct answer){.rows = 1, .cells = {{NULL}}});
    expect(403, "\"unknown_user\"");
    ck_assert_uint_eq(fake_relay.counters.logins[LOGIN_UNKNOWN_USER], 1);
}
END_TEST

/* ---- lists ---- */

static struct desk list_desk;

/* Asks for lists, whose limit is the place of each; "ab" is one of user a and one of user b. Returns the last. */
static struct api_request *want_lists(const char *users)
{
    struct api_request *request = NULL;
    list_desk.count = 0;
    fake_relay.list_desk = &list_desk;
    for (int i = 0; users[i]; i++) {
        const char user[] = {users[i], '\0'};
        request = request_of(user, API_COLLECTION, API_GET, NULL);
        request->query.limit = i + 1;
        begin(request);
        answer_next(&(struct answer){.rows = 1, .cells = {{user}}});
    }
    return request;
}

static void answer_list(int expected, const struct answer *answer)
{
    struct desk_query query = list_desk.queries[0];
    ck_assert_int_eq(list_desk.count, 1);
    ck_assert_int_eq(query.statement, DESK_API_LIST);
    ck_assert_int_eq(atoi(query.values[4]), expected);
    list_desk.count = 0;
    query.done(&fake_relay, query.session, query.context, answer);
    for (int i = 0; i < DESK_PARAMS_MAX; i++)
        free((void *)(uintptr_t)query.values[i]);
}

static const struct answer a_list = {.rows = 1, .cells = {{"0", "[]", NULL, "0"}}};

START_TEST(lists_are_asked_one_at_a_time_and_users_take_turns)
{
    static const int order[] = {1, 4, 5, 2, 6, 3};
    want_lists("aaabcb");
    for (int i = 0; i < LENGTH(order); i++)
        answer_list(order[i], &a_list);
    ck_assert_int_eq(list_desk.count, 0);
    ck_assert_int_eq(door.answers, LENGTH(order));
    want_lists("a");
    answer_list(1, &a_list);
}
END_TEST

START_TEST(nothing_else_waits_for_a_list)
{
    want_lists("a");
    ask("a", API_ITEM, API_PATCH, "{\"is_read\":true}");
    answer_next(&(struct answer){.rows = 1, .cells = {{"{row}"}}});
    ck_assert_int_eq(door.status, 200);
    answer_list(1, &a_list);
}
END_TEST

START_TEST(a_list_whose_client_is_gone_is_not_asked_and_one_under_way_holds_nobody_up)
{
    struct api_request *running = want_lists("a"), *waiting;
    begin(waiting = request_of("b", API_COLLECTION, API_GET, NULL));
    answer_next(&(struct answer){.rows = 1, .cells = {{"b"}}});
    struct api_request *last = request_of("c", API_COLLECTION, API_GET, NULL);
    last->query.limit = 3;
    begin(last);
    answer_next(&(struct answer){.rows = 1, .cells = {{"c"}}});
    api_close(waiting);
    api_close(running);
    answer_list(1, &a_list);
    ck_assert_int_eq(door.answers, 0);
    answer_list(3, &a_list);
    ck_assert_int_eq(door.answers, 1);
    ck_assert_int_eq(list_desk.count, 0);
}
END_TEST

START_TEST(a_list_that_must_be_asked_again_waits_for_its_turn)
{
    want_lists("ab");
    answer_list(1, &(struct answer){.error = "55P03"});
    answer_list(2, &a_list);
    answer_list(1, &(struct answer){.error = "57014"});
    ck_assert_int_eq(door.status, 503);
    ck_assert_int_eq(list_desk.count, 0);
}
END_TEST

START_TEST(a_list_waits_as_long_as_a_query_waits_for_the_database)
{
    want_lists("aab");
    advance_ms(DESK_PATIENCE_MS - 1);
    api_tick(&fake_relay);
    ck_assert_int_eq(door.answers, 0);
    advance_ms(1);
    api_tick(&fake_relay);
    ck_assert_int_eq(door.answers, 2);
    ck_assert_int_eq(door.status, 503);
    answer_list(1, &a_list);
    ck_assert_int_eq(list_desk.count, 0);
}
END_TEST

START_TEST(each_request_is_counted_once_by_what_became_of_it)
{
    const struct api_tally *tally = &fake_relay.tally.api;
    ask("alice", API_COLLECTION, API_GET, NULL);
    ck_assert_int_eq(fake_relay.api.in_state[API_ASKING], 1);
    advance_ms(30);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]", NULL, "0"}}});
    ck_assert_uint_eq(tally->requests[API_OP_LIST][API_2XX], 1);
    ck_assert_uint_eq(tally->times[API_OP_LIST].sum, 30000);
    api_close(ask("alice", API_COLLECTION, API_GET, NULL));
    answer_next(NULL);
    ck_assert_uint_eq(tally->requests[API_OP_LIST][API_ABANDONED], 1);
    ask("alice", API_ITEM, API_DELETE, NULL);
    answer_next(NULL);
    ck_assert_uint_eq(tally->requests[API_OP_DELETE][API_5XX], 1);
    ck_assert_uint_eq(tally->problems[PROBLEM_UNAVAILABLE], 1);
    begin(request_of("alice", API_COLLECTION, API_POST, "{}")); /* no title */
    ck_assert_uint_eq(tally->requests[API_OP_CREATE][API_4XX], 1);
    ck_assert_uint_eq(tally->problems[PROBLEM_BAD_FIELD], 1);
    for (int i = 0; i < 2; i++) { /* the second time with the tag of the first */
        struct api_request *request = request_of("alice", API_ITEM, API_GET, NULL);
        request->if_none_match = memory_copy_text(door.etag);
        begin(request);
        answer_next(&(struct answer){.rows = 1, .cells = {{"alice"}}});
        answer_next(&(struct answer){.rows = 1, .cells = {{"{row}"}}});
    }
    ck_assert_uint_eq(tally->requests[API_OP_GET][API_2XX], 1);
    ck_assert_uint_eq(tally->requests[API_OP_GET][API_3XX], 1);
    api_count_turned_away(&fake_relay, API_OP_LIST);
    ck_assert_uint_eq(tally->requests[API_OP_LIST][API_5XX], 1);
    ck_assert_uint_eq(tally->problems[PROBLEM_CAPACITY], 1);
}
END_TEST

START_TEST(a_repeated_key_counts_as_a_replay)
{
    static const char *const outcomes[] = {"created", "repeated", "mismatch", "gone"};
    for (int i = 0; i < LENGTH(outcomes); i++) {
        ask("alice", API_COLLECTION, API_POST, "{\"title\":\"x\"}");
        answer_next(&(struct answer){.rows = 1, .cells = {{outcomes[i], "id", "{row}"}}});
    }
    ck_assert_uint_eq(fake_relay.tally.api.replays, 1);
    ck_assert_uint_eq(fake_relay.tally.api.requests[API_OP_CREATE][API_2XX], 2);
    ck_assert_uint_eq(fake_relay.tally.api.requests[API_OP_CREATE][API_4XX], 2);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("api");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, a_page_is_asked_for_and_passed_out_as_it_is);
    tcase_add_test(cases, what_is_stored_is_the_body_as_it_came);
    tcase_add_test(cases, without_a_key_it_is_stored_once_or_not_at_all);
    tcase_add_test(cases, nobody_is_notified_without_the_scope);
    tcase_add_test(cases, an_answer_for_a_client_that_is_gone_finds_nobody);
    tcase_add_loop_test(cases, an_error_of_the_database_is_the_clients_or_not, 0, LENGTH(error_cases));
    tcase_add_test(cases, a_lock_or_a_deadlock_is_tried_a_second_time);
    tcase_add_test(cases, a_user_has_four_requests_at_once);
    tcase_add_test(cases, a_process_has_as_many_as_it_may);
    tcase_add_test(cases, an_unknown_user_counts_as_a_failed_login);
    tcase_add_test(cases, lists_are_asked_one_at_a_time_and_users_take_turns);
    tcase_add_test(cases, nothing_else_waits_for_a_list);
    tcase_add_test(cases, a_list_whose_client_is_gone_is_not_asked_and_one_under_way_holds_nobody_up);
    tcase_add_test(cases, a_list_that_must_be_asked_again_waits_for_its_turn);
    tcase_add_test(cases, a_list_waits_as_long_as_a_query_waits_for_the_database);
    tcase_add_test(cases, each_request_is_counted_once_by_what_became_of_it);
    tcase_add_test(cases, a_repeated_key_counts_as_a_replay);
    return run_suite("api", cases);
}
