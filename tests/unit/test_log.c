/* Log lines: whatever a value holds, the line stays one line of its format. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "clock.h"
#include "log.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define WALL_MS 1767323045678LL /* 2026-01-02T03:04:05.678Z */
#define HEAD "time=2026-01-02T03:04:05.678Z level=info event=e pid=12"
#define JSON_HEAD "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"event\":\"e\",\"pid\":12"

static char text[LOG_LINE_BYTES + 1];

static const char *line(enum log_format format, const struct log_field *fields)
{
    char buffer[LOG_LINE_BYTES];
    size_t len = log_line(buffer, sizeof buffer, format, LOG_LEVEL_INFO, WALL_MS, 12, "e", fields);
    ck_assert_uint_le(len, sizeof buffer);
    ck_assert_int_eq(buffer[len - 1], '\n');
    ck_assert_ptr_eq(memchr(buffer, '\n', len), buffer + len - 1);
    memcpy(text, buffer, len - 1);
    text[len - 1] = '\0';
    return text;
}

#define FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.kind = LOG_KIND_END}})

START_TEST(a_line_has_time_level_event_and_pid)
{
    const struct log_field none = {.kind = LOG_KIND_END};
    ck_assert_str_eq(line(LOG_FORMAT_LOGFMT, &none), HEAD);
    ck_assert_str_eq(line(LOG_FORMAT_JSON, &none), JSON_HEAD "}");
}
END_TEST

static const struct {
    const char *value;
    int len; /* -1: strlen */
    const char *logfmt;
    const char *json;
} values[] = {
    {"plain", -1, "plain", "\"plain\""},
    {"a/b:c?d@e-f_g.h", -1, "a/b:c?d@e-f_g.h", "\"a/b:c?d@e-f_g.h\""},
    {"", -1, "\"\"", "\"\""},
    {"two words", -1, "\"two words\"", "\"two words\""},
    {"a=b", -1, "\"a=b\"", "\"a=b\""},
    {"say \"x\"", -1, "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\""},
    {"back\\slash", -1, "\"back\\\\slash\"", "\"back\\\\slash\""},
    {"x\nlevel=error event=fake", -1, "\"x\\nlevel=error event=fake\"", "\"x\\nlevel=error event=fake\""},
    {"\r\t", -1, "\"\\r\\t\"", "\"\\r\\t\""},
    {"\x1b[2J", -1, "\"\\u001b[2J\"", "\"\\u001b[2J\""},
    {"\x7f", -1, "\"\\u007f\"", "\"\\u007f\""},
    {"a\0b", 3, "\"a\\u0000b\"", "\"a\\u0000b\""},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x91\x8b", -1, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x91\x8b\"",
     "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x91\x8b\""},
    {"\xc2\x85", -1, "\"\\u0085\"", "\"\\u0085\""},     /* next line */
    {"\xe2\x80\xa8", -1, "\"\\u2028\"", "\"\\u2028\""}, /* line separator */
    {"\xe2\x80\xae"
     "cba",
     -1, "\"\\u202ecba\"", "\"\\u202ecba\""}, /* right-to-left override */
    {"\xff", -1, "\"\\xff\"", "\"\\ufffd\""},
    {"\xc3", -1, "\"\\xc3\"", "\"\\ufffd\""},
    {"\xc3(", -1, "\"\\xc3(\"", "\"\\ufffd(\""},
    {"\xc0\xaf", -1, "\"\\xc0\\xaf\"", "\"\\ufffd\\ufffd\""},                 /* overlong / */
    {"\xed\xa0\x80", -1, "\"\\xed\\xa0\\x80\"", "\"\\ufffd\\ufffd\\ufffd\""}, /* surrogate */
    {"\xf4\x90\x80\x80", -1, "\"\\xf4\\x90\\x80\\x80\"",
     "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
    {NULL, 0, "null", "null"},
};

