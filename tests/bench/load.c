#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

enum { OPEN_S = 60 };

struct load *load_of(const struct client *client)
{
    return client->hooks->context;
}

static size_t write_request(struct client *client, char *out, size_t room)
{
    struct load *load = load_of(client);
    static const char upgrade[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n";
    size_t used = (size_t)snprintf(out, room, "GET /api/v1/notifications/%s?user=bench%u",
                                   client->is_stream ? "stream" : "ws", client->user);
    if (load->on_query)
        used += load->on_query(client, out + used, room - used);
    int size = snprintf(out + used, room - used,
                        "&token=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
                        load->tokens[client->slot % load->user_count], client->is_stream ? "" : upgrade);
    used += (size_t)size;
    if (used >= room)
        fail("client", "the request is too long");
    return used;
}

static void take_text(struct client *client, const char *text, size_t size)
{
    struct load *load = load_of(client);
    enum text_type type = text_type(text, size);
    if (type != TEXT_CONNECTED) {
        if (load->on_text)
            load->on_text(client, type, text, size);
        return;
    }
    samples_add(&load->connect_us, now_us() - client->since_us);
    client->connected = true;
    load->connected++;
    if (load->on_connected)
        load->on_connected(client, text, size);
}

static void take_end(struct client *client)
{
    struct load *load = load_of(client);
    load->ended++;
    if (!client->connected)
        load->ended_early++;
}

static void make_tokens(struct load *load, unsigned user_count, unsigned user_first)
{
    struct token_signer *signer = token_signer_new(load->options->alg, load->options->key);
    char user[32];
    for (unsigned i = 0; i < user_count; i++) {
        snprintf(user, sizeof(user), "bench%u", user_first + i);
        token_make(signer, user, load->tokens[i]);
    }
    token_signer_free(signer);
}

struct load *load_new(const struct options *options, unsigned count, unsigned first, unsigned user_count,
                      unsigned user_first)
{
    struct load *load = calloc(1, sizeof(*load));
    if (!load)
        fail("load", "no memory");
    *load = (struct load){.options = options, .count = count, .first = first, .user_count = user_count,
                          .clients = calloc(count, sizeof(*load->clients)),
                          .tokens = calloc(user_count, sizeof(*load->tokens)),
                          .hooks = {.context = load, .request = write_request, .text = take_text, .ended = take_end}};
    if (!load->clients || !load->tokens)
        fail("load", "no memory");
    bool is_stream = strcmp(options->transport, "sse") == 0;
    for (unsigned i = 0; i < count; i++)
        load->clients[i] = (struct client){
            .hooks = &load->hooks, .slot = i, .user = user_first + i % user_count, .is_stream = is_stream};
    make_tokens(load, user_count, user_first);
    return load;
}

void load_open_one(struct load *load, struct client *client)
{
    int port = load->options->ports[client->slot % (unsigned)load->options->port_count];
    client_open(client, port, load->first, load->rcvbuf_bytes);
}

void load_open(struct load *load)
{
    uint64_t end = now_us() + (uint64_t)OPEN_S * 1000000;
    load->begun = load->connected = load->ended = load->ended_early = 0;
    while (load->connected + load->ended_early < load->count && now_us() < end) {
        while (load->begun < load->count &&
               load->begun - load->connected - load->ended_early < load->options->at_once)
            load_open_one(load, &load->clients[load->begun++]);
        loop_turn(100);
    }
}

void load_close(struct load *load)
{
    for (unsigned i = 0; i < load->count; i++)
        client_close(&load->clients[i]);
}

void load_free(struct load *load)
{
    load_close(load);
    samples_free(&load->connect_us);
    free(load->clients);
    free(load->tokens);
    free(load);
}
