/* pgherald trace: a user or a notification in, where it went and why not out. */
#include "cmd.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "frame.h"
#include "pg_link.h"
#include "tracer.h"
#include "uuid.h"

enum { WAIT_DEFAULT_S = 3, WAIT_MAX_S = 60, USER_MAX_CHARACTERS = 128 };

static const char help[] =
    "usage: pgherald trace --user ID | --notification ID [--wait SECONDS] [--config FILE]\n"
    "\n"
    "Where a notification went: whether its transaction has committed, whether it was deleted or\n"
    "has expired, whether its user may log in, which relays have handed it on, to which tabs, and\n"
    "what still waits for a tab that does not take it. One line for each finding: ok, or WARN or\n"
    "FAIL with its name and the remedy. The relays are asked by the way that notifications take,\n"
    "so an answer means that all that was committed before has come there. Titles, messages and\n"
    "data are not shown. Connects as the relay does.\n"
    "\n"
    "  --user ID          a user's id, as in notifications.user_id: the newest 10 of the user\n"
    "  --notification ID  one notification's id\n"
    "  --wait SECONDS     for the relays' answers, 1 to 60 (default: 3)\n"
    "  --config FILE      read HERALD_* variables from FILE as well; the environment wins\n"
    "  --help             this text\n"
    "\n"
    "A session's number is the one in the log (session_open has its time) and, in hex, the end of\n"
    "the client's session_id.\n"
    "Exit status: 0 nothing failed (warnings are allowed), 1 something did, 2 wrong usage,\n"
    "78 bad configuration.\n";

static int usage(const char *problem, const char *what)
{
    fprintf(stderr, "pgherald trace: %s%s%s\nTry: pgherald trace --help\n", problem, *what ? " " : "", what);
    return 2;
}

static bool wait_read(const char *text, int *wait_s)
{
    char *end = NULL;
    long seconds = strtol(text, &end, 10);
    *wait_s = (int)seconds;
    return end != text && !*end && seconds >= 1 && seconds <= WAIT_MAX_S;
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct tracer_request *request, const char **config_file)
{
    static const struct option names[] = {
        {"user", required_argument, NULL, 'u'}, {"notification", required_argument, NULL, 'n'},
        {"wait", required_argument, NULL, 'w'}, {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},       {0}};
    int name;
    opterr = 0;
    while ((name = getopt_long(argc, argv, "+h", names, NULL)) != -1) {
        switch (name) {
        case 'u':
            request->user = optarg;
            break;
        case 'n':
            request->notification = optarg;
            break;
        case 'w':
            if (!wait_read(optarg, &request->wait_s))
                return usage("--wait must be a whole number of seconds from 1 to 60, not", optarg);
            break;
        case 'c':
            *config_file = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            return usage("no such option, or its value is missing:", argv[optind - 1]);
        }
    }
    return optind < argc ? usage("unexpected argument", argv[optind]) : -1;
}

static int check_request(const struct tracer_request *request)
{
    struct uuid uuid;
    if (!request->user == !request->notification)
        return usage("give either --user or --notification", "");
    if (request->notification && !uuid_parse(request->notification, strlen(request->notification), &uuid))
        return usage("--notification must be a UUID, not", request->notification);
    if (request->user && (!*request->user || text_characters(request->user) > USER_MAX_CHARACTERS))
        return usage("--user must have 1 to 128 characters", "");
    return -1;
}

int cmd_trace(int argc, char **argv)
{
    struct tracer_request request = {.wait_s = WAIT_DEFAULT_S};
    struct config config;
    struct config_error error;
    const char *config_file = NULL;
    char why[LINK_WHY_SIZE];
    int status = parse_options(argc, argv, &request, &config_file);
    if (status < 0)
        status = check_request(&request);
    if (status >= 0)
        return status;
    if (!config_load(&config, config_file, environ, &error)) {
        fprintf(stderr, "pgherald trace: bad_configuration: %s\n", error.message);
        return CONFIG_EXIT_STATUS;
    }
    if (link_check_url(config.database_url, why)) {
        status = tracer_run(&config, &request, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    } else {
        fprintf(stderr, "pgherald trace: bad_configuration: HERALD_DATABASE_URL: %s\n", why);
        status = CONFIG_EXIT_STATUS;
    }
    config_free(&config);
    return status;
}
