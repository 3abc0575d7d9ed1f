/* SIGHUP: keys, the certificate and the values that may change are read again. */
#ifndef PGHERALD_RELOAD_H
#define PGHERALD_RELOAD_H

#include "config.h"
#include "jwt_keys.h"
#include "tls.h"

enum { RELOAD_WHY_SIZE = 1024 };

/* Whether a process that started now would find all it needs; why names what is wrong. */
bool reload_check(const struct config *config, char why[RELOAD_WHY_SIZE]);

/* All or nothing: what cannot be read or is wrong is logged (false), and everything stays as it was. Where *keys or *tls
 * is NULL they are checked, but not taken. */
bool reload(struct config *config, struct jwt_keys **keys, struct tls_pair **tls);

#endif
