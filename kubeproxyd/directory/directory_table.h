/* The items of the bus as this process has them, by name, with the digest over them. A plain
 * container: the directory owns the one that is in force, the subscriber the one that a snapshot
 * fills. */
#ifndef EKSGATE_DIRECTORY_TABLE_H
#define EKSGATE_DIRECTORY_TABLE_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/kube_cluster.h"
#include "proto/message.h"

struct directory_item {
	RB_ENTRY(directory_item) entry;
	char *name;
	int64_t revision;
	char *resource; /* as it came */
	size_t resource_len;
	struct kube_cluster
	    *cluster; /* of the newest version that could be read; NULL when none could */
	char *readable; /* the text of `cluster`, when `resource` is a later one that could not be
			   read; else NULL */
};

struct directory_table;

struct directory_table *directory_table_new(void) MUST_USE;
void directory_table_free(struct directory_table **table);
size_t directory_table_count(const struct directory_table *table);
const struct message_digest *directory_table_digest(const struct directory_table *table);
struct directory_item *directory_table_find(const struct directory_table *table, const char *name);
/* In order of name; NULL begins and ends. */
struct directory_item *directory_table_next(
    const struct directory_table *table, struct directory_item *item);
/* Sets revision and text of the item, which is made when there is none; its cluster is left alone.
 */
struct directory_item *directory_table_put(struct directory_table *table, const char *name,
    int64_t revision, const char *resource, size_t resource_len);
/* `item` is freed, its cluster too unless it was taken. */
void directory_table_remove(struct directory_table *table, struct directory_item *item);

/* Reads the item's text. On success *old (may be NULL) is the cluster of the earlier version, now
 * the caller's. On failure the item keeps what it has, and *error says why (free()). */
bool directory_item_read(
    struct directory_item *item, struct kube_cluster **old, char **error) MUST_USE;
/* Takes over what `from`, another version of the same item, can be served with. */
void directory_item_inherit(struct directory_item *item, struct directory_item *from);

#endif
