/* From claims to user ids; see resolver.h. Claims come in, one statement at a time goes to the
 * desk, and its answers to whoever asked. */
#include "resolver.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "clock.h"
#include "desk.h"
#include "hash.h"
#include "memory.h"
#include "pg_array.h"
#include "relay.h"

enum { SPLIT = 8 /* into so many parts falls a statement that failed */ };

struct want {
    uint64_t asker;
    void *context;
    resolver_done *done;
    struct want *next;
};

/* Claims to be asked for, and who wants to know. */
struct ask {
    struct want *wants;
    struct ask *next; /* in its batch */
    int together;     /* so many may share its statement */
    UT_hash_handle hh;
    size_t size;
    char claims[]; /* zero-terminated */
};

/* The asks of one statement, in its order. */
struct batch {
    struct ask *asks;
    int count;
    uint64_t forgotten; /* when it was sent */
};

struct known {
    uint64_t since_ms;
    UT_hash_handle hh;
    size_t claims_size, user_size;
    char bytes[]; /* claims, user id */
};

/* ---- what is known ---- */

static size_t known_bytes(const struct known *known)
{
    return sizeof(*known) + known->claims_size + known->user_size;
}

/* The oldest, as long as they are of before or there are more bytes than that. */
static void drop_known(struct resolver *resolver, uint64_t before_ms, size_t bytes)
{
    struct known *known, *next;
    HASH_ITER (hh, resolver->known, known, next) {
        if (known->since_ms >= before_ms && resolver->known_bytes <= bytes)
            return;
        resolver->known_bytes -= known_bytes(known);
        /* That the first one has none before it is not known to the analyser.
         * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        HASH_DEL(resolver->known, known);
        free(known);
    }
}

static void drop_expired(struct resolver *resolver)
{
    uint64_t now_ms = clock_now_ms();
    if (now_ms >= RESOLVER_KNOWN_MS)
        drop_known(resolver, now_ms - RESOLVER_KNOWN_MS + 1, SIZE_MAX);
}

static void remember(struct resolver *resolver, const struct ask *ask, struct text user_id)
{
    struct known *known = NULL;
    HASH_FIND_BYHASHVALUE(hh, resolver->known, ask->claims, ask->size, ask->hh.hashv, known);
    if (known)
        return;
    known = memory_new(sizeof(*known) + ask->size + user_id.size);
    known->since_ms = clock_now_ms();
    known->claims_size = ask->size;
    known->user_size = user_id.size;
    memcpy(known->bytes, ask->claims, ask->size);
    memcpy(known->bytes + ask->size, user_id.bytes, user_id.size);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, resolver->known, known->bytes, known->claims_size, ask->hh.hashv, known);
    resolver->known_bytes += known_bytes(known);
    drop_known(resolver, 0, RESOLVER_KNOWN_BYTES);
}

void resolver_forget(struct resolver *resolver)
{
    resolver->forgotten++;
    drop_known(resolver, UINT64_MAX, 0);
}

/* ---- what is asked ---- */

static struct ask *ask_new(const char *claims_json, size_t size)
{
    struct ask *ask = memory_zero(sizeof(*ask) + size + 1);
    ask->together = RESOLVER_BATCH_MAX;
    ask->size = size;
    memcpy(ask->claims, claims_json, size);
    return ask;
}

void resolver_want(struct resolver *resolver, const char *claims_json, uint64_t asker, void *context,
                   resolver_done *done)
{
    size_t size = strlen(claims_json);
    unsigned hash;
    struct ask *ask = NULL;
    HASH_VALUE(claims_json, size, hash);
    HASH_FIND_BYHASHVALUE(hh, resolver->asks, claims_json, size, hash, ask);
    if (!ask) {
        ask = ask_new(claims_json, size);
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, resolver->asks, ask->claims, ask->size, hash, ask);
    }
    struct want *want = memory_new(sizeof(*want));
    *want = (struct want){asker, context, done, ask->wants};
    ask->wants = want;
}

static void ask_free(struct ask *ask)
{
    struct want *want, *next;
    LL_FOREACH_SAFE (ask->wants, want, next)
        free(want);
    free(ask);
}

/* The ask is in no list any more: an asker's answer may make it ask again. */
static void answer(struct relay *relay, struct ask *ask, enum resolver_result result, struct text user_id)
{
    for (const struct want *want = ask->wants; want; want = want->next)
        want->done(relay, want->asker, want->context, result, user_id);
    ask_free(ask);
}

/* Behind what has been asked for since, in smaller company. */
static void ask_again(struct resolver *resolver, struct ask *ask, int together)
{
    struct ask *other = NULL;
    ask->together = together > 1 ? together : 1;
    HASH_FIND_BYHASHVALUE(hh, resolver->asks, ask->claims, ask->size, ask->hh.hashv, other);
    if (!other) {
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, resolver->asks, ask->claims, ask->size, ask->hh.hashv, ask);
        return;
    }
    if (other->together > ask->together)
        other->together = ask->together;
    LL_CONCAT(other->wants, ask->wants);
    ask->wants = NULL;
    ask_free(ask);
}

