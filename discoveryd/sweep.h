/* One pass over one scope: ListClusters and the tagging API's view (all pages of both) side by
 * side, then DescribeCluster of every name that is not known well enough, in parallel. Knows
 * nothing of what is stored: it reports what AWS said and where AWS said nothing.
 */
#ifndef EKSGATE_SWEEP_H
#define EKSGATE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/mono.h"
#include "discoveryd/aws_eks.h"
#include "discoveryd/look_set.h"

struct loop;
struct sweep;
struct discovery_metrics;
struct tagged_cluster;

enum sighting_kind {
	SIGHTING_FOUND, /* `cluster` holds what DescribeCluster told */
	SIGHTING_GONE, /* DescribeCluster: ResourceNotFound */
	SIGHTING_FAILED, /* `error` says why nothing is known */
	/* Listed, and not described: `cluster` is what recall() gave. No evidence of anything but
	 * that it exists. */
	SIGHTING_KNOWN,
};

struct sighting {
	enum sighting_kind kind;
	char *name; /* what EKS calls it */
	struct eks_cluster *cluster;
	char tags[LOOK_DIGEST]; /* look_digest() of the tagging API's view; "" without one */
	struct aws_error error;
};

struct sweep_result {
	bool is_listed; /* every page arrived */
	bool is_settled; /* and every describe was answered: what is absent is absent */
	struct sighting *sightings; /* sorted by name, names unique */
	size_t count;
	size_t failures; /* sightings of kind FAILED */
	struct aws_error error; /* the first failure; outcome AWS_OK when there was none */
	unsigned lists, tag_pages, describes; /* calls by operation */
	unsigned throttles;
	bool has_tags; /* the tagging API's view is whole and was used */
	struct aws_error tags_error; /* why it was not; outcome AWS_OK when it was not asked */
	struct duration took;
};

struct sweep_options {
	struct aws_context *aws;
	struct aws_provider *provider;
	const char *region;
	const char *account_id; /* whose clusters they must be; NULL when not known */
	size_t parallel; /* describes under way at a time */
	const char *treatment; /* goes into the digest of a sighting's tags; may be NULL */
	struct discovery_metrics *metrics;
	/* What is known of a listed cluster, when it is known well enough not to be described:
	 * name, ARN, status, tags (becomes the sweep's). NULL: describe it. `tagged` is NULL when
	 * the tagging API does not know it. Only asked when that API's view is whole; without this
	 * function that API is not asked. */
	struct eks_cluster *(*recall)(
	    void *arg, const char *name, const struct tagged_cluster *tagged);
	/* Told once, when the listing is complete and describing begins. NULL: nobody cares. */
	void (*on_listed)(void *arg);
};

/* `result` is valid during the call; the sweep is dead afterwards. */
typedef void sweep_fn(void *arg, const struct sweep_result *result);

/* Calls fn once, never before this returned. */
struct sweep *sweep_start(
    struct loop *loop, const struct sweep_options *options, sweep_fn *fn, void *arg);
/* The same for one name, without a listing: is_listed stays false. */
struct sweep *sweep_start_one(struct loop *loop, const struct sweep_options *options,
    const char *name, sweep_fn *fn, void *arg);
/* Ends it without its callback. */
void sweep_cancel(struct sweep **sweep);

#endif
