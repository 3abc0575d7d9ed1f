/* Client frames against command_parse: each good one gives its fields, each bad one its own code, and no byte
 * behind the frame is read (frames stand on the heap without a zero byte; a sanitizer watches). */
#include "command.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>

#define ID "01234567-89ab-cdef-0123-456789abcdef"
#define ID_2 "fedcba98-7654-3210-fedc-ba9876543210"
#define TYPE(name) "{\"type\":\"" name "\"}"
#define MESSAGE(name, more) "{\"type\":\"" name "\"," more "}"
#define UNREAD(more) MESSAGE("get_unread", more)
#define MARK(more) MESSAGE("mark_read", more)
#define MARK_ALL(more) MESSAGE("mark_all_read", more)
#define TIME "2024-05-01T10:00:00.123456Z"

static struct command command;
static struct command_error error;

static bool parse(const char *bytes, size_t size)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    memset(&command, 0x5a, sizeof(command)); /* what was there before must not show */
    memset(&error, 0, sizeof(error));
    bool good = command_parse(copy, size, &command, &error);
    free(copy);
    return good;
}

static void parse_good(const char *text)
{
    ck_assert_msg(parse(text, strlen(text)), "%s: %s", text, error.message);
}

static void finish(void)
{
    command_clear(&command);
    ck_assert_ptr_null(command.document);
    ck_assert_ptr_null(command.token);
}

static void expect_id(int at, const char *text)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&command.ids[at], id);
    ck_assert_str_eq(id, text);
}

/* ---- good ones ---- */

static const struct {
    const char *text;
    enum command_type type;
} plain[] = {
    {TYPE("ping"), COMMAND_PING},
    {TYPE("get_unread"), COMMAND_GET_UNREAD},
    {TYPE("get_notifications"), COMMAND_GET_NOTIFICATIONS},
    {TYPE("mark_all_read"), COMMAND_MARK_ALL_READ},
    {" \n\t{ \"type\" : \"ping\" } ", COMMAND_PING},
    {"{\"type\":\"p\\u0069ng\"}", COMMAND_PING},
    {MESSAGE("ping", "\"unknown\":{\"a\":[1,2]}"), COMMAND_PING},
    {MESSAGE("ping", "\"limit\":0,\"token\":1"), COMMAND_PING}, /* fields of others do not matter */
};

START_TEST(each_type_is_known_and_unknown_fields_are_ignored)
{
    parse_good(plain[_i].text);
    ck_assert_int_eq(command.type, plain[_i].type);
    ck_assert_str_eq(command.ref, "");
    ck_assert(!command.has_before && !command.has_until_time && !command.has_until_cursor);
    ck_assert_uint_eq(command.id_count, 0);
    finish();
}
END_TEST

START_TEST(authenticate_gives_the_token_as_it_came)
{
    parse_good(MESSAGE("authenticate", "\"token\":\"dummy-jwt-for-caf\\u00e9 \\\"x\\\"\",\"ref\":\"1\""));
    ck_assert_int_eq(command.type, COMMAND_AUTHENTICATE);
    ck_assert_uint_eq(command.token_size, strlen("dummy-jwt-for-caf\xc3\xa9 \"x\""));
    ck_assert_mem_eq(command.token, "dummy-jwt-for-caf\xc3\xa9 \"x\"", command.token_size);
    ck_assert_str_eq(command.ref, "\"1\"");
    finish();
    parse_good(MESSAGE("authenticate", "\"token\":\"\"")); /* what it is worth is auth.c's to say */
    ck_assert_uint_eq(command.token_size, 0);
    finish();
}
END_TEST

