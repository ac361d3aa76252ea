/* Header blocks of one connection: a byte that says how large the table may be, and then blocks,
 * each behind its length in one byte. Our decoder and nghttp2's make the same of them, and what a
 * block says, written anew by our encoder, is read again. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/http/hpack.h"
#include "tests/unit/hpack_both.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What the blocks say may be a thousand times as long as they are. */
#define BYTES_MAX ((size_t)8 * 1024 * 1024)

static void write_anew(void *arg, const struct hpack_field *field)
{
	struct buf *out = arg;
	if (out->len > UINT16_MAX)
		return;
	hpack_append(out, field->name, field->name_len, field->value, field->value_len,
	    field->is_never_indexed);
}

/* Literals leave the tables as they are: both decoders still agree behind them. */
static void check_anew(struct hpack_both *both, const uint8_t *block, size_t len)
{
	struct hpack_decoder fresh;
	struct buf anew = {0};
	hpack_decoder_init(&fresh, HPACK_TABLE_DEFAULT);
	/* Refused when it needs the table that is not there. */
	if (hpack_decode(&fresh, block, len, write_anew, &anew) && anew.len > 0) {
		size_t entries = both->ours.table.count;
		if (!hpack_both_decode(both, (const uint8_t *)anew.data, anew.len))
			abort();
		if (both->ours.table.count != entries)
			abort();
	}
	hpack_decoder_free(&fresh);
	buf_free(&anew);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	struct hpack_both both;
	hpack_both_open(&both, HPACK_TABLE_DEFAULT + (size_t)data[0] * 64);
	size_t at = 1, bytes = 0;
	while (at < len && bytes < BYTES_MAX) {
		size_t block_len = data[at++];
		if (block_len > len - at)
			block_len = len - at;
		/* Of its own: a sanitizer sees what is read beyond. */
		uint8_t *block = xmalloc(block_len + 1);
		for (size_t i = 0; i < block_len; i++)
			block[i + 1] = data[at + i];
		bool is_sound = hpack_both_decode(&both, block + 1, block_len);
		bytes += both.from_ours.len;
		if (is_sound)
			check_anew(&both, block + 1, block_len);
		free(block);
		if (!is_sound)
			break;
		at += block_len;
	}
	hpack_both_close(&both);
	return 0;
}
