/* The private PostgreSQL of `pgherald dev`: a cluster in HOME/data, reached only
 * through a socket in a folder nobody else can enter, never on the network and
 * never as root. In: a home folder. Out: connection strings. It lives as long
 * as dev does; its data stays for the next start. */
#ifndef PGHERALD_DEV_POSTGRES_H
#define PGHERALD_DEV_POSTGRES_H

#include "dev_process.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { DEV_CONNINFO_BYTES = 256, DEV_SOCKETS_BYTES = 108 };

struct dev_postgres {
    struct dev_process process;
    struct dev_user user;
    int major; /* of the server programs in bin */
    char bin[PATH_MAX];
    char home[PATH_MAX]; /* absolute */
    char data[PATH_MAX];
    char log[PATH_MAX];
    char sockets[DEV_SOCKETS_BYTES];
    bool sockets_temporary; /* home's own path is no good for a socket: removed at the end */
    bool fresh;             /* made by this start */
};

/* Makes home (unless it is there), chooses the user, and takes the lock that
 * keeps a second dev out of this home. postgres->home is the wished folder. */
bool dev_postgres_open_home(struct dev_postgres *postgres, char error[DEV_ERROR_BYTES]);

/* Finds the server's programs and makes the data, unless it is there. */
bool dev_postgres_prepare(struct dev_postgres *postgres, uint64_t deadline_ms, char error[DEV_ERROR_BYTES]);

/* Starts the server; returns when it takes connections. */
bool dev_postgres_start(struct dev_postgres *postgres, uint64_t deadline_ms, char error[DEV_ERROR_BYTES]);

/* Fast shutdown: open transactions roll back, nothing committed is lost. */
void dev_postgres_stop(struct dev_postgres *postgres);

void dev_postgres_conninfo(const struct dev_postgres *postgres, const char *role,
                           char out[DEV_CONNINFO_BYTES]);

/* The psql command of this database, to paste into a shell. */
void dev_postgres_psql(const struct dev_postgres *postgres, char out[PATH_MAX + DEV_CONNINFO_BYTES]);

/* Removes a folder and all in it. */
void dev_folder_remove(const char *folder);

#endif
