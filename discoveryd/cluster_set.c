/* The set of clusters as trees over the same items, keyed by what the items hold themselves: ARN,
 * name, and scope and ARN of each claim. */
#include "discoveryd/cluster_set.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

RB_HEAD(arn_tree, cluster_item);
RB_HEAD(name_tree, cluster_item);
RB_HEAD(claim_tree, claim_entry);

/* One claim of an item of the set. */
struct claim_entry {
	const char *scope; /* the claim's */
	struct cluster_item *item;
	RB_ENTRY(claim_entry) entry;
};

struct cluster_set {
	struct arn_tree by_arn;
	struct name_tree by_name;
	struct claim_tree by_claim;
	size_t count;
};

static int compare_arn(const struct cluster_item *a, const struct cluster_item *b)
{
	return strcmp(a->cluster->aws.arn, b->cluster->aws.arn);
}

static int compare_name(const struct cluster_item *a, const struct cluster_item *b)
{
	return strcmp(a->cluster->name, b->cluster->name);
}

static int compare_key(const char *scope, const char *arn, const struct claim_entry *entry)
{
	int order = strcmp(scope, entry->scope);
	return order != 0 ? order : strcmp(arn, entry->item->cluster->aws.arn);
}

static int compare_claim(const struct claim_entry *a, const struct claim_entry *b)
{
	return compare_key(a->scope, a->item->cluster->aws.arn, b);
}

RB_PROTOTYPE(arn_tree, cluster_item, by_arn, compare_arn);
RB_PROTOTYPE(name_tree, cluster_item, by_name, compare_name);
RB_PROTOTYPE(claim_tree, claim_entry, entry, compare_claim);
RB_GENERATE(arn_tree, cluster_item, by_arn, compare_arn);
RB_GENERATE(name_tree, cluster_item, by_name, compare_name);
RB_GENERATE(claim_tree, claim_entry, entry, compare_claim);

/* --- items ------------------------------------------------------------------------------------ */

struct cluster_item *cluster_item_new(struct kube_cluster *cluster)
{
	struct cluster_item *item = xcalloc(1, sizeof *item);
	item->cluster = cluster;
	return item;
}

struct cluster_item *cluster_item_copy(const struct cluster_item *item)
{
	struct cluster_item *copy = cluster_item_new(kube_cluster_copy(item->cluster));
	copy->orphaned_since = item->orphaned_since;
	for (size_t i = 0; i < item->claim_count; i++)
		cluster_item_add_claim(copy, item->claims[i].scope, item->claims[i].absences);
	return copy;
}

void cluster_item_free(struct cluster_item **item)
{
	if (*item == NULL)
		return;
	for (size_t i = 0; i < (*item)->claim_count; i++)
		free((*item)->claims[i].scope);
	free((*item)->claims);
	kube_cluster_free(&(*item)->cluster);
	xfree(item);
}

static size_t find_claim(const struct cluster_item *item, const char *scope)
{
	size_t i = 0;
	while (i < item->claim_count && strcmp(item->claims[i].scope, scope) != 0)
		i++;
	return i;
}

const struct claim *cluster_item_claim(const struct cluster_item *item, const char *scope)
{
	size_t at = find_claim(item, scope);
	return at < item->claim_count ? &item->claims[at] : NULL;
}

void cluster_item_add_claim(struct cluster_item *item, const char *scope, unsigned absences)
{
	size_t at = find_claim(item, scope);
	if (at == item->claim_count) {
		item->claims =
		    xreallocarray(item->claims, ++item->claim_count, sizeof *item->claims);
		item->claims[at].scope = xstrdup(scope);
	}
	item->claims[at].absences = absences;
}

void cluster_item_remove_claim(struct cluster_item *item, const char *scope)
{
	size_t at = find_claim(item, scope);
	if (at == item->claim_count)
		return;
	free(item->claims[at].scope);
	item->claims[at] = item->claims[--item->claim_count];
}

/* --- the set ---------------------------------------------------------------------------------- */

struct cluster_set *cluster_set_new(void)
{
	struct cluster_set *set = xcalloc(1, sizeof *set);
	RB_INIT(&set->by_arn);
	RB_INIT(&set->by_name);
	RB_INIT(&set->by_claim);
	return set;
}

