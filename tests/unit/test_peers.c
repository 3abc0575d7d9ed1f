/* Connections counted by address. */
#include "peers.h"
#include "run_suite.h"

#include <stdio.h>

static struct peers peers;

START_TEST(connections_of_one_address_are_counted_together)
{
    struct peer *first = peers_enter(&peers, "192.0.2.1");
    ck_assert_int_eq(first->count, 1);
    ck_assert_ptr_eq(peers_enter(&peers, "192.0.2.1"), first);
    ck_assert_int_eq(first->count, 2);
    peers_leave(&peers, first);
    ck_assert_int_eq(first->count, 1);
    peers_leave(&peers, first);
}
END_TEST

START_TEST(addresses_are_compared_as_a_whole)
{
    static const char *const addresses[] = {"192.0.2.1", "192.0.2.10", "192.0.2.11", "2001:db8::1",
                                            "2001:db8::10"};
    struct peer *entered[LENGTH(addresses)];
    for (int i = 0; i < LENGTH(addresses); i++) {
        entered[i] = peers_enter(&peers, addresses[i]);
        ck_assert_int_eq(entered[i]->count, 1);
        ck_assert_str_eq(entered[i]->address, addresses[i]);
    }
    for (int i = 0; i < LENGTH(addresses); i++)
        peers_leave(&peers, entered[i]);
}
END_TEST

START_TEST(an_address_that_left_is_forgotten)
{
    peers_leave(&peers, peers_enter(&peers, "192.0.2.1"));
    ck_assert_ptr_null(peers.by_address);
    struct peer *again = peers_enter(&peers, "192.0.2.1");
    ck_assert_int_eq(again->count, 1);
    peers_leave(&peers, again);
}
END_TEST

START_TEST(a_connection_without_an_address_is_not_counted)
{
    ck_assert_ptr_null(peers_enter(&peers, ""));
    ck_assert_ptr_null(peers.by_address);
    peers_leave(&peers, NULL);
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
            entered[turn][i] = peers_enter(&peers, address);
            ck_assert_int_eq(entered[turn][i]->count, turn + 1);
        }
    }
    ck_assert_uint_eq(HASH_COUNT(peers.by_address), MANY);
    for (int i = 0; i < MANY; i++)
        peers_leave(&peers, entered[0][(i * 7) % MANY]);
    ck_assert_uint_eq(HASH_COUNT(peers.by_address), MANY);
    for (int i = 0; i < MANY; i++)
        peers_leave(&peers, entered[1][(i * 13) % MANY]);
    ck_assert_ptr_null(peers.by_address);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("peers");
    tcase_add_test(tcase, connections_of_one_address_are_counted_together);
    tcase_add_test(tcase, addresses_are_compared_as_a_whole);
    tcase_add_test(tcase, an_address_that_left_is_forgotten);
    tcase_add_test(tcase, a_connection_without_an_address_is_not_counted);
    tcase_add_test(tcase, many_addresses_come_and_go_in_any_order);
    return run_suite("peers", tcase);
}
