/* HTTP/1.1 and HTTP/2 as the load speaks them: requests out, answers in. */
#ifndef EKSGATE_TESTS_LOAD_HTTP_H
#define EKSGATE_TESTS_LOAD_HTTP_H

#include "common/attr.h"
#include "tests/bench/load.h"

/* After the handshake. */
void http_start(struct connection *c);
/* Puts a request into `c->out` or into the h2 session. */
void http_send(struct connection *c, struct request *request);
/* Moves what the h2 session has to say into `c->out`. */
void http_collect(struct connection *c);
/* False: what came cannot be understood. */
bool http_receive(struct connection *c, const char *data, size_t len) MUST_USE;
/* The request is over; `is_good` false counts it as failed. */
void http_finish(struct connection *c, struct request *request, bool is_good);

#endif
