/* Configuration: each variable's good, bad and limit values; where a value comes from; what an error
 * says; and that no password is ever shown. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "config_table.h"
#include "env_file.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct config cfg;
static struct config_error err;
static char path[] = "/tmp/test_config.XXXXXX";

static bool load(const char *file, const char *env1, const char *env2)
{
    char *envp[] = {(char *)(uintptr_t) "PATH=/bin", (char *)(uintptr_t)env1, (char *)(uintptr_t)env2, NULL};
    if (!env1)
        envp[1] = NULL;
    memset(&cfg, 0x5a, sizeof cfg); /* what was there must not matter */
    bool ok = config_load(&cfg, file, envp, &err);
    ck_assert_msg(ok == (err.message[0] == '\0'), "result and error disagree: %s", err.message);
    ck_assert_msg(strchr(err.message, '\n') == NULL, "the error has several lines");
    return ok;
}

static void accept(const char *file, const char *env1, const char *env2)
{
    ck_assert_msg(load(file, env1, env2), "%s", err.message);
}

static void refuse(const char *file, const char *env1, const char *word)
{
    ck_assert_msg(!load(file, env1, NULL), "accepted: %s", env1 ? env1 : file);
    ck_assert_msg(strstr(err.message, word) != NULL, "\"%s\" is not in: %s", word, err.message);
    ck_assert_ptr_null(cfg.listen);
}

