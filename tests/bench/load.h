/* The clients of a run: opens them a few at a time, knows what has become of them, and passes their messages on. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "client.h"
#include "options.h"
#include "samples.h"
#include "text.h"
#include "token.h"

struct load {
    const struct options *options;
    struct client_hooks hooks;
    struct client *clients;
    unsigned count;
    unsigned user_count;
    unsigned first;      /* the place of clients[0] among all connections of the run, holders' included */
    unsigned begun;      /* opened so far, by load_open */
    unsigned connected;  /* `connected` came */
    unsigned ended;      /* by the server, or refused */
    unsigned ended_early; /* those of them that were never connected */
    int rcvbuf_bytes;
    char (*tokens)[TOKEN_MAX];
    struct samples connect_us; /* from connect() to `connected` */
    void *context;             /* the mode's */
    /* Every message but the `connected` that is counted here; `connected` comes to on_connected. May be NULL. */
    void (*on_text)(struct client *client, enum text_type type, const char *text, size_t size);
    void (*on_connected)(struct client *client, const char *text, size_t size);
    /* Appends to the request's query string what the mode wants. May be NULL. */
    size_t (*on_query)(struct client *client, char *out, size_t room);
};

/* `count` clients of user_count users, the first user being user_first. */
struct load *load_new(const struct options *options, unsigned count, unsigned first, unsigned user_count,
                      unsigned user_first);
/* The load of a client. */
struct load *load_of(const struct client *client);
/* Opens all clients; returns when each is connected or has failed, at most after options->seconds + 60 s. */
void load_open(struct load *load);
void load_open_one(struct load *load, struct client *client);
void load_close(struct load *load);
void load_free(struct load *load);

#endif
