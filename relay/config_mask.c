/* A database URL or keyword string in, the same without secrets out. What is not certainly harmless
 * is masked: only values of known settings are shown. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define MASK "***"

/* A text that grows; open_memstream() would cut it off for want of memory. */
struct masked {
    char *bytes; /* owned; zero-terminated */
    size_t size;
};

static void add(struct masked *out, const char *bytes, size_t size)
{
    out->bytes = memory_resize(out->bytes, out->size + size + 1);
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
    out->bytes[out->size] = '\0';
}

static void add_text(struct masked *out, const char *text)
{
    add(out, text, strlen(text));
}

static void add_masked(struct masked *out, const char *name)
{
    add_text(out, name);
    add_text(out, "=" MASK);
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

static void mask_query(struct masked *out, const char *query)
{
    while (*query) {
        size_t len = strcspn(query, "&");
        const char *equals = memchr(query, '=', len);
        size_t name = equals ? (size_t)(equals - query) : len;
        if (is_public_name(query, name))
            add(out, query, len);
        else
            add_masked(out, shown_name(query, name));
        query += len;
        if (*query)
            add(out, query++, 1);
    }
}

static void mask_url(struct masked *out, const char *url)
{
    const char *authority = strstr(url, "://") + 3;
    const char *end = userinfo_end(authority);
    const char *colon = end ? memchr(authority, ':', (size_t)(end - authority)) : NULL;
    add(out, url, (size_t)((colon ? colon + 1 : authority) - url));
    if (colon)
        add_text(out, MASK);
    const char *rest = colon ? end : authority;
    const char *query = strchr(rest, '?');
    if (!query) {
        add_text(out, rest);
        return;
    }
    add(out, rest, (size_t)(query + 1 - rest));
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

static void mask_keywords(struct masked *out, const char *text)
{
    while (*text) {
        if (is_space(*text)) {
            add(out, text++, 1);
            continue;
        }
        size_t name = strcspn(text, "= \t\n\v\f\r");
        const char *value = text + name;
        value += strspn(value, " \t\n\v\f\r");
        if (*value != '=') { /* no setting: perhaps part of a password that lacks its quotes */
            add_text(out, MASK);
            text += name;
            continue;
        }
        value++;
        value += strspn(value, " \t\n\v\f\r");
        const char *end = skip_keyword_value(value);
        if (is_public_name(text, name))
            add(out, text, (size_t)(end - text));
        else
            add_masked(out, shown_name(text, name));
        text = end;
    }
}

char *config_mask_database_url(const char *url)
{
    struct masked out = {0};
    add_text(&out, "");
    if (strstr(url, "://"))
        mask_url(&out, url);
    else
        mask_keywords(&out, url);
    return out.bytes;
}
