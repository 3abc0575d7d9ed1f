/* The start-up self-test: a bell rung from another connection must be heard on
 * the feed's. Through a transaction pooler it is not, and nothing would ever
 * arrive; better to say so at once. */
#ifndef PGHERALD_POOLER_CHECK_H
#define PGHERALD_POOLER_CHECK_H

#include <stdbool.h>
#include <uv.h>

struct pooler_check;

/* failed is called when the bell was rung and not heard in time. */
struct pooler_check *pooler_check_new(uv_loop_t *loop, const char *database_url,
                                      void (*failed)(void *owner, const char *why), void *owner);
/* The feed listens now: ring. May be called again after the feed has reconnected. */
void pooler_check_ring(struct pooler_check *check);
/* A bell was heard: true when it was ours. */
bool pooler_check_hear(const struct pooler_check *check, const char *payload);
void pooler_check_close(struct pooler_check *check); /* frees itself on the loop */

#endif
