/* Items by name. The digest covers the texts as they came, read or not: whether a resource can be
 * used here does not change what the bus holds. */
#include "kubeproxyd/directory/directory_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

RB_HEAD(item_tree, directory_item);

struct directory_table {
	struct item_tree items;
	size_t count;
	struct message_digest digest;
};

static int compare(const struct directory_item *a, const struct directory_item *b)
{
	return strcmp(a->name, b->name);
}

RB_GENERATE_INTERNAL(item_tree, directory_item, entry, compare, __attribute__((__unused__)) static)

struct directory_table *directory_table_new(void)
{
	struct directory_table *table = xcalloc(1, sizeof *table);
	RB_INIT(&table->items);
	return table;
}

static void free_item(struct directory_item *item)
{
	kube_cluster_free(&item->cluster);
	free(item->name);
	free(item->resource);
	free(item->readable);
	free(item);
}

void directory_table_free(struct directory_table **table)
{
	if (*table == NULL)
		return;
	struct directory_item *item, *next;
	RB_FOREACH_SAFE(item, item_tree, &(*table)->items, next)
	{
		RB_REMOVE(item_tree, &(*table)->items, item);
		free_item(item);
	}
	xfree(table);
}

size_t directory_table_count(const struct directory_table *table)
{
	return table->count;
}

const struct message_digest *directory_table_digest(const struct directory_table *table)
{
	return &table->digest;
}

struct directory_item *directory_table_find(const struct directory_table *table, const char *name)
{
	struct directory_item *item = RB_ROOT(&table->items);
	while (item != NULL) {
		int order = strcmp(name, item->name);
		if (order == 0)
			break;
		item = order < 0 ? RB_LEFT(item, entry) : RB_RIGHT(item, entry);
	}
	return item;
}

struct directory_item *directory_table_next(
    const struct directory_table *table, struct directory_item *item)
{
	struct item_tree items = table->items;
	return item != NULL ? RB_NEXT(item_tree, &items, item) : RB_MIN(item_tree, &items);
}

static void toggle(struct directory_table *table, const struct directory_item *item)
{
	message_digest_toggle(
	    &table->digest, item->name, item->revision, item->resource, item->resource_len);
}

struct directory_item *directory_table_put(struct directory_table *table, const char *name,
    int64_t revision, const char *resource, size_t resource_len)
{
	struct directory_item *item = directory_table_find(table, name);
	if (item == NULL) {
		item = xcalloc(1, sizeof *item);
		item->name = xstrdup(name);
		RB_INSERT(item_tree, &table->items, item);
		table->count++;
	} else {
		toggle(table, item);
		/* Until the new text is read, the cluster is of the old one. */
		if (item->cluster != NULL && item->readable == NULL)
			item->readable = item->resource;
		else
			free(item->resource);
	}
	item->revision = revision;
	item->resource = xstrndup(resource, resource_len);
	item->resource_len = resource_len;
	toggle(table, item);
	return item;
}

void directory_table_remove(struct directory_table *table, struct directory_item *item)
{
	toggle(table, item);
	RB_REMOVE(item_tree, &table->items, item);
	table->count--;
	free_item(item);
}

bool directory_item_read(struct directory_item *item, struct kube_cluster **old, char **error)
{
	struct kube_cluster *cluster =
	    kube_cluster_from_text(item->resource, item->resource_len, error);
	if (cluster != NULL && strcmp(cluster->name, item->name) != 0) {
		*error = xasprintf("metadata.name is \"%s\"", cluster->name);
		kube_cluster_free(&cluster);
	}
	if (cluster == NULL)
		return false;
	cluster->revision = item->revision;
	*old = item->cluster;
	item->cluster = cluster;
	xfree(&item->readable);
	return true;
}

void directory_item_inherit(struct directory_item *item, struct directory_item *from)
{
	bool is_same_text = item->resource_len == from->resource_len &&
			    memcmp(item->resource, from->resource, item->resource_len) == 0;
	item->cluster = from->cluster;
	from->cluster = NULL;
	if (item->cluster == NULL)
		return;
	if (from->readable != NULL)
		item->readable = xstrdup(from->readable);
	else if (!is_same_text)
		item->readable = xstrdup(from->resource);
}
