/* A path in, its bytes out. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "memory.h"

/* Returns the bytes read, limit or fewer, or -1. */
static ssize_t read_up_to(int fd, char *buffer, size_t limit)
{
    size_t have = 0;
    while (have < limit) {
        ssize_t got = read(fd, buffer + have, limit - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

char *file_read_all(const char *path, size_t max_bytes, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *bytes = memory_new(max_bytes + 1);
    ssize_t got = read_up_to(fd, bytes, max_bytes + 1); /* one more tells a larger file */
    int failure = got < 0 ? errno : EFBIG;
    close(fd);
    if (got < 0 || (size_t)got > max_bytes) {
        free(bytes);
        errno = failure;
        return NULL;
    }
    *size = (size_t)got;
    bytes[got] = '\0';
    return bytes;
}
