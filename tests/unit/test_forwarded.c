/* X-Forwarded-For as proxies and liars write it. Trusted are 10.0.0.0/8 and fd00::/8. */
#include "forwarded.h"
#include "run_suite.h"

#include <string.h>

static struct trusted_proxies proxies;

static void start(void)
{
    ck_assert(trusted_proxies_parse("10.0.0.0/8 fd00::/8", &proxies));
}

/* The values are exact copies: a sanitizer sees what is read behind them. */
static void read_value(const char *value, struct net_address *client)
{
    size_t size = strlen(value);
    char *copy = malloc(size ? size : 1);
    memcpy(copy, value, size);
    forwarded_read(&proxies, (struct text){copy, size}, client);
    free(copy);
}

static void expect_client(struct net_address client, const char *expected)
{
    char shown[NET_ADDRESS_TEXT_SIZE];
    net_address_format(client, shown);
    ck_assert_str_eq(net_address_is_none(client) ? "" : shown, expected);
}

static const struct {
    const char *value;
    const char *client; /* "": none, the peer itself */
} cases[] = {
    /* one entry, in each form that proxies write */
    {"203.0.113.7", "203.0.113.7"},
    {"  203.0.113.7\t", "203.0.113.7"},
    {"203.0.113.7:49152", "203.0.113.7"},
    {"2001:db8::7", "2001:db8::7"},
    {"[2001:db8::7]", "2001:db8::7"},
    {"[2001:db8::7]:49152", "2001:db8::7"},
    {"::ffff:203.0.113.7", "203.0.113.7"},
    {"10.0.0.1", "10.0.0.1"},
    /* the right one is believed first */
    {"198.51.100.1, 203.0.113.7", "203.0.113.7"},
    {"198.51.100.1,203.0.113.7", "203.0.113.7"},
    {"10.0.0.1, 203.0.113.7", "203.0.113.7"},
    {"127.0.0.1, 203.0.113.7, 10.0.0.2, 10.0.0.1", "203.0.113.7"},
    {"198.51.100.1, 203.0.113.7, [fd00::1]:80", "203.0.113.7"},
    {"10.0.0.3, 10.0.0.2, 10.0.0.1", "10.0.0.3"},
    /* what is no address hides all before it */
    {"unknown", ""},
    {"203.0.113.7, unknown", ""},
    {"203.0.113.7, unknown, 10.0.0.1", "10.0.0.1"},
    {"203.0.113.7, unknown, 10.0.0.2, 10.0.0.1", "10.0.0.2"},
    {"unknown, 203.0.113.7", "203.0.113.7"},
    {"203.0.113.7 198.51.100.1", ""},
    {"203.0.113.7;198.51.100.1", ""},
    {"unix:", ""},
    {"_hidden", ""},
    {"\"[2001:db8::7]\"", ""},
    {"203.0.113.7:", ""},
    {"203.0.113.7:http", ""},
    {"203.0.113.7:123456", ""},
    {"203.0.113.256", ""},
    {"203.0.113.07", ""},
    {"[203.0.113.7]", ""},
    {"[203.0.113.7]:80", ""},
    {"[2001:db8::7", ""},
    {"2001:db8::7]", ""},
    {"[2001:db8::7]80", ""},
    {"[2001:db8::7]:", ""},
    {"[]", ""},
    {"[", ""},
    {"]", ""},
    {":", ""},
    {":80", ""},
    {"fe80::1%eth0", ""},
    {"::", ""},
    /* empty elements are ignored */
    {"", ""},
    {" ", ""},
    {",", ""},
    {", ,", ""},
    {"203.0.113.7,", "203.0.113.7"},
    {"203.0.113.7, ,10.0.0.1,, ", "203.0.113.7"},
};

START_TEST(the_client_is_the_first_from_the_right_that_no_trusted_proxy_is)
{
    struct net_address client = {0};
    read_value(cases[_i].value, &client);
    expect_client(client, cases[_i].client);
}
END_TEST

START_TEST(several_fields_are_one_list)
{
    struct net_address client = {0};
    read_value("198.51.100.1, 203.0.113.7", &client);
    read_value("10.0.0.2", &client);
    read_value("", &client);
    read_value("10.0.0.1", &client);
    expect_client(client, "203.0.113.7");
    read_value("garbage", &client);
    expect_client(client, "");
    read_value("10.0.0.1", &client);
    expect_client(client, "10.0.0.1");
    read_value("198.51.100.9", &client);
    expect_client(client, "198.51.100.9");
}
END_TEST

START_TEST(zero_bytes_and_long_entries_are_no_addresses)
{
    char entry[5000];
    struct net_address client = {0};
    memset(entry, '1', sizeof(entry));
    forwarded_read(&proxies, (struct text){entry, sizeof(entry)}, &client);
    expect_client(client, "");
    forwarded_read(&proxies, (struct text){"203.0.113.7\0", 12}, &client);
    expect_client(client, "");
    forwarded_read(&proxies, (struct text){"\0", 1}, &client);
    expect_client(client, "");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("forwarded");
    tcase_add_checked_fixture(tcase, start, NULL);
    tcase_add_loop_test(tcase, the_client_is_the_first_from_the_right_that_no_trusted_proxy_is, 0, LENGTH(cases));
    tcase_add_test(tcase, several_fields_are_one_list);
    tcase_add_test(tcase, zero_bytes_and_long_entries_are_no_addresses);
    return run_suite("forwarded", tcase);
}
