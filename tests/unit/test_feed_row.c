/* Rows of herald.feed() decoded: each kind, nulls, and rows that are none. */
#include "feed_row.h"
#include "run_suite.h"

#include <string.h>

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define BODY "{\"id\":\"" ID "\"}"
#define SNAPSHOT "731:740:733,735"
#define NOW "1790000000000000"
#define HEADER(snapshot, xmin, insert_lsn, flush_lsn, now) \
    snapshot " " xmin " " insert_lsn " " flush_lsn " " now " f"

/* In the order of enum feed_column; NULL is null. */
struct row {
    const char *name;
    const char *columns[FEED_COLUMNS];
};

static struct feed_header header;
static struct change change;

static enum feed_row read_row(const struct row *row)
{
    struct text columns[FEED_COLUMNS];
    for (int i = 0; i < FEED_COLUMNS; i++)
        columns[i] = text_of(row->columns[i]);
    memset(&header, 0x5a, sizeof(header));
    memset(&change, 0x5a, sizeof(change));
    return feed_row_read(columns, &header, &change);
}

static void expect_text(struct text actual, const char *expected)
{
    ck_assert_uint_eq(actual.size, expected ? strlen(expected) : 0);
    if (expected)
        ck_assert_mem_eq(actual.bytes, expected, actual.size);
}

static const struct {
    struct row row;
    uint64_t xmin, insert_lsn, flush_lsn;
} headers[] = {
    {{"usual", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "731", "23456789", "23456000", NOW)}}, 731, 23456789, 23456000},
    {{"zeros", {"h", NULL, NULL, NULL, HEADER("1:1:", "0", "0", "0", NOW)}}, 0, 0, 0},
    {{"largest",
      {"h", NULL, NULL, NULL,
       HEADER("1:1:", "18446744073709551615", "18446744073709551615", "18446744073709551614", NOW)}},
     UINT64_MAX,
     UINT64_MAX,
     UINT64_MAX - 1},
    {{"what stands in other columns", {"h", "alice", ID, "x", HEADER(SNAPSHOT, "731", "1", "2", NOW), "y"}}, 731, 1, 2},
};

START_TEST(a_header_says_where_the_feed_stands)
{
    ck_assert_int_eq(read_row(&headers[_i].row), FEED_ROW_HEADER);
    const char *body = headers[_i].row.columns[FEED_BODY];
    ck_assert_ptr_eq(header.snapshot.bytes, body);
    ck_assert_uint_eq(header.snapshot.size, strcspn(body, " "));
    ck_assert_uint_eq(header.xmin, headers[_i].xmin);
    ck_assert_uint_eq(header.insert_lsn, headers[_i].insert_lsn);
    ck_assert_uint_eq(header.flush_lsn, headers[_i].flush_lsn);
    ck_assert_uint_eq(header.now_us, 1790000000000000);
}
END_TEST

static const struct {
    const char *body;
    bool settled;
} settled[] = {{SNAPSHOT " 731 1 2 " NOW " t", true},
               {SNAPSHOT " 731 1 2 " NOW " f", false},
               {SNAPSHOT " 731 1 2 " NOW " true", false},
               {SNAPSHOT " 731 1 2 " NOW " ", false}};

START_TEST(a_header_says_whether_nothing_was_in_progress)
{
    const struct row row = {"", {"h", NULL, NULL, NULL, settled[_i].body}};
    ck_assert_int_eq(read_row(&row), FEED_ROW_HEADER);
    ck_assert_int_eq(header.settled, settled[_i].settled);
}
END_TEST

