/* Whether a relay answers at an address: GET /healthz, as an operator's programs ask it. Blocking. */
#ifndef PGHERALD_HEALTH_H
#define PGHERALD_HEALTH_H

#include "listen_address.h"

/* As far as that tells within some seconds. With tls whatever certificate it has is taken: this asks who is there, and
 * tells nobody a secret. proxy_header: the PROXY protocol's comes first. */
bool health_answers(const struct listen_address *address, bool tls, bool proxy_header);

#endif
