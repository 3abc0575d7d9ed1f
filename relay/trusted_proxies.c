/* The list of trusted proxies; see trusted_proxies.h. */
#include "trusted_proxies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { ADDRESS_BITS = 128, ENTRY_TEXT_BYTES = NET_ADDRESS_TEXT_SIZE + 5 /* a separator and /128 */ };

/* The byte of a mask of so many bits. */
static uint8_t mask_byte(int prefix, int index)
{
    int bits = prefix - index * 8;
    return bits >= 8 ? 0xff : bits <= 0 ? 0 : (uint8_t)(0xff << (8 - bits));
}

static bool block_has(const struct net_block *block, struct net_address address)
{
    for (int i = 0; i < (int)sizeof(address.bytes); i++) {
        if ((address.bytes[i] & mask_byte(block->prefix, i)) != block->first.bytes[i])
            return false;
    }
    return true;
}

/* One to three digits, none of them a leading zero. */
static bool parse_prefix(const char *text, int max, int *prefix)
{
    size_t size = strlen(text);
    if (size < 1 || size > 3 || strspn(text, "0123456789") != size || (size > 1 && text[0] == '0'))
        return false;
    *prefix = atoi(text);
    return *prefix <= max;
}

/* An address with bits set behind its prefix is taken for a mistake. */
static bool parse_block(const char *text, struct net_block *block)
{
    const char *slash = strchr(text, '/');
    size_t size = slash ? (size_t)(slash - text) : strlen(text);
    if (!net_address_parse((struct text){text, size}, &block->first))
        return false;
    int before = net_address_is_ipv4(block->first) && !memchr(text, ':', size) ? NET_ADDRESS_IPV4_BITS : 0;
    int prefix = ADDRESS_BITS - before;
    if (slash && !parse_prefix(slash + 1, ADDRESS_BITS - before, &prefix))
        return false;
    block->prefix = (uint8_t)(before + prefix);
    return block_has(block, block->first);
}

static bool add_entry(struct trusted_proxies *proxies, const char *entry)
{
    if (strcmp(entry, "unix") == 0) {
        proxies->unix_peers = true;
        return true;
    }
    if (proxies->count == TRUSTED_PROXIES_MAX || !parse_block(entry, &proxies->blocks[proxies->count]))
        return false;
    proxies->count++;
    return true;
}

bool trusted_proxies_parse(const char *text, struct trusted_proxies *out)
{
    static const char separators[] = " ,\t";
    char *copy = memory_copy_text(text), *rest = NULL;
    bool good = true;
    *out = (struct trusted_proxies){0};
    for (char *entry = strtok_r(copy, separators, &rest); entry && good; entry = strtok_r(NULL, separators, &rest))
        good = add_entry(out, entry);
    free(copy);
    return good && (out->unix_peers || out->count > 0);
}

char *trusted_proxies_text(const struct trusted_proxies *proxies)
{
    char address[NET_ADDRESS_TEXT_SIZE];
    size_t size = sizeof("unix") + (size_t)proxies->count * ENTRY_TEXT_BYTES;
    if (!proxies->unix_peers && !proxies->count)
        return NULL;
    char *text = memory_zero(size);
    size_t length = (size_t)snprintf(text, size, "%s", proxies->unix_peers ? "unix" : "");
    for (int i = 0; i < proxies->count; i++) {
        const struct net_block *block = &proxies->blocks[i];
        bool ipv4 = net_address_is_ipv4(block->first) && block->prefix >= NET_ADDRESS_IPV4_BITS;
        net_address_format(block->first, address);
        length += (size_t)snprintf(text + length, size - length, "%s%s/%d", length ? " " : "", address,
                                   block->prefix - (ipv4 ? NET_ADDRESS_IPV4_BITS : 0));
    }
    return text;
}

bool trusted_proxies_have(const struct trusted_proxies *proxies, struct net_address peer)
{
    if (net_address_is_none(peer))
        return proxies->unix_peers;
    for (int i = 0; i < proxies->count; i++) {
        if (block_has(&proxies->blocks[i], peer))
            return true;
    }
    return false;
}
