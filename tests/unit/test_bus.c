/* Messages between the processes of a relay: what goes in comes out, whole, however it is cut. */
#include "bus.h"
#include "message.h"
#include "run_suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID "01234567-89ab-cdef-0123-456789abcdef"

/* What came out, one line a message. */
static char log_text[4096];
static size_t log_size;

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(log_text + log_size, sizeof(log_text) - log_size, format, arguments);
    va_end(arguments);
    log_size += (size_t)written;
    ck_assert_uint_lt(log_size, sizeof(log_text));
}

static int the_owner;

static void on_change(void *owner, const struct change *change, struct frame *frame)
{
    char id[UUID_TEXT_SIZE];
    ck_assert_ptr_eq(owner, &the_owner);
    uuid_format(&change->id, id);
    note("change %c user=%.*s id=%s version=%d frame=", change->kind, (int)change->user.size,
         change->user.bytes, id, change->version);
    if (frame)
        note("%.*s\n", (int)frame_payload(frame).size, frame_payload(frame).bytes);
    else
        note("none\n");
}

static void on_window(void *owner, const char *cursor)
{
    ck_assert_ptr_eq(owner, &the_owner);
    note("window %s\n", cursor);
}

static void on_resync(void *owner, const char *cursor)
{
    ck_assert_ptr_eq(owner, &the_owner);
    note("resync %s\n", cursor);
}

static void on_state(void *owner, bool live, const char *why)
{
    ck_assert_ptr_eq(owner, &the_owner);
    note("state %s %s\n", live ? "live" : "down", why);
}

static const struct bus_sink sink = {on_change, {NULL, on_window, on_resync, on_state, NULL, &the_owner}};

static void start(void)
{
    log_size = 0;
    log_text[0] = '\0';
}

static void put_change(struct bus_buffer *out, enum change_kind kind, const char *user, int version,
                       const char *frame_text)
{
    struct change change = {.kind = kind, .user = text_of(user), .version = version};
    ck_assert(uuid_parse(ID, sizeof(ID) - 1, &change.id));
    struct text payload = text_of(frame_text);
    struct frame *frame = frame_text ? frame_new_text(&payload, 1) : NULL;
    bus_put_change(out, &change, frame);
    frame_drop(frame);
}

static void put_new(struct bus_buffer *out)
{
    put_change(out, CHANGE_NEW, "alice", 1, "{\"type\":\"new_notification\"}");
}

static void put_updated(struct bus_buffer *out)
{
    put_change(out, CHANGE_UPDATED, "caf\xc3\xa9", INT32_MAX, "{}");
}

static void put_message_to_all(struct bus_buffer *out)
{
    put_change(out, CHANGE_MESSAGE, NULL, 0, "{\"type\":\"system_alert\"}");
}

static void put_truncated(struct bus_buffer *out)
{
    put_change(out, CHANGE_TRUNCATED, NULL, 0, NULL);
}

static void put_disconnect(struct bus_buffer *out)
{
    put_change(out, CHANGE_DISCONNECT, "bob", 0, NULL);
}

static void put_window(struct bus_buffer *out)
{
    bus_put_window(out, "deadbeef-731");
}

static void put_resync(struct bus_buffer *out)
{
    bus_put_resync(out, "deadbeef-731");
}

static void put_live(struct bus_buffer *out)
{
    bus_put_state(out, true, "");
}

static void put_down(struct bus_buffer *out)
{
    bus_put_state(out, false, "the database is starting up");
}

static const struct {
    void (*put)(struct bus_buffer *out);
    const char *expected;
} messages[] = {
    {put_new, "change n user=alice id=" ID " version=1 frame={\"type\":\"new_notification\"}\n"},
    {put_updated, "change u user=caf\xc3\xa9 id=" ID " version=2147483647 frame={}\n"},
    {put_message_to_all, "change m user= id=" ID " version=0 frame={\"type\":\"system_alert\"}\n"},
    {put_truncated, "change t user= id=" ID " version=0 frame=none\n"},
    {put_disconnect, "change x user=bob id=" ID " version=0 frame=none\n"},
    {put_window, "window deadbeef-731\n"},
    {put_resync, "resync deadbeef-731\n"},
    {put_live, "state live \n"},
    {put_down, "state down the database is starting up\n"},
};

