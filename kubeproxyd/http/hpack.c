/* Encodes one header field by nghttp2's own encoder, on a table of its own that nothing is ever
 * added to. */
#include "kubeproxyd/http/hpack.h"

#include <nghttp2/nghttp2.h>
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
