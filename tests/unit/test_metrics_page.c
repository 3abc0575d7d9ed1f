/* The page of numbers: every line is one of the format, every family is there once and together, every number is
 * the one that was given. What promtool and the OpenMetrics parser say of it, tests/e2e asks them. */
#include "metrics_page.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>

static struct metrics metrics;
static struct metrics_process processes[2];
static char *page;

static void make(uint64_t number, bool openmetrics)
{
    size_t size;
    metrics = (struct metrics){.feed.queue_usage = 0.25, .feed.live = true, .ready = true};
    for (size_t i = 0; i < sizeof(metrics.totals) / sizeof(uint64_t); i++)
        ((uint64_t *)&metrics.totals)[i] = number;
    for (size_t i = 0; i < sizeof(metrics.levels) / sizeof(uint64_t); i++)
        ((uint64_t *)&metrics.levels)[i] = number;
    memcpy(processes, (struct metrics_process[]){{"supervisor", {1500000, 4096, 1790000000123}, 0}, {"0", {number, number, 5}, number}},
           sizeof(processes));
    metrics.process_count = 2;
    metrics.processes = processes;
    free(page);
    page = metrics_page(&metrics, openmetrics, &size);
    ck_assert_uint_eq(strnlen(page, size), size); /* no zero byte in it */
    page = realloc(page, size + 1);
    page[size] = '\0';
}

static void expect_line(const char *line)
{
    size_t length = strlen(line);
    for (const char *at = page; (at = strstr(at, line)); at += length)
        if ((at == page || at[-1] == '\n') && at[length] == '\n')
            return;
    ck_abort_msg("no line %s", line);
}

/* Calls visit for each line, which it may change. */
static void each_line(void (*visit)(char *line))
{
    char *copy = strdup(page), *rest = copy;
    size_t size = strlen(copy);
    ck_assert(size && copy[size - 1] == '\n');
    copy[size - 1] = '\0';
    for (char *line; (line = strsep(&rest, "\n"));)
        visit(line);
    free(copy);
}

/* ---- the form ---- */

static void expect_form(char *line)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz_", label[] = "abcdefghijklmnopqrstuvwxyz0123456789_.+-=\",In";
    if (line[0] == '#') {
        ck_assert_msg(strncmp(line, "# HELP pgherald_", 16) == 0 || strncmp(line, "# TYPE pgherald_", 16) == 0, "%s", line);
        return;
    }
    size_t at = strspn(line, name);
    ck_assert_msg(strncmp(line, "pgherald_", 9) == 0, "%s", line);
    if (line[at] == '{') {
        at += 1 + strspn(line + at + 1, label);
        ck_assert_msg(line[at++] == '}', "%s", line);
    }
    ck_assert_msg(line[at] == ' ' && strspn(line + at + 1, "0123456789.") == strlen(line + at + 1) && line[at + 1], "%s",
                  line);
}

START_TEST(every_line_is_a_sample_or_describes_some)
{
    static const uint64_t numbers[] = {0, 1, UINT64_MAX};
    make(numbers[_i], false);
    each_line(expect_form);
}
END_TEST

static char families[64][64];
static int family_count;
static char series[1024][160];
static int series_count;

/* HELP begins a family, TYPE follows, then its samples. */
static void expect_place(char *line)
{
    char name[64];
    const char *family = family_count ? families[family_count - 1] : "";
    if (sscanf(line, "# HELP %63s", name) == 1) {
        for (int i = 0; i < family_count; i++)
            ck_assert_str_ne(name, families[i]);
        ck_assert_int_lt(family_count, LENGTH(families));
        strcpy(families[family_count++], name);
        ck_assert_msg(strlen(line) > strlen("# HELP ") + strlen(name) + 10 && line[strlen(line) - 1] == '.', "%s", line);
        return;
    }
    if (sscanf(line, "# TYPE %63s", name) == 1) {
        ck_assert_str_eq(name, family);
        return;
    }
    ck_assert_msg(strncmp(line, family, strlen(family)) == 0, "%s in the family %s", line, family);
    *strrchr(line, ' ') = '\0';
    for (int i = 0; i < series_count; i++)
        ck_assert_str_ne(line, series[i]);
    ck_assert_int_lt(series_count, LENGTH(series));
    snprintf(series[series_count++], sizeof(series[0]), "%s", line);
}

START_TEST(every_family_is_there_once_and_every_series_in_its_family_once)
{
    family_count = series_count = 0;
    make(1, false);
    each_line(expect_place);
    ck_assert_int_gt(family_count, 30);
}
END_TEST

START_TEST(openmetrics_names_families_without_their_suffix_and_ends_with_eof)
{
    make(1, true);
    expect_line("# TYPE pgherald_build info");
    expect_line("# TYPE pgherald_sessions_opened counter");
    expect_line("pgherald_sessions_opened_total{transport=\"websocket\"} 1");
    expect_line("pgherald_build_info{version=\"" PGHERALD_VERSION "\"} 1");
    ck_assert_str_eq(page + strlen(page) - strlen("\n# EOF\n"), "\n# EOF\n");
}
END_TEST

START_TEST(the_older_format_names_them_with_it)
{
    make(1, false);
    expect_line("# TYPE pgherald_build_info gauge");
    expect_line("# TYPE pgherald_sessions_opened_total counter");
    ck_assert_ptr_null(strstr(page, "EOF"));
}
END_TEST

/* ---- the numbers ---- */

START_TEST(numbers_are_not_rounded)
{
    make(UINT64_MAX, false);
    expect_line("pgherald_sessions_opened_total{transport=\"sse\"} 18446744073709551615");
    expect_line("pgherald_process_cpu_seconds_total{process=\"0\"} 18446744073709.551615");
    expect_line("pgherald_process_cpu_seconds_total{process=\"supervisor\"} 1.500000");
    expect_line("pgherald_process_start_time_seconds{process=\"supervisor\"} 1790000000.123000");
    expect_line("pgherald_notification_queue_usage_ratio 0.25");
}
END_TEST

