/* The table of counters; see counters.h. */
#include "counters.h"

#include <stddef.h>
#include <stdio.h>

#include "log.h"

void counters_refused(struct counters *counters, enum refusal refusal, const char *reason)
{
    counters->handshakes_refused[refusal]++;
    log_info("handshake_refused", LOG_INT("status", refusal_status(refusal)), LOG_STR("reason", reason));
}

static const char *limited_word(int limited)
{
    static const char *const words[LIMITED_MESSAGES] = {
        [LIMITED_BY_CONNECTION] = "connection", [LIMITED_BY_USER] = "user", [LIMITED_BY_ADDRESS] = "address"};
    return words[limited];
}

static const char *lookup_word(int lookup)
{
    static const char *const words[LOOKUPS] = {
        [LOOKUP_KNOWN] = "known", [LOOKUP_ASKED] = "asked", [LOOKUP_STATEMENTS] = "statements"};
    return words[lookup];
}

static const char *dropped_word(int dropped)
{
    static const char *const words[DROPPED_SOCKETS] = {[DROPPED_OUT_OF_FILES] = "out_of_files",
                                                       [DROPPED_PROXY_HEADER] = "proxy_header"};
    return words[dropped];
}

static const struct {
    const char *name;
    size_t offset;
    int size;
    const char *(*word)(int);
} families[] = {
    {"sessions_closed", offsetof(struct counters, sessions_closed), END_REASONS, end_reason_word},
    {"handshakes_refused", offsetof(struct counters, handshakes_refused), REFUSALS, refusal_word},
    {"logins", offsetof(struct counters, logins), LOGIN_RESULTS, login_result_word},
    {"lookups", offsetof(struct counters, lookups), LOOKUPS, lookup_word},
    {"messages_limited", offsetof(struct counters, messages_limited), LIMITED_MESSAGES, limited_word},
    {"sockets_dropped", offsetof(struct counters, sockets_dropped), DROPPED_SOCKETS, dropped_word},
};

void counters_each(const struct counters *counters, counters_visit *visit, void *context)
{
    const uint64_t *all = (const uint64_t *)counters; /* nothing else is in it */
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        const uint64_t *values = &all[families[i].offset / sizeof(*all)];
        for (int j = 0; j < families[i].size; j++)
            visit(context, families[i].name, families[i].word(j), values[j]);
    }
}

enum {
    COUNTERS = END_REASONS + REFUSALS + LOGIN_RESULTS + LOOKUPS + LIMITED_MESSAGES + DROPPED_SOCKETS,
    NAME_SIZE = 64
};

struct line {
    int count;
    char names[COUNTERS][NAME_SIZE];
    struct log_field fields[COUNTERS + 1];
};

static void add_field(void *context, const char *family, const char *word, uint64_t value)
{
    struct line *line = context;
    if (!value)
        return;
    char *name = line->names[line->count];
    snprintf(name, NAME_SIZE, "%s_%s", family, word);
    line->fields[line->count++] = LOG_INT(name, value);
}

void counters_log(const struct counters *counters)
{
    if (!log_enabled(LOG_LEVEL_INFO))
        return;
    struct line line = {.count = 0};
    counters_each(counters, add_field, &line);
    line.fields[line.count] = (struct log_field){.kind = LOG_KIND_END};
    log_write_fields(LOG_LEVEL_INFO, "counters", line.fields);
}
