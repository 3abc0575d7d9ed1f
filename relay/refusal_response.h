/* Refusals as whole HTTP responses, the last on their connections: for whom libwebsockets does not answer. Pure. */
#ifndef PGHERALD_REFUSAL_RESPONSE_H
#define PGHERALD_REFUSAL_RESPONSE_H

#include <stddef.h>

#include "frame.h"
#include "refusal.h"

enum { REFUSAL_RESPONSE_SIZE = 1024 };

/* Each returns the bytes written, with a zero byte behind. further: lines of the head, each with its CRLF, or "". */
size_t refusal_response(char out[REFUSAL_RESPONSE_SIZE], enum refusal refusal, const char *reason, const char *further);
/* 405 for a path, which has no such method: with those that it has, and in the API's words where it is the API's. */
size_t refusal_response_method(char out[REFUSAL_RESPONSE_SIZE], struct text path, const char *further);

#endif
