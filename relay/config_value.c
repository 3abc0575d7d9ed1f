/* One value: from text into its member of struct config, and back. */
#include "config_table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void *member(const struct config *cfg, const struct config_option *option)
{
    return (char *)(uintptr_t)cfg + option->offset;
}

static char **text_member(const struct config *cfg, const struct config_option *option)
{
    return member(cfg, option);
}

static bool is_text_type(enum config_type type)
{
    return type == CONFIG_TEXT || type == CONFIG_DATABASE_URL || type == CONFIG_LISTEN ||
           type == CONFIG_ORIGINS;
}

/* Bytes of a member that is no text. */
static size_t plain_size(enum config_type type)
{
    if (type == CONFIG_RATE)
        return sizeof(struct rate_limit);
    if (type == CONFIG_PROXIES)
        return sizeof(struct trusted_proxies);
    return type == CONFIG_SWITCH ? sizeof(bool) : sizeof(int);
}

/* Decimal digits only: no sign, no space, no overflow. */
static bool parse_number(const char *text, size_t len, int min, int max, int *out)
{
    long value = 0;
    if (len == 0 || len > 10)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    if (value < min || value > max)
        return false;
    *out = (int)value;
    return true;
}

static bool set_number(struct config *cfg, const struct config_option *option, const char *value)
{
    return parse_number(value, strlen(value), option->min, option->max, member(cfg, option));
}

static bool set_word(struct config *cfg, const struct config_option *option, const char *value)
{
    for (int i = 0; option->words[i]; i++) {
        if (strcmp(option->words[i], value) == 0) {
            memcpy(member(cfg, option), &i, sizeof i);
            return true;
        }
    }
    return false;
}

static bool set_switch(struct config *cfg, const struct config_option *option, const char *value)
{
    bool yes = strcmp(value, "yes") == 0;
    if (!yes && strcmp(value, "no") != 0)
        return false;
    memcpy(member(cfg, option), &yes, sizeof yes);
    return true;
}

static bool set_rate(struct config *cfg, const struct config_option *option, const char *value)
{
    static const char unit[] = "/s:";
    struct rate_limit limit;
    const char *middle = strstr(value, unit);
    if (!middle)
        return false;
    const char *burst = middle + strlen(unit);
    if (!parse_number(value, (size_t)(middle - value), 1, option->max, &limit.per_s) ||
        !parse_number(burst, strlen(burst), 1, option->max, &limit.burst))
        return false;
    memcpy(member(cfg, option), &limit, sizeof limit);
    return true;
}

static bool set_proxies(struct config *cfg, const struct config_option *option, const char *value)
{
    struct trusted_proxies proxies;
    if (!trusted_proxies_parse(value, &proxies))
        return false;
    memcpy(member(cfg, option), &proxies, sizeof proxies);
    return true;
}

static void replace_text(struct config *cfg, const struct config_option *option, const char *value)
{
    char **text = text_member(cfg, option);
    free(*text);
    *text = memory_copy_text(value);
}

static bool is_database_url(const char *value)
{
    const char *equals = strchr(value, '=');
    const char *scheme = strstr(value, "://");
    return strncmp(value, "postgresql://", 13) == 0 || strncmp(value, "postgres://", 11) == 0 ||
           (equals && !(scheme && scheme < equals));
}

