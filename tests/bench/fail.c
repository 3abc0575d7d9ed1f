#include "fail.h"

#include <stdio.h>
#include <stdlib.h>

void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}
