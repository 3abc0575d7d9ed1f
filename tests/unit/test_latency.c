/* The time of a commit: never later than it was, and none where nothing is known. */
#include "latency.h"
#include "run_suite.h"

#include <string.h>

#define HEAD "{\"id\":\"01234567-89ab-cdef-0123-456789abcdef\",\"title\":\"t\",\"data\":null"
#define BODY(created_at) HEAD ",\"created_at\":\"" created_at "\",\"read_at\":null,\"is_read\":false,\"version\":1}"

enum { SECOND = 1000000 };
#define CREATED INT64_C(1795000000250000) /* 2026-11-18T11:06:40.250000Z */
#define CREATED_AT "2026-11-18T11:06:40.250000Z"

static const struct {
    const char *name;
    const char *body;
    int64_t created_us;
} bodies[] = {
    {"usual", BODY(CREATED_AT), CREATED},
    {"the first microsecond after 1970", BODY("1970-01-01T00:00:00.000001Z"), 1},
    {"before 1970", BODY("1969-12-31T23:59:59.000000Z"), -SECOND},
    {"year 1", BODY("0001-01-01T00:00:00.000000Z"), INT64_C(-62135596800000000)},
    {"the last of all", BODY("9999-12-31T23:59:59.999999Z"), INT64_C(253402300799999999)},
    {"a leap day", BODY("2028-02-29T00:00:00.000000Z"), INT64_C(1835395200000000)},
    {"a higher version", HEAD ",\"created_at\":\"" CREATED_AT "\",\"read_at\":null,\"is_read\":false,\"version\":2147483647}",
     CREATED},
    {"read", HEAD ",\"created_at\":\"" CREATED_AT "\",\"read_at\":\"" CREATED_AT "\",\"is_read\":true,\"version\":2}", 0},
    {"one digit less", BODY("2026-11-18T11:06:40.25000Z"), 0},
    {"one digit more", BODY("02026-11-18T11:06:40.250000Z"), 0},
    {"another zone", BODY("2026-11-18T11:06:40.250000+00"), 0},
    {"no version", HEAD ",\"created_at\":\"" CREATED_AT "\",\"read_at\":null,\"is_read\":false}", 0},
    {"a title that looks like it", "{\"title\":\",\\\"created_at\\\":\\\"" CREATED_AT "\\\"\",\"is_read\":false,\"version\":1}", 0},
    {"nothing before it", "\",\"read_at\":null,\"is_read\":false,\"version\":1}", 0},
    {"only digits", "111}", 0},
    {"only a brace", "}", 0},
    {"nothing", "", 0},
};

START_TEST(created_at_is_read_from_the_end_of_a_notification)
{
    size_t size = strlen(bodies[_i].body);
    char *exact = malloc(size ? size : 1); /* no zero byte behind, nothing before: a sanitizer sees what is read there */
    memcpy(exact, bodies[_i].body, size);
    ck_assert_msg(latency_created_us((struct text){exact, size}) == bodies[_i].created_us, "%s: %lld", bodies[_i].name,
                  (long long)latency_created_us((struct text){exact, size}));
    free(exact);
}
END_TEST

static const struct {
    const char *name;
    struct look_times times;
    int64_t since_us;
} looks[] = {
    {"created 2 ms before the look", {50 * SECOND, CREATED + 2000, CREATED - SECOND}, 50 * SECOND - 2000},
    {"the first look of all", {50 * SECOND, CREATED + 2000, 0}, 50 * SECOND - 2000},
    {"a transaction longer than the time between two looks", {50 * SECOND, CREATED + 9000, CREATED + 4000}, 50 * SECOND - 5000},
    {"an old created_at of the application's own", {50 * SECOND, CREATED + 3600 * INT64_C(1000000), CREATED + 3599 * INT64_C(1000000)},
     49 * SECOND},
    {"written while the look began", {50 * SECOND, CREATED - 30, CREATED - SECOND}, 50 * SECOND + 30},
    {"a second ahead", {50 * SECOND, CREATED - SECOND, 1}, 51 * SECOND},
    {"more than a second ahead", {50 * SECOND, CREATED - SECOND - 1, 1}, 0},
    {"a database that does not tell the time", {50 * SECOND, 0, 0}, 0},
    {"or one that nobody can add to", {50 * SECOND, INT64_MAX, 0}, 0},
};

START_TEST(a_commit_is_not_before_created_at_nor_before_the_previous_look)
{
    int64_t since_us = latency_since_us(&looks[_i].times, text_of(BODY(CREATED_AT)));
    ck_assert_msg(since_us == looks[_i].since_us, "%s: %lld", looks[_i].name, (long long)since_us);
}
END_TEST

START_TEST(a_change_without_a_look_has_no_time)
{
    ck_assert_int_eq(latency_since_us(NULL, text_of(BODY(CREATED_AT))), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("latency");
    tcase_add_loop_test(tcase, created_at_is_read_from_the_end_of_a_notification, 0, LENGTH(bodies));
    tcase_add_loop_test(tcase, a_commit_is_not_before_created_at_nor_before_the_previous_look, 0, LENGTH(looks));
    tcase_add_test(tcase, a_change_without_a_look_has_no_time);
    return run_suite("latency", tcase);
}