START_TEST(each_close_has_its_code_and_each_refusal_its_status)
{
    make(3, false);
    expect_line("pgherald_sessions_closed_total{code=\"4001\",reason=\"token_expired\"} 3");
    expect_line("pgherald_sessions_closed_total{code=\"1000\",reason=\"peer_closed\"} 3");
    expect_line("pgherald_handshakes_refused_total{status=\"403\",reason=\"origin\"} 3");
    expect_line("pgherald_handshakes_refused_total{status=\"429\",reason=\"auth_failures\"} 3");
    expect_line("pgherald_messages_received_total{type=\"mark_read\"} 3");
    expect_line("pgherald_messages_received_total{type=\"invalid\"} 3");
}
END_TEST

START_TEST(requests_and_transports_have_their_labels)
{
    make(3, false);
    expect_line("pgherald_sessions{transport=\"sse\",state=\"open\"} 3");
    expect_line("pgherald_http_requests_total{operation=\"set_read\",status=\"4xx\"} 3");
    expect_line("pgherald_http_requests_total{operation=\"other\",status=\"none\"} 3");
    expect_line("pgherald_http_problems_total{code=\"key_reused\"} 3");
    expect_line("pgherald_http_requests_under_way{state=\"asking\"} 3");
    expect_line("pgherald_http_request_seconds_count{operation=\"list\"} 45");
    ck_assert_ptr_null(strstr(page, "pgherald_http_problems_total{code=\"too_many_tabs\"")); /* of streams only */
}
END_TEST

START_TEST(buckets_add_up)
{
    make(2, false); /* two in each bucket, two microseconds in all */
    expect_line("pgherald_commit_to_socket_seconds_bucket{le=\"0.0005\"} 2");
    expect_line("pgherald_commit_to_socket_seconds_bucket{le=\"0.001\"} 4");
    expect_line("pgherald_commit_to_socket_seconds_bucket{le=\"1.0\"} 22");
    expect_line("pgherald_commit_to_socket_seconds_bucket{le=\"2.5\"} 24");
    expect_line("pgherald_commit_to_socket_seconds_bucket{le=\"10.0\"} 28");
    expect_line("pgherald_commit_to_socket_seconds_bucket{le=\"+Inf\"} 30");
    expect_line("pgherald_commit_to_socket_seconds_sum 0.000002");
    expect_line("pgherald_commit_to_socket_seconds_count 30");
    expect_line("pgherald_query_seconds_bucket{statement=\"mark_read\",le=\"0.025\"} 12");
    expect_line("pgherald_query_seconds_count{statement=\"mark_read\"} 30");
    expect_line("pgherald_mark_read_batch_rows_bucket{le=\"1000.0\"} 20");
    expect_line("pgherald_mark_read_batch_rows_bucket{le=\"+Inf\"} 22");
    expect_line("pgherald_mark_read_batch_rows_sum 2");
}
END_TEST

START_TEST(the_feed_is_in_one_state)
{
    static const struct {
        bool live, armed;
        const char *state;
    } states[] = {{false, false, "down"}, {true, true, "armed"}, {true, false, "polling"}};
    size_t size;
    char line[64];
    metrics = (struct metrics){.feed.live = states[_i].live, .feed.armed = states[_i].armed};
    free(page);
    page = metrics_page(&metrics, true, &size);
    for (int i = 0; i < LENGTH(states); i++) {
        snprintf(line, sizeof(line), "pgherald_feed_state{state=\"%s\"} %d", states[i].state, i == _i);
        ck_assert_msg(memmem(page, size, line, strlen(line)) != NULL, "%s", line);
    }
}
END_TEST

START_TEST(sums_are_of_every_number)
{
    static struct report_totals totals, more_totals;
    static struct report_levels levels, more_levels;
    memset(&totals, 0x01, sizeof(totals));
    memset(&more_totals, 0x02, sizeof(more_totals));
    memset(&levels, 0x01, sizeof(levels));
    memset(&more_levels, 0x02, sizeof(more_levels));
    report_add_totals(&totals, &more_totals);
    report_add_levels(&levels, &more_levels);
    for (size_t i = 0; i < sizeof(totals); i++)
        ck_assert_uint_eq(((uint8_t *)&totals)[i], 0x03);
    for (size_t i = 0; i < sizeof(levels); i++)
        ck_assert_uint_eq(((uint8_t *)&levels)[i], 0x03);
}
END_TEST

static void stop(void)
{
    free(page);
    page = NULL;
}

int main(void)
{
    TCase *tcase = tcase_create("metrics_page");
    tcase_add_checked_fixture(tcase, NULL, stop);
    tcase_add_loop_test(tcase, every_line_is_a_sample_or_describes_some, 0, 3);
    tcase_add_test(tcase, every_family_is_there_once_and_every_series_in_its_family_once);
    tcase_add_test(tcase, openmetrics_names_families_without_their_suffix_and_ends_with_eof);
    tcase_add_test(tcase, the_older_format_names_them_with_it);
    tcase_add_test(tcase, numbers_are_not_rounded);
    tcase_add_test(tcase, each_close_has_its_code_and_each_refusal_its_status);
    tcase_add_test(tcase, requests_and_transports_have_their_labels);
    tcase_add_test(tcase, buckets_add_up);
    tcase_add_loop_test(tcase, the_feed_is_in_one_state, 0, 3);
    tcase_add_test(tcase, sums_are_of_every_number);
    return run_suite("metrics_page", tcase);
}
