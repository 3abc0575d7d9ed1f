/* What is known of each address: how many connections it has here, so that one cannot take them all,
 * and how many of its logins have failed lately, so that guessing costs no processor time. A peer
 * outlives its connections until its failures are forgiven; idle ones are bounded, the one that has
 * been idle longest goes first. IPv6 is counted by /64. Pure but for memory. */
#ifndef PGHERALD_PEERS_H
#define PGHERALD_PEERS_H

#include <stdbool.h>

#include "hash.h"
#include "net_address.h"
#include "rate.h"

enum { PEERS_IDLE_MAX = 16384 };

struct peer {
    struct net_address address; /* of the group */
    int count;                  /* connections */
    struct rate failures;       /* how many more logins may fail */
    bool idle;                  /* without connections, on the list */
    struct peer *idle_prev, *idle_next;
    UT_hash_handle hh;
};

struct peers {
    struct peer *by_address; /* uthash */
    struct peer *idle;       /* utlist, the longest idle first */
    int idle_count;
};

/* One connection more from this address; none is not counted and gives NULL. */
struct peer *peers_enter(struct peers *peers, struct net_address address, uint64_t now_ms,
                         struct rate_limit failures);
/* One less. NULL is allowed. */
void peers_leave(struct peers *peers, struct peer *peer, uint64_t now_ms, struct rate_limit failures);
int peers_count(const struct peers *peers, struct net_address address);

/* How long nobody from there may try to log in; 0: now. */
int64_t peers_login_wait_ms(const struct peers *peers, struct net_address address, uint64_t now_ms,
                            struct rate_limit failures);
void peers_login_failed(struct peers *peers, struct net_address address, uint64_t now_ms,
                        struct rate_limit failures);

/* Now and then: forgets idle peers that are forgiven. */
void peers_sweep(struct peers *peers, uint64_t now_ms, struct rate_limit failures);
void peers_free(struct peers *peers); /* all connections are gone */

#endif
