/* Requests of the HTTP API: paths, methods, lengths, types, queries and bodies. */
#include "api_request.h"
#include "run_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "/api/v1/notifications"
#define ID "926f5a44-7bea-4a4c-9d51-7eedbef93b36"

static const struct {
    const char *path;
    enum api_route route;
    const char *methods;
} route_cases[] = {
    {BASE, API_COLLECTION, "GET, HEAD, POST, OPTIONS"},
    {BASE "/" ID, API_ITEM, "GET, HEAD, PATCH, DELETE, OPTIONS"},
    {BASE "/926F5A44-7BEA-4A4C-9D51-7EEDBEF93B36", API_ITEM, "GET, HEAD, PATCH, DELETE, OPTIONS"},
    {BASE "/read-all", API_READ_ALL, "POST, OPTIONS"},
    {BASE "/", API_NOWHERE, ""},
    {BASE "/read-all/", API_NOWHERE, ""},
    {BASE "/" ID "/", API_NOWHERE, ""},
    {BASE "/" ID "0", API_NOWHERE, ""},
    {BASE "s", API_NOWHERE, ""},
    {BASE "/ws/", API_NOWHERE, ""},
    {BASE "/stream", API_STREAM, "GET, OPTIONS"},
    {BASE "/streams", API_NOWHERE, ""},
    {"/api/", API_NOWHERE, ""},
    {"/api/v1/notification", API_NOWHERE, ""},
};

START_TEST(a_path_is_a_resource_with_its_methods)
{
    struct uuid id;
    enum api_route route = api_route_of(route_cases[_i].path, &id);
    ck_assert_msg(route == route_cases[_i].route, "%s", route_cases[_i].path);
    ck_assert_str_eq(api_route_methods(route), route_cases[_i].methods);
    ck_assert(api_has_path(route_cases[_i].path));
    for (int method = API_GET; method < API_OTHER_METHOD; method++) {
        const char *word = api_method_word((enum api_method)method);
        ck_assert_int_eq(api_route_allows(route, (enum api_method)method), route != API_STREAM && strstr(route_cases[_i].methods, word) != NULL);
    }
    ck_assert(!api_route_allows(route, API_OTHER_METHOD));
}
END_TEST

static const struct {
    enum api_route route;
    enum api_method method;
    const char *word;
} operation_cases[] = {
    {API_COLLECTION, API_GET, "list"},     {API_COLLECTION, API_HEAD, "list"},       {API_COLLECTION, API_POST, "create"},
    {API_COLLECTION, API_PATCH, "other"},  {API_COLLECTION, API_OPTIONS, "options"}, {API_ITEM, API_GET, "get"},
    {API_ITEM, API_HEAD, "get"},           {API_ITEM, API_PATCH, "set_read"},        {API_ITEM, API_DELETE, "delete"},
    {API_ITEM, API_POST, "other"},         {API_READ_ALL, API_POST, "read_all"},     {API_READ_ALL, API_GET, "other"},
    {API_NOWHERE, API_GET, "other"},       {API_NOWHERE, API_OPTIONS, "other"},      {API_ITEM, API_OTHER_METHOD, "other"},
};

START_TEST(a_request_counts_as_one_of_a_few_operations)
{
    enum api_operation operation = api_operation_of(operation_cases[_i].route, operation_cases[_i].method);
    ck_assert_str_eq(api_operation_word(operation), operation_cases[_i].word);
}
END_TEST

START_TEST(other_paths_are_not_the_api)
{
    static const char *const paths[] = {"/", "", "/api", "/apis/", "/API/v1", "/healthz", "api/v1", BASE "/ws"};
    for (int i = 0; i < LENGTH(paths); i++)
        ck_assert(!api_has_path(paths[i]));
}
END_TEST

