/* pgherald migrate: a database URL in, an up-to-date schema herald out (or,
 * with --status, a table of what is applied). One blocking connection. */
#include "cmd.h"
#include "config.h"
#include "migrate.h"
#include "pg_blocking.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const char help[] =
    "usage: pgherald migrate [--status] [--wait SECONDS] [--database URL] [--config FILE]\n"
    "\n"
    "Creates the schema herald and its roles, or brings them up to date. Run it as the\n"
    "role that owns (or shall own) the schema, not as the relay's role. Each migration is\n"
    "one transaction; several migrators at once take turns. A table in use is waited for a\n"
    "second at a time, and its writers go on in between.\n"
    "\n"
    "  --status         change nothing: print what is applied; exit 1 if anything is pending\n"
    "  --wait SECONDS   give up when a table has been in use that long; 0 tries once (default 60)\n"
    "  --database URL   libpq URL or keywords; default: HERALD_DATABASE_URL, then libpq's own\n"
    "  --config FILE    read HERALD_* from FILE (the environment wins)\n"
    "  --help           this text\n"
    "\n"
    "The role needs CREATE on the database and, unless herald_relay and herald_app exist\n"
    "already, CREATEROLE.\n"
    "Exit status: 0 up to date, 1 failed or (--status) pending, 2 usage, 78 bad configuration.\n";

enum { WAIT_MAX_S = 86400 };

struct migrate_options {
    bool status;
    int wait_s;
    const char *database; /* borrowed from argv */
    const char *config;
};

static bool wait_read(const char *text, int *seconds)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end || value < 0 || value > WAIT_MAX_S)
        return false;
    *seconds = (int)value;
    return true;
}

/* Returns -1 to go on, else the exit status. */
static int options_read(int argc, char **argv, struct migrate_options *options)
{
    static const struct option names[] = {
        {"status", no_argument, NULL, 's'},         {"wait", required_argument, NULL, 'w'},
        {"database", required_argument, NULL, 'd'}, {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},           {0}};
    int letter;
    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (letter) {
        case 's':
            options->status = true;
            break;
        case 'w':
            if (!wait_read(optarg, &options->wait_s)) {
                fprintf(stderr, "pgherald migrate: --wait takes seconds, 0 to %d, not %s\n", WAIT_MAX_S,
                        optarg);
                return 2;
            }
            break;
        case 'd':
            options->database = optarg;
            break;
        case 'c':
            options->config = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            fprintf(
                stderr,
                "pgherald migrate: %s is no option here, or lacks its value\ntry pgherald migrate --help\n",
                argv[optind - 1]);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "pgherald migrate: unexpected argument %s\ntry pgherald migrate --help\n",
                argv[optind]);
        return 2;
    }
    return -1;
}

static void notice_print(void *unused, const PGresult *res)
{
    (void)unused;
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (text)
        fprintf(stderr, "pgherald migrate: %s\n", text);
}

/* NULL: said why on stderr. */
static PGconn *database_open(const char *url)
{
    char why[LINK_WHY_SIZE];
    const char *code;
    PGconn *db = pg_blocking_connect(url, "pgherald migrate", &code, why);
    if (db)
        PQsetNoticeReceiver(db, notice_print, NULL);
    else
        fprintf(stderr, "pgherald migrate: %s: %s\n", code, why);
    return db;
}

static int database_migrate(PGconn *db, const struct migrate_options *options)
{
    char error[MIGRATE_ERROR_BYTES];
    bool ok, up_to_date = true;
    if (options->status)
        ok = migrate_status(db, stdout, &up_to_date, error);
    else
        ok = migrate_apply(db, options->wait_s, stdout, error);
    if (!ok) {
        fprintf(stderr, "pgherald migrate: %s\n", error);
        return 1;
    }
    if (!options->status)
        printf("database \"%s\" is up to date: migration %d\n", PQdb(db), migrate_newest_id());
    return up_to_date ? 0 : 1;
}

int cmd_migrate(int argc, char **argv)
{
    struct migrate_options options = {.wait_s = MIGRATE_WAIT_S};
    struct config config;
    struct config_error error;
    int status = options_read(argc, argv, &options);
    if (status >= 0)
        return status;
    if (!config_load(&config, options.config, environ, &error)) {
        fprintf(stderr, "pgherald migrate: bad_configuration: %s\n", error.message);
        return CONFIG_EXIT_STATUS;
    }
    status = 1;
    PGconn *db = database_open(options.database ? options.database : config.database_url);
    if (db)
        status = database_migrate(db, &options);
    PQfinish(db);
    config_free(&config);
    return status;
}