/* As clients write it, and with a blank in front, as it takes another way: the token is cut out of the one. */
static const struct {
    const char *rest;
    const char *cursor; /* NULL: none */
    const char *ref;
    const char *error; /* NULL: good */
} logins[] = {
    {"}", NULL, "", NULL},
    {" } ", NULL, "", NULL},
    {",\"cursor\":\"c-1\",\"ref\":\"r\"}", "c-1", "\"r\"", NULL},
    {",\"cursor\":7,\"ref\":\"r\"}", NULL, "\"r\"", "bad_field"},
    {",\"ref\":7}", NULL, "", "bad_field"},
    {",\"token\":\"x\"}", NULL, "", "bad_json"},
    {",\"type\":\"ping\"}", NULL, "", "bad_json"},
    {"", NULL, "", "bad_json"},
    {"}}", NULL, "", "bad_json"},
    {",\"a\":{\"token\":\"x\"}}", NULL, "", NULL},
};

START_TEST(a_login_is_read_alike_however_it_is_written)
{
    static const char token[] = "eyJhbGciOiJIUzI1NiJ9.e30.AZaz09-_";
    static const char *const heads[] = {"", " "};
    for (int i = 0; i < LENGTH(heads); i++) {
        char text[256];
        int size = snprintf(text, sizeof(text), "%s{\"type\":\"authenticate\",\"token\":\"%s\"%s", heads[i], token,
                            logins[_i].rest);
        char *copy = memcpy(malloc((size_t)size), text, (size_t)size); /* a sanitizer sees what is read behind */
        bool good = command_parse(copy, (size_t)size, &command, &error);
        ck_assert_int_eq(good, !logins[_i].error);
        ck_assert_str_eq(command.ref, logins[_i].ref);
        if (good) {
            ck_assert_int_eq(command.type, COMMAND_AUTHENTICATE);
            ck_assert_uint_eq(command.token_size, strlen(token));
            ck_assert_mem_eq(command.token, token, strlen(token));
            ck_assert_pstr_eq(command.cursor, logins[_i].cursor);
        } else {
            ck_assert_str_eq(error.code, logins[_i].error);
        }
        finish();
        free(copy);
    }
}
END_TEST

static const struct {
    const char *text;
    int limit;
    const char *before_time; /* NULL: none */
} pages[] = {
    {TYPE("get_unread"), 10, NULL},
    {UNREAD("\"limit\":1"), 1, NULL},
    {UNREAD("\"limit\":10"), 10, NULL},
    {UNREAD("\"limit\":99"), 99, NULL},
    {UNREAD("\"limit\":100"), 100, NULL},
    {UNREAD("\"before\":null"), 10, NULL},
    {UNREAD("\"before\":\"" TIME "_" ID "\""), 10, TIME},
    {UNREAD("\"limit\":7,\"before\":\"2024-05-01T10:00:00Z_" ID "\""), 7, "2024-05-01T10:00:00Z"},
    {UNREAD("\"before\":\"2024-12-31T23:59:59.9+05:30_01234567-89AB-CDEF-0123-456789ABCDEF\""), 10,
     "2024-12-31T23:59:59.9+05:30"},
    {MESSAGE("get_notifications", "\"limit\":3,\"before\":\"" TIME "_" ID "\""), 3, TIME},
};

START_TEST(a_page_has_a_limit_and_maybe_a_place_to_go_on_from)
{
    parse_good(pages[_i].text);
    ck_assert_int_eq(command.limit, pages[_i].limit);
    ck_assert_int_eq(command.has_before, pages[_i].before_time != NULL);
    if (command.has_before) {
        char id[UUID_TEXT_SIZE];
        uuid_format(&command.before_id, id);
        ck_assert_str_eq(command.before_time, pages[_i].before_time);
        ck_assert_str_eq(id, ID);
    }
    finish();
}
END_TEST

START_TEST(mark_read_takes_one_id_or_several)
{
    parse_good(MARK("\"notification_id\":\"" ID "\""));
    ck_assert_int_eq(command.type, COMMAND_MARK_READ);
    ck_assert_uint_eq(command.id_count, 1);
    expect_id(0, ID);
    finish();
    parse_good(MARK("\"notification_ids\":[\"" ID "\",\"FEDCBA98-7654-3210-FEDC-BA9876543210\",\"" ID "\"]"));
    ck_assert_uint_eq(command.id_count, 3);
    expect_id(0, ID);
    expect_id(1, ID_2);
    expect_id(2, ID);
    finish();
}
END_TEST