START_TEST(a_length_is_decimal_digits)
{
    static const char *const bad[] = {"", "-1", "+1", "1 ", " 1", "1e3", "0x1", "1,1", "1000000000000000"};
    size_t size;
    ck_assert(api_length_parse("0", &size) && size == 0);
    ck_assert(api_length_parse("0042", &size) && size == 42);
    ck_assert(api_length_parse("999999999999999", &size) && size == 999999999999999);
    for (int i = 0; i < LENGTH(bad); i++)
        ck_assert_msg(!api_length_parse(bad[i], &size), "%s", bad[i]);
}
END_TEST

START_TEST(a_type_is_json_in_utf8)
{
    static const char *const good[] = {"application/json", "Application/JSON", "application/json; charset=utf-8",
                                       "application/json;charset=\"UTF-8\"", "application/json ;", "application/json \t"};
    static const char *const bad[] = {"",
                                      "json",
                                      "text/json",
                                      "application/jsonx",
                                      "application/json+x",
                                      "application/json, text/plain",
                                      "application/json; charset=latin1",
                                      "application/json; charset=",
                                      "application/problem+json"};
    for (int i = 0; i < LENGTH(good); i++)
        ck_assert_msg(api_type_is_json(good[i]), "%s", good[i]);
    for (int i = 0; i < LENGTH(bad); i++)
        ck_assert_msg(!api_type_is_json(bad[i]), "%s", bad[i]);
}
END_TEST

/* ---- queries ---- */

START_TEST(arguments_are_taken)
{
    struct api_query query;
    api_query_start(&query);
    ck_assert_int_eq(query.limit, COMMAND_LIMIT_DEFAULT);
    ck_assert_ptr_null(api_query_take(&query, "limit=100"));
    ck_assert_ptr_null(api_query_take(&query, "unread=false"));
    ck_assert_ptr_null(api_query_take(&query, "category=a=b"));
    ck_assert_ptr_null(api_query_take(&query, "severity=warning"));
    ck_assert_ptr_null(api_query_take(&query, "before=2026-01-01T00:00:00Z_" ID));
    ck_assert(query.has_unread && !query.unread && query.has_before && query.limit == 100);
    ck_assert_str_eq(query.category, "a=b");
    ck_assert_str_eq(query.severity, "warning");
    ck_assert_str_eq(query.before_time, "2026-01-01T00:00:00Z");
}
END_TEST

START_TEST(an_argument_of_another_name_means_nothing)
{
    static const char *const other[] = {"", "=", "x", "x=1", "limits=0", "limi=0", "Limit=0", "=limit", "token=x"};
    struct api_query query;
    api_query_start(&query);
    for (int i = 0; i < LENGTH(other); i++)
        ck_assert_msg(!api_query_take(&query, other[i]), "%s", other[i]);
    ck_assert(!query.has_limit && !query.has_unread && !query.has_before && !query.category[0] && !query.severity[0]);
}
END_TEST

static const char *const bad_arguments[] = {
    "limit",       "limit=",        "limit=0",          "limit=101",      "limit=-1",    "limit=+1",
    "limit=1.0",   "limit= 1",      "limit=9999999999", "unread",         "unread=",     "unread=1",
    "unread=True", "unread=true ",  "severity=",        "severity=fatal", "severity=INFO", "category=",
    "before=",     "before=" ID,    "before=_" ID,      "before=x_" ID,   "before=2026-01-01T00:00:00Z_",
    "before=2026-01-01T00:00:00Z_x", "before=2026-01-01_" ID,
};

START_TEST(an_argument_out_of_range_is_refused)
{
    struct api_query query;
    api_query_start(&query);
    ck_assert_msg(api_query_take(&query, bad_arguments[_i]) != NULL, "%s", bad_arguments[_i]);
}
END_TEST

START_TEST(an_argument_comes_once)
{
    static const char *const once[] = {"limit=1", "unread=true", "severity=info", "category=c", "before=2026-01-01T00:00:00Z_" ID};
    struct api_query query;
    api_query_start(&query);
    for (int i = 0; i < LENGTH(once); i++) {
        ck_assert_ptr_null(api_query_take(&query, once[i]));
        ck_assert_ptr_nonnull(api_query_take(&query, once[i]));
    }
}
END_TEST

