/* Reading the configuration again; see reload.h. */
#include "reload.h"

#include <stdio.h>
#include <unistd.h>

#include "log.h"

/* What the files and the environment say now. */
struct fresh {
    struct config config;
    struct jwt_keys *keys; /* NULL with HERALD_AUTH=dev */
    struct tls_pair *tls;  /* NULL without TLS */
};

static bool load_config(struct fresh *fresh, const char *file, char why[RELOAD_WHY_SIZE])
{
    struct config_error error;
    if (config_load(&fresh->config, file, environ, &error) && config_check_serve(&fresh->config, &error))
        return true;
    snprintf(why, RELOAD_WHY_SIZE, "%s", error.message);
    return false;
}

static bool load_keys(struct fresh *fresh, char why[RELOAD_WHY_SIZE])
{
    const struct config *config = &fresh->config;
    char keys_why[JWT_KEYS_ERROR_BYTES];
    if (config->auth != AUTH_MODE_JWT || jwt_keys_load(&fresh->keys, config->jwt_alg, config->jwt_key_file, keys_why))
        return true;
    snprintf(why, RELOAD_WHY_SIZE, "HERALD_JWT_KEY_FILE: %s", keys_why);
    return false;
}

static bool load_tls(struct fresh *fresh, const struct config *paths, char why[RELOAD_WHY_SIZE])
{
    char tls_why[TLS_WHY_SIZE];
    if (!paths->tls_cert || (fresh->tls = tls_pair_load(paths->tls_cert, paths->tls_key, tls_why)))
        return true;
    snprintf(why, RELOAD_WHY_SIZE, "%s", tls_why);
    return false;
}

static void drop(struct fresh *fresh)
{
    config_free(&fresh->config);
    jwt_keys_free(fresh->keys);
    tls_pair_free(fresh->tls);
}

bool reload_check(const struct config *config, char why[RELOAD_WHY_SIZE])
{
    struct fresh fresh = {.keys = NULL};
    bool good = load_config(&fresh, config->file, why) && load_keys(&fresh, why) &&
                load_tls(&fresh, &fresh.config, why);
    drop(&fresh);
    return good;
}

/* From here on nothing can fail. */
static void take(struct fresh *fresh, struct config *config, struct jwt_keys **keys, struct tls_pair **tls)
{
    char waiting[512];
    config_reload(config, &fresh->config, waiting, sizeof(waiting));
    if (waiting[0])
        log_warn("reload_needs_restart", LOG_STR("variables", waiting));
    log_open(config->log_level, config->log_format);
    if (*keys && fresh->keys) {
        struct jwt_keys *old = *keys;
        *keys = fresh->keys;
        fresh->keys = old;
    }
    if (*tls && fresh->tls) {
        struct tls_pair *old = *tls;
        *tls = fresh->tls;
        fresh->tls = old;
    }
}

bool reload(struct config *config, struct jwt_keys **keys, struct tls_pair **tls)
{
    char why[RELOAD_WHY_SIZE];
    struct fresh fresh = {.keys = NULL};
    /* From the paths that are in use: others need a restart. */
    bool good = load_config(&fresh, config->file, why) && load_keys(&fresh, why) && load_tls(&fresh, config, why);
    if (good) {
        take(&fresh, config, keys, tls);
        log_info("reloaded");
    } else {
        log_error("reload_failed", LOG_STR("why", why));
    }
    drop(&fresh); /* what was in use before, or what was not taken */
    return good;
}
