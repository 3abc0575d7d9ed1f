/* What the users of the HTTP API have left of their rate, and how many requests each has under way. A user
 * with a tab has one rate for both. Users are forgotten once their rate is full again; those without a request
 * are bounded, the one that asked longest ago goes first. Pure but for memory. */
#ifndef PGHERALD_USER_RATES_H
#define PGHERALD_USER_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "hash.h"
#include "rate.h"

enum { USER_RATES_MAX = 16384 };

struct user_rate {
    struct rate rate;
    int under_way; /* while there are, the entry stays */
    uint64_t list; /* the number of its last list, see lists.h; 0: none */
    uint32_t id_size;
    UT_hash_handle hh;
    char id[];
};

struct user_rates {
    struct user_rate *users; /* uthash by id, the one that asked longest ago first */
};

/* One more request of this user is under way; its entry, until user_rates_leave(). */
struct user_rate *user_rates_enter(struct user_rates *rates, struct text user_id, uint64_t now_ms,
                                   struct rate_limit limit);
void user_rates_leave(struct user_rate *user);
/* Now and then: forgets who has nothing to be remembered. */
void user_rates_sweep(struct user_rates *rates, uint64_t now_ms, struct rate_limit limit);
void user_rates_free(struct user_rates *rates);

#endif
