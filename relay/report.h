/* What a command has found, one line for each finding: ok, WARN or FAIL with the name of an error and its
 * remedy (errors.c), skip. Whatever is in them, lines stay lines. */
#ifndef PGHERALD_REPORT_H
#define PGHERALD_REPORT_H

#include <stdio.h>

struct report {
    FILE *out;
    const char *subject; /* of the next lines; borrowed */
    int passed, warned, failed, skipped;
};

void report_ok(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_warn(struct report *report, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_fail(struct report *report, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_skip(struct report *report, const char *why);
void report_sums(const struct report *report); /* the last line */

#endif
