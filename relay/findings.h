/* What a command has found, one line for each finding: ok, WARN or FAIL with the name of an error and its
 * remedy (errors.c), skip. Whatever is in them, lines stay lines. */
#ifndef PGHERALD_FINDINGS_H
#define PGHERALD_FINDINGS_H

#include <stdio.h>

struct findings {
    FILE *out;
    const char *subject; /* of the next lines; borrowed */
    int passed, warned, failed, skipped;
};

void findings_ok(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
void findings_warn(struct findings *findings, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void findings_fail(struct findings *findings, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void findings_skip(struct findings *findings, const char *why);
void findings_sums(const struct findings *findings); /* the last line */

#endif
