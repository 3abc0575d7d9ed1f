/* Requests of the HTTP API; see api_request.h. */
#include "api_request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define API_PREFIX "/api/"
#define API_BASE "/api/v1/notifications"

/* ---- paths and methods ---- */

static const struct {
    const char *word;
    const char *methods;
    unsigned allowed; /* bits */
} routes[API_ROUTES] = {
    [API_NOWHERE] = {"none", "", 0},
    [API_COLLECTION] = {"notifications", "GET, HEAD, POST, OPTIONS",
                        1U << API_GET | 1U << API_HEAD | 1U << API_POST | 1U << API_OPTIONS},
    [API_ITEM] = {"notification", "GET, HEAD, PATCH, DELETE, OPTIONS",
                  1U << API_GET | 1U << API_HEAD | 1U << API_PATCH | 1U << API_DELETE | 1U << API_OPTIONS},
    [API_READ_ALL] = {"read_all", "POST, OPTIONS", 1U << API_POST | 1U << API_OPTIONS},
    [API_STREAM] = {"stream", "GET, OPTIONS", 0},
};

bool api_has_path(const char *path)
{
    return strncmp(path, API_PREFIX, sizeof(API_PREFIX) - 1) == 0 && strcmp(path, API_BASE "/ws") != 0;
}

enum api_route api_route_of(const char *path, struct uuid *id)
{
    size_t base = sizeof(API_BASE) - 1;
    if (strncmp(path, API_BASE, base) != 0)
        return API_NOWHERE;
    const char *rest = path + base;
    if (!*rest)
        return API_COLLECTION;
    if (strcmp(rest, "/read-all") == 0)
        return API_READ_ALL;
    if (strcmp(rest, "/stream") == 0)
        return API_STREAM;
    return *rest == '/' && uuid_parse(rest + 1, strlen(rest + 1), id) ? API_ITEM : API_NOWHERE;
}

bool api_route_allows(enum api_route route, enum api_method method)
{
    return routes[route].allowed >> method & 1;
}

const char *api_route_methods(enum api_route route)
{
    return routes[route].methods;
}

const char *api_route_word(enum api_route route)
{
    return routes[route].word;
}

const char *api_method_word(enum api_method method)
{
    static const char *const words[] = {
        [API_GET] = "GET",       [API_HEAD] = "HEAD",       [API_POST] = "POST",          [API_PATCH] = "PATCH",
        [API_DELETE] = "DELETE", [API_OPTIONS] = "OPTIONS", [API_OTHER_METHOD] = "other",
    };
    return words[method];
}

enum api_operation api_operation_of(enum api_route route, enum api_method method)
{
    if (!api_route_allows(route, method))
        return API_OP_OTHER;
    switch (method) {
    case API_GET:
    case API_HEAD:
        return route == API_COLLECTION ? API_OP_LIST : API_OP_GET;
    case API_POST:
        return route == API_COLLECTION ? API_OP_CREATE : API_OP_READ_ALL;
    case API_PATCH:
        return API_OP_SET_READ;
    case API_DELETE:
        return API_OP_DELETE;
    default:
        return API_OP_OPTIONS;
    }
}

const char *api_operation_word(int operation)
{
    static const char *const words[API_OPERATIONS] = {
        [API_OP_LIST] = "list",         [API_OP_GET] = "get",           [API_OP_CREATE] = "create",
        [API_OP_SET_READ] = "set_read", [API_OP_READ_ALL] = "read_all", [API_OP_DELETE] = "delete",
        [API_OP_OPTIONS] = "options",   [API_OP_OTHER] = "other",
    };
    return words[operation];
}

/* ---- the head ---- */

bool api_length_parse(const char *text, size_t *size)
{
    size_t digits = strspn(text, "0123456789");
    if (digits < 1 || digits > 15 || text[digits])
        return false;
    *size = (size_t)strtoull(text, NULL, 10);
    return true;
}

bool api_type_is_json(const char *content_type)
{
    static const char json[] = "application/json", charset[] = "charset=";
    const char *rest = content_type + sizeof(json) - 1;
    if (strncasecmp(content_type, json, sizeof(json) - 1) != 0)
        return false;
    rest += strspn(rest, " \t");
    if (!*rest)
        return true;
    if (*rest != ';')
        return false;
    rest += 1 + strspn(rest + 1, " \t");
    if (strncasecmp(rest, charset, sizeof(charset) - 1) != 0)
        return !*rest;
    rest += sizeof(charset) - 1;
    return strcasecmp(rest, "utf-8") == 0 || strcasecmp(rest, "\"utf-8\"") == 0;
}

/* ---- the query ---- */

void api_query_start(struct api_query *query)
{
    *query = (struct api_query){.limit = COMMAND_LIMIT_DEFAULT};
}

static const char *take_limit(struct api_query *query, const char *value)
{
    size_t digits = strspn(value, "0123456789");
    long limit = digits > 0 && digits < 9 && !value[digits] ? strtol(value, NULL, 10) : 0;
    if (query->has_limit || limit < 1 || limit > COMMAND_LIMIT_MAX)
        return "limit must be a whole number from 1 to 100";
    query->has_limit = true;
    query->limit = (int)limit;
    return NULL;
}

static const char *take_unread(struct api_query *query, const char *value)
{
    query->unread = strcmp(value, "true") == 0;
    if (query->has_unread || (!query->unread && strcmp(value, "false") != 0))
        return "unread must be true or false";
    query->has_unread = true;
    return NULL;
}

