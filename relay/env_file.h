/* One line of an env-format file, as shells, Docker and systemd write them. */
#ifndef PGHERALD_ENV_FILE_H
#define PGHERALD_ENV_FILE_H

enum env_line { ENV_LINE_EMPTY, ENV_LINE_ASSIGNMENT, ENV_LINE_BAD };

/* Reads NAME=value, NAME="value" or NAME='value', with or without export before it. A # at the
 * start, or after white space outside quotes, begins a comment. In double quotes a backslash may
 * stand before " \ $ and `; nothing is ever expanded. line has no newline and is changed: *name
 * and *value point into it. ENV_LINE_BAD: *why says what is wrong (static text). */
enum env_line env_line_parse(char *line, char **name, char **value, const char **why);

#endif
