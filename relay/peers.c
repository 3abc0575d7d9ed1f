/* Connections by address; see peers.h. */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct peer *peers_enter(struct peers *peers, const char *address)
{
    struct peer *peer = NULL;
    if (!*address)
        return NULL;
    HASH_FIND_STR(peers->by_address, address, peer);
    if (!peer) {
        size_t size = strlen(address) + 1;
        peer = memory_zero(sizeof(*peer) + size);
        memcpy(peer->address, address, size);
        HASH_ADD_STR(peers->by_address, address, peer);
    }
    peer->count++;
    return peer;
}

void peers_leave(struct peers *peers, struct peer *peer)
{
    if (!peer || --peer->count > 0)
        return;
    HASH_DEL(peers->by_address, peer);
    free(peer);
}
