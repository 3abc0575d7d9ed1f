/* What a request of the HTTP API asks for: path, query and body in, checked structs out. No I/O,
 * no clock, no globals. docs/PROTOCOL.md has the table. */
#ifndef PGHERALD_API_REQUEST_H
#define PGHERALD_API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "command.h"
#include "frame.h"
#include "problem.h"
#include "uuid.h"

enum {
    API_PATH_SIZE = 128,         /* bytes of the longest path there is, and more, with the zero */
    API_WORD_SIZE = 256,         /* bytes of a filter or a key, with the zero */
    API_USER_SIZE = 128 * 4 + 1, /* bytes of a user's id, with the zero */
};

/* A stream is a session's: the API has the refusals of methods that it does not have. */
enum api_route { API_NOWHERE, API_COLLECTION, API_ITEM, API_READ_ALL, API_STREAM, API_ROUTES };
enum api_method { API_GET, API_HEAD, API_POST, API_PATCH, API_DELETE, API_OPTIONS, API_OTHER_METHOD };

/* What is asked for, as it is counted. HEAD counts as GET does. */
enum api_operation {
    API_OP_LIST,
    API_OP_GET,
    API_OP_CREATE,
    API_OP_SET_READ,
    API_OP_READ_ALL,
    API_OP_DELETE,
    API_OP_OPTIONS,
    API_OP_OTHER, /* nothing there is */
    API_OPERATIONS
};

/* Whether the API answers for this path, be there something or not; not for that of WebSockets. */
bool api_has_path(const char *path);
/* *id is set for API_ITEM. */
enum api_route api_route_of(const char *path, struct uuid *id);
bool api_route_allows(enum api_route route, enum api_method method);
const char *api_route_methods(enum api_route route); /* the value of Allow (RFC 9110 §10.2.1) */
const char *api_route_word(enum api_route route);    /* for the log */
const char *api_method_word(enum api_method method);
enum api_operation api_operation_of(enum api_route route, enum api_method method);
const char *api_operation_word(int operation); /* for its counters */

/* The length that a body says it has (RFC 9110 §8.6); false: that is no length. */
bool api_length_parse(const char *text, size_t *size);
/* Whether a Content-Type is JSON in UTF-8 (RFC 8259). */
bool api_type_is_json(const char *content_type);

struct api_query {
    bool has_limit, has_unread, has_before;
    bool unread;
    int limit; /* COMMAND_LIMIT_DEFAULT without one */
    char before_time[COMMAND_TIME_SIZE];
    struct uuid before_id;
    char category[API_WORD_SIZE], severity[API_WORD_SIZE]; /* "": any */
};

void api_query_start(struct api_query *query);
/* One argument, name=value, percent-decoded. NULL: it was taken, or has a name that means nothing here; otherwise what
 * is wrong with it. */
const char *api_query_take(struct api_query *query, const char *argument);

/* The bodies. PROBLEMS: all is well; otherwise *detail says what is not, or is NULL. */
struct api_create {
    char user[API_USER_SIZE]; /* "": the token's own */
};
enum problem api_create_parse(struct text body, struct api_create *out, const char **detail);
enum problem api_patch_parse(struct text body, bool *is_read, const char **detail);
/* until is "" for all. An empty body is as good as an empty object. */
enum problem api_read_all_parse(struct text body, char until[COMMAND_TIME_SIZE], const char **detail);

#endif
