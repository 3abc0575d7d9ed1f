/* A request whose method libwebsockets does not know: it hands its bytes over as they come. Their head is collected
 * and answered once; what follows is thrown away, until the client has read the answer and closes. In go bytes, out
 * comes that answer; owns the head. Pure but for memory. */
#ifndef PGHERALD_ODD_REQUEST_H
#define PGHERALD_ODD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "refusal_response.h"

struct odd_request;

struct odd_answer {
    enum refusal refusal;
    size_t size; /* 0: none, or none yet */
    char bytes[REFUSAL_RESPONSE_SIZE];
};

struct odd_request *odd_request_new(void);
/* Takes what has come. False: the connection is to be closed. further: lines of the answer's head, or "". */
bool odd_request_take(struct odd_request *request, const char *bytes, size_t size, const char *further,
                      struct odd_answer *answer);
void odd_request_free(struct odd_request *request); /* may be NULL */

#endif
