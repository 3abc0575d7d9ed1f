/* Requests of the HTTP API: whatever a path, a query, a type or a body is, what comes out is within its bounds, or
 * refused with a reason. */
#include "fuzz.h"

#include "api_request.h"

static void assert_body(enum problem problem, const char *detail)
{
    assert(problem == PROBLEMS || problem == PROBLEM_BAD_JSON || problem == PROBLEM_BAD_FIELD);
    assert((problem == PROBLEM_BAD_FIELD) == (detail != NULL));
}

static void read_bodies(struct text body)
{
    struct api_create create;
    char until[COMMAND_TIME_SIZE];
    bool is_read;
    const char *detail;
    enum problem problem = api_create_parse(body, &create, &detail);
    assert_body(problem, detail);
    assert(problem != PROBLEMS || strnlen(create.user, sizeof(create.user)) < sizeof(create.user));
    assert_body(api_patch_parse(body, &is_read, &detail), detail);
    problem = api_read_all_parse(body, until, &detail);
    assert_body(problem, detail);
    assert(problem != PROBLEMS || strnlen(until, sizeof(until)) < sizeof(until));
}

static void read_head(const char *text)
{
    struct api_query query;
    struct uuid id;
    size_t size;
    api_query_start(&query);
    const char *wrong = api_query_take(&query, text);
    assert(wrong || (query.limit >= 1 && query.limit <= COMMAND_LIMIT_MAX));
    assert(strnlen(query.category, sizeof(query.category)) < sizeof(query.category));
    assert(strnlen(query.severity, sizeof(query.severity)) < sizeof(query.severity));
    enum api_route route = api_route_of(text, &id);
    assert(route == API_NOWHERE || api_has_path(text));
    api_type_is_json(text);
    assert(!api_length_parse(text, &size) || size < 1000000000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = zero_terminated(data, size);
    read_bodies((struct text){(const char *)data, size});
    read_head(text);
    free(text);
    return 0;
}
