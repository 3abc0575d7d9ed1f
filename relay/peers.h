/* How many connections each address has, so that one cannot take them all. Pure but for memory. */
#ifndef PGHERALD_PEERS_H
#define PGHERALD_PEERS_H

#include "hash.h"

struct peer {
    int count;
    UT_hash_handle hh;
    char address[];
};

struct peers {
    struct peer *by_address; /* uthash */
};

/* One connection more from this address; an empty one is not counted and gives NULL. */
struct peer *peers_enter(struct peers *peers, const char *address);
/* One less; the last one frees it. NULL is allowed. */
void peers_leave(struct peers *peers, struct peer *peer);

#endif
