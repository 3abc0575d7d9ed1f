/* Environment and file in, checked struct config out. Pure but for reading the file. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_table.h"
#include "env_file.h"
#include "file.h"
#include "listen_address.h"
#include "memory.h"

#define NAME_PREFIX "HERALD_"
#define SOURCE_DEFAULT 0
#define SOURCE_ENVIRONMENT (-1)
#define SUGGEST_MAX_DISTANCE 3
#define NAME_MAX_BYTES 63

/* Where a value is being read from, for errors. */
struct source {
    const char *file; /* NULL: environment */
    int line;
};

/* Whatever a variable is called or set to, an error is one line. */
static void make_one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

__attribute__((format(printf, 3, 4))) static bool fail(struct config_error *err, const char *variable,
                                                       const char *format, ...)
{
    va_list args;
    snprintf(err->variable, sizeof err->variable, "%s", variable);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    make_one_line(err->variable);
    make_one_line(err->message);
    return false;
}

static void describe_source(const struct source *source, char *out, size_t size)
{
    if (source->file)
        snprintf(out, size, "%.200s line %d", source->file, source->line);
    else
        snprintf(out, size, "the environment");
}

/* A value as an error may show it: short, without passwords. */
static void describe_value(const struct config_option *option, const char *value, char *out, size_t size)
{
    char *masked = option->secret ? config_mask_database_url(value) : memory_copy_text(value);
    snprintf(out, size, "%.100s%s", masked, strlen(masked) > 100 ? "..." : "");
    free(masked);
}

static bool fail_value(struct config_error *err, const struct config_option *option, const char *value,
                       const char *allowed, const struct source *source)
{
    char shown[128];
    char where[256];
    describe_value(option, value, shown, sizeof shown);
    describe_source(source, where, sizeof where);
    return fail(err, option->name, "%s is \"%s\" in %s, but must be %s", option->name, shown, where, allowed);
}

static bool has_control_characters(const char *value)
{
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return true;
    }
    return false;
}

static bool set_value(struct config *cfg, size_t index, const char *value, const struct source *source,
                      struct config_error *err)
{
    const struct config_option *option = &config_table[index];
    char allowed[256];
    const char *why = allowed;
    config_describe_allowed(option, allowed, sizeof allowed);
    if (*value == '\0')
        return fail_value(err, option, value, "set to something, or not set at all", source);
    if (has_control_characters(value))
        return fail_value(err, option, value, "free of control characters", source);
    if (!config_value_set(cfg, option, value, &why))
        return fail_value(err, option, value, why, source);
    cfg->source_line[index] = source->file ? source->line : SOURCE_ENVIRONMENT;
    return true;
}