/* ---- one statement ---- */

static void answer_found(struct relay *relay, struct ask *ask, struct text user_id)
{
    struct resolver *resolver = &relay->resolver;
    if (!user_id.size) {
        answer(relay, ask, RESOLVER_NOBODY, (struct text){0});
        return;
    }
    if (relay->router.live) /* or nobody would say that users have changed */
        remember(resolver, ask, user_id);
    answer(relay, ask, RESOLVER_FOUND, user_id);
}

/* One claims that the application's function cannot take must not refuse all others: parts of the batch are
 * asked again, until it is alone. The same for answers that may be older than what the feed has told. */
static void resolved(struct relay *relay, uint64_t unused, void *context, const struct answer *found)
{
    (void)unused;
    struct batch *batch = context;
    struct resolver *resolver = &relay->resolver;
    struct ask *ask, *next;
    bool failed = !found || answer_error(found) || answer_rows(found) != batch->count;
    bool is_old = batch->forgotten != resolver->forgotten;
    int row = 0;
    resolver->in_flight = false;
    LL_FOREACH_SAFE (batch->asks, ask, next) {
        if (!found || (failed && batch->count == 1))
            answer(relay, ask, RESOLVER_UNAVAILABLE, (struct text){0});
        else if (failed || is_old)
            ask_again(resolver, ask, batch->count / SPLIT);
        else
            answer_found(relay, ask, answer_text(found, row, 0));
        row++;
    }
    free(batch);
    /* It was waited for as long as anybody would wait: those behind need not find out by themselves. */
    while (!found && resolver->asks) {
        ask = resolver->asks;
        HASH_DEL(resolver->asks, ask);
        answer(relay, ask, RESOLVER_UNAVAILABLE, (struct text){0});
    }
}

/* The oldest ask, if it is known or may join the batch. */
static struct ask *take_oldest(struct resolver *resolver, const struct batch *batch, int together, size_t bytes)
{
    struct ask *ask = resolver->asks;
    if (!ask || batch->count >= together)
        return NULL;
    if (batch->count && (batch->count >= ask->together || bytes + ask->size > RESOLVER_BATCH_BYTES))
        return NULL;
    HASH_DEL(resolver->asks, ask);
    return ask;
}

static bool answer_known(struct relay *relay, struct ask *ask)
{
    struct known *known = NULL;
    HASH_FIND_BYHASHVALUE(hh, relay->resolver.known, ask->claims, ask->size, ask->hh.hashv, known);
    if (!known)
        return false;
    /* Copied: an asker's answer may make the resolver forget. */
    char *user_id = memory_copy(known->bytes + known->claims_size, known->user_size);
    relay->counters.lookups[LOOKUP_KNOWN]++;
    answer(relay, ask, RESOLVER_FOUND, (struct text){user_id, known->user_size});
    free(user_id);
    return true;
}

static void add(struct batch *batch, struct ask ***end, struct pg_array *claims, struct ask *ask)
{
    ask->next = NULL;
    **end = ask;
    *end = &ask->next;
    batch->count++;
    pg_array_add(claims, (struct text){ask->claims, ask->size});
}

/* As many as fit; those that are known are answered on the way. */
static void fill(struct relay *relay, struct batch *batch, struct pg_array *claims)
{
    struct ask **end = &batch->asks, *ask;
    int together = RESOLVER_BATCH_MAX;
    size_t bytes = 0;
    while ((ask = take_oldest(&relay->resolver, batch, together, bytes))) {
        if (answer_known(relay, ask))
            continue;
        together = ask->together < together ? ask->together : together;
        bytes += ask->size;
        add(batch, &end, claims, ask);
    }
}

void resolver_flush(struct relay *relay)
{
    struct resolver *resolver = &relay->resolver;
    drop_expired(resolver);
    if (!resolver->asks || resolver->in_flight)
        return;
    struct batch *batch = memory_zero(sizeof(*batch));
    struct pg_array claims = {0};
    fill(relay, batch, &claims);
    batch->forgotten = resolver->forgotten;
    if (!batch->count) {
        free(batch);
        return;
    }
    resolver->in_flight = true;
    relay->counters.lookups[LOOKUP_ASKED] += (uint64_t)batch->count;
    relay->counters.lookups[LOOKUP_STATEMENTS]++;
    desk_submit(relay->desk, &(struct desk_query){.statement = DESK_RESOLVE_USERS,
                                                  .values = {pg_array_end(&claims)},
                                                  .context = batch,
                                                  .done = resolved});
    pg_array_free(&claims);
}

void resolver_stop(struct resolver *resolver)
{
    struct ask *ask, *next;
    HASH_ITER (hh, resolver->asks, ask, next) {
        HASH_DEL(resolver->asks, ask);
        ask_free(ask);
    }
    resolver_forget(resolver);
}
