/* A TLS connection of the load: opened, fed from the loop, written, closed. */
#ifndef EKSGATE_TESTS_LOAD_CONNECTION_H
#define EKSGATE_TESTS_LOAD_CONNECTION_H

#include "common/attr.h"
#include "tests/bench/load.h"

/* Connects and begins the handshake; ends the process when nobody listens. */
void connection_open(struct connection *c);
/* Does what an event allows: handshake, reading, writing. False: the connection was lost; close it.
 */
bool connection_work(struct connection *c) MUST_USE;
/* Sends a request, due at `due_ns`, in a free slot; call connection_flush() after the last. */
void connection_request(struct connection *c, int64_t due_ns);
void connection_flush(struct connection *c);
/* Requests in flight count as failed. */
void connection_close(struct connection *c);

#endif
