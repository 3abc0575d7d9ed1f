/* pgherald dev: an empty folder in, a working pgherald out. It owns a private
 * PostgreSQL and a relay as child processes, starts them in that order, stops
 * them in the other, and leaves nothing running. With --check it does all of
 * that in a temporary folder, proves that a notification arrives, and ends. */
#include "clock.h"
#include "cmd.h"
#include "config.h"
#include "dev_check.h"
#include "dev_postgres.h"
#include "dev_process.h"
#include "dev_relay.h"
#include "migrate.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHECK_LIMIT_MS = 30000, START_LIMIT_MS = 120000 };

extern char **environ;

static const char help[] =
    "usage: pgherald dev [--listen HOST:PORT] [--dir FOLDER] [--check]\n"
    "\n"
    "Starts everything one needs to try pgherald: a private PostgreSQL (its data and socket\n"
    "are in ./.pgherald, nothing listens on the network), the schema, the users alice, bob\n"
    "and ashumba, and the relay with its demo page. Ctrl-C stops it all; the next start goes\n"
    "on with the same data. As root, the children run as user postgres (or nobody).\n"
    "\n"
    "  --listen HOST:PORT  where the relay listens (default: HERALD_LISTEN, else 127.0.0.1:8000)\n"
    "  --dir FOLDER        where the data is (default .pgherald)\n"
    "  --check             on a free port and in a temporary folder: insert a row, see it\n"
    "                      arrive over a WebSocket, mark it read, print one line, exit\n"
    "  --help              this text\n"
    "\n"
    "Anyone who can reach the address can log in as anyone: for development only.\n"
    "Exit status: 0 stopped or checked, 1 failed, 2 usage.\n";

struct dev {
    const char *listen; /* borrowed */
    const char *folder; /* borrowed */
    bool check;
    char check_folder[32]; /* "" unless --check */
    char check_listen[32];
    uint64_t start_ms, deadline_ms;
    const char *step; /* what is going on, for messages */
    struct dev_postgres postgres;
    struct dev_relay relay;
};

/* Returns -1 to go on, else the exit status. */
static int options_read(int argc, char **argv, struct dev *dev)
{
    static const struct option names[] = {{"listen", required_argument, NULL, 'l'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"check", no_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (letter) {
        case 'l':
            dev->listen = optarg;
            break;
        case 'd':
            dev->folder = optarg;
            break;
        case 'c':
            dev->check = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            fprintf(stderr,
                    "pgherald dev: %s is no option here, or lacks its value\ntry pgherald dev --help\n",
                    argv[optind - 1]);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "pgherald dev: unexpected argument %s\ntry pgherald dev --help\n", argv[optind]);
        return 2;
    }
    return -1;
}

/* Variables that point libpq somewhere else, or the relay at something that dev sets itself. */
static void environment_clean(void)
{
    static const char *const ours[] = {"HERALD_ADMIN_LISTEN", "HERALD_TLS_CERT",     "HERALD_TLS_KEY",
                                       "HERALD_HSTS",         "HERALD_JWT_ALG",      "HERALD_JWT_KEY_FILE",
                                       "HERALD_JWT_ISSUER",   "HERALD_JWT_AUDIENCE"};
    char name[128];
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        unsetenv(ours[i]);
    for (char **at = environ; *at;) {
        size_t length = strcspn(*at, "=");
        if (strncmp(*at, "PG", 2) != 0 || length >= sizeof name) {
            at++;
            continue;
        }
        memcpy(name, *at, length);
        name[length] = '\0';
        unsetenv(name); /* closes the gap: the next one is now here */
    }
}

/* ---- stages; each fails with an error, and dev_stop() undoes them all ---- */

static bool place_choose(struct dev *dev, char error[DEV_ERROR_BYTES])
{
    const char *why = NULL;
    dev->step = "choosing a port and a folder";
    if (dev->check) {
        snprintf(dev->check_folder, sizeof dev->check_folder, "/tmp/pgherald-check-XXXXXX");
        if (!mkdtemp(dev->check_folder)) {
            dev->check_folder[0] = '\0';
            return dev_fail(error, "cannot make a folder in /tmp: %s", strerror(errno));
        }
        chmod(dev->check_folder, 0755); /* for the children's user; the data in it is closed */
        dev->folder = dev->check_folder;
        if (!dev->listen && !dev_relay_free_port(dev->check_listen, sizeof dev->check_listen, error))
            return false;
        dev->listen = dev->listen ? dev->listen : dev->check_listen;
    }
    if (!dev->listen)
        dev->listen = getenv("HERALD_LISTEN");
    if (!dev->listen || !dev->listen[0])
        dev->listen = "127.0.0.1:8000";
    if (!listen_address_parse(dev->listen, &dev->relay.address, &why))
        return dev_fail(error, "--listen %s: %s", dev->listen, why);
    if (dev->check && dev->relay.address.is_unix)
        return dev_fail(error, "--check needs a TCP port");
    if ((size_t)snprintf(dev->postgres.home, sizeof dev->postgres.home, "%s", dev->folder) >=
        sizeof dev->postgres.home)
        return dev_fail(error, "the path %s is too long", dev->folder);
    return dev_postgres_open_home(&dev->postgres, error) && dev_relay_port_check(&dev->relay.address, error);
}

static bool database_run(PGconn *db, const char *sql, char error[DEV_ERROR_BYTES])
{
    PGresult *res = PQexec(db, sql);
    ExecStatusType status = PQresultStatus(res);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!ok)
        dev_fail(error, "%.*s", (int)strcspn(PQerrorMessage(db), "\n"), PQerrorMessage(db));
    PQclear(res);
    return ok;
}

