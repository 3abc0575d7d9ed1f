/* uthash, with memory that is there or ends the process; its own way out is exit() without a word. */
#ifndef PGHERALD_HASH_H
#define PGHERALD_HASH_H

#include "memory.h"

#define uthash_malloc(size) memory_new(size)

#include <uthash.h>

#endif
