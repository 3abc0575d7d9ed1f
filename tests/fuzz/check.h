/* The assertions of Check that the fakes of tests/unit use, for fuzz targets: a failed one is a crash. */
#ifndef PGHERALD_FUZZ_CHECK_H
#define PGHERALD_FUZZ_CHECK_H

#include "fuzz.h"

#define ck_assert(condition) assert(condition)
#define ck_assert_msg(condition, ...) assert(condition)
#define ck_assert_ptr_null(pointer) assert(!(pointer))
#define ck_assert_ptr_nonnull(pointer) assert(pointer)
#define ck_assert_int_eq(a, b) assert((a) == (b))
#define ck_assert_int_ne(a, b) assert((a) != (b))
#define ck_assert_int_lt(a, b) assert((a) < (b))
#define ck_assert_int_gt(a, b) assert((a) > (b))
#define ck_assert_uint_eq(a, b) assert((a) == (b))
#define ck_assert_uint_le(a, b) assert((a) <= (b))
#define ck_assert_mem_eq(a, b, size) assert(memcmp((a), (b), (size)) == 0)

#endif
