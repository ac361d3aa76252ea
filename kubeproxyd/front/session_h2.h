/* HTTP/2 with a client: many exchanges at a time on one connection. */
#ifndef EKSGATE_SESSION_H2_H
#define EKSGATE_SESSION_H2_H

#include "kubeproxyd/front/session.h"

extern const struct session_protocol session_h2;

#endif
