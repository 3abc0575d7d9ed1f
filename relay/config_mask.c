/* A database URL or keyword string in, the same without secrets out. What is not certainly harmless
 * is masked: only values of known settings are shown. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#define MASK "***"

/* A growing text; see open_memstream(3). */
struct text {
    FILE *stream;
    char *bytes;
    size_t size;
};

static void text_open(struct text *text)
{
    text->stream = open_memstream(&text->bytes, &text->size);
    if (!text->stream)
        abort(); /* as memory.h: only for want of memory */
}

static char *text_take(struct text *text)
{
    fclose(text->stream);
    return text->bytes;
}

/* Settings of libpq that hold no secret. */
static bool is_public_name(const char *name, size_t len)
{
    static const char *const names[] = {
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "service",
        "passfile",
        "options",
        "application_name",
        "fallback_application_name",
        "client_encoding",
        "connect_timeout",
        "target_session_attrs",
        "load_balance_hosts",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "replication",
        "require_auth",
        "channel_binding",
        "gssencmode",
        "krbsrvname",
        "gsslib",
        "gssdelegation",
        "requirepeer",
        "requiressl",
        "sslmode",
        "sslnegotiation",
        "sslcompression",
        "sslsni",
        "sslcert",
        "sslkey",
        "sslcertmode",
        "sslrootcert",
        "sslcrl",
        "sslcrldir",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "min_protocol_version",
        "max_protocol_version",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return true;
    }
    return false;
}

/* How the name of a masked setting is written: one that is not libpq's may be a piece of a password. */
static const char *shown_name(const char *name, size_t len)
{
    static const char *const names[] = {"password", "sslpassword", "oauth_client_secret"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return names[i];
    }
    return MASK;
}

/* The end of what libpq, or somebody who forgot to percent-encode, means by user:password@. */
static const char *userinfo_end(const char *authority)
{
    const char *last = strrchr(authority, '@');
    const char *colon = strchr(authority, ':');
    const char *at = strchr(authority, '@');
    return at && colon && colon < at ? last : at;
}

static void mask_query(FILE *out, const char *query)
{
    while (*query) {
        size_t len = strcspn(query, "&");
        const char *equals = memchr(query, '=', len);
        size_t name = equals ? (size_t)(equals - query) : len;
        if (is_public_name(query, name))
            fwrite(query, 1, len, out);
        else
            fprintf(out, "%s=" MASK, shown_name(query, name));
        query += len;
        if (*query)
            fputc(*query++, out);
    }
}

static void mask_url(FILE *out, const char *url)
{
    const char *authority = strstr(url, "://") + 3;
    const char *end = userinfo_end(authority);
    const char *colon = end ? memchr(authority, ':', (size_t)(end - authority)) : NULL;
    fwrite(url, 1, (size_t)((colon ? colon + 1 : authority) - url), out);
    if (colon)
        fputs(MASK, out);
    const char *rest = colon ? end : authority;
    const char *query = strchr(rest, '?');
    if (!query) {
        fputs(rest, out);
        return;
    }
    fwrite(rest, 1, (size_t)(query + 1 - rest), out);
    mask_query(out, query + 1);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Past the value at text as libpq reads it: quotes, and a backslash before any character. */
static const char *skip_keyword_value(const char *text)
{
    bool quoted = *text == '\'';
    text += quoted;
    while (*text && (quoted ? *text != '\'' : !is_space(*text)))
        text += text[0] == '\\' && text[1] ? 2 : 1;
    return text + (quoted && *text);
}

static void mask_keywords(FILE *out, const char *text)
{
    while (*text) {
        if (is_space(*text)) {
            fputc(*text++, out);
            continue;
        }
        size_t name = strcspn(text, "= \t\n\v\f\r");
        const char *value = text + name;
        value += strspn(value, " \t\n\v\f\r");
        if (*value != '=') { /* no setting: perhaps part of a password that lacks its quotes */
            fputs(MASK, out);
            text += name;
            continue;
        }
        value++;
        value += strspn(value, " \t\n\v\f\r");
        const char *end = skip_keyword_value(value);
        if (is_public_name(text, name))
            fwrite(text, 1, (size_t)(end - text), out);
        else
            fprintf(out, "%s=" MASK, shown_name(text, name));
        text = end;
    }
}

char *config_mask_database_url(const char *url)
{
    struct text text = {0};
    text_open(&text);
    if (strstr(url, "://"))
        mask_url(text.stream, url);
    else
        mask_keywords(text.stream, url);
    return text_take(&text);
}
