/* Splits and checks a listening address; opens nothing. */
#include "listen_address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define UNIX_PREFIX "unix:"

static const char *parse_unix(const char *path, struct listen_address *out)
{
    if (path[0] != '/')
        return "unix:/path, with an absolute path";
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return "unix:/path, with a path of at most 107 bytes";
    out->is_unix = true;
    memcpy(out->host, path, strlen(path) + 1); /* shorter than sun_path, which is shorter than host */
    return NULL;
}

static const char *parse_port(const char *text, struct listen_address *out)
{
    size_t len = strlen(text);
    long port = 0;
    if (len > 0 && len < sizeof out->port && strspn(text, "0123456789") == len)
        port = strtol(text, NULL, 10);
    if (port < 1 || port > 65535)
        return "host:port, with a port from 1 to 65535";
    memcpy(out->port, text, len + 1);
    return NULL;
}

static const char *check_ipv6(struct listen_address *out)
{
    struct in6_addr address;
    if (inet_pton(AF_INET6, out->host, &address) != 1)
        return "[address]:port, with an IPv6 address in the brackets";
    out->is_loopback =
        IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
    return NULL;
}

static bool is_host_name(const char *host)
{
    size_t len = strlen(host);
    return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == len &&
           host[0] != '.' && host[0] != '-';
}

static const char *check_host(struct listen_address *out)
{
    struct in_addr address;
    if (out->host[0] == '\0' || strcmp(out->host, "*") == 0)
        return "host:port; for every address of the machine write 0.0.0.0:port or [::]:port";
    if (strchr(out->host, ':'))
        return "[address]:port for IPv6, for example [::1]:8000";
    if (strspn(out->host, "0123456789.") == strlen(out->host)) {
        if (inet_pton(AF_INET, out->host, &address) != 1)
            return "host:port, with a complete IPv4 address, for example 127.0.0.1:8000";
        out->is_loopback = ntohl(address.s_addr) >> 24 == 127;
        return NULL;
    }
    if (!is_host_name(out->host))
        return "host:port, [address]:port for IPv6, or unix:/path";
    out->is_loopback = strcasecmp(out->host, "localhost") == 0;
    return NULL;
}

static const char *parse_tcp(const char *text, struct listen_address *out)
{
    const char *colon = strrchr(text, ':');
    bool brackets = text[0] == '[';
    if (!colon || (brackets && colon[-1] != ']'))
        return "host:port, [address]:port for IPv6, or unix:/path";

    size_t len = (size_t)(colon - text) - (brackets ? 2 : 0);
    if (len >= sizeof out->host)
        return "host:port, with a host of at most 255 bytes";
    memcpy(out->host, text + brackets, len);
    const char *why = brackets ? check_ipv6(out) : check_host(out);
    return why ? why : parse_port(colon + 1, out);
}

bool listen_address_parse(const char *text, struct listen_address *out, const char **why)
{
    size_t prefix = strlen(UNIX_PREFIX);
    *out = (struct listen_address){0};
    *why = strncmp(text, UNIX_PREFIX, prefix) == 0 ? parse_unix(text + prefix, out) : parse_tcp(text, out);
    return *why == NULL;
}
