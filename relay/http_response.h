/* One whole HTTP response to libwebsockets: status, fields and body in, bytes on the socket out. */
#ifndef PGHERALD_HTTP_RESPONSE_H
#define PGHERALD_HTTP_RESPONSE_H

#include <libwebsockets.h>

#include "frame.h"

struct http_field {
    const char *name;  /* lower case, with its colon */
    const char *value; /* NULL: the field is left out */
};

struct http_response {
    unsigned status;
    const char *type;         /* NULL without a body */
    const struct text *parts; /* of the body */
    size_t part_count;
    const struct http_field *fields;
    size_t field_count;
    bool last;      /* the connection ends with it */
    bool head_only; /* the answer to HEAD: what the body would be is said, not sent */
};

/* False: the connection is to be closed. What the socket does not take at once is copied. */
bool http_response_write(struct lws *wsi, const struct http_response *response);
/* The request has been answered: 0, or -1 when the connection is to be closed. */
int http_response_finish(struct lws *wsi);

#endif