static const char *write_bytes(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

static const char *write_file(const char *text)
{
    return write_bytes(text, strlen(text));
}

static void make_path(void)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_path(void)
{
    unlink(path);
}

START_TEST(defaults_are_those_of_the_table)
{
    accept(NULL, NULL, NULL);
    ck_assert_ptr_null(cfg.database_url);
    ck_assert_str_eq(cfg.listen, "127.0.0.1:8000");
    ck_assert_int_eq((int)cfg.auth, AUTH_MODE_JWT);
    ck_assert(!cfg.allow_dev_auth);
    ck_assert_int_eq((int)cfg.jwt_alg, TOKEN_ALG_HS256);
    ck_assert_ptr_null(cfg.jwt_key_file);
    ck_assert_ptr_null(cfg.jwt_issuer);
    ck_assert_ptr_null(cfg.jwt_audience);
    ck_assert_int_eq((int)cfg.auth_reject, AUTH_REJECT_CLOSE);
    ck_assert_ptr_null(cfg.allowed_origins);
    ck_assert_int_ge(cfg.workers, 1);
    ck_assert_int_eq((int)cfg.feed, FEED_ADAPTIVE);
    ck_assert_int_eq(cfg.max_connections, 100000);
    ck_assert_int_eq(cfg.max_connections_per_user, 50);
    ck_assert_int_eq(cfg.max_connections_per_ip, 1000);
    ck_assert_int_eq(cfg.max_message_bytes, 8192);
    ck_assert_int_eq(cfg.rate_limit.per_s, 20);
    ck_assert_int_eq(cfg.rate_limit.burst, 40);
    ck_assert_int_eq(cfg.user_rate_limit.per_s, 100);
    ck_assert_int_eq(cfg.user_rate_limit.burst, 200);
    ck_assert_int_eq(cfg.auth_failure_limit.per_s, 10);
    ck_assert_int_eq(cfg.auth_failure_limit.burst, 100);
    ck_assert_int_eq(cfg.trusted_proxies.count, 0);
    ck_assert(!cfg.trusted_proxies.unix_peers);
    ck_assert_int_eq(cfg.queue_bytes, 262144);
    ck_assert_int_eq(cfg.heartbeat_s, 30);
    ck_assert_int_eq(cfg.drain_s, 10);
    ck_assert_int_eq((int)cfg.log_level, LOG_LEVEL_INFO);
    ck_assert_int_eq((int)cfg.log_format, LOG_FORMAT_LOGFMT);
    ck_assert_ptr_null(cfg.dev_psql);
    ck_assert_ptr_null(cfg.file);
    config_free(&cfg);
    ck_assert_ptr_null(cfg.listen);
}
END_TEST

static const char *const good_values[] = {
    "HERALD_DATABASE_URL=postgresql://herald@db.example.org:5432/app?sslmode=verify-full",
    "HERALD_DATABASE_URL=postgres:///app",
    "HERALD_DATABASE_URL=host=/run/postgresql dbname=app password='a b'",
    "HERALD_DATABASE_URL=dbname=app options=-cx=://",
    "HERALD_LISTEN=0.0.0.0:1",
    "HERALD_LISTEN=[::]:65535",
    "HERALD_LISTEN=unix:/run/pgherald/ws.sock",
    "HERALD_LISTEN=relay-1.example.org:8000",
    "HERALD_AUTH=jwt",
    "HERALD_AUTH=dev",
    "HERALD_ALLOW_DEV_AUTH=yes",
    "HERALD_ALLOW_DEV_AUTH=no",
    "HERALD_HSTS=0",
    "HERALD_HSTS=63072000",
    "HERALD_JWT_ALG=ES512",
    "HERALD_JWT_KEY_FILE=/etc/pgherald/key with space",
    "HERALD_JWT_ISSUER=https://login.example.org/realms/\xc3\xa4",
    "HERALD_JWT_AUDIENCE=x",
    "HERALD_AUTH_REJECT=close",
    "HERALD_AUTH_REJECT=http",
    "HERALD_ALLOWED_ORIGINS=*",
    "HERALD_ALLOWED_ORIGINS=https://app.example.org",
    "HERALD_ALLOWED_ORIGINS=https://app.example.org:8443,http://localhost:3000 capacitor://localhost",
    "HERALD_ALLOWED_ORIGINS=http://[::1]:3000",
    "HERALD_ALLOWED_ORIGINS=https://xn--mnchen-3ya.example",
    "HERALD_WORKERS=0",
    "HERALD_WORKERS=256",
    "HERALD_FEED=adaptive",
    "HERALD_FEED=notify",
    "HERALD_FEED=poll",
    "HERALD_MAX_CONNECTIONS=1",
    "HERALD_MAX_CONNECTIONS=1000000",
    "HERALD_MAX_CONNECTIONS_PER_USER=1",
    "HERALD_MAX_CONNECTIONS_PER_USER=1000000",
    "HERALD_MAX_CONNECTIONS_PER_IP=1",
    "HERALD_MAX_CONNECTIONS_PER_IP=1000000",
    "HERALD_MAX_MESSAGE_BYTES=512",
    "HERALD_MAX_MESSAGE_BYTES=1048576",
    "HERALD_RATE_LIMIT=1/s:1",
    "HERALD_RATE_LIMIT=100000/s:100000",
    "HERALD_RATE_LIMIT=50/s:10",
    "HERALD_RATE_LIMIT_PER_USER=1/s:1",
    "HERALD_RATE_LIMIT_PER_USER=100000/s:100000",
    "HERALD_AUTH_FAILURES_PER_IP=1/s:1",
    "HERALD_AUTH_FAILURES_PER_IP=100000/s:100000",
    "HERALD_TRUSTED_PROXIES=127.0.0.1",
    "HERALD_PROXY_PROTOCOL=yes",
    "HERALD_TRUSTED_PROXIES=10.0.0.0/8, 2001:db8::/32 unix",
    "HERALD_QUEUE_BYTES=4096",
    "HERALD_QUEUE_BYTES=1073741824",
    "HERALD_HEARTBEAT=1",
    "HERALD_HEARTBEAT=3600",
    "HERALD_DRAIN_SECONDS=0",
    "HERALD_DRAIN_SECONDS=3600",
    "HERALD_LOG_LEVEL=error",
    "HERALD_LOG_LEVEL=debug",
    "HERALD_LOG_FORMAT=json",
    "HERALD_DEV_PSQL=psql 'host=/tmp/x'",
};

START_TEST(good_values_are_accepted_from_environment_and_file)
{
    accept(NULL, good_values[_i], NULL);
    config_free(&cfg);
    accept(write_file(good_values[_i]), NULL, NULL);
    config_free(&cfg);
}
END_TEST

static const struct {
    const char *setting;
    const char *word; /* in the error, besides the variable's name */
} bad_values[] = {
    {"HERALD_DATABASE_URL=", "not set at all"},
    {"HERALD_DATABASE_URL=app", "postgresql://"},
    {"HERALD_DATABASE_URL=mysql://u:geheim@h/db", "postgresql://"},
    {"HERALD_DATABASE_URL=mysql://u:geheim@h/db?x=y", "postgresql://"},
    {"HERALD_LISTEN=8000", "host:port"},
    {"HERALD_LISTEN=:8000", "0.0.0.0:port"},
    {"HERALD_LISTEN=*:8000", "0.0.0.0:port"},
    {"HERALD_LISTEN=localhost:0", "1 to 65535"},
    {"HERALD_LISTEN=localhost:65536", "1 to 65535"},
    {"HERALD_LISTEN=localhost:http", "1 to 65535"},
    {"HERALD_LISTEN=::1:8000", "[::1]:8000"},
    {"HERALD_LISTEN=unix:relative", "absolute"},
    {"HERALD_AUTH=JWT", "jwt or dev"},
    {"HERALD_AUTH=none", "jwt or dev"},
    {"HERALD_ALLOW_DEV_AUTH=true", "yes or no"},
    {"HERALD_ALLOW_DEV_AUTH=YES", "yes or no"},
    {"HERALD_JWT_ALG=none", "HS256, HS384"},
    {"HERALD_JWT_ALG=hs256", "ES384 or ES512"},
    {"HERALD_JWT_ALG=HS256,RS256", "HS256"},
    {"HERALD_JWT_KEY_FILE=", "not set at all"},
    {"HERALD_JWT_ISSUER=", "not set at all"},
    {"HERALD_JWT_AUDIENCE=", "not set at all"},
    {"HERALD_JWT_ISSUER=a\nb", "control"},
    {"HERALD_JWT_ISSUER=a\x7f", "control"},
    {"HERALD_HSTS=63072001", "0 to 63072000"},
    {"HERALD_HSTS=-1", "0 to 63072000"},
    {"HERALD_AUTH_REJECT=403", "close or http"},
    {"HERALD_ALLOWED_ORIGINS=app.example.org", "origins as a browser"},
    {"HERALD_ALLOWED_ORIGINS=https://app.example.org/", "no path"},
    {"HERALD_ALLOWED_ORIGINS=https://App.example.org", "lower case"},
    {"HERALD_ALLOWED_ORIGINS=https://app.example.org:443", "default port"},
    {"HERALD_ALLOWED_ORIGINS=http://app.example.org:80", "default port"},
    {"HERALD_ALLOWED_ORIGINS=https://app.example.org:0", "origins"},
    {"HERALD_ALLOWED_ORIGINS=https://app.example.org:", "origins"},
    {"HERALD_ALLOWED_ORIGINS=https://", "origins"},
    {"HERALD_ALLOWED_ORIGINS=https://[::1", "origins"},
    {"HERALD_ALLOWED_ORIGINS=https://*.example.org", "origins"},
    {"HERALD_ALLOWED_ORIGINS=null", "origins"},
    {"HERALD_ALLOWED_ORIGINS=* https://app.example.org", "* alone"},
    {"HERALD_ALLOWED_ORIGINS=https://app.example.org,*", "* alone"},
    {"HERALD_ALLOWED_ORIGINS= , ", "origins"},
    {"HERALD_WORKERS=-1", "0 to 256"},
    {"HERALD_WORKERS=257", "0 to 256"},
    {"HERALD_WORKERS=two", "whole number"},
    {"HERALD_WORKERS=2.0", "whole number"},
    {"HERALD_WORKERS= 2", "whole number"},
    {"HERALD_WORKERS=+2", "whole number"},
    {"HERALD_WORKERS=2 ", "whole number"},
    {"HERALD_WORKERS=0x2", "whole number"},
    {"HERALD_WORKERS=99999999999999999999", "whole number"},
    {"HERALD_WORKERS=4294967297", "whole number"},
    {"HERALD_FEED=listen", "adaptive, notify or poll"},
    {"HERALD_MAX_CONNECTIONS=0", "1 to 1000000"},
    {"HERALD_MAX_CONNECTIONS=1000001", "1 to 1000000"},
    {"HERALD_MAX_CONNECTIONS_PER_USER=0", "1 to 1000000"},
    {"HERALD_MAX_CONNECTIONS_PER_IP=1000001", "1 to 1000000"},
    {"HERALD_MAX_MESSAGE_BYTES=511", "512 to 1048576"},
    {"HERALD_MAX_MESSAGE_BYTES=1048577", "512 to 1048576"},
    {"HERALD_MAX_MESSAGE_BYTES=8k", "512 to 1048576"},
    {"HERALD_RATE_LIMIT=20", "20/s:40"},
    {"HERALD_RATE_LIMIT_PER_USER=0/s:1", "100/s:200"},
    {"HERALD_RATE_LIMIT_PER_USER=1/s:100001", "100/s:200"},
    {"HERALD_AUTH_FAILURES_PER_IP=1/s:0", "10/s:100"},
    {"HERALD_AUTH_FAILURES_PER_IP=100001/s:1", "10/s:100"},
    {"HERALD_TRUSTED_PROXIES=", "not set at all"},
    {"HERALD_PROXY_PROTOCOL=v2", "yes or no"},
    {"HERALD_TRUSTED_PROXIES=proxy.example.org", "10.0.0.0/8"},
    {"HERALD_TRUSTED_PROXIES=10.0.0.1/8", "10.0.0.0/8"},
    {"HERALD_RATE_LIMIT=20/s", "20/s:40"},
    {"HERALD_RATE_LIMIT=20/m:40", "20/s:40"},
    {"HERALD_RATE_LIMIT=0/s:40", "20/s:40"},
    {"HERALD_RATE_LIMIT=20/s:0", "20/s:40"},
    {"HERALD_RATE_LIMIT=20/s:", "20/s:40"},
    {"HERALD_RATE_LIMIT=/s:40", "20/s:40"},
    {"HERALD_RATE_LIMIT=20/s:40x", "20/s:40"},
    {"HERALD_RATE_LIMIT=100001/s:40", "1 to 100000"},
    {"HERALD_RATE_LIMIT=20/s:100001", "1 to 100000"},
    {"HERALD_QUEUE_BYTES=4095", "4096 to 1073741824"},
    {"HERALD_QUEUE_BYTES=1073741825", "4096 to 1073741824"},
    {"HERALD_HEARTBEAT=0", "1 to 3600"},
    {"HERALD_HEARTBEAT=3601", "1 to 3600"},
    {"HERALD_HEARTBEAT=30s", "1 to 3600"},
    {"HERALD_DRAIN_SECONDS=3601", "0 to 3600"},
    {"HERALD_LOG_LEVEL=trace", "error, warn, info or debug"},
    {"HERALD_LOG_FORMAT=text", "logfmt or json"},
};

START_TEST(bad_values_are_errors_that_say_what_is_allowed)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bad_values[_i].setting, "="), bad_values[_i].setting);
    refuse(NULL, bad_values[_i].setting, bad_values[_i].word);
    ck_assert_str_eq(err.variable, name);
    ck_assert_ptr_nonnull(strstr(err.message, name));
    ck_assert_ptr_nonnull(strstr(err.message, "the environment"));
    ck_assert_ptr_null(strstr(err.message, "geheim"));
}
END_TEST

