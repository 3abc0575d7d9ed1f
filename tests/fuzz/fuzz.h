/* What the fuzz targets share. A target gets bytes, gives them to the code, and asserts what must hold of
 * whatever comes out; a failed assertion is a finding like a sanitizer's report. */
#ifndef PGHERALD_FUZZ_H
#define PGHERALD_FUZZ_H

#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of an input, read from the front; behind the end there are zeros. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t input_byte(struct input *input)
{
    if (!input->left)
        return 0;
    input->left--;
    return *input->at++;
}

/* At most so many bytes; *size says how many there were. */
static inline const char *input_bytes(struct input *input, size_t wanted, size_t *size)
{
    const char *bytes = (const char *)input->at;
    *size = wanted < input->left ? wanted : input->left;
    input->at += *size;
    input->left -= *size;
    return bytes;
}

/* A copy with a zero byte behind and nothing else, so that a sanitizer sees what is read there. */
static inline char *zero_terminated(const void *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    assert(copy);
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

/* A text that people are to read: one line, not empty. */
static inline void assert_one_line(const char *text)
{
    assert(*text);
    for (; *text; text++)
        assert((unsigned char)*text >= ' ' && *text != 0x7f);
}

#endif