/* scheme://host[:port], exactly as RFC 6454 section 6.2 serialises an origin. */
static bool is_origin(const char *origin)
{
    const char *host = strstr(origin, "://");
    size_t scheme = strspn(origin, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    int port = 0;
    if (!host || scheme == 0 || origin + scheme != host)
        return false;
    host += 3;
    size_t len = *host == '[' ? strspn(host, "[]0123456789abcdef:.")
                              : strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    if (*host == '[')
        len = strchr(host, ']') ? (size_t)(strchr(host, ']') + 1 - host) : 0;
    if (len == 0 || host[len] == '\0')
        return len > 0;
    if (host[len] != ':' || !parse_number(host + len + 1, strlen(host + len + 1), 1, 65535, &port))
        return false;
    return !(port == 443 && strncmp(origin, "https:", 6) == 0) &&
           !(port == 80 && strncmp(origin, "http:", 5) == 0);
}

static bool set_origins(struct config *cfg, const struct config_option *option, const char *value)
{
    static const char separators[] = " ,\t";
    char *list = memory_copy_text(value);
    size_t size = strlen(value) + 1; /* what is written is never longer */
    char *out = memory_zero(size);
    char *rest = NULL;
    size_t len = 0;
    bool ok = true;
    for (char *origin = strtok_r(list, separators, &rest); origin && ok;
         origin = strtok_r(NULL, separators, &rest)) {
        ok = is_origin(origin) || (strcmp(origin, "*") == 0 && strspn(value, " \t*") == strlen(value));
        len += (size_t)snprintf(out + len, size - len, "%s%s", len ? " " : "", origin);
    }
    ok = ok && len > 0;
    if (ok)
        replace_text(cfg, option, out);
    free(list);
    free(out);
    return ok;
}

bool config_value_set(struct config *cfg, const struct config_option *option, const char *value,
                      const char **why)
{
    struct listen_address address;
    switch (option->type) {
    case CONFIG_NUMBER:
        return set_number(cfg, option, value);
    case CONFIG_WORD:
        return set_word(cfg, option, value);
    case CONFIG_SWITCH:
        return set_switch(cfg, option, value);
    case CONFIG_RATE:
        return set_rate(cfg, option, value);
    case CONFIG_PROXIES:
        return set_proxies(cfg, option, value);
    case CONFIG_ORIGINS:
        return set_origins(cfg, option, value);
    case CONFIG_LISTEN:
        if (!listen_address_parse(value, &address, why))
            return false;
        break;
    case CONFIG_DATABASE_URL:
        if (!is_database_url(value))
            return false;
        break;
    case CONFIG_TEXT:
        break;
    }
    replace_text(cfg, option, value);
    return true;
}

static int int_member(const struct config *cfg, const struct config_option *option)
{
    int value;
    memcpy(&value, member(cfg, option), sizeof value);
    return value;
}

char *config_value_text(const struct config *cfg, const struct config_option *option)
{
    char small[32] = "";
    const char *text;
    struct rate_limit limit;
    bool yes;
    switch (option->type) {
    case CONFIG_NUMBER:
        snprintf(small, sizeof small, "%d", int_member(cfg, option));
        break;
    case CONFIG_WORD:
        return memory_copy_text(option->words[int_member(cfg, option)]);
    case CONFIG_SWITCH:
        memcpy(&yes, member(cfg, option), sizeof yes);
        return memory_copy_text(yes ? "yes" : "no");
    case CONFIG_RATE:
        memcpy(&limit, member(cfg, option), sizeof limit);
        snprintf(small, sizeof small, "%d/s:%d", limit.per_s, limit.burst);
        break;
    case CONFIG_PROXIES:
        return trusted_proxies_text(member(cfg, option));
    default:
        memcpy(&text, member(cfg, option), sizeof text);
        if (!text)
            return NULL;
        return option->secret ? config_mask_database_url(text) : memory_copy_text(text);
    }
    return memory_copy_text(small);
}

bool config_value_equal(const struct config *a, const struct config *b, const struct config_option *option)
{
    if (!is_text_type(option->type))
        return memcmp(member(a, option), member(b, option), plain_size(option->type)) == 0;
    const char *x = *text_member(a, option);
    const char *y = *text_member(b, option);
    return x && y ? strcmp(x, y) == 0 : x == y;
}

void config_value_move(struct config *live, struct config *fresh, const struct config_option *option)
{
    if (is_text_type(option->type)) {
        char *old = *text_member(live, option);
        *text_member(live, option) = *text_member(fresh, option);
        *text_member(fresh, option) = old;
        return;
    }
    memcpy(member(live, option), member(fresh, option), plain_size(option->type));
}

void config_value_clear(struct config *cfg, const struct config_option *option)
{
    if (is_text_type(option->type))
        free(*text_member(cfg, option));
}
