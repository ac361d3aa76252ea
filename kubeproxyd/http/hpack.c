/* Header fields as literals that enter no table, and what the tables have by index. Values are
 * never compressed: decompressing a bearer token of a kilobyte costs an API server more, at each
 * request, than the fifth of its bytes that this saves. Called by both ends of HTTP/2. */
#include "kubeproxyd/http/hpack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes16.h"
#include "common/decimal.h"
#include "kubeproxyd/http/hpack_table.h"

/* The bits before an integer (6), and those of its prefix. */
#define INDEXED	      0x80
#define INSERTED      0x40
#define SIZE_UPDATE   0x20
#define NEVER_INDEXED 0x10
#define NOT_INDEXED   0x00
#define INDEX_MASK    0x7f
#define INSERTED_MASK 0x3f
#define SIZE_MASK     0x1f
#define NAME_MASK     0x0f
#define LENGTH_MASK   0x7f

/* An integer behind `bits` and a prefix of the bits in `mask` (5.1). At most 32 bits. */
static char *put_integer(char *at, uint8_t bits, uint8_t mask, size_t number)
{
	if (number < mask) {
		*at++ = (char)(uint8_t)(bits | number);
		return at;
	}
	*at++ = (char)(uint8_t)(bits | mask);
	for (number -= mask; number >= 128; number >>= 7)
		*at++ = (char)(uint8_t)(128 | (number & 127));
	*at++ = (char)number;
	return at;
}

static char *put_raw(char *at, const char *text, size_t len)
{
	return mempcpy(put_integer(at, 0, LENGTH_MASK, len), text, len);
}

/* Where a field begins that is at most so long. */
static char *begin(struct buf *out, size_t name_len, size_t value_len)
{
	if (name_len > UINT32_MAX || value_len > UINT32_MAX)
		abort();
	return buf_reserve(out, name_len + value_len + HPACK_APPEND_EXTRA);
}

static void end(struct buf *out, const char *at)
{
	buf_commit(out, (size_t)(at - (out->data + out->len)));
}

static inline bytes16 lower(bytes16 letters)
{
	return letters | ((letters >= 'A') & (letters <= 'Z') & ('a' - 'A'));
}

static inline void put_lower_sixteen(char *at, const char *name)
{
	bytes16 letters = lower(bytes16_load(name));
	memcpy(at, &letters, sizeof letters);
}

/* Both ends of a name of 8 to 16 letters, and of 4 to 8: some in the middle may be of either. */
static inline void put_lower_eights(char *at, const char *name, size_t len)
{
	uint64_t ends[2];
	memcpy(&ends[0], name, sizeof ends[0]);
	memcpy(&ends[1], name + len - sizeof ends[1], sizeof ends[1]);
	put_lower_sixteen((char *)ends, (const char *)ends);
	memcpy(at, &ends[0], sizeof ends[0]);
	memcpy(at + len - sizeof ends[1], &ends[1], sizeof ends[1]);
}

static inline void put_lower_fours(char *at, const char *name, size_t len)
{
	uint32_t ends[4] = {0};
	memcpy(&ends[0], name, sizeof ends[0]);
	memcpy(&ends[1], name + len - sizeof ends[1], sizeof ends[1]);
	put_lower_sixteen((char *)ends, (const char *)ends);
	memcpy(at, &ends[0], sizeof ends[0]);
	memcpy(at + len - sizeof ends[1], &ends[1], sizeof ends[1]);
}

static char *put_lower(char *at, const char *name, size_t len)
{
	char *end = at + len;
	if (len >= 16) {
		for (size_t i = 0; i < len - 16; i += 16)
			put_lower_sixteen(at + i, name + i);
		put_lower_sixteen(end - 16, name + len - 16);
	} else if (len >= 8) {
		put_lower_eights(at, name, len);
	} else if (len >= 4) {
		put_lower_fours(at, name, len);
	} else {
		for (; at < end; at++, name++)
			*at = (char)(*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name);
	}
	return end;
}

char *hpack_put(char *at, const char *name, size_t name_len, const char *value, size_t value_len,
    bool is_private)
{
	*at++ = is_private ? NEVER_INDEXED : NOT_INDEXED;
	at = put_integer(at, 0, LENGTH_MASK, name_len);
	at = put_lower(at, name, name_len);
	return put_raw(at, value, value_len);
}

void hpack_append(struct buf *out, const char *name, size_t name_len, const char *value,
    size_t value_len, bool is_private)
{
	char *at = begin(out, name_len, value_len);
	end(out, hpack_put(at, name, name_len, value, value_len, is_private));
}

void hpack_kept_free(struct hpack_kept *kept)
{
	buf_free_secret(&kept->value);
}

static bool is_text(const char *text, size_t len, const char *wanted, size_t wanted_len)
{
	return len == wanted_len && memcmp(text, wanted, wanted_len) == 0;
}

char *hpack_put_kept(
    char *at, struct hpack_kept *kept, size_t name, const char *value, size_t value_len)
{
	const char *text = hpack_static(name)->name;
	struct buf *last = &kept->value;
	if (value_len == 0 || HPACK_ENTRY_OVERHEAD + strlen(text) + value_len > HPACK_TABLE_DEFAULT)
		return put_raw(put_integer(at, NEVER_INDEXED, NAME_MASK, name), value, value_len);
	if (is_text(value, value_len, last->data, last->len))
		return put_integer(at, INDEXED, INDEX_MASK, HPACK_STATIC_COUNT + 1);
	buf_free_secret(last);
	buf_append(last, value, value_len);
	return put_raw(put_integer(at, INSERTED, INSERTED_MASK, name), value, value_len);
}

void hpack_append_table_size(struct buf *out, size_t size)
{
	char *at = begin(out, 0, 0);
	if (size > UINT32_MAX)
		abort();
	end(out, put_integer(at, SIZE_UPDATE, SIZE_MASK, size));
}

static void append_indexed(struct buf *out, size_t index)
{
	char *at = begin(out, 0, 0);
	end(out, put_integer(at, INDEXED, INDEX_MASK, index));
}

/* Not indexed here, the name by its index. */
static void append_named(
    struct buf *out, enum hpack_static_name name, const char *value, size_t value_len)
{
	char *at = begin(out, 0, value_len);
	at = put_integer(at, NOT_INDEXED, NAME_MASK, name);
	end(out, put_raw(at, value, value_len));
}

void hpack_append_status(struct buf *out, unsigned status)
{
	static const uint16_t indexed[] = {200, 204, 206, 304, 400, 404, 500};
	for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++) {
		if (indexed[i] == status) {
			append_indexed(out, HPACK_STATUS + i);
			return;
		}
	}
	char text[DECIMAL_TEXT];
	size_t len = decimal_write(text, status);
	append_named(out, HPACK_STATUS, text, len);
}

void hpack_append_method(struct buf *out, const char *method, size_t len)
{
	if (is_text(method, len, "GET", 3))
		append_indexed(out, HPACK_METHOD);
	else if (is_text(method, len, "POST", 4))
		append_indexed(out, HPACK_METHOD + 1);
	else
		append_named(out, HPACK_METHOD, method, len);
}

void hpack_append_scheme_https(struct buf *out)
{
	append_indexed(out, HPACK_SCHEME + 1);
}

void hpack_append_path(struct buf *out, const char *path, size_t len)
{
	if (is_text(path, len, "/", 1))
		append_indexed(out, HPACK_PATH);
	else
		append_named(out, HPACK_PATH, path, len);
}

void hpack_append_authority(struct buf *out, const char *authority, size_t len)
{
	append_named(out, HPACK_AUTHORITY, authority, len);
}
