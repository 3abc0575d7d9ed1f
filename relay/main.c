/* pgherald: one program, its commands. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "memory.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} command_table[] = {
    {"serve", cmd_serve, "run the relay: WebSocket clients on one side, PostgreSQL on the other"},
    {"dev", cmd_dev, "try it: a private PostgreSQL, the relay and a demo page, in one terminal"},
    {"migrate", cmd_migrate, "create or update the schema `herald` in a database"},
    {"token", cmd_token, "issue a token for a user, to try things or for a program"},
    {"doctor", cmd_doctor, "check everything that is easily got wrong, and say what to do"},
    {"trace", cmd_trace, "where a notification went, to which tabs, and why not"},
};

static void print_help(FILE *out)
{
    fputs("pgherald pushes notifications that an application stores in PostgreSQL to its users' browsers.\n\n"
          "usage: pgherald COMMAND [OPTION...]\n\n",
          out);
    for (size_t i = 0; i < sizeof(command_table) / sizeof(*command_table); i++)
        fprintf(out, "  %-10s%s\n", command_table[i].name, command_table[i].help);
    fputs("\n  --version  print the version\n"
          "  --help     after a command: how to use it\n\n"
          "To begin: `pgherald dev`. In production: `pgherald migrate` as the schema's owner, then\n"
          "`pgherald serve` as a role that was granted herald_relay. Everything is configured by\n"
          "HERALD_* variables; `pgherald serve --help` lists them.\n\n"
          "exit status: 0 ok, 1 failed, 2 wrong usage, 78 bad configuration\n",
          out);
}

int main(int argc, char **argv)
{
    memory_lend_to_libraries();
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("pgherald " PGHERALD_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof(command_table) / sizeof(*command_table); i++)
        if (strcmp(argv[1], command_table[i].name) == 0)
            return command_table[i].run(argc - 1, argv + 1);
    fprintf(stderr, "pgherald: there is no command `%s`; see `pgherald --help`\n", argv[1]);
    return 2;
}
