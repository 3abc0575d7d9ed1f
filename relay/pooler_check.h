/* The start-up self-test: a bell rung from another connection must be heard on
 * the feed's. Through a transaction pooler it is not, and nothing would ever
 * arrive; better to say so at once. */
#ifndef PGHERALD_POOLER_CHECK_H
#define PGHERALD_POOLER_CHECK_H

#include <stdbool.h>
#include <uv.h>

struct pooler_check;

/* unheard is called when the bell was rung and not heard for 2 s. That is no proof: who listens, or this process, may
 * have stood still. But PostgreSQL sends a bell before the next answer on the connection that listens. */
struct pooler_check *pooler_check_new(uv_loop_t *loop, const char *database_url, void (*unheard)(void *owner),
                                      void *owner);
/* The feed listens now: ring. May be called again after the feed has reconnected. */
void pooler_check_ring(struct pooler_check *check);
/* A bell was heard: true when it was ours. */
bool pooler_check_hear(const struct pooler_check *check, const char *payload);
void pooler_check_close(struct pooler_check *check); /* frees itself on the loop */

#endif
