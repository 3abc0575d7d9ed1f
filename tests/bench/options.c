#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, COUNT, RATE, LIST };

/* Values of a struct option: an index into this. */
static const struct {
    const char *name;
    enum kind kind;
    size_t offset;
} known[] = {
    {"server", TEXT, offsetof(struct options, server)},
    {"label", TEXT, offsetof(struct options, label)},
    {"transport", TEXT, offsetof(struct options, transport)},
    {"name", TEXT, offsetof(struct options, name)},
    {"raw", TEXT, offsetof(struct options, raw)},
    {"database", TEXT, offsetof(struct options, database)},
    {"table", TEXT, offsetof(struct options, table)},
    {"alg", TEXT, offsetof(struct options, alg)},
    {"key", TEXT, offsetof(struct options, key)},
    {"round", COUNT, offsetof(struct options, round)},
    {"connections", COUNT, offsetof(struct options, connections)},
    {"users", COUNT, offsetof(struct options, users)},
    {"holders", COUNT, offsetof(struct options, holders)},
    {"at-once", COUNT, offsetof(struct options, at_once)},
    {"window", COUNT, offsetof(struct options, window)},
    {"rows", COUNT, offsetof(struct options, rows)},
    {"count", COUNT, offsetof(struct options, count)},
    {"warm", COUNT, offsetof(struct options, warm)},
    {"seconds", COUNT, offsetof(struct options, seconds)},
    {"bytes", COUNT, offsetof(struct options, bytes)},
    {"slow", COUNT, offsetof(struct options, slow)},
    {"rate", RATE, offsetof(struct options, rate)},
    {"port", LIST, offsetof(struct options, ports)},
    {"pid", LIST, offsetof(struct options, pids)},
    {"postgres", LIST, offsetof(struct options, postgres)},
};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static int read_list(char *text, int *out, int room)
{
    int count = 0;
    char *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one && count < room; one = strtok_r(NULL, ",", &rest))
        out[count++] = atoi(one);
    return count;
}

static void set(struct options *options, int which, char *value)
{
    char *at = (char *)options + known[which].offset;
    unsigned count = (unsigned)strtoul(value, NULL, 10);
    double rate = strtod(value, NULL);
    switch (known[which].kind) {
    case TEXT:
        memcpy(at, &value, sizeof(value));
        break;
    case COUNT:
        memcpy(at, &count, sizeof(count));
        break;
    case RATE:
        memcpy(at, &rate, sizeof(rate));
        break;
    case LIST:
        if (known[which].offset == offsetof(struct options, ports))
            options->port_count = read_list(value, options->ports, OPTIONS_SERVERS_MAX);
        else if (known[which].offset == offsetof(struct options, postgres))
            read_list(value, options->postgres, 1);
        else
            options->pids[read_list(value, options->pids, OPTIONS_SERVERS_MAX)] = -1;
        break;
    }
}

bool options_read(struct options *options, int argc, char **argv, const char **mode)
{
    struct option names[KNOWN + 1] = {0};
    for (int i = 0; i < KNOWN; i++)
        names[i] = (struct option){.name = known[i].name, .has_arg = required_argument, .val = i};
    *options = (struct options){.server = "", .transport = "websocket", .alg = "HS256", .pids = {-1}, .postgres = {-1, -1},
                                .connections = 1000, .users = 1000, .at_once = 100, .window = 1, .rows = 1,
                                .count = 100, .seconds = 10, .bytes = 120};
    for (int which; (which = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (which == '?')
            return false;
        set(options, which, optarg);
    }
    *mode = optind < argc ? argv[optind] : "";
    return true;
}
