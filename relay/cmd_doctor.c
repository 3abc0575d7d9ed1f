/* pgherald doctor: a configuration in, one line for each thing an operator may have got wrong out. */
#include "cmd.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "doctor.h"
#include "errors.h"

static const char help[] =
    "usage: pgherald doctor [--config FILE] [--errors]\n"
    "\n"
    "Checks what `pgherald serve` with the same configuration would need: configuration, keys, TLS,\n"
    "the addresses it listens at, the connection, versions, a pooler in between, clocks, migrations,\n"
    "privileges, rows that a restore has brought, triggers, and whether a NOTIFY is heard. One line\n"
    "each: ok, WARN, FAIL or skip, and after a failure its name, what was found, and the remedy. It\n"
    "changes nothing, and may run beside relays that serve. Run it as the relay's user, where the\n"
    "relay runs.\n"
    "\n"
    "  --config FILE  read HERALD_* variables from FILE as well; the environment wins\n"
    "  --errors       print every error's name, cause and remedy as a table in Markdown, and exit\n"
    "  --help         this text\n"
    "\n"
    "Exit status: 0 nothing failed (warnings are allowed), 1 something did, 2 wrong usage,\n"
    "78 a configuration that cannot be read.\n";

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, const char **config_file)
{
    static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                          {"errors", no_argument, NULL, 'e'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int name;
    opterr = 0;
    while ((name = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (name) {
        case 'c':
            *config_file = optarg;
            break;
        case 'e':
            errors_print_markdown(stdout);
            return EXIT_SUCCESS;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            fprintf(stderr, "pgherald doctor: what is `%s`? See pgherald doctor --help\n", argv[optind - 1]);
            return 2;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "pgherald doctor: unexpected argument `%s`; see --help\n", argv[optind]);
    return 2;
}

int cmd_doctor(int argc, char **argv)
{
    const char *config_file = NULL;
    struct config config;
    struct config_error error;
    int status = parse_options(argc, argv, &config_file);
    if (status >= 0)
        return status;
    if (!config_load(&config, config_file, environ, &error)) {
        fprintf(stderr, "pgherald doctor: bad_configuration: %s\n", error.message);
        return CONFIG_EXIT_STATUS;
    }
    log_open(LOG_LEVEL_ERROR, config.log_format); /* what the feed says is in its check's line */
    status = doctor_run(&config, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    config_free(&config);
    return status;
}
