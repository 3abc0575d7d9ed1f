/* The PROXY protocol's header: every form of it, cut at every byte, and what only looks like it. */
#include "proxy_header.h"
#include "run_suite.h"

#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BINARY(rest) {SIGNATURE rest, sizeof(SIGNATURE rest) - 1}
#define IPV4 "\xcb\x00\x71\x07\x0a\x00\x00\x01\xdc\x04\x01\xbb" /* 203.0.113.7 to 10.0.0.1 */
#define IPV6                                                                                                 \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                                                            \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                            \
    "\xdc\x04\x01\xbb"
#define IPV6_MAX "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

enum { LINE_MAX = 107 /* with its CRLF */ };

static struct proxy_header header;

/* From an exact copy: a sanitizer sees what is read behind it. */
static enum proxy_header_result parse(struct text bytes)
{
    char *copy = malloc(bytes.size ? bytes.size : 1);
    memcpy(copy, bytes.bytes, bytes.size);
    enum proxy_header_result result = proxy_header_parse(copy, bytes.size, &header);
    free(copy);
    return result;
}

static const struct {
    struct text bytes;
    const char *client; /* "": the socket's own */
} good[] = {
    /* version 1 */
    {TEXT("PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n"), "203.0.113.7"},
    {TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255"},
    {TEXT("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0"},
    {TEXT("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n"), "2001:db8::7"},
    {TEXT("PROXY TCP6 " IPV6_MAX " " IPV6_MAX " 65535 65535\r\n"), IPV6_MAX},
    {TEXT("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n"), "203.0.113.7"},
    {TEXT("PROXY UNKNOWN\r\n"), ""},
    {TEXT("PROXY UNKNOWN \r\n"), ""},
    {TEXT("PROXY UNKNOWN 203.0.113.7 whatever\r\n"), ""},
    {TEXT("PROXY UNKNOWN " IPV6_MAX " " IPV6_MAX " 65535 65535\r\n"), ""}, /* the longest: 107 bytes */
    /* version 2 */
    {BINARY("\x21\x11\x00\x0c" IPV4), "203.0.113.7"},
    {BINARY("\x21\x21\x00\x24" IPV6), "2001:db8::7"},
    {BINARY("\x20\x00\x00\x00"), ""},
    {BINARY("\x20\x11\x00\x0c" IPV4), ""},     /* LOCAL: the addresses are ignored */
    {BINARY("\x20\xff\x00\x02xx"), ""},        /* the family too */
    {BINARY("\x21\x00\x00\x00"), ""},          /* UNSPEC */
    {BINARY("\x21\x00\x00\x0c" IPV4), ""},     /* UNSPEC, and what is no address to us */
    {BINARY("\x21\x10\x00\x0c" IPV4), ""},     /* IPv4 without a protocol */
    {BINARY("\x21\x12\x00\x0c" IPV4), ""},     /* UDP */
    {BINARY("\x21\x22\x00\x24" IPV6), ""},     /* UDP */
    {BINARY("\x21\x11\x00\x13" IPV4 "\x04\x00\x04noop"), "203.0.113.7"}, /* a TLV */
    {BINARY("\x21\x21\x00\x2f" IPV6 "\x01\x00\x02h2\x05\x00\x03uid"), "2001:db8::7"},
    {BINARY("\x21\x11\x00\x0e" IPV4 "\xff\xff"), "203.0.113.7"}, /* what is behind the addresses is skipped */
};

START_TEST(every_form_is_read_and_what_follows_is_not_touched)
{
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    char bytes[512], shown[NET_ADDRESS_TEXT_SIZE];
    size_t size = good[_i].bytes.size;
    ck_assert_int_eq(parse(good[_i].bytes), PROXY_HEADER_COMPLETE);
    ck_assert_uint_eq(header.size, size);
    memcpy(bytes, good[_i].bytes.bytes, size);
    memcpy(bytes + size, request, sizeof(request) - 1);
    ck_assert_int_eq(parse((struct text){bytes, size + sizeof(request) - 1}), PROXY_HEADER_COMPLETE);
    ck_assert_uint_eq(header.size, size);
    net_address_format(header.client, shown);
    ck_assert_str_eq(net_address_is_none(header.client) ? "" : shown, good[_i].client);
}
END_TEST

START_TEST(every_beginning_of_a_header_is_partial)
{
    for (size_t size = 0; size < good[_i].bytes.size; size++)
        ck_assert_int_eq(parse((struct text){good[_i].bytes.bytes, size}), PROXY_HEADER_PARTIAL);
}
END_TEST

static const struct text bad[] = {
    /* not a header */
    TEXT("GET / HTTP/1.1\r\n\r\n"), TEXT("X"), TEXT("\n"), TEXT("\r\r"), TEXT("\r\n\r\nGET"),
    TEXT("\x16\x03\x01"), TEXT("proxy TCP4"), TEXT("PROXYTCP4"), TEXT("PROXY\tTCP4"),
    /* version 1 */
    TEXT("PROXY \r\n"), TEXT("PROXY TCP4\r\n"), TEXT("PROXY TCP4 \r\n"), TEXT("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"),
    TEXT("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"), TEXT("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"),
    TEXT("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), TEXT("PROXY UNKNOWNS\r\n"),
    TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"),
    TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), TEXT("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"),
    TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n"),
    TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 02\r\n"),
    TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"), TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 x\r\n"),
    TEXT("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n"), TEXT("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n"),
    TEXT("PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n"), TEXT("PROXY TCP4 ::1 ::1 1 2\r\n"),
    TEXT("PROXY TCP4 ::ffff:1.2.3.4 1.2.3.4 1 2\r\n"), TEXT("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"),
    TEXT("PROXY TCP6 ::1 1.2.3.4 1 2\r\n"), TEXT("PROXY TCP6 [::1] [::1] 1 2\r\n"),
    TEXT("PROXY TCP6 fe80::1%1 ::1 1 2\r\n"), TEXT("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"),
    TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n"), TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n"),
    /* version 2 */
    BINARY("\x11\x11\x00\x0c" IPV4), BINARY("\x31\x11\x00\x0c" IPV4), BINARY("\x22\x11\x00\x0c" IPV4),
    BINARY("\x2f\x11\x00\x0c" IPV4), BINARY("\x01\x11\x00\x0c" IPV4), BINARY("\x21\x41\x00\x0c" IPV4),
    BINARY("\x21\xf1\x00\x0c" IPV4), BINARY("\x21\x13\x00\x0c" IPV4), BINARY("\x21\x1f\x00\x0c" IPV4),
    BINARY("\x21\x11\x00\x0b" IPV4), BINARY("\x21\x11\x00\x00"), BINARY("\x21\x21\x00\x23" IPV6),
    BINARY("\x21\x21\x00\x0c" IPV4), BINARY("\x21\x31\x00\x0c" IPV4), BINARY("\x21\x11\xff\xff"),
};