static const struct {
    struct row row;
    enum change_kind kind;
    bool has_id;
    int version;
} changes[] = {
    {{"new", {"n", "alice", ID, "1", BODY}}, CHANGE_NEW, true, 1},
    {{"updated", {"u", "alice", ID, "2", BODY}}, CHANGE_UPDATED, true, 2},
    {{"highest version", {"u", "alice", ID, "2147483647", BODY}}, CHANGE_UPDATED, true, INT32_MAX},
    {{"deleted", {"d", "alice", ID, NULL, NULL}}, CHANGE_DELETED, true, 0},
    {{"expired", {"d", "alice", ID, "7", NULL}}, CHANGE_DELETED, true, 0},
    {{"truncated", {"t"}}, CHANGE_TRUNCATED, false, 0},
    {{"message", {"m", "alice", "17", NULL, BODY}}, CHANGE_MESSAGE, false, 0},
    {{"message to everybody", {"m", NULL, "18", NULL, BODY}}, CHANGE_MESSAGE, false, 0},
    {{"disconnect", {"x", "alice", "19", NULL, NULL}}, CHANGE_DISCONNECT, false, 0},
    {{"a user of UTF-8", {"n", "caf\xc3\xa9 \"x\"", ID, "1", BODY}}, CHANGE_NEW, true, 1},
};

START_TEST(each_kind_of_change_is_read_with_its_columns)
{
    const struct row *row = &changes[_i].row;
    ck_assert_int_eq(read_row(row), FEED_ROW_CHANGE);
    ck_assert_int_eq(change.kind, changes[_i].kind);
    expect_text(change.user, row->columns[FEED_USER]);
    expect_text(change.body, row->columns[FEED_BODY]);
    ck_assert_int_eq(change.version, changes[_i].version);
    char id[UUID_TEXT_SIZE];
    uuid_format(&change.id, id);
    ck_assert_str_eq(id, changes[_i].has_id ? ID : "00000000-0000-0000-0000-000000000000");
    ck_assert_ptr_null(change.cursor);
}
END_TEST

static const struct {
    const char *kind, *unread;
    bool counted;
    int total;
} counted_rows[] = {
    {"n", NULL, false, 0}, {"n", "0", true, 0}, {"u", "7", true, 7}, {"d", "50", true, 50}, {"d", NULL, false, 0},
};

START_TEST(a_total_that_was_counted_along_is_read)
{
    const struct row row = {"", {counted_rows[_i].kind, "alice", ID, "1", BODY, [FEED_UNREAD] = counted_rows[_i].unread}};
    ck_assert_int_eq(read_row(&row), FEED_ROW_CHANGE);
    ck_assert_int_eq(change.counted, counted_rows[_i].counted);
    ck_assert_int_eq(change.unread, counted_rows[_i].total);
}
END_TEST

START_TEST(texts_are_borrowed_from_the_row)
{
    const char user[] = "alice", body[] = BODY;
    struct text columns[FEED_COLUMNS] = {TEXT("n"), {user, 5}, TEXT(ID), TEXT("1"), {body, sizeof(body) - 1}};
    ck_assert_int_eq(feed_row_read(columns, &header, &change), FEED_ROW_CHANGE);
    ck_assert_ptr_eq(change.user.bytes, user);
    ck_assert_ptr_eq(change.body.bytes, body);
}
END_TEST

