/* A line of an env-format file in, name and value out. */
#include "env_file.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static char *skip_space(char *at)
{
    return at + strspn(at, " \t");
}

static void trim_end(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]))
        len--;
    text[len] = '\0';
}

static bool ends_here(char *at)
{
    char *rest = skip_space(at);
    return *rest == '\0' || (*rest == '#' && rest > at);
}

/* Ends the value at a comment. */
static const char *read_plain(char *value)
{
    for (char *at = value; *at; at++) {
        if (*at == '#' && at > value && isspace((unsigned char)at[-1]))
            *at = '\0';
    }
    trim_end(value);
    return NULL;
}

static const char *read_single_quoted(char *value)
{
    char *end = strchr(value, '\'');
    if (!end)
        return "the closing ' is missing";
    if (!ends_here(end + 1))
        return "there is text after the closing quote";
    *end = '\0';
    return NULL;
}

static const char *read_double_quoted(char *value)
{
    char *out = value;
    char *at = value;
    while (*at && *at != '"') {
        if (*at == '\\') {
            at++;
            if (*at == '\0' || !strchr("\"\\$`", *at))
                return "in double quotes a backslash may only stand before \" \\ $ or `; use single quotes";
        }
        *out++ = *at++;
    }
    if (*at != '"')
        return "the closing \" is missing";
    if (!ends_here(at + 1))
        return "there is text after the closing quote";
    *out = '\0';
    return NULL;
}

static const char *read_value(char **value)
{
    switch (**value) {
    case '\'':
        return read_single_quoted(++*value);
    case '"':
        return read_double_quoted(++*value);
    case ' ':
    case '\t':
        return "there must be no space after =";
    default:
        return read_plain(*value);
    }
}

static size_t name_length(const char *at)
{
    size_t len = 0;
    while (isalpha((unsigned char)at[len]) || at[len] == '_' || (len > 0 && isdigit((unsigned char)at[len])))
        len++;
    return len;
}

enum env_line env_line_parse(char *line, char **name, char **value, const char **why)
{
    trim_end(line); /* the \r of a CRLF too */
    char *at = skip_space(line);
    if (*at == '\0' || *at == '#')
        return ENV_LINE_EMPTY;
    if (strncmp(at, "export", 6) == 0 && isspace((unsigned char)at[6]))
        at = skip_space(at + 6);

    size_t len = name_length(at);
    if (len == 0 || at[len] != '=') {
        *why = "it must be NAME=value, without a space before =";
        return ENV_LINE_BAD;
    }
    at[len] = '\0';
    *name = at;
    *value = at + len + 1;
    *why = read_value(value);
    return *why ? ENV_LINE_BAD : ENV_LINE_ASSIGNMENT;
}
