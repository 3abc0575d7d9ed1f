/* What a client asks, once it is read and checked: to whom it goes. */
#ifndef PGHERALD_COMMANDS_H
#define PGHERALD_COMMANDS_H

#include "command.h"
#include "session.h"

/* Only for a session that is WAITING (then only authenticate) or OPEN. */
void commands_run(struct session *session, const struct command *command);
/* Answers a frame that is no command. */
void commands_refuse(struct session *session, const char *ref, const struct command_error *error);

#endif
