/* What the bus carries: the items as last committed, the digest over them, and the latest changes,
 * so that a subscriber that was behind for a moment continues where it was. A plain container; the
 * publisher owns it. */
#ifndef EKSGATE_PUBLISHER_TABLE_H
#define EKSGATE_PUBLISHER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "discoveryd/publisher.h"
#include "proto/message.h"

/* One version of one item: immutable, shared by the table, the log and the views. */
struct bus_item {
	unsigned refs;
	char *name;
	int64_t revision;
	char *resource; /* NULL: removed */
	size_t resource_len;
	char *renamed_to; /* of a removed one, or NULL */
};

/* A change, and the digest of the table after it. */
struct bus_change {
	struct bus_item *item;
	struct message_digest digest;
};

struct publisher_table;

struct publisher_table *publisher_table_new(void) MUST_USE;
void publisher_table_free(struct publisher_table **table);
/* One item of the set that is there at the beginning; then the sequence it is the set of. */
void publisher_table_load(struct publisher_table *table, const struct publisher_change *item);
void publisher_table_start(struct publisher_table *table, int64_t sequence);
/* The next change; its revision must be beyond the sequence. */
void publisher_table_apply(struct publisher_table *table, const struct publisher_change *change);

int64_t publisher_table_sequence(const struct publisher_table *table);
size_t publisher_table_count(const struct publisher_table *table);
const struct message_digest *publisher_table_digest(const struct publisher_table *table);
/* The changes after `sequence`, *count of them, until the next apply. False: they are no longer all
 * known. */
bool publisher_table_since(const struct publisher_table *table, int64_t sequence,
    const struct bus_change **changes, size_t *count) MUST_USE;
/* When somebody last asked for a refresh of this item: the caller's to read and set. NULL: there is
 * no such item. */
struct mono *publisher_table_refreshed_at(struct publisher_table *table, const char *name);

/* The whole table at one moment, in order of name; what it holds does not change any more. */
struct bus_view {
	struct bus_item **items;
	size_t count;
	int64_t sequence;
	struct message_digest digest;
};
struct bus_view *bus_view_new(const struct publisher_table *table) MUST_USE;
void bus_view_free(struct bus_view **view);

#endif