/* Takes from exactly these bytes, so that a sanitizer sees what is read behind them. */
static size_t take(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    size_t used = bus_take(copy, size, &sink);
    free(copy);
    return used;
}

START_TEST(each_message_comes_out_as_it_went_in)
{
    struct bus_buffer out = {0};
    messages[_i].put(&out);
    ck_assert_uint_eq(take(out.bytes, out.size), out.size);
    ck_assert_str_eq(log_text, messages[_i].expected);
    free(out.bytes);
}
END_TEST

START_TEST(a_message_is_taken_only_when_it_is_whole)
{
    struct bus_buffer out = {0};
    messages[_i].put(&out);
    for (size_t size = 0; size < out.size; size++)
        ck_assert_uint_eq(take(out.bytes, size), 0);
    ck_assert_str_eq(log_text, "");
    free(out.bytes);
}
END_TEST

/* All messages, twice, into one buffer; returns what must come out. The caller frees it. */
static char *put_all(struct bus_buffer *out)
{
    char *expected = calloc(1, sizeof(log_text));
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < LENGTH(messages); i++) {
            messages[i].put(out);
            strcat(expected, messages[i].expected);
        }
    }
    return expected;
}

START_TEST(messages_behind_each_other_come_out_in_their_order)
{
    struct bus_buffer out = {0};
    char *expected = put_all(&out);
    size_t at = 0, used;
    while ((used = take(out.bytes + at, out.size - at)))
        at += used;
    ck_assert_uint_eq(at, out.size);
    ck_assert_str_eq(log_text, expected);
    free(expected);
    free(out.bytes);
}
END_TEST

/* As a socket gives them: some bytes at a time, what is not whole is kept. */
START_TEST(a_stream_may_be_cut_anywhere)
{
    struct bus_buffer out = {0};
    char *expected = put_all(&out);
    size_t piece = (size_t)_i, kept = 0;
    uint8_t *in = malloc(out.size);
    for (size_t at = 0; at < out.size; at += piece) {
        size_t more = out.size - at < piece ? out.size - at : piece;
        memcpy(in + kept, out.bytes + at, more);
        kept += more;
        size_t used;
        while ((used = bus_take(in, kept, &sink))) {
            memmove(in, in + used, kept - used);
            kept -= used;
        }
    }
    ck_assert_uint_eq(kept, 0);
    ck_assert_str_eq(log_text, expected);
    free(in);
    free(expected);
    free(out.bytes);
}
END_TEST

static struct change counted;

static void on_counted(void *owner, const struct change *change, struct frame *frame)
{
    (void)owner, (void)frame;
    counted = *change;
}

/* A total, or -1 for none. */
START_TEST(a_change_keeps_what_was_counted_along)
{
    static const int totals[] = {-1, 0, 1, CHANGE_UNREAD_MAX};
    for (int i = 0; i < LENGTH(totals); i++) {
        struct change change = {.kind = CHANGE_NEW, .user = TEXT("alice"), .counted = totals[i] >= 0};
        change.unread = change.counted ? (uint8_t)totals[i] : 0;
        struct frame *frame = frame_new_text(&TEXT("{}"), 1);
        struct bus_buffer out = {0};
        bus_put_change(&out, &change, frame);
        ck_assert_uint_eq(bus_take(out.bytes, out.size, &(struct bus_sink){.change = on_counted}), out.size);
        ck_assert_int_eq(counted.counted, change.counted);
        if (change.counted)
            ck_assert_int_eq(counted.unread, change.unread);
        frame_drop(frame);
        free(out.bytes);
    }
}
END_TEST

static struct frame seen; /* without its bytes */

static void on_typed(void *owner, const struct change *change, struct frame *frame)
{
    (void)owner, (void)change;
    seen.type = frame->type;
    seen.since_us = frame->since_us;
}

