/* Entity tags: what makes one, and what If-None-Match finds. */
#include "etag.h"
#include "run_suite.h"

#include <string.h>

#define TAG "\"0123456789abcdef0123456789abcdef\""

START_TEST(a_tag_is_of_the_bytes_however_they_are_divided)
{
    char whole[ETAG_SIZE], parts[ETAG_SIZE], other[ETAG_SIZE];
    etag_make(&TEXT("abcdef"), 1, whole);
    etag_make((struct text[]){TEXT("abc"), {0}, TEXT("def")}, 3, parts);
    etag_make(&TEXT("abcdeg"), 1, other);
    ck_assert_str_eq(whole, parts);
    ck_assert_str_ne(whole, other);
    ck_assert_str_eq(whole, "\"bef57ec7f53a6d40beb640a780a639c8\""); /* SHA-256, the first half */
}
END_TEST

static const struct {
    const char *field;
    bool matches;
} match_cases[] = {
    {TAG, true},
    {"W/" TAG, true},
    {"*", true},
    {"\"a\", " TAG, true},
    {"\"a\"," TAG ",\"b\"", true},
    {"\"a, b\",\tW/" TAG, true},
    {" " TAG " ", true},
    {"", false},
    {"\"a\"", false},
    {"0123456789abcdef0123456789abcdef", false},
    {"\"0123456789abcdef0123456789abcdeF\"", false},
    {TAG "x", false},
    {"\"x" TAG, false},
    {"\"unending, " TAG, false},
    {", ,", false},
    {"W/", false},
    {"**", false},
    {"\"\"\"\"\"\"\"", false},
};

START_TEST(a_field_matches_a_tag_of_its_list)
{
    ck_assert_msg(etag_matches(match_cases[_i].field, TAG) == match_cases[_i].matches, "%s", match_cases[_i].field);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("etag");
    tcase_add_test(cases, a_tag_is_of_the_bytes_however_they_are_divided);
    tcase_add_loop_test(cases, a_field_matches_a_tag_of_its_list, 0, LENGTH(match_cases));
    return run_suite("etag", cases);
}
