/* Every error that a user or an operator can meet, by its name: where it is seen, what causes it and what
 * to do. One table, of which docs/OPERATIONS.md has a copy. */
#ifndef PGHERALD_ERRORS_H
#define PGHERALD_ERRORS_H

#include <stddef.h>
#include <stdio.h>

/* Where the name is met. */
enum error_place {
    ERROR_IN_CLOSE,    /* the close frame; `reason` of session_closed */
    ERROR_IN_HTTP,     /* a refused request; counters handshakes_refused_… */
    ERROR_IN_MESSAGE,  /* `code` of a message to the client */
    ERROR_IN_PROBLEM,  /* `code` of a problem of the HTTP API, or of a stream */
    ERROR_IN_DATABASE, /* what PostgreSQL or libpq says */
    ERROR_IN_COMMAND,  /* pgherald doctor and trace */
    ERROR_IN_LOG,      /* the event of a line of level warn or error */
    ERROR_PLACES
};

struct error_entry {
    enum error_place place;
    const char *code;
    const char *cause;
    const char *remedy; /* a sentence without its full stop */
};

extern const struct error_entry error_table[];
extern const size_t error_table_size;

/* NULL: there is none of that name. The same name in two places is one error. */
const struct error_entry *errors_find(const char *code);

void errors_print_markdown(FILE *out);

#endif
