/* What was measured goes out here: a line of key=value on stdout and, when a file was opened, the same as one line of
 * JSON in it. */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

#include "options.h"

/* Lines are appended. NULL: no file. */
void figure_open(const char *path);
/* How a line begins: the figure's name (the mode's unless options say otherwise), server, label and round. */
void figure_begin(const struct options *options, const char *mode);
void figure_text(const char *name, const char *value);
void figure_number(const char *name, double value, int decimals);
/* Ends the line. */
void figure_end(void);

#endif
