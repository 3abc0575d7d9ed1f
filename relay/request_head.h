/* The head of an HTTP/1 request (RFC 9112 §2 to §5): the bytes that have come so far
 * go in; whether it is complete, what it asks for and the token it shows come out. Pure.
 * Stricter than libwebsockets: what the two could read differently is refused. */
#ifndef PGHERALD_REQUEST_HEAD_H
#define PGHERALD_REQUEST_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "auth.h"
#include "frame.h"

enum request_head_result {
    REQUEST_HEAD_PARTIAL, /* nothing wrong so far; head is unspecified */
    REQUEST_HEAD_COMPLETE,
    REQUEST_HEAD_BAD, /* no request, or an ambiguous one; head is unspecified */
};

struct request_head {
    struct text path;   /* borrowed from the bytes: as it was sent, without the query */
    struct text fields; /* borrowed: all field lines, each with its CRLF */
    bool is_get;
    bool is_known_method; /* one that libwebsockets can read */
    bool wants_upgrade; /* there is an Upgrade field, whatever its value; but for h2c, which nobody is upgraded to */
    bool shows_token;   /* Authorization: Bearer, else the query parameter token */
    size_t token_size;  /* 0 when what is shown cannot be a token: empty, too long, badly escaped */
    char token[AUTH_TOKEN_MAX_BYTES]; /* percent-decoded; no zero byte behind */
};

/* Bytes behind the head are not looked at. How long a head may grow is the caller's to bound. */
enum request_head_result request_head_parse(const char *bytes, size_t size, struct request_head *head);

/* The value of the next field of this name, in *rest, which begins as head.fields and shrinks; false:
 * there is none. */
bool request_head_next_field(struct text *rest, struct text name, struct text *value);

#endif
