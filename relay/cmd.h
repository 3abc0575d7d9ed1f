/* The subcommands: argv[0] is its own name, argc counts it; each
 * returns the exit status: 0 ok, 1 failed, 2 usage, 78 bad configuration. */
#ifndef PGHERALD_CMD_H
#define PGHERALD_CMD_H

int cmd_serve(int argc, char **argv);
int cmd_dev(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_trace(int argc, char **argv);

#endif
