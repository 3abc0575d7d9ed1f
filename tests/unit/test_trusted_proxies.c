/* The list of trusted proxies: what may be written, and who is in it, at both ends of each block. */
#include "run_suite.h"
#include "trusted_proxies.h"

#include <stdio.h>
#include <string.h>

static struct trusted_proxies list;

static bool has(const char *text)
{
    struct net_address address = {0};
    ck_assert(!*text || net_address_parse(text_of(text), &address));
    return trusted_proxies_have(&list, address);
}

static const struct {
    const char *list;
    const char *in[4];
    const char *out[4];
} members[] = {
    {"192.0.2.7", {"192.0.2.7", "::ffff:192.0.2.7"}, {"192.0.2.6", "192.0.2.8", "::192.0.2.7", ""}},
    {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"}, {"9.255.255.255", "11.0.0.0", "::a00:1"}},
    {"10.0.0.0/9", {"10.0.0.0", "10.127.255.255"}, {"10.128.0.0", "9.255.255.255"}},
    {"10.0.0.128/25", {"10.0.0.128", "10.0.0.255"}, {"10.0.0.127", "10.0.1.128"}},
    {"10.0.0.4/31", {"10.0.0.4", "10.0.0.5"}, {"10.0.0.3", "10.0.0.6"}},
    {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::1", "2001:db8::1", ""}},
    {"::/0", {"192.0.2.1", "2001:db8::1"}, {""}},
    {"::ffff:10.0.0.0/104", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0"}},
    {"2001:db8::/32", {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"}, {"2001:db7:ffff::", "2001:db9::"}},
    {"2001:db8::5", {"2001:db8::5"}, {"2001:db8::4", "2001:db8::6"}},
    {"unix", {""}, {"127.0.0.1", "::1"}},
    {"127.0.0.1, ::1\t unix,,", {"127.0.0.1", "::1", ""}, {"127.0.0.2", "::2"}},
};

START_TEST(who_is_in_a_block_is_trusted_and_nobody_next_to_it)
{
    ck_assert_msg(trusted_proxies_parse(members[_i].list, &list), "%s", members[_i].list);
    for (int i = 0; i < 4 && members[_i].in[i]; i++)
        ck_assert_msg(has(members[_i].in[i]), "%s is not in %s", members[_i].in[i], members[_i].list);
    for (int i = 0; i < 4 && members[_i].out[i]; i++)
        ck_assert_msg(!has(members[_i].out[i]), "%s is in %s", members[_i].out[i], members[_i].list);
}
END_TEST

static const char *const bad[] = {
    "",        " , ",       "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/",      "10.0.0.0/08", "10.0.0.0/8/8",
    "/8",      "10.0.0/8",  "10.0.0.1/8",  "::1/129",     "2001:db8::1/32", "proxy.local", "unix:/run/x",
    "unix/8",  "[::1]",     "*",           "10.0.0.0-10.0.0.9",             "::ffff:10.0.0.0/8",
    "10.0.0.1 somewhere",   "10.0.0.0/ 8", "10.0.0.0/1e1",
};

START_TEST(what_is_no_block_is_refused_and_so_are_stray_bits_behind_a_prefix)
{
    ck_assert_msg(!trusted_proxies_parse(bad[_i], &list), "%s", bad[_i]);
}
END_TEST

static void write_many(char *out, size_t size, int count)
{
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(out + length, size - length, "10.0.%d.%d ", i / 256, i % 256);
}

START_TEST(the_list_has_a_bound)
{
    char text[(TRUSTED_PROXIES_MAX + 1) * 16];
    write_many(text, sizeof(text), TRUSTED_PROXIES_MAX - 1);
    ck_assert(trusted_proxies_parse(text, &list));
    write_many(text, sizeof(text), TRUSTED_PROXIES_MAX);
    ck_assert(trusted_proxies_parse(text, &list));
    ck_assert(has("10.0.0.255"));
    write_many(text, sizeof(text), TRUSTED_PROXIES_MAX + 1);
    ck_assert(!trusted_proxies_parse(text, &list));
}
END_TEST

START_TEST(nobody_is_trusted_by_default)
{
    list = (struct trusted_proxies){0};
    ck_assert(!has("127.0.0.1"));
    ck_assert(!has("::1"));
    ck_assert(!has(""));
    ck_assert_ptr_null(trusted_proxies_text(&list));
}
END_TEST

START_TEST(a_list_is_written_as_it_may_be_read)
{
    struct trusted_proxies again;
    ck_assert(trusted_proxies_parse("10.0.0.0/8,192.0.2.1 2001:db8::/32 unix ::ffff:10.0.0.0/104 ::/0", &list));
    char *text = trusted_proxies_text(&list);
    ck_assert_str_eq(text, "unix 10.0.0.0/8 192.0.2.1/32 2001:db8::/32 10.0.0.0/8 ::/0");
    ck_assert(trusted_proxies_parse(text, &again));
    ck_assert_mem_eq(&again, &list, sizeof(list));
    free(text);
    char longest[TRUSTED_PROXIES_MAX * 48] = "";
    for (int i = 0; i < TRUSTED_PROXIES_MAX; i++)
        strcat(longest, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/128,");
    ck_assert(trusted_proxies_parse(longest, &list));
    text = trusted_proxies_text(&list);
    ck_assert_uint_eq(strlen(text), strlen(longest) - 1);
    free(text);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("trusted_proxies");
    tcase_add_loop_test(tcase, who_is_in_a_block_is_trusted_and_nobody_next_to_it, 0, LENGTH(members));
    tcase_add_loop_test(tcase, what_is_no_block_is_refused_and_so_are_stray_bits_behind_a_prefix, 0, LENGTH(bad));
    tcase_add_test(tcase, the_list_has_a_bound);
    tcase_add_test(tcase, nobody_is_trusted_by_default);
    tcase_add_test(tcase, a_list_is_written_as_it_may_be_read);
    return run_suite("trusted_proxies", tcase);
}
