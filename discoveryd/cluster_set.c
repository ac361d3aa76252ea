/* The set of clusters as two trees over the same items, keyed by what the items hold themselves. */
#include "discoveryd/cluster_set.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

RB_HEAD(arn_tree, cluster_item);
RB_HEAD(name_tree, cluster_item);

struct cluster_set {
	struct arn_tree by_arn;
	struct name_tree by_name;
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

RB_GENERATE_INTERNAL(
    arn_tree, cluster_item, by_arn, compare_arn, __attribute__((__unused__)) static)
RB_GENERATE_INTERNAL(
    name_tree, cluster_item, by_name, compare_name, __attribute__((__unused__)) static)

/* --- items
 * ----------------------------------------------------------------------------------------------------------
 */

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

/* --- the set
 * --------------------------------------------------------------------------------------------------------
 */

struct cluster_set *cluster_set_new(void)
{
	struct cluster_set *set = xcalloc(1, sizeof *set);
	RB_INIT(&set->by_arn);
	RB_INIT(&set->by_name);
	return set;
}

static void drop(struct cluster_set *set, struct cluster_item *item)
{
	RB_REMOVE(arn_tree, &set->by_arn, item);
	RB_REMOVE(name_tree, &set->by_name, item);
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

/* The tree macros know no const; looking up changes nothing. */
#define WRITABLE(type, pointer) ((type *)(uintptr_t)(pointer))

static struct cluster_item *find_arn(const struct cluster_set *set, const char *arn)
{
	struct kube_cluster cluster = {.aws.arn = WRITABLE(char, arn)};
	struct cluster_item key = {.cluster = &cluster};
	return RB_FIND(arn_tree, WRITABLE(struct arn_tree, &set->by_arn), &key);
}

const struct cluster_item *cluster_set_find_arn(const struct cluster_set *set, const char *arn)
{
	return find_arn(set, arn);
}

const struct cluster_item *cluster_set_find_name(const struct cluster_set *set, const char *name)
{
	struct kube_cluster cluster = {.name = WRITABLE(char, name)};
	struct cluster_item key = {.cluster = &cluster};
	return RB_FIND(name_tree, WRITABLE(struct name_tree, &set->by_name), &key);
}

const struct cluster_item *cluster_set_next(
    const struct cluster_set *set, const struct cluster_item *item)
{
	if (item == NULL)
		return RB_MIN(arn_tree, WRITABLE(struct arn_tree, &set->by_arn));
	return RB_NEXT(arn_tree, &set->by_arn, WRITABLE(struct cluster_item, item));
}

void cluster_set_put(struct cluster_set *set, struct cluster_item *item)
{
	cluster_set_remove(set, item->cluster->aws.arn);
	struct cluster_item *same_arn = RB_INSERT(arn_tree, &set->by_arn, item);
	struct cluster_item *same_name = RB_INSERT(name_tree, &set->by_name, item);
	/* Two clusters of one name would make the name's holder a matter of chance. */
	if (same_arn != NULL || same_name != NULL)
		abort();
	set->count++;
}

void cluster_set_remove(struct cluster_set *set, const char *arn)
{
	struct cluster_item *item = find_arn(set, arn);
	if (item != NULL)
		drop(set, item);
}
