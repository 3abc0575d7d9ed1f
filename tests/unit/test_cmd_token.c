/* pgherald token, called as main calls it: what is on standard output is a token that the relay
 * accepts, or nothing; what is wrong is said on standard error with the right exit status. */
#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth.h"
#include "clock.h"
#include "cmd.h"
#include "token_maker.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW 1700000000

static char folder[] = "/tmp/test_cmd_token.XXXXXX";
static char out[16384];
static char err[4096];
static struct jwt_keys *hmac_keys;

/* The path of a file in the folder; good until the fourth call after. */
static const char *file(const char *name)
{
    static char paths[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

/* Takes text. */
static void save(const char *name, char *text)
{
    FILE *stream = fopen(file(name), "w");
    ck_assert_ptr_nonnull(stream);
    fputs(text, stream);
    fclose(stream);
    free(text);
}

static void save_pair(const char *name, EVP_PKEY *pkey)
{
    char public_name[64];
    snprintf(public_name, sizeof public_name, "%s.pub", name);
    save(name, maker_private_pem(pkey));
    save(public_name, maker_public_pem(pkey));
    EVP_PKEY_free(pkey);
}

static void set_up(void)
{
    char why[JWT_KEYS_ERROR_BYTES];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    save("secret", strdup(SECRET "\n"));
    save("short", strdup("short\n"));
    save("set", strdup("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":"
                       "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
                       "{\"kty\":\"oct\",\"kid\":\"b\",\"alg\":\"HS512\","
                       "\"k\":\"ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA\"}]}"));
    save("named",
         strdup("{\"kty\":\"oct\",\"kid\":\"k1\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"));
    save_pair("rsa", maker_rsa(2048));
    save_pair("weak", maker_rsa(1024));
    save_pair("p256", maker_ec("P-256"));
    save_pair("p384", maker_ec("P-384"));
    save_pair("p521", maker_ec("P-521"));
    ck_assert(jwt_keys_load(&hmac_keys, TOKEN_ALG_HS256, file("secret"), why));
}

static void tear_down(void)
{
    static const char *const names[] = {"secret",   "short", "set",      "named", "env",      "out",
                                        "err",      "rsa",   "rsa.pub",  "weak",  "weak.pub", "p256",
                                        "p256.pub", "p384",  "p384.pub", "p521",  "p521.pub"};
    jwt_keys_free(hmac_keys);
    for (int i = 0; i < LENGTH(names); i++)
        unlink(file(names[i]));
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
}

static void clear_environment(void)
{
    clearenv();
    clock_set_for_test(0, NOW * 1000LL);
}

static void read_back(const char *name, char *text, size_t size)
{
    FILE *stream = fopen(file(name), "r");
    ck_assert_ptr_nonnull(stream);
    text[fread(text, 1, size - 1, stream)] = '\0';
    fclose(stream);
}

static int redirect(int fd, const char *name)
{
    int saved = dup(fd);
    FILE *stream = fopen(file(name), "w");
    ck_assert_ptr_nonnull(stream);
    dup2(fileno(stream), fd);
    fclose(stream);
    return saved;
}

static void restore(int fd, int saved)
{
    dup2(saved, fd);
    close(saved);
}

/* Runs it with these arguments, up to NULL; fills out and err and returns the exit status. */
static int token(const char *first, ...)
{
    char *argv[20] = {(char *)(uintptr_t) "token"};
    int argc = 1;
    va_list args;
    va_start(args, first);
    for (const char *arg = first; arg; arg = va_arg(args, const char *))
        argv[argc++] = (char *)(uintptr_t)arg;
    va_end(args);

    fflush(stdout);
    fflush(stderr);
    int saved_out = redirect(STDOUT_FILENO, "out");
    int saved_err = redirect(STDERR_FILENO, "err");
    int status = cmd_token(argc, argv);
    fflush(stdout);
    fflush(stderr);
    restore(STDOUT_FILENO, saved_out);
    restore(STDERR_FILENO, saved_err);
    read_back("out", out, sizeof out);
    read_back("err", err, sizeof err);
    ck_assert_msg((status == 0) == (out[0] != '\0'), "status %d, but out is: %s", status, out);
    ck_assert_msg((status == 0) || err[0] != '\0', "status %d, and no word why", status);
    return status;
}

/* out holds one line, which verifies. */
static void verify_out(const struct jwt_keys *keys, const struct auth_rules *rules,
                       struct auth_claims *claims)
{
    size_t len = strcspn(out, "\n");
    ck_assert_str_eq(out + len, "\n");
    enum auth_result result = auth_verify(keys, rules, out, len, NOW, claims);
    ck_assert_msg(result == AUTH_OK, "%s", auth_reason(result));
}

static const struct auth_rules any_party = {NULL, NULL};

START_TEST(a_token_is_all_there_is_on_stdout)
{
    struct auth_claims claims;
    setenv("HERALD_JWT_KEY_FILE", "secret", 1);
    ck_assert_int_eq(token("--sub", "alice", NULL), 0);
    ck_assert_str_eq(err, "");
    verify_out(hmac_keys, &any_party, &claims);
    ck_assert_str_eq(claims.subject, "alice");
    ck_assert_int_eq(claims.expires_s, NOW + 3600);
    ck_assert(!claims.can_write);
    ck_assert_str_eq(claims.claims_json, "{\"exp\":1700003600,\"iat\":1700000000,\"sub\":\"alice\"}");
    auth_claims_clear(&claims);
}
END_TEST

static const struct {
    const char *text;
    int64_t seconds; /* 0: refused */
} ttls[] = {
    {"1s", 1},          {"30s", 30},       {"15m", 900}, {"1h", 3600}, {"7d", 604800}, {"3650d", 315360000},
    {"3651d", 0},       {"0s", 0},         {"", 0},      {"1", 0},     {"h", 0},       {"1w", 0},
    {"-1h", 0},         {"1.5h", 0},       {"1h ", 0},   {" 1h", 0},   {"1hh", 0},     {"1H", 0},
    {"9999999999s", 0}, {"999999999d", 0}, {"1h30m", 0},
};

START_TEST(ttl_is_a_number_and_a_unit)
{
    struct auth_claims claims;
    setenv("HERALD_JWT_KEY_FILE", "secret", 1);
    int status = token("--sub", "alice", "--ttl", ttls[_i].text, NULL);
    ck_assert_msg(status == (ttls[_i].seconds ? 0 : 2), "%s: %d", ttls[_i].text, status);
    if (status != 0) {
        ck_assert_ptr_nonnull(strstr(err, "30s, 15m, 1h or 7d"));
        return;
    }
    verify_out(hmac_keys, &any_party, &claims);
    ck_assert_int_eq(claims.expires_s, NOW + ttls[_i].seconds);
    auth_claims_clear(&claims);
}
END_TEST

START_TEST(scope_issuer_and_audience_are_claims)
{
    struct auth_claims claims;
    const struct auth_rules both = {"https://login.example.org", "herald"};
    setenv("HERALD_JWT_KEY_FILE", "secret", 1);
    ck_assert_int_eq(token("--sub=alice", "--scope", "a notifications:write", "--issuer", both.issuer,
                           "--audience", both.audience, NULL),
                     0);
    verify_out(hmac_keys, &both, &claims);
    ck_assert(claims.can_write);
    auth_claims_clear(&claims);

    setenv("HERALD_JWT_ISSUER", both.issuer, 1);
    setenv("HERALD_JWT_AUDIENCE", both.audience, 1);
    ck_assert_int_eq(token("--sub", "alice", NULL), 0);
    verify_out(hmac_keys, &both, &claims);
    auth_claims_clear(&claims);
}
END_TEST

static const struct {
    const char *alg;
    enum token_alg parsed;
    const char *key;
} pairs[] = {
    {"RS256", TOKEN_ALG_RS256, "rsa"},  {"RS384", TOKEN_ALG_RS384, "rsa"},
    {"RS512", TOKEN_ALG_RS512, "rsa"},  {"ES256", TOKEN_ALG_ES256, "p256"},
    {"ES384", TOKEN_ALG_ES384, "p384"}, {"ES512", TOKEN_ALG_ES512, "p521"},
};

START_TEST(a_private_key_signs_what_its_public_key_verifies)
{
    char why[JWT_KEYS_ERROR_BYTES];
    char public_name[64];
    struct jwt_keys *keys = NULL;
    snprintf(public_name, sizeof public_name, "%s.pub", pairs[_i].key);
    ck_assert_msg(jwt_keys_load(&keys, pairs[_i].parsed, file(public_name), why), "%s", why);
    setenv("HERALD_JWT_ALG", pairs[_i].alg, 1);
    setenv("HERALD_JWT_KEY_FILE", public_name, 1);
    for (int round = 0; round < 20; round++) { /* a signature may begin with zero bytes */
        struct auth_claims claims;
        ck_assert_msg(token("--sub", "alice", "--key", pairs[_i].key, "--kid", "x", NULL) == 0, "%s", err);
        verify_out(keys, &any_party, &claims);
        auth_claims_clear(&claims);
    }
    jwt_keys_free(keys);
}
END_TEST

START_TEST(a_key_of_a_set_is_chosen_by_name)
{
    char why[JWT_KEYS_ERROR_BYTES];
    struct jwt_keys *keys = NULL;
    struct auth_claims claims;
    ck_assert(jwt_keys_load(&keys, TOKEN_ALG_HS256, file("set"), why));
    setenv("HERALD_JWT_KEY_FILE", "set", 1);
    ck_assert_int_eq(token("--sub", "alice", "--kid", "b", NULL), 0);
    verify_out(keys, &any_party, &claims);
    auth_claims_clear(&claims);
    ck_assert_int_eq(token("--sub", "alice", "--kid", "a", NULL), 0);
    verify_out(keys, &any_party, &claims);
    auth_claims_clear(&claims);
    jwt_keys_free(keys);

    ck_assert_int_eq(token("--sub", "alice", NULL), 78);
    ck_assert_ptr_nonnull(strstr(err, "--kid"));
    ck_assert_int_eq(token("--sub", "alice", "--kid", "c", NULL), 78);
    ck_assert_ptr_nonnull(strstr(err, "no key with the name"));
}
END_TEST

START_TEST(the_name_of_the_only_key_goes_into_the_header)
{
    setenv("HERALD_JWT_KEY_FILE", "named", 1);
    ck_assert_int_eq(token("--sub", "alice", NULL), 0);
    static const char header[] = "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}";
    char *with_kid = maker_base64url(header, strlen(header));
    ck_assert_msg(strncmp(out, with_kid, strlen(with_kid)) == 0, "%s", out);
    free(with_kid);
}
END_TEST

static const struct {
    const char *alg;
    const char *key;
    const char *word;
} bad_keys[] = {
    {"HS256", "short", "at least 32"},    {"HS256", "missing", "No such file"},
    {"HS256", "rsa", "needs a secret"},   {"HS256", ".", "directory"},
    {"RS256", "missing", "No such file"}, {"RS256", "secret", "private key"},
    {"RS256", "rsa.pub", "private key"},  {"RS256", "p256", "RSA key"},
    {"RS256", "weak", "1024 bits"},       {"ES256", "rsa", "EC key"},
    {"ES256", "p384", "P-256"},           {"ES512", "p256", "P-521"},
};

START_TEST(a_key_that_does_not_serve_is_bad_configuration)
{
    setenv("HERALD_JWT_ALG", bad_keys[_i].alg, 1);
    ck_assert_int_eq(token("--sub", "alice", "--key", bad_keys[_i].key, NULL), 78);
    ck_assert_msg(strstr(err, bad_keys[_i].word) != NULL, "%s", err);
    ck_assert_ptr_nonnull(strstr(err, bad_keys[_i].key));
}
END_TEST

START_TEST(a_development_token_needs_no_key_and_says_what_it_is)
{
    setenv("HERALD_AUTH", "dev", 1);
    ck_assert_int_eq(token("--sub", "alice", NULL), 0);
    ck_assert_str_eq(out, "dummy-jwt-for-alice\n");
    ck_assert_ptr_nonnull(strstr(err, "proves nothing"));
    ck_assert_int_eq(token("--sub", "a:b", NULL), 2); /* a subject, but no user name */
}
END_TEST

START_TEST(a_key_given_in_dev_mode_makes_a_real_token)
{
    struct auth_claims claims;
    setenv("HERALD_AUTH", "dev", 1);
    ck_assert_int_eq(token("--sub", "alice", "--key", "secret", NULL), 0);
    verify_out(hmac_keys, &any_party, &claims);
    auth_claims_clear(&claims);
}
END_TEST

START_TEST(wrong_usage_has_status_2_and_points_at_help)
{
    static const struct {
        const char *args[3];
        const char *word;
    } cases[] = {
        {{NULL}, "--sub is missing"},
        {{"--sub", NULL}, "value is missing after --sub"},
        {{"--sub", "", NULL}, "--sub must have"},
        {{"--sub", "al ice", NULL}, "--sub must have"},
        {{"--sub", "\xc3\xa9", NULL}, "--sub must have"},
        {{"--nonsense", NULL}, "no option --nonsense"},
        {{"-z", NULL}, "no option -z"},
        {{"alice", NULL}, "unexpected argument alice"},
        {{"--sub=alice", "bob", NULL}, "unexpected argument bob"},
    };
    setenv("HERALD_JWT_KEY_FILE", "secret", 1);
    for (int i = 0; i < LENGTH(cases); i++) {
        ck_assert_int_eq(token(cases[i].args[0], cases[i].args[1], cases[i].args[2], NULL), 2);
        ck_assert_msg(strstr(err, cases[i].word) != NULL, "%s", err);
        ck_assert_ptr_nonnull(strstr(err, "--help"));
    }
}
END_TEST

START_TEST(help_is_on_stdout_and_needs_no_configuration)
{
    setenv("HERALD_NONSENSE", "1", 1);
    ck_assert_int_eq(token("--help", NULL), 0);
    ck_assert_ptr_nonnull(strstr(out, "Usage: pgherald token"));
    ck_assert_ptr_nonnull(strstr(out, "notifications:write"));
    ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(bad_configuration_has_status_78)
{
    ck_assert_int_eq(token("--sub", "alice", NULL), 78);
    ck_assert_ptr_nonnull(strstr(err, "HERALD_JWT_KEY_FILE"));
    setenv("HERALD_JWT_ALG", "none", 1);
    ck_assert_int_eq(token("--sub", "alice", "--key", "secret", NULL), 78);
    ck_assert_ptr_nonnull(strstr(err, "HERALD_JWT_ALG"));
    unsetenv("HERALD_JWT_ALG");
    ck_assert_int_eq(token("--sub", "alice", "--config", "missing", NULL), 78);
    ck_assert_ptr_nonnull(strstr(err, "missing"));
}
END_TEST

START_TEST(a_configuration_file_serves_as_well)
{
    save("env", strdup("HERALD_JWT_KEY_FILE=secret\n"));
    ck_assert_int_eq(token("--config", "env", "--sub", "alice", NULL), 0);
}
END_TEST

START_TEST(a_token_too_long_for_a_relay_is_not_printed)
{
    char scope[8192];
    memset(scope, 's', sizeof scope - 1);
    scope[sizeof scope - 1] = '\0';
    ck_assert_int_eq(token("--sub", "alice", "--key", "secret", "--scope", scope, NULL), 1);
    ck_assert_ptr_nonnull(strstr(err, "8192"));
    ck_assert_int_eq(token("--sub", "alice", "--key", "secret", "--scope", "\xff", NULL), 1);
    ck_assert_ptr_nonnull(strstr(err, "UTF-8"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cmd_token");
    TCase *tcase = tcase_create("token");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, set_up, tear_down);
    tcase_add_checked_fixture(tcase, clear_environment, NULL);
    tcase_add_test(tcase, a_token_is_all_there_is_on_stdout);
    tcase_add_loop_test(tcase, ttl_is_a_number_and_a_unit, 0, LENGTH(ttls));
    tcase_add_test(tcase, scope_issuer_and_audience_are_claims);
    tcase_add_loop_test(tcase, a_private_key_signs_what_its_public_key_verifies, 0, LENGTH(pairs));
    tcase_add_test(tcase, a_key_of_a_set_is_chosen_by_name);
    tcase_add_test(tcase, the_name_of_the_only_key_goes_into_the_header);
    tcase_add_loop_test(tcase, a_key_that_does_not_serve_is_bad_configuration, 0, LENGTH(bad_keys));
    tcase_add_test(tcase, a_development_token_needs_no_key_and_says_what_it_is);
    tcase_add_test(tcase, a_key_given_in_dev_mode_makes_a_real_token);
    tcase_add_test(tcase, wrong_usage_has_status_2_and_points_at_help);
    tcase_add_test(tcase, help_is_on_stdout_and_needs_no_configuration);
    tcase_add_test(tcase, bad_configuration_has_status_78);
    tcase_add_test(tcase, a_configuration_file_serves_as_well);
    tcase_add_test(tcase, a_token_too_long_for_a_relay_is_not_printed);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
