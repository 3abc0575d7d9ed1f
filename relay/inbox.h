/* Pages of a user's notifications: get_unread, get_notifications, and the first page for a session that is told its
 * whole state. What is asked for in one turn of the loop shares a statement, one at a time. */
#ifndef PGHERALD_INBOX_H
#define PGHERALD_INBOX_H

#include "command.h"
#include "session.h"

struct relay;
struct page_request;

enum { INBOX_BATCH_MAX = 100 /* pages a statement */ };

struct inbox {
    struct page_request *queue; /* utlist, oldest first: to be asked for */
    bool in_flight;
};

void inbox_read(struct session *session, const struct command *command);
/* The first page of unread ones, for a session that is told its whole state (resume_page()). */
void inbox_first_page(struct session *session);
void inbox_flush(struct relay *relay);   /* at the end of a loop turn */
void inbox_stop(struct inbox *inbox);    /* drops all; its sessions must be gone */

#endif
