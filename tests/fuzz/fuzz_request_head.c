/* Heads of HTTP requests as they come in, piece by piece: the verdict on a whole head does not depend on how
 * it was cut, and what was refused stays refused whatever follows. */
#include "fuzz.h"

#include "request_head.h"

/* The parser must not read behind what has come: each prefix is a piece of memory of its own. */
static enum request_head_result parse_prefix(const uint8_t *data, size_t size, struct request_head *head)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    enum request_head_result result = request_head_parse(copy, size, head);
    if (result == REQUEST_HEAD_COMPLETE) {
        assert(head->path.bytes >= copy && head->path.bytes + head->path.size <= copy + size);
        head->path.bytes = (const char *)data + (head->path.bytes - copy);
    }
    free(copy);
    return result;
}

static void assert_complete(const struct request_head *head)
{
    for (size_t i = 0; i < head->path.size; i++)
        assert(head->path.bytes[i] > ' ' && head->path.bytes[i] <= '~' && head->path.bytes[i] != '?');
    assert(head->token_size <= sizeof(head->token));
    assert(head->shows_token || head->token_size == 0);
}

static void assert_same(const struct request_head *a, const struct request_head *b)
{
    assert(a->path.bytes == b->path.bytes && a->path.size == b->path.size);
    assert(a->is_get == b->is_get && a->wants_upgrade == b->wants_upgrade &&
           a->shows_token == b->shows_token);
    assert(a->token_size == b->token_size && memcmp(a->token, b->token, a->token_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request_head whole, cut;
    const uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    enum request_head_result result = parse_prefix(data, size, &whole);
    if (result == REQUEST_HEAD_COMPLETE)
        assert_complete(&whole);
    assert(end ? result != REQUEST_HEAD_PARTIAL : result != REQUEST_HEAD_COMPLETE);

    size_t head_size = end ? (size_t)(end - data) + 4 : size;
    size_t step = 1 + head_size / 16;
    for (size_t have = 0; have < head_size; have += step) {
        enum request_head_result early = parse_prefix(data, have, &cut);
        assert(early != REQUEST_HEAD_COMPLETE);
        assert(early != REQUEST_HEAD_BAD || result == REQUEST_HEAD_BAD);
    }
    assert(parse_prefix(data, head_size, &cut) == result);
    if (result == REQUEST_HEAD_COMPLETE)
        assert_same(&whole, &cut);
    return 0;
}
