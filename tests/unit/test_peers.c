/* Connections and failed logins counted by address: at, below and above their limits, and what is kept of an
 * address that is gone. */
#include "peers.h"
#include "run_suite.h"

#include <stdio.h>

enum { PER_S = 2, BURST = 4 };

static const struct rate_limit limit = {PER_S, BURST};
static struct peers peers;
static uint64_t now_ms;

static struct net_address at(const char *text)
{
    struct net_address address;
    ck_assert_msg(net_address_parse(text_of(text), &address), "%s", text);
    return address;
}

static struct peer *enter(const char *text)
{
    return peers_enter(&peers, at(text), now_ms, limit);
}

static void leave(struct peer *peer)
{
    peers_leave(&peers, peer, now_ms, limit);
}

static void fail_logins(const char *text, int count)
{
    for (int i = 0; i < count; i++)
        peers_login_failed(&peers, at(text), now_ms, limit);
}

static int64_t wait_of(const char *text)
{
    return peers_login_wait_ms(&peers, at(text), now_ms, limit);
}

static int known(void)
{
    return (int)HASH_COUNT(peers.by_address);
}

static void start(void)
{
    peers = (struct peers){0};
    now_ms = 1000000;
}

static void stop(void)
{
    peers_free(&peers);
    ck_assert_ptr_null(peers.by_address);
}

/* ---- connections ---- */

START_TEST(connections_of_one_address_are_counted_together)
{
    struct peer *first = enter("192.0.2.1");
    ck_assert_int_eq(first->count, 1);
    ck_assert_ptr_eq(enter("192.0.2.1"), first);
    ck_assert_int_eq(first->count, 2);
    ck_assert_int_eq(peers_count(&peers, at("192.0.2.1")), 2);
    leave(first);
    ck_assert_int_eq(first->count, 1);
    leave(first);
    ck_assert_int_eq(peers_count(&peers, at("192.0.2.1")), 0);
}
END_TEST

START_TEST(addresses_are_compared_as_a_whole)
{
    static const char *const addresses[] = {"192.0.2.1",   "192.0.2.10",      "192.0.2.11",
                                            "2001:db8::1", "2001:db8:0:1::1", "::192.0.2.1"};
    struct peer *entered[LENGTH(addresses)];
    for (int i = 0; i < LENGTH(addresses); i++) {
        entered[i] = enter(addresses[i]);
        ck_assert_int_eq(entered[i]->count, 1);
    }
    ck_assert_int_eq(known(), LENGTH(addresses));
    for (int i = 0; i < LENGTH(addresses); i++)
        leave(entered[i]);
}
END_TEST

START_TEST(all_of_an_ipv6_64_is_one_address_and_a_mapped_ipv4_address_is_itself)
{
    struct peer *first = enter("2001:db8:1:2::1");
    ck_assert_ptr_eq(enter("2001:db8:1:2:ffff:ffff:ffff:ffff"), first);
    struct peer *other = enter("2001:db8:1:3::1");
    ck_assert_ptr_ne(other, first);
    struct peer *ipv4 = enter("192.0.2.1");
    ck_assert_ptr_eq(enter("::ffff:192.0.2.1"), ipv4);
    ck_assert_int_eq(first->count, 2);
    ck_assert_int_eq(ipv4->count, 2);
    struct peer *all[] = {first, first, other, ipv4, ipv4};
    for (int i = 0; i < LENGTH(all); i++)
        leave(all[i]);
}
END_TEST

START_TEST(an_address_that_left_is_forgotten)
{
    leave(enter("192.0.2.1"));
    ck_assert_int_eq(known(), 0);
    struct peer *again = enter("192.0.2.1");
    ck_assert_int_eq(again->count, 1);
    leave(again);
}
END_TEST

START_TEST(a_connection_without_an_address_is_not_counted)
{
    struct net_address none = {0};
    ck_assert_ptr_null(peers_enter(&peers, none, now_ms, limit));
    for (int i = 0; i < 10 * BURST; i++)
        peers_login_failed(&peers, none, now_ms, limit);
    ck_assert_int_eq(peers_login_wait_ms(&peers, none, now_ms, limit), 0);
    ck_assert_int_eq(known(), 0);
    leave(NULL);
}
END_TEST

START_TEST(many_addresses_come_and_go_in_any_order)
{
    enum { MANY = 1000 };
    struct peer *entered[2][MANY];
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < MANY; i++) {
            char address[32];
            snprintf(address, sizeof(address), "198.51.%d.%d", i / 256, i % 256);
            entered[turn][i] = enter(address);
            ck_assert_int_eq(entered[turn][i]->count, turn + 1);
        }
    }
    ck_assert_int_eq(known(), MANY);
    for (int i = 0; i < MANY; i++)
        leave(entered[0][(i * 7) % MANY]);
    ck_assert_int_eq(known(), MANY);
    for (int i = 0; i < MANY; i++)
        leave(entered[1][(i * 13) % MANY]);
    ck_assert_int_eq(known(), 0);
}
END_TEST

/* ---- failed logins ---- */

