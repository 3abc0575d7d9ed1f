/* Whether counting along is worth it; see feed_counting.h. */
#include "feed_counting.h"

int counting_rows(const struct feed_counting *counting)
{
    return counting->useless < COUNTING_MEMORY / 2 ? COUNTING_ROWS : COUNTING_ROWS_TRY;
}

void counting_was(struct feed_counting *counting, bool of_use)
{
    if (of_use && counting->useless > 0)
        counting->useless--;
    else if (!of_use && counting->useless < COUNTING_MEMORY)
        counting->useless++;
}
