/* One HTTP/1.1 connection to an API server, which carries one request at a time. Private to the
 * back room. */
#ifndef EKSGATE_UPSTREAM_H1_H
#define EKSGATE_UPSTREAM_H1_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/back/dial.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/http/h1_reader.h"

struct upstream_h1;

/* What a connection needs of its pool, and tells it. */
struct upstream_h1_pool {
	struct dial_target target;
	struct h1_limits limits;
	void (*on_connected)(void *arg);
	/* Released in good order: may carry another request. */
	void (*on_idle)(void *arg, struct upstream_h1 *connection);
	/* Over, idle or not; freed at the end of the turn. */
	void (*on_dead)(void *arg, struct upstream_h1 *connection);
	void *arg;
};

/* Begins to connect. `pool` is borrowed and outlives the connection. */
struct upstream_h1 *upstream_h1_new(const struct upstream_h1_pool *pool) MUST_USE;
/* Lends it, new or idle, to one request. */
struct peer upstream_h1_lend(struct upstream_h1 *connection, const struct upstream_want *want,
    const struct peer_events *events, void *arg) MUST_USE;
/* Ends an idle connection; on_dead is called. */
void upstream_h1_close(struct upstream_h1 *connection);

#endif
