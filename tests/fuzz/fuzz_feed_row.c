/* Rows of the feed: whatever the columns, a header or a change that says what they say, or none. The first
 * byte of each column is its length, 255 is null; PostgreSQL's texts end with a zero byte. */
#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>

#include "feed_row.h"
#include "message.h"

enum { LENGTH_OF_NULL = 255 };

static void assert_number(struct text column, uint64_t value)
{
    char text[24];
    const char *digits = column.bytes;
    while (digits[0] == '0' && digits[1])
        digits++;
    snprintf(text, sizeof(text), "%" PRIu64, value);
    assert(strcmp(text, digits) == 0);
}

static void assert_header(struct text body, const struct feed_header *header)
{
    char text[256];
    assert(header->snapshot.size && header->snapshot.bytes == body.bytes);
    /* What the numbers say, written again, is what was read, but for zeros in front. */
    const char *part = body.bytes + header->snapshot.size;
    const uint64_t numbers[] = {header->xmin, header->insert_lsn, header->flush_lsn, header->now_us};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        assert(*part == ' ');
        size_t size = strcspn(++part, " ");
        snprintf(text, sizeof(text), "%.*s", (int)size, part);
        assert_number((struct text){text, size}, numbers[i]);
        part += size;
    }
    assert(*part == ' ' && header->settled == (strcmp(part, " t") == 0));
}

static void assert_notification(const struct text columns[FEED_COLUMNS], const struct change *change)
{
    struct uuid id;
    assert(change->user.size);
    assert(uuid_parse(columns[FEED_ID].bytes, columns[FEED_ID].size, &id));
    assert(memcmp(&id, &change->id, sizeof(id)) == 0);
    if (change->kind == CHANGE_DELETED) {
        assert(change->version == 0);
        return;
    }
    assert(change->body.size);
    assert_number(columns[FEED_VERSION], (uint64_t)change->version);
}

static void assert_total(struct text column, const struct change *change)
{
    assert(change->counted == (column.bytes != NULL));
    assert(change->unread <= CHANGE_UNREAD_MAX);
    if (change->counted)
        assert_number(column, change->unread);
}

static void assert_change(const struct text columns[FEED_COLUMNS], const struct change *change)
{
    assert(columns[FEED_KIND].size == 1 && columns[FEED_KIND].bytes[0] == (char)change->kind);
    assert(change->user.bytes == columns[FEED_USER].bytes && change->user.size == columns[FEED_USER].size);
    if (change->kind == CHANGE_NEW || change->kind == CHANGE_UPDATED || change->kind == CHANGE_DELETED) {
        assert_notification(columns, change);
        assert_total(columns[FEED_UNREAD], change);
    }
    assert(change->kind != CHANGE_DISCONNECT || change->user.size);
    assert(change->kind != CHANGE_MESSAGE || change->body.size);

    bool has_frame = change->kind != CHANGE_TRUNCATED && change->kind != CHANGE_DISCONNECT;
    struct change whole = *change;
    whole.cursor = "deadbeef-731";
    struct frame *frame = message_change(&whole);
    assert(has_frame == (frame != NULL));
    if (frame && change->kind != CHANGE_DELETED)
        assert(memmem(frame->bytes, frame->size, change->body.bytes ? change->body.bytes : "",
                      change->body.size));
    frame_drop(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct text columns[FEED_COLUMNS] = {0};
    struct feed_header header;
    struct change change;
    for (int i = 0; i < FEED_COLUMNS; i++) {
        size_t length = input_byte(&input);
        if (length == LENGTH_OF_NULL)
            continue;
        const char *bytes = input_bytes(&input, length, &length);
        columns[i].bytes = zero_terminated(bytes, length);
        columns[i].size = strlen(columns[i].bytes);
    }
    enum feed_row kind = feed_row_read(columns, &header, &change);
    if (kind == FEED_ROW_HEADER)
        assert_header(columns[FEED_BODY], &header);
    else if (kind == FEED_ROW_CHANGE)
        assert_change(columns, &change);
    for (int i = 0; i < FEED_COLUMNS; i++)
        free((void *)(uintptr_t)columns[i].bytes);
    return 0;
}
