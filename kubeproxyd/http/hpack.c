/* Header fields as literals that enter no table, and what the static table has by index. Values are
 * never compressed: decompressing a bearer token of a kilobyte costs an API server more, at each
 * request, than the fifth of its bytes that this saves. Called by both ends of HTTP/2. */
#include "kubeproxyd/http/hpack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "kubeproxyd/http/hpack_table.h"

/* The bits before an integer (6), and those of its prefix. */
#define INDEXED	      0x80
#define SIZE_UPDATE   0x20
#define NEVER_INDEXED 0x10
#define NOT_INDEXED   0x00
#define INDEX_MASK    0x7f
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

/* Eight letters at a time. A byte of `least` or `beyond` has its high bit set when the letter is at
 * least 'A', or beyond 'Z'. */
static inline uint64_t lower(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	uint64_t low = word & ~highs;
	uint64_t least = low + ones * (0x80 - 'A'), beyond = low + ones * (0x7f - 'Z');
	return word | ((least ^ beyond) & ~word & highs) >> 2;
}

static inline void put_lower_eight(char *at, const char *name)
{
	uint64_t eight;
	memcpy(&eight, name, sizeof eight);
	eight = lower(eight);
	memcpy(at, &eight, sizeof eight);
}

static inline void put_lower_four(char *at, const char *name)
{
	uint32_t four;
	memcpy(&four, name, sizeof four);
	four = (uint32_t)lower(four);
	memcpy(at, &four, sizeof four);
}

/* The last eight letters, or four, are written on their own, some of them twice. */
static char *put_lower(char *at, const char *name, size_t len)
{
	char *end = at + len;
	if (len >= 8) {
		for (size_t i = 0; i < len - 8; i += 8)
			put_lower_eight(at + i, name + i);
		put_lower_eight(end - 8, name + len - 8);
	} else if (len >= 4) {
		put_lower_four(at, name);
		put_lower_four(end - 4, name + len - 4);
	} else {
		for (size_t i = 0; i < len; i++)
			at[i] = (char)lower((uint8_t)name[i]);
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

static bool is_text(const char *text, size_t len, const char *wanted, size_t wanted_len)
{
	return len == wanted_len && memcmp(text, wanted, wanted_len) == 0;
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
