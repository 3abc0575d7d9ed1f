/* The configuration as people read it: values with their sources, and the table of variables. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config_table.h"

#define HELP_WIDTH 80
#define HELP_INDENT 6

/* In the quotes that env_file.h undoes, if it needs any. */
static void print_quoted(FILE *out, const char *value)
{
    if (!strpbrk(value, " \"'#\\$`")) {
        fputs(value, out);
        return;
    }
    fputc('"', out);
    for (; *value; value++) {
        if (strchr("\"\\$`", *value))
            fputc('\\', out);
        fputc(*value, out);
    }
    fputc('"', out);
}

static void print_source(FILE *out, const struct config *cfg, size_t index)
{
    int line = cfg->source_line[index];
    if (line > 0)
        fprintf(out, "  # %s line %d\n", cfg->file, line);
    else if (line < 0)
        fputs("  # environment\n", out);
    else if (config_table[index].means)
        fprintf(out, "  # default: %s\n", config_table[index].means);
    else
        fputs("  # default\n", out);
}

void config_print(FILE *out, const struct config *cfg)
{
    for (size_t i = 0; i < config_table_size; i++) {
        char *value = config_value_text(cfg, &config_table[i]);
        if (config_table[i].internal && !value)
            continue;
        fprintf(out, "%s%s=", value ? "" : "# ", config_table[i].name);
        if (value)
            print_quoted(out, value);
        print_source(out, cfg, i);
        free(value);
    }
}

/* Words of text, broken before HELP_WIDTH. Bytes are counted, so that "…" counts thrice. */
static void print_wrapped(FILE *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column > 0 && column + 1 + len > HELP_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0)
            column = (size_t)fprintf(out, "%*s", HELP_INDENT, "") + len;
        else
            column += (size_t)fprintf(out, " ") + len;
        fwrite(text, 1, len, out);
        text += len;
        text += *text == ' ';
    }
    fputc('\n', out);
}

/* What holds when the variable is not set. */
static const char *default_text(const struct config_option *option)
{
    if (option->means)
        return option->means;
    return option->fallback ? option->fallback : "not set";
}

/* Types whose form the help text itself explains. */
static bool is_free_text(const struct config_option *option)
{
    return option->type != CONFIG_WORD && option->type != CONFIG_NUMBER && option->type != CONFIG_SWITCH;
}

void config_help(FILE *out)
{
    for (size_t i = 0; i < config_table_size; i++) {
        const struct config_option *option = &config_table[i];
        char allowed[256];
        if (option->internal)
            continue;
        config_describe_allowed(option, allowed, sizeof allowed);
        fprintf(out, "  %s (default: %s)\n", option->name, default_text(option));
        if (!is_free_text(option))
            print_wrapped(out, allowed);
        print_wrapped(out, option->help);
    }
}

void config_help_markdown(FILE *out)
{
    fputs("| variable | default | allowed | SIGHUP | |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < config_table_size; i++) {
        const struct config_option *option = &config_table[i];
        const char *tick = option->means || !option->fallback ? "" : "`"; /* what could be written as a value */
        char allowed[256];
        if (option->internal)
            continue;
        config_describe_allowed(option, allowed, sizeof allowed);
        fprintf(out, "| `%s` | %s%s%s | %s | %s | %s |\n", option->name, tick, default_text(option), tick,
                allowed, option->reloadable ? "yes" : "", option->help);
    }
}
