/* Problems of the HTTP API are RFC 9457 documents. */
#include "problem.h"
#include "run_suite.h"

#include <jansson.h>
#include <string.h>

static json_t *document(enum problem problem, const char *detail, int64_t retry_after_ms)
{
    char text[PROBLEM_JSON_SIZE];
    size_t size = problem_json(problem, detail, retry_after_ms, 0, text);
    ck_assert_uint_lt(size, sizeof(text));
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    return json;
}

START_TEST(every_problem_is_a_document_with_its_status_and_code)
{
    enum problem problem = (enum problem)_i;
    json_t *json = document(problem, NULL, 0);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "status")), problem_status(problem));
    ck_assert_str_eq(json_string_value(json_object_get(json, "code")), problem_code(problem));
    ck_assert_str_eq(json_string_value(json_object_get(json, "type")), "about:blank");
    ck_assert_uint_gt(json_string_length(json_object_get(json, "title")), 0);
    ck_assert_uint_gt(json_string_length(json_object_get(json, "detail")), 0);
    ck_assert_ptr_null(json_object_get(json, "retry_after_ms"));
    ck_assert_int_ge(problem_status(problem), 400);
    for (int other = 0; other < _i; other++)
        ck_assert_str_ne(problem_code(problem), problem_code((enum problem)other));
    json_decref(json);
}
END_TEST

START_TEST(a_detail_and_a_wait_are_said)
{
    json_t *json = document(PROBLEM_RATE, "slowly", 1234);
    ck_assert_str_eq(json_string_value(json_object_get(json, "detail")), "slowly");
    ck_assert_int_eq(json_integer_value(json_object_get(json, "retry_after_ms")), 1234);
    json_decref(json);
}
END_TEST

START_TEST(who_is_not_authenticated_is_told_how)
{
    for (int i = 0; i < PROBLEMS; i++)
        if (problem_status((enum problem)i) == 401) /* RFC 9110 §15.5.2 */
            ck_assert_int_eq(strncmp(problem_challenge((enum problem)i), "Bearer", 6), 0);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("problem");
    tcase_add_loop_test(cases, every_problem_is_a_document_with_its_status_and_code, 0, PROBLEMS);
    tcase_add_test(cases, a_detail_and_a_wait_are_said);
    tcase_add_test(cases, who_is_not_authenticated_is_told_how);
    return run_suite("problem", cases);
}
