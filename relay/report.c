/* Writes the lines; see report.h. */
#include "report.h"

#include <stdarg.h>

#include "errors.h"

enum { LINE_SIZE = 1024 };

static void put_line(const struct report *report, const char *verdict, char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    fprintf(report->out, "%-4s  %-13s  %s\n", verdict, report->subject, text);
    fflush(report->out); /* what comes next may wait */
}

__attribute__((format(printf, 4, 0))) static void put_error(const struct report *report, const char *verdict,
                                                            const char *code, const char *format,
                                                            va_list args)
{
    char line[LINE_SIZE], text[LINE_SIZE / 2];
    const struct error_entry *entry = errors_find(code);
    vsnprintf(text, sizeof(text), format, args);
    snprintf(line, sizeof(line), "%s: %s. %s", code, text, entry ? entry->remedy : "");
    put_line(report, verdict, line);
}

void report_ok(struct report *report, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    put_line(report, "ok", line);
    report->passed++;
}

void report_warn(struct report *report, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_error(report, "WARN", code, format, args);
    va_end(args);
    report->warned++;
}

void report_fail(struct report *report, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_error(report, "FAIL", code, format, args);
    va_end(args);
    report->failed++;
}

void report_skip(struct report *report, const char *why)
{
    char line[LINE_SIZE];
    snprintf(line, sizeof(line), "%s", why);
    put_line(report, "skip", line);
    report->skipped++;
}

void report_sums(const struct report *report)
{
    fprintf(report->out, "%d ok, %d warned, %d failed, %d skipped\n", report->passed, report->warned,
            report->failed, report->skipped);
}
