/* All that one relay process (a worker, or the only one) holds together. */
#ifndef PGHERALD_RELAY_H
#define PGHERALD_RELAY_H

#include <uv.h>

#include "api.h"
#include "config.h"
#include "counters.h"
#include "counts.h"
#include "drain.h"
#include "inbox.h"
#include "jwt_keys.h"
#include "lists.h"
#include "marks.h"
#include "resolver.h"
#include "resume.h"
#include "router.h"
#include "session.h"
#include "tally.h"
#include "tls.h"

struct desk;

struct relay {
    const struct config *config;
    struct jwt_keys *keys; /* NULL with HERALD_AUTH=dev */
    struct tls_pair *tls;  /* NULL without TLS */
    uv_loop_t *loop;
    struct desk *desk; /* the connection for reads and write-backs */
    struct desk *list_desk;
    struct sessions sessions;
    struct router router;
    struct resolver resolver;
    struct counts counts;
    struct inbox inbox;
    struct marks marks;
    struct resumes resumes;
    struct drain drain;
    struct api api;
    struct lists lists;
    struct counters counters;
    struct tally tally;
    int guests;  /* connections that show requests and are no session */
    int sharing; /* workers that share the limit of connections; 1: this process alone */
    bool stopping;
};

/* The feed's end in this process: makes frames and gives them to the tabs. */
struct change_sink relay_sink(struct relay *relay);
/* The same for a change whose frame was made by the supervisor. frame may be NULL (t, x). */
void relay_deliver(struct relay *relay, const struct change *change, struct frame *frame);

#endif
