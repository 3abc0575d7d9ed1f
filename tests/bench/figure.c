#include "figure.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"

static FILE *raw;
static bool begun;

void figure_open(const char *path)
{
    raw = path ? fopen(path, "a") : NULL;
    if (path && !raw)
        fail(path, strerror(errno));
}

void figure_text(const char *name, const char *value)
{
    printf("%s%s=%s", begun ? " " : "", name, value);
    if (raw)
        fprintf(raw, "%s\"%s\":\"%s\"", begun ? "," : "{", name, value);
    begun = true;
}

void figure_number(const char *name, double value, int decimals)
{
    printf("%s%s=%.*f", begun ? " " : "", name, decimals, value);
    if (raw)
        fprintf(raw, "%s\"%s\":%.*f", begun ? "," : "{", name, decimals, value);
    begun = true;
}

void figure_begin(const struct options *options, const char *mode)
{
    figure_text("figure", options->name ? options->name : mode);
    figure_text("server", options->server);
    if (options->label)
        figure_text("label", options->label);
    figure_number("round", options->round, 0);
}

void figure_end(void)
{
    puts("");
    fflush(stdout);
    if (raw) {
        fputs("}\n", raw);
        fflush(raw);
    }
    begun = false;
}
