/* UUIDs as 16 bytes and as lower-case text (RFC 9562 §4). */
#ifndef PGHERALD_UUID_H
#define PGHERALD_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_TEXT_SIZE = 37 /* bytes, with the zero */ };

struct uuid {
    uint8_t bytes[16];
};

/* Reads exactly 36 characters, either case. Returns false and leaves *out alone when they are no UUID. */
bool uuid_parse(const char *text, size_t size, struct uuid *out);
void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_SIZE]);

#endif
