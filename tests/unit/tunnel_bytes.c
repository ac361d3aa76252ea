/* See tunnel_bytes.h. Header blocks are compressed without the dictionary, which readers must take,
 * too. */
#include "tests/unit/tunnel_bytes.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t mask[] = {0x11, 0x22, 0x33, 0x44};

void ws_frame(struct buf *out, int first, bool is_masked, const char *data, size_t len)
{
	uint8_t masked = is_masked ? 0x80 : 0;
	buf_append_char(out, (char)first);
	if (len < 126) {
		buf_append_char(out, (char)(masked | len));
	} else {
		buf_append_char(out, (char)(masked | 127));
		for (int shift = 56; shift >= 0; shift -= 8)
			buf_append_char(out, (char)((uint64_t)len >> shift));
	}
	if (is_masked)
		buf_append(out, mask, sizeof mask);
	for (size_t i = 0; i < len; i++)
		buf_append_char(out, (char)(data[i] ^ (is_masked ? mask[i % 4] : 0)));
}

void ws_message(struct buf *out, bool is_masked, char channel, const char *text)
{
	struct buf message = {0};
	buf_append_char(&message, channel);
	buf_append_text(&message, text);
	ws_frame(out, 0x82, is_masked, message.data, message.len);
	buf_free(&message);
}

void spdy_end_init(struct spdy_end *end)
{
	memset(end, 0, sizeof *end);
	if (deflateInit(&end->deflater, 6) != Z_OK)
		abort();
}

void spdy_end_free(struct spdy_end *end)
{
	deflateEnd(&end->deflater);
}

void spdy_number(struct buf *out, uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_append_char(out, (char)(number >> shift));
}

void spdy_word(struct buf *block, const char *word, size_t len)
{
	spdy_number(block, (uint32_t)len);
	buf_append(block, word, len);
}

void spdy_headers(struct spdy_end *end, struct buf *out, enum spdy_frame frame, uint32_t id,
    const struct buf *block)
{
	struct buf packed = {0};
	static const char priority[6];
	size_t more = frame == SPDY_OPEN ? sizeof priority : 0, room = block->len + 1024;
	char *at = buf_reserve(&packed, room);
	end->deflater.next_in = (Bytef *)block->data;
	end->deflater.avail_in = (uInt)block->len;
	end->deflater.next_out = (Bytef *)at;
	end->deflater.avail_out = (uInt)room;
	if (deflate(&end->deflater, Z_SYNC_FLUSH) != Z_OK)
		abort();
	buf_commit(&packed, room - end->deflater.avail_out);
	spdy_number(out, 0x80030000u | frame);
	spdy_number(out, (uint32_t)(packed.len + 4 + more));
	spdy_number(out, id);
	buf_append(out, priority, more);
	buf_append(out, packed.data, packed.len);
	buf_free(&packed);
}

void spdy_open(struct spdy_end *end, struct buf *out, uint32_t id, const char *type)
{
	struct buf block = {0};
	spdy_number(&block, 1);
	spdy_word(&block, "streamtype", strlen("streamtype"));
	spdy_word(&block, type, strlen(type));
	spdy_headers(end, out, SPDY_OPEN, id, &block);
	buf_free(&block);
}

void spdy_data(struct buf *out, uint32_t id, const char *text, bool is_last)
{
	spdy_number(out, id);
	spdy_number(out, (is_last ? 0x01000000u : 0) | (uint32_t)strlen(text));
	buf_append_text(out, text);
}

void tunnel_note(
    void *seen, enum remote_stream stream, const uint8_t *data, size_t len, bool is_last)
{
	static const char names[] = "ioexr";
	buf_printf(
	    seen, "%c:%.*s%s", names[stream], (int)len, (const char *)data, is_last ? "; " : "");
}
