/* Whether a relay answers at an address, as an operator's programs ask it. Blocking. */
#ifndef PGHERALD_HEALTH_H
#define PGHERALD_HEALTH_H

#include "listen_address.h"

enum health_question {
    HEALTH_ALIVE, /* GET /healthz */
    HEALTH_READY, /* GET /readyz */
};

/* Whether it says yes within some seconds. With tls whatever certificate it has is taken: this asks who is there, and
 * tells nobody a secret. proxy_header: the PROXY protocol's comes first. */
bool health_answers(const struct listen_address *address, enum health_question question, bool tls, bool proxy_header);

#endif