START_TEST(a_category_has_255_bytes_at_most)
{
    struct api_query query;
    char argument[300];
    snprintf(argument, sizeof(argument), "category=%0*d", 255, 7);
    api_query_start(&query);
    ck_assert_ptr_null(api_query_take(&query, argument));
    snprintf(argument, sizeof(argument), "category=%0*d", 256, 7);
    api_query_start(&query);
    ck_assert_ptr_nonnull(api_query_take(&query, argument));
}
END_TEST

/* ---- bodies ---- */

static const char *const good_creations[] = {
    "{\"title\":\"x\"}",
    " {\"title\":\"x\",\"other\":[]} ",
    "{\"title\":\"x\",\"message\":\"\",\"category\":null,\"action_url\":null,\"data\":null,\"expires_at\":null}",
    "{\"title\":\"x\",\"message\":\"m\",\"category\":\"c\",\"severity\":\"error\",\"action_url\":\"/u\",\"data\":{\"a\":[1,2]}}",
    "{\"title\":\"x\",\"expires_at\":\"2026-01-01T00:00:00.5+01:00\",\"user_id\":\"u\"}",
    "{\"title\":\"x\",\"data\":123456789012345678901234567890}",
};
static const char *const bad_creations[] = {
    "{}",
    "{\"title\":\"\"}",
    "{\"title\":null}",
    "{\"title\":1}",
    "{\"title\":\"x\",\"message\":null}",
    "{\"title\":\"x\",\"category\":1}",
    "{\"title\":\"x\",\"severity\":\"fatal\"}",
    "{\"title\":\"x\",\"severity\":null}",
    "{\"title\":\"x\",\"action_url\":[]}",
    "{\"title\":\"x\",\"user_id\":\"\"}",
    "{\"title\":\"x\",\"user_id\":null}",
    "{\"title\":\"x\",\"user_id\":1}",
    "{\"title\":\"x\",\"expires_at\":1}",
    "{\"title\":\"x\",\"expires_at\":\"\"}",
    "{\"title\":\"x\",\"expires_at\":\"infinity\"}",
};
static const char *const no_objects[] = {
    "", " ", "null", "[]", "\"x\"", "{", "{\"title\":\"x\"", "{\"title\":\"x\"}x", "{\"title\":\"x\",\"title\":\"y\"}",
    "{\"title\":\"\\u0000\"}", "{\"title\":\"\\ud800\"}", "{\"title\":\"\xff\"}", "{\"title\":\"x\",\"data\":1e999}",
    "{\"title\":\"x\",\"data\":{\"a\":1,\"a\":2}}",
};

static enum problem create(const char *body, struct api_create *out, const char **detail)
{
    return api_create_parse(text_of(body), out, detail);
}

START_TEST(a_notification_to_store_is_taken)
{
    struct api_create out;
    const char *detail;
    ck_assert_msg(create(good_creations[_i], &out, &detail) == PROBLEMS, "%s: %s", good_creations[_i], detail);
    ck_assert_str_eq(out.user, strstr(good_creations[_i], "user_id") ? "u" : "");
}
END_TEST

START_TEST(one_with_a_bad_member_is_refused_and_told_which)
{
    struct api_create out;
    const char *detail;
    ck_assert_msg(create(bad_creations[_i], &out, &detail) == PROBLEM_BAD_FIELD, "%s", bad_creations[_i]);
    ck_assert_ptr_nonnull(detail);
}
END_TEST

START_TEST(what_is_no_object_is_no_body)
{
    struct api_create out;
    const char *detail;
    char until[COMMAND_TIME_SIZE];
    bool is_read;
    struct text body = text_of(no_objects[_i]);
    ck_assert_msg(api_create_parse(body, &out, &detail) == PROBLEM_BAD_JSON, "%s", body.bytes);
    ck_assert_int_eq(api_patch_parse(body, &is_read, &detail), PROBLEM_BAD_JSON);
    ck_assert_int_eq(api_read_all_parse(body, until, &detail), body.size ? PROBLEM_BAD_JSON : PROBLEMS);
}
END_TEST