START_TEST(a_frame_keeps_its_type_and_its_time)
{
    struct change change = {.kind = CHANGE_UPDATED, .user = TEXT("alice"), .body = TEXT("{}"), .cursor = ""};
    struct frame *frame = message_change(&change);
    struct bus_buffer out = {0};
    frame->since_us = INT64_MIN + 5;
    bus_put_change(&out, &change, frame);
    ck_assert_uint_eq(bus_take(out.bytes, out.size, &(struct bus_sink){.change = on_typed}), out.size);
    ck_assert_int_eq(seen.type, FRAME_NOTIFICATION_UPDATED);
    ck_assert_int_eq(seen.since_us, INT64_MIN + 5);
    frame_drop(frame);
    free(out.bytes);
}
END_TEST

static size_t big_size;

static void on_big_change(void *owner, const struct change *change, struct frame *frame)
{
    (void)owner, (void)change;
    big_size = frame->size;
    for (size_t i = 10; i < frame->size; i++)
        ck_assert_uint_eq(frame->bytes[i], 'x');
}

START_TEST(a_frame_of_a_megabyte_comes_through_whole)
{
    size_t size = 1 << 20;
    char *text = malloc(size);
    memset(text, 'x', size);
    struct frame *frame = frame_new_text(&(struct text){text, size}, 1);
    struct change change = {.kind = CHANGE_NEW, .user = TEXT("alice")};
    struct bus_buffer out = {0};
    bus_put_change(&out, &change, frame);
    ck_assert_uint_eq(bus_take(out.bytes, out.size, &(struct bus_sink){.change = on_big_change}), out.size);
    ck_assert_uint_eq(big_size, frame->size);
    frame_drop(frame);
    free(out.bytes);
    free(text);
}
END_TEST

/* Layout of a message's head: size, text's size and frame's size; behind the id kind, kind of change, type of frame. */
enum { AT_SIZE = 0, AT_TEXT_SIZE = 4, AT_FRAME_SIZE = 8, AT_KIND = 32, AT_CHANGE_KIND = 33, AT_FRAME_TYPE = 36 };

static const struct {
    const char *name;
    size_t at;
    uint8_t byte;
} damages[] = {
    {"no size", AT_SIZE, 0},
    {"a type of frame that there is not", AT_FRAME_TYPE, FRAME_TYPES},
    {"too small for its parts", AT_SIZE, 37},
    {"too large for its parts", AT_SIZE, 255},
    {"larger than any", AT_SIZE + 3, 255},
    {"a text of gigabytes", AT_TEXT_SIZE + 3, 255},
    {"a frame of gigabytes", AT_FRAME_SIZE + 3, 255},
    {"an unknown kind", AT_KIND, 4},
    {"an unknown kind of change", AT_CHANGE_KIND, 'z'},
    {"a kind of change that has no frame", AT_CHANGE_KIND, 't'},
};

START_TEST(what_is_no_message_is_told_apart_from_what_is_not_whole_yet)
{
    struct bus_buffer out = {0};
    put_new(&out);
    out.bytes[damages[_i].at] = damages[_i].byte;
    ck_assert_uint_eq(bus_take(out.bytes, out.size, &sink), BUS_BROKEN);
    ck_assert_str_eq(log_text, "");
    free(out.bytes);
}
END_TEST

START_TEST(a_change_without_the_frame_it_needs_is_no_message)
{
    struct bus_buffer out = {0};
    put_change(&out, CHANGE_NEW, "alice", 1, NULL);
    ck_assert_uint_eq(bus_take(out.bytes, out.size, &sink), BUS_BROKEN);
    ck_assert_str_eq(log_text, "");
    free(out.bytes);
}
END_TEST

static void note_end(void *owner)
{
    note("ended\n");
    ck_assert_ptr_eq(owner, &the_owner);
}