/* A mark_read of so many ids; returns its text, the caller's to free. */
static char *mark_many(int count)
{
    char *text = malloc(64 + (size_t)count * (UUID_TEXT_SIZE + 3)), *at = text;
    at += sprintf(at, "{\"type\":\"mark_read\",\"notification_ids\":[");
    for (int i = 0; i < count; i++)
        at += sprintf(at, "%s\"01234567-89ab-cdef-0123-%012x\"", i ? "," : "", (unsigned)i);
    sprintf(at, "]}");
    return text;
}

START_TEST(mark_read_takes_100_ids_and_no_more)
{
    char *most = mark_many(100), *too_many = mark_many(101);
    parse_good(most);
    ck_assert_uint_eq(command.id_count, 100);
    for (int i = 0; i < 100; i++) {
        char id[UUID_TEXT_SIZE];
        snprintf(id, sizeof(id), "01234567-89ab-cdef-0123-%012x", (unsigned)i);
        expect_id(i, id);
    }
    finish();
    ck_assert(!parse(too_many, strlen(too_many)));
    ck_assert_str_eq(error.code, "bad_field");
    finish();
    free(most);
    free(too_many);
}
END_TEST

static const struct {
    const char *text, *time; /* NULL: no time */
    const char *cursor;      /* NULL: no cursor */
} untils[] = {
    {TYPE("mark_all_read"), NULL, NULL},
    {MARK_ALL("\"until\":null"), NULL, NULL},
    {MARK_ALL("\"until\":\"deadbeef-731\""), NULL, "deadbeef-731"},
    {MARK_ALL("\"until\":\"00000000-0\""), NULL, "00000000-0"},
    {MARK_ALL("\"until\":\"ffffffff-18446744073709551615\""), NULL, "ffffffff-18446744073709551615"},
    {MARK_ALL("\"until\":\"" TIME "\""), TIME, NULL},
    {MARK_ALL("\"until\":\"2024-05-01T10:00:00Z\""), "2024-05-01T10:00:00Z", NULL},
    {MARK_ALL("\"until\":\"2024-05-01T10:00:00.1-08:00\""), "2024-05-01T10:00:00.1-08:00", NULL},
    {MARK_ALL("\"until\":\"2024-05-01T10:00:00.123456789+14:00\""), "2024-05-01T10:00:00.123456789+14:00",
     NULL},
    {MARK_ALL("\"until\":\"2024-02-30T10:00:00Z\""), "2024-02-30T10:00:00Z",
     NULL}, /* PostgreSQL refuses it */
};

START_TEST(mark_all_read_takes_a_cursor_or_a_time_or_nothing)
{
    parse_good(untils[_i].text);
    ck_assert_int_eq(command.has_until_time, untils[_i].time != NULL);
    ck_assert_int_eq(command.has_until_cursor, untils[_i].cursor != NULL);
    if (untils[_i].time)
        ck_assert_str_eq(command.until_time, untils[_i].time);
    if (untils[_i].cursor) {
        char cursor[CURSOR_TEXT_SIZE];
        cursor_format(command.until_cursor, cursor);
        ck_assert_str_eq(cursor, untils[_i].cursor);
    }
    finish();
}
END_TEST

/* ---- bad ones ---- */

