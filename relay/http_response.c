/* HTTP responses; see http_response.h. */
#include "http_response.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "memory.h"

enum { HEADER_ROOM = 4096 };

static bool add(struct lws *wsi, const char *name, const char *value, unsigned char **at, unsigned char *end)
{
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name, (const unsigned char *)value,
                                       (int)strlen(value), at, end) == 0;
}

/* RFC 9110 §8.6: these have no body, nor a length. */
static bool is_bodiless(unsigned status)
{
    return status == 204 || status == 304;
}

static lws_filepos_t body_size(const struct http_response *response)
{
    lws_filepos_t size = 0;
    for (size_t i = 0; i < response->part_count; i++)
        size += response->parts[i].size;
    return size;
}

/* Status and the first fields. Given no length, libwebsockets says `Connection: close` and keeps to it;
 * the length is then added. */
static bool add_common(struct lws *wsi, const struct http_response *response, unsigned char **at, unsigned char *end)
{
    bool bodiless = is_bodiless(response->status);
    if (bodiless && !response->last)
        return lws_add_http_header_status(wsi, response->status, at, end) == 0;
    if (lws_add_http_common_headers(wsi, response->status, response->type,
                                    response->last ? LWS_ILLEGAL_HTTP_CONTENT_LEN : body_size(response), at, end))
        return false;
    return !response->last || bodiless ||
           lws_add_http_header_content_length(wsi, body_size(response), at, end) == 0;
}

/* IMF-fixdate (RFC 9110 §5.6.7). */
static bool add_date(struct lws *wsi, unsigned char **at, unsigned char *end)
{
    char date[32];
    time_t now_s = (time_t)clock_wall_s();
    struct tm parts;
    gmtime_r(&now_s, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return add(wsi, "date:", date, at, end);
}

static bool write_head(struct lws *wsi, const struct http_response *response)
{
    unsigned char room[LWS_PRE + HEADER_ROOM];
    unsigned char *start = room + LWS_PRE, *at = start, *end = room + sizeof(room) - 1;
    bool good = add_common(wsi, response, &at, end) && add_date(wsi, &at, end) && add(wsi, "x-content-type-options:", "nosniff", &at, end) &&
                add(wsi, "referrer-policy:", "no-referrer", &at, end);
    for (size_t i = 0; good && i < response->field_count; i++)
        if (response->fields[i].value)
            good = add(wsi, response->fields[i].name, response->fields[i].value, &at, end);
    return good && lws_finalize_write_http_header(wsi, start, &at, end) == 0;
}

static bool write_body(struct lws *wsi, const struct http_response *response)
{
    size_t size = (size_t)body_size(response);
    unsigned char *room = memory_new(LWS_PRE + size), *at = room + LWS_PRE;
    for (size_t i = 0; i < response->part_count; i++) {
        if (response->parts[i].size)
            memcpy(at, response->parts[i].bytes, response->parts[i].size);
        at += response->parts[i].size;
    }
    int written = lws_write(wsi, room + LWS_PRE, size, LWS_WRITE_HTTP_FINAL);
    free(room);
    return written >= 0;
}

bool http_response_write(struct lws *wsi, const struct http_response *response)
{
    bool has_body = body_size(response) && !response->head_only && !is_bodiless(response->status);
    return write_head(wsi, response) && (!has_body || write_body(wsi, response));
}

int http_response_finish(struct lws *wsi)
{
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}
