/* X-Forwarded-For; see forwarded.h. */
#include "forwarded.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trimmed(struct text text)
{
    while (text.size && is_blank(text.bytes[0]))
        text = (struct text){text.bytes + 1, text.size - 1};
    while (text.size && is_blank(text.bytes[text.size - 1]))
        text.size--;
    return text;
}

/* Up to five digits; which port it is does not matter. */
static bool is_port(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    }
    return text.size >= 1 && text.size <= 5;
}

/* address, 192.0.2.1:port, [2001:db8::1] or [2001:db8::1]:port. */
static bool parse_entry(struct text entry, struct net_address *address)
{
    bool brackets = entry.bytes[0] == '[';
    const char *colon = memchr(entry.bytes, ':', entry.size);
    const char *end = entry.bytes + entry.size, *after = end; /* of the address */
    if (brackets)
        after = memchr(entry.bytes, ']', entry.size);
    else if (colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1)))
        after = colon;
    if (!after)
        return false;
    struct text host = {entry.bytes + brackets, (size_t)(after - entry.bytes) - brackets};
    const char *port = after + brackets;
    if (port < end && (*port != ':' || !is_port((struct text){port + 1, (size_t)(end - port) - 1})))
        return false;
    bool ipv6 = memchr(host.bytes, ':', host.size) != NULL;
    return (ipv6 || !brackets) && net_address_parse(host, address) && !net_address_is_none(*address);
}

static void read_entry(const struct trusted_proxies *proxies, struct text entry, struct net_address *client)
{
    struct net_address address;
    if (!parse_entry(entry, &address))
        *client = (struct net_address){0};
    else if (net_address_is_none(*client) || !trusted_proxies_have(proxies, address))
        *client = address;
}

void forwarded_read(const struct trusted_proxies *proxies, struct text value, struct net_address *client)
{
    const char *at = value.bytes, *end = value.bytes + value.size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        struct text entry = trimmed((struct text){at, (size_t)(stop - at)});
        if (entry.size) /* RFC 9110 §5.6.1.2: empty elements are ignored */
            read_entry(proxies, entry, client);
        at = comma ? comma + 1 : end;
    }
}
