/* The clusters that are known, in memory: by ARN and by name, each with the scopes that want it. A
 * plain container; the registry owns the one that mirrors what is committed. */
#ifndef EKSGATE_CLUSTER_SET_H
#define EKSGATE_CLUSTER_SET_H

#include <bsd/sys/tree.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/kube_cluster.h"
#include "common/mono.h"

/* One scope's wish to have a cluster. A cluster stays while one claim is left. */
struct claim {
	char *scope; /* the scope's id */
	unsigned absences; /* complete listings in a row that lacked it */
};

struct claim_entry;
struct cluster_item {
	struct kube_cluster *cluster;
	struct claim *claims;
	size_t claim_count;
	struct unix_time orphaned_since; /* 0: some configured scope covers it */
	RB_ENTRY(cluster_item) by_arn, by_name;
	struct claim_entry *entries; /* the set's index of its claims; NULL outside a set */
};

/* The cluster becomes the item's. */
struct cluster_item *cluster_item_new(struct kube_cluster *cluster) MUST_USE;
struct cluster_item *cluster_item_copy(const struct cluster_item *item) MUST_USE;
void cluster_item_free(struct cluster_item **item);
const struct claim *cluster_item_claim(const struct cluster_item *item, const char *scope);
/* Adds the claim, or resets its absences. */
void cluster_item_add_claim(struct cluster_item *item, const char *scope, unsigned absences);
void cluster_item_remove_claim(struct cluster_item *item, const char *scope);

struct cluster_set;

struct cluster_set *cluster_set_new(void) MUST_USE;
void cluster_set_free(struct cluster_set **set);
size_t cluster_set_count(const struct cluster_set *set);
const struct cluster_item *cluster_set_find_arn(const struct cluster_set *set, const char *arn);
const struct cluster_item *cluster_set_find_name(const struct cluster_set *set, const char *name);
/* In order of ARN; NULL starts, NULL ends. */
const struct cluster_item *cluster_set_next(
    const struct cluster_set *set, const struct cluster_item *item);
/* In order of ARN, those that `scope` claims. */
const struct cluster_item *cluster_set_next_of(
    const struct cluster_set *set, const char *scope, const struct cluster_item *item);
/* The item becomes the set's and replaces the one of the same ARN. Its name must be free or that
 * ARN's. */
void cluster_set_put(struct cluster_set *set, struct cluster_item *item);
void cluster_set_remove(struct cluster_set *set, const char *arn);

#endif
