/* The doctor's checks of what needs no database: the configuration, the keys of tokens, TLS, the sockets. */
#include "doctor.h"

#include <sys/stat.h>

#include "given_socket.h"
#include "health.h"
#include "jwt_keys.h"
#include "listener.h"
#include "tls.h"

enum { EXPIRES_SOON_DAYS = 14 };

static void check_configuration(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    struct config_error error;
    if (!config_check_serve(config, &error))
        findings_fail(&doctor->findings, "bad_configuration", "%s", error.message);
    else
        findings_ok(&doctor->findings, "from %s%s", config->file ? config->file : "the environment",
                  config->file ? " and the environment" : "");
}

/* Whether everybody on this machine may read a secret. */
static bool is_exposed(const char *file, const struct jwt_keys *keys)
{
    struct stat status;
    bool secret = jwt_keys_have_alg(keys, TOKEN_ALG_HS256) || jwt_keys_have_alg(keys, TOKEN_ALG_HS384) ||
                  jwt_keys_have_alg(keys, TOKEN_ALG_HS512);
    return secret && stat(file, &status) == 0 && (status.st_mode & S_IROTH);
}

static void check_keys(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    struct jwt_keys *keys = NULL;
    char why[JWT_KEYS_ERROR_BYTES];
    if (config->auth == AUTH_MODE_DEV)
        findings_warn(&doctor->findings, "development_tokens", "with HERALD_AUTH=dev anybody may be anybody");
    else if (!config->jwt_key_file)
        findings_fail(&doctor->findings, "bad_key",
                    "HERALD_JWT_KEY_FILE is not set, so no token can be verified");
    else if (!jwt_keys_load(&keys, config->jwt_alg, config->jwt_key_file, why))
        findings_fail(&doctor->findings, "bad_key", "HERALD_JWT_KEY_FILE: %s", why);
    else if (is_exposed(config->jwt_key_file, keys))
        findings_warn(&doctor->findings, "key_exposed",
                    "everybody on this machine may read the secret in %s, and sign tokens",
                    config->jwt_key_file);
    else
        findings_ok(&doctor->findings, "%zu in %s", jwt_keys_count(keys), config->jwt_key_file);
    jwt_keys_free(keys);
}

static void check_tls(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    char why[TLS_WHY_SIZE];
    if (!config->tls_cert || !config->tls_key) { /* one alone is the configuration's fault */
        findings_ok(&doctor->findings, "not used; a proxy in front should");
        return;
    }
    struct tls_pair *pair = tls_pair_load(config->tls_cert, config->tls_key, why);
    if (!pair) {
        findings_fail(&doctor->findings, "bad_certificate", "%s", why);
        return;
    }
    struct tls_validity validity = tls_pair_validity(pair);
    tls_pair_free(pair);
    if (validity.is_over)
        findings_fail(&doctor->findings, "certificate_expired", "%s has expired at %s", config->tls_cert,
                      validity.until);
    else if (validity.is_early)
        findings_fail(&doctor->findings, "certificate_early", "%s is not valid before %s", config->tls_cert,
                      validity.from);
    else if (validity.days_left < EXPIRES_SOON_DAYS)
        findings_warn(&doctor->findings, "certificate_expires", "%s expires in %d days", config->tls_cert,
                      validity.days_left);
    else
        findings_ok(&doctor->findings, "%s, for %d days", config->tls_cert, validity.days_left);
}

/* A relay that serves is right to have the port. Its clients' port may want a header of trusted proxies, of which this
 * machine need not be one. */
static bool is_served(const struct config *config, const struct listen_address *address, bool clients)
{
    bool tls = clients && config->tls_cert;
    return (clients && config->proxy_protocol && health_answers(address, HEALTH_ALIVE, tls, true)) ||
           health_answers(address, HEALTH_ALIVE, tls, false);
}

static void check_address(struct doctor *doctor, const char *variable, const char *value, bool clients)
{
    struct listen_address address;
    const char *unused;
    char error[LISTENER_ERROR_SIZE];
    if (!listen_address_parse(value, &address, &unused)) /* config_load() has checked it */
        return;
    enum listener_prospect prospect = listener_try(&address, error);
    bool maybe = prospect == LISTENER_IN_USE || prospect == LISTENER_DENIED;
    if (prospect == LISTENER_FREE)
        findings_ok(&doctor->findings, "%s is free", value);
    else if (maybe && is_served(doctor->config, &address, clients))
        findings_ok(&doctor->findings, "a relay answers at %s", value);
    else if (prospect == LISTENER_IN_USE)
        findings_warn(&doctor->findings, "cannot_listen",
                    "%s: %s is in use; that is right if this relay is running, but GET /healthz is not answered",
                    variable, value);
    else
        findings_fail(&doctor->findings, "cannot_listen", "%s: %s", variable, error);
}

static void check_listening(struct doctor *doctor)
{
    if (given_socket_is_there())
        findings_ok(&doctor->findings, "at the service manager's socket");
    else
        check_address(doctor, "HERALD_LISTEN", doctor->config->listen, true);
}

static void check_admin_port(struct doctor *doctor)
{
    if (!doctor->config->admin_listen)
        findings_ok(&doctor->findings, "none");
    else
        check_address(doctor, "HERALD_ADMIN_LISTEN", doctor->config->admin_listen, false);
}

const struct doctor_check doctor_local_checks[] = {
    {"configuration", DOCTOR_NEEDS_NOTHING, check_configuration},
    {"keys", DOCTOR_NEEDS_NOTHING, check_keys},
    {"TLS", DOCTOR_NEEDS_NOTHING, check_tls},
    {"listening", DOCTOR_NEEDS_NOTHING, check_listening},
    {"admin port", DOCTOR_NEEDS_NOTHING, check_admin_port},
    {0},
};
