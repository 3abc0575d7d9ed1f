/* The door of the HTTP API: libwebsockets' requests in, api.c's answers out, with what HTTP itself wants: origins,
 * methods, lengths and types of bodies, tokens. A connection has one request at a time. */
#ifndef PGHERALD_API_HTTP_H
#define PGHERALD_API_HTTP_H

#include <libwebsockets.h>
#include <stdbool.h>

#include "net_address.h"
#include "peers.h"
#include "rate.h"

struct relay;
struct api_request;

/* What the API keeps of a connection; all zero at its beginning. */
struct api_guest {
    struct relay *relay;
    struct lws *wsi;
    struct api_request *request; /* NULL between two */
    struct rate rate;            /* of its requests */
    uint64_t deadline_ms;        /* for the body to have come */
    bool is_leaving;             /* it has its answer, and the rest of its body is thrown away */
    size_t thrown_away;          /* so many bytes of it */
    bool has_length;             /* libwebsockets knows where the request ends */
    bool is_endless;             /* and nobody else does */
    bool is_overrun;             /* it took for the body what stood behind it */
    bool in_callback;            /* libwebsockets is told by the return value what is to become of the connection */
    bool closing;
};

/* Whether the request that has come is the API's. */
bool api_http_wants(struct lws *wsi);
/* A request's head; client is whose it is, peer where its connection counts (NULL: a proxy's). These three return what
 * their callback returns. */
int api_http_start(struct relay *relay, struct lws *wsi, struct api_guest *guest, struct net_address client,
                   const struct peer *peer);
int api_http_body(struct api_guest *guest, const char *bytes, size_t size);
int api_http_body_end(struct api_guest *guest);
void api_http_end(struct api_guest *guest); /* the connection is gone */

#endif
