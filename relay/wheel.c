/* The timing wheel; see wheel.h. Pure. */
#include "wheel.h"

#include <stddef.h>
#include <utlist.h>

void wheel_start(struct wheel *wheel, uint64_t now_s)
{
    *wheel = (struct wheel){.now_s = now_s};
}

void wheel_remove(struct wheel *wheel, struct wheel_entry *entry)
{
    if (!entry->prev)
        return;
    DL_DELETE(wheel->slots[entry->slot], entry);
    entry->prev = entry->next = NULL;
}

void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due_s)
{
    wheel_remove(wheel, entry);
    if (due_s <= wheel->now_s)
        due_s = wheel->now_s + 1;
    if (due_s >= wheel->now_s + WHEEL_SLOTS)
        due_s = wheel->now_s + WHEEL_SLOTS - 1;
    entry->slot = (uint8_t)(due_s % WHEEL_SLOTS);
    DL_APPEND(wheel->slots[entry->slot], entry);
}

struct wheel_entry *wheel_take(struct wheel *wheel, uint64_t now_s)
{
    /* After a long pause one full turn finds everything there is. */
    if (now_s > wheel->now_s + WHEEL_SLOTS)
        wheel->now_s = now_s - WHEEL_SLOTS;
    while (wheel->now_s < now_s) {
        struct wheel_entry *entry = wheel->slots[(wheel->now_s + 1) % WHEEL_SLOTS];
        if (entry) {
            wheel_remove(wheel, entry);
            return entry;
        }
        wheel->now_s++;
    }
    return NULL;
}
