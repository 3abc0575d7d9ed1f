/* Names, types, defaults, ranges and help of all variables. */
#include "config_table.h"

#include <stdio.h>
#include <string.h>

static const char *const auth_words[] = {"jwt", "dev", NULL};
static const char *const alg_words[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                        "RS512", "ES256", "ES384", "ES512", NULL};
static const char *const reject_words[] = {"close", "http", NULL};
static const char *const feed_words[] = {"adaptive", "notify", "poll", NULL};
static const char *const level_words[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_words[] = {"logfmt", "json", NULL};

#define AT(member) .offset = offsetof(struct config, member)

const struct config_option config_table[] = {
    {.name = "HERALD_DATABASE_URL",
     .type = CONFIG_DATABASE_URL,
     AT(database_url),
     .means = "libpq's own: PGHOST, PGDATABASE, …",
     .secret = true,
     .help = "Where PostgreSQL is: postgresql://user@host/database, or keywords (host=… dbname=…). A direct "
             "connection to the primary, never a pooler in transaction mode."},
    {.name = "HERALD_LISTEN",
     .type = CONFIG_LISTEN,
     AT(listen),
     .fallback = "127.0.0.1:8000",
     .help = "Where clients connect: host:port, [address]:port for IPv6, or unix:/path, a file with mode 0777: "
             "who may connect is for its folder to say. A socket that systemd has opened (pgherald.socket) takes its place."},
    {.name = "HERALD_ADMIN_LISTEN",
     .type = CONFIG_LISTEN,
     AT(admin_listen),
     .means = "off",
     .help = "Where operators' programs find /metrics, /healthz and /readyz of the whole relay; the same forms. For "
             "a network that clients cannot reach: it asks for no token."},
    {.name = "HERALD_TLS_CERT",
     .type = CONFIG_TEXT,
     AT(tls_cert),
     .means = "no TLS",
     .help = "File with the certificate that clients are shown, and those between it and the root, as PEM. Its "
             "contents, and the key's, are read again on SIGHUP."},
    {.name = "HERALD_TLS_KEY",
     .type = CONFIG_TEXT,
     AT(tls_key),
     .means = "no TLS",
     .help = "File with the certificate's private key as PEM, without a password."},
    {.name = "HERALD_HSTS",
     .type = CONFIG_NUMBER,
     AT(hsts_s),
     .fallback = "0",
     .means = "not told",
     .min = 0,
     .max = 63072000,
     .help = "Seconds for which browsers are to reach this host by TLS only: Strict-Transport-Security in the relay's "
             "own HTTPS responses. It holds for all ports of the host, and nobody can click it away: begin with "
             "300; 31536000 is a year, and 1 makes browsers forget it. Needs HERALD_TLS_CERT."},
    {.name = "HERALD_AUTH",
     .type = CONFIG_WORD,
     AT(auth),
     .fallback = "jwt",
     .words = auth_words,
     .help = "How users prove who they are. dev accepts dummy-jwt-for-{username} from anybody: only for "
             "trying out, and refused unless HERALD_LISTEN is on loopback or a unix socket."},
    {.name = "HERALD_ALLOW_DEV_AUTH",
     .type = CONFIG_SWITCH,
     AT(allow_dev_auth),
     .fallback = "no",
     .help = "yes lets HERALD_AUTH=dev listen on any address, inside a container for example."},
    {.name = "HERALD_JWT_ALG",
     .type = CONFIG_WORD,
     AT(jwt_alg),
     .fallback = "HS256",
     .words = alg_words,
     .reloadable = true,
     .help =
         "The one algorithm a token may be signed with. A key of a JWK set that names its own keeps that."},
    {.name = "HERALD_JWT_KEY_FILE",
     .type = CONFIG_TEXT,
     AT(jwt_key_file),
     .reloadable = true,
     .help =
         "File with the key that verifies tokens: a secret of at least 32 bytes (HS…), a public key as PEM "
         "(RS…, ES…), or a JWK set with several keys for rotation."},
    {.name = "HERALD_JWT_ISSUER",
     .type = CONFIG_TEXT,
     AT(jwt_issuer),
     .means = "any",
     .reloadable = true,
     .help = "What the iss claim must be."},
    {.name = "HERALD_JWT_AUDIENCE",
     .type = CONFIG_TEXT,
     AT(jwt_audience),
     .means = "any",
     .reloadable = true,
     .help = "What the aud claim must be or contain."},
    {.name = "HERALD_AUTH_REJECT",
     .type = CONFIG_WORD,
     AT(auth_reject),
     .fallback = "close",
     .words = reject_words,
     .reloadable = true,
     .help = "How a token in the request is refused: close accepts the WebSocket and closes it with 4000 or "
             "4001, which a browser can read; http answers 403 before that, and wants the token in the request."},
    {.name = "HERALD_ALLOWED_ORIGINS",
     .type = CONFIG_ORIGINS,
     AT(allowed_origins),
     .means = "same host only",
     .reloadable = true,
     .help = "Origins whose pages may connect, separated by spaces or commas, for example "
             "https://app.example.org; * allows all."},
    {.name = "HERALD_TRUSTED_PROXIES",
     .type = CONFIG_PROXIES,
     AT(trusted_proxies),
     .reloadable = true,
     .help = "Proxies whose X-Forwarded-For or PROXY protocol says where their clients are, separated by "
             "spaces or commas, for example 10.0.0.0/8 2001:db8::/32; unix: whoever connects to a unix "
             "socket. From anybody else neither is believed."},
    {.name = "HERALD_PROXY_PROTOCOL",
     .type = CONFIG_SWITCH,
     AT(proxy_protocol),
     .fallback = "no",
     .reloadable = true,
     .help = "yes: each connection of a trusted proxy must begin with the PROXY protocol's header, version 1 "
             "or 2; others may not."},
    {.name = "HERALD_WORKERS",
     .type = CONFIG_NUMBER,
     AT(workers),
     .fallback = "0",
     .means = "one per core",
     .min = 0,
     .max = 256,
     .help = "Worker processes. 0 starts one per core."},
    {.name = "HERALD_FEED",
     .type = CONFIG_WORD,
     AT(feed),
     .fallback = "adaptive",
     .words = feed_words,
     .help = "How the relay learns of changes: notify sleeps until PostgreSQL rings, which writers at work at the "
             "same time queue for; poll asks all the time and costs them nothing; adaptive sleeps while they are few."},
    {.name = "HERALD_MAX_CONNECTIONS",
     .type = CONFIG_NUMBER,
     AT(max_connections),
     .fallback = "100000",
     .min = 1,
     .max = 1000000,
     .reloadable = true,
     .help = "Connections at a time, shared evenly by the workers; beyond, they are closed with 1013."},
    {.name = "HERALD_MAX_CONNECTIONS_PER_USER",
     .type = CONFIG_NUMBER,
     AT(max_connections_per_user),
     .fallback = "50",
     .min = 1,
     .max = 1000000,
     .reloadable = true,
     .help = "Connections of one user to one worker; beyond, they are closed with 4029."},
    {.name = "HERALD_MAX_CONNECTIONS_PER_IP",
     .type = CONFIG_NUMBER,
     AT(max_connections_per_ip),
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .reloadable = true,
     .help = "Connections from one address to one worker; beyond, they are closed with 4029."},
    {.name = "HERALD_MAX_MESSAGE_BYTES",
     .type = CONFIG_NUMBER,
     AT(max_message_bytes),
     .fallback = "8192",
     .min = 512,
     .max = 1048576,
     .help = "Bytes of one message from a client; a larger one closes with 1009."},
    {.name = "HERALD_RATE_LIMIT",
     .type = CONFIG_RATE,
     AT(rate_limit),
     .fallback = "20/s:40",
     .max = 100000,
     .reloadable = true,
     .help = "Messages a client may send: per second, and at once. Beyond, an error, then close 4029."},
    {.name = "HERALD_RATE_LIMIT_PER_USER",
     .type = CONFIG_RATE,
     AT(user_rate_limit),
     .fallback = "100/s:200",
     .max = 100000,
     .reloadable = true,
     .help = "The same for all connections of a user to one worker together."},
    {.name = "HERALD_AUTH_FAILURES_PER_IP",
     .type = CONFIG_RATE,
     AT(auth_failure_limit),
     .fallback = "10/s:100",
     .max = 100000,
     .reloadable = true,
     .help = "Failed logins from one address to one worker: per second, and at once. Beyond, tokens from "
             "there are refused without being looked at, with 4029 or HTTP 429."},
    {.name = "HERALD_QUEUE_BYTES",
     .type = CONFIG_NUMBER,
     AT(queue_bytes),
     .fallback = "262144",
     .min = 4096,
     .max = 1073741824,
     .reloadable = true,
     .help = "Unsent bytes kept for a slow client before it has to catch up from the database instead."},
    {.name = "HERALD_HEARTBEAT",
     .type = CONFIG_NUMBER,
     AT(heartbeat_s),
     .fallback = "30",
     .min = 1,
     .max = 3600,
     .help = "Seconds between PINGs, on a stream between comments; a client that misses two is gone."},
    {.name = "HERALD_DRAIN_SECONDS",
     .type = CONFIG_NUMBER,
     AT(drain_s),
     .fallback = "10",
     .min = 0,
     .max = 3600,
     .reloadable = true,
     .help = "How long SIGTERM may take: clients are closed evenly over most of it, the last reads are written. 0 "
             "closes all at once."},
    {.name = "HERALD_LOG_LEVEL",
     .type = CONFIG_WORD,
     AT(log_level),
     .fallback = "info",
     .words = level_words,
     .reloadable = true,
     .help = "The least important event that is logged."},
    {.name = "HERALD_LOG_FORMAT",
     .type = CONFIG_WORD,
     AT(log_format),
     .fallback = "logfmt",
     .words = format_words,
     .reloadable = true,
     .help = "One line per event on stderr, as key=value or as JSON."},
    {.name = "HERALD_DEV_PSQL",
     .type = CONFIG_TEXT,
     AT(dev_psql),
     .internal = true,
     .help = "The psql line that the demo page shows."},
};

const size_t config_table_size = sizeof config_table / sizeof config_table[0];

_Static_assert(sizeof config_table / sizeof config_table[0] <= CONFIG_MAX_OPTIONS,
               "raise CONFIG_MAX_OPTIONS");
_Static_assert(sizeof(enum auth_mode) == sizeof(int) && sizeof(enum token_alg) == sizeof(int) &&
                   sizeof(enum log_level) == sizeof(int) && sizeof(enum feed_mode) == sizeof(int),
               "words are stored through an int");

static void describe_words(const struct config_option *option, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; option->words[i] && len < size; i++) {
        const char *between = i == 0 ? "" : option->words[i + 1] ? ", " : " or ";
        len += (size_t)snprintf(out + len, size - len, "%s%s", between, option->words[i]);
    }
}