START_TEST(a_reader_ends_when_what_it_reads_is_broken)
{
    int ends[2];
    uv_loop_t loop;
    struct relay relay = {0};
    struct bus_buffer out = {0};
    bus_put_state(&out, true, "");
    size_t good = out.size;
    bus_put_state(&out, true, "");
    out.bytes[good + AT_KIND] = 4;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_eq(write(ends[0], out.bytes, out.size), (ssize_t)out.size);
    uv_loop_init(&loop);
    struct bus_reader *reader = bus_reader_new(&loop, ends[1], &relay, note_end, &the_owner);
    uv_run(&loop, UV_RUN_DEFAULT); /* until nothing is left to be watched */
    ck_assert_str_eq(log_text, "ended\n");
    ck_assert(relay.router.live); /* what came before it was read */
    bus_reader_close(reader);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    bus_reader_free(reader);
    close(ends[0]);
    free(out.bytes);
}
END_TEST

/* Reports that were read from the other end, each whole, no older than the one before. */
struct heard {
    struct report report;
    size_t bytes; /* of the next one */
    uint64_t last;
    int count;
};

static void hear(struct heard *heard, int fd)
{
    ssize_t size;
    while ((size = read(fd, (char *)&heard->report + heard->bytes, sizeof(heard->report) - heard->bytes)) > 0) {
        heard->bytes += (size_t)size;
        if (heard->bytes < sizeof(heard->report))
            continue;
        ck_assert_uint_gt(heard->report.totals.sessions_opened[SESSION_WEBSOCKET], heard->last);
        ck_assert_uint_eq(heard->report.process.started_ms, 42);
        ck_assert_str_eq(heard->report.why, "because");
        heard->last = heard->report.totals.sessions_opened[SESSION_WEBSOCKET];
        heard->bytes = 0;
        heard->count++;
    }
}

START_TEST(reports_to_one_who_does_not_read_stay_whole)
{
    enum { UNHEARD = 300, MORE = 20 };
    int ends[2], bytes = 1; /* as few as the kernel allows: less than a report */
    uv_loop_t loop;
    struct relay relay = {0};
    static struct report report;
    static struct heard heard;
    report.process.started_ms = 42;
    strcpy(report.why, "because");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    ck_assert_int_eq(write(ends[1], "", 1), 1); /* takes room: a part of the first report finds none */
    uv_loop_init(&loop);
    struct bus_reader *reader = bus_reader_new(&loop, ends[1], &relay, note_end, &the_owner);
    for (int i = 1; i <= UNHEARD + MORE; i++) {
        report.totals.sessions_opened[SESSION_WEBSOCKET] = (uint64_t)i;
        bus_reader_report(reader, &report);
        if (i == UNHEARD)
            ck_assert_int_eq(read(ends[0], &(char){0}, 1), 1);
        if (i >= UNHEARD)
            hear(&heard, ends[0]);
    }
    ck_assert_int_gt(heard.count, MORE / 4);
    ck_assert_int_lt(heard.count, UNHEARD); /* most were not waited for */
    ck_assert_uint_ge(heard.last, UNHEARD + MORE - 3); /* one takes some writes */
    bus_reader_close(reader);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    bus_reader_free(reader);
    close(ends[0]);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("bus");
    tcase_add_checked_fixture(tcase, start, NULL);
    tcase_add_loop_test(tcase, each_message_comes_out_as_it_went_in, 0, LENGTH(messages));
    tcase_add_test(tcase, a_frame_keeps_its_type_and_its_time);
    tcase_add_test(tcase, a_change_keeps_what_was_counted_along);
    tcase_add_loop_test(tcase, a_message_is_taken_only_when_it_is_whole, 0, LENGTH(messages));
    tcase_add_test(tcase, messages_behind_each_other_come_out_in_their_order);
    tcase_add_loop_test(tcase, a_stream_may_be_cut_anywhere, 1, 100);
    tcase_add_test(tcase, a_frame_of_a_megabyte_comes_through_whole);
    tcase_add_loop_test(tcase, what_is_no_message_is_told_apart_from_what_is_not_whole_yet, 0, LENGTH(damages));
    tcase_add_test(tcase, a_change_without_the_frame_it_needs_is_no_message);
    tcase_add_test(tcase, a_reader_ends_when_what_it_reads_is_broken);
    tcase_add_test(tcase, reports_to_one_who_does_not_read_stay_whole);
    return run_suite("bus", tcase);
}
