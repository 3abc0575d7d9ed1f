/* Pages of a user's notifications: get_unread, get_notifications, and the first
 * page for a session that has to be told anew. */
#ifndef PGHERALD_INBOX_H
#define PGHERALD_INBOX_H

#include "command.h"
#include "session.h"

void inbox_read(struct session *session, const struct command *command);
/* `resumed` with resync, then the first page of unread ones. */
void inbox_resync(struct session *session);

#endif
