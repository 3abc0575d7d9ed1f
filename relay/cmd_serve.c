/* `pgherald serve`: configuration in, a running relay out. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd.h"
#include "config.h"
#include "given_socket.h"
#include "jwt_keys.h"
#include "listener.h"
#include "log.h"
#include "pg_link.h"
#include "supervisor.h"
#include "tls.h"
#include "worker.h"

enum {
    OTHER_FILES = 256,       /* open files besides the connections */
    FILES_MAX = 1024 * 1024, /* libwebsockets fails with a limit far above this */
};

struct options {
    const char *config_file;
    bool print_config;
    int worker; /* -1: the whole relay */
    int given_fd; /* listens already, and stays open elsewhere; -1: none */
};

static void print_help(void)
{
    puts("usage: pgherald serve [--config FILE] [--print-config]\n\n"
         "Runs the relay until SIGTERM or SIGINT. SIGHUP reads keys and reloadable values again.\n\n"
         "  --config FILE   read HERALD_* variables from FILE as well; the environment wins\n"
         "  --print-config  show every variable with its value and where it comes from, and exit\n"
         "  --config-table  print the table of variables as Markdown, and exit\n\n"
         "The database must have the schema (`pgherald migrate`); connect as a role that was granted\n"
         "herald_relay, directly or through a session pooler, never through a transaction pooler.\n");
    config_help(stdout);
}

static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                          {"print-config", no_argument, NULL, 'p'},
                                          {"config-table", no_argument, NULL, 't'},
                                          {"worker", required_argument, NULL, 'w'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int name;
    *options = (struct options){.worker = -1, .given_fd = -1};
    opterr = 0;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (name == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        }
        if (name == '?') {
            fprintf(stderr, "pgherald serve: what is `%s`? See pgherald serve --help\n", argv[optind - 1]);
            return 2;
        }
        if (name == 't') {
            config_help_markdown(stdout);
            exit(EXIT_SUCCESS);
        }
        if (name == 'c')
            options->config_file = optarg;
        else if (name == 'p')
            options->print_config = true;
        else
            options->worker = atoi(optarg);
    }
    if (optind == argc)
        return 0;
    fprintf(stderr, "pgherald serve: unexpected argument `%s`; see --help\n", argv[optind]);
    return 2;
}

/* Room for every connection; more than a million open files libwebsockets does not survive. */
static void set_file_limit(const struct config *config)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)(config->max_connections / config->workers) + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (wanted > FILES_MAX)
        wanted = FILES_MAX;
    if (limit.rlim_max < wanted) {
        log_warn("few_open_files", LOG_INT("limit", limit.rlim_max), LOG_INT("wanted", wanted),
                 LOG_STR("remedy", "raise LimitNOFILE (ulimit -Hn) or lower HERALD_MAX_CONNECTIONS"));
        wanted = limit.rlim_max;
    }
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve_as_worker(struct config *config, struct jwt_keys **keys, struct tls_pair **tls, int number)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a worker does not outlive its supervisor */
    return worker_run(config, keys, tls, (struct worker_place){number, SUPERVISOR_LISTEN_FD, SUPERVISOR_BUS_FD, -1});
}

static void remove_socket(const struct listen_address *address)
{
    if (address->is_unix)
        unlink(address->host);
}

/* *address is where a unix socket's file is to be removed at the end: a given socket's is not ours. */
static bool open_sockets(const struct config *config, int given_fd, int *sockets, struct listen_address *address,
                         char error[LISTENER_ERROR_SIZE])
{
    const char *unused;
    *address = (struct listen_address){.is_unix = false};
    if (given_fd < 0) /* config_load() has checked the address */
        return listen_address_parse(config->listen, address, &unused) &&
               listener_open(address, sockets, config->workers, error);
    listener_take(given_fd, sockets, config->workers);
    return true;
}