START_TEST(an_error_shows_the_value_short_and_printable)
{
    char setting[600] = "HERALD_WORKERS=\x1b[2J";
    memset(setting + strlen(setting), 'w', 500);
    refuse(NULL, setting, "\"?[2Jwwww");
    ck_assert_uint_lt(strlen(err.message), 300);
}
END_TEST

START_TEST(a_masked_value_is_masked_in_errors_too)
{
    refuse(NULL, "HERALD_DATABASE_URL=http://alice:geheim@h/db", "***");
    ck_assert_ptr_null(strstr(err.message, "geheim"));
    refuse(NULL, "HERALD_DATABASE_URL=geheim", "***");
    ck_assert_ptr_null(strstr(err.message, "geheim"));
    refuse(NULL, "HERALD_DATABASE_URL=password=geheim\x01", "control");
    ck_assert_ptr_null(strstr(err.message, "geheim"));
}
END_TEST

START_TEST(a_name_with_control_characters_is_shown_without_them)
{
    refuse(NULL, "HERALD_\x1b[2JAUTH=dev", "HERALD_?[2JAUTH");
    ck_assert_str_eq(err.variable, "HERALD_?[2JAUTH");
}
END_TEST

START_TEST(the_environment_wins_over_the_file)
{
    accept(write_file("HERALD_WORKERS=3\nHERALD_HEARTBEAT=7\n"), "HERALD_WORKERS=5", NULL);
    ck_assert_int_eq(cfg.workers, 5);
    ck_assert_int_eq(cfg.heartbeat_s, 7);
    ck_assert_str_eq(cfg.file, path);
    config_free(&cfg);
}
END_TEST

