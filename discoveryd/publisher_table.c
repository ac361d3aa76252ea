/* The publisher's table. Items are counted references, so that a snapshot under way costs an array
 * of pointers however much changes meanwhile. The log of changes is bounded by number and by bytes;
 * who falls out of it gets a snapshot. */
#include "discoveryd/publisher_table.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmem.h"

#define LOG_CHANGES 4096
#define LOG_BYTES   ((size_t)16 * 1024 * 1024)

struct entry {
	RB_ENTRY(entry) node;
	struct bus_item *item;
	struct mono refreshed_at;
};

RB_HEAD(entries, entry);

struct publisher_table {
	struct entries entries;
	size_t count;
	int64_t sequence;
	struct message_digest digest;
	/* A ring: log_count changes from log_first on. */
	struct bus_change *log;
	size_t log_first, log_count, log_bytes;
	int64_t log_floor; /* everything after this sequence is in the log */
};

static int compare(const struct entry *a, const struct entry *b)
{
	return strcmp(a->item->name, b->item->name);
}

RB_GENERATE_INTERNAL(entries, entry, node, compare, __attribute__((__unused__)) static)

static struct bus_item *make_item(const struct publisher_change *change)
{
	struct bus_item *item = xcalloc(1, sizeof *item);
	item->refs = 1;
	item->name = xstrdup(change->name);
	item->revision = change->revision;
	item->renamed_to = xstrdup_or_null(change->resource == NULL ? change->renamed_to : NULL);
	if (change->resource != NULL && change->resource_len > MESSAGE_ITEM_MAX) {
		log_error("bus", "item-too-large", LOG_S("name", change->name),
		    LOG_I("bytes", change->resource_len), LOG_I("limit", MESSAGE_ITEM_MAX));
	} else if (change->resource != NULL) {
		item->resource = xstrndup(change->resource, change->resource_len);
		item->resource_len = change->resource_len;
	}
	return item;
}

static struct bus_item *ref(struct bus_item *item)
{
	item->refs++;
	return item;
}

static void unref(struct bus_item *item)
{
	if (--item->refs > 0)
		return;
	free(item->name);
	free(item->resource);
	free(item->renamed_to);
	free(item);
}

static struct entry *find(const struct publisher_table *table, const char *name)
{
	struct entry *entry = RB_ROOT(&table->entries);
	while (entry != NULL) {
		int order = strcmp(name, entry->item->name);
		if (order == 0)
			break;
		entry = order < 0 ? RB_LEFT(entry, node) : RB_RIGHT(entry, node);
	}
	return entry;
}

static void toggle(struct publisher_table *table, const struct bus_item *item)
{
	message_digest_toggle(
	    &table->digest, item->name, item->revision, item->resource, item->resource_len);
}

static void drop(struct publisher_table *table, struct entry *entry)
{
	toggle(table, entry->item);
	RB_REMOVE(entries, &table->entries, entry);
	unref(entry->item);
	free(entry);
	table->count--;
}

/* The table takes over nothing: `item` stays the caller's reference. */
static void set(struct publisher_table *table, struct bus_item *item)
{
	struct entry *entry = find(table, item->name);
	if (item->resource == NULL) {
		if (entry != NULL)
			drop(table, entry);
		return;
	}
	toggle(table, item);
	if (entry != NULL) {
		toggle(table, entry->item);
		unref(entry->item);
		entry->item = ref(item);
		return;
	}
	entry = xcalloc(1, sizeof *entry);
	entry->item = ref(item);
	RB_INSERT(entries, &table->entries, entry);
	table->count++;
}

static void forget_oldest(struct publisher_table *table)
{
	struct bus_item *item = table->log[table->log_first].item;
	table->log_floor = item->revision;
	table->log_bytes -= item->resource_len;
	table->log_first++;
	table->log_count--;
	unref(item);
}

/* The reference becomes the log's. The array is twice as long as what it holds, so that what is
 * asked for is always contiguous and is moved to the front rarely. */
static void remember(struct publisher_table *table, struct bus_item *item)
{
	while (table->log_count > 0 && (table->log_count == LOG_CHANGES ||
					   table->log_bytes + item->resource_len > LOG_BYTES))
		forget_oldest(table);
	if (table->log_first + table->log_count == (size_t)2 * LOG_CHANGES) {
		memmove(table->log, table->log + table->log_first,
		    table->log_count * sizeof *table->log);
		table->log_first = 0;
	}
	table->log[table->log_first + table->log_count++] =
	    (struct bus_change){item, table->digest};
	table->log_bytes += item->resource_len;
}

struct publisher_table *publisher_table_new(void)
{
	struct publisher_table *table = xcalloc(1, sizeof *table);
	RB_INIT(&table->entries);
	table->log = xcalloc((size_t)2 * LOG_CHANGES, sizeof *table->log);
	return table;
}

void publisher_table_free(struct publisher_table **table)
{
	if (*table == NULL)
		return;
	struct entry *entry;
	while ((entry = RB_MIN(entries, &(*table)->entries)) != NULL)
		drop(*table, entry);
	while ((*table)->log_count > 0)
		forget_oldest(*table);
	free((*table)->log);
	xfree(table);
}

void publisher_table_load(struct publisher_table *table, const struct publisher_change *change)
{
	struct bus_item *item = make_item(change);
	set(table, item);
	unref(item);
}

void publisher_table_start(struct publisher_table *table, int64_t sequence)
{
	table->sequence = sequence;
	table->log_floor = sequence;
}

void publisher_table_apply(struct publisher_table *table, const struct publisher_change *change)
{
	struct bus_item *item = make_item(change);
	set(table, item);
	table->sequence = change->revision;
	remember(table, item);
}

int64_t publisher_table_sequence(const struct publisher_table *table)
{
	return table->sequence;
}

size_t publisher_table_count(const struct publisher_table *table)
{
	return table->count;
}

const struct message_digest *publisher_table_digest(const struct publisher_table *table)
{
	return &table->digest;
}

bool publisher_table_since(const struct publisher_table *table, int64_t sequence,
    const struct bus_change **changes, size_t *count)
{
	if (sequence < table->log_floor)
		return false;
	size_t low = 0, high = table->log_count;
	const struct bus_change *log = table->log + table->log_first;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (log[middle].item->revision <= sequence)
			low = middle + 1;
		else
			high = middle;
	}
	*changes = log + low;
	*count = table->log_count - low;
	return true;
}

struct mono *publisher_table_refreshed_at(struct publisher_table *table, const char *name)
{
	struct entry *entry = find(table, name);
	return entry != NULL ? &entry->refreshed_at : NULL;
}

struct bus_view *bus_view_new(const struct publisher_table *table)
{
	struct entries entries = table->entries;
	struct entry *entry;
	struct bus_view *view = xcalloc(1, sizeof *view);
	view->items = xcalloc(table->count, sizeof(struct bus_item *));
	RB_FOREACH(entry, entries, &entries)
	view->items[view->count++] = ref(entry->item);
	view->sequence = table->sequence;
	view->digest = table->digest;
	return view;
}

void bus_view_free(struct bus_view **view)
{
	if (*view == NULL)
		return;
	for (size_t i = 0; i < (*view)->count; i++)
		unref((*view)->items[i]);
	free((*view)->items);
	xfree(view);
}
