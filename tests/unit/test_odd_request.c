/* Requests whose method nobody knows: what they are answered, however their bytes come, and for how long they are read. */
#include "odd_request.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_suite.h"

#define FURTHER "Further: field\r\n"

static struct odd_request *request;
static struct odd_answer answer;

static void set_up(void)
{
    request = odd_request_new();
}

static void tear_down(void)
{
    odd_request_free(request);
}

static bool take(const char *bytes, size_t size)
{
    return odd_request_take(request, bytes, size, FURTHER, &answer);
}

static bool take_text(const char *text)
{
    return take(text, strlen(text));
}

static void expect_nothing(void)
{
    ck_assert_uint_eq(answer.size, 0);
}

static void expect_answer(enum refusal refusal, const char *status, const char *part)
{
    ck_assert_int_eq((int)answer.refusal, (int)refusal);
    ck_assert_uint_eq(answer.size, strlen(answer.bytes));
    ck_assert_msg(strncmp(answer.bytes, status, strlen(status)) == 0, "%s", answer.bytes);
    ck_assert_msg(strstr(answer.bytes, part) != NULL, "no %s in %s", part, answer.bytes);
    ck_assert_ptr_nonnull(strstr(answer.bytes, "\r\n" FURTHER "Connection: close\r\n\r\n"));
    char length[48];
    snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(strstr(answer.bytes, "\r\n\r\n") + 4));
    ck_assert_msg(strstr(answer.bytes, length) != NULL, "no %s in %s", length, answer.bytes);
}

static const struct {
    const char *head;
    enum refusal refusal;
    const char *status, *part;
} heads[] = {
    {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", REFUSAL_METHOD, "HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: GET, HEAD\r\n"},
    {"GET / HTTP/1.1\r\n\r\n", REFUSAL_METHOD, "HTTP/1.1 405 ", "\nmethod not allowed\n"},
    {"X /api/v1/notifications HTTP/1.1\r\n\r\n", REFUSAL_METHOD, "HTTP/1.1 405 ", "\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"},
    {"X /api/v1/notifications?limit=1 HTTP/1.1\r\n\r\n", REFUSAL_METHOD, "HTTP/1.1 405 ",
     "\r\nContent-Type: application/problem+json\r\n"},
    {"X /api/v1/notifications/read-all HTTP/1.1\r\n\r\n", REFUSAL_METHOD, "HTTP/1.1 405 ", "\r\nAllow: POST, OPTIONS\r\n"},
    {"X /api/v1/nowhere HTTP/1.1\r\n\r\n", REFUSAL_METHOD, "HTTP/1.1 405 ", "\r\nAllow: GET, HEAD\r\n"},
    {"CONNECT example.org:443 HTTP/1.1\r\n\r\n", REFUSAL_METHOD, "HTTP/1.1 405 ", "\r\nAllow: GET, HEAD\r\n"},
    {" / HTTP/1.1\r\n\r\n", REFUSAL_BAD_REQUEST, "HTTP/1.1 400 Bad Request\r\n", "\nbad request\n"},
    {"X / HTTP/2.0\r\n\r\n", REFUSAL_BAD_REQUEST, "HTTP/1.1 400 ", ""},
};

START_TEST(a_head_is_answered_once_it_is_complete)
{
    ck_assert(take_text(heads[_i].head));
    expect_answer(heads[_i].refusal, heads[_i].status, heads[_i].part);
}
END_TEST

START_TEST(however_it_is_cut)
{
    const char *head = heads[0].head;
    for (size_t first = 0; first <= strlen(head); first++) {
        odd_request_free(request);
        request = odd_request_new();
        ck_assert(take(head, first));
        if (first < strlen(head)) {
            expect_nothing();
            ck_assert(take_text(head + first));
        }
        expect_answer(heads[0].refusal, heads[0].status, heads[0].part);
    }
}
END_TEST

START_TEST(a_head_of_16_kib_is_too_large_without_an_end)
{
    enum { MOST = 16384 };
    static const char begin[] = "X / HTTP/1.1\r\nA: ";
    char *head = malloc(MOST + 1);
    memset(head, 'a', MOST + 1);
    memcpy(head, begin, sizeof(begin) - 1);
    ck_assert(take(head, MOST - 1));
    expect_nothing();
    ck_assert(take("a", 1));
    expect_answer(REFUSAL_TOO_LARGE, "HTTP/1.1 431 ", "");
    odd_request_free(request);
    request = odd_request_new();
    ck_assert(take(head, MOST + 1));
    expect_answer(REFUSAL_TOO_LARGE, "HTTP/1.1 431 ", "");
    odd_request_free(request);
    request = odd_request_new();
    memcpy(head + MOST - 4, "\r\n\r\n", 4);
    ck_assert(take(head, MOST));
    expect_answer(REFUSAL_METHOD, "HTTP/1.1 405 ", "");
    free(head);
}
END_TEST

START_TEST(what_follows_is_thrown_away_within_bounds)
{
    enum { MOST = 262144, PIECE = 1024 };
    static const char piece[PIECE];
    ck_assert(take_text(heads[0].head));
    for (int i = 0; i < MOST / PIECE; i++) {
        ck_assert(take(piece, PIECE));
        expect_nothing();
    }
    ck_assert(!take(piece, 1));
    expect_nothing();
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("odd_request");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, a_head_is_answered_once_it_is_complete, 0, LENGTH(heads));
    tcase_add_test(cases, however_it_is_cut);
    tcase_add_test(cases, a_head_of_16_kib_is_too_large_without_an_end);
    tcase_add_test(cases, what_follows_is_thrown_away_within_bounds);
    return run_suite("odd_request", cases);
}
