/* A command is one client frame, read and checked: JSON text in, struct out.
 * No I/O, no clock, no globals. docs/PROTOCOL.md has the table. */
#ifndef PGHERALD_COMMAND_H
#define PGHERALD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"
#include "uuid.h"

enum {
    COMMAND_REF_MAX = 64,                            /* bytes of a client's ref */
    COMMAND_REF_JSON_SIZE = COMMAND_REF_MAX * 6 + 3, /* the same as JSON text, quoted, with the zero */
    COMMAND_IDS_MAX = 100,                           /* of one mark_read */
    COMMAND_LIMIT_MAX = 100,
    COMMAND_LIMIT_DEFAULT = 10,
    COMMAND_TIME_SIZE = 48, /* bytes of an RFC 3339 time, with the zero */
};

enum command_type {
    COMMAND_PING,
    COMMAND_AUTHENTICATE,
    COMMAND_RESUME,
    COMMAND_GET_UNREAD,
    COMMAND_GET_NOTIFICATIONS,
    COMMAND_MARK_READ,
    COMMAND_MARK_ALL_READ,
};

enum { COMMAND_TYPES = COMMAND_MARK_ALL_READ + 1 };

struct command {
    enum command_type type;
    char ref[COMMAND_REF_JSON_SIZE]; /* JSON text with its quotes; "" when there was none */

    const char *token; /* authenticate; borrowed until command_clear(), and maybe from the frame; no zero behind */
    size_t token_size;

    const char *cursor; /* resume, authenticate (NULL: none); borrowed; any text: old ones are not errors */
    size_t cursor_size;

    int limit; /* get_unread, get_notifications */
    bool has_before;
    char before_time[COMMAND_TIME_SIZE];
    struct uuid before_id;

    struct uuid ids[COMMAND_IDS_MAX]; /* mark_read */
    size_t id_count;

    bool has_until_time; /* mark_all_read: at most one of the two */
    bool has_until_cursor;
    char until_time[COMMAND_TIME_SIZE];
    struct cursor until_cursor;

    void *document; /* what the borrowed texts live in; command_clear() frees it */
};

struct command_error {
    const char *code; /* of the protocol's closed list; static */
    char message[160];
};

/* Returns false and fills *error when the frame is no command; out->ref is then
 * what could be read of it. Either way command_clear() ends the command. */
bool command_parse(const char *bytes, size_t size, struct command *out, struct command_error *error);
void command_clear(struct command *command);
/* For its counter; of COMMAND_TYPES: "invalid". */
const char *command_word(int type);

/* An RFC 3339 §5.6 date-time; PostgreSQL refuses what the calendar does not have. False: it is none. */
bool command_time_parse(const char *text, size_t size, char out[COMMAND_TIME_SIZE]);
/* "time_uuid", as the `next` of a page gives it. */
bool command_before_parse(const char *text, size_t size, char before_time[COMMAND_TIME_SIZE], struct uuid *before_id);

#endif
