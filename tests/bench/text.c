#include "text.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *begin;
    enum text_type type;
} types[] = {
    {"{\"type\":\"new_notification\"", TEXT_NEW},       {"{\"type\":\"notification_updated\"", TEXT_UPDATED},
    {"{\"type\":\"connected\"", TEXT_CONNECTED},        {"{\"type\":\"resumed\"", TEXT_RESUMED},
    {"{\"type\":\"unread_notifications\"", TEXT_PAGE}, {"{\"type\":\"error\"", TEXT_ERROR},
};

enum text_type text_type(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t length = strlen(types[i].begin);
        if (size >= length && memcmp(text, types[i].begin, length) == 0)
            return types[i].type;
    }
    return TEXT_OTHER;
}

static uint64_t read_number(const char *text, size_t size, size_t *at)
{
    uint64_t value = 0;
    for (; *at < size && text[*at] >= '0' && text[*at] <= '9'; (*at)++)
        value = value * 10 + (uint64_t)(text[*at] - '0');
    return value;
}

bool text_next_row(const char *text, size_t size, size_t *at, unsigned *user, uint64_t *row)
{
    static const char mark[] = "\"bench:";
    const char *found = *at < size ? memmem(text + *at, size - *at, mark, sizeof(mark) - 1) : NULL;
    if (!found)
        return false;
    *at = (size_t)(found - text) + sizeof(mark) - 1;
    *user = (unsigned)read_number(text, size, at);
    (*at)++;
    *row = read_number(text, size, at);
    return true;
}

bool text_member(const char *text, size_t size, const char *name, char *out, size_t room)
{
    char mark[48];
    int length = snprintf(mark, sizeof(mark), "\"%s\":\"", name);
    const char *found = memmem(text, size, mark, (size_t)length);
    if (!found)
        return false;
    const char *value = found + length;
    const char *end = memchr(value, '"', size - (size_t)(value - text));
    if (!end || (size_t)(end - value) >= room)
        return false;
    memcpy(out, value, (size_t)(end - value));
    out[end - value] = '\0';
    return true;
}