#define BAD_TIMES(make)                                                                                      \
    make(""), make("x"), make("now"), make("infinity"), make("2024-05-01"), make("2024-05-01T10:00:00"),     \
        make("2024-05-01 10:00:00Z"), make("2024-05-01t10:00:00z"), make("2024-05-01T10:00Z"),               \
        make("24-05-01T10:00:00Z00"), make("12024-05-01T10:00:00Z"), make("-2024-05-01T10:00:00Z"),          \
        make("+2024-05-01T10:00:00Z"), make("2024-5-01T10:00:00.0Z"), make("2024-05-1T10:00:00.0Z"),         \
        make("2024-05- 1T10:00:00Z"), make("2024-05-01T 9:00:00Z"), make("2024-05-01T9:00:00.00Z"),          \
        make("2024-05-01T10:00:0.000Z"), make("2024-13-01T10:00:00Z"), make("2024-00-01T10:00:00Z"),         \
        make("2024-05-32T10:00:00Z"), make("2024-05-00T10:00:00Z"), make("2024-05-01T24:00:00Z"),            \
        make("2024-05-01T10:60:00Z"), make("2024-05-01T10:00:61Z"), make("2024-05-01T10:00:62Z"),            \
        make("2024-05-01T10:00:00.Z"), make("2024-05-01T10:00:00.1234567890Z"),                              \
        make("2024-05-01T10:00:00,5Z"), make("2024-05-01T10:00:00ZZ"), make("2024-05-01T10:00:00Z "),        \
        make(" 2024-05-01T10:00:00Z"), make("2024-05-01T10:00:00+0100"), make("2024-05-01T10:00:00+01"),     \
        make("2024-05-01T10:00:00+1:00"), make("2024-05-01T10:00:00+01:0"),                                  \
        make("2024-05-01T10:00:00+01:00:00"), make("2024-05-01T10:00:00+0a:00"),                             \
        make("2024-05-01T10:00:00+01-00"), make("2024-05-01T10:00:00*01:00"),                                \
        make("2024-05-01T10:00:00.000000Z'; drop table x; --"), make("\\u0662024-05-01T10:00:00Z")

#define BAD_UNTIL(time) MARK_ALL("\"until\":\"" time "\"")
#define BAD_BEFORE(time) UNREAD("\"before\":\"" time "_" ID "\"")

static const char *const bad_times[] = {BAD_TIMES(BAD_UNTIL), BAD_TIMES(BAD_BEFORE)};

START_TEST(what_is_no_rfc_3339_time_is_a_bad_field)
{
    ck_assert_msg(!parse(bad_times[_i], strlen(bad_times[_i])), "%s", bad_times[_i]);
    ck_assert_str_eq(error.code, "bad_field");
    finish();
}
END_TEST

