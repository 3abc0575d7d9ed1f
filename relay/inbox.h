/* Pages of a user's notifications: get_unread, get_notifications, and the first
 * page for a session that is told its whole state. */
#ifndef PGHERALD_INBOX_H
#define PGHERALD_INBOX_H

#include "command.h"
#include "session.h"

void inbox_read(struct session *session, const struct command *command);
/* The first page of unread ones, for a session that is told its whole state (resume_page()). */
void inbox_first_page(struct session *session);

#endif
