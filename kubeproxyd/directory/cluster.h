/* The clusters as the request path uses them: one object per served kube_cluster, made lazily of an
 * identity check, a certificate store and a token source. Identity is ARN and creation time: a
 * re-created cluster is another object. */
#ifndef EKSGATE_CLUSTER_H
#define EKSGATE_CLUSTER_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/kube_cluster.h"
#include "kubeproxyd/directory/token.h"

struct aws_context;
struct cluster_probe;
struct directory;
struct settings;
struct tls_store;
struct upstream;
struct clusters;

struct cluster {
	RB_ENTRY(cluster) entry;
	struct kube_cluster *resource; /* the newest version */
	struct upstream *upstream; /* the back room's connections; NULL until needed */
	/* Valid after cluster_prepare(). */
	char host[254];
	uint16_t port;
	char authority[264]; /* "host" or "host:port", for Host */
	struct tls_store *store;
	struct token_source *tokens;
	struct aws_provider *provider;
	char *last_error; /* of the last request that failed on the way to the API server, NULL when
			     none did */
	struct unix_time last_error_at;
	size_t in_flight; /* requests under way, counted by the exchange room */
	struct cluster_probe *probe; /* what the probe room knows; NULL: nothing yet */
};

enum cluster_event {
	CLUSTER_CHANGED, /* its labels or anything else: roles may judge it otherwise now */
	CLUSTER_MOVED, /* endpoint or CA changed: no new request on the old connections */
	CLUSTER_GONE, /* removed, re-created, or served with another identity: freed after the call
		       */
};
typedef void cluster_fn(void *arg, enum cluster_event event, struct cluster *cluster);

/* Observes the directory from here on. Everything is borrowed. */
struct clusters *clusters_new(struct directory *directory, struct aws_context *aws,
    const struct settings *settings, cluster_fn *fn, void *arg) MUST_USE;
void clusters_free(struct clusters **clusters);
/* After SIGHUP, after directory_set_settings(): clusters whose serving identity is another now are
 * GONE and come anew. */
void clusters_set_settings(struct clusters *clusters, const struct settings *settings);
struct cluster *clusters_find(struct clusters *clusters, const char *name);
/* In order of their names; NULL `after` begins. */
struct cluster *clusters_next(struct clusters *clusters, const struct cluster *after);

/* Endpoint against ARN, CA bundle, serving identity: before any token is minted. Cheap when done
 * before. False: *error says which and why (free()). */
bool cluster_prepare(struct clusters *clusters, struct cluster *cluster, char **error) MUST_USE;
/* Gives up what cluster_prepare() made, tokens apart; nothing may be in flight, and `upstream` must
 * be retired. */
void cluster_rest(struct cluster *cluster);
/* The configured role that is assumed to serve it; NULL: the own identity serves. Borrowed. */
const char *clusters_serving_role(const struct clusters *clusters, const struct cluster *cluster);
/* NULL clears. */
void cluster_note_error(struct cluster *cluster, const char *error);

#endif