#define BYTES(text) text, sizeof(text) - 1
static const struct {
    const char *code;
    const char *bytes;
    size_t size;
} bad[] = {
    /* not JSON */
    {"bad_json", BYTES("")},
    {"bad_json", BYTES(" ")},
    {"bad_json", BYTES("ping")},
    {"bad_json", BYTES("{")},
    {"bad_json", BYTES("{\"type\":\"ping\"")},
    {"bad_json", BYTES("{\"type\":\"ping\"}x")},
    {"bad_json", BYTES("{\"type\":\"ping\"}{}")},
    {"bad_json", BYTES("{\"type\":\"ping\"}\0")},
    {"bad_json", BYTES("{\"type\":\"ping\",}")},
    {"bad_json", BYTES("{'type':'ping'}")},
    {"bad_json", BYTES("{type:\"ping\"}")},
    {"bad_json", BYTES("{\"type\":\"pi\ng\"}")},
    {"bad_json", BYTES("{\"type\":\"pi\0ng\"}")},
    {"bad_json", BYTES("{\"type\":\"ping\\u0000\"}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"\\u0000\":1}")},
    {"bad_json", BYTES("{\"type\":\"\xff\"}")},
    {"bad_json", BYTES("{\"type\":\"\xc3\"}")},
    {"bad_json", BYTES("{\"type\":\"\xed\xa0\x80\"}")},
    {"bad_json", BYTES("{\"type\":\"\\ud800\"}")},
    {"bad_json", BYTES("{\"type\":\"\\x\"}")},
    {"bad_json", BYTES("{\"type\":\"\\u12")},
    {"bad_json", BYTES("\xef\xbb\xbf{\"type\":\"ping\"}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"type\":\"ping\"}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"t\\u0079pe\":\"authenticate\"}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"a\":{\"b\":1,\"b\":2}}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"n\":NaN}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"n\":01}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"n\":99999999999999999999}")},
    {"bad_json", BYTES("{\"type\":\"ping\",\"n\":1e999}")},
    {"bad_json", BYTES("true")},
    {"bad_json", BYTES("null")},
    {"bad_json", BYTES("\"ping\"")},
    {"bad_json", BYTES("1")},

    /* no message */
    {"bad_message", BYTES("[]")},
    {"bad_message", BYTES("[{\"type\":\"ping\"}]")},
    {"bad_message", BYTES("{}")},
    {"bad_message", BYTES("{\"Type\":\"ping\"}")},
    {"bad_message", BYTES("{\"type\":null}")},
    {"bad_message", BYTES("{\"type\":1}")},
    {"bad_message", BYTES("{\"type\":true}")},
    {"bad_message", BYTES("{\"type\":[\"ping\"]}")},
    {"bad_message", BYTES("{\"type\":{\"ping\":1}}")},

    /* unknown types */
    {"unknown_type", BYTES(TYPE(""))},
    {"unknown_type", BYTES(TYPE("pong"))},
    {"unknown_type", BYTES(TYPE("PING"))},
    {"unknown_type", BYTES(TYPE("ping "))},
    {"unknown_type", BYTES(TYPE("pin"))},
    {"unknown_type", BYTES(TYPE("pings"))},
    {"unknown_type", BYTES(TYPE("connected"))},
    {"unknown_type", BYTES(TYPE("caf\xc3\xa9"))},

    /* refs */
    {"bad_field", BYTES(MESSAGE("ping", "\"ref\":1"))},
    {"bad_field", BYTES(MESSAGE("ping", "\"ref\":null"))},
    {"bad_field", BYTES(MESSAGE("ping", "\"ref\":true"))},
    {"bad_field", BYTES(MESSAGE("ping", "\"ref\":[\"a\"]"))},
    {"bad_field", BYTES(MESSAGE("ping", "\"ref\":{}"))},

    /* tokens */
    {"bad_field", BYTES(TYPE("authenticate"))},
    {"bad_field", BYTES(MESSAGE("authenticate", "\"token\":null"))},
    {"bad_field", BYTES(MESSAGE("authenticate", "\"token\":1"))},
    {"bad_field", BYTES(MESSAGE("authenticate", "\"token\":[\"x\"]"))},
    {"bad_field", BYTES(MESSAGE("authenticate", "\"Token\":\"x\""))},

    /* limits */
    {"bad_field", BYTES(UNREAD("\"limit\":0"))},
    {"bad_field", BYTES(UNREAD("\"limit\":-0"))},
    {"bad_field", BYTES(UNREAD("\"limit\":-1"))},
    {"bad_field", BYTES(UNREAD("\"limit\":101"))},
    {"bad_field", BYTES(UNREAD("\"limit\":1000000000"))},
    {"bad_field", BYTES(UNREAD("\"limit\":1e9"))},
    {"bad_field", BYTES(UNREAD("\"limit\":4294967297"))},
    {"bad_field", BYTES(UNREAD("\"limit\":9223372036854775807"))},
    {"bad_field", BYTES(UNREAD("\"limit\":-9223372036854775808"))},
    {"bad_field", BYTES(UNREAD("\"limit\":1.5"))},
    {"bad_field", BYTES(UNREAD("\"limit\":10.0"))},
    {"bad_field", BYTES(UNREAD("\"limit\":\"x\""))},
    {"bad_field", BYTES(UNREAD("\"limit\":\"10\""))},
    {"bad_field", BYTES(UNREAD("\"limit\":null"))},
    {"bad_field", BYTES(UNREAD("\"limit\":true"))},
    {"bad_field", BYTES(UNREAD("\"limit\":[10]"))},
    {"bad_field", BYTES(UNREAD("\"limit\":{}"))},
    {"bad_field", BYTES(MESSAGE("get_notifications", "\"limit\":0"))},

    /* places to go on from */
    {"bad_field", BYTES(UNREAD("\"before\":1"))},
    {"bad_field", BYTES(UNREAD("\"before\":false"))},
    {"bad_field", BYTES(UNREAD("\"before\":[]"))},
    {"bad_field", BYTES(UNREAD("\"before\":\"\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"_\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"" TIME "\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"" ID "\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"" TIME "_\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"_" ID "\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"" TIME "__" ID "\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"" TIME "_" ID "x\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"" TIME "_0123456789abcdef0123456789abcdef\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"" ID "_" TIME "\""))},
    {"bad_field", BYTES(UNREAD("\"before\":\"deadbeef-731\""))},
    {"bad_field", BYTES(MESSAGE("get_notifications", "\"before\":\"x\""))},

    /* ids */
    {"bad_field", BYTES(TYPE("mark_read"))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"\""))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"garbage\""))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"01234567-89ab-cdef-0123-456789abcdeg\""))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"01234567-89ab-cdef-0123-456789abcde\""))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"" ID "0\""))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"{" ID "}\""))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"' or 1=1 --\""))},
    {"bad_field", BYTES(MARK("\"notification_id\":123"))},
    {"bad_field", BYTES(MARK("\"notification_id\":null"))},
    {"bad_field", BYTES(MARK("\"notification_id\":[\"" ID "\"]"))},
    {"bad_field", BYTES(MARK("\"notification_ids\":[]"))},
    {"bad_field", BYTES(MARK("\"notification_ids\":\"" ID "\""))},
    {"bad_field", BYTES(MARK("\"notification_ids\":{\"0\":\"" ID "\"}"))},
    {"bad_field", BYTES(MARK("\"notification_ids\":null"))},
    {"bad_field", BYTES(MARK("\"notification_ids\":[\"" ID "\",1]"))},
    {"bad_field", BYTES(MARK("\"notification_ids\":[\"" ID "\",null]"))},
    {"bad_field", BYTES(MARK("\"notification_ids\":[\"" ID "\",\"x\"]"))},
    {"bad_field", BYTES(MARK("\"notification_ids\":[[\"" ID "\"]]"))},
    {"bad_field", BYTES(MARK("\"notification_id\":\"" ID "\",\"notification_ids\":[\"" ID "\"]"))},

    /* until */
    {"bad_field", BYTES(MARK_ALL("\"until\":0"))},
    {"bad_field", BYTES(MARK_ALL("\"until\":1700000000"))},
    {"bad_field", BYTES(MARK_ALL("\"until\":true"))},
    {"bad_field", BYTES(MARK_ALL("\"until\":[]"))},
    {"bad_field", BYTES(MARK_ALL("\"until\":\"deadbeef-\""))},
    {"bad_field", BYTES(MARK_ALL("\"until\":\"DEADBEEF-731\""))},
    {"bad_field", BYTES(MARK_ALL("\"until\":\"deadbeef-18446744073709551616\""))},
    {"bad_field", BYTES(MARK_ALL("\"until\":\"" TIME "_" ID "\""))},
};

