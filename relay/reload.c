/* Reading the configuration again; see reload.h. */
#include "reload.h"

#include <unistd.h>

#include "log.h"

/* False: logged. */
static bool reload_config(struct config *config)
{
    struct config fresh;
    struct config_error error;
    char waiting[512];
    if (!config_load(&fresh, config->file, environ, &error)) {
        log_error("reload_failed", LOG_STR("why", error.message));
        return false;
    }
    if (!config_check_serve(&fresh, &error)) {
        log_error("reload_failed", LOG_STR("why", error.message));
        config_free(&fresh);
        return false;
    }
    config_reload(config, &fresh, waiting, sizeof(waiting));
    if (waiting[0])
        log_warn("reload_needs_restart", LOG_STR("variables", waiting));
    log_open(config->log_level, config->log_format);
    return true;
}

void reload(struct config *config, struct jwt_keys **keys)
{
    char why[JWT_KEYS_ERROR_BYTES];
    struct jwt_keys *fresh;
    if (!reload_config(config))
        return;
    if (*keys) {
        if (!jwt_keys_load(&fresh, config->jwt_alg, config->jwt_key_file, why)) {
            log_error("reload_failed", LOG_STR("why", why));
            return;
        }
        jwt_keys_free(*keys);
        *keys = fresh;
    }
    log_info("reloaded");
}