static int serve_all(struct config *config, struct jwt_keys **keys, struct tls_pair **tls, int given_fd)
{
    int sockets[SUPERVISOR_WORKERS_MAX], admin_socket = -1;
    char error[LISTENER_ERROR_SIZE];
    const char *unused;
    struct listen_address address, admin = {.is_unix = false};
    if (!open_sockets(config, given_fd, sockets, &address, error)) {
        log_error("cannot_listen", LOG_STR("why", error));
        return EXIT_FAILURE;
    }
    if (config->admin_listen && (!listen_address_parse(config->admin_listen, &admin, &unused) ||
                                 !listener_open(&admin, &admin_socket, 1, error))) {
        log_error("cannot_listen", LOG_STR("variable", "HERALD_ADMIN_LISTEN"), LOG_STR("why", error));
        remove_socket(&address);
        return EXIT_FAILURE;
    }
    log_info("serving", LOG_STR("version", PGHERALD_VERSION), LOG_STR("listen", config->listen),
             LOG_STR("socket", given_fd < 0 ? "own" : "given"), LOG_INT("workers", config->workers),
             LOG_STR("tls", config->tls_cert ? "yes" : "no"),
             LOG_STR("auth", config->auth == AUTH_MODE_DEV ? "dev" : "jwt"));
    struct worker_place alone = {0, sockets[0], -1, admin_socket};
    int status = config->workers == 1 ? worker_run(config, keys, tls, alone)
                                      : supervisor_run(config, tls, sockets, admin_socket);
    remove_socket(&address);
    remove_socket(&admin);
    return status;
}

/* Logged what is dangerous, or of no use, but allowed. */
static void warn(const struct config *config, const struct tls_pair *tls)
{
    if (geteuid() == 0)
        log_warn("running_as_root", LOG_STR("remedy", "run the relay as a user of its own"));
    if (config->auth == AUTH_MODE_DEV)
        log_warn("development_tokens", LOG_STR("why", "HERALD_AUTH=dev: anybody may be anybody"));
    tls_pair_warn(tls);
}

static int serve(struct config *config, const struct options *options)
{
    struct jwt_keys *keys = NULL;
    struct tls_pair *tls = NULL;
    struct config_error error;
    char why[JWT_KEYS_ERROR_BYTES], tls_why[TLS_WHY_SIZE];
    if (!config_check_serve(config, &error)) {
        log_error("bad_configuration", LOG_STR("why", error.message));
        return CONFIG_EXIT_STATUS;
    }
    if (config->auth == AUTH_MODE_JWT && !jwt_keys_load(&keys, config->jwt_alg, config->jwt_key_file, why)) {
        log_error("bad_configuration", LOG_STR("variable", "HERALD_JWT_KEY_FILE"), LOG_STR("why", why));
        return CONFIG_EXIT_STATUS;
    }
    if (config->tls_cert && !(tls = tls_pair_load(config->tls_cert, config->tls_key, tls_why))) {
        log_error("bad_configuration", LOG_STR("why", tls_why));
        jwt_keys_free(keys);
        return CONFIG_EXIT_STATUS;
    }
    if (options->worker < 0)
        set_file_limit(config); /* workers inherit it */
    srandom((unsigned)getpid());
    signal(SIGPIPE, SIG_IGN);
    int status;
    if (options->worker >= 0) {
        status = serve_as_worker(config, &keys, &tls, options->worker);
    } else {
        warn(config, tls);
        status = serve_all(config, &keys, &tls, options->given_fd);
    }
    tls_pair_free(tls);
    jwt_keys_free(keys);
    return status;
}

/* Where a given socket listens is the value of HERALD_LISTEN from here on, for the checks, for the log and for workers,
 * whatever file and environment say. */
static bool take_given_socket(struct options *options)
{
    char name[GIVEN_SOCKET_NAME_SIZE], error[GIVEN_SOCKET_ERROR_SIZE];
    if (options->worker >= 0 || options->print_config)
        return true;
    if (!given_socket_take(&options->given_fd, name, error)) {
        fprintf(stderr, "pgherald serve: bad_configuration: %s\n", error);
        return false;
    }
    return options->given_fd < 0 || setenv("HERALD_LISTEN", name, 1) == 0;
}

int cmd_serve(int argc, char **argv)
{
    struct options options;
    struct config config;
    struct config_error error;
    int status = parse_options(argc, argv, &options);
    if (status)
        return status;
    if (!take_given_socket(&options))
        return CONFIG_EXIT_STATUS;
    if (!config_load(&config, options.config_file, environ, &error)) {
        fprintf(stderr, "pgherald serve: bad_configuration: %s\n", error.message);
        return CONFIG_EXIT_STATUS;
    }
    log_open(config.log_level, config.log_format);
    char why[LINK_WHY_SIZE];
    if (!link_check_url(config.database_url, why)) {
        log_error("bad_configuration", LOG_STR("variable", "HERALD_DATABASE_URL"), LOG_STR("why", why));
        config_free(&config);
        return CONFIG_EXIT_STATUS;
    }
    if (options.print_config)
        config_print(stdout, &config);
    else
        status = serve(&config, &options);
    config_free(&config);
    return status;
}
