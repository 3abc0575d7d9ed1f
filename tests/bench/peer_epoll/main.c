/* The benchmark's floor: the least a server can do that pushes rows of PostgreSQL to WebSockets. One loop of epoll,
 * inline NOTIFY, frames sent directly; it believes who the client says it is, checks nothing and forgets what it could
 * not deliver. Usage: bench_epoll PORT CONNINFO */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "database.h"
#include "tabs.h"
#include "web.h"

enum { BACKLOG = 4096, ACCEPT_A_TURN = 64, EVENTS = 512, OPCODE_TEXT = 1, OPCODE_CLOSE = 8 };

static const char listening; /* the listening socket's data in epoll */

static int open_socket(int port, int epoll_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)&listening};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0) {
        perror("bare: listen");
        exit(EXIT_FAILURE);
    }
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

static void accept_some(int listener)
{
    int on = 1, fd;
    for (int i = 0; i < ACCEPT_A_TURN && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; i++) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        tab_new(fd);
    }
}

static void open_tab(struct tab *tab, const char *request, size_t size)
{
    char user[USER_BYTES], out[512], text[256];
    unsigned char head[WEB_HEAD_MAX];
    size_t out_size;
    if (!web_accept(request, size, user, sizeof(user), out, &out_size)) {
        tab_end(tab);
        return;
    }
    int text_size = snprintf(text, sizeof(text),
                             "{\"type\":\"connected\",\"message\":\"Application startup complete\",\"user_id\":\"%s\"}", user);
    size_t head_size = web_head((size_t)text_size, head);
    memcpy(out + out_size, head, head_size);
    memcpy(out + out_size + head_size, text, (size_t)text_size);
    tab->open = true;
    tab_join(tab, user);
    tab_send(tab, out, out_size + head_size + (size_t)text_size);
}

static void take_message(struct tab *tab, const char *text, size_t size)
{
    static const char mark[] = "\"notification_id\":\"";
    const char *id = memmem(text, size, mark, sizeof(mark) - 1);
    if (id && size - (size_t)(id - text) >= sizeof(mark) - 1 + ID_BYTES - 1)
        database_mark(tab->user->id, id + sizeof(mark) - 1, ID_BYTES - 1);
}

/* Returns how many bytes were used. */
static size_t take_bytes(struct tab *tab, unsigned char *bytes, size_t size)
{
    if (!tab->open) {
        const char *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (!end) {
            if (size >= TAB_INPUT_BYTES)
                tab_end(tab);
            return 0;
        }
        open_tab(tab, (const char *)bytes, (size_t)(end + 4 - (char *)bytes));
        return (size_t)(end + 4 - (char *)bytes);
    }
    size_t used = 0, frame;
    int opcode;
    char *payload;
    size_t payload_size;
    while (!tab->ended &&
           (frame = web_frame(bytes + used, size - used, TAB_INPUT_BYTES, &opcode, &payload, &payload_size)) > 0) {
        if (frame == SIZE_MAX || opcode == OPCODE_CLOSE) {
            tab_end(tab);
            break;
        }
        if (opcode == OPCODE_TEXT)
            take_message(tab, payload, payload_size);
        used += frame;
    }
    return used;
}

static void read_tab(struct tab *tab)
{
    static unsigned char buffer[2 * TAB_INPUT_BYTES];
    size_t size = tab->input_size;
    if (size)
        memcpy(buffer, tab->input, size);
    ssize_t got = recv(tab->fd, buffer + size, sizeof(buffer) - size, MSG_DONTWAIT);
    if (got <= 0) {
        tab_end(tab);
        return;
    }
    size += (size_t)got;
    size_t used = take_bytes(tab, buffer, size);
    free(tab->input);
    tab->input = NULL;
    tab->input_size = size - used;
    if (tab->input_size && !(tab->input = malloc(tab->input_size)))
        abort();
    if (tab->input_size)
        memcpy(tab->input, buffer + used, tab->input_size);
}

static void handle(const struct epoll_event *event, int listener)
{
    if (event->data.ptr == &listening) {
        accept_some(listener);
    } else if (event->data.ptr == &database_listener) {
        database_hear();
    } else if (event->data.ptr == &database_writer) {
        database_take();
    } else {
        struct tab *tab = event->data.ptr;
        if (!tab->ended && event->events & EPOLLOUT)
            tab_flush(tab);
        if (!tab->ended && event->events & ~(uint32_t)EPOLLOUT)
            read_tab(tab);
    }
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct epoll_event events[EVENTS];
    if (argc != 3)
        return 2;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tabs_start(epoll_fd);
    database_start(argv[2], epoll_fd);
    int listener = open_socket(atoi(argv[1]), epoll_fd);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            handle(&events[i], listener);
        tabs_free_ended();
        database_send();
    }
}
