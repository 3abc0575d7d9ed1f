/* Every allocation of these steps fails once, each in a process of its own: the step does what it always
 * does, or refuses, or the process ends by the rule of memory.h with its one line. Never a crash, never a
 * wrong acceptance. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fault/fail_malloc.h"
#include "auth.h"
#include "command.h"
#include "config.h"
#include "fake_relay.h"
#include "message.h"
#include "run_suite.h"
#include "token_maker.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define ID "926f5a44-7bea-4a4c-9d51-7eedbef93b36"

enum { NOW_S = 1700000000, CALLS_MAX = 20000, LOG_BYTES = 4096 };
/* 2 is how Check itself ends without memory: it notes each assertion. */
enum outcome { CHECK_FAILED = 2, DONE = 10, REFUSED, WRONG, NEVER_FAILED };

static struct jwt_keys *keys;
static char *good_token, *forged_token, *pem;
static EVP_PKEY *pkey;
static struct fake_socket tab;

/* ---- the steps ---- */

static enum outcome read_a_message(void)
{
    static const char text[] = "{\"type\":\"mark_read\",\"notification_ids\":[\"" ID "\"],\"ref\":\"r\"}";
    struct command command;
    struct command_error error;
    bool good = command_parse(text, strlen(text), &command, &error) && command.type == COMMAND_MARK_READ &&
                command.id_count == 1 && strcmp(command.ref, "\"r\"") == 0;
    command_clear(&command);
    return good ? DONE : WRONG;
}

static enum outcome verify(const char *token)
{
    const struct auth_rules rules = {0};
    struct auth_claims claims;
    if (auth_verify(keys, &rules, token, strlen(token), NOW_S, &claims) != AUTH_OK)
        return REFUSED;
    bool right = strcmp(claims.subject, "alice") == 0;
    auth_claims_clear(&claims);
    return right ? DONE : WRONG;
}

static enum outcome accept_a_token(void)
{
    return verify(good_token);
}

static enum outcome refuse_a_forged_token(void)
{
    return verify(forged_token) == REFUSED ? DONE : WRONG;
}

static enum outcome load_keys(void)
{
    char why[JWT_KEYS_ERROR_BYTES];
    struct jwt_keys *loaded;
    if (!jwt_keys_parse(&loaded, TOKEN_ALG_ES256, pem, strlen(pem), "key", why))
        return !loaded && *why ? REFUSED : WRONG;
    bool right = jwt_keys_count(loaded) == 1;
    jwt_keys_free(loaded);
    return right ? DONE : WRONG;
}

static enum outcome load_configuration(void)
{
    char origins[] = "HERALD_ALLOWED_ORIGINS=https://a.example.org, https://b.example.org",
         limit[] = "HERALD_RATE_LIMIT=5/s:6";
    char *envp[] = {origins, limit, NULL};
    struct config config;
    struct config_error error;
    if (!config_load(&config, NULL, envp, &error))
        return *error.message ? REFUSED : WRONG;
    bool right = strcmp(config.allowed_origins, "https://a.example.org https://b.example.org") == 0 &&
                 config.rate_limit.per_s == 5 && config.rate_limit.burst == 6;
    config_free(&config);
    return right ? DONE : WRONG;
}

static enum outcome hide_a_password(void)
{
    char *masked = config_mask_database_url("postgresql://u:geheim@h/db?sslmode=require&password=geheim");
    bool right = strcmp(masked, "postgresql://u:***@h/db?sslmode=require&password=***") == 0;
    free(masked);
    return right ? DONE : WRONG;
}

static enum outcome make_a_message(void)
{
    struct frame *frame = message_connected("al\"ice", "session", 3, "deadbeef-731", 30, 0, "\"r\"");
    struct text payload = frame_payload(frame);
    bool right = memmem(payload.bytes, payload.size, "\"user_id\":\"al\\\"ice\"", 19) != NULL;
    frame_drop(frame);
    return right ? DONE : WRONG;
}

