/* Rows of herald.feed(); see feed_row.h. */
#include "feed_row.h"

#include <string.h>

/* A decimal of PostgreSQL's. */
static bool read_number(struct text digits, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < digits.size; i++) {
        unsigned digit = (unsigned)digits.bytes[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, digit, out))
            return false;
    }
    return digits.size > 0;
}

static bool split_header(struct text body, struct text parts[FEED_HEADER_PARTS])
{
    for (int i = 0; i < FEED_HEADER_PARTS; i++) {
        const char *space = body.size ? memchr(body.bytes, ' ', body.size) : NULL;
        bool is_last = i == FEED_HEADER_PARTS - 1;
        if (is_last != !space)
            return false;
        parts[i] = (struct text){body.bytes, space ? (size_t)(space - body.bytes) : body.size};
        if (space)
            body = (struct text){space + 1, body.size - parts[i].size - 1};
    }
    return true;
}

static bool read_header(struct text body, struct feed_header *header)
{
    struct text parts[FEED_HEADER_PARTS];
    if (!split_header(body, parts))
        return false;
    header->snapshot = parts[FEED_SNAPSHOT];
    header->settled = parts[FEED_SETTLED].size == 1 && parts[FEED_SETTLED].bytes[0] == 't';
    return header->snapshot.size && read_number(parts[FEED_XMIN], &header->xmin) &&
           read_number(parts[FEED_INSERT_LSN], &header->insert_lsn) &&
           read_number(parts[FEED_FLUSH_LSN], &header->flush_lsn) && read_number(parts[FEED_NOW], &header->now_us);
}

/* Null: not counted. */
static bool read_unread(struct text column, struct change *change)
{
    uint64_t unread = 0;
    change->counted = column.bytes != NULL;
    if (change->counted && (!read_number(column, &unread) || unread > CHANGE_UNREAD_MAX))
        return false;
    change->unread = (uint8_t)unread;
    return true;
}

static bool read_notification(const struct text columns[FEED_COLUMNS], struct change *change, bool has_state)
{
    uint64_t version = 0;
    if (!change->user.size || !columns[FEED_ID].bytes ||
        !uuid_parse(columns[FEED_ID].bytes, columns[FEED_ID].size, &change->id) ||
        !read_unread(columns[FEED_UNREAD], change))
        return false;
    if (!has_state)
        return true;
    if (!change->body.size || !read_number(columns[FEED_VERSION], &version) || version > INT32_MAX)
        return false;
    change->version = (int)version;
    return true;
}

static bool read_change(const struct text columns[FEED_COLUMNS], struct change *change)
{
    *change = (struct change){.user = columns[FEED_USER], .body = columns[FEED_BODY]};
    switch (columns[FEED_KIND].bytes[0]) {
    case 'n':
        change->kind = CHANGE_NEW;
        return read_notification(columns, change, true);
    case 'u':
        change->kind = CHANGE_UPDATED;
        return read_notification(columns, change, true);
    case 'd':
        change->kind = CHANGE_DELETED;
        return read_notification(columns, change, false);
    case 't':
        change->kind = CHANGE_TRUNCATED;
        return true;
    case 'm':
        change->kind = CHANGE_MESSAGE;
        return change->body.size > 0;
    case 'x':
        change->kind = CHANGE_DISCONNECT;
        return change->user.size > 0;
    }
    return false;
}

enum feed_row feed_row_read(const struct text columns[FEED_COLUMNS], struct feed_header *header,
                            struct change *change)
{
    if (columns[FEED_KIND].size != 1)
        return FEED_ROW_BAD;
    if (columns[FEED_KIND].bytes[0] == 'h')
        return read_header(columns[FEED_BODY], header) ? FEED_ROW_HEADER : FEED_ROW_BAD;
    return read_change(columns, change) ? FEED_ROW_CHANGE : FEED_ROW_BAD;
}
