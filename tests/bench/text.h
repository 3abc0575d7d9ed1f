/* Reads what the benchmark needs from a server's message, without parsing all of it. Nothing is zero-terminated. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum text_type { TEXT_OTHER, TEXT_CONNECTED, TEXT_NEW, TEXT_UPDATED, TEXT_RESUMED, TEXT_PAGE, TEXT_ERROR };

/* By the first member, which is "type" in all messages of all servers here. */
enum text_type text_type(const char *text, size_t size);

/* A benchmark row's title is "bench:USER:ROW". Finds the next one at or after *at and moves *at behind it. */
bool text_next_row(const char *text, size_t size, size_t *at, unsigned *user, uint64_t *row);

/* The string value of a member; false when it is not there or does not fit. */
bool text_member(const char *text, size_t size, const char *name, char *out, size_t room);

#endif
