/* Files that travel inside the binary; cmake/embed.cmake makes the arrays.
 * An entry whose name is NULL ends each array; the bytes live for ever. */
#ifndef PGHERALD_EMBEDDED_H
#define PGHERALD_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* file name without a folder */
    const unsigned char *data;
    size_t size; /* bytes; data has one zero byte more */
};

extern const struct embedded_file embedded_migrations[]; /* in file name order */
extern const struct embedded_file embedded_demo[];       /* the demo page */

#endif
