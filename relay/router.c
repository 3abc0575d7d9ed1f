/* The table user -> sessions; see router.h. Pure but for memory. */
#include "router.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "hash.h"
#include "memory.h"
#include "session.h"

bool router_is_current(const struct router *router, struct cursor cursor)
{
    return router->cursor[0] && cursor.epoch == router->now.epoch;
}

static uint64_t hash_of(struct text id)
{
    unsigned hash;
    HASH_VALUE(id.bytes, id.size, hash);
    return hash;
}

static bool has_id(const void *item, const void *wanted)
{
    const struct user *user = item;
    const struct text *id = wanted;
    return user->id_size == id->size && memcmp(user->id, id->bytes, id->size) == 0;
}

struct user *router_find(struct router *router, struct text id)
{
    return table_find(&router->users, hash_of(id), has_id, &id);
}

static struct user *user_new(struct router *router, struct text id)
{
    struct user *user = memory_zero(sizeof(*user) + id.size + 1);
    memcpy(user->id, id.bytes, id.size);
    user->id_size = (uint32_t)id.size;
    table_add(&router->users, hash_of(id), user);
    return user;
}

struct user *router_join(struct router *router, struct session *session, struct text id)
{
    struct user *user = router_find(router, id);
    if (!user)
        user = user_new(router, id);
    session->user = user;
    DL_APPEND2(user->tabs, session, tab_prev, tab_next);
    user->tab_count++;
    return user;
}

struct user *router_leave(struct session *session, bool *emptied)
{
    struct user *user = session->user;
    DL_DELETE2(user->tabs, session, tab_prev, tab_next);
    session->user = NULL;
    user->tab_count--;
    *emptied = user->tab_count == 0;
    return user;
}

void router_forget(struct router *router, struct user *user)
{
    table_remove(&router->users, hash_of((struct text){user->id, user->id_size}), user);
    free(user);
}

void router_stop(struct router *router)
{
    table_free(&router->users);
}