START_TEST(a_bad_value_in_the_file_is_an_error_even_if_the_environment_has_another)
{
    write_file("# first\nHERALD_WORKERS=many\n");
    refuse(path, "HERALD_WORKERS=5", "line 2");
    ck_assert_ptr_nonnull(strstr(err.message, path));
}
END_TEST

START_TEST(workers_0_means_one_per_core)
{
    accept(NULL, "HERALD_WORKERS=0", NULL);
    ck_assert_int_ge(cfg.workers, 1);
    ck_assert_int_le(cfg.workers, 1024);
    config_free(&cfg);
}
END_TEST

START_TEST(origins_are_written_with_one_space_between)
{
    accept(NULL, "HERALD_ALLOWED_ORIGINS= https://a.example ,, http://b.example:8080,", NULL);
    ck_assert_str_eq(cfg.allowed_origins, "https://a.example http://b.example:8080");
    config_free(&cfg);
    accept(NULL, "HERALD_ALLOWED_ORIGINS= * ", NULL);
    ck_assert_str_eq(cfg.allowed_origins, "*");
    config_free(&cfg);
}
END_TEST

static const struct {
    const char *line;
    const char *value; /* of HERALD_JWT_ISSUER; NULL: an error */
} file_lines[] = {
    {"HERALD_JWT_ISSUER=x", "x"},
    {"HERALD_JWT_ISSUER=x\n", "x"},
    {"HERALD_JWT_ISSUER=x\r\n", "x"},
    {"\xef\xbb\xbfHERALD_JWT_ISSUER=x\n", "x"},
    {"  \t HERALD_JWT_ISSUER=x  \n", "x"},
    {"export HERALD_JWT_ISSUER=x\n", "x"},
    {"export\t HERALD_JWT_ISSUER=x\n", "x"},
    {"# comment\n\n   # another\r\n\r\nHERALD_JWT_ISSUER=x\n", "x"},
    {"#HERALD_JWT_ISSUER=y\nHERALD_JWT_ISSUER=x\n", "x"},
    {"HERALD_JWT_ISSUER=x # comment\n", "x"},
    {"HERALD_JWT_ISSUER=x\t# comment\n", "x"},
    {"HERALD_JWT_ISSUER=x#y\n", "x#y"},
    {"HERALD_JWT_ISSUER=#y\n", "#y"},
    {"HERALD_JWT_ISSUER=a b  c\n", "a b  c"},
    {"HERALD_JWT_ISSUER=a=b\n", "a=b"},
    {"HERALD_JWT_ISSUER=a'b\"c\n", "a'b\"c"},
    {"HERALD_JWT_ISSUER=a\\b$HOME`\n", "a\\b$HOME`"},
    {"HERALD_JWT_ISSUER=\"x\"\n", "x"},
    {"HERALD_JWT_ISSUER=\"a # b\"  # comment\n", "a # b"},
    {"HERALD_JWT_ISSUER=\"a'b\"\n", "a'b"},
    {"HERALD_JWT_ISSUER=\" x \"\n", " x "},
    {"HERALD_JWT_ISSUER=\"a\\\"b\\\\c\\$d\\`e$f\"\n", "a\"b\\c$d`e$f"},
    {"HERALD_JWT_ISSUER='x'\r\n", "x"},
    {"HERALD_JWT_ISSUER='a\"b\\n$c # d'\n", "a\"b\\n$c # d"},
    {"HERALD_JWT_ISSUER=''\n", NULL},
    {"HERALD_JWT_ISSUER=\n", NULL},
    {"HERALD_JWT_ISSUER= # comment\n", NULL},
    {"HERALD_JWT_ISSUER\n", NULL},
    {"HERALD_JWT_ISSUER =x\n", NULL},
    {"HERALD_JWT_ISSUER= x\n", NULL},
    {"HERALD_JWT_ISSUER: x\n", NULL},
    {"export HERALD_JWT_ISSUER\n", NULL},
    {"=x\n", NULL},
    {"1HERALD=x\n", NULL},
    {"HERALD_JWT_ISSUER='x\n", NULL},
    {"HERALD_JWT_ISSUER=\"x\n", NULL},
    {"HERALD_JWT_ISSUER=\"x\\\"\n", NULL},
    {"HERALD_JWT_ISSUER=\"x\\", NULL},
    {"HERALD_JWT_ISSUER=\"a\\nb\"\n", NULL},
    {"HERALD_JWT_ISSUER='x'y\n", NULL},
    {"HERALD_JWT_ISSUER=\"x\"#y\n", NULL},
    {"HERALD_JWT_ISSUER=x\nHERALD_JWT_ISSUER=y\n", NULL},
    {"PGPASSWORD=x\nHERALD_JWT_ISSUER=x\n", NULL},
    {"HERALD_NO_SUCH=1\n", NULL},
    {"herald_jwt_issuer=x\n", NULL},
};

