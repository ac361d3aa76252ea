/* See hpack_text.h. */
#include "tests/unit/hpack_text.h"

#include <stdint.h>
#include <stdlib.h>

nghttp2_hd_inflater *hpack_text_reader(void)
{
	nghttp2_hd_inflater *reader;
	if (nghttp2_hd_inflate_new(&reader) != 0)
		abort();
	return reader;
}

bool hpack_text_append(
    struct buf *text, nghttp2_hd_inflater *reader, const void *block, size_t len, const char *end)
{
	const uint8_t *at = block;
	int flags = 0;
	while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
		nghttp2_nv field;
		ssize_t used = nghttp2_hd_inflate_hd2(reader, &field, &flags, at, len, 1);
		if (used < 0)
			return false;
		at += used;
		len -= (size_t)used;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
			continue;
		buf_append(text, field.name, field.namelen);
		buf_append_text(text, ": ");
		buf_append(text, field.value, field.valuelen);
		if ((field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
			buf_append_char(text, '!');
		buf_append_text(text, end);
	}
	nghttp2_hd_inflate_end_headers(reader);
	return len == 0;
}
