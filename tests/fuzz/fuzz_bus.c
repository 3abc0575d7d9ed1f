/* What a worker reads from its supervisor. The first byte says how the others are cut: whatever they are, the
 * same messages come out, each of a known kind, up to the same broken byte; and what is read is written the
 * same again. */
#include "fuzz.h"

#include "bus.h"

/* Everything that came out, written again. */
struct record {
    struct bus_buffer again;
};

static void on_change(void *owner, const struct change *change, struct frame *frame)
{
    bool has_frame = change->kind != CHANGE_TRUNCATED && change->kind != CHANGE_DISCONNECT;
    assert(has_frame == (frame != NULL));
    assert(memchr("nudtmx", (int)change->kind, 6));
    bus_put_change(&((struct record *)owner)->again, change, frame);
}

static void on_window(void *owner, const char *cursor)
{
    bus_put_window(&((struct record *)owner)->again, cursor);
}

static void on_resync(void *owner, const char *cursor)
{
    bus_put_resync(&((struct record *)owner)->again, cursor);
}

static void on_state(void *owner, bool live, const char *why)
{
    bus_put_state(&((struct record *)owner)->again, live, why);
}

/* As a socket gives them: some bytes at a time. Returns the bytes of whole messages. */
static size_t read_in_pieces(const uint8_t *bytes, size_t size, size_t piece, struct record *record,
                             bool *broken)
{
    const struct bus_sink sink = {on_change, {NULL, on_window, on_resync, on_state, NULL, record}};
    size_t at = 0;
    *broken = false;
    for (size_t have = 0; have < size && !*broken;) {
        have = size - have < piece ? size : have + piece;
        char *copy = malloc(have - at + 1); /* a piece of memory of its own: nothing behind may be read */
        memcpy(copy, bytes + at, have - at);
        size_t used, taken = 0;
        while ((used = bus_take((uint8_t *)copy + taken, have - at - taken, &sink)) && used != BUS_BROKEN) {
            assert(used <= have - at - taken);
            taken += used;
        }
        *broken = used == BUS_BROKEN;
        at += taken;
        free(copy);
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t piece = 1 + (size_t)input_byte(&input) * 3;
    struct record whole = {0}, cut = {0}, twice = {0};
    bool broken, cut_broken, twice_broken;
    size_t read = read_in_pieces(input.at, input.left, input.left, &whole, &broken);
    assert(read_in_pieces(input.at, input.left, piece, &cut, &cut_broken) == read);
    assert(cut_broken == broken && cut.again.size == whole.again.size);
    assert(!cut.again.size || memcmp(cut.again.bytes, whole.again.bytes, cut.again.size) == 0);

    assert(read_in_pieces(whole.again.bytes, whole.again.size, whole.again.size, &twice, &twice_broken) ==
           whole.again.size);
    assert(!twice_broken && twice.again.size == whole.again.size);
    assert(!twice.again.size || memcmp(twice.again.bytes, whole.again.bytes, twice.again.size) == 0);
    free(whole.again.bytes);
    free(cut.again.bytes);
    free(twice.again.bytes);
    return 0;
}
