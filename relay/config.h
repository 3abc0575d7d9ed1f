/* The configuration: HERALD_* from the environment or an env-format file in, one plain struct
 * out. One table in config_table.c has name, type, default, range, reload flag, secret flag and help. */
#ifndef PGHERALD_CONFIG_H
#define PGHERALD_CONFIG_H

#include "jwt_keys.h"
#include "listen_address.h"
#include "log.h"
#include "rate.h"
#include "trusted_proxies.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_EXIT_STATUS 78 /* EX_CONFIG: what a program ends with on a bad configuration */
#define CONFIG_MAX_OPTIONS 32
#define CONFIG_FILE_BYTES (64 * 1024)

enum auth_mode { AUTH_MODE_JWT, AUTH_MODE_DEV };
enum auth_reject { AUTH_REJECT_CLOSE, AUTH_REJECT_HTTP };
enum feed_mode { FEED_ADAPTIVE, FEED_NOTIFY, FEED_POLL };

/* Strings are owned, NULL when unset. */
struct config {
    char *database_url; /* NULL: libpq's own defaults; a secret, see config_mask_database_url() */
    char *listen;       /* always set and well-formed, see listen_address_parse() */
    char *admin_listen; /* the same; NULL: no admin port */
    enum auth_mode auth;
    bool allow_dev_auth;
    char *tls_cert; /* both or none */
    char *tls_key;
    int hsts_s; /* 0: not told; only with TLS */
    enum token_alg jwt_alg;
    char *jwt_key_file;
    char *jwt_issuer;
    char *jwt_audience;
    enum auth_reject auth_reject;
    char *allowed_origins; /* "*" or origins with one space between; NULL: same host only */
    int workers;           /* at least 1 */
    enum feed_mode feed;
    int max_connections;
    int max_connections_per_user;
    int max_connections_per_ip;
    int max_message_bytes;
    struct rate_limit rate_limit;         /* client messages per connection */
    struct rate_limit user_rate_limit;    /* over all tabs of a user in one process */
    struct rate_limit auth_failure_limit; /* failed logins from an address, in one process */
    struct trusted_proxies trusted_proxies;
    bool proxy_protocol; /* trusted proxies begin with its header */
    int queue_bytes;
    int heartbeat_s;
    int drain_s;
    enum log_level log_level;
    enum log_format log_format;
    char *dev_psql; /* internal: the psql line the demo page shows */

    /* Where each value came from, for config_print(). */
    char *file;                          /* the file read, or NULL */
    int source_line[CONFIG_MAX_OPTIONS]; /* 0 default, -1 environment, else line of file */
};

struct config_error {
    char variable[64];  /* "" if no single variable is to blame */
    char message[1024]; /* one line: variable, value, what is allowed, where it was set */
};

/* Reads file (or none: NULL), then envp (or none: NULL) over it; each value is checked, secrets never appear
 * in err. Unknown HERALD_* names are errors. False: err is filled and cfg is all zero. On success the caller
 * ends with config_free(). Does not ask for what only the relay needs: config_check_serve(). */
bool config_load(struct config *cfg, const char *file, char *const envp[], struct config_error *err);
void config_free(struct config *cfg);

/* What must hold between values before a relay may start: a key file for jwt; dev tokens only on
 * loopback or a unix socket, unless HERALD_ALLOW_DEV_AUTH=yes. */
bool config_check_serve(const struct config *cfg, struct config_error *err);

/* SIGHUP: moves the reloadable values of fresh into live and frees the rest of fresh. Names of
 * values that differ but need a restart are written to waiting, comma-separated, "" if none. */
void config_reload(struct config *live, struct config *fresh, char *waiting, size_t size);

/* NAME=value  # source, secrets masked; the output is itself a valid configuration file,
 * but for the masked passwords. */
void config_print(FILE *out, const struct config *cfg);
void config_help(FILE *out);          /* the table as plain text, for --help */
void config_help_markdown(FILE *out); /* the same as the documentation has it */

/* Copies a libpq URL or keyword string with every password in it replaced by ***. The
 * caller frees it. */
char *config_mask_database_url(const char *url);

#endif