START_TEST(files_are_read_as_shells_docker_and_systemd_write_them)
{
    write_file(file_lines[_i].line);
    bool ok = load(path, NULL, NULL);
    ck_assert_msg(ok == (file_lines[_i].value != NULL), "%s%s", file_lines[_i].line, err.message);
    if (!ok) {
        ck_assert_ptr_nonnull(strstr(err.message, path));
        ck_assert_ptr_nonnull(strstr(err.message, "line"));
        return;
    }
    ck_assert_str_eq(cfg.jwt_issuer, file_lines[_i].value);
    config_free(&cfg);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_errors)
{
    char *big = malloc(CONFIG_FILE_BYTES + 1);
    memset(big, '#', CONFIG_FILE_BYTES + 1);
    refuse("/nonexistent/herald.env", NULL, "No such file");
    refuse("/tmp", NULL, "directory");
    write_bytes("HERALD_JWT_ISSUER=a\0b\n", 22);
    refuse(path, NULL, "zero byte");
    write_bytes("\nHERALD_JWT_ISSUER=a\n\0", 22);
    refuse(path, NULL, "line 3");
    write_bytes(big, CONFIG_FILE_BYTES + 1);
    refuse(path, NULL, "more than");
    write_bytes(big, CONFIG_FILE_BYTES);
    accept(path, NULL, NULL);
    config_free(&cfg);
    write_file("");
    accept(path, NULL, NULL);
    config_free(&cfg);
    free(big);
}
END_TEST

static const struct {
    const char *setting;
    const char *word;
} unknown_names[] = {
    {"HERALD_LISTN=x", "did you mean HERALD_LISTEN?"},
    {"HERALD_DATABSE_URL=x", "did you mean HERALD_DATABASE_URL?"},
    {"HERALD_WORKER=2", "did you mean HERALD_WORKERS?"},
    {"HERALD_MAX_CONECTIONS_PER_IP=2", "did you mean HERALD_MAX_CONNECTIONS_PER_IP?"},
    {"HERALD_PORT=8000", "--help"},
    {"HERALD_RATE=2/s:4", "did you mean HERALD_RATE_LIMIT?"},
    {"HERALD_HEARTBEAT_SECONDS=2", "did you mean HERALD_HEARTBEAT?"},
    {"HERALD_SOMETHING_ELSE_ENTIRELY=1", "--help"},
    {"HERALD_=1", "not a variable"},
    {"HERALD_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX=1",
     "not a variable"},
};

START_TEST(unknown_variables_are_errors_with_a_suggestion)
{
    refuse(NULL, unknown_names[_i].setting, unknown_names[_i].word);
    refuse(write_file(unknown_names[_i].setting), NULL, "line 1");
}
END_TEST

START_TEST(other_variables_of_the_environment_are_not_ours)
{
    accept(NULL, "HERALDRY=1", "MY_HERALD_LISTEN=x");
    config_free(&cfg);
}
END_TEST

/* What Kubernetes puts into every container beside a service called "herald" or "herald-db". */
START_TEST(service_links_of_kubernetes_are_ignored)
{
    static const char *const links[] = {
        "HERALD_SERVICE_HOST=10.0.0.1",           "HERALD_SERVICE_PORT=8000",
        "HERALD_SERVICE_PORT_HTTP=8000",          "HERALD_PORT=tcp://10.0.0.1:8000",
        "HERALD_PORT_8000_TCP=tcp://10.0.0.1:80", "HERALD_PORT_8000_TCP_PROTO=tcp",
        "HERALD_DB_PORT_5432_TCP_ADDR=10.0.0.2",  "HERALD_DB_SERVICE_HOST=10.0.0.2",
    };
    for (int i = 0; i < LENGTH(links); i++) {
        accept(NULL, links[i], NULL);
        config_free(&cfg);
    }
    refuse(NULL, "HERALD_PORT=8000", "HERALD_PORT");
}
END_TEST

static const struct {
    const char *env1;
    const char *env2;
    const char *file;
    const char *word; /* NULL: may start */
} serve_cases[] = {
    {NULL, NULL, "", "HERALD_JWT_KEY_FILE is not set"},
    {"HERALD_JWT_KEY_FILE=/k", NULL, "", NULL},
    {"HERALD_JWT_KEY_FILE=/k", "HERALD_LISTEN=0.0.0.0:8000", "", NULL},
    {"HERALD_AUTH=dev", NULL, "", NULL},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=localhost:8000", "", NULL},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=127.9.9.9:8000", "", NULL},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=[::1]:8000", "", NULL},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=[::ffff:127.0.0.1]:8000", "", NULL},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=unix:/tmp/x", "", NULL},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=0.0.0.0:8000", "", "lets anybody be anybody"},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=[::]:8000", "", "HERALD_ALLOW_DEV_AUTH=yes"},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=128.0.0.1:8000", "", "128.0.0.1:8000"},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=localhost.example.org:8000", "", "loopback"},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=[::ffff:10.0.0.1]:8000", "", "loopback"},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=0.0.0.0:8000", "HERALD_ALLOW_DEV_AUTH=yes\n", NULL},
    {"HERALD_AUTH=dev", "HERALD_ADMIN_LISTEN=127.0.0.1:8000", "", "HERALD_ADMIN_LISTEN and HERALD_LISTEN are both 127.0.0.1:8000"},
    {"HERALD_AUTH=dev", "HERALD_ADMIN_LISTEN=127.0.0.1:8001", "", NULL},
    {"HERALD_AUTH=dev", "HERALD_HSTS=300", "", "HERALD_HSTS=300 needs HERALD_TLS_CERT"},
    {"HERALD_AUTH=dev", "HERALD_HSTS=300", "HERALD_TLS_CERT=/c\nHERALD_TLS_KEY=/k\n", NULL},
    {"HERALD_AUTH=dev", "HERALD_HSTS=0", "", NULL},
    {"HERALD_AUTH=dev", "HERALD_PROXY_PROTOCOL=yes", "", "HERALD_TRUSTED_PROXIES"},
    {"HERALD_AUTH=dev", "HERALD_PROXY_PROTOCOL=yes", "HERALD_TRUSTED_PROXIES=unix\n", NULL},
    {"HERALD_AUTH=dev", "HERALD_PROXY_PROTOCOL=yes", "HERALD_TRUSTED_PROXIES=10.0.0.1\n", NULL},
    {"HERALD_AUTH=dev", "HERALD_LISTEN=0.0.0.0:8000", "HERALD_ALLOW_DEV_AUTH=no\n", "loopback"},
};

