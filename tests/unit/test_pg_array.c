/* Array literals as PostgreSQL reads them (its manual, §8.15.2): array_in() of the expected texts gives the
 * elements back. */
#include "pg_array.h"
#include "run_suite.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name, *elements[4], *expected;
} array_cases[] = {
    {"none", {NULL}, "{}"},
    {"one", {"alice"}, "{\"alice\"}"},
    {"several", {"alice", "bob", "carol"}, "{\"alice\",\"bob\",\"carol\"}"},
    {"an empty text", {""}, "{\"\"}"},
    {"empty texts", {"", "", ""}, "{\"\",\"\",\"\"}"},
    {"what would be null without quotes", {"NULL", "null"}, "{\"NULL\",\"null\"}"},
    {"a quote", {"a\"b"}, "{\"a\\\"b\"}"},
    {"a backslash", {"a\\b"}, "{\"a\\\\b\"}"},
    {"both", {"\\\"", "\"\\"}, "{\"\\\\\\\"\",\"\\\"\\\\\"}"},
    {"an end that looks escaped", {"a\\", "b"}, "{\"a\\\\\",\"b\"}"},
    {"an apostrophe is nothing special", {"o'hara"}, "{\"o'hara\"}"},
    {"commas and braces", {"a,b", "{}", "},{"}, "{\"a,b\",\"{}\",\"},{\"}"},
    {"spaces at both ends", {" a ", " "}, "{\" a \",\" \"}"},
    {"control characters", {"a\tb\nc\x01"}, "{\"a\tb\nc\x01\"}"},
    {"UTF-8", {"caf\xc3\xa9", "\xf0\x9f\x94\x94"}, "{\"caf\xc3\xa9\",\"\xf0\x9f\x94\x94\"}"},
    {"an injection", {"\",\"mallory"}, "{\"\\\",\\\"mallory\"}"},
};

START_TEST(elements_are_quoted_so_that_postgresql_reads_them_back)
{
    struct pg_array array = {0};
    for (int i = 0; i < 4 && array_cases[_i].elements[i]; i++)
        pg_array_add(&array, text_of(array_cases[_i].elements[i]));
    ck_assert_msg(strcmp(pg_array_end(&array), array_cases[_i].expected) == 0, "%s: %s", array_cases[_i].name,
                  array.text);
    pg_array_free(&array);
}
END_TEST

/* A reader of the quoted form, after array_in(). Returns the elements; out has them zero-terminated. */
static int read_back(const char *text, char *out)
{
    int count = 0;
    ck_assert_int_eq(*text++, '{');
    while (*text == '"') {
        for (text++; *text != '"'; *out++ = *text++) {
            if (*text == '\\')
                text++;
            ck_assert_int_ne(*text, 0);
        }
        *out++ = '\0';
        count++;
        text++;
        if (*text == ',')
            text++;
    }
    ck_assert_str_eq(text, "}");
    return count;
}

START_TEST(every_byte_comes_back_alone_and_between_others)
{
    for (int byte = 1; byte < 256; byte++) {
        char alone[2] = {(char)byte, 0}, between[4] = {'a', (char)byte, '"', 0}, out[16];
        struct pg_array array = {0};
        pg_array_add(&array, text_of(alone));
        pg_array_add(&array, text_of(between));
        ck_assert_int_eq(read_back(pg_array_end(&array), out), 2);
        ck_assert_str_eq(out, alone);
        ck_assert_str_eq(out + strlen(alone) + 1, between);
        pg_array_free(&array);
    }
}
END_TEST

START_TEST(only_the_bytes_of_an_element_are_taken)
{
    struct pg_array array = {0};
    pg_array_add(&array, (struct text){"alice and more", 5});
    pg_array_add(&array, (struct text){NULL, 0});
    ck_assert_str_eq(pg_array_end(&array), "{\"alice\",\"\"}");
    pg_array_free(&array);
}
END_TEST

/* Around the 256 bytes it begins with, and doubling. */
START_TEST(it_grows_at_every_size)
{
    for (size_t size = 240; size < 1100; size++) {
        char *element = malloc(size + 1), *out = malloc(size + 1);
        memset(element, 'x', size);
        element[size] = '\0';
        struct pg_array array = {0};
        pg_array_add(&array, (struct text){element, size});
        const char *text = pg_array_end(&array);
        ck_assert_uint_eq(strlen(text), size + 4);
        ck_assert_int_eq(read_back(text, out), 1);
        ck_assert_str_eq(out, element);
        pg_array_free(&array);
        free(element);
        free(out);
    }
}
END_TEST

START_TEST(a_freed_array_begins_anew)
{
    struct pg_array array = {0};
    pg_array_add(&array, TEXT("old"));
    pg_array_end(&array);
    pg_array_free(&array);
    pg_array_add(&array, TEXT("new"));
    ck_assert_str_eq(pg_array_end(&array), "{\"new\"}");
    pg_array_free(&array);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("array literals");
    tcase_add_loop_test(tcase, elements_are_quoted_so_that_postgresql_reads_them_back, 0,
                        LENGTH(array_cases));
    tcase_add_test(tcase, every_byte_comes_back_alone_and_between_others);
    tcase_add_test(tcase, only_the_bytes_of_an_element_are_taken);
    tcase_add_test(tcase, it_grows_at_every_size);
    tcase_add_test(tcase, a_freed_array_begins_anew);
    return run_suite("pg_array", tcase);
}