START_TEST(each_bad_frame_has_its_code_and_says_why)
{
    ck_assert_msg(!parse(bad[_i].bytes, bad[_i].size), "%s", bad[_i].bytes);
    ck_assert_msg(strcmp(error.code, bad[_i].code) == 0, "%s: %s", bad[_i].bytes, error.code);
    ck_assert_uint_gt(strlen(error.message), 10);
    finish();
}
END_TEST

/* ---- refs ---- */

static const struct {
    const char *bytes; /* as the client wrote it */
    const char *echo;  /* JSON text of the same value; NULL: too long */
} refs[] = {
    {"\"\"", "\"\""},
    {"\"r\"", "\"r\""},
    {"\"\\\"\\\\\\/\"", "\"\\\"\\\\/\""},
    {"\"\\u0001\\n\"", "\"\\u0001\\n\""},
    {"\"caf\\u00e9\"", "\"caf\xc3\xa9\""},
    {"\"\\ud83d\\udd14\"", "\"\xf0\x9f\x94\x94\""},
    {"\"\\\",\\\"type\\\":\\\"x\"", "\"\\\",\\\"type\\\":\\\"x\""},
};

START_TEST(a_ref_is_kept_as_json_of_the_same_text)
{
    char text[256];
    snprintf(text, sizeof(text), "{\"type\":\"ping\",\"ref\":%s}", refs[_i].bytes);
    parse_good(text);
    ck_assert_str_eq(command.ref, refs[_i].echo);
    finish();
}
END_TEST

