/* The admin port (HERALD_ADMIN_LISTEN): /metrics, /healthz and /readyz of the whole relay, for operators'
 * machines. Plain HTTP/1 on the loop of whoever has the feed; each connection gets one answer and is closed. */
#ifndef PGHERALD_ADMIN_H
#define PGHERALD_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum {
    ADMIN_HEAD_MAX_BYTES = 8192, /* of a request */
    ADMIN_VISITORS_MAX = 32,     /* beyond, connections are closed */
    ADMIN_SECONDS = 10,          /* for a request to come and its answer to be taken */
};

struct admin;

/* Who knows the answers. */
struct admin_source {
    /* Why no notifications would arrive now, valid until the next turn of the loop; NULL when all is well. */
    const char *(*not_ready)(void *owner);
    char *(*metrics)(void *owner, bool openmetrics, size_t *size); /* the page; freed by the caller */
    void *owner;
};

/* listen_fd stays the caller's; -1 gives NULL, which the others take. */
struct admin *admin_new(uv_loop_t *loop, int listen_fd, struct admin_source source);
void admin_stop_accepting(struct admin *admin); /* before listen_fd is closed */
void admin_close(struct admin *admin);          /* the loop must run once more before admin_free() */
void admin_free(struct admin *admin);

#endif
