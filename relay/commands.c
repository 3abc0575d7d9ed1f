/* Commands: each goes to the module that answers it. */
#include "commands.h"

#include "login.h"
#include "message.h"
#include "relay.h"

void commands_run(struct session *session, const struct command *command)
{
    char cursor[CURSOR_TEXT_SIZE];
    switch (command->type) {
    case COMMAND_PING:
        session_cursor(session, cursor);
        session_push(session, message_pong(cursor, command->ref));
        return;
    case COMMAND_AUTHENTICATE:
        login_start(session, (struct text){command->token, command->token_size},
                    (struct text){command->cursor, command->cursor_size}, command->ref);
        return;
    case COMMAND_RESUME:
        if (session->replay)
            session_push(session, message_error("bad_message", "a catch-up is under way", 0, command->ref));
        else
            resume_start(session, (struct text){command->cursor, command->cursor_size}, command->ref);
        return;
    case COMMAND_GET_UNREAD:
    case COMMAND_GET_NOTIFICATIONS:
        inbox_read(session, command);
        return;
    case COMMAND_MARK_READ:
        marks_add(session, command);
        return;
    case COMMAND_MARK_ALL_READ:
        marks_add_all(session, command);
        return;
    }
}

void commands_refuse(struct session *session, const char *ref, const struct command_error *error)
{
    session_push(session, message_error(error->code, error->message, 0, ref));
}
