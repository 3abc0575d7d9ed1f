/* Requests that libwebsockets cannot read; see odd_request.h. */
#include "odd_request.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "request_head.h"

enum {
    HEAD_MAX_BYTES = 16384, /* as for the requests that it can read */
    THROW_AWAY_MAX_BYTES = 262144,
};

struct odd_request {
    char *head;
    size_t size;
    bool answered;
    size_t thrown_away; /* bytes, since then */
};

struct odd_request *odd_request_new(void)
{
    return memory_zero(sizeof(struct odd_request));
}

void odd_request_free(struct odd_request *request)
{
    if (request)
        free(request->head);
    free(request);
}

static void answer_with(struct odd_answer *answer, enum refusal refusal, const char *further)
{
    answer->refusal = refusal;
    answer->size = refusal_response(answer->bytes, refusal, refusal_reason(refusal), further);
}

/* The beginning of the method may be missing, if it came alone. What is left of it is no method, whatever it reads. */
static void look(const struct odd_request *request, const char *further, struct odd_answer *answer)
{
    struct request_head head;
    switch (request_head_parse(request->head, request->size, &head)) {
    case REQUEST_HEAD_COMPLETE:
        answer->refusal = REFUSAL_METHOD;
        answer->size = refusal_response_method(answer->bytes, head.path, further);
        return;
    case REQUEST_HEAD_BAD:
        answer_with(answer, REFUSAL_BAD_REQUEST, further);
        return;
    case REQUEST_HEAD_PARTIAL:
        if (request->size == HEAD_MAX_BYTES)
            answer_with(answer, REFUSAL_TOO_LARGE, further);
        return;
    }
}

bool odd_request_take(struct odd_request *request, const char *bytes, size_t size, const char *further,
                      struct odd_answer *answer)
{
    answer->size = 0;
    if (request->answered) {
        request->thrown_away += size;
        return request->thrown_away <= THROW_AWAY_MAX_BYTES;
    }
    if (!size)
        return true;
    size_t room = HEAD_MAX_BYTES - request->size, taken = size < room ? size : room;
    request->head = memory_resize(request->head, request->size + taken);
    memcpy(request->head + request->size, bytes, taken);
    request->size += taken;
    look(request, further, answer);
    request->answered = answer->size > 0;
    return true;
}
