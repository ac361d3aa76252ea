/* A recording as it may lie in the directory: the first byte is the size of the pieces. Whatever
 * the pieces, the same is read; items stand in their order and fit what the reader promises. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "kubeproxyd/record/cast_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void note(struct buf *out, enum cast_kind kind, const struct cast_item *item)
{
	buf_printf(out, "%d %zu:%zu ", (int)kind, item->line, item->column);
	if (kind == CAST_HEADER) {
		require(item->header.width > 0 && item->header.height > 0 &&
			json_object_is_type(item->header.document, json_type_object));
		buf_append_text(out, json_object_to_json_string(item->header.document));
	}
	if (kind == CAST_EVENT) {
		require(item->event.at_us >= 0 && item->event.text[item->event.len] == '\0');
		buf_printf(out, "%ld %c ", (long)item->event.at_us, item->event.code);
		buf_append(out, item->event.text, item->event.len);
	}
	if (kind == CAST_FAULT) {
		require(item->fault[0] != '\0' && item->column > 0);
		buf_append_text(out, item->fault);
	}
	buf_append_char(out, '\n');
}

static struct buf read_all(const char *data, size_t size, size_t piece)
{
	struct cast_reader *reader = cast_reader_new();
	struct buf out = {0};
	struct cast_item item;
	size_t at = 0, line = 0;
	enum cast_kind kind;
	while ((kind = cast_reader_next(reader, &item)) != CAST_END) {
		if (kind != CAST_NEEDS_MORE) {
			require(item.line > line);
			line = item.line;
			note(&out, kind, &item);
			continue;
		}
		size_t count = size - at < piece ? size - at : piece;
		cast_reader_add(reader, data + at, count);
		at += count;
		if (at == size)
			cast_reader_end(reader);
	}
	cast_reader_free(&reader);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	const char *text = (const char *)data + 1;
	struct buf whole = read_all(text, size - 1, size),
		   pieces = read_all(text, size - 1, data[0] + 1u);
	require(whole.len == pieces.len &&
		(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0));
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
