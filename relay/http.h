/* Plain HTTP on the same port: health, and the demo page with HERALD_AUTH=dev. */
#ifndef PGHERALD_HTTP_H
#define PGHERALD_HTTP_H

#include <libwebsockets.h>

#include "relay.h"

/* Answers one request whose headers have come; returns what its callback returns. */
int http_answer(struct relay *relay, struct lws *wsi);

#endif
