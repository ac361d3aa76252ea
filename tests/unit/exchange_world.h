/* Made-up neighbours of an exchange: directory, clusters, tokens, identity, policy, and the two
 * peers that record what they are told. */
#ifndef EKSGATE_EXCHANGE_WORLD_H
#define EKSGATE_EXCHANGE_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/kube_cluster.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/http/peer.h"
#include "kubeproxyd/policy/options.h"

#define UPSTREAMS 8

/* What the neighbours do, and what became of them. */
struct exchange_world {
	struct directory_status directory;
	struct kube_cluster resource;
	struct cluster cluster;
	const char *renamed;
	const char *unpreparable;
	struct identity identity;
	const char *identity_error;
	unsigned own_status; /* requests are for the proxy's own API, and answered so; 0: none is */
	const struct locks *locks;
	struct role_options options;
	bool is_denied;
	bool needs_name; /* and only "mine" is allowed */
	const char *shown; /* only names that begin so are: the answer is filtered. NULL: all */
	const char *token, *token_error;
	bool is_token_late; /* tokens come by exchange_world_give_token() */
	unsigned token_drops, refreshes;
	unsigned cluster_errors;
};

struct side {
	struct http_head head;
	struct buf body;
	bool has_head, is_ended, is_released, is_paused, is_full;
	struct upstream_want want;
	const struct peer_events *events;
	void *arg;
};

extern struct exchange_world world;
extern struct side upstreams[UPSTREAMS];
extern size_t upstream_count;
extern const struct peer_verbs side_verbs;

/* One cluster "prod", one user "alice" who may do everything. */
void exchange_world_reset(void);
void exchange_world_give_token(void);
/* Forgets what the side was told. */
void side_clear(struct side *side);

#endif
