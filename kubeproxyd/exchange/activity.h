/* When something last happened in an exchange: a byte of a body, or in a tunnel data of its
 * protocol. Pings, which clients send by themselves, are nothing. */
#ifndef EKSGATE_ACTIVITY_H
#define EKSGATE_ACTIVITY_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/record/websocket.h"

struct spdy_reader;

enum activity_side { ACTIVITY_OF_CLIENT, ACTIVITY_OF_SERVER, ACTIVITY_SIDES };

/* A plain value inside the exchange, which stays where it is. */
struct activity {
	struct mono last;
	struct websocket_reader websockets[ACTIVITY_SIDES]; /* with a function when it is one */
	struct spdy_reader *spdy[ACTIVITY_SIDES]; /* NULL: it is not SPDY */
};

/* `protocol` is what the tunnel was switched to; NULL: no tunnel. */
void activity_start(struct activity *activity, const char *protocol);
void activity_feed(
    struct activity *activity, enum activity_side side, const uint8_t *data, size_t len);
void activity_free(struct activity *activity);

#endif
