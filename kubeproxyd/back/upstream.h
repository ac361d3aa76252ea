/* The connections to API servers: a pool per cluster that hands out one peer per request. */
#ifndef EKSGATE_UPSTREAM_H
#define EKSGATE_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/http/peer.h"

/* How long a connection without a request is kept. */
#define UPSTREAM_IDLE_SECONDS 60

struct cluster;
struct holdings;
struct loop;
struct metrics;
struct settings;
struct upstream;
struct upstreams;

/* What all pools share. Outlives every pool. */
struct upstreams *upstreams_new(
    struct loop *loop, struct metrics *metrics, const struct settings *settings) MUST_USE;
void upstreams_free(struct upstreams **upstreams);
void upstreams_set_settings(struct upstreams *upstreams, const struct settings *settings);

struct upstream_want {
	bool is_upgrade; /* a connection of its own, HTTP/1.1, never pooled */
	bool is_alone; /* the same, for a request whose credential no pool may keep */
	bool is_long_running; /* kept off the connections of short requests */
	bool must_be_fresh; /* the pooled one was stale */
	struct holdings *holdings; /* of answers, or NULL; outlives the request */
	struct duration
	    response_timeout; /* from the end of the request to the head of the answer; 0: none */
};

/* A place for one request at the prepared cluster's API server; the head may be sent at once. Never
 * fails: what goes wrong arrives by on_failed. */
struct peer upstream_open(struct upstreams *upstreams, struct cluster *cluster,
    const struct upstream_want *want, const struct peer_events *events, void *arg) MUST_USE;
/* Closes idle connections now and busy ones as they are released, then frees itself. *upstream
 * becomes NULL. */
void upstream_retire(struct upstream **upstream);

#endif