/* A ping whose ref is count times this piece of JSON. */
static bool parse_ref_of(const char *piece, int count)
{
    char text[1024] = "{\"type\":\"ping\",\"ref\":\"";
    for (int i = 0; i < count; i++)
        strcat(text, piece);
    strcat(text, "\"}");
    return parse(text, strlen(text));
}

static const struct {
    const char *piece;
    int most;
    size_t echo_size; /* of the piece, in the echo */
} long_refs[] = {
    {"x", 64, 1},   {"\\u0001", 64, 6}, {"\\\"", 64, 2},
    {"\\n", 64, 2}, {"\\u00e9", 32, 2}, {"\\ud83d\\udd14", 16, 4},
};

START_TEST(a_ref_may_have_64_bytes_and_no_more)
{
    int most = long_refs[_i].most;
    ck_assert(parse_ref_of(long_refs[_i].piece, most - 1));
    finish();
    ck_assert(parse_ref_of(long_refs[_i].piece, most));
    ck_assert_uint_eq(strlen(command.ref), 2 + (size_t)most * long_refs[_i].echo_size);
    ck_assert_int_eq(command.ref[strlen(command.ref) - 1], '"');
    finish();
    ck_assert(!parse_ref_of(long_refs[_i].piece, most + 1));
    ck_assert_str_eq(error.code, "bad_field");
    ck_assert_str_eq(command.ref, "");
    finish();
}
END_TEST

static const char *const refusals_with_ref[] = {
    "{\"ref\":\"r\"}", MESSAGE("nonsense", "\"ref\":\"r\""), UNREAD("\"ref\":\"r\",\"limit\":0"),
    MARK("\"ref\":\"r\",\"notification_id\":\"x\""), MESSAGE("authenticate", "\"ref\":\"r\"")};

START_TEST(a_refused_message_still_gives_its_ref)
{
    ck_assert(!parse(refusals_with_ref[_i], strlen(refusals_with_ref[_i])));
    ck_assert_str_eq(command.ref, "\"r\"");
    finish();
}
END_TEST

START_TEST(a_frame_that_is_no_json_has_no_ref)
{
    ck_assert(!parse("{\"ref\":\"r\",", 11));
    ck_assert_str_eq(command.ref, "");
    finish();
}
END_TEST

/* ---- everything else a client may try ---- */

START_TEST(nesting_ends_in_an_answer)
{
    static const int depths[] = {1, 100, 2000, 3000, 100000};
    for (int i = 0; i < LENGTH(depths); i++) {
        size_t depth = (size_t)depths[i], at = 0;
        char *text = malloc(depth * 2 + 64);
        at += (size_t)sprintf(text, "{\"type\":\"ping\",\"deep\":");
        memset(text + at, '[', depth);
        memset(text + at + depth, ']', depth);
        at += 2 * depth;
        text[at++] = '}';
        bool good = parse(text, at);
        ck_assert_int_eq(good, depth <= 2000);
        if (!good)
            ck_assert_str_eq(error.code, "bad_json");
        finish();
        free(text);
    }
}
END_TEST