void config_describe_allowed(const struct config_option *option, char *out, size_t size)
{
    switch (option->type) {
    case CONFIG_TEXT:
        snprintf(out, size, "text that is not empty, without control characters");
        break;
    case CONFIG_DATABASE_URL:
        snprintf(out, size, "postgresql://user@host/database or keyword=value pairs");
        break;
    case CONFIG_LISTEN:
        snprintf(out, size, "host:port, [address]:port for IPv6, or unix:/path");
        break;
    case CONFIG_ORIGINS:
        snprintf(out, size,
                 "* alone, or origins as a browser sends them (https://app.example.org: lower case, no path, "
                 "no default port)");
        break;
    case CONFIG_NUMBER:
        snprintf(out, size, "a whole number from %d to %d", option->min, option->max);
        break;
    case CONFIG_WORD:
        describe_words(option, out, size);
        break;
    case CONFIG_SWITCH:
        snprintf(out, size, "yes or no");
        break;
    case CONFIG_RATE:
        snprintf(out, size, "so many per second and so many at once, each from 1 to %d, for example %s",
                 option->max, option->fallback);
        break;
    case CONFIG_PROXIES:
        snprintf(out, size, "addresses, blocks of them (10.0.0.0/8) and the word unix, at most %d",
                 TRUSTED_PROXIES_MAX);
        break;
    }
}