/* Insertions, deletions and replacements from one name to the other. */
static size_t edit_distance(const char *from, const char *to)
{
    size_t row[NAME_MAX_BYTES + 1];
    size_t width = strlen(to);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; from[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t best = diagonal + (from[i - 1] != to[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[width];
}

/* True if one begins like the other, by more than the prefix that all have: HERALD_RATE. */
static bool begin_alike(const char *a, const char *b)
{
    size_t len = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    return len > strlen(NAME_PREFIX) + 2 && strncmp(a, b, len) == 0;
}

/* The name that was probably meant, or NULL. */
static const char *suggest(const char *name)
{
    const char *best = NULL;
    size_t best_distance = SUGGEST_MAX_DISTANCE + 1;
    if (strlen(name) > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < config_table_size; i++) {
        const char *candidate = config_table[i].name;
        size_t distance = edit_distance(name, candidate);
        if (begin_alike(name, candidate))
            distance = 1;
        if (distance < best_distance && !config_table[i].internal) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

static bool fail_unknown(struct config_error *err, const char *name, const struct source *source)
{
    char where[256];
    const char *meant = suggest(name);
    describe_source(source, where, sizeof where);
    if (meant)
        return fail(err, name, "%.*s in %s is not a variable of pgherald; did you mean %s?", NAME_MAX_BYTES,
                    name, where, meant);
    return fail(err, name, "%.*s in %s is not a variable of pgherald; pgherald serve --help lists them",
                NAME_MAX_BYTES, name, where);
}

static bool find_option(const char *name, size_t *index)
{
    for (size_t i = 0; i < config_table_size; i++) {
        if (strcmp(config_table[i].name, name) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool load_defaults(struct config *cfg, struct config_error *err)
{
    const struct source source = {.file = "config_table.c"};
    for (size_t i = 0; i < config_table_size; i++) {
        const char *fallback = config_table[i].fallback;
        if (fallback && !set_value(cfg, i, fallback, &source, err))
            return false;
    }
    return true;
}

static bool load_line(struct config *cfg, char *line, const struct source *source, struct config_error *err)
{
    char *name = NULL;
    char *value = NULL;
    const char *why = NULL;
    size_t index = 0;
    enum env_line kind = env_line_parse(line, &name, &value, &why);
    if (kind == ENV_LINE_EMPTY)
        return true;
    if (kind == ENV_LINE_BAD)
        return fail(err, name ? name : "", "%.200s line %d: %s", source->file, source->line, why);
    if (!find_option(name, &index))
        return fail_unknown(err, name, source);
    if (cfg->source_line[index] != SOURCE_DEFAULT)
        return fail(err, name, "%s is set twice in %.200s, in lines %d and %d", name, source->file,
                    cfg->source_line[index], source->line);
    return set_value(cfg, index, value, source, err);
}

static bool load_lines(struct config *cfg, char *text, size_t size, const char *file,
                       struct config_error *err)
{
    struct source source = {.file = file};
    char *end = text + size;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3; /* a byte order mark, as some editors leave it */
    while (text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text));
        char *line_end = newline ? newline : end;
        source.line++;
        *line_end = '\0'; /* the buffer has one byte more than the file */
        if (strlen(text) != (size_t)(line_end - text))
            return fail(err, "", "%.200s line %d: it contains a zero byte", file, source.line);
        if (!load_line(cfg, text, &source, err))
            return false;
        text = line_end + 1;
    }
    return true;
}

static bool load_file(struct config *cfg, const char *file, struct config_error *err)
{
    size_t size = 0;
    char *text = file_read_all(file, CONFIG_FILE_BYTES, &size);
    if (!text && errno == EFBIG)
        return fail(err, "", "configuration file %.200s has more than %d bytes", file, CONFIG_FILE_BYTES);
    if (!text)
        return fail(err, "", "cannot read configuration file %.200s: %s", file, strerror(errno));
    bool ok = load_lines(cfg, text, size, file, err);
    free(text);
    return ok;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);
    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* Kubernetes and Docker put the addresses of a service called "herald" (or "herald-…") into the
 * environment of its neighbours: HERALD_SERVICE_HOST, HERALD_PORT=tcp://…, HERALD_PORT_8000_TCP_ADDR. */
static bool is_service_link(const char *name, size_t len, const char *value)
{
    const char *port = memmem(name, len, "_PORT_", 6);
    if (ends_with(name, len, "_SERVICE_HOST") || memmem(name, len, "_SERVICE_PORT", 13))
        return true;
    if (port && port[6] >= '0' && port[6] <= '9')
        return true;
    return ends_with(name, len, "_PORT") && strstr(value, "://") != NULL;
}

static bool load_environment(struct config *cfg, char *const envp[], struct config_error *err)
{
    const struct source source = {.file = NULL};
    for (; envp && *envp; envp++) {
        const char *equals = strchr(*envp, '=');
        char name[NAME_MAX_BYTES + 1];
        size_t index = 0;
        if (!equals || strncmp(*envp, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
            continue;
        size_t len = (size_t)(equals - *envp);
        if (is_service_link(*envp, len, equals + 1))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), *envp);
        if (!find_option(name, &index))
            return fail_unknown(err, name, &source);
        if (!set_value(cfg, index, equals + 1, &source, err))
            return false;
    }
    return true;
}

/* Cores this process may run on, which containers and taskset limit. */
static int count_cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return count > 0 ? count : 1;
}

bool config_load(struct config *cfg, const char *file, char *const envp[], struct config_error *err)
{
    *cfg = (struct config){0};
    *err = (struct config_error){0};
    bool ok = load_defaults(cfg, err);
    ok = ok && (!file || load_file(cfg, file, err)) && load_environment(cfg, envp, err);
    if (!ok) {
        config_free(cfg);
        return false;
    }
    cfg->file = memory_copy_text(file);
    if (cfg->workers == 0)
        cfg->workers = count_cores();
    return true;
}

void config_free(struct config *cfg)
{
    for (size_t i = 0; i < config_table_size; i++) {
        config_value_clear(cfg, &config_table[i]);
    }
    free(cfg->file);
    *cfg = (struct config){0};
}

bool config_check_serve(const struct config *cfg, struct config_error *err)
{
    struct listen_address address;
    const char *why;
    *err = (struct config_error){0};
    if (cfg->auth == AUTH_MODE_JWT && !cfg->jwt_key_file)
        return fail(
            err, "HERALD_JWT_KEY_FILE",
            "HERALD_JWT_KEY_FILE is not set, but HERALD_AUTH=jwt needs the key that verifies tokens; to try "
            "pgherald out on this machine set HERALD_AUTH=dev");
    if (cfg->admin_listen && strcmp(cfg->admin_listen, cfg->listen) == 0)
        return fail(err, "HERALD_ADMIN_LISTEN",
                    "HERALD_ADMIN_LISTEN and HERALD_LISTEN are both %s: operators and clients need a port each",
                    cfg->listen);
    if (!cfg->tls_cert != !cfg->tls_key)
        return fail(err, cfg->tls_cert ? "HERALD_TLS_KEY" : "HERALD_TLS_CERT",
                    "%s is not set, but %s is: TLS needs both", cfg->tls_cert ? "HERALD_TLS_KEY" : "HERALD_TLS_CERT",
                    cfg->tls_cert ? "HERALD_TLS_CERT" : "HERALD_TLS_KEY");
    if (cfg->hsts_s && !cfg->tls_cert)
        return fail(err, "HERALD_HSTS",
                    "HERALD_HSTS=%d needs HERALD_TLS_CERT: without TLS it may not be told (RFC 6797 section 7.2); a proxy "
                    "that does TLS has to tell it itself",
                    cfg->hsts_s);
    if (cfg->tls_cert && cfg->auth_reject == AUTH_REJECT_HTTP)
        return fail(err, "HERALD_AUTH_REJECT",
                    "HERALD_AUTH_REJECT=http needs a proxy that does TLS: with HERALD_TLS_CERT a handshake cannot wait "
                    "until its user is known; leave it at close, or unset HERALD_TLS_CERT");
    if (cfg->proxy_protocol && !cfg->trusted_proxies.count && !cfg->trusted_proxies.unix_peers)
        return fail(err, "HERALD_PROXY_PROTOCOL",
                    "HERALD_PROXY_PROTOCOL=yes, but HERALD_TRUSTED_PROXIES does not say who sends it");
    if (cfg->auth != AUTH_MODE_DEV || cfg->allow_dev_auth)
        return true;
    if (listen_address_parse(cfg->listen, &address, &why) && (address.is_unix || address.is_loopback))
        return true;
    return fail(err, "HERALD_AUTH",
                "HERALD_AUTH=dev lets anybody be anybody, so HERALD_LISTEN must be on loopback or "
                "unix:/path, not %s; HERALD_ALLOW_DEV_AUTH=yes allows it all the same",
                cfg->listen);
}

void config_reload(struct config *live, struct config *fresh, char *waiting, size_t size)
{
    size_t len = 0;
    *waiting = '\0';
    for (size_t i = 0; i < config_table_size; i++) {
        const struct config_option *option = &config_table[i];
        if (option->reloadable) {
            config_value_move(live, fresh, option);
            live->source_line[i] = fresh->source_line[i];
        } else if (!config_value_equal(live, fresh, option) && len < size) {
            len += (size_t)snprintf(waiting + len, size - len, "%s%s", len ? ", " : "", option->name);
        }
    }
    config_free(fresh);
}
