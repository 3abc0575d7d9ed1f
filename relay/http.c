/* Plain HTTP; see http.h. A request's path comes in, one whole response goes out. No body is ever read. */
#include "http.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "desk.h"
#include "embedded.h"
#include "http_response.h"
#include "report.h"
#include "samples.h"

enum { PATH_SIZE = 256, SAMPLES_TOKEN_SIZE = 128 };

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct response {
    unsigned status;
    const char *type;
    struct text body;
    const char *allow; /* for 405 */
    bool last;         /* the connection ends with it */
};

static int send_response(struct lws *wsi, const struct response *response, bool head_only)
{
    const struct http_field fields[] = {
        {"cache-control:", "no-store"}, {"content-security-policy:", policy}, {"allow:", response->allow}};
    if (!http_response_write(wsi, &(struct http_response){.status = response->status,
                                                          .type = response->type,
                                                          .parts = &response->body,
                                                          .part_count = 1,
                                                          .fields = fields,
                                                          .field_count = sizeof(fields) / sizeof(*fields),
                                                          .last = response->last,
                                                          .head_only = head_only}))
        return -1;
    return http_response_finish(wsi);
}

static const char *demo_type(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot && strcmp(dot, ".css") == 0)
        return "text/css; charset=utf-8";
    if (dot && strcmp(dot, ".js") == 0)
        return "text/javascript; charset=utf-8";
    return "text/html; charset=utf-8";
}

static bool demo_file(const char *path, struct response *response)
{
    const char *name = strcmp(path, "/") == 0 ? "index.html" : path + 1;
    for (const struct embedded_file *file = embedded_demo; file->name; file++) {
        if (strcmp(file->name, name) != 0)
            continue;
        *response = (struct response){200, demo_type(name), {(const char *)file->data, file->size}, NULL, false};
        return true;
    }
    return false;
}

/* What the demo page shows; the caller frees it. */
static char *demo_facts(const struct relay *relay)
{
    const char *psql = relay->config->dev_psql ? relay->config->dev_psql : "psql";
    json_t *facts = json_pack("{s:[s,s,s], s:s, s:s}", "users", "alice", "bob", "ashumba", "psql", psql, "example",
                              "select herald.notify_user('alice', title => 'Hello from SQL')");
    char *json = facts ? json_dumps(facts, JSON_COMPACT) : NULL;
    json_decref(facts);
    return json;
}

static char *readiness(const struct relay *relay, struct response *response)
{
    const char *why = report_not_ready(relay);
    json_t *state = why ? json_pack("{s:b, s:s}", "ready", 0, "reason", why) : json_pack("{s:b}", "ready", 1);
    char *json = state ? json_dumps(state, JSON_COMPACT) : NULL;
    json_decref(state);
    response->status = why ? 503 : 200;
    return json;
}

/* Fills the response; what it owns is returned, to be freed after it was sent. */
static char *respond(const struct relay *relay, const char *path, struct response *response)
{
    char *owned = NULL;
    bool dev = relay->config->auth == AUTH_MODE_DEV;
    *response = (struct response){404, "text/plain; charset=utf-8", TEXT("not found\n"), NULL, false};
    if (strcmp(path, "/healthz") == 0) {
        response->status = 200;
        response->body = TEXT("ok\n");
    } else if (strcmp(path, "/readyz") == 0) {
        owned = readiness(relay, response);
    } else if (dev && strcmp(path, "/dev.json") == 0) {
        response->status = 200;
        owned = demo_facts(relay);
    } else if (dev) {
        demo_file(path, response);
    }
    if (owned) {
        response->type = "application/json";
        response->body = text_of(owned);
    }
    return owned;
}

/* The demo page asks for samples. Where nobody has set the demo up, the role may not store any. A page of another
 * site cannot send the header without asking first, which is refused as any other method. */
static unsigned answer_samples(struct relay *relay, struct lws *wsi)
{
    char token[SAMPLES_TOKEN_SIZE] = "", count[16] = "";
    if (relay->config->auth != AUTH_MODE_DEV || !relay->config->dev_psql)
        return 404;
    if (lws_hdr_copy(wsi, token, sizeof(token), WSI_TOKEN_HTTP_AUTHORIZATION) < 0)
        return 401;
    const char *value = lws_get_urlarg_by_name(wsi, "count=", count, sizeof(count));
    return samples_request(relay, token, value ? value : "1");
}

static int answer_post(struct relay *relay, struct lws *wsi)
{
    char path[PATH_SIZE] = "";
    struct response response = {405, "text/plain; charset=utf-8", TEXT("method not allowed\n"), "GET, HEAD", true};
    if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_POST_URI) > 0 && strcmp(path, "/dev/samples") == 0)
        response = (struct response){answer_samples(relay, wsi), "text/plain; charset=utf-8", TEXT("\n"), NULL, true};
    send_response(wsi, &response, false);
    return -1; /* a body may follow that nobody reads */
}

int http_answer(struct relay *relay, struct lws *wsi)
{
    char path[PATH_SIZE] = "";
    struct response response;
    bool head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
    bool get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
    if (!head && !get)
        return answer_post(relay, wsi);
    if (lws_hdr_copy(wsi, path, sizeof(path), head ? WSI_TOKEN_HEAD_URI : WSI_TOKEN_GET_URI) < 0)
        path[0] = '\0';
    char *owned = respond(relay, path, &response);
    /* Only the first request of a connection passes the doorman; an upgrade may not be the second. Nor is a body read, on
     * which libwebsockets might go round for ever when it has read ahead. */
    bool has_body = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 ||
                    lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    response.last = has_body || relay->config->auth_reject == AUTH_REJECT_HTTP;
    int result = send_response(wsi, &response, head);
    free(owned);
    return has_body ? -1 : result;
}
