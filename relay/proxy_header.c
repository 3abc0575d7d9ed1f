/* The PROXY protocol; see proxy_header.h. Sections are those of proxy-protocol.txt. */
#include "proxy_header.h"

#include <string.h>

/* §2.2 */
static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum {
    FIXED_BYTES = 16, /* signature, version and command, family and protocol, length */
    VERSION = 2,
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    FAMILY_INET = 1,
    FAMILY_INET6 = 2,
    FAMILY_UNIX = 3,
    PROTOCOL_STREAM = 1,
    PROTOCOL_DATAGRAM = 2,
};

/* ---- version 2 (§2.2) ---- */

/* Bytes of the addresses and ports of a family. */
static size_t addresses_size(int family)
{
    switch (family) {
    case FAMILY_INET:
        return 2 * 4 + 2 * 2;
    case FAMILY_INET6:
        return 2 * 16 + 2 * 2;
    case FAMILY_UNIX:
        return 2 * 108;
    default:
        return 0;
    }
}

/* The source comes first. What is no TCP connection of an IP address keeps the socket's own. */
static bool read_addresses(const uint8_t *at, size_t size, uint8_t what, struct net_address *client)
{
    int family = what >> 4, protocol = what & 0x0f;
    if (family > FAMILY_UNIX || protocol > PROTOCOL_DATAGRAM || size < addresses_size(family))
        return false;
    if (protocol == PROTOCOL_STREAM && family == FAMILY_INET)
        *client = net_address_from_ipv4(at);
    if (protocol == PROTOCOL_STREAM && family == FAMILY_INET6)
        memcpy(client->bytes, at, sizeof(client->bytes));
    return true;
}

/* What follows the addresses (TLVs, §2.2.1 to §2.2.8) is skipped, as §2.2 allows. */
static enum proxy_header_result parse_binary(const uint8_t *bytes, size_t size, struct proxy_header *header)
{
    if (size < FIXED_BYTES)
        return PROXY_HEADER_PARTIAL;
    int version = bytes[12] >> 4, command = bytes[12] & 0x0f;
    size_t behind = (size_t)bytes[14] << 8 | bytes[15];
    header->size = FIXED_BYTES + behind;
    header->client = (struct net_address){0};
    if (version != VERSION || command > COMMAND_PROXY || header->size > PROXY_HEADER_MAX_BYTES)
        return PROXY_HEADER_BAD;
    if (size < header->size)
        return PROXY_HEADER_PARTIAL;
    if (command == COMMAND_LOCAL)
        return PROXY_HEADER_COMPLETE;
    return read_addresses(bytes + FIXED_BYTES, behind, bytes[13], &header->client) ? PROXY_HEADER_COMPLETE
                                                                                   : PROXY_HEADER_BAD;
}

/* ---- version 1 (§2.1) ---- */

/* Takes the next word and the one space behind it; the last word has none. */
static struct text take_word(struct text *rest)
{
    const char *space = memchr(rest->bytes, ' ', rest->size);
    struct text word = {rest->bytes, space ? (size_t)(space - rest->bytes) : rest->size};
    size_t taken = word.size + (space ? 1 : 0);
    *rest = (struct text){rest->bytes + taken, rest->size - taken};
    return word;
}

static bool equals(struct text text, struct text other)
{
    return text.size == other.size && memcmp(text.bytes, other.bytes, other.size) == 0;
}

/* 0 to 65535, without zeros in front. */
static bool is_port(struct text text)
{
    long value = 0;
    if (text.size < 1 || text.size > 5 || (text.size > 1 && text.bytes[0] == '0'))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        value = value * 10 + (text.bytes[i] - '0');
    }
    return value <= 65535;
}

/* The protocol says which of the two spellings it must be. */
static bool read_address(struct text word, bool ipv6, struct net_address *address)
{
    return (memchr(word.bytes, ':', word.size) != NULL) == ipv6 && net_address_parse(word, address);
}

/* line: behind "PROXY ", without the CRLF. */
static bool read_line(struct text line, struct net_address *client)
{
    struct net_address unused;
    struct text protocol = take_word(&line);
    if (equals(protocol, TEXT("UNKNOWN")))
        return true; /* whatever follows is ignored */
    bool ipv6 = equals(protocol, TEXT("TCP6"));
    if (!ipv6 && !equals(protocol, TEXT("TCP4")))
        return false;
    struct text source = take_word(&line), destination = take_word(&line);
    return read_address(source, ipv6, client) && read_address(destination, ipv6, &unused) &&
           is_port(take_word(&line)) && is_port(line);
}

static enum proxy_header_result parse_line(const char *bytes, size_t size, struct proxy_header *header)
{
    size_t prefix = strlen("PROXY ");
    size_t seen = size < PROXY_HEADER_LINE_MAX ? size : PROXY_HEADER_LINE_MAX;
    const char *end = memmem(bytes, seen, "\r\n", 2);
    if (!end)
        return size < PROXY_HEADER_LINE_MAX ? PROXY_HEADER_PARTIAL : PROXY_HEADER_BAD;
    header->size = (size_t)(end - bytes) + 2;
    header->client = (struct net_address){0};
    return read_line((struct text){bytes + prefix, header->size - prefix - 2}, &header->client)
               ? PROXY_HEADER_COMPLETE
               : PROXY_HEADER_BAD;
}

static bool begins_like(const char *bytes, size_t size, const char *expected, size_t expected_size)
{
    return memcmp(bytes, expected, size < expected_size ? size : expected_size) == 0;
}

enum proxy_header_result proxy_header_parse(const char *bytes, size_t size, struct proxy_header *header)
{
    static const char line[] = "PROXY ";
    size_t line_size = strlen(line);
    if (begins_like(bytes, size, signature, sizeof(signature)))
        return parse_binary((const uint8_t *)bytes, size, header);
    if (!begins_like(bytes, size, line, line_size))
        return PROXY_HEADER_BAD;
    return size < line_size ? PROXY_HEADER_PARTIAL : parse_line(bytes, size, header);
}
