/* SIGHUP: keys, the certificate and the values that may change are read again. */
#ifndef PGHERALD_RELOAD_H
#define PGHERALD_RELOAD_H

#include "config.h"
#include "jwt_keys.h"
#include "tls.h"

/* All or nothing: what cannot be read or is wrong is logged (false), and everything stays as it was. Where *keys or *tls
 * is NULL they are checked, but not taken. */
bool reload(struct config *config, struct jwt_keys **keys, struct tls_pair **tls);

#endif
