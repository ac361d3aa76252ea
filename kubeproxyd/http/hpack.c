/* Literals of header fields. What is encoded once goes through nghttp2's own encoder, on a table
 * that nothing is ever added to; what is encoded each time is written as it is, since looking it up
 * in tables and compressing it costs more than the bytes that this saves. */
#include "kubeproxyd/http/hpack.h"

#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* nghttp2 declares names and values writable and does not write to them. */
static uint8_t *bytes(const char *text)
{
	union {
		const char *text;
		uint8_t *bytes;
	} either = {.text = text};
	return either.bytes;
}

void hpack_encode_never_indexed(
    struct buf *out, const char *name, const char *value, size_t value_len)
{
	nghttp2_hd_deflater *deflater;
	if (nghttp2_hd_deflate_new(&deflater, NGHTTP2_DEFAULT_HEADER_TABLE_SIZE) != 0)
		abort();
	nghttp2_nv field = {
	    .name = bytes(name),
	    .namelen = strlen(name),
	    .value = bytes(value),
	    .valuelen = value_len,
	    .flags = NGHTTP2_NV_FLAG_NO_INDEX,
	};
	size_t bound = nghttp2_hd_deflate_bound(deflater, &field, 1);
	ssize_t len =
	    nghttp2_hd_deflate_hd(deflater, (uint8_t *)buf_reserve(out, bound), bound, &field, 1);
	if (len < 0)
		abort();
	buf_commit(out, (size_t)len);
	nghttp2_hd_deflate_del(deflater);
}

/* An integer behind a prefix of seven bits whose high bit, "compressed", is 0 (5.1, 5.2). */
static char *put_length(char *at, size_t len)
{
	if (len < 127) {
		*at++ = (char)len;
		return at;
	}
	*at++ = 127;
	for (len -= 127; len >= 128; len >>= 7)
		*at++ = (char)(uint8_t)(128 | (len & 127));
	*at++ = (char)len;
	return at;
}

/* Eight letters at a time. A byte of `least` or `beyond` has its high bit set when the letter is at
 * least 'A', or beyond 'Z'. */
static char *put_lower(char *at, const char *name, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	for (; len >= sizeof ones; len -= sizeof ones, name += sizeof ones) {
		uint64_t word;
		memcpy(&word, name, sizeof word);
		uint64_t low = word & ~highs;
		uint64_t least = low + ones * (0x80 - 'A'), beyond = low + ones * (0x7f - 'Z');
		word |= ((least ^ beyond) & ~word & highs) >> 2;
		at = mempcpy(at, &word, sizeof word);
	}
	for (; len > 0; len--, name++)
		*at++ = (char)(*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name);
	return at;
}

void hpack_append(struct buf *out, const char *name, size_t name_len, const char *value,
    size_t value_len, bool is_private)
{
	if (name_len > UINT32_MAX || value_len > UINT32_MAX)
		abort();
	char *start = buf_reserve(out, name_len + value_len + HPACK_APPEND_EXTRA), *at = start;
	*at++ = is_private ? 0x10 : 0x00;
	at = put_length(at, name_len);
	at = put_lower(at, name, name_len);
	at = mempcpy(put_length(at, value_len), value, value_len);
	buf_commit(out, (size_t)(at - start));
}
