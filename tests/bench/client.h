/* A minimal client on the event loop, of WebSocket (RFC 6455) or of Server-Sent Events (WHATWG HTML §9.2): thousands in
 * one process, each with no memory of its own but for a message of which only the beginning has come. It answers PINGs
 * and believes whatever the server says. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "loop.h"

enum client_state { CLIENT_CLOSED, CLIENT_CONNECTING, CLIENT_HANDSHAKE, CLIENT_OPEN };

struct client;

/* Told to whoever owns the clients. `text` is valid during the call. */
struct client_hooks {
    void *context;
    /* The TCP connection stands: what to ask for. Returns its size. */
    size_t (*request)(struct client *client, char *out, size_t room);
    void (*text)(struct client *client, const char *text, size_t size);
    /* Ended by the server, or never begun. It is CLOSED and may be opened again. */
    void (*ended)(struct client *client);
};

struct client {
    struct watch watch; /* first: the loop knows only this */
    const struct client_hooks *hooks;
    enum client_state state;
    unsigned slot; /* its place among the clients of its owner */
    unsigned user;
    char *rest; /* a message's beginning, or NULL */
    size_t rest_size;
    bool is_stream; /* Server-Sent Events: it cannot send */
    bool connected; /* `connected` has come */
    uint64_t since_us; /* connecting since, or waiting for an answer since */
    unsigned asked;    /* requests sent */
};

/* Begins to connect from 127.0.0.2 and the addresses after it, 20,000 connections each, `first` being the place of
 * slot 0 in all of them. rcvbuf_bytes: 0 for the kernel's default. */
void client_open(struct client *client, int port, unsigned first, int rcvbuf_bytes);
void client_send(struct client *client, const char *text, size_t size);
/* Stops or begins to read. */
void client_pause(struct client *client, bool pause);
/* Without a close frame, as when a network goes away. */
void client_close(struct client *client);

#endif
