/* Events in, escaped lines on stderr out. Owns the level and the format, nothing else. */
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* What the longest ending of a line takes: ,"truncated":1} and a newline. */
#define TAIL_BYTES 20

static struct {
    enum log_level level;
    enum log_format format;
} sink = {LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT};

struct line {
    char *out;
    size_t len;
    size_t cap; /* without the tail */
    bool full;  /* something did not fit; nothing more is added */
    bool json;
};

static void put(struct line *line, const char *bytes, size_t len)
{
    if (line->full || len > line->cap - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->out + line->len, bytes, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool is_tail_byte(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the well-formed UTF-8 character at s (RFC 3629 section 4), 0 if there is none. */
static size_t utf8_char(const unsigned char *s, size_t len, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t want = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
    if (want == 0 || want > len)
        return 0;
    uint32_t value = want == 1 ? s[0] : s[0] & (0x7fU >> want);
    for (size_t i = 1; i < want; i++) {
        if (!is_tail_byte(s[i]))
            return 0;
        value = value << 6 | (s[i] & 0x3fU);
    }
    if (value < smallest[want] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return want;
}

/* Characters that would end, overwrite or reorder a line where it is read. */
static bool is_hostile(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void put_escaped(struct line *line, uint32_t code)
{
    char text[8];
    switch (code) {
    case '\n':
        put(line, "\\n", 2);
        return;
    case '\r':
        put(line, "\\r", 2);
        return;
    case '\t':
        put(line, "\\t", 2);
        return;
    default:
        snprintf(text, sizeof text, "\\u%04" PRIx16, (uint16_t)code);
        put(line, text, 6);
    }
}

/* JSON has no way to say a byte; logfmt readers know \x. */
static void put_invalid_byte(struct line *line, unsigned char byte)
{
    char text[8];
    snprintf(text, sizeof text, line->json ? "\\ufffd" : "\\x%02x", byte);
    put_text(line, text);
}

static void put_quoted(struct line *line, const char *value, size_t len)
{
    const unsigned char *s = (const unsigned char *)value;
    size_t at = 0;

    put(line, "\"", 1);
    while (at < len && at < LOG_VALUE_BYTES) {
        uint32_t code = 0;
        size_t step = utf8_char(s + at, len - at, &code);
        if (at + step > LOG_VALUE_BYTES)
            break; /* the cut falls inside a character */
        if (step == 0)
            put_invalid_byte(line, s[at]);
        else if (is_hostile(code))
            put_escaped(line, code);
        else if (code == '"' || code == '\\')
            put(line, code == '"' ? "\\\"" : "\\\\", 2);
        else
            put(line, value + at, step);
        at += step ? step : 1;
    }
    if (at < len)
        put(line, "...", 3);
    put(line, "\"", 1);
}

/* True if logfmt needs no quotes around it. */
static bool is_plain(const char *value, size_t len)
{
    if (len == 0 || len > LOG_VALUE_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return true;
}

static void put_key(struct line *line, const char *key)
{
    if (line->json) {
        put(line, line->len > 1 ? ",\"" : "\"", line->len > 1 ? 2 : 1);
        put_text(line, key);
        put(line, "\":", 2);
        return;
    }
    if (line->len > 0)
        put(line, " ", 1);
    put_text(line, key);
    put(line, "=", 1);
}

static void put_str(struct line *line, const char *value, size_t len)
{
    if (!value)
        put_text(line, "null");
    else if (line->json || !is_plain(value, len))
        put_quoted(line, value, len);
    else
        put(line, value, len);
}

/* A field that does not fit leaves no trace, so that the line stays well-formed. */
static void put_field(struct line *line, const struct log_field *field)
{
    size_t before = line->len;
    put_key(line, field->key);
    if (field->kind == LOG_KIND_INT) {
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, field->num);
        put_text(line, text);
    } else {
        put_str(line, field->str, field->len);
    }
    if (line->full)
        line->len = before;
}

static void put_time(struct line *line, int64_t wall_ms)
{
    char text[40] = "";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm)) {
        size_t len = strftime(text, 24, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text + len, sizeof text - len, ".%03uZ", (unsigned)((uint64_t)wall_ms % 1000));
    }
    put_field(line,
              &(struct log_field){.key = "time", .str = text, .len = strlen(text), .kind = LOG_KIND_STR});
}

size_t log_line(char *out, size_t size, enum log_format format, enum log_level level, int64_t wall_ms,
                int64_t pid, const char *event, const struct log_field *fields)
{
    static const char *const level_words[] = {"error", "warn", "info", "debug"};
    size_t cap = (size > LOG_LINE_BYTES ? LOG_LINE_BYTES : size) - TAIL_BYTES;
    struct line line = {.out = out, .cap = cap, .json = format == LOG_FORMAT_JSON};
    const struct log_field head[] = {LOG_STR("level", level_words[level]), LOG_STR("event", event),
                                     LOG_INT("pid", pid)};

    if (line.json)
        put(&line, "{", 1);
    put_time(&line, wall_ms);
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        put_field(&line, &head[i]);
    for (const struct log_field *field = fields; field->kind != LOG_KIND_END; field++)
        put_field(&line, field);

    bool truncated = line.full;
    line.full = false;
    line.cap += TAIL_BYTES;
    if (truncated)
        put_field(&line, &(struct log_field){.key = "truncated", .num = 1, .kind = LOG_KIND_INT});
    put_text(&line, line.json ? "}\n" : "\n");
    return line.len;
}

void log_open(enum log_level level, enum log_format format)
{
    sink.level = level;
    sink.format = format;
}

bool log_enabled(enum log_level level)
{
    return level <= sink.level;
}

void log_write_fields(enum log_level level, const char *event, const struct log_field *fields)
{
    char line[LOG_LINE_BYTES];
    int saved = errno;
    size_t len = log_line(line, sizeof line, sink.format, level, clock_wall_ms(), getpid(), event, fields);
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
        ; /* anything else is a log nobody can read any more: not a reason to stop */
    errno = saved;
}

struct log_field log_field_str(const char *key, const char *value)
{
    return log_field_strn(key, value, value ? strlen(value) : 0);
}

struct log_field log_field_strn(const char *key, const char *value, size_t len)
{
    return (struct log_field){.key = key, .str = value, .len = len, .kind = LOG_KIND_STR};
}

struct log_field log_field_int(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .num = value, .kind = LOG_KIND_INT};
}