START_TEST(values_are_escaped)
{
    char expected[256];
    size_t len = values[_i].len < 0 ? strlen(values[_i].value) : (size_t)values[_i].len;
    snprintf(expected, sizeof expected, HEAD " k=%s n=-7", values[_i].logfmt);
    ck_assert_str_eq(line(LOG_FORMAT_LOGFMT, FIELDS(LOG_STRN("k", values[_i].value, len), LOG_INT("n", -7))),
                     expected);
    snprintf(expected, sizeof expected, JSON_HEAD ",\"k\":%s,\"n\":-7}", values[_i].json);
    ck_assert_str_eq(line(LOG_FORMAT_JSON, FIELDS(LOG_STRN("k", values[_i].value, len), LOG_INT("n", -7))),
                     expected);
}
END_TEST

START_TEST(integers_keep_64_bits)
{
    ck_assert_str_eq(line(LOG_FORMAT_LOGFMT, FIELDS(LOG_INT("a", INT64_MIN), LOG_INT("b", INT64_MAX))),
                     HEAD " a=-9223372036854775808 b=9223372036854775807");
}
END_TEST

START_TEST(long_values_are_cut_at_512_bytes_between_characters)
{
    char value[LOG_VALUE_BYTES + 8];
    const char *got;
    memset(value, 'x', sizeof value);
    got = line(LOG_FORMAT_LOGFMT, FIELDS(LOG_STRN("k", value, LOG_VALUE_BYTES)));
    ck_assert_uint_eq(strlen(got), strlen(HEAD " k=") + LOG_VALUE_BYTES);
    got = line(LOG_FORMAT_LOGFMT, FIELDS(LOG_STRN("k", value, LOG_VALUE_BYTES + 1)));
    ck_assert_uint_eq(strlen(got), strlen(HEAD " k=\"\"...") + LOG_VALUE_BYTES);
    ck_assert_str_eq(got + strlen(got) - 5, "x...\"");

    memcpy(value + LOG_VALUE_BYTES - 1, "\xc3\xa4", 2); /* half of it would be beyond the limit */
    got = line(LOG_FORMAT_LOGFMT, FIELDS(LOG_STRN("k", value, sizeof value)));
    ck_assert_uint_eq(strlen(got), strlen(HEAD " k=\"\"...") + LOG_VALUE_BYTES - 1);
    ck_assert_str_eq(got + strlen(got) - 5, "x...\"");
}
END_TEST

static void check_full(enum log_format format, size_t size)
{
    char value[LOG_VALUE_BYTES];
    char buffer[LOG_LINE_BYTES];
    struct log_field fields[32];
    for (int fill = 0; fill < 40; fill++) { /* the edge falls on every part of a field */
        memset(value, '"', sizeof value);
        for (int i = 0; i < 31; i++)
            fields[i] = LOG_STRN("key", value, i == 0 ? (size_t)fill : sizeof value);
        fields[31].kind = LOG_KIND_END;
        memset(buffer, 0, sizeof buffer);
        size_t len = log_line(buffer, size, format, LOG_LEVEL_WARN, WALL_MS, 12, "e", fields);
        ck_assert_uint_le(len, size);
        ck_assert_int_eq(buffer[len - 1], '\n');
        ck_assert_ptr_nonnull(
            memmem(buffer, len, format == LOG_FORMAT_JSON ? "\"truncated\":1" : " truncated=1\n", 13));
        for (size_t i = size; i < sizeof buffer; i++) /* nothing is written beyond what it was given */
            ck_assert_int_eq(buffer[i], 0);
        if (format == LOG_FORMAT_JSON) {
            json_t *parsed = json_loadb(buffer, len, 0, NULL);
            ck_assert_ptr_nonnull(parsed);
            json_decref(parsed);
        }
    }
}

START_TEST(a_full_line_is_well_formed_and_says_so)
{
    check_full(LOG_FORMAT_LOGFMT, LOG_LINE_BYTES);
    check_full(LOG_FORMAT_JSON, LOG_LINE_BYTES);
    check_full(LOG_FORMAT_LOGFMT, 256);
    check_full(LOG_FORMAT_JSON, 256);
}
END_TEST

