/* The log: one escaped line per event on stderr, logfmt or JSON, each written by
 * one write(2) of at most LOG_LINE_BYTES so that lines of several processes on one
 * pipe never mix. Never allocates. Events come from a closed vocabulary; a token,
 * a query string or a payload is never a field.
 *
 *     log_info("session_closed", LOG_STR("user", user_id), LOG_INT("code", 1000));
 */
#ifndef PGHERALD_LOG_H
#define PGHERALD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_BYTES 4096 /* with its newline; PIPE_BUF on Linux */
#define LOG_VALUE_BYTES 512 /* a longer value is cut and ends in "..." */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
enum log_kind { LOG_KIND_END, LOG_KIND_STR, LOG_KIND_INT };

/* Keys are lower_case words of the program; only values are escaped. */
struct log_field {
    const char *key;
    const char *str; /* borrowed; NULL is written as null */
    size_t len;      /* bytes of str */
    int64_t num;
    enum log_kind kind;
};

#define LOG_STR(k, v) log_field_str(k, v)
#define LOG_STRN(k, v, n) log_field_strn(k, v, n)
#define LOG_INT(k, v) log_field_int(k, (int64_t)(v))

#define log_write(level, event, ...)                                                                         \
    (log_enabled(level)                                                                                      \
         ? log_write_fields(level, event,                                                                    \
                            (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = LOG_KIND_END}})    \
         : (void)0)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Sets what is written from now on, and how. Before the first call: info, logfmt. */
void log_open(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* Use the macros; fields ends with LOG_KIND_END. Keeps errno. */
void log_write_fields(enum log_level level, const char *event, const struct log_field *fields);

/* The line alone, newline included, without I/O or clock: returns its length, never more than
 * min(size, LOG_LINE_BYTES); size is at least 256. Fields that do not fit are left out, and
 * truncated=1 says so. wall_ms is Unix time. Not NUL-terminated. */
size_t log_line(char *out, size_t size, enum log_format format, enum log_level level, int64_t wall_ms,
                int64_t pid, const char *event, const struct log_field *fields);

struct log_field log_field_str(const char *key, const char *value);
struct log_field log_field_strn(const char *key, const char *value, size_t len);
struct log_field log_field_int(const char *key, int64_t value);

#endif
