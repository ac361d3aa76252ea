/* The tables of HPACK. Entries of the dynamic one leave in the order in which they came, so their
 * bytes stand in one block that is used from its front to its end and then moved back to the front.
 * That is cheap: each entry counts 32 bytes that are not in the block, so that either many small
 * entries fit between two moves or few bytes are moved. Used by hpack_decode. */
#include "kubeproxyd/http/hpack_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define FIRST_ENTRIES 16u
#define FIRST_BYTES   512u

#define PAIR(name, value, first)                                                                   \
	{                                                                                          \
		(name), (value), sizeof(name) - 1, sizeof(value) - 1, (first)                      \
	}

static const struct hpack_static statics[HPACK_STATIC_COUNT + 1] = {
    PAIR("", "", 0),
    PAIR(":authority", "", 1),
    PAIR(":method", "GET", 2),
    PAIR(":method", "POST", 2),
    PAIR(":path", "/", 4),
    PAIR(":path", "/index.html", 4),
    PAIR(":scheme", "http", 6),
    PAIR(":scheme", "https", 6),
    PAIR(":status", "200", 8),
    PAIR(":status", "204", 8),
    PAIR(":status", "206", 8),
    PAIR(":status", "304", 8),
    PAIR(":status", "400", 8),
    PAIR(":status", "404", 8),
    PAIR(":status", "500", 8),
    PAIR("accept-charset", "", 15),
    PAIR("accept-encoding", "gzip, deflate", 16),
    PAIR("accept-language", "", 17),
    PAIR("accept-ranges", "", 18),
    PAIR("accept", "", 19),
    PAIR("access-control-allow-origin", "", 20),
    PAIR("age", "", 21),
    PAIR("allow", "", 22),
    PAIR("authorization", "", 23),
    PAIR("cache-control", "", 24),
    PAIR("content-disposition", "", 25),
    PAIR("content-encoding", "", 26),
    PAIR("content-language", "", 27),
    PAIR("content-length", "", 28),
    PAIR("content-location", "", 29),
    PAIR("content-range", "", 30),
    PAIR("content-type", "", 31),
    PAIR("cookie", "", 32),
    PAIR("date", "", 33),
    PAIR("etag", "", 34),
    PAIR("expect", "", 35),
    PAIR("expires", "", 36),
    PAIR("from", "", 37),
    PAIR("host", "", 38),
    PAIR("if-match", "", 39),
    PAIR("if-modified-since", "", 40),
    PAIR("if-none-match", "", 41),
    PAIR("if-range", "", 42),
    PAIR("if-unmodified-since", "", 43),
    PAIR("last-modified", "", 44),
    PAIR("link", "", 45),
    PAIR("location", "", 46),
    PAIR("max-forwards", "", 47),
    PAIR("proxy-authenticate", "", 48),
    PAIR("proxy-authorization", "", 49),
    PAIR("range", "", 50),
    PAIR("referer", "", 51),
    PAIR("refresh", "", 52),
    PAIR("retry-after", "", 53),
    PAIR("server", "", 54),
    PAIR("set-cookie", "", 55),
    PAIR("strict-transport-security", "", 56),
    PAIR("transfer-encoding", "", 57),
    PAIR("user-agent", "", 58),
    PAIR("vary", "", 59),
    PAIR("via", "", 60),
    PAIR("www-authenticate", "", 61),
};

const struct hpack_static *hpack_static(size_t index)
{
	return &statics[index];
}

static struct hpack_entry *oldest(const struct hpack_table *table)
{
	return hpack_table_entry(table, table->count - 1);
}

/* Where the bytes in use begin. */
static uint32_t start_of(const struct hpack_table *table)
{
	return table->count > 0 ? oldest(table)->at : table->end;
}

static void evict_beyond(struct hpack_table *table, size_t size)
{
	while (table->size > size) {
		const struct hpack_entry *entry = oldest(table);
		table->size -= entry->name_len + entry->value_len + HPACK_ENTRY_OVERHEAD;
		table->count--;
	}
}

