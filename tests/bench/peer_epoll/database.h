/* PostgreSQL, asynchronously: one connection that LISTENs, one that writes reads back, all of a turn in one UPDATE. */
#ifndef PEER_DATABASE_H
#define PEER_DATABASE_H

#include <stddef.h>

enum { ID_BYTES = 37 };

/* Connects, and watches both with epoll; &database_listener and &database_writer are their data. */
void database_start(const char *conninfo, int epoll_fd);
extern const char database_listener, database_writer;
/* One of them is readable. Tells tabs what came. */
void database_hear(void);
void database_take(void);
/* Remembers a read; database_send writes all that are remembered, if none are under way. */
void database_mark(const char *user, const char *id, size_t id_size);
void database_send(void);

#endif
