/* The Origin header against the list, or against the request's own host. */
#include "origin.h"
#include "run_suite.h"

#define LIST                                                                                                 \
    "https://app.example.org http://localhost:5173 https://b\xc3\xbc"                                        \
    "cher.example"

static const struct {
    const char *name, *allowed, *origin, *host;
    bool expected;
} origin_cases[] = {
    {"own host", NULL, "https://example.org", "example.org", true},
    {"own host without TLS", NULL, "http://example.org", "example.org", true},
    {"own host and port", NULL, "http://localhost:8000", "localhost:8000", true},
    {"own address", NULL, "http://[::1]:8000", "[::1]:8000", true},
    {"own host in capitals", NULL, "https://EXAMPLE.org", "example.ORG", true},
    {"another host", NULL, "https://evil.example", "example.org", false},
    {"another port", NULL, "http://localhost:8001", "localhost:8000", false},
    {"a port too many", NULL, "https://example.org:443", "example.org", false},
    {"a port missing", NULL, "http://localhost", "localhost:8000", false},
    {"a longer port", NULL, "http://localhost:80001", "localhost:8000", false},
    {"own host as a prefix", NULL, "https://example.org.evil.example", "example.org", false},
    {"own host as a suffix", NULL, "https://evilexample.org", "example.org", false},
    {"a subdomain", NULL, "https://sub.example.org", "example.org", false},
    {"the parent domain", NULL, "https://example.org", "sub.example.org", false},
    {"own host as user name", NULL, "https://example.org@evil.example", "example.org", false},
    {"a user name before own host", NULL, "https://user@example.org", "example.org", false},
    {"own host as a path", NULL, "https://evil.example/example.org", "example.org", false},
    {"own host as a fragment", NULL, "https://evil.example#example.org", "example.org", false},
    {"own host behind a second ://", NULL, "https://evil.example://example.org", "example.org", false},
    {"a slash at the end", NULL, "https://example.org/", "example.org", false},
    {"a dot at the end", NULL, "https://example.org.", "example.org", false},
    {"a space at the end", NULL, "https://example.org ", "example.org", false},
    {"two origins", NULL, "https://example.org https://evil.example", "example.org", false},
    {"no scheme", NULL, "example.org", "example.org", false},
    {"one slash", NULL, "https:/example.org", "example.org", false},
    {"null", NULL, "null", "example.org", false},
    {"null against a host of that name", NULL, "null", "null", false},
    {"empty", NULL, "", "example.org", false},
    {"no host header", NULL, "https://example.org", "", false},
    {"nothing against nothing", NULL, "https://", "", false},

    {"first of the list", LIST, "https://app.example.org", "relay", true},
    {"middle of the list", LIST, "http://localhost:5173", "relay", true},
    {"last of the list", LIST,
     "https://b\xc3\xbc"
     "cher.example",
     "relay", true},
    {"listed in capitals", LIST, "HTTPS://APP.example.org", "relay", true},
    {"own host is not listed", LIST, "https://relay", "relay", false},
    {"listed with another scheme", LIST, "http://app.example.org", "relay", false},
    {"listed with another port", LIST, "http://localhost:5174", "relay", false},
    {"listed without its port", LIST, "http://localhost", "relay", false},
    {"start of a listed one", LIST, "https://app.example.or", "relay", false},
    {"a listed one and more", LIST, "https://app.example.org.evil.example", "relay", false},
    {"end of a listed one", LIST, "app.example.org", "relay", false},
    {"a listed one with a slash", LIST, "https://app.example.org/", "relay", false},
    {"a listed one with a user name", LIST, "https://evil@app.example.org", "relay", false},
    {"two listed ones at once", LIST, "https://app.example.org http://localhost:5173", "relay", false},
    {"null with a list", LIST, "null", "relay", false},
    {"empty with a list", LIST, "", "relay", false},
    {"a space with a list", LIST, " ", "relay", false},
    {"a star sent by the client", LIST, "*", "relay", false},
    {"an empty list", "", "https://app.example.org", "app.example.org", false},
    {"null when it is listed", "null", "null", "relay", true},

    {"any", "*", "https://evil.example", "relay", true},
    {"null with any", "*", "null", "relay", true},
};

START_TEST(an_origin_is_allowed_exactly_when_it_is_listed_or_the_own_host)
{
    ck_assert_msg(origin_allowed(origin_cases[_i].allowed, origin_cases[_i].origin, origin_cases[_i].host) ==
                      origin_cases[_i].expected,
                  "%s", origin_cases[_i].name);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("origins");
    tcase_add_loop_test(tcase, an_origin_is_allowed_exactly_when_it_is_listed_or_the_own_host, 0,
                        LENGTH(origin_cases));
    return run_suite("origin", tcase);
}
