/* Request heads: what is complete, what is refused, and which token they show. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request_head.h"
#include "run_suite.h"

#define LINE "GET /ws HTTP/1.1\r\n"
#define HOST "Host: x\r\n"

static const struct {
    const char *bytes;
    enum request_head_result result;
} verdicts[] = {
    {"", REQUEST_HEAD_PARTIAL},
    {"G", REQUEST_HEAD_PARTIAL},
    {"GET /ws HTTP/1.1", REQUEST_HEAD_PARTIAL},
    {"GET /ws HTTP/1.1\r", REQUEST_HEAD_PARTIAL},
    {LINE, REQUEST_HEAD_PARTIAL},
    {LINE HOST, REQUEST_HEAD_PARTIAL},
    {LINE HOST "\r", REQUEST_HEAD_PARTIAL},
    {LINE HOST "Upgra", REQUEST_HEAD_PARTIAL},
    {LINE HOST "\r\n", REQUEST_HEAD_COMPLETE},
    {LINE "\r\n", REQUEST_HEAD_COMPLETE},
    {"POST /x HTTP/1.0\r\n\r\n", REQUEST_HEAD_COMPLETE},
    {"M-SEARCH * HTTP/1.1\r\n\r\n", REQUEST_HEAD_COMPLETE},
    {LINE "Empty:\r\n\r\n", REQUEST_HEAD_COMPLETE},
    {LINE "X: a\tb \xc3\xa4\r\n\r\n", REQUEST_HEAD_COMPLETE},
    {LINE "X: a: b:\r\n\r\n", REQUEST_HEAD_COMPLETE},
    /* What follows the head is not its business. */
    {LINE "\r\n\x81\x85\n\n\x01", REQUEST_HEAD_COMPLETE},
    {"POST /x HTTP/1.1\r\n\r\nbody\nbody", REQUEST_HEAD_COMPLETE},
    /* Request lines. */
    {"\r\n", REQUEST_HEAD_BAD},
    {"\r\n" LINE "\r\n", REQUEST_HEAD_BAD},
    {"GET\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws\r\n\r\n", REQUEST_HEAD_BAD},
    {" GET /ws HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET  /ws HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws  HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws HTTP/1.1 \r\n\r\n", REQUEST_HEAD_BAD},
    {"GET\t/ws\tHTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /w s HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws%00 HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a%00b HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a%2500b HTTP/1.1\r\n\r\n", REQUEST_HEAD_COMPLETE},
    {"GET /ws?token=a% HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a%4 HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a%4&x HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a%4g HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a%%41 HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /%u0061 HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET ?token=a HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET http://x/ws HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET ws HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"OPTIONS * HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"CONNECT x:443 HTTP/1.1\r\n\r\n", REQUEST_HEAD_COMPLETE},
    {"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"G(T /ws HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws HTTP/2.0\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws HTTP/1.x\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws HTTP/1.10\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws http/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"SSH-2.0-OpenSSH_9.2\r\n", REQUEST_HEAD_BAD},
    /* Bytes: bad as soon as they are there. */
    {"\x16\x03\x01", REQUEST_HEAD_BAD},
    {"GET /\x7f", REQUEST_HEAD_BAD},
    {"GET /ws HTTP/1.1\n", REQUEST_HEAD_BAD},
    {"GET /ws HTTP/1.1\nHost: x\n\n", REQUEST_HEAD_BAD},
    {"GET /ws HTTP/1.1\rX", REQUEST_HEAD_BAD},
    {LINE "Host: x\n\r\n", REQUEST_HEAD_BAD},
    {LINE "Host: x\r\r\n", REQUEST_HEAD_BAD},
    {LINE "Host: x\x01\r\n\r\n", REQUEST_HEAD_BAD},
    /* Fields. */
    {LINE "Host : x\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "Host\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE ": x\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "Ho st: x\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "GET /ws HTTP/1.1: x\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "H\xc3\xb6st: x\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE HOST " folded\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE HOST "\tfolded\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE " Host: x\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "Authorization: Bearer a\r\n .b\r\n\r\n", REQUEST_HEAD_BAD},
    /* Two of what there must be one of. */
    {LINE "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "Authorization:\r\nAuthorization: Bearer a\r\n\r\n", REQUEST_HEAD_BAD},
    {LINE "Authorization: Basic a\r\nAuthorization: Bearer a\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a&token=b HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=a&x=y&token=a HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
    {"GET /ws?token=&token=a HTTP/1.1\r\n\r\n", REQUEST_HEAD_BAD},
};

START_TEST(a_head_is_partial_complete_or_refused)
{
    struct request_head head;
    const char *bytes = verdicts[_i].bytes;
    ck_assert_msg(request_head_parse(bytes, strlen(bytes), &head) == verdicts[_i].result, "%s", bytes);
}
END_TEST

START_TEST(a_zero_byte_is_refused)
{
    static const char bytes[] = "GET /ws HTTP/1.1\r\nHost: x\0y\r\n\r\n";
    struct request_head head;
    ck_assert_int_eq(request_head_parse(bytes, sizeof(bytes) - 1, &head), REQUEST_HEAD_BAD);
}
END_TEST

static const struct {
    const char *bytes;
    const char *path;
    bool is_get;
    bool wants_upgrade;
    const char *token; /* NULL: none is shown; "": what is shown is none */
} requests[] = {
    {LINE "\r\n", "/ws", true, false, NULL},
    {"get /ws HTTP/1.1\r\n\r\n", "/ws", false, false, NULL},
    {"POST /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "/ws", false, true, NULL},
    {"GETX /ws HTTP/1.1\r\n\r\n", "/ws", false, false, NULL},
    /* The path is what was sent. */
    {"GET / HTTP/1.1\r\n\r\n", "/", true, false, NULL},
    {"GET /%77s HTTP/1.1\r\n\r\n", "/%77s", true, false, NULL},
    {"GET //a/../ws HTTP/1.1\r\n\r\n", "//a/../ws", true, false, NULL},
    {"GET /ws? HTTP/1.1\r\n\r\n", "/ws", true, false, NULL},
    {"GET /ws?token=a?b HTTP/1.1\r\n\r\n", "/ws", true, false, "a?b"},
    /* Any spelling of the field's name, any value. */
    {LINE "Upgrade: websocket\r\n\r\n", "/ws", true, true, NULL},
    {LINE "uPGRADE:websocket\r\n\r\n", "/ws", true, true, NULL},
    {LINE "Upgrade:\r\n\r\n", "/ws", true, true, NULL},
    {LINE "Upgrade: foobar\r\n\r\n", "/ws", true, true, NULL},
    {LINE "Upgrade: h2c\r\n\r\n", "/ws", true, false, NULL},
    {LINE "Upgrade: h2c, websocket\r\n\r\n", "/ws", true, true, NULL},
    {LINE "Upgrade: H2C \r\nUpgrade: websocket\r\n\r\n", "/ws", true, true, NULL},
    {LINE "X-Upgrade: websocket\r\nUpgrades: x\r\n\r\n", "/ws", true, false, NULL},
    {LINE "X: Upgrade: websocket\r\n\r\n", "/ws", true, false, NULL},
    {LINE "\r\nUpgrade: websocket\r\n\r\n", "/ws", true, false, NULL},
    /* Authorization. */
    {LINE "Authorization: Bearer a.b-c\r\n\r\n", "/ws", true, false, "a.b-c"},
    {LINE "AUTHORIZATION:bearer a\r\n\r\n", "/ws", true, false, "a"},
    {LINE "authorization: \t BEARER a \t \r\n\r\n", "/ws", true, false, "a"},
    {LINE "Authorization: Bearer  a\r\n\r\n", "/ws", true, false, "a"},
    {LINE "Authorization: Bearer %61\r\n\r\n", "/ws", true, false, "%61"},
    {LINE "Authorization: Bearer\r\n\r\n", "/ws", true, false, NULL},
    {LINE "Authorization:\r\n\r\n", "/ws", true, false, NULL},
    {LINE "Authorization: Basic YTpi\r\n\r\n", "/ws", true, false, NULL},
    {LINE "Authorization: BearerX a\r\n\r\n", "/ws", true, false, NULL},
    {LINE "Proxy-Authorization: Bearer a\r\n\r\n", "/ws", true, false, NULL},
    /* The query. */
    {"GET /ws?token=a HTTP/1.1\r\n\r\n", "/ws", true, false, "a"},
    {"GET /ws?x=y&token=a&z HTTP/1.1\r\n\r\n", "/ws", true, false, "a"},
    {"GET /ws?&&token=a& HTTP/1.1\r\n\r\n", "/ws", true, false, "a"},
    {"GET /ws?token=a=b== HTTP/1.1\r\n\r\n", "/ws", true, false, "a=b=="},
    {"GET /ws?token=%61%2E%2e%2B+ HTTP/1.1\r\n\r\n", "/ws", true, false, "a..++"},
    {"GET /ws?token=a%26token%3Db HTTP/1.1\r\n\r\n", "/ws", true, false, "a&token=b"},
    {"GET /ws?token=a;token=b HTTP/1.1\r\n\r\n", "/ws", true, false, "a;token=b"},
    {"GET /ws?token= HTTP/1.1\r\n\r\n", "/ws", true, false, ""},
    {"GET /ws?token HTTP/1.1\r\n\r\n", "/ws", true, false, NULL},
    {"GET /ws?Token=a HTTP/1.1\r\n\r\n", "/ws", true, false, NULL},
    {"GET /ws?xtoken=a HTTP/1.1\r\n\r\n", "/ws", true, false, NULL},
    {"GET /ws?%74oken=a HTTP/1.1\r\n\r\n", "/ws", true, false, NULL},
    {"GET /ws?token[]=a HTTP/1.1\r\n\r\n", "/ws", true, false, NULL},
    /* The header is preferred, if it is of ours. */
    {"GET /ws?token=q HTTP/1.1\r\nAuthorization: Bearer h\r\n\r\n", "/ws", true, false, "h"},
    {"GET /ws?token=q&token=r HTTP/1.1\r\nAuthorization: Bearer h\r\n\r\n", "/ws", true, false, "h"},
    {"GET /ws?token=q HTTP/1.1\r\nAuthorization: Basic h\r\n\r\n", "/ws", true, false, "q"},
    {"GET /ws?token=q HTTP/1.1\r\n\r\nAuthorization: Bearer h\r\n\r\n", "/ws", true, false, "q"},
};

/* In a block of exactly its size, so that valgrind and AddressSanitizer see a step too far. */
static enum request_head_result parse_exactly(const char *bytes, size_t size, struct request_head *head,
                                              char **block)
{
    *block = malloc(size + 1);
    ck_assert_ptr_nonnull(*block);
    memcpy(*block + 1, bytes, size);
    return request_head_parse(*block + 1, size, head);
}

START_TEST(what_a_request_asks_for_and_the_token_it_shows)
{
    struct request_head head;
    char *block;
    const char *bytes = requests[_i].bytes, *path = requests[_i].path, *token = requests[_i].token;
    ck_assert_msg(parse_exactly(bytes, strlen(bytes), &head, &block) == REQUEST_HEAD_COMPLETE, "%s", bytes);
    ck_assert_msg(head.is_get == requests[_i].is_get, "%s", bytes);
    ck_assert_msg(head.wants_upgrade == requests[_i].wants_upgrade, "%s", bytes);
    ck_assert_msg(head.path.size == strlen(path) && memcmp(head.path.bytes, path, strlen(path)) == 0, "%s",
                  bytes);
    ck_assert_msg(head.shows_token == (token != NULL), "%s", bytes);
    if (token)
        ck_assert_msg(head.token_size == strlen(token) && memcmp(head.token, token, strlen(token)) == 0, "%s",
                      bytes);
    free(block);
}
END_TEST

START_TEST(methods_are_known_in_capitals)
{
    static const struct {
        const char *bytes;
        bool known;
    } methods[] = {{"GET", true},   {"HEAD", true},    {"POST", true},    {"PUT", true},  {"PATCH", true}, {"DELETE", true},
                   {"OPTIONS", true}, {"CONNECT", true}, {"get", false},  {"GETX", false}, {"GE", false},   {"TRACE", false},
                   {"BREW", false}};
    for (int i = 0; i < LENGTH(methods); i++) {
        char bytes[64];
        struct request_head head;
        int size = snprintf(bytes, sizeof(bytes), "%s / HTTP/1.1\r\n\r\n", methods[i].bytes);
        ck_assert_int_eq(request_head_parse(bytes, (size_t)size, &head), REQUEST_HEAD_COMPLETE);
        ck_assert_msg(head.is_known_method == methods[i].known, "%s", methods[i].bytes);
    }
}
END_TEST

START_TEST(however_a_good_head_is_cut_it_is_partial_until_it_is_complete)
{
    static const char bytes[] = "GET /ws?token=a%2eb HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                "Authorization: Bearer c\r\nEmpty:\r\n\r\nbehind\n";
    size_t whole = (size_t)(strstr(bytes, "behind") - bytes);
    for (size_t size = 0; size < sizeof(bytes); size++) {
        struct request_head head;
        char *block;
        enum request_head_result result = parse_exactly(bytes, size, &head, &block);
        ck_assert_int_eq(result, size < whole ? REQUEST_HEAD_PARTIAL : REQUEST_HEAD_COMPLETE);
        free(block);
    }
}
END_TEST

static size_t make_head(char *out, const char *before, const char *piece, size_t count, const char *behind)
{
    char *at = stpcpy(out, before);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, piece);
    return (size_t)(stpcpy(at, behind) - out);
}

/* The longest token passes whole, one byte more is none. */
static const struct {
    const char *before, *piece, *behind;
} carriers[] = {
    {LINE "Authorization: Bearer ", "a", "\r\n\r\n"},
    {"GET /ws?token=", "a", " HTTP/1.1\r\n\r\n"},
    {"GET /ws?token=", "%61", " HTTP/1.1\r\n\r\n"},
};

START_TEST(a_token_of_the_greatest_length_passes_and_no_longer_one)
{
    static char bytes[4 * AUTH_TOKEN_MAX_BYTES];
    for (size_t count = AUTH_TOKEN_MAX_BYTES - 1; count <= AUTH_TOKEN_MAX_BYTES + 1; count++) {
        struct request_head head;
        size_t size = make_head(bytes, carriers[_i].before, carriers[_i].piece, count, carriers[_i].behind);
        ck_assert_int_eq(request_head_parse(bytes, size, &head), REQUEST_HEAD_COMPLETE);
        ck_assert(head.shows_token);
        ck_assert_uint_eq(head.token_size, count <= AUTH_TOKEN_MAX_BYTES ? count : 0);
    }
}
END_TEST

START_TEST(the_fields_of_a_name_are_found_in_their_order)
{
    static const char bytes[] = "GET / HTTP/1.1\r\nX-Forwarded-For: 1\r\nHost: X-Forwarded-For: 2\r\n"
                                "x-forwarded-FOR:\t3, 4 \r\nX-Forwarded-For2: 5\r\nX-Forwarded-For:\r\n\r\n"
                                "X-Forwarded-For: 6\r\n";
    static const char *const values[] = {"1", "3, 4", ""};
    struct request_head head;
    struct text value;
    ck_assert_int_eq(request_head_parse(bytes, sizeof(bytes) - 1, &head), REQUEST_HEAD_COMPLETE);
    struct text rest = head.fields;
    for (int i = 0; i < LENGTH(values); i++) {
        ck_assert(request_head_next_field(&rest, TEXT("X-Forwarded-For"), &value));
        ck_assert_uint_eq(value.size, strlen(values[i]));
        ck_assert_mem_eq(value.bytes, values[i], value.size);
    }
    ck_assert(!request_head_next_field(&rest, TEXT("X-Forwarded-For"), &value));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("request_head");
    tcase_add_loop_test(tcase, a_head_is_partial_complete_or_refused, 0, LENGTH(verdicts));
    tcase_add_test(tcase, a_zero_byte_is_refused);
    tcase_add_loop_test(tcase, what_a_request_asks_for_and_the_token_it_shows, 0, LENGTH(requests));
    tcase_add_test(tcase, methods_are_known_in_capitals);
    tcase_add_test(tcase, however_a_good_head_is_cut_it_is_partial_until_it_is_complete);
    tcase_add_loop_test(tcase, a_token_of_the_greatest_length_passes_and_no_longer_one, 0, LENGTH(carriers));
    tcase_add_test(tcase, the_fields_of_a_name_are_found_in_their_order);
    return run_suite("request_head", tcase);
}