static const char *const whole[] = {
    MESSAGE("authenticate", "\"token\":\"dummy-jwt-for-alice\",\"ref\":\"caf\\u00e9\""),
    UNREAD("\"limit\":50,\"before\":\"" TIME "_" ID "\",\"ref\":\"r\""),
    MARK("\"notification_ids\":[\"" ID "\",\"" ID_2 "\"]"),
    MARK_ALL("\"until\":\"" TIME "\""),
};

START_TEST(a_frame_cut_short_anywhere_is_refused)
{
    for (size_t size = 0; size < strlen(whole[_i]); size++) {
        ck_assert(!parse(whole[_i], size));
        ck_assert_str_eq(error.code, "bad_json");
        finish();
    }
    parse_good(whole[_i]);
    finish();
}
END_TEST

/* Whatever one byte becomes, there is an answer, and what is accepted is within its bounds. */
START_TEST(a_frame_with_any_byte_changed_ends_in_an_answer)
{
    size_t size = strlen(whole[_i]);
    char *text = malloc(size);
    for (size_t at = 0; at < size; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, whole[_i], size);
            text[at] = (char)byte;
            if (!parse(text, size))
                ck_assert_ptr_nonnull(error.code);
            else
                ck_assert(command.id_count <= COMMAND_IDS_MAX && command.limit <= COMMAND_LIMIT_MAX);
            finish();
        }
    }
    free(text);
}
END_TEST

START_TEST(an_error_text_never_repeats_what_the_client_sent)
{
    ck_assert(!parse("{\"type\":\"s3cret\"}", 17));
    ck_assert_ptr_null(strstr(error.message, "s3cret"));
    finish();
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("commands");
    tcase_add_loop_test(tcase, each_type_is_known_and_unknown_fields_are_ignored, 0, LENGTH(plain));
    tcase_add_test(tcase, authenticate_gives_the_token_as_it_came);
    tcase_add_loop_test(tcase, a_login_is_read_alike_however_it_is_written, 0, LENGTH(logins));
    tcase_add_loop_test(tcase, a_page_has_a_limit_and_maybe_a_place_to_go_on_from, 0, LENGTH(pages));
    tcase_add_test(tcase, mark_read_takes_one_id_or_several);
    tcase_add_test(tcase, mark_read_takes_100_ids_and_no_more);
    tcase_add_loop_test(tcase, mark_all_read_takes_a_cursor_or_a_time_or_nothing, 0, LENGTH(untils));
    tcase_add_loop_test(tcase, what_is_no_rfc_3339_time_is_a_bad_field, 0, LENGTH(bad_times));
    tcase_add_loop_test(tcase, each_bad_frame_has_its_code_and_says_why, 0, LENGTH(bad));
    tcase_add_loop_test(tcase, a_ref_is_kept_as_json_of_the_same_text, 0, LENGTH(refs));
    tcase_add_loop_test(tcase, a_ref_may_have_64_bytes_and_no_more, 0, LENGTH(long_refs));
    tcase_add_loop_test(tcase, a_refused_message_still_gives_its_ref, 0, LENGTH(refusals_with_ref));
    tcase_add_test(tcase, a_frame_that_is_no_json_has_no_ref);
    tcase_add_test(tcase, nesting_ends_in_an_answer);
    tcase_add_loop_test(tcase, a_frame_cut_short_anywhere_is_refused, 0, LENGTH(whole));
    tcase_add_loop_test(tcase, a_frame_with_any_byte_changed_ends_in_an_answer, 0, LENGTH(whole));
    tcase_add_test(tcase, an_error_text_never_repeats_what_the_client_sent);
    return run_suite("command", tcase);
}