START_TEST(a_user_id_has_128_characters_at_most)
{
    for (int characters = 127; characters <= 129; characters++) {
        char body[1024] = "{\"title\":\"x\",\"user_id\":\"";
        struct api_create out;
        const char *detail;
        for (int i = 0; i < characters; i++)
            strcat(body, "\xf0\x9f\x98\x80");
        strcat(body, "\"}");
        ck_assert_int_eq(create(body, &out, &detail), characters <= 128 ? PROBLEMS : PROBLEM_BAD_FIELD);
    }
}
END_TEST

START_TEST(a_change_says_whether_it_is_read)
{
    static const char *const bad[] = {"{}", "{\"is_read\":null}", "{\"is_read\":1}", "{\"is_read\":\"true\"}"};
    bool is_read = false;
    const char *detail;
    ck_assert_int_eq(api_patch_parse(TEXT("{\"is_read\":true,\"x\":1}"), &is_read, &detail), PROBLEMS);
    ck_assert(is_read);
    ck_assert_int_eq(api_patch_parse(TEXT("{\"is_read\":false}"), &is_read, &detail), PROBLEMS);
    ck_assert(!is_read);
    for (int i = 0; i < LENGTH(bad); i++)
        ck_assert_int_eq(api_patch_parse(text_of(bad[i]), &is_read, &detail), PROBLEM_BAD_FIELD);
}
END_TEST

START_TEST(all_are_read_until_a_time_if_there_is_one)
{
    static const char *const bad[] = {"{\"until\":1}", "{\"until\":\"\"}", "{\"until\":\"x\"}", "{\"until\":\"now\"}"};
    char until[COMMAND_TIME_SIZE];
    const char *detail;
    ck_assert_int_eq(api_read_all_parse(TEXT("{\"until\":\"2026-01-01T00:00:00Z\"}"), until, &detail), PROBLEMS);
    ck_assert_str_eq(until, "2026-01-01T00:00:00Z");
    ck_assert_int_eq(api_read_all_parse(TEXT("{\"until\":null}"), until, &detail), PROBLEMS);
    ck_assert_str_eq(until, "");
    ck_assert_int_eq(api_read_all_parse(TEXT("{}"), until, &detail), PROBLEMS);
    for (int i = 0; i < LENGTH(bad); i++)
        ck_assert_int_eq(api_read_all_parse(text_of(bad[i]), until, &detail), PROBLEM_BAD_FIELD);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("api_request");
    tcase_add_loop_test(cases, a_path_is_a_resource_with_its_methods, 0, LENGTH(route_cases));
    tcase_add_loop_test(cases, a_request_counts_as_one_of_a_few_operations, 0, LENGTH(operation_cases));
    tcase_add_test(cases, other_paths_are_not_the_api);
    tcase_add_test(cases, a_length_is_decimal_digits);
    tcase_add_test(cases, a_type_is_json_in_utf8);
    tcase_add_test(cases, arguments_are_taken);
    tcase_add_test(cases, an_argument_of_another_name_means_nothing);
    tcase_add_loop_test(cases, an_argument_out_of_range_is_refused, 0, LENGTH(bad_arguments));
    tcase_add_test(cases, an_argument_comes_once);
    tcase_add_test(cases, a_category_has_255_bytes_at_most);
    tcase_add_loop_test(cases, a_notification_to_store_is_taken, 0, LENGTH(good_creations));
    tcase_add_loop_test(cases, one_with_a_bad_member_is_refused_and_told_which, 0, LENGTH(bad_creations));
    tcase_add_loop_test(cases, what_is_no_object_is_no_body, 0, LENGTH(no_objects));
    tcase_add_test(cases, a_user_id_has_128_characters_at_most);
    tcase_add_test(cases, a_change_says_whether_it_is_read);
    tcase_add_test(cases, all_are_read_until_a_time_if_there_is_one);
    return run_suite("api_request", cases);
}