START_TEST(a_relay_starts_only_with_a_key_or_dev_auth_on_loopback)
{
    accept(write_file(serve_cases[_i].file), serve_cases[_i].env1, serve_cases[_i].env2);
    bool ok = config_check_serve(&cfg, &err);
    ck_assert_msg(ok == (serve_cases[_i].word == NULL), "%s", err.message);
    if (!ok)
        ck_assert_msg(strstr(err.message, serve_cases[_i].word) != NULL, "%s", err.message);
    config_free(&cfg);
}
END_TEST

static const struct {
    const char *text;
    const char *host; /* NULL: refused */
    const char *port;
    bool is_unix;
    bool is_loopback;
} addresses[] = {
    {"127.0.0.1:8000", "127.0.0.1", "8000", false, true},
    {"127.255.255.254:1", "127.255.255.254", "1", false, true},
    {"0.0.0.0:65535", "0.0.0.0", "65535", false, false},
    {"localhost:80", "localhost", "80", false, true},
    {"LOCALHOST:80", "LOCALHOST", "80", false, true},
    {"host.example.org:8000", "host.example.org", "8000", false, false},
    {"[::1]:8000", "::1", "8000", false, true},
    {"[::]:8000", "::", "8000", false, false},
    {"[fe80::1]:8000", "fe80::1", "8000", false, false},
    {"unix:/run/x.sock", "/run/x.sock", "", true, false},
    {"unix:/a:b", "/a:b", "", true, false},
    {"", NULL, NULL, false, false},
    {":", NULL, NULL, false, false},
    {"127.0.0.1", NULL, NULL, false, false},
    {"127.0.0.1:", NULL, NULL, false, false},
    {"127.0.0.1:00", NULL, NULL, false, false},
    {"127.0.0.1:-1", NULL, NULL, false, false},
    {"127.0.0.1: 80", NULL, NULL, false, false},
    {"127.0.0.1:80 ", NULL, NULL, false, false},
    {"127.0.0.1:123456", NULL, NULL, false, false},
    {"127.1:80", NULL, NULL, false, false},
    {"256.0.0.1:80", NULL, NULL, false, false},
    {"1.2.3.4.5:80", NULL, NULL, false, false},
    {"[::1]", NULL, NULL, false, false},
    {"[::1]8000", NULL, NULL, false, false},
    {"[:8000", NULL, NULL, false, false},
    {"[]:8000", NULL, NULL, false, false},
    {"[127.0.0.1]:8000", NULL, NULL, false, false},
    {"::1:8000", NULL, NULL, false, false},
    {"a b:80", NULL, NULL, false, false},
    {"-x:80", NULL, NULL, false, false},
    {"http://localhost:80", NULL, NULL, false, false},
    {"unix:", NULL, NULL, false, false},
    {"unix:x", NULL, NULL, false, false},
    {"unix:8000", NULL, NULL, false, false},
};

START_TEST(listening_addresses_are_taken_apart)
{
    struct listen_address address;
    const char *why = NULL;
    bool ok = listen_address_parse(addresses[_i].text, &address, &why);
    ck_assert_msg(ok == (addresses[_i].host != NULL), "%s", addresses[_i].text);
    ck_assert(ok == (why == NULL));
    if (!ok)
        return;
    ck_assert_str_eq(address.host, addresses[_i].host);
    ck_assert_str_eq(address.port, addresses[_i].port);
    ck_assert(address.is_unix == addresses[_i].is_unix);
    ck_assert(address.is_loopback == addresses[_i].is_loopback);
}
END_TEST

START_TEST(long_listening_addresses_end_at_their_limits)
{
    struct listen_address address;
    const char *why = NULL;
    char text[600] = "unix:/";
    memset(text + 6, 'p', 106);
    ck_assert(listen_address_parse(text, &address, &why)); /* 107 bytes of path */
    text[112] = 'p';
    ck_assert(!listen_address_parse(text, &address, &why));
    ck_assert_ptr_nonnull(strstr(why, "107"));

    memset(text, 'h', 255);
    strcpy(text + 255, ":80");
    ck_assert(listen_address_parse(text, &address, &why));
    memset(text, 'h', 256);
    strcpy(text + 256, ":80");
    ck_assert(!listen_address_parse(text, &address, &why));
    memset(text, 'h', 599);
    ck_assert(!listen_address_parse(text, &address, &why));
}
END_TEST

