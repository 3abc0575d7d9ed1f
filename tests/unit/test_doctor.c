/* What the doctor decides without a database, and that no error lacks its entry. */
#include <string.h>

#include "doctor.h"
#include "errors.h"
#include "pg_link.h"
#include "refusal.h"
#include "run_suite.h"
#include "session.h"

START_TEST(clocks_are_apart_only_as_far_as_the_round_trip_leaves_no_doubt)
{
    ck_assert_int_eq(doctor_clock_distance_ms(0, 0), 0);
    ck_assert_int_eq(doctor_clock_distance_ms(40000, 0), 40000);
    ck_assert_int_eq(doctor_clock_distance_ms(-40000, 10), 39990);
    ck_assert_int_eq(doctor_clock_distance_ms(500, 500), 0);
    ck_assert_int_eq(doctor_clock_distance_ms(501, 500), 1);
    ck_assert_int_eq(doctor_clock_distance_ms(-3, 9000), 0);
}
END_TEST

START_TEST(every_end_of_a_session_but_the_peers_has_an_entry_with_its_close_code)
{
    char code[8];
    for (int reason = 0; reason < END_REASONS; reason++) {
        if (reason == END_PEER)
            continue;
        const struct error_entry *entry = errors_find(end_reason_word(reason));
        ck_assert_msg(entry != NULL, "%s", end_reason_word(reason));
        ck_assert_int_eq(entry->place, ERROR_IN_CLOSE);
        snprintf(code, sizeof(code), "%d:", end_reason_code((enum end_reason)reason));
        ck_assert_msg(strncmp(entry->cause, code, strlen(code)) == 0, "%s: %s", entry->code, entry->cause);
    }
}
END_TEST

START_TEST(every_refused_request_has_an_entry)
{
    for (int refusal = 0; refusal < REFUSALS; refusal++) {
        const struct error_entry *entry = errors_find(refusal_word(refusal));
        ck_assert_msg(entry != NULL, "%s", refusal_word(refusal));
        ck_assert_int_eq(entry->place, ERROR_IN_HTTP);
    }
}
END_TEST

START_TEST(every_cause_that_postgresql_names_has_an_entry)
{
    static const char *const states[] = {"28P01", "28000", "3D000", "3F000", "42883", "42P01", "42501",
                                         "25006", "53100", "53200", "53300", "57P03", "XX000", ""};
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
        ck_assert_msg(errors_find(link_error_code(states[i])) != NULL, "%s", states[i]);
    ck_assert_str_eq(link_error_code("53300"), "too_many_connections");
    ck_assert_str_eq(link_error_code("XX000"), "database_error");
    ck_assert_str_eq(link_error_code(""), "database_unreachable");
}
END_TEST

START_TEST(no_two_entries_of_a_place_have_the_same_name_and_none_lacks_cause_or_remedy)
{
    for (size_t i = 0; i < error_table_size; i++) {
        const struct error_entry *entry = &error_table[i];
        ck_assert_msg(*entry->cause && *entry->remedy, "%s", entry->code);
        ck_assert_msg(entry->remedy[strlen(entry->remedy) - 1] != '.', "%s", entry->code);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(strcmp(error_table[j].code, entry->code) != 0, "%s twice", entry->code);
    }
}
END_TEST

START_TEST(the_state_of_a_refused_connection_is_found_in_its_text)
{
    ck_assert_int_eq(
        strncmp(link_refusal_state("connection to server … failed: FATAL:  53300: sorry"), "53300", 5), 0);
    ck_assert_str_eq(link_refusal_state("could not connect: No such file or directory"), "");
}
END_TEST

START_TEST(a_connection_that_was_refused_has_the_name_of_its_cause_whichever_host_says_it)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"connection to server at \"db\" (192.0.2.1), port 5432 failed: Connection refused\n", "database_unreachable"},
        {"could not translate host name \"certificate.example\" to address: Name or service not known\n",
         "database_unreachable"},
        {"connection to server at \"ssl.example\", port 5432 failed: FATAL:  28P01: password authentication failed\n",
         "password_refused"},
        {"connection to server at \"db\", port 5432 failed: fe_sendauth: no password supplied\n", "password_refused"},
        {"connection to server at \"a\", port 1 failed: server does not support SSL, but SSL was required\n"
         "connection to server at \"b\", port 1 failed: Connection refused\n",
         "tls_refused"},
        {"connection to server at \"a\", port 1 failed: Connection refused\n"
         "connection to server at \"b\", port 1 failed: SSL error: certificate verify failed\n",
         "tls_refused"},
        {"connection to server at \"a\", port 1 failed: SSL error: certificate verify failed\n"
         "connection to server at \"b\", port 1 failed: FATAL:  3D000: database \"x\" does not exist\n",
         "no_database"},
        {"server certificate for \"a\" does not match host name \"b\"\n", "tls_refused"},
        {"root certificate file \"/x\" does not exist\n", "tls_refused"},
        {"connection to server at \"a\", port 1 failed: session is read-only\n", "not_primary"},
        {"connection to server at \"a\", port 1 failed: SSL SYSCALL error: EOF detected\n", "database_unreachable"},
        {"", "database_unreachable"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ck_assert_msg(strcmp(link_refusal_code(cases[i].text), cases[i].code) == 0, "%s", cases[i].text);
        ck_assert_ptr_nonnull(errors_find(cases[i].code));
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("doctor");
    tcase_add_test(tests, clocks_are_apart_only_as_far_as_the_round_trip_leaves_no_doubt);
    tcase_add_test(tests, every_end_of_a_session_but_the_peers_has_an_entry_with_its_close_code);
    tcase_add_test(tests, every_refused_request_has_an_entry);
    tcase_add_test(tests, every_cause_that_postgresql_names_has_an_entry);
    tcase_add_test(tests, no_two_entries_of_a_place_have_the_same_name_and_none_lacks_cause_or_remedy);
    tcase_add_test(tests, the_state_of_a_refused_connection_is_found_in_its_text);
    tcase_add_test(tests, a_connection_that_was_refused_has_the_name_of_its_cause_whichever_host_says_it);
    return run_suite("doctor", tests);
}
