/* Allocation for objects whose absence the process cannot survive: memory that
 * is not there is logged and ends the process (clients come back to another
 * one; a relay that limps on would lose changes silently). Whatever a client
 * can make grow has a bound of its own and never gets this far. */
#ifndef PGHERALD_MEMORY_H
#define PGHERALD_MEMORY_H

#include <stddef.h>

void *memory_new(size_t size);  /* not cleared */
void *memory_zero(size_t size); /* cleared */
void *memory_resize(void *block, size_t size);
char *memory_copy_text(const char *text);          /* NULL gives NULL */
void *memory_copy(const void *bytes, size_t size); /* with a zero byte behind */

/* So many bytes could not be had (0: not known how many): the end. */
_Noreturn void memory_exhausted(size_t size);

/* From now on the same holds inside the libraries that take an allocator: jansson, libuv, libwebsockets and
 * OpenSSL. (libpq takes none; it reports what it lacks, and its connection is made anew.) Called first of
 * all. */
void memory_lend_to_libraries(void);

#endif
