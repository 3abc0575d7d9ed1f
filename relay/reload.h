/* SIGHUP: keys and the values that may change are read again. */
#ifndef PGHERALD_RELOAD_H
#define PGHERALD_RELOAD_H

#include "config.h"
#include "jwt_keys.h"

/* What cannot be read or is wrong is logged, and everything stays as it was. */
void reload(struct config *config, struct jwt_keys **keys);

#endif
