/* Request heads; see request_head.h. Lines in, one verdict and the token out. */
#include "request_head.h"

#include <string.h>
#include <strings.h>

#include "bearer.h"

static bool equals_ignoring_case(struct text text, struct text other)
{
    return text.size == other.size && strncasecmp(text.bytes, other.bytes, other.size) == 0;
}

static bool begins_with(struct text text, struct text prefix)
{
    return text.size >= prefix.size && memcmp(text.bytes, prefix.bytes, prefix.size) == 0;
}

static struct text without_first(struct text text, size_t count)
{
    return (struct text){text.bytes + count, text.size - count};
}

/* Takes what is before the separator off *rest, and the separator; without one, false and nothing taken. */
static bool take_before(struct text *rest, struct text separator, struct text *taken)
{
    const char *at = memmem(rest->bytes, rest->size, separator.bytes, separator.size);
    if (!at)
        return false;
    *taken = (struct text){rest->bytes, (size_t)(at - rest->bytes)};
    *rest = without_first(*rest, taken->size + separator.size);
    return true;
}

/* ---- characters ---- */

static bool is_plain_at(struct text text, size_t i)
{
    switch (text.bytes[i]) {
    case '\r': /* perhaps the last byte that has come so far */
        return i + 1 == text.size || text.bytes[i + 1] == '\n';
    case '\n':
        return i > 0 && text.bytes[i - 1] == '\r';
    case '\t':
        return true;
    default:
        return (unsigned char)text.bytes[i] >= ' ' && text.bytes[i] != 0x7f;
    }
}

/* No control characters but tabs and CRLF. */
static bool is_plain(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_plain_at(text, i))
            return false;
    }
    return true;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 9110 §5.6.2: the names of methods and fields. */
static bool is_name(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_letter_or_digit(text.bytes[i]) && !strchr("!#$%&'*+-.^_`|~", text.bytes[i]))
            return false;
    }
    return text.size > 0;
}

static bool is_visible_ascii(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] <= ' ' || text.bytes[i] > '~')
            return false;
    }
    return text.size > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trimmed(struct text text)
{
    while (text.size && is_blank(text.bytes[0]))
        text = without_first(text, 1);
    while (text.size && is_blank(text.bytes[text.size - 1]))
        text.size--;
    return text;
}

/* ---- tokens ---- */

/* The value of a hexadecimal digit, or -1. */
static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986 §2.1: the byte of three characters; -1: they are none. */
static int escaped_byte(struct text text)
{
    int high = text.size >= 3 ? nibble(text.bytes[1]) : -1;
    int low = text.size >= 3 ? nibble(text.bytes[2]) : -1;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* A plus sign is a plus sign. Bytes written, or 0 when it is badly escaped or does not fit. */
static size_t percent_decode(struct text from, char *out, size_t room)
{
    size_t size = 0;
    while (from.size) {
        bool escaped = from.bytes[0] == '%';
        int byte = escaped ? escaped_byte(from) : from.bytes[0];
        if (size == room || (escaped && byte < 0))
            return 0;
        out[size++] = (char)byte;
        from = without_first(from, escaped ? 3 : 1);
    }
    return size;
}

static bool take_bearer(struct text authorization, struct request_head *head)
{
    struct text token;
    if (!bearer_token(authorization, &token))
        return false;
    head->shows_token = true;
    head->token_size = token.size <= sizeof(head->token) ? token.size : 0;
    memcpy(head->token, token.bytes, head->token_size);
    return true;
}

/* False: there are two, and who takes which? */
static bool take_parameter(struct text query, struct request_head *head)
{
    const struct text name = TEXT("token=");
    while (query.size) {
        struct text parameter;
        if (!take_before(&query, TEXT("&"), &parameter)) {
            parameter = query;
            query.size = 0;
        }
        if (!begins_with(parameter, name))
            continue;
        if (head->shows_token)
            return false;
        head->shows_token = true;
        head->token_size =
            percent_decode(without_first(parameter, name.size), head->token, sizeof(head->token));
    }
    return true;
}

/* ---- lines ---- */

static bool is_same(struct text text, struct text other)
{
    return text.size == other.size && begins_with(text, other);
}

static bool is_known_method(struct text method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (is_same(method, text_of(known[i])))
            return true;
    return false;
}

/* RFC 9112 §3.2.1: a path and perhaps a query. Other forms are for proxies, and for methods that are refused anyway. */
static bool is_target(struct text target, struct text method)
{
    bool is_odd = is_same(method, TEXT("CONNECT")) || !is_known_method(method);
    if (!is_visible_ascii(target) || (target.bytes[0] != '/' && !is_odd))
        return false;
    /* An escaped zero byte would end libwebsockets' texts: what stands behind it would not be looked at. */
    for (size_t i = 0; i < target.size; i++)
        if (target.bytes[i] == '%' && escaped_byte(without_first(target, i)) <= 0)
            return false;
    return true;
}

/* RFC 9112 §3. The version follows the second space; there is no third. */
static bool parse_request_line(struct text line, struct request_head *head, struct text *query)
{
    struct text method, target;
    if (!take_before(&line, TEXT(" "), &method) || !take_before(&line, TEXT(" "), &target))
        return false;
    if (!is_name(method) || !is_target(target, method))
        return false;
    if (line.size != 8 || !begins_with(line, TEXT("HTTP/1.")) || line.bytes[7] < '0' || line.bytes[7] > '9')
        return false;
    head->is_get = is_same(method, TEXT("GET"));
    head->is_known_method = is_known_method(method);
    head->path = *query = target;
    if (!take_before(query, TEXT("?"), &head->path))
        query->size = 0;
    return true;
}

/* RFC 9112 §5. A line that begins with a blank (obs-fold) has no name and is refused with the others. */
static bool parse_field(struct text line, struct request_head *head, struct text *authorization)
{
    struct text name;
    if (!take_before(&line, TEXT(":"), &name) || !is_name(name))
        return false;
    if (equals_ignoring_case(name, TEXT("Upgrade")) && !equals_ignoring_case(trimmed(line), TEXT("h2c")))
        head->wants_upgrade = true;
    if (!equals_ignoring_case(name, TEXT("Authorization")))
        return true;
    if (authorization->bytes)
        return false;
    *authorization = trimmed(line);
    return true;
}

enum request_head_result request_head_parse(const char *bytes, size_t size, struct request_head *head)
{
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    struct text rest = {bytes, end ? (size_t)(end - bytes) + 2 : size};
    struct text line, query, authorization = {0};
    head->wants_upgrade = head->shows_token = false;
    head->token_size = 0;
    if (!is_plain(rest))
        return REQUEST_HEAD_BAD;
    if (!take_before(&rest, TEXT("\r\n"), &line))
        return REQUEST_HEAD_PARTIAL;
    if (!parse_request_line(line, head, &query))
        return REQUEST_HEAD_BAD;
    head->fields = rest;
    while (take_before(&rest, TEXT("\r\n"), &line)) {
        if (!parse_field(line, head, &authorization))
            return REQUEST_HEAD_BAD;
    }
    if (!end)
        return REQUEST_HEAD_PARTIAL;
    if (!take_bearer(authorization, head) && !take_parameter(query, head))
        return REQUEST_HEAD_BAD;
    return REQUEST_HEAD_COMPLETE;
}

bool request_head_next_field(struct text *rest, struct text name, struct text *value)
{
    struct text line, found;
    while (take_before(rest, TEXT("\r\n"), &line)) {
        if (!take_before(&line, TEXT(":"), &found) || !equals_ignoring_case(found, name))
            continue;
        *value = trimmed(line);
        return true;
    }
    return false;
}
