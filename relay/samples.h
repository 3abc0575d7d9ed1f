/* Sample notifications for the demo page: a request comes in, rows go into the table
 * as an application's would. Only with HERALD_AUTH=dev, and only where the relay's role
 * may call herald.notify_user, as `pgherald dev` lets it. */
#ifndef PGHERALD_SAMPLES_H
#define PGHERALD_SAMPLES_H

#include "frame.h"
#include "relay.h"

/* authorization: the header of a development token, whose user gets them. count: how many, in digits, at most
 * 1000. Answers the HTTP status; 202: they are on their way, and the user's tabs will see them. */
unsigned samples_request(struct relay *relay, const char *authorization, const char *count);

#endif