static const char *take_before(struct api_query *query, const char *value)
{
    if (query->has_before || !command_before_parse(value, strlen(value), query->before_time, &query->before_id))
        return "before must be the `next` of an earlier page";
    query->has_before = true;
    return NULL;
}

static const char *take_category(struct api_query *query, const char *value)
{
    size_t size = strlen(value);
    if (query->category[0] || size < 1 || size >= sizeof(query->category))
        return "category must have 1 to 255 bytes";
    memcpy(query->category, value, size + 1);
    return NULL;
}

static bool is_severity(const char *value)
{
    static const char *const severities[] = {"info", "success", "warning", "error"};
    for (size_t i = 0; i < sizeof(severities) / sizeof(*severities); i++)
        if (strcmp(value, severities[i]) == 0)
            return true;
    return false;
}

static const char *take_severity(struct api_query *query, const char *value)
{
    if (query->severity[0] || !is_severity(value))
        return "severity must be info, success, warning or error";
    memcpy(query->severity, value, strlen(value) + 1);
    return NULL;
}

const char *api_query_take(struct api_query *query, const char *argument)
{
    static const struct {
        const char *name;
        const char *(*take)(struct api_query *query, const char *value);
    } arguments[] = {
        {"limit", take_limit},       {"unread", take_unread},     {"before", take_before},
        {"category", take_category}, {"severity", take_severity},
    };
    size_t size = strcspn(argument, "=");
    const char *value = argument[size] ? argument + size + 1 : "";
    for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++)
        if (strlen(arguments[i].name) == size && memcmp(arguments[i].name, argument, size) == 0)
            return arguments[i].take(query, value);
    return NULL;
}

/* ---- bodies ---- */

/* Only looked at: PostgreSQL reads the same bytes, and has numbers as they were written. So an integer need not fit
 * into 64 bits here. */
static enum problem read_object(struct text body, json_t **object)
{
    *object = json_loadb(body.bytes, body.size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    if (json_is_object(*object))
        return PROBLEMS;
    json_decref(*object);
    *object = NULL;
    return PROBLEM_BAD_JSON;
}

static bool is_string_or_null(const json_t *value)
{
    return !value || json_is_null(value) || json_is_string(value);
}

/* NULL: all is well. */
static const char *check_user(const json_t *user, struct api_create *out)
{
    out->user[0] = '\0';
    if (!user)
        return NULL;
    size_t characters = json_is_string(user) ? text_characters(json_string_value(user)) : 0;
    if (characters < 1 || characters > 128)
        return "user_id must be a string of 1 to 128 characters";
    memcpy(out->user, json_string_value(user), json_string_length(user) + 1);
    return NULL;
}

static const char *check_texts(const json_t *object)
{
    const json_t *title = json_object_get(object, "title"), *message = json_object_get(object, "message");
    if (!json_is_string(title) || !json_string_length(title))
        return "title must be a string that is not empty";
    if (message && !json_is_string(message))
        return "message must be a string";
    if (!is_string_or_null(json_object_get(object, "category")))
        return "category must be a string or null";
    if (!is_string_or_null(json_object_get(object, "action_url")))
        return "action_url must be a string or null";
    return NULL;
}

static const char *check_severity(const json_t *severity)
{
    if (!severity || (json_is_string(severity) && is_severity(json_string_value(severity))))
        return NULL;
    return "severity must be info, success, warning or error";
}

static bool read_time(const json_t *value, char out[COMMAND_TIME_SIZE])
{
    out[0] = '\0';
    if (!value || json_is_null(value))
        return true;
    return json_is_string(value) && command_time_parse(json_string_value(value), json_string_length(value), out);
}

static const char *check_create(const json_t *object, struct api_create *out)
{
    char expires_at[COMMAND_TIME_SIZE];
    const char *wrong = check_user(json_object_get(object, "user_id"), out);
    if (!wrong)
        wrong = check_texts(object);
    if (!wrong)
        wrong = check_severity(json_object_get(object, "severity"));
    if (!wrong && !read_time(json_object_get(object, "expires_at"), expires_at))
        wrong = "expires_at must be an RFC 3339 time or null";
    return wrong;
}

enum problem api_create_parse(struct text body, struct api_create *out, const char **detail)
{
    json_t *object;
    *detail = NULL;
    enum problem problem = read_object(body, &object);
    if (problem != PROBLEMS)
        return problem;
    *detail = check_create(object, out);
    json_decref(object);
    return *detail ? PROBLEM_BAD_FIELD : PROBLEMS;
}

enum problem api_patch_parse(struct text body, bool *is_read, const char **detail)
{
    json_t *object;
    *detail = NULL;
    enum problem problem = read_object(body, &object);
    if (problem != PROBLEMS)
        return problem;
    const json_t *value = json_object_get(object, "is_read");
    if (!json_is_boolean(value))
        *detail = "is_read must be true or false";
    *is_read = json_is_true(value);
    json_decref(object);
    return *detail ? PROBLEM_BAD_FIELD : PROBLEMS;
}

enum problem api_read_all_parse(struct text body, char until[COMMAND_TIME_SIZE], const char **detail)
{
    json_t *object;
    *detail = NULL;
    until[0] = '\0';
    if (!body.size)
        return PROBLEMS;
    enum problem problem = read_object(body, &object);
    if (problem != PROBLEMS)
        return problem;
    if (!read_time(json_object_get(object, "until"), until))
        *detail = "until must be an RFC 3339 time or null";
    json_decref(object);
    return *detail ? PROBLEM_BAD_FIELD : PROBLEMS;
}