static void wipe(char *bytes, size_t len)
{
	if (bytes != NULL)
		explicit_bzero(bytes, len);
	free(bytes);
}

static void release(struct hpack_table *table)
{
	wipe(table->bytes, table->byte_cap);
	free(table->entries);
	*table = (struct hpack_table){.max = table->max};
}

/* --- room ------------------------------------------------------------------------------------- */

static void make_room_for_entry(struct hpack_table *table)
{
	if (table->count < table->entry_cap)
		return;
	uint32_t cap = table->entry_cap > 0 ? table->entry_cap * 2 : FIRST_ENTRIES;
	struct hpack_entry *grown = xmalloc(cap * sizeof *grown);
	for (uint32_t i = 0; i < table->count; i++)
		grown[table->count - 1 - i] = *hpack_table_entry(table, i);
	free(table->entries);
	table->entries = grown;
	table->entry_cap = cap;
	table->next = table->count;
}

static bool is_inside(const struct hpack_table *table, const char *text)
{
	return (uintptr_t)text - (uintptr_t)table->bytes < table->byte_cap;
}

/* Doubled until `needed` bytes fit, but never more than can be in use. */
static uint32_t grown_cap(const struct hpack_table *table, uint32_t needed)
{
	size_t cap = table->byte_cap > 0 ? table->byte_cap : FIRST_BYTES;
	while (cap < needed)
		cap *= 2;
	return (uint32_t)(cap < table->max ? cap : table->max);
}

static bool has_room(const struct hpack_table *table, uint32_t more)
{
	uint32_t used = table->end - table->base;
	return table->bytes != NULL && table->byte_cap - used >= more;
}

/* Makes `more` bytes fit behind the last. What is not in use is overwritten. */
static void make_room(struct hpack_table *table, uint32_t more)
{
	uint32_t start = start_of(table), used = table->end - start, skipped = start - table->base;
	/* Some of it must come free, or the next entry moves all of them again. */
	uint32_t needed = used + more + used / 8, cap = table->byte_cap;
	char *old = table->bytes;
	table->base = start;
	if (old != NULL && (needed <= cap || cap >= table->max)) {
		memmove(old, old + skipped, used);
		return;
	}
	table->byte_cap = grown_cap(table, needed);
	table->bytes = xmalloc(table->byte_cap);
	if (used > 0)
		memcpy(table->bytes, old + skipped, used);
	wipe(old, cap);
}

/* --- what the decoder does -------------------------------------------------------------------- */

struct hpack_entry *hpack_table_insert(struct hpack_table *table, const struct hpack_pair *pair)
{
	size_t len = pair->name_len + pair->value_len;
	if (len + HPACK_ENTRY_OVERHEAD > table->max) {
		evict_beyond(table, 0);
		return NULL;
	}
	evict_beyond(table, table->max - len - HPACK_ENTRY_OVERHEAD);
	const char *name = pair->name;
	char *copy = NULL;
	if (!has_room(table, (uint32_t)len)) {
		if (is_inside(table, name)) /* and the entry may be gone */
			name = copy = xmemdup(name, pair->name_len);
		make_room(table, (uint32_t)len);
	}
	char *at = table->bytes + (uint32_t)(table->end - table->base);
	memcpy(mempcpy(at, name, pair->name_len), pair->value, pair->value_len);
	wipe(copy, pair->name_len);
	make_room_for_entry(table);
	struct hpack_entry *entry = &table->entries[table->next++ & (table->entry_cap - 1)];
	*entry = (struct hpack_entry){
	    .at = table->end,
	    .name_len = (uint32_t)pair->name_len,
	    .value_len = (uint32_t)pair->value_len,
	    .static_name = pair->static_name,
	};
	table->end += (uint32_t)len;
	table->size += len + HPACK_ENTRY_OVERHEAD;
	table->count++;
	return entry;
}

void hpack_table_resize(struct hpack_table *table, size_t max)
{
	table->max = max;
	evict_beyond(table, max);
	if (table->count == 0)
		release(table);
}

void hpack_table_free(struct hpack_table *table)
{
	release(table);
}
