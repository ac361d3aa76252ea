/* One HTTP/2 connection to an API server, which carries many requests at a time (RFC 9113). Private
 * to the back room. */
#ifndef EKSGATE_UPSTREAM_H2_H
#define EKSGATE_UPSTREAM_H2_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/back/dial.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/http/peer.h"

struct upstream_h2;

/* What a connection needs of its pool, and tells it. */
struct upstream_h2_pool {
	struct dial_target target;
	/* A connection in use that was silent so long is asked by PING, and is dead when it has not
	 * answered a while later; without a request it ends after idle_after. */
	struct duration ping_after, ping_timeout, idle_after;
	void (*on_connected)(void *arg);
	/* The API server speaks HTTP/1.1 only: what was lent fails as refused and may be sent
	 * again. on_dead follows. */
	void (*on_not_h2)(void *arg);
	/* Over; freed when the last request is released. */
	void (*on_dead)(void *arg, struct upstream_h2 *connection);
	void *arg;
};

/* Begins to connect; requests may be lent at once. `pool` is borrowed and outlives the connection.
 * `stream_window` is what one answer may have in flight, in bytes, and so what a paused one may
 * hold. */
struct upstream_h2 *upstream_h2_new(
    const struct upstream_h2_pool *pool, size_t stream_window) MUST_USE;
/* Neither draining nor near the peer's limit of concurrent streams. */
bool upstream_h2_has_room(const struct upstream_h2 *connection) MUST_USE;
/* It has not answered anything yet, so it is not one that went stale unnoticed. */
bool upstream_h2_is_new(const struct upstream_h2 *connection) MUST_USE;
size_t upstream_h2_requests(const struct upstream_h2 *connection) MUST_USE;
struct peer upstream_h2_lend(struct upstream_h2 *connection, const struct upstream_want *want,
    const struct peer_events *events, void *arg) MUST_USE;
/* Takes no more requests and ends with the last one; at once when there is none. */
void upstream_h2_drain(struct upstream_h2 *connection);

#endif
