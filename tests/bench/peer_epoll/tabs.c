#include "tabs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "web.h"

static int epoll;
static struct user *users;
static struct tab *ended;

void tabs_start(int epoll_fd)
{
    epoll = epoll_fd;
}

static void watch(struct tab *tab, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = tab};
    epoll_ctl(epoll, operation, tab->fd, &event);
}

struct tab *tab_new(int fd)
{
    struct tab *tab = calloc(1, sizeof(*tab));
    if (!tab)
        abort();
    tab->fd = fd;
    watch(tab, EPOLL_CTL_ADD, EPOLLIN);
    return tab;
}

void tab_join(struct tab *tab, const char *id)
{
    struct user *user;
    HASH_FIND_STR(users, id, user);
    if (!user) {
        user = calloc(1, sizeof(*user));
        if (!user)
            abort();
        strncpy(user->id, id, sizeof(user->id) - 1);
        HASH_ADD_STR(users, id, user);
    }
    DL_APPEND2(user->tabs, tab, previous, next);
    tab->user = user;
}

void tab_end(struct tab *tab)
{
    struct user *user = tab->user;
    if (tab->ended)
        return;
    tab->ended = true;
    close(tab->fd);
    if (user) {
        DL_DELETE2(user->tabs, tab, previous, next);
        if (!user->tabs) {
            HASH_DEL(users, user);
            free(user);
        }
    }
    tab->user = NULL;
    tab->next_ended = ended;
    ended = tab;
}

void tabs_free_ended(void)
{
    while (ended) {
        struct tab *tab = ended;
        ended = tab->next_ended;
        free(tab->input);
        free(tab->unsent);
        free(tab);
    }
}

static void keep_unsent(struct tab *tab, const char *bytes, size_t size)
{
    if (tab->unsent_size + size > TAB_UNSENT_MAX) {
        tab_end(tab);
        return;
    }
    if (!tab->unsent_size)
        watch(tab, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    char *grown = realloc(tab->unsent, tab->unsent_size + size + 1); /* never 0 */
    if (!grown)
        abort();
    tab->unsent = grown;
    memcpy(tab->unsent + tab->unsent_size, bytes, size);
    tab->unsent_size += size;
}

void tab_send(struct tab *tab, const char *bytes, size_t size)
{
    ssize_t sent = tab->unsent_size ? 0 : send(tab->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        tab_end(tab);
    else if (sent < (ssize_t)size)
        keep_unsent(tab, bytes + (sent > 0 ? sent : 0), size - (size_t)(sent > 0 ? sent : 0));
}

void tab_flush(struct tab *tab)
{
    ssize_t sent = send(tab->fd, tab->unsent, tab->unsent_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        if (errno != EAGAIN)
            tab_end(tab);
        return;
    }
    tab->unsent_size -= (size_t)sent;
    memmove(tab->unsent, tab->unsent + sent, tab->unsent_size);
    if (!tab->unsent_size)
        watch(tab, EPOLL_CTL_MOD, EPOLLIN);
}

void tabs_tell(const char *id, const char *text, size_t size)
{
    static char frame[WEB_HEAD_MAX + 65536];
    struct user *user;
    HASH_FIND_STR(users, id, user);
    if (!user || size > sizeof(frame) - WEB_HEAD_MAX)
        return;
    size_t head = web_head(size, (unsigned char *)frame);
    memcpy(frame + head, text, size);
    /* Sending may end a tab, and the last one its user. */
    for (struct tab *tab = user->tabs, *next; tab; tab = next) {
        next = tab->next;
        tab_send(tab, frame, head + size);
    }
}