/* A connection as the administrator; NULL: error tells why. The caller closes it. */
static PGconn *database_open(const struct dev *dev, char error[DEV_ERROR_BYTES])
{
    char conninfo[DEV_CONNINFO_BYTES];
    dev_postgres_conninfo(&dev->postgres, "postgres", conninfo);
    PGconn *db = PQconnectdb(conninfo);
    if (PQstatus(db) == CONNECTION_OK &&
        database_run(db, "set client_min_messages = warning; set statement_timeout = '20s'", error))
        return db;
    dev_fail(error, "cannot connect to the database: %.*s", (int)strcspn(PQerrorMessage(db), "\n"),
             PQerrorMessage(db));
    PQfinish(db);
    return NULL;
}

static bool schema_make(const struct dev *dev, char error[DEV_ERROR_BYTES])
{
    static const char people[] = "insert into herald.users (id, username) values ('alice', 'alice'), ('bob', "
                                 "'bob'), ('ashumba', 'ashumba')"
                                 " on conflict do nothing;"
                                 "do $$ begin"
                                 " if not exists (select from pg_roles where rolname = 'herald_dev') then "
                                 "create role herald_dev login; end if;"
                                 " end $$;"
                                 "grant herald_relay, herald_app to herald_dev"; /* the latter for samples */
    char reason[MIGRATE_ERROR_BYTES];
    PGconn *db = database_open(dev, error);
    if (!db)
        return false;
    bool ok = migrate_apply(db, MIGRATE_WAIT_S, NULL, reason);
    if (!ok)
        dev_fail(error, "%s", reason);
    ok = ok && database_run(db, people, error);
    PQfinish(db);
    return ok;
}

static bool relay_start(struct dev *dev, char error[DEV_ERROR_BYTES])
{
    char conninfo[DEV_CONNINFO_BYTES], psql[PATH_MAX + DEV_CONNINFO_BYTES];
    dev_postgres_conninfo(&dev->postgres, "herald_dev", conninfo);
    dev_postgres_psql(&dev->postgres, psql);
    setenv("HERALD_DATABASE_URL", conninfo, 1);
    setenv("HERALD_LISTEN", dev->listen, 1);
    setenv("HERALD_AUTH", "dev", 1);
    setenv("HERALD_DEV_PSQL", psql, 1);
    setenv("HERALD_DRAIN_SECONDS", "1", 0);
    setenv("HERALD_WORKERS", "1", 0);
    setenv("HERALD_MAX_CONNECTIONS", "1000", 0); /* fits the usual limit of open files */
    if (dev->check && (size_t)snprintf(dev->relay.log, sizeof dev->relay.log, "%s/relay.log",
                                       dev->postgres.home) >= sizeof dev->relay.log)
        return dev_fail(error, "the path %s is too long", dev->postgres.home);
    return dev_relay_start(&dev->relay, &dev->postgres.user, error) &&
           dev_relay_wait_ready(&dev->relay, dev->deadline_ms, error);
}

static bool dev_start(struct dev *dev, char error[DEV_ERROR_BYTES])
{
    if (!place_choose(dev, error))
        return false;
    dev->step = "making a PostgreSQL cluster";
    if (!dev_postgres_prepare(&dev->postgres, dev->deadline_ms, error))
        return false;
    dev->step = "starting PostgreSQL";
    if (!dev_postgres_start(&dev->postgres, dev->deadline_ms, error))
        return false;
    dev->step = "migrating";
    if (!schema_make(dev, error))
        return false;
    dev->step = "starting the relay";
    return relay_start(dev, error);
}

