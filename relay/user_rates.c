/* Rates of the users of the HTTP API; see user_rates.h. */
#include "user_rates.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void forget(struct user_rates *rates, struct user_rate *user)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference,clang-analyzer-unix.Malloc): it is in the table */
    HASH_DEL(rates->users, user);
    free(user);
}

static void make_room(struct user_rates *rates)
{
    struct user_rate *user, *next;
    HASH_ITER (hh, rates->users, user, next) {
        if (HASH_COUNT(rates->users) < USER_RATES_MAX)
            return;
        if (!user->under_way)
            forget(rates, user);
    }
}

static struct user_rate *user_new(struct text user_id, uint64_t now_ms, struct rate_limit limit)
{
    struct user_rate *user = memory_zero(sizeof(*user) + user_id.size);
    memcpy(user->id, user_id.bytes, user_id.size);
    user->id_size = (uint32_t)user_id.size;
    rate_start(&user->rate, now_ms, limit);
    return user;
}

struct user_rate *user_rates_enter(struct user_rates *rates, struct text user_id, uint64_t now_ms,
                                   struct rate_limit limit)
{
    struct user_rate *user = NULL;
    HASH_FIND(hh, rates->users, user_id.bytes, user_id.size, user);
    if (user) {
        HASH_DEL(rates->users, user); /* to the end of the order */
    } else {
        make_room(rates);
        user = user_new(user_id, now_ms, limit);
    }
    HASH_ADD_KEYPTR(hh, rates->users, user->id, user->id_size, user);
    user->under_way++;
    return user;
}

void user_rates_leave(struct user_rate *user)
{
    user->under_way--;
}

void user_rates_sweep(struct user_rates *rates, uint64_t now_ms, struct rate_limit limit)
{
    struct user_rate *user, *next;
    HASH_ITER (hh, rates->users, user, next) {
        if (!user->under_way && !rate_is_full(&user->rate, now_ms, limit))
            return; /* those behind have asked later */
        if (!user->under_way)
            forget(rates, user);
    }
}

void user_rates_free(struct user_rates *rates)
{
    struct user_rate *user, *next;
    HASH_ITER (hh, rates->users, user, next)
        forget(rates, user);
}