static const struct row bad[] = {
    {"all null", {NULL}},
    {"empty kind", {""}},
    {"unknown kind", {"q", "alice", ID, "1", BODY}},
    {"kind in capitals", {"N", "alice", ID, "1", BODY}},
    {"kind of two letters", {"nu", "alice", ID, "1", BODY}},

    {"header without anything", {"h"}},
    {"header that is empty", {"h", NULL, NULL, NULL, ""}},
    {"header of a snapshot alone", {"h", NULL, NULL, NULL, SNAPSHOT}},
    {"header of five parts", {"h", NULL, NULL, NULL, SNAPSHOT " 731 1 1 " NOW}},
    {"header of seven parts", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "731", "1", "1", NOW) " f"}},
    {"header with an empty snapshot", {"h", NULL, NULL, NULL, HEADER("", "731", "1", "1", NOW)}},
    {"header with an empty xmin", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "", "1", "1", NOW)}},
    {"header with an empty insert lsn", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "731", "", "1", NOW)}},
    {"header with an empty flush lsn", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "731", "1", "", NOW)}},
    {"header with a negative xmin", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "-1", "1", "1", NOW)}},
    {"header with an xmin beyond 64 bits", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "18446744073709551616", "1", "1", NOW)}},
    {"header with a sign", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "+1", "1", "1", NOW)}},
    {"header with another blank", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "\t1", "1", "1", NOW)}},
    {"header with a fraction", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "1", "1.5", "1", NOW)}},
    {"header with an lsn as PostgreSQL writes it", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "1", "0/16B3740", "1", NOW)}},
    {"header with 21 digits", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "1", "1", "100000000000000000000", NOW)}},
    {"header with an empty time", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "731", "1", "1", "")}},
    {"header with a time of before 1970", {"h", NULL, NULL, NULL, HEADER(SNAPSHOT, "731", "1", "1", "-1")}},

    {"new without user", {"n", NULL, ID, "1", BODY}},
    {"new with an empty user", {"n", "", ID, "1", BODY}},
    {"new without id", {"n", "alice", NULL, "1", BODY}},
    {"new with an empty id", {"n", "alice", "", "1", BODY}},
    {"new with a bad id", {"n", "alice", "17", "1", BODY}},
    {"new without version", {"n", "alice", ID, NULL, BODY}},
    {"new with an empty version", {"n", "alice", ID, "", BODY}},
    {"new with a negative version", {"n", "alice", ID, "-1", BODY}},
    {"new with a version beyond int", {"n", "alice", ID, "2147483648", BODY}},
    {"new with a version beyond everything", {"n", "alice", ID, "99999999999999999999", BODY}},
    {"new without body", {"n", "alice", ID, "1", NULL}},
    {"new with an empty body", {"n", "alice", ID, "1", ""}},
    {"updated without user", {"u", NULL, ID, "1", BODY}},
    {"updated without id", {"u", "alice", NULL, "1", BODY}},
    {"updated without version", {"u", "alice", ID, NULL, BODY}},
    {"updated without body", {"u", "alice", ID, "1", NULL}},
    {"deleted without user", {"d", NULL, ID, NULL, NULL}},
    {"deleted without id", {"d", "alice", NULL, NULL, NULL}},
    {"deleted with a bad id", {"d", "alice", ID "0", NULL, NULL}},
    {"new with a negative total", {"n", "alice", ID, "1", BODY, [FEED_UNREAD] = "-1"}},
    {"new with an empty total", {"n", "alice", ID, "1", BODY, [FEED_UNREAD] = ""}},
    {"updated with a total that is not counted up to", {"u", "alice", ID, "1", BODY, [FEED_UNREAD] = "51"}},
    {"deleted with a total of two bytes", {"d", "alice", ID, NULL, NULL, [FEED_UNREAD] = "256"}},
    {"message without body", {"m", "alice", "17", NULL, NULL}},
    {"message with an empty body", {"m", NULL, "17", NULL, ""}},
    {"disconnect of nobody", {"x", NULL, "19", NULL, NULL}},
    {"disconnect of an empty user", {"x", "", "19", NULL, NULL}},
};

START_TEST(a_row_that_cannot_be_is_bad)
{
    ck_assert_msg(read_row(&bad[_i]) == FEED_ROW_BAD, "%s", bad[_i].name);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("feed rows");
    tcase_add_loop_test(tcase, a_header_says_where_the_feed_stands, 0, LENGTH(headers));
    tcase_add_loop_test(tcase, a_header_says_whether_nothing_was_in_progress, 0, LENGTH(settled));
    tcase_add_loop_test(tcase, each_kind_of_change_is_read_with_its_columns, 0, LENGTH(changes));
    tcase_add_loop_test(tcase, a_total_that_was_counted_along_is_read, 0, LENGTH(counted_rows));
    tcase_add_test(tcase, texts_are_borrowed_from_the_row);
    tcase_add_loop_test(tcase, a_row_that_cannot_be_is_bad, 0, LENGTH(bad));
    return run_suite("feed_row", tcase);
}
