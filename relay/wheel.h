/* A timing wheel of one-second slots: every session has exactly one next
 * deadline (handshake, heartbeat, token expiry, close), set in O(1). A deadline
 * beyond the wheel comes up early; its owner looks and sets it again. */
#ifndef PGHERALD_WHEEL_H
#define PGHERALD_WHEEL_H

#include <stdint.h>

enum { WHEEL_SLOTS = 64 /* seconds */ };

struct wheel_entry {
    struct wheel_entry *prev, *next; /* utlist; both NULL while not on the wheel */
    uint8_t slot;
};

struct wheel {
    struct wheel_entry *slots[WHEEL_SLOTS];
    uint64_t now_s; /* all slots up to here have been taken */
};

void wheel_start(struct wheel *wheel, uint64_t now_s);
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, uint64_t due_s);
void wheel_remove(struct wheel *wheel, struct wheel_entry *entry);
/* Takes one entry that is due at now_s off the wheel; NULL when there is none left. */
struct wheel_entry *wheel_take(struct wheel *wheel, uint64_t now_s);

#endif