START_TEST(what_is_not_exactly_a_header_is_refused)
{
    ck_assert_int_eq(parse(bad[_i]), PROXY_HEADER_BAD);
}
END_TEST

/* "PROXY UNKNOWN " and as many bytes as make a line of this size. */
static enum proxy_header_result parse_line_of(size_t size, bool whole)
{
    char line[LINE_MAX + 10] = "PROXY UNKNOWN ";
    memset(line + 14, 'x', sizeof(line) - 14);
    if (whole)
        memcpy(line + size - 2, "\r\n", 2);
    return parse((struct text){line, size});
}

START_TEST(a_line_has_107_bytes_at_most)
{
    ck_assert_int_eq(parse_line_of(LINE_MAX - 1, true), PROXY_HEADER_COMPLETE);
    ck_assert_int_eq(parse_line_of(LINE_MAX, true), PROXY_HEADER_COMPLETE);
    ck_assert_int_eq(parse_line_of(LINE_MAX + 1, true), PROXY_HEADER_BAD);
    ck_assert_int_eq(parse_line_of(LINE_MAX - 1, false), PROXY_HEADER_PARTIAL);
    ck_assert_int_eq(parse_line_of(LINE_MAX, false), PROXY_HEADER_BAD);
}
END_TEST

static enum proxy_header_result parse_binary_of(size_t size, size_t given)
{
    char bytes[PROXY_HEADER_MAX_BYTES + 10] = SIGNATURE "\x21\x11";
    bytes[14] = (char)((size - 16) >> 8);
    bytes[15] = (char)(size - 16);
    return parse((struct text){bytes, given});
}

START_TEST(a_binary_header_is_bounded_and_refused_before_it_has_come)
{
    ck_assert_int_eq(parse_binary_of(PROXY_HEADER_MAX_BYTES - 1, PROXY_HEADER_MAX_BYTES - 1), PROXY_HEADER_COMPLETE);
    ck_assert_int_eq(parse_binary_of(PROXY_HEADER_MAX_BYTES, PROXY_HEADER_MAX_BYTES), PROXY_HEADER_COMPLETE);
    ck_assert_uint_eq(header.size, PROXY_HEADER_MAX_BYTES);
    ck_assert_int_eq(parse_binary_of(PROXY_HEADER_MAX_BYTES, 16), PROXY_HEADER_PARTIAL);
    ck_assert_int_eq(parse_binary_of(PROXY_HEADER_MAX_BYTES + 1, 16), PROXY_HEADER_BAD);
}
END_TEST

START_TEST(the_path_of_a_unix_socket_keeps_the_sockets_address)
{
    char bytes[16 + 216] = SIGNATURE "\x21\x31\x00\xd8/run/x";
    ck_assert_int_eq(parse((struct text){bytes, sizeof(bytes)}), PROXY_HEADER_COMPLETE);
    ck_assert_uint_eq(header.size, sizeof(bytes));
    ck_assert(net_address_is_none(header.client));
    bytes[15] = (char)0xd7;
    ck_assert_int_eq(parse((struct text){bytes, sizeof(bytes)}), PROXY_HEADER_BAD);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("proxy_header");
    tcase_add_loop_test(tcase, every_form_is_read_and_what_follows_is_not_touched, 0, LENGTH(good));
    tcase_add_loop_test(tcase, every_beginning_of_a_header_is_partial, 0, LENGTH(good));
    tcase_add_loop_test(tcase, what_is_not_exactly_a_header_is_refused, 0, LENGTH(bad));
    tcase_add_test(tcase, a_line_has_107_bytes_at_most);
    tcase_add_test(tcase, a_binary_header_is_bounded_and_refused_before_it_has_come);
    tcase_add_test(tcase, the_path_of_a_unix_socket_keeps_the_sockets_address);
    return run_suite("proxy_header", tcase);
}
