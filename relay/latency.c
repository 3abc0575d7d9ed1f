/* From created_at and the looks to the time of a commit; see latency.h. */
#include "latency.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

/* "2026-11-22T23:21:11.834629": what to_char() makes of a time, always so many digits. */
enum { TIME_SIZE = 26, DAY_SIZE = 10 };

/* A row may be written after the look began and still be seen by it; what is further ahead has a time of the
 * application's own. */
enum { AHEAD_MAX_US = 1000000 };

#define TIME_MAX_US INT64_C(253402300800000000) /* the end of year 9999 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int number(const char *digits, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

static bool has_form(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00.000000";
    for (int i = 0; i < TIME_SIZE; i++)
        if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i])
            return false;
    return true;
}

/* Unix time of a day's beginning. Mostly it is today's. */
static int64_t day_s(const char *text)
{
    static char last[DAY_SIZE];
    static int64_t last_s;
    if (memcmp(text, last, DAY_SIZE) != 0) {
        struct tm parts = {.tm_year = number(text, 4) - 1900, .tm_mon = number(text + 5, 2) - 1, .tm_mday = number(text + 8, 2)};
        last_s = (int64_t)timegm(&parts);
        memcpy(last, text, DAY_SIZE);
    }
    return last_s;
}

static int64_t time_us(const char *text)
{
    int64_t second_s = (int64_t)number(text + 11, 2) * 3600 + number(text + 14, 2) * 60 + number(text + 17, 2);
    return (day_s(text) + second_s) * 1000000 + number(text + 20, 6);
}

/* It is read from the end, where no text of the application's can stand. */
int64_t latency_created_us(struct text body)
{
    static const char before[] = ",\"created_at\":\"",
                      behind[] = "Z\",\"read_at\":null,\"is_read\":false,\"version\":";
    size_t size = body.size;
    if (!size || body.bytes[size - 1] != '}')
        return 0;
    size--;
    while (size && is_digit(body.bytes[size - 1]))
        size--;
    if (size < sizeof(before) - 1 + TIME_SIZE + sizeof(behind) - 1)
        return 0;
    const char *rest = body.bytes + size - (sizeof(behind) - 1), *text = rest - TIME_SIZE;
    if (memcmp(rest, behind, sizeof(behind) - 1) != 0 || !has_form(text) ||
        memcmp(text - (sizeof(before) - 1), before, sizeof(before) - 1) != 0)
        return 0;
    return time_us(text);
}

int64_t latency_since_us(const struct look_times *times, struct text body)
{
    bool known = times && times->database_us > 0 && times->database_us <= TIME_MAX_US;
    int64_t created_us = known ? latency_created_us(body) : 0;
    if (!created_us || created_us > times->database_us + AHEAD_MAX_US)
        return 0;
    int64_t since_us = created_us > times->previous_us ? created_us : times->previous_us;
    return times->asked_us - (times->database_us - since_us);
}
