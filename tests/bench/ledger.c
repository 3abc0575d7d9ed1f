#include "ledger.h"

#include <stdlib.h>

#include "fail.h"
#include "figure.h"

void ledger_start(struct ledger *ledger, unsigned connections, uint64_t rows_each)
{
    *ledger = (struct ledger){.connections = connections, .rows_each = rows_each};
    ledger->bits = calloc((connections * rows_each + 7) / 8, 1);
    if (!ledger->bits)
        fail("ledger", "no memory");
}

bool ledger_enter(struct ledger *ledger, unsigned connection, uint64_t nth)
{
    if (nth >= ledger->rows_each) {
        ledger->misrouted++;
        return false;
    }
    uint64_t at = connection * ledger->rows_each + nth;
    uint8_t bit = (uint8_t)(1u << (at % 8));
    if (ledger->bits[at / 8] & bit) {
        ledger->duplicate++;
        return false;
    }
    ledger->bits[at / 8] |= bit;
    ledger->delivered++;
    return true;
}

void ledger_misrouted(struct ledger *ledger)
{
    ledger->misrouted++;
}

void ledger_print(const struct ledger *ledger, uint64_t expected)
{
    figure_number("deliveries", (double)ledger->delivered, 0);
    figure_number("lost", (double)(expected - ledger->delivered), 0);
    figure_number("duplicate", (double)ledger->duplicate, 0);
    figure_number("misrouted", (double)ledger->misrouted, 0);
}

void ledger_free(struct ledger *ledger)
{
    free(ledger->bits);
    *ledger = (struct ledger){0};
}