static const struct {
    const char *url;
    const char *masked;
} secrets[] = {
    {"postgresql://h/db", "postgresql://h/db"},
    {"postgresql:///db", "postgresql:///db"},
    {"postgresql://alice@h:5432/db", "postgresql://alice@h:5432/db"},
    {"postgresql://alice:geheim@h/db", "postgresql://alice:***@h/db"},
    {"postgresql://alice:@h/db", "postgresql://alice:***@h/db"},
    {"postgresql://:geheim@h", "postgresql://:***@h"},
    {"postgresql://alice:ge%40heim@h1:1,h2:2/db?sslmode=require",
     "postgresql://alice:***@h1:1,h2:2/db?sslmode=require"},
    {"postgresql://alice:ge@heim@h/db", "postgresql://alice:***@h/db"},
    {"postgresql://alice:ge/heim@h/db", "postgresql://alice:***@h/db"},
    {"postgresql://alice:ge?heim@h/db", "postgresql://alice:***@h/db"},
    {"postgresql://alice:ge:heim@h/db", "postgresql://alice:***@h/db"},
    {"postgresql://h/db?user=alice&password=geheim", "postgresql://h/db?user=alice&password=***"},
    {"postgresql://h/db?password=geheim&sslmode=disable", "postgresql://h/db?password=***&sslmode=disable"},
    {"postgresql://h/db?sslpassword=geheim", "postgresql://h/db?sslpassword=***"},
    {"postgresql://h/db?pass%77ord=geheim", "postgresql://h/db?***=***"},
    {"postgresql://h/db?PASSWORD=geheim", "postgresql://h/db?***=***"},
    {"postgresql://a:geheim@h/db?password=geheim&host=x", "postgresql://a:***@h/db?password=***&host=x"},
    {"postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"},
    {"host=h dbname=db", "host=h dbname=db"},
    {"host=h password=geheim user=alice", "host=h password=*** user=alice"},
    {"password='ge heim' host=h", "password=*** host=h"},
    {"password='ge\\' heim' host=h", "password=*** host=h"},
    {"password=ge\\ heim host=h", "password=*** host=h"},
    {"password = geheim host = h", "password=*** host = h"},
    {"password\t=\n'geheim'\thost=h", "password=***\thost=h"},
    {"password='geheim", "password=***"},
    {"password=geheim\\", "password=***"},
    {"password=", "password=***"},
    {"password=x geheim host=h", "password=*** *** host=h"},
    {"password=x geheim=geheim host=h", "password=*** ***=*** host=h"},
    {"host='a b' sslpassword=geheim", "host='a b' sslpassword=***"},
    {"oauth_client_secret=geheim host=h", "oauth_client_secret=*** host=h"},
    {"geheim", "***"},
    {"=geheim", "***=***"},
    {"", ""},
    {"   ", "   "},
};

START_TEST(passwords_are_masked_in_every_form)
{
    char *masked = config_mask_database_url(secrets[_i].url);
    ck_assert_str_eq(masked, secrets[_i].masked);
    ck_assert_ptr_null(strstr(masked, "heim"));
    free(masked);
}
END_TEST

static char *printed(void (*print)(FILE *))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    print(stream);
    fclose(stream);
    return text;
}

static void print_cfg(FILE *out)
{
    config_print(out, &cfg);
}

static void expect_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    const char *at = strstr(text, line);
    ck_assert_msg(at && (at == text || at[-1] == '\n') && at[len] == '\n', "no line \"%s\" in:\n%s", line,
                  text);
}

START_TEST(printing_shows_values_sources_and_no_password)
{
    char expected[256];
    write_file("# x\nHERALD_RATE_LIMIT=5/s:6\nHERALD_JWT_ISSUER='a # \"b\\'\n");
    accept(path, "HERALD_DATABASE_URL=postgresql://a:geheim@h/db", "HERALD_LOG_LEVEL=debug");
    char *text = printed(print_cfg);
    expect_line(text, "HERALD_DATABASE_URL=postgresql://a:***@h/db  # environment");
    expect_line(text, "HERALD_LISTEN=127.0.0.1:8000  # default");
    expect_line(text, "HERALD_LOG_LEVEL=debug  # environment");
    expect_line(text, "HERALD_ALLOW_DEV_AUTH=no  # default");
    expect_line(text, "# HERALD_JWT_AUDIENCE=  # default: any");
    expect_line(text, "# HERALD_ALLOWED_ORIGINS=  # default: same host only");
    snprintf(expected, sizeof expected, "HERALD_RATE_LIMIT=5/s:6  # %s line 2", path);
    expect_line(text, expected);
    snprintf(expected, sizeof expected, "HERALD_JWT_ISSUER=\"a # \\\"b\\\\\"  # %s line 3", path);
    expect_line(text, expected);
    ck_assert_ptr_null(strstr(text, "geheim"));
    ck_assert_ptr_null(strstr(text, "HERALD_DEV_PSQL"));
    free(text);
    config_free(&cfg);
}
END_TEST

START_TEST(what_is_printed_can_be_read_back)
{
    write_file("HERALD_JWT_ISSUER='a # \"b\\ $c `d'\nHERALD_LISTEN=[::1]:9\nHERALD_DRAIN_SECONDS=0\n"
               "HERALD_ALLOWED_ORIGINS=https://a.example,https://b.example\n");
    accept(path, "HERALD_DATABASE_URL=host=h dbname='d b'", "HERALD_AUTH=dev");
    char *first = printed(print_cfg);
    struct config before = cfg;
    accept(write_file(first), NULL, NULL);
    for (size_t i = 0; i < config_table_size; i++)
        ck_assert_msg(config_value_equal(&before, &cfg, &config_table[i]), "%s", config_table[i].name);
    config_free(&before);
    config_free(&cfg);
    free(first);
}
END_TEST

