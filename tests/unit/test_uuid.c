/* UUID text: what is read, what is refused, what is written. */
#include "run_suite.h"
#include "uuid.h"

#include <stdio.h>
#include <string.h>

#define GOOD "01234567-89ab-cdef-0123-456789abcdef"
#define GOOD_SIZE (UUID_TEXT_SIZE - 1)

static const uint8_t good_bytes[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                       0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

/* On the heap and without a zero byte, so that reading too far is seen. */
static bool parse_exactly(const char *text, size_t size, struct uuid *out)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    bool good = uuid_parse(copy, size, out);
    free(copy);
    return good;
}

static const char *const accepted[] = {GOOD, "01234567-89AB-CDEF-0123-456789ABCDEF",
                                       "01234567-89aB-cDeF-0123-456789AbCdEf"};

START_TEST(either_case_is_read)
{
    struct uuid uuid;
    ck_assert(parse_exactly(accepted[_i], GOOD_SIZE, &uuid));
    ck_assert_mem_eq(uuid.bytes, good_bytes, 16);
}
END_TEST

static const char *const refused[] = {
    "",
    "x",
    "01234567-89ab-cdef-0123-456789abcde",
    "01234567-89ab-cdef-0123-456789abcdef0",
    "0123456789abcdef0123456789abcdef",
    "{01234567-89ab-cdef-0123-456789abcdef}",
    "urn:uuid:01234567-89ab-cdef-0123-456789abcdef",
    "01234567-89ab-cdef-0123-456789abcdeg",
    "g1234567-89ab-cdef-0123-456789abcdef",
    "01234567-89ab-cdef-0123-456789abcd-f",
    "01234567089ab-cdef-0123-456789abcdef",
    "01234567-89ab0cdef-0123-456789abcdef",
    "01234567-89ab-cdef00123-456789abcdef",
    "01234567-89ab-cdef-01230456789abcdef",
    "0123456-789ab-cdef-0123-456789abcdef",
    " 1234567-89ab-cdef-0123-456789abcdef",
    "01234567-89ab-cdef-0123-456789abcde ",
    "0x234567-89ab-cdef-0123-456789abcdef",
    "+1234567-89ab-cdef-0123-456789abcdef",
    "01234567_89ab_cdef_0123_456789abcdef",
    "------------------------------------",
    "\xc3\xa9"
    "234567-89ab-cdef-0123-456789abcdef",
};

START_TEST(what_is_no_uuid_is_refused_and_leaves_the_result_alone)
{
    struct uuid uuid;
    memset(&uuid, 0x5a, sizeof(uuid));
    struct uuid before = uuid;
    ck_assert(!parse_exactly(refused[_i], strlen(refused[_i]), &uuid));
    ck_assert_mem_eq(&uuid, &before, sizeof(uuid));
}
END_TEST

START_TEST(no_other_byte_stands_for_a_digit_or_a_dash)
{
    for (size_t at = 0; at < GOOD_SIZE; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[] = GOOD;
            text[at] = (char)byte;
            bool dash = GOOD[at] == '-';
            bool digit = byte && strchr("0123456789abcdefABCDEF", byte);
            struct uuid uuid;
            ck_assert_msg(uuid_parse(text, GOOD_SIZE, &uuid) == (dash ? byte == '-' : digit),
                          "byte %d at %zu", byte, at);
        }
    }
}
END_TEST

START_TEST(no_other_size_is_read)
{
    static const char text[] = GOOD GOOD;
    for (size_t size = 0; size < sizeof(text); size++) {
        struct uuid uuid;
        ck_assert_int_eq(parse_exactly(text, size, &uuid), size == GOOD_SIZE);
    }
}
END_TEST

START_TEST(text_is_lower_case_with_four_dashes)
{
    char text[UUID_TEXT_SIZE];
    struct uuid uuid;
    memcpy(uuid.bytes, good_bytes, 16);
    uuid_format(&uuid, text);
    ck_assert_str_eq(text, GOOD);
}
END_TEST

START_TEST(every_byte_comes_back_from_its_text)
{
    for (int byte = 0; byte < 256; byte++) {
        struct uuid uuid, back;
        for (size_t i = 0; i < 16; i++)
            uuid.bytes[i] = (uint8_t)(byte + (int)i * 17);
        char text[UUID_TEXT_SIZE];
        uuid_format(&uuid, text);
        ck_assert_uint_eq(strlen(text), GOOD_SIZE);
        ck_assert(uuid_parse(text, GOOD_SIZE, &back));
        ck_assert_mem_eq(&uuid, &back, sizeof(uuid));
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("uuids");
    tcase_add_loop_test(tcase, either_case_is_read, 0, LENGTH(accepted));
    tcase_add_loop_test(tcase, what_is_no_uuid_is_refused_and_leaves_the_result_alone, 0, LENGTH(refused));
    tcase_add_test(tcase, no_other_byte_stands_for_a_digit_or_a_dash);
    tcase_add_test(tcase, no_other_size_is_read);
    tcase_add_test(tcase, text_is_lower_case_with_four_dashes);
    tcase_add_test(tcase, every_byte_comes_back_from_its_text);
    return run_suite("uuid", tcase);
}
