/* base64url: each byte string has one encoding, and nothing else decodes. */
#include <check.h>
#include <stdlib.h>

#include "base64url.h"
#include "token_maker.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct {
    const char *text;
    int len;           /* -1: strlen */
    const char *bytes; /* NULL: refused */
} cases[] = {
    {"", -1, ""},
    {"Zg", -1, "f"},
    {"Zm8", -1, "fo"},
    {"Zm9v", -1, "foo"},
    {"Zm9vYg", -1, "foob"},
    {"Zm9vYmE", -1, "fooba"},
    {"Zm9vYmFy", -1, "foobar"},
    {"-_-_", -1, "\xfb\xff\xbf"},
    {"Zg==", -1, NULL},
    {"Zm8=", -1, NULL},
    {"=", -1, NULL},
    {"Z", -1, NULL},
    {"Zm9vY", -1, NULL},
    {"Zm 9", -1, NULL},
    {"Zm9v\n", -1, NULL},
    {"+/+/", -1, NULL},
    {"Zm9\0", 4, NULL},
    {"Zh", -1, NULL},
    {"Zn", -1, NULL},
    {"Zm9", -1, NULL},
    {"Zm.9", -1, NULL},
    {"\xc3\xa4"
     "AA",
     -1, NULL},
    {"*m9v", -1, NULL},
    {"Zm9~", -1, NULL},
};

START_TEST(only_the_one_encoding_decodes)
{
    unsigned char out[64];
    size_t size = 99;
    size_t len = cases[_i].len < 0 ? strlen(cases[_i].text) : (size_t)cases[_i].len;
    bool ok = base64url_decode(cases[_i].text, len, out, &size);
    ck_assert_msg(ok == (cases[_i].bytes != NULL), "%s", cases[_i].text);
    if (!ok)
        return;
    ck_assert_uint_eq(size, strlen(cases[_i].bytes));
    ck_assert_mem_eq(out, cases[_i].bytes, size);
}
END_TEST

START_TEST(every_length_comes_back_and_fits_its_room)
{
    unsigned char bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 73 + 11);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        char *text = maker_base64url(bytes, size);
        unsigned char *out = malloc(BASE64URL_DECODED_BYTES(strlen(text)));
        size_t got = 0;
        ck_assert(base64url_decode(text, strlen(text), out, &got));
        ck_assert_uint_eq(got, size);
        if (size > 0)
            ck_assert_mem_eq(out, bytes, size);
        free(out);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base64url");
    TCase *tcase = tcase_create("decoding");
    tcase_add_loop_test(tcase, only_the_one_encoding_decodes, 0, LENGTH(cases));
    tcase_add_test(tcase, every_length_comes_back_and_fits_its_room);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