/* Any bytes as a value: the line is JSON, one line long, and has the fields around it. */
START_TEST(noise_cannot_break_a_json_line)
{
    uint64_t seed = 88172645463325252ULL;
    for (int round = 0; round < 5000; round++) {
        char value[64];
        for (size_t i = 0; i < sizeof value; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            value[i] = (char)(seed >> 24);
        }
        const char *got =
            line(LOG_FORMAT_JSON, FIELDS(LOG_STRN("a", value, (size_t)(round % 64)), LOG_STR("b", "behind")));
        json_t *parsed = json_loads(got, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        ck_assert_msg(parsed != NULL, "%s", got);
        ck_assert_uint_eq(json_object_size(parsed), 6);
        ck_assert_str_eq(json_string_value(json_object_get(parsed, "b")), "behind");
        json_decref(parsed);
    }
}
END_TEST

/* What the statements write to stderr, as one string. */
static const char *captured(void (*write_events)(void))
{
    int ends[2];
    int saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    write_events();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t len = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static int evaluated;

static const char *count_evaluation(void)
{
    evaluated++;
    return "x";
}

static void write_each_level(void)
{
    log_error("a_failure");
    log_warn("a_warning", LOG_STR("x", count_evaluation()));
    log_info("a_fact", LOG_STR("x", count_evaluation()), LOG_INT("n", 3U));
    log_debug("a_detail", LOG_STR("x", count_evaluation()));
}

START_TEST(only_what_the_level_asks_for_is_written_and_evaluated)
{
    clock_set_for_test(0, WALL_MS);
    log_open(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    evaluated = 0;
    const char *got = captured(write_each_level);
    ck_assert_ptr_nonnull(strstr(got, "level=error event=a_failure"));
    ck_assert_ptr_nonnull(strstr(got, "level=warn event=a_warning"));
    ck_assert_ptr_null(strstr(got, "a_fact"));
    ck_assert_int_eq(evaluated, 1);
    ck_assert(log_enabled(LOG_LEVEL_WARN));
    ck_assert(!log_enabled(LOG_LEVEL_INFO));

    log_open(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    got = captured(write_each_level);
    ck_assert_ptr_nonnull(strstr(got, "\"event\":\"a_detail\""));
    ck_assert_ptr_nonnull(strstr(got, "\"time\":\"2026-01-02T03:04:05.678Z\""));
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    clock_unset_for_test();
}
END_TEST

static void write_one(void)
{
    errno = ENOENT;
    log_info("x");
    ck_assert_int_eq(errno, ENOENT);
}

START_TEST(logging_keeps_errno)
{
    ck_assert_ptr_nonnull(strstr(captured(write_one), "event=x"));
}
END_TEST

START_TEST(a_closed_stderr_is_no_reason_to_stop)
{
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = 0;
    log_error("nobody_reads_this");
    ck_assert_int_eq(errno, 0);
    dup2(saved, STDERR_FILENO);
    close(saved);
}
END_TEST

START_TEST(the_clocks_can_be_set_and_released)
{
    clock_set_for_test(5, 1999);
    ck_assert_uint_eq(clock_now_ms(), 5);
    ck_assert_int_eq(clock_wall_ms(), 1999);
    ck_assert_int_eq(clock_wall_s(), 1);
    clock_unset_for_test();
    uint64_t before = clock_now_ms();
    ck_assert_int_gt(clock_wall_s(), 1700000000);
    ck_assert_uint_ge(clock_now_ms(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("lines");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_line_has_time_level_event_and_pid);
    tcase_add_loop_test(tcase, values_are_escaped, 0, LENGTH(values));
    tcase_add_test(tcase, integers_keep_64_bits);
    tcase_add_test(tcase, long_values_are_cut_at_512_bytes_between_characters);
    tcase_add_test(tcase, a_full_line_is_well_formed_and_says_so);
    tcase_add_test(tcase, noise_cannot_break_a_json_line);
    tcase_add_test(tcase, only_what_the_level_asks_for_is_written_and_evaluated);
    tcase_add_test(tcase, logging_keeps_errno);
    tcase_add_test(tcase, a_closed_stderr_is_no_reason_to_stop);
    tcase_add_test(tcase, the_clocks_can_be_set_and_released);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