/* Login, page, mark and catch-up; an expectation that fails ends the process with another status. */
static enum outcome serve_a_tab(void)
{
    socket_login(&tab, "alice");
    send_text(&tab, "{\"type\":\"get_unread\"}");
    expect_query(DESK_PAGES);
    answer_next(&(struct answer){.rows = 1, .cells = {{"0", "[]"}}});
    send_text(&tab, "{\"type\":\"mark_read\",\"notification_id\":\"" ID "\"}");
    end_turn();
    expect_query(DESK_MARK_READ);
    answer_next(&(struct answer){.rows = 1, .cells = {{"alice", ID, "2", "{}"}}});
    send_text(&tab, "{\"type\":\"resume\",\"cursor\":\"" FAKE_CURSOR "\"}");
    end_turn();
    expect_query(DESK_RESUME);
    answer_next(&(struct answer){.rows = 1, .cells = {{"1", "e"}}});
    end_turn();
    for (int i = 0; i < 3; i++) {
        struct frame *frame = next_frame(&tab);
        ck_assert_ptr_nonnull(frame);
        frame_drop(frame);
    }
    expect_nothing(&tab);
    return DONE;
}

/* may_refuse: where it can say so, a step may also end in an error. */
static const struct {
    const char *name;
    enum outcome (*run)(void);
    bool may_refuse;
} steps[] = {
    {"read a message", read_a_message, false},
    {"accept a token", accept_a_token, true},
    {"refuse a forged token", refuse_a_forged_token, false},
    {"load keys", load_keys, true},
    {"load configuration", load_configuration, true},
    {"hide a password", hide_a_password, false},
    {"make a message", make_a_message, false},
    {"serve a tab", serve_a_tab, false},
};

/* ---- one allocation fails ---- */

static char *sign(const char *secret)
{
    char *signed_text = maker_signed_text("{\"alg\":\"HS256\"}", "{\"sub\":\"alice\",\"exp\":1700003600}");
    return maker_join(signed_text, maker_hmac(EVP_sha256(), secret, strlen(secret), signed_text));
}

static void start(void)
{
    char why[JWT_KEYS_ERROR_BYTES];
    ck_assert(jwt_keys_parse(&keys, TOKEN_ALG_HS256, SECRET, strlen(SECRET), "secret", why));
    pkey = maker_ec("P-256");
    pem = maker_public_pem(pkey);
    good_token = sign(SECRET);
    forged_token = sign("another secret, as long as that...");
    fake_relay_start();
}

static void stop(void)
{
    fake_relay_stop();
    jwt_keys_free(keys);
    EVP_PKEY_free(pkey);
    free(pem);
    free(good_token);
    free(forged_token);
}

/* In a process of its own: its exit status is the outcome, its log is in the pipe. */
static void run_and_exit(int step, long n, int log)
{
    const struct rlimit no_core = {0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(log, STDERR_FILENO);
    fail_malloc_at(n);
    enum outcome outcome = steps[step].run();
    bool failed = fail_malloc_has_failed();
    fail_malloc_at(0);
    if (!failed && outcome == DONE)
        outcome = NEVER_FAILED;
    _exit((int)outcome);
}

static enum outcome outcome_of(int step, long n)
{
    int ends[2], status;
    char log[LOG_BYTES];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        run_and_exit(step, n, ends[1]);
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ssize_t size = read(ends[0], log, sizeof(log) - 1);
    close(ends[0]);
    log[size > 0 ? size : 0] = '\0';
    if (WIFEXITED(status))
        return (enum outcome)WEXITSTATUS(status);
    char *line = strstr(log, "event=out_of_memory ");
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && line && !strstr(line + 1, "event="),
                  "%s, allocation %ld: status %d, log: %s", steps[step].name, n, status, log);
    return DONE; /* as memory.h has it */
}

START_TEST(a_step_without_memory_is_done_or_refused_or_ends_the_process)
{
    enum outcome outcome = DONE;
    long n = 1;
    for (; n < CALLS_MAX && (outcome = outcome_of(_i, n)) != NEVER_FAILED; n++)
        ck_assert_msg(outcome == DONE || outcome == CHECK_FAILED ||
                          (outcome == REFUSED && steps[_i].may_refuse),
                      "%s, allocation %ld: outcome %d", steps[_i].name, n, outcome);
    ck_assert_int_eq(outcome, NEVER_FAILED);
    ck_assert_int_gt(n, 1); /* there was something to fail */
}
END_TEST

int main(void)
{
    memory_lend_to_libraries();
    TCase *tcase = tcase_create("no memory");
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_loop_test(tcase, a_step_without_memory_is_done_or_refused_or_ends_the_process, 0,
                        LENGTH(steps));
    return run_suite("no_memory", tcase);
}
