/* Writes the lines; see findings.h. */
#include "findings.h"

#include <stdarg.h>

#include "errors.h"

enum { LINE_SIZE = 1024 };

static void put_line(const struct findings *findings, const char *verdict, char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    fprintf(findings->out, "%-4s  %-13s  %s\n", verdict, findings->subject, text);
    fflush(findings->out); /* what comes next may wait */
}

__attribute__((format(printf, 4, 0))) static void put_error(const struct findings *findings, const char *verdict,
                                                            const char *code, const char *format,
                                                            va_list args)
{
    char line[LINE_SIZE], text[LINE_SIZE / 2];
    const struct error_entry *entry = errors_find(code);
    vsnprintf(text, sizeof(text), format, args);
    snprintf(line, sizeof(line), "%s: %s. %s", code, text, entry ? entry->remedy : "");
    put_line(findings, verdict, line);
}

void findings_ok(struct findings *findings, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    put_line(findings, "ok", line);
    findings->passed++;
}

void findings_warn(struct findings *findings, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_error(findings, "WARN", code, format, args);
    va_end(args);
    findings->warned++;
}

void findings_fail(struct findings *findings, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_error(findings, "FAIL", code, format, args);
    va_end(args);
    findings->failed++;
}

void findings_skip(struct findings *findings, const char *why)
{
    char line[LINE_SIZE];
    snprintf(line, sizeof(line), "%s", why);
    put_line(findings, "skip", line);
    findings->skipped++;
}

void findings_sums(const struct findings *findings)
{
    fprintf(findings->out, "%d ok, %d warned, %d failed, %d skipped\n", findings->passed, findings->warned,
            findings->failed, findings->skipped);
}
