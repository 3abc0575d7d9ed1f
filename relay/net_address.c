/* Addresses; see net_address.h. */
#include "net_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { GROUP_BYTES = 8 /* of an IPv6 address */ };

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool net_address_is_none(struct net_address address)
{
    return net_address_equal(address, (struct net_address){0});
}

bool net_address_is_ipv4(struct net_address address)
{
    return memcmp(address.bytes, mapped, sizeof(mapped)) == 0;
}

bool net_address_equal(struct net_address a, struct net_address b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

struct net_address net_address_from_ipv4(const uint8_t bytes[4])
{
    struct net_address address;
    memcpy(address.bytes, mapped, sizeof(mapped));
    memcpy(address.bytes + sizeof(mapped), bytes, 4);
    return address;
}

bool net_address_parse(struct text text, struct net_address *address)
{
    char copy[NET_ADDRESS_TEXT_SIZE];
    uint8_t ipv4[4];
    if (text.size >= sizeof(copy) || memchr(text.bytes, '\0', text.size))
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET6, copy, address->bytes) == 1)
        return true;
    if (inet_pton(AF_INET, copy, ipv4) != 1)
        return false;
    *address = net_address_from_ipv4(ipv4);
    return true;
}

void net_address_format(struct net_address address, char out[NET_ADDRESS_TEXT_SIZE])
{
    if (net_address_is_ipv4(address))
        inet_ntop(AF_INET, address.bytes + sizeof(mapped), out, NET_ADDRESS_TEXT_SIZE);
    else
        inet_ntop(AF_INET6, address.bytes, out, NET_ADDRESS_TEXT_SIZE);
}

struct net_address net_address_from_socket(const struct sockaddr *name, size_t size)
{
    struct net_address address = {0};
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    if (size >= sizeof(ipv4) && name->sa_family == AF_INET) {
        memcpy(&ipv4, name, sizeof(ipv4));
        address = net_address_from_ipv4((const uint8_t *)&ipv4.sin_addr);
    } else if (size >= sizeof(ipv6) && name->sa_family == AF_INET6) {
        memcpy(&ipv6, name, sizeof(ipv6));
        memcpy(address.bytes, &ipv6.sin6_addr, sizeof(address.bytes));
    }
    return address;
}

struct net_address net_address_group(struct net_address address)
{
    if (!net_address_is_ipv4(address))
        memset(address.bytes + GROUP_BYTES, 0, sizeof(address.bytes) - GROUP_BYTES);
    return address;
}