START_TEST(help_describes_every_variable_but_the_internal_ones)
{
    char *text = printed(config_help);
    char *markdown = printed(config_help_markdown);
    for (size_t i = 0; i < config_table_size; i++) {
        char cell[80];
        snprintf(cell, sizeof cell, "| `%s` |", config_table[i].name);
        ck_assert_ptr_nonnull(config_table[i].help);
        ck_assert((strstr(text, config_table[i].name) != NULL) == !config_table[i].internal);
        ck_assert((strstr(markdown, cell) != NULL) == !config_table[i].internal);
    }
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_msg(strlen(line) <= 82, "too wide: %s", line); /* a … has three bytes */
    free(text);
    ck_assert_ptr_nonnull(strstr(markdown, "| `HERALD_TRUSTED_PROXIES` | not set |")); /* no value, so not as code */
    free(markdown);
}
END_TEST

START_TEST(reloading_takes_what_may_change_and_names_the_rest)
{
    char waiting[128];
    struct config fresh;
    accept(NULL, "HERALD_DATABASE_URL=host=h password=one", "HERALD_RATE_LIMIT=1/s:2");
    struct config live = cfg;
    write_file(
        "HERALD_DATABASE_URL='host=h password=two'\nHERALD_LISTEN=127.0.0.1:9\nHERALD_RATE_LIMIT=3/s:4\n"
        "HERALD_JWT_ISSUER=x\nHERALD_LOG_LEVEL=debug\n");
    accept(path, NULL, NULL);
    fresh = cfg;
    config_reload(&live, &fresh, waiting, sizeof waiting);
    ck_assert_str_eq(waiting, "HERALD_DATABASE_URL, HERALD_LISTEN");
    ck_assert_str_eq(live.listen, "127.0.0.1:8000");
    ck_assert_str_eq(live.database_url, "host=h password=one");
    ck_assert_int_eq(live.rate_limit.per_s, 3);
    ck_assert_int_eq(live.rate_limit.burst, 4);
    ck_assert_str_eq(live.jwt_issuer, "x");
    ck_assert_int_eq((int)live.log_level, LOG_LEVEL_DEBUG);
    ck_assert_ptr_null(fresh.listen);

    accept(NULL, "HERALD_DATABASE_URL=host=h password=one", NULL);
    config_reload(&live, &cfg, waiting, sizeof waiting);
    ck_assert_str_eq(waiting, "");
    ck_assert_ptr_null(live.jwt_issuer);
    config_free(&live);
}
END_TEST

START_TEST(a_list_of_names_longer_than_its_room_is_cut)
{
    char waiting[16];
    accept(NULL, "HERALD_LISTEN=127.0.0.1:9", "HERALD_FEED=poll");
    struct config live = cfg;
    accept(NULL, NULL, NULL);
    config_reload(&live, &cfg, waiting, sizeof waiting);
    ck_assert_str_eq(waiting, "HERALD_LISTEN, ");
    config_free(&live);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("variables");
    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_path, remove_path);
    tcase_add_test(tcase, defaults_are_those_of_the_table);
    tcase_add_loop_test(tcase, good_values_are_accepted_from_environment_and_file, 0, LENGTH(good_values));
    tcase_add_loop_test(tcase, bad_values_are_errors_that_say_what_is_allowed, 0, LENGTH(bad_values));
    tcase_add_test(tcase, an_error_shows_the_value_short_and_printable);
    tcase_add_test(tcase, a_masked_value_is_masked_in_errors_too);
    tcase_add_test(tcase, a_name_with_control_characters_is_shown_without_them);
    tcase_add_test(tcase, the_environment_wins_over_the_file);
    tcase_add_test(tcase, a_bad_value_in_the_file_is_an_error_even_if_the_environment_has_another);
    tcase_add_test(tcase, workers_0_means_one_per_core);
    tcase_add_test(tcase, origins_are_written_with_one_space_between);
    tcase_add_loop_test(tcase, files_are_read_as_shells_docker_and_systemd_write_them, 0, LENGTH(file_lines));
    tcase_add_test(tcase, files_that_cannot_be_read_are_errors);
    tcase_add_loop_test(tcase, unknown_variables_are_errors_with_a_suggestion, 0, LENGTH(unknown_names));
    tcase_add_test(tcase, other_variables_of_the_environment_are_not_ours);
    tcase_add_test(tcase, service_links_of_kubernetes_are_ignored);
    tcase_add_loop_test(tcase, a_relay_starts_only_with_a_key_or_dev_auth_on_loopback, 0,
                        LENGTH(serve_cases));
    tcase_add_loop_test(tcase, listening_addresses_are_taken_apart, 0, LENGTH(addresses));
    tcase_add_test(tcase, long_listening_addresses_end_at_their_limits);
    tcase_add_loop_test(tcase, passwords_are_masked_in_every_form, 0, LENGTH(secrets));
    tcase_add_test(tcase, printing_shows_values_sources_and_no_password);
    tcase_add_test(tcase, what_is_printed_can_be_read_back);
    tcase_add_test(tcase, help_describes_every_variable_but_the_internal_ones);
    tcase_add_test(tcase, reloading_takes_what_may_change_and_names_the_rest);
    tcase_add_test(tcase, a_list_of_names_longer_than_its_room_is_cut);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
