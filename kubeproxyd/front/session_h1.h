/* HTTP/1.1 with a client: one request after the other, answers in order. */
#ifndef EKSGATE_SESSION_H1_H
#define EKSGATE_SESSION_H1_H

#include "kubeproxyd/front/session.h"

extern const struct session_protocol session_h1;

#endif
