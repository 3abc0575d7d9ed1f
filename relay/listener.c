/* Listening sockets; see listener.h. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    SOCKET_MODE = 0777,
    SEND_BUFFER_BYTES = 128 * 1024, /* per connection, so that a slow client does not fill the kernel */
};

static void close_all(int *sockets, int count)
{
    for (int i = 0; i < count; i++)
        close(sockets[i]);
}

/* Connections that are accepted from it have the same. */
static void set_options(int fd)
{
    int on = 1, bytes = SEND_BUFFER_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* a unix socket has no delay, and refuses */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* For guards: errno stays what it was. */
static int close_failed(int fd)
{
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int bind_inet(const struct addrinfo *info, bool share_port)
{
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    set_options(fd);
    if (share_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    return bind(fd, info->ai_addr, info->ai_addrlen) == 0 ? fd : close_failed(fd);
}

static int open_inet(const struct addrinfo *info, bool share_port)
{
    int fd = bind_inet(info, share_port);
    return fd < 0 || listen(fd, BACKLOG) == 0 ? fd : close_failed(fd);
}

/* A port that somebody else shares by SO_REUSEPORT would be shared with them silently: a
 * socket that does not share finds that out. */
static bool port_is_free(const struct addrinfo *info)
{
    int fd = open_inet(info, false);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static const char *remedy_of_port(int why)
{
    switch (why) {
    case EADDRINUSE:
        return "; another program uses it: stop that one, or choose a free port";
    case EACCES:
        return "; ports below 1024 need CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
        return "; no interface of this machine has this address";
    default:
        return "";
    }
}

static const char *remedy_of_file(int why, const char *path)
{
    struct stat status;
    if (why != EADDRINUSE)
        return "; its folder must be there, and be writable for the relay";
    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return "; a file that is no socket is in the way: remove it, or choose another path";
    return "; another program uses it: stop that one, or choose another path";
}

static void explain(const struct listen_address *address, char error[LISTENER_ERROR_SIZE])
{
    int why = errno;
    const char *remedy = address->is_unix ? remedy_of_file(why, address->host) : remedy_of_port(why);
    snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on %s%s%s%s: %s%s", address->is_unix ? "unix:" : "",
             address->host, address->is_unix ? "" : ":", address->port, strerror(why), remedy);
}

/* NULL: error says why. The caller frees it. */
static struct addrinfo *look_up(const struct listen_address *address, char error[LISTENER_ERROR_SIZE])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *info;
    int failed = getaddrinfo(address->host, address->port, &hints, &info);
    if (!failed)
        return info;
    snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on %s:%s: %s", address->host, address->port,
             gai_strerror(failed));
    return NULL;
}

static bool open_port(const struct listen_address *address, int *sockets, int count,
                      char error[LISTENER_ERROR_SIZE])
{
    struct addrinfo *info = look_up(address, error);
    if (!info)
        return false;
    bool good = count == 1 || port_is_free(info);
    int opened = 0;
    while (good && opened < count) {
        sockets[opened] = open_inet(info, count > 1);
        good = sockets[opened] >= 0;
        opened += good;
    }
    if (!good) {
        explain(address, error);
        close_all(sockets, opened);
    }
    freeaddrinfo(info);
    return good;
}

/* A socket file that nobody answers on is left over from a process that is gone. */
static bool is_stale(const struct sockaddr_un *name)
{
    struct stat status;
    if (stat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof(*name)) != 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return stale;
}

/* False: error says that it is too long. */
static bool name_unix(const struct listen_address *address, struct sockaddr_un *name,
                      char error[LISTENER_ERROR_SIZE])
{
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(address->host) >= sizeof(name->sun_path)) {
        snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on %s: the path has more than %zu bytes",
                 address->host, sizeof(name->sun_path) - 1);
        return false;
    }
    memcpy(name->sun_path, address->host, strlen(address->host) + 1);
    return true;
}

static void share(int fd, int *sockets, int count)
{
    for (int i = 0; i < count; i++)
        sockets[i] = fd;
}

/* Who may go through its folder may connect, as with PostgreSQL's: a proxy is seldom of the relay's user, and to connect
 * one must be allowed to write. */
static int open_file(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)name, sizeof(*name)) == 0 && chmod(name->sun_path, SOCKET_MODE) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    return close_failed(fd);
}

static bool open_unix(const struct listen_address *address, int *sockets, int count,
                      char error[LISTENER_ERROR_SIZE])
{
    struct sockaddr_un name;
    if (!name_unix(address, &name, error))
        return false;
    if (is_stale(&name))
        unlink(name.sun_path);
    int fd = open_file(&name);
    if (fd < 0) {
        explain(address, error);
        return false;
    }
    share(fd, sockets, count);
    return true;
}

void listener_take(int fd, int *sockets, int count)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_options(fd);
    share(fd, sockets, count);
}

bool listener_open(const struct listen_address *address, int *sockets, int count,
                   char error[LISTENER_ERROR_SIZE])
{
    if (address->is_unix)
        return open_unix(address, sockets, count, error);
    return open_port(address, sockets, count, error);
}

/* ---- whether it could be opened ---- */

static enum listener_prospect prospect(int why)
{
    if (why == EADDRINUSE)
        return LISTENER_IN_USE;
    return why == EACCES ? LISTENER_DENIED : LISTENER_IMPOSSIBLE;
}

/* It binds but does not listen: a relay that starts meanwhile is not hindered, and no client is taken. */
static enum listener_prospect try_port(const struct listen_address *address, char error[LISTENER_ERROR_SIZE])
{
    enum listener_prospect result = LISTENER_FREE;
    struct addrinfo *info = look_up(address, error);
    if (!info)
        return LISTENER_IMPOSSIBLE;
    int fd = bind_inet(info, false);
    if (fd < 0) {
        result = prospect(errno);
        explain(address, error);
    } else {
        close(fd);
    }
    freeaddrinfo(info);
    return result;
}

static bool folder_is_writable(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    int size = (int)(strrchr(path, '/') - path);
    snprintf(folder, sizeof(folder), "%.*s", size ? size : 1, path);
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Nothing is bound: the name would be in the way of a relay that starts meanwhile. */
static enum listener_prospect try_unix(const struct listen_address *address, char error[LISTENER_ERROR_SIZE])
{
    struct sockaddr_un name;
    struct stat status;
    if (!name_unix(address, &name, error))
        return LISTENER_IMPOSSIBLE;
    bool there = stat(name.sun_path, &status) == 0, socket_there = there && S_ISSOCK(status.st_mode);
    if (!there || (socket_there && is_stale(&name))) {
        if (folder_is_writable(name.sun_path))
            return LISTENER_FREE;
    } else {
        errno = EADDRINUSE;
    }
    enum listener_prospect result = there && !socket_there ? LISTENER_IMPOSSIBLE : prospect(errno);
    explain(address, error);
    return result;
}

enum listener_prospect listener_try(const struct listen_address *address, char error[LISTENER_ERROR_SIZE])
{
    return address->is_unix ? try_unix(address, error) : try_port(address, error);
}