static void index_claims(struct cluster_set *set, struct cluster_item *item)
{
	item->entries = xcalloc(item->claim_count + 1, sizeof *item->entries);
	for (size_t i = 0; i < item->claim_count; i++) {
		item->entries[i] =
		    (struct claim_entry){.scope = item->claims[i].scope, .item = item};
		RB_INSERT(claim_tree, &set->by_claim, &item->entries[i]);
	}
}

static void unindex_claims(struct cluster_set *set, struct cluster_item *item)
{
	for (size_t i = 0; i < item->claim_count; i++)
		RB_REMOVE(claim_tree, &set->by_claim, &item->entries[i]);
	xfree(&item->entries);
}

static void drop(struct cluster_set *set, struct cluster_item *item)
{
	RB_REMOVE(arn_tree, &set->by_arn, item);
	RB_REMOVE(name_tree, &set->by_name, item);
	unindex_claims(set, item);
	set->count--;
	cluster_item_free(&item);
}

void cluster_set_free(struct cluster_set **set)
{
	if (*set == NULL)
		return;
	while (!RB_EMPTY(&(*set)->by_arn))
		drop(*set, RB_ROOT(&(*set)->by_arn));
	xfree(set);
}

size_t cluster_set_count(const struct cluster_set *set)
{
	return set->count;
}

/* Walks by hand: the tree macros want an item as key, and know no const. */
static struct cluster_item *find_arn(const struct cluster_set *set, const char *arn)
{
	struct cluster_item *item = RB_ROOT(&set->by_arn);
	while (item != NULL) {
		int order = strcmp(arn, item->cluster->aws.arn);
		if (order == 0)
			return item;
		item = order < 0 ? RB_LEFT(item, by_arn) : RB_RIGHT(item, by_arn);
	}
	return NULL;
}

const struct cluster_item *cluster_set_find_arn(const struct cluster_set *set, const char *arn)
{
	return find_arn(set, arn);
}

const struct cluster_item *cluster_set_find_name(const struct cluster_set *set, const char *name)
{
	const struct cluster_item *item = RB_ROOT(&set->by_name);
	while (item != NULL) {
		int order = strcmp(name, item->cluster->name);
		if (order == 0)
			return item;
		item = order < 0 ? RB_LEFT(item, by_name) : RB_RIGHT(item, by_name);
	}
	return NULL;
}

/* The first item whose ARN is greater than that of `item`. */
const struct cluster_item *cluster_set_next(
    const struct cluster_set *set, const struct cluster_item *item)
{
	const struct cluster_item *next = NULL, *at = RB_ROOT(&set->by_arn);
	while (at != NULL) {
		bool is_greater = item == NULL || compare_arn(item, at) < 0;
		if (is_greater)
			next = at;
		at = is_greater ? RB_LEFT(at, by_arn) : RB_RIGHT(at, by_arn);
	}
	return next;
}

const struct cluster_item *cluster_set_next_of(
    const struct cluster_set *set, const char *scope, const struct cluster_item *item)
{
	const struct claim_entry *next = NULL, *at = RB_ROOT(&set->by_claim);
	const char *arn = item != NULL ? item->cluster->aws.arn : "";
	while (at != NULL) {
		bool is_greater = compare_key(scope, arn, at) < 0;
		if (is_greater)
			next = at;
		at = is_greater ? RB_LEFT(at, entry) : RB_RIGHT(at, entry);
	}
	return next != NULL && strcmp(next->scope, scope) == 0 ? next->item : NULL;
}

void cluster_set_put(struct cluster_set *set, struct cluster_item *item)
{
	cluster_set_remove(set, item->cluster->aws.arn);
	struct cluster_item *same_arn = RB_INSERT(arn_tree, &set->by_arn, item);
	struct cluster_item *same_name = RB_INSERT(name_tree, &set->by_name, item);
	/* Two clusters of one name would make the name's holder a matter of chance. */
	if (same_arn != NULL || same_name != NULL)
		abort();
	index_claims(set, item);
	set->count++;
}

void cluster_set_remove(struct cluster_set *set, const char *arn)
{
	struct cluster_item *item = find_arn(set, arn);
	if (item != NULL)
		drop(set, item);
}
