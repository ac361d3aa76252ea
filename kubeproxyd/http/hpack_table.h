/* The tables of HPACK: the static one (RFC 7541, appendix A) and one side's dynamic one (2.3.2).
 * The dynamic one takes memory when its first entry comes, and none once its peer has sized it to
 * nothing. Pure. */
#ifndef EKSGATE_HPACK_TABLE_H
#define EKSGATE_HPACK_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* What holds until SETTINGS say otherwise (RFC 9113, 6.5.2). */
#define HPACK_TABLE_DEFAULT ((size_t)4096)
/* Counted for each entry besides its bytes (4.1). */
#define HPACK_ENTRY_OVERHEAD ((size_t)32)
#define HPACK_STATIC_COUNT   61

/* The first static entry of some names. */
enum hpack_static_name {
	HPACK_AUTHORITY = 1,
	HPACK_METHOD = 2,
	HPACK_PATH = 4,
	HPACK_SCHEME = 6,
	HPACK_STATUS = 8,
	HPACK_ACCEPT_ENCODING = 16,
	HPACK_ACCEPT = 19,
	HPACK_AUTHORIZATION = 23,
	HPACK_CONTENT_ENCODING = 26,
	HPACK_CONTENT_LENGTH = 28,
	HPACK_CONTENT_TYPE = 31,
	HPACK_COOKIE = 32,
	HPACK_DATE = 33,
	HPACK_EXPECT = 35,
	HPACK_HOST = 38,
	HPACK_LOCATION = 46,
	HPACK_SET_COOKIE = 55,
	HPACK_TRANSFER_ENCODING = 57,
	HPACK_USER_AGENT = 58,
};

struct hpack_static {
	const char *name, *value;
	uint8_t name_len, value_len;
	uint8_t first; /* the first entry of this name: one of enum hpack_static_name or between */
};
/* `index`: 1 to HPACK_STATIC_COUNT. */
const struct hpack_static *hpack_static(size_t index) MUST_USE;

/* Of the dynamic table. */
struct hpack_entry {
	uint32_t at; /* where its bytes are, as struct hpack_table counts */
	uint32_t name_len, value_len;
	uint32_t mark;
	uint8_t static_name; /* `first` of the static name it was sent with, or 0 */
};

/* A plain value: {.max = most} is an empty table. */
struct hpack_table {
	struct hpack_entry *entries; /* a ring of a power of two */
	uint32_t entry_cap, count, next;
	/* Names and values, oldest entry first, one behind the other. The first byte of memory is
	 * counted as `base`, the first free one as `end`; both only grow, and may wrap. */
	char *bytes;
	uint32_t byte_cap, base, end;
	size_t size, max; /* as 4.1 counts */
};

/* What is inserted; the name may be that of an entry of the same table. */
struct hpack_pair {
	const char *name, *value;
	size_t name_len, value_len;
	uint8_t static_name;
};

static inline const char *hpack_entry_name(
    const struct hpack_table *table, const struct hpack_entry *entry)
{
	return table->bytes + (uint32_t)(entry->at - table->base);
}
/* `index`: 0 is the newest; below `count`. */
static inline struct hpack_entry *hpack_table_entry(const struct hpack_table *table, size_t index)
{
	return &table->entries[(table->next - 1 - (uint32_t)index) & (table->entry_cap - 1)];
}
/* Evicts what has to make room. NULL: it is larger than the table, which is empty now (4.4). */
struct hpack_entry *hpack_table_insert(struct hpack_table *table, const struct hpack_pair *pair);
/* Evicts what does not fit any more (4.3). */
void hpack_table_resize(struct hpack_table *table, size_t max);
/* Wipes the bytes. */
void hpack_table_free(struct hpack_table *table);

#endif
