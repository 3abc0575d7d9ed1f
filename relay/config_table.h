/* The one table of configuration variables: read by config.c, shown by config_print.c. */
#ifndef PGHERALD_CONFIG_TABLE_H
#define PGHERALD_CONFIG_TABLE_H

#include "config.h"

#include <stddef.h>

enum config_type {
    CONFIG_TEXT,         /* char * */
    CONFIG_DATABASE_URL, /* char *, a libpq URL or keyword string */
    CONFIG_LISTEN,       /* char *, see listen_address.h */
    CONFIG_ORIGINS,      /* char *, normalised */
    CONFIG_NUMBER,       /* int, min to max */
    CONFIG_WORD,         /* enum: index in words */
    CONFIG_SWITCH,       /* bool: no or yes */
    CONFIG_RATE,         /* struct rate_limit: N/s:BURST, both 1 to max */
    CONFIG_PROXIES       /* struct trusted_proxies */
};

struct config_option {
    const char *name;
    enum config_type type;
    size_t offset;        /* of the member in struct config */
    const char *fallback; /* the default as one would write it; NULL: unset */
    const char *means;    /* what no value, or a default of 0, stands for; NULL: nothing to add */
    int min;
    int max;
    const char *const *words; /* NULL-terminated, in the order of the enum */
    bool reloadable;          /* SIGHUP may change it */
    bool secret;              /* may hold a password */
    bool internal;            /* not in the documentation */
    const char *help;
};

extern const struct config_option config_table[];
extern const size_t config_table_size;

/* What may be written, as in "must be …". */
void config_describe_allowed(const struct config_option *option, char *out, size_t size);

/* Puts a value into its member; false, and cfg unchanged, if it is not allowed. Then
 * *why may have been pointed at a more exact text than config_describe_allowed() gives (static). */
bool config_value_set(struct config *cfg, const struct config_option *option, const char *value,
                      const char **why);

bool config_value_equal(const struct config *a, const struct config *b, const struct config_option *option);

/* live gets the value of fresh; what it had goes to fresh, or is gone if it is not text. */
void config_value_move(struct config *live, struct config *fresh, const struct config_option *option);
void config_value_clear(struct config *cfg, const struct config_option *option);

/* The value as one would write it; secrets masked. The caller's to free; NULL if unset. */
char *config_value_text(const struct config *cfg, const struct config_option *option);

#endif
