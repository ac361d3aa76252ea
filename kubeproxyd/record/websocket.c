/* Follows WebSocket frames: heads byte by byte, payloads in the pieces in which they come. Called
 * by whatever observes a tunnel; pure. */
#include "kubeproxyd/record/websocket.h"

#include <string.h>

#define FINAL	      0x80u
#define RESERVED      0x70u
#define OPCODE	      0x0fu
#define CONTROL	      0x08u
#define MASKED	      0x80u
#define LENGTH	      0x7fu
#define LENGTH_16     126
#define LENGTH_64     127
#define MASK_BYTES    4
#define PIECE	      2048
#define OPCODE_TEXT   1
#define OPCODE_BINARY 2
#define OPCODE_CLOSE  8
#define CONTROL_MAX   125
#define HEAD_LEAST    2

static bool fail(struct websocket_reader *reader)
{
	reader->is_bad = true;
	return false;
}

static unsigned opcode_of(const struct websocket_reader *reader)
{
	return reader->head[0] & OPCODE;
}

static bool is_control(const struct websocket_reader *reader)
{
	return (opcode_of(reader) & CONTROL) != 0;
}

static size_t length_bytes(const struct websocket_reader *reader)
{
	unsigned length = reader->head[1] & LENGTH;
	if (length == LENGTH_64)
		return 8;
	return length == LENGTH_16 ? 2 : 0;
}

static size_t mask_bytes(const struct websocket_reader *reader)
{
	return (reader->head[1] & MASKED) != 0 ? MASK_BYTES : 0;
}

/* How long the head is, as far as its first two bytes are there. */
static size_t head_wanted(const struct websocket_reader *reader)
{
	if (reader->head_len < HEAD_LEAST)
		return HEAD_LEAST;
	return HEAD_LEAST + length_bytes(reader) + mask_bytes(reader);
}

static uint64_t payload_length(const struct websocket_reader *reader)
{
	size_t bytes = length_bytes(reader);
	uint64_t length = 0;
	if (bytes == 0)
		return reader->head[1] & LENGTH;
	for (size_t i = 0; i < bytes; i++)
		length = length << 8 | reader->head[HEAD_LEAST + i];
	return length;
}

/* Fragments of a message follow each other; control frames may stand between them, whole. */
static bool is_in_order(const struct websocket_reader *reader)
{
	unsigned opcode = opcode_of(reader);
	bool is_final = (reader->head[0] & FINAL) != 0;
	if (is_control(reader))
		return is_final && reader->left <= CONTROL_MAX;
	if (opcode == 0)
		return reader->is_in_message;
	return !reader->is_in_message && (opcode == OPCODE_TEXT || opcode == OPCODE_BINARY);
}

static bool is_masked_as_it_must(const struct websocket_reader *reader)
{
	if (reader->masking == WEBSOCKET_ANY)
		return true;
	return (mask_bytes(reader) > 0) == (reader->masking == WEBSOCKET_MASKED);
}

static void hand_up(struct websocket_reader *reader, const uint8_t *data, size_t len, bool is_last)
{
	bool is_first = !reader->is_in_message;
	reader->is_in_message = !is_last;
	reader->fn(reader->arg, data, len, is_first, is_last);
}

static void end_frame(struct websocket_reader *reader)
{
	reader->head_len = 0;
	reader->is_in_payload = false;
}

static bool begin_payload(struct websocket_reader *reader)
{
	reader->left = payload_length(reader);
	reader->mask_at = 0;
	if ((reader->head[0] & RESERVED) != 0 || !is_in_order(reader) ||
	    !is_masked_as_it_must(reader) || reader->left > INT64_MAX)
		return fail(reader);
	reader->is_closed |= opcode_of(reader) == OPCODE_CLOSE;
	reader->is_in_payload = true;
	if (reader->left > 0)
		return true;
	if (!is_control(reader))
		hand_up(reader, NULL, 0, (reader->head[0] & FINAL) != 0);
	end_frame(reader);
	return true;
}

static size_t read_head(struct websocket_reader *reader, const uint8_t *data, size_t len)
{
	size_t used = 0;
	while (used < len && reader->head_len < head_wanted(reader))
		reader->head[reader->head_len++] = data[used++];
	if (reader->head_len >= HEAD_LEAST && reader->head_len == head_wanted(reader))
		(void)!begin_payload(reader);
	return used;
}

static void unmask(struct websocket_reader *reader, const uint8_t *data, size_t len, uint8_t *out)
{
	const uint8_t *mask = reader->head + reader->head_len - MASK_BYTES;
	for (size_t i = 0; i < len; i++)
		out[i] = data[i] ^ mask[reader->mask_at++ % MASK_BYTES];
}

static size_t read_payload(struct websocket_reader *reader, const uint8_t *data, size_t len)
{
	uint8_t piece[PIECE];
	bool is_masked = mask_bytes(reader) > 0;
	size_t count = is_masked && len > sizeof piece ? sizeof piece : len;
	if (count > reader->left)
		count = (size_t)reader->left;
	reader->left -= count;
	bool is_last = reader->left == 0 && (reader->head[0] & FINAL) != 0;
	if (!is_control(reader)) {
		if (is_masked) {
			unmask(reader, data, count, piece);
			data = piece;
		}
		hand_up(reader, data, count, is_last);
	}
	if (reader->left == 0)
		end_frame(reader);
	return count;
}

bool websocket_feed(struct websocket_reader *reader, const uint8_t *data, size_t len)
{
	while (len > 0 && !reader->is_bad) {
		size_t used = reader->is_in_payload ? read_payload(reader, data, len)
						    : read_head(reader, data, len);
		data += used;
		len -= used;
	}
	return !reader->is_bad;
}

uint64_t websocket_wanted(const struct websocket_reader *reader)
{
	if (reader->is_in_payload)
		return reader->left;
	if (reader->head_len == 0 && !reader->is_in_message)
		return 0;
	return head_wanted(reader) - reader->head_len;
}
