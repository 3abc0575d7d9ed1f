/* The socket of a service manager, its kind checked and its name read; see given_socket.h. */
#include "given_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

union name {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
};

__attribute__((format(printf, 2, 3))) static bool fail(char *error, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(error, GIVEN_SOCKET_ERROR_SIZE, format, values);
    va_end(values);
    return false;
}

/* False: of another family, or of a unix socket without a file. */
static bool print_name(const union name *from, socklen_t size, char name[GIVEN_SOCKET_NAME_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    switch (from->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &from->ipv4.sin_addr, host, sizeof(host));
        snprintf(name, GIVEN_SOCKET_NAME_SIZE, "%s:%d", host, ntohs(from->ipv4.sin_port));
        return true;
    case AF_INET6:
        inet_ntop(AF_INET6, &from->ipv6.sin6_addr, host, sizeof(host));
        snprintf(name, GIVEN_SOCKET_NAME_SIZE, "[%s]:%d", host, ntohs(from->ipv6.sin6_port));
        return true;
    case AF_UNIX:
        if (size <= offsetof(struct sockaddr_un, sun_path) || from->local.sun_path[0] != '/')
            return false;
        snprintf(name, GIVEN_SOCKET_NAME_SIZE, "unix:%.*s", (int)sizeof(from->local.sun_path), from->local.sun_path);
        return true;
    default:
        return false;
    }
}

bool given_socket_take(int *fd, char name[GIVEN_SOCKET_NAME_SIZE], char error[GIVEN_SOCKET_ERROR_SIZE])
{
    union name from = {0};
    socklen_t size = sizeof(from);
    *fd = -1;
    int count = sd_listen_fds(1);
    if (count == 0)
        return true;
    if (count < 0)
        return fail(error, "LISTEN_FDS: %s", strerror(-count));
    if (count > 1)
        return fail(error, "the service manager gives %d sockets, but only the clients' port can be one: a single "
                           "ListenStream=", count);
    if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return fail(error, "the service manager's socket does not listen for streams: use ListenStream= and Accept=no");
    if (getsockname(SD_LISTEN_FDS_START, &from.any, &size) != 0)
        return fail(error, "the service manager's socket: %s", strerror(errno));
    if (!print_name(&from, size, name))
        return fail(error, "the service manager's socket must be of IPv4, IPv6, or a unix socket with an absolute path");
    *fd = SD_LISTEN_FDS_START;
    return true;
}

bool given_socket_is_there(void)
{
    return sd_listen_fds(0) != 0;
}
