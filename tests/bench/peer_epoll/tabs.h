/* Connected tabs and their users: a frame for a user is made once and sent to each of its tabs, directly; what a
 * socket does not take waits, up to a bound, and whoever goes beyond it is disconnected. */
#ifndef PEER_TABS_H
#define PEER_TABS_H

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

enum { TAB_INPUT_BYTES = 2048, TAB_UNSENT_MAX = 1 << 20, USER_BYTES = 32 };

struct user;

struct tab {
    int fd;
    bool open;  /* the handshake is done */
    bool ended; /* closed; freed at the end of the turn */
    struct user *user;
    struct tab *next, *previous; /* of the same user */
    struct tab *next_ended;
    unsigned char *input; /* what is not a whole request or frame yet, or NULL */
    size_t input_size;
    char *unsent;
    size_t unsent_size;
};

struct user {
    char id[USER_BYTES];
    struct tab *tabs;
    UT_hash_handle hh;
};

void tabs_start(int epoll_fd);
struct tab *tab_new(int fd);
void tab_join(struct tab *tab, const char *user);
/* The tab stays readable memory until tabs_free_ended. */
void tab_end(struct tab *tab);
void tab_send(struct tab *tab, const char *bytes, size_t size);
/* The socket takes bytes again. */
void tab_flush(struct tab *tab);
/* A text message for all tabs of a user. */
void tabs_tell(const char *user, const char *text, size_t size);
void tabs_free_ended(void);

#endif