static void dev_stop(struct dev *dev)
{
    dev_relay_stop(&dev->relay);
    dev_postgres_stop(&dev->postgres);
    if (dev->check_folder[0])
        dev_folder_remove(dev->check_folder);
}

/* ---- what it prints ---- */

static void banner_print(const struct dev *dev)
{
    const struct listen_address *address = &dev->relay.address;
    const char *psql = getenv("HERALD_DEV_PSQL");
    bool everywhere = strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
    bool bracket = strchr(address->host, ':') != NULL;
    const char *host = address->is_loopback || everywhere ? "localhost" : address->host;
    printf("\npgherald is ready (PostgreSQL %d, %s data, %.1f s).\n\n", dev->postgres.major,
           dev->postgres.fresh ? "new" : "the same", (double)(clock_now_ms() - dev->start_ms) / 1e3);
    if (address->is_unix)
        printf("  Listening on the socket %s\n", address->host);
    else
        printf("  Open      http://%s%s%s:%s and see what alice and bob see\n",
               bracket && host == address->host ? "[" : "", host, bracket && host == address->host ? "]" : "",
               address->port);
    printf("  Then paste this into another terminal and watch the page:\n\n"
           "%s -c \"select herald.notify_user('alice', title => 'Hello', message => 'It works')\"\n\n"
           "  Data      %s (remove that folder to start over)\n"
           "  Stop      Ctrl-C\n\n",
           psql ? psql : "psql", dev->postgres.home);
    fflush(stdout);
}

static int failure_print(const struct dev *dev, const char *error)
{
    if (!dev_pause(0) && !dev->check)
        return 0; /* Ctrl-C during the start is a stop like any other */
    if (!dev->check) {
        fprintf(stderr, "pgherald dev: dev_failed: %s\n", error);
        return 1;
    }
    fprintf(stderr, "pgherald dev --check: dev_failed: while %s: %s\n", dev->step, error);
    dev_relay_print_log(&dev->relay, stderr);
    return 1;
}

/* ---- running ---- */

static int dev_check(struct dev *dev, char error[DEV_ERROR_BYTES])
{
    struct dev_check_result result;
    double ready_s = (double)(clock_now_ms() - dev->start_ms) / 1e3;
    dev->step = "connecting to the database";
    PGconn *db = database_open(dev, error);
    if (!db)
        return failure_print(dev, error);
    bool ok = dev_check_run(dev->relay.address.host, atoi(dev->relay.address.port), db, &dev->relay.process,
                            dev->deadline_ms, &result, &dev->step, error);
    PQfinish(db);
    if (!ok)
        return failure_print(dev, error);
    printf("pgherald dev --check: ok (PostgreSQL %d and relay ready in %.1f s, INSERT to WebSocket %.2f ms,"
           " mark_read %.2f ms, read_at is in the row)\n",
           dev->postgres.major, ready_s, result.arrive_ms, result.read_ms);
    return 0;
}

/* Until somebody stops it, or a child ends by itself. */
static int dev_watch(struct dev *dev, char error[DEV_ERROR_BYTES])
{
    char end[64];
    while (dev_process_running(&dev->relay.process) && dev_process_running(&dev->postgres.process)) {
        if (!dev_pause(60000)) {
            printf("\nstopping\n");
            return 0;
        }
    }
    const struct dev_process *ended = dev->relay.process.pid ? &dev->postgres.process : &dev->relay.process;
    dev_process_describe(ended, end, sizeof end);
    if (ended == &dev->postgres.process)
        dev_fail(error, "PostgreSQL %s; its log is %s", end, dev->postgres.log);
    else
        dev_fail(error, "the relay %s; its messages above say why", end);
    return failure_print(dev, error);
}

int cmd_dev(int argc, char **argv)
{
    static struct dev dev; /* large */
    char error[DEV_ERROR_BYTES] = "";
    dev = (struct dev){.folder = ".pgherald", .start_ms = clock_now_ms()};
    int status = options_read(argc, argv, &dev);
    if (status >= 0)
        return status;
    dev.deadline_ms = dev.start_ms + (dev.check ? CHECK_LIMIT_MS : START_LIMIT_MS);
    environment_clean();
    dev_signals_hold();
    if (!dev_start(&dev, error)) {
        status = failure_print(&dev, error);
    } else if (dev.check) {
        status = dev_check(&dev, error);
    } else {
        banner_print(&dev);
        status = dev_watch(&dev, error);
    }
    dev_stop(&dev);
    return status;
}
