/* Small texts: cursors, UUIDs, base64url and array literals. What is read is written the same again. */
#include "fuzz.h"

#include "base64url.h"
#include "cursor.h"
#include "pg_array.h"
#include "uuid.h"

static void check_cursor(const char *text, size_t size)
{
    struct cursor cursor, again;
    char out[CURSOR_TEXT_SIZE];
    if (!cursor_parse(text, size, &cursor))
        return;
    cursor_format(cursor, out);
    assert(cursor_parse(out, strlen(out), &again));
    assert(cursor.epoch == again.epoch && cursor.xmin == again.xmin);
    /* The same text, but for zeros before the number. */
    assert(memcmp(out, text, 9) == 0);
    size_t zeros = 0;
    while (9 + zeros + 1 < size && text[9 + zeros] == '0')
        zeros++;
    assert(strlen(out) == size - zeros && memcmp(out + 9, text + 9 + zeros, size - zeros - 9) == 0);
}

static void check_uuid(const char *text, size_t size)
{
    struct uuid uuid;
    char out[UUID_TEXT_SIZE];
    if (!uuid_parse(text, size, &uuid))
        return;
    uuid_format(&uuid, out);
    assert(size == UUID_TEXT_SIZE - 1);
    for (size_t i = 0; i < size; i++)
        assert(out[i] == (text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]));
}

/* Written again by the alphabet of RFC 4648 §5, bit by bit. */
static void check_base64url(const char *text, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char *bytes = malloc(BASE64URL_DECODED_BYTES(size));
    size_t count = 0;
    if (base64url_decode(text, size, bytes, &count)) {
        assert(size == (count * 8 + 5) / 6);
        for (size_t i = 0; i < size; i++) {
            unsigned value = 0;
            for (size_t bit = i * 6; bit < i * 6 + 6; bit++)
                value = value << 1 | (bit / 8 < count ? bytes[bit / 8] >> (7 - bit % 8) & 1U : 0U);
            assert(alphabet[value] == text[i]);
        }
    }
    free(bytes);
}

/* One element of an array literal as PostgreSQL reads it (§8.15.2); returns what is behind it. */
static const char *expect_element(const char *at, struct text element)
{
    assert(*at++ == '"');
    for (size_t i = 0; i < element.size; i++) {
        at += *at == '\\';
        assert(*at++ == element.bytes[i]);
    }
    assert(*at++ == '"');
    return at;
}

/* The text cut at commas. An element never has a zero byte: users' ids come from PostgreSQL. */
static void check_array(const char *text, size_t size)
{
    struct pg_array array = {0};
    struct text elements[64];
    size_t count = 0;
    if (memchr(text, '\0', size))
        return;
    while (size && count < 64) {
        const char *comma = memchr(text, ',', size);
        elements[count].bytes = text;
        elements[count].size = comma ? (size_t)(comma - text) : size;
        pg_array_add(&array, elements[count]);
        text += elements[count].size + (comma != NULL);
        size -= elements[count].size + (comma != NULL);
        count++;
    }
    const char *at = pg_array_end(&array);
    assert(*at++ == '{');
    for (size_t i = 0; i < count; i++) {
        assert(i == 0 || *at++ == ',');
        at = expect_element(at, elements[i]);
    }
    assert(strcmp(at, "}") == 0);
    pg_array_free(&array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_cursor((const char *)data, size);
    check_uuid((const char *)data, size);
    check_base64url((const char *)data, size);
    check_array((const char *)data, size);
    return 0;
}
