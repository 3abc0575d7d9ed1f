/* Lists of the HTTP API. Each counts its user's rows, of which there may be millions: so they have a connection of
 * their own, one statement at a time, and the user whose last list was asked longest ago goes first. Whoever has
 * many rows makes nobody wait but those who ask for lists, and those for one statement. */
#ifndef PGHERALD_LISTS_H
#define PGHERALD_LISTS_H

#include <stdbool.h>
#include <stdint.h>

struct api_request;
struct relay;

struct lists {
    struct api_request *waiting; /* utlist, oldest first */
    bool asking;
    uint64_t asked; /* so many; each user knows the number of its last one */
};

/* The request's user is known. api_answered() gets the answer. */
void lists_want(struct api_request *request);
void lists_forget(struct api_request *request); /* it is closed */
/* Once a second: those that have waited as long as a query waits for the database are refused. */
void lists_tick(struct relay *relay);

#endif