START_TEST(as_many_logins_may_fail_as_configured_and_no_more)
{
    fail_logins("192.0.2.1", BURST - 1);
    ck_assert_int_eq(wait_of("192.0.2.1"), 0);
    fail_logins("192.0.2.1", 1);
    ck_assert_int_eq(wait_of("192.0.2.1"), 1000 / PER_S);
    fail_logins("192.0.2.1", 10); /* those that were under way already cost no more than all there is */
    ck_assert_int_eq(wait_of("192.0.2.1"), 1000 / PER_S);
    ck_assert_int_eq(wait_of("192.0.2.2"), 0);
    now_ms += 1000 / PER_S;
    ck_assert_int_eq(wait_of("192.0.2.1"), 0);
    fail_logins("192.0.2.1", 1);
    ck_assert_int_ne(wait_of("192.0.2.1"), 0);
}
END_TEST

START_TEST(coming_again_forgives_nothing)
{
    struct peer *peer = enter("192.0.2.1");
    fail_logins("192.0.2.1", BURST);
    leave(peer);
    for (int i = 0; i < 10; i++)
        leave(enter("192.0.2.1"));
    ck_assert_int_ne(wait_of("192.0.2.1"), 0);
    peer = enter("192.0.2.1");
    ck_assert_int_ne(wait_of("192.0.2.1"), 0);
    leave(peer);
}
END_TEST

START_TEST(another_address_of_the_same_64_is_not_another)
{
    fail_logins("2001:db8:1:2::1", BURST);
    ck_assert_int_ne(wait_of("2001:db8:1:2::2"), 0);
    ck_assert_int_eq(wait_of("2001:db8:1:3::1"), 0);
}
END_TEST

START_TEST(an_idle_address_is_forgotten_once_its_failures_are_forgiven)
{
    fail_logins("192.0.2.1", 2);
    now_ms += 999; /* two take a second */
    peers_sweep(&peers, now_ms, limit);
    ck_assert_int_eq(known(), 1);
    now_ms += 1;
    peers_sweep(&peers, now_ms, limit);
    ck_assert_int_eq(known(), 0);
    ck_assert_int_eq(peers.idle_count, 0);
}
END_TEST

START_TEST(an_address_with_connections_is_not_swept)
{
    fail_logins("192.0.2.1", 1);
    struct peer *peer = enter("192.0.2.1");
    now_ms += 3600 * 1000;
    peers_sweep(&peers, now_ms, limit);
    ck_assert_int_eq(peers_count(&peers, at("192.0.2.1")), 1);
    leave(peer);
    ck_assert_int_eq(known(), 0);
}
END_TEST

/* One failure each from so many addresses, the first of them from 10.0.0.0. */
static void fail_from_many(int count)
{
    for (int i = 0; i < count; i++) {
        char address[32];
        snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        fail_logins(address, 1);
    }
}

START_TEST(idle_addresses_are_bounded_and_the_longest_idle_one_goes_first)
{
    fail_logins("192.0.2.1", BURST);
    fail_from_many(PEERS_IDLE_MAX - 1);
    ck_assert_int_eq(peers.idle_count, PEERS_IDLE_MAX);
    ck_assert_int_ne(wait_of("192.0.2.1"), 0);
    fail_logins("192.0.2.2", 1);
    ck_assert_int_eq(peers.idle_count, PEERS_IDLE_MAX);
    ck_assert_int_eq(known(), PEERS_IDLE_MAX);
    ck_assert_int_eq(wait_of("192.0.2.1"), 0);
}
END_TEST

START_TEST(an_address_that_is_connected_is_kept_however_many_others_fail)
{
    struct peer *peer = enter("192.0.2.1");
    fail_logins("192.0.2.1", BURST);
    fail_from_many(PEERS_IDLE_MAX + 10);
    ck_assert_int_ne(wait_of("192.0.2.1"), 0);
    ck_assert_int_eq(known(), PEERS_IDLE_MAX + 1);
    leave(peer);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("peers");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, connections_of_one_address_are_counted_together);
    tcase_add_test(tcase, addresses_are_compared_as_a_whole);
    tcase_add_test(tcase, all_of_an_ipv6_64_is_one_address_and_a_mapped_ipv4_address_is_itself);
    tcase_add_test(tcase, an_address_that_left_is_forgotten);
    tcase_add_test(tcase, a_connection_without_an_address_is_not_counted);
    tcase_add_test(tcase, many_addresses_come_and_go_in_any_order);
    tcase_add_test(tcase, as_many_logins_may_fail_as_configured_and_no_more);
    tcase_add_test(tcase, coming_again_forgives_nothing);
    tcase_add_test(tcase, another_address_of_the_same_64_is_not_another);
    tcase_add_test(tcase, an_idle_address_is_forgotten_once_its_failures_are_forgiven);
    tcase_add_test(tcase, an_address_with_connections_is_not_swept);
    tcase_add_test(tcase, idle_addresses_are_bounded_and_the_longest_idle_one_goes_first);
    tcase_add_test(tcase, an_address_that_is_connected_is_kept_however_many_others_fail);
    return run_suite("peers", tcase);
}
