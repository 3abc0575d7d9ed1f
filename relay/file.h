/* Small files whole: keys and configuration. */
#ifndef PGHERALD_FILE_H
#define PGHERALD_FILE_H

#include <stddef.h>

/* The bytes of a file, the caller's to free, with a zero byte behind them; *size does not count it.
 * NULL: errno says why, EFBIG for more than max_bytes. */
char *file_read_all(const char *path, size_t max_bytes, size_t *size);

#endif
