/* Cursors: what clients get is what is read again, and nothing else is. */
#include "cursor.h"
#include "run_suite.h"

#include <string.h>

static bool parse_exactly(const char *text, size_t size, struct cursor *out)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    bool good = cursor_parse(copy, size, out);
    free(copy);
    return good;
}

static const struct {
    struct cursor cursor;
    const char *text;
} pairs[] = {
    {{0, 0}, "00000000-0"},
    {{1, 1}, "00000001-1"},
    {{0xdeadbeef, 731}, "deadbeef-731"},
    {{0x0a0b0c0d, UINT32_MAX}, "0a0b0c0d-4294967295"},
    {{UINT32_MAX, (uint64_t)UINT32_MAX + 1}, "ffffffff-4294967296"},
    {{UINT32_MAX, UINT64_MAX}, "ffffffff-18446744073709551615"},
};

START_TEST(a_cursor_has_one_text_and_comes_back_from_it)
{
    char text[CURSOR_TEXT_SIZE];
    cursor_format(pairs[_i].cursor, text);
    ck_assert_str_eq(text, pairs[_i].text);
    struct cursor back;
    ck_assert(parse_exactly(text, strlen(text), &back));
    ck_assert_uint_eq(back.epoch, pairs[_i].cursor.epoch);
    ck_assert_uint_eq(back.xmin, pairs[_i].cursor.xmin);
}
END_TEST

#define BYTES(text)                                                                                          \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
static const struct {
    const char *bytes;
    size_t size;
} refused[] = {
    BYTES(""),
    BYTES("deadbeef"),
    BYTES("deadbeef-"),
    BYTES("deadbee-731"),
    BYTES("deadbeef0-731"),
    BYTES("DEADBEEF-731"),
    BYTES("deadbeeg-731"),
    BYTES("0xadbeef-731"),
    BYTES(" eadbeef-731"),
    BYTES("-eadbeef-731"),
    BYTES("deadbeef--31"),
    BYTES("deadbeef-+31"),
    BYTES("deadbeef- 31"),
    BYTES("deadbeef-31 "),
    BYTES("deadbeef-7f1"),
    BYTES("deadbeef-7.1"),
    BYTES("deadbeef_731"),
    BYTES("deadbeef-731\n"),
    BYTES("deadbeef-7\0001"),
    BYTES("deadbeef-\0"),
    BYTES("dead\0eef-731"),
    BYTES("deadbeef-18446744073709551616"),
    BYTES("deadbeef-99999999999999999999"),
    BYTES("deadbeef-000000000000000000731"),
    BYTES("2024-05-01T10:00:00Z"),
    BYTES("\xff\xff\xff\xff\xff\xff\xff\xff-1"),
};

START_TEST(what_is_no_cursor_is_refused_and_leaves_the_result_alone)
{
    struct cursor cursor = {7, 8};
    ck_assert(!parse_exactly(refused[_i].bytes, refused[_i].size, &cursor));
    ck_assert_uint_eq(cursor.epoch, 7);
    ck_assert_uint_eq(cursor.xmin, 8);
}
END_TEST

START_TEST(only_size_bytes_are_read)
{
    struct cursor cursor;
    ck_assert(cursor_parse("deadbeef-731 and more", 12, &cursor));
    ck_assert_uint_eq(cursor.xmin, 731);
    ck_assert(cursor_parse("deadbeef-731", 10, &cursor));
    ck_assert_uint_eq(cursor.xmin, 7);
    ck_assert(!cursor_parse("deadbeef-731", 9, &cursor));
}
END_TEST

/* A relay of another version, or restarted, must tell the same epoch from the same database. */
START_TEST(an_epoch_is_the_start_of_its_sha256)
{
    ck_assert_uint_eq(cursor_epoch("abc"), 0xba7816bf);
    ck_assert_uint_eq(cursor_epoch(""), 0xe3b0c442);
}
END_TEST

START_TEST(other_systems_timelines_and_crashes_are_other_epochs)
{
    static const char *const texts[] = {
        "7300000000000000001:00000001:01234567-89ab-cdef-0123-456789abcdef",
        "7300000000000000002:00000001:01234567-89ab-cdef-0123-456789abcdef",
        "7300000000000000001:00000002:01234567-89ab-cdef-0123-456789abcdef",
        "7300000000000000001:00000001:01234567-89ab-cdef-0123-456789abcdee",
    };
    for (int i = 0; i < LENGTH(texts); i++)
        for (int j = 0; j < LENGTH(texts); j++)
            ck_assert_int_eq(cursor_epoch(texts[i]) == cursor_epoch(texts[j]), i == j);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("cursors");
    tcase_add_loop_test(tcase, a_cursor_has_one_text_and_comes_back_from_it, 0, LENGTH(pairs));
    tcase_add_loop_test(tcase, what_is_no_cursor_is_refused_and_leaves_the_result_alone, 0, LENGTH(refused));
    tcase_add_test(tcase, only_size_bytes_are_read);
    tcase_add_test(tcase, an_epoch_is_the_start_of_its_sha256);
    tcase_add_test(tcase, other_systems_timelines_and_crashes_are_other_epochs);
    return run_suite("cursor", tcase);
}
