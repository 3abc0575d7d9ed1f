/* Responses of refusals; see refusal_response.h. */
#include "refusal_response.h"

#include <stdio.h>
#include <string.h>

#include "api_request.h"
#include "problem.h"

struct body {
    const char *type;
    const char *text;
};

static size_t compose(char out[REFUSAL_RESPONSE_SIZE], enum refusal refusal, const char *fields, const char *further,
                      struct body body)
{
    return (size_t)snprintf(out, REFUSAL_RESPONSE_SIZE,
                            "HTTP/1.1 %d %s\r\n"
                            "Content-Type: %s\r\n"
                            "Content-Length: %zu\r\n"
                            "Cache-Control: no-store\r\n"
                            "X-Content-Type-Options: nosniff\r\n"
                            "%s%sConnection: close\r\n\r\n%s",
                            refusal_status(refusal), refusal_phrase(refusal), body.type, strlen(body.text), fields,
                            further, body.text);
}

size_t refusal_response(char out[REFUSAL_RESPONSE_SIZE], enum refusal refusal, const char *reason, const char *further)
{
    char text[128];
    snprintf(text, sizeof(text), "%s\n", reason);
    return compose(out, refusal, refusal_fields(refusal), further, (struct body){"text/plain; charset=utf-8", text});
}

size_t refusal_response_method(char out[REFUSAL_RESPONSE_SIZE], struct text path, const char *further)
{
    char copy[API_PATH_SIZE], fields[64], json[PROBLEM_JSON_SIZE];
    struct uuid unused;
    snprintf(copy, sizeof(copy), "%.*s", (int)path.size, path.bytes);
    enum api_route route = api_has_path(copy) ? api_route_of(copy, &unused) : API_NOWHERE;
    if (route == API_NOWHERE)
        return refusal_response(out, REFUSAL_METHOD, refusal_reason(REFUSAL_METHOD), further);
    problem_json(PROBLEM_METHOD, NULL, 0, 0, json);
    snprintf(fields, sizeof(fields), "Allow: %s\r\n", api_route_methods(route));
    return compose(out, REFUSAL_METHOD, fields, further, (struct body){"application/problem+json", json});
}
