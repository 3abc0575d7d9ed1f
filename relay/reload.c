/* Reading the configuration again; see reload.h. */
#include "reload.h"

#include <unistd.h>

#include "log.h"

static bool load_keys(const struct config *fresh, struct jwt_keys **keys)
{
    char why[JWT_KEYS_ERROR_BYTES];
    *keys = NULL;
    if (fresh->auth != AUTH_MODE_JWT || jwt_keys_load(keys, fresh->jwt_alg, fresh->jwt_key_file, why))
        return true;
    log_error("reload_failed", LOG_STR("why", why));
    return false;
}

/* False: logged, and fresh is empty. */
static bool load(struct config *fresh, const char *file, struct jwt_keys **keys)
{
    struct config_error error;
    if (!config_load(fresh, file, environ, &error)) {
        log_error("reload_failed", LOG_STR("why", error.message));
        return false;
    }
    bool good = config_check_serve(fresh, &error);
    if (!good)
        log_error("reload_failed", LOG_STR("why", error.message));
    if (good && load_keys(fresh, keys))
        return true;
    config_free(fresh);
    return false;
}

void reload(struct config *config, struct jwt_keys **keys)
{
    char waiting[512];
    struct config fresh;
    struct jwt_keys *fresh_keys;
    if (!load(&fresh, config->file, &fresh_keys))
        return;
    config_reload(config, &fresh, waiting, sizeof(waiting));
    if (waiting[0])
        log_warn("reload_needs_restart", LOG_STR("variables", waiting));
    log_open(config->log_level, config->log_format);
    if (*keys && fresh_keys) {
        struct jwt_keys *old = *keys;
        *keys = fresh_keys;
        fresh_keys = old;
    }
    jwt_keys_free(fresh_keys); /* the old ones, or none that are used */
    log_info("reloaded");
}
