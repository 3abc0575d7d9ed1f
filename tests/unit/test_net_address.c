/* Addresses: every spelling is read, nothing else is, and IPv4 is one address in both families. */
#include "net_address.h"
#include "run_suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const struct {
    const char *text;
    const char *shown;
} good[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"::FFFF:c000:201", "192.0.2.1"},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
    {"::1", "::1"},
    {"::", "::"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

START_TEST(every_spelling_is_read_and_shown_as_one)
{
    struct net_address address;
    char shown[NET_ADDRESS_TEXT_SIZE];
    ck_assert(net_address_parse(text_of(good[_i].text), &address));
    net_address_format(address, shown);
    ck_assert_str_eq(shown, good[_i].shown);
    ck_assert_int_eq(net_address_is_none(address), strcmp(shown, "::") == 0);
}
END_TEST

static const char *const bad[] = {
    "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/32", "1.2.3.4:80",
    "0x1.2.3.4", "localhost", ":", ":::", "1::2::3", "2001:db8::g", "[::1]", "::1%eth0", "fe80::1%1", "unknown",
    "2001:db8:0:0:0:0:0:0:1", "12345::", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
};

START_TEST(what_is_no_address_is_refused)
{
    struct net_address address;
    ck_assert_msg(!net_address_parse(text_of(bad[_i]), &address), "%s", bad[_i]);
}
END_TEST

START_TEST(a_text_is_read_to_its_end_and_not_beyond)
{
    struct net_address address, wanted;
    ck_assert(!net_address_parse((struct text){"1.2.3.4\0", 8}, &address));
    ck_assert(net_address_parse((struct text){"1.2.3.45", 7}, &address));
    ck_assert(net_address_parse(TEXT("1.2.3.4"), &wanted));
    ck_assert(net_address_equal(address, wanted));
}
END_TEST

START_TEST(the_peer_of_a_socket_has_its_address_in_either_family)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    char shown[NET_ADDRESS_TEXT_SIZE];
    inet_pton(AF_INET, "192.0.2.1", &ipv4.sin_addr);
    net_address_format(net_address_from_socket((struct sockaddr *)&ipv4, sizeof(ipv4)), shown);
    ck_assert_str_eq(shown, "192.0.2.1");
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &ipv6.sin6_addr);
    net_address_format(net_address_from_socket((struct sockaddr *)&ipv6, sizeof(ipv6)), shown);
    ck_assert_str_eq(shown, "192.0.2.1");
    inet_pton(AF_INET6, "2001:db8::1", &ipv6.sin6_addr);
    net_address_format(net_address_from_socket((struct sockaddr *)&ipv6, sizeof(ipv6)), shown);
    ck_assert_str_eq(shown, "2001:db8::1");
}
END_TEST

START_TEST(the_peer_of_a_unix_socket_has_none)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    ck_assert(net_address_is_none(net_address_from_socket((struct sockaddr *)&name, sizeof(sa_family_t))));
    ck_assert(net_address_is_none(net_address_from_socket((struct sockaddr *)&name, sizeof(name))));
}
END_TEST

static const struct {
    const char *address;
    const char *group;
} groups[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
    {"2001:db8:1:2::", "2001:db8:1:2::"},
    {"::1", "::"},
};

START_TEST(an_ipv4_address_stands_alone_and_an_ipv6_address_for_its_64)
{
    struct net_address address;
    char shown[NET_ADDRESS_TEXT_SIZE];
    ck_assert(net_address_parse(text_of(groups[_i].address), &address));
    net_address_format(net_address_group(address), shown);
    ck_assert_str_eq(shown, groups[_i].group);
    ck_assert_int_eq(net_address_is_ipv4(address), strchr(groups[_i].group, ':') == NULL);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("net_address");
    tcase_add_loop_test(tcase, every_spelling_is_read_and_shown_as_one, 0, LENGTH(good));
    tcase_add_loop_test(tcase, what_is_no_address_is_refused, 0, LENGTH(bad));
    tcase_add_test(tcase, a_text_is_read_to_its_end_and_not_beyond);
    tcase_add_test(tcase, the_peer_of_a_socket_has_its_address_in_either_family);
    tcase_add_test(tcase, the_peer_of_a_unix_socket_has_none);
    tcase_add_loop_test(tcase, an_ipv4_address_stands_alone_and_an_ipv6_address_for_its_64, 0, LENGTH(groups));
    return run_suite("net_address", tcase);
}
