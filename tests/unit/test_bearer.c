/* The token of an Authorization field. */
#include "bearer.h"
#include "run_suite.h"

#include <string.h>

static const struct {
    const char *field;
    const char *token; /* NULL: none */
} bearer_cases[] = {
    {"Bearer abc.def", "abc.def"},
    {"bearer abc", "abc"},
    {"BEARER abc", "abc"},
    {"Bearer   abc", "abc"}, /* RFC 9110 §11.4: one blank or more */
    {"Bearer ", ""},
    {"Bearer", NULL},
    {"Bearerabc", NULL},
    {"Basic abc", NULL},
    {" Bearer abc", NULL},
    {"", NULL},
};

START_TEST(token_is_what_stands_behind_the_scheme)
{
    struct text token = {0};
    const char *expected = bearer_cases[_i].token;
    ck_assert_int_eq(bearer_token(text_of(bearer_cases[_i].field), &token), expected != NULL);
    if (expected) {
        ck_assert_uint_eq(token.size, strlen(expected));
        ck_assert_int_eq(memcmp(token.bytes, expected, token.size), 0);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("bearer");
    tcase_add_loop_test(cases, token_is_what_stands_behind_the_scheme, 0, LENGTH(bearer_cases));
    return run_suite("bearer", cases);
}
