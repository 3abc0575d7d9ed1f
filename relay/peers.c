/* Connections and failed logins by address; see peers.h. */
#include "peers.h"

#include <stdlib.h>
#include <utlist.h>

#include "memory.h"

static struct peer *find(const struct peers *peers, struct net_address address)
{
    struct peer *peer = NULL;
    struct net_address group = net_address_group(address);
    HASH_FIND(hh, peers->by_address, &group, sizeof(group), peer);
    return peer;
}

static struct peer *find_or_make(struct peers *peers, struct net_address address, uint64_t now_ms,
                                 struct rate_limit failures)
{
    struct peer *peer = find(peers, address);
    if (peer)
        return peer;
    peer = memory_zero(sizeof(*peer));
    peer->address = net_address_group(address);
    rate_start(&peer->failures, now_ms, failures);
    HASH_ADD(hh, peers->by_address, address, sizeof(peer->address), peer);
    return peer;
}

static void stop_idling(struct peers *peers, struct peer *peer)
{
    peer->idle = false;
    DL_DELETE2(peers->idle, peer, idle_prev, idle_next);
    peers->idle_count--;
}

static void forget(struct peers *peers, struct peer *peer)
{
    /* The analyzer cannot know that every idle peer is in the table: the last one empties it.
     * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    HASH_DEL(peers->by_address, peer);
    free(peer);
}

static void forget_longest_idle(struct peers *peers)
{
    struct peer *peer = peers->idle;
    stop_idling(peers, peer);
    forget(peers, peer);
}

/* Without a connection it is kept only for its failures. */
static void keep_idle(struct peers *peers, struct peer *peer, uint64_t now_ms, struct rate_limit failures)
{
    if (rate_is_full(&peer->failures, now_ms, failures)) {
        forget(peers, peer);
        return;
    }
    peer->idle = true;
    DL_APPEND2(peers->idle, peer, idle_prev, idle_next);
    if (++peers->idle_count > PEERS_IDLE_MAX)
        forget_longest_idle(peers);
}

struct peer *peers_enter(struct peers *peers, struct net_address address, uint64_t now_ms,
                         struct rate_limit failures)
{
    if (net_address_is_none(address))
        return NULL;
    struct peer *peer = find_or_make(peers, address, now_ms, failures);
    if (peer->idle)
        stop_idling(peers, peer);
    peer->count++;
    return peer;
}

void peers_leave(struct peers *peers, struct peer *peer, uint64_t now_ms, struct rate_limit failures)
{
    if (peer && --peer->count == 0)
        keep_idle(peers, peer, now_ms, failures);
}

int peers_count(const struct peers *peers, struct net_address address)
{
    const struct peer *peer = find(peers, address);
    return peer ? peer->count : 0;
}

int64_t peers_login_wait_ms(const struct peers *peers, struct net_address address, uint64_t now_ms,
                            struct rate_limit failures)
{
    struct peer *peer = find(peers, address);
    return peer ? rate_wait_ms(&peer->failures, now_ms, failures) : 0;
}

void peers_login_failed(struct peers *peers, struct net_address address, uint64_t now_ms,
                        struct rate_limit failures)
{
    int64_t unused;
    if (net_address_is_none(address))
        return;
    struct peer *peer = find_or_make(peers, address, now_ms, failures);
    rate_take(&peer->failures, now_ms, failures, &unused);
    if (peer->count == 0 && !peer->idle)
        keep_idle(peers, peer, now_ms, failures);
}

void peers_sweep(struct peers *peers, uint64_t now_ms, struct rate_limit failures)
{
    while (peers->idle && rate_is_full(&peers->idle->failures, now_ms, failures))
        forget_longest_idle(peers);
}

void peers_free(struct peers *peers)
{
    struct peer *peer, *next;
    HASH_CLEAR(hh, peers->by_address);
    DL_FOREACH_SAFE2(peers->idle, peer, next, idle_next)
        free(peer);
    *peers = (struct peers){0};
}
