/* Bytes of the peer, cut into frames (RFC 9113, 4.1). Payloads of DATA are handed on as they come;
 * frames of unknown types are passed over; any other is taken when it is whole, from the bytes that
 * came if it stands there in one piece. Called by h2.c's owner. */
#include <string.h>

#include "kubeproxyd/http/h2_private.h"

/* --- DATA --------------------------------------------------------------------------------------
 */

static bool take_window(struct h2_window *window, size_t len)
{
	window->used += (int64_t)len;
	return window->used <= window->size;
}

/* Once it is known how much of a frame is body, and before any of it is handed on. */
static void check_length(struct h2 *h2)
{
	struct h2_stream *stream = h2_find(h2, h2->frame.id);
	if (stream == NULL || stream->missing < 0)
		return;
	int64_t len = (int64_t)h2->left - (int64_t)h2->padding;
	if (len > stream->missing)
		h2_stream_fail(stream, H2_PROTOCOL_ERROR, "a body longer than its content-length");
	else
		stream->missing -= len;
}

/* A frame begins. What cannot be is an error of the connection, or of its stream, whose bytes are
 * passed over then: they count for the connection's window all the same (6.9). */
static void begin_data(struct h2 *h2)
{
	const struct h2_frame *frame = &h2->frame;
	h2->left = frame->len;
	h2->padding = 0;
	h2->is_padding_due = (frame->flags & H2_PADDED) != 0;
	if (frame->id == 0 || h2_is_idle(h2, frame->id)) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "DATA for a stream that was not begun");
		return;
	}
	if (h2->is_padding_due && frame->len == 0) {
		h2_fail(h2, H2_FRAME_SIZE_ERROR, "padding of DATA that is not there");
		return;
	}
	if (!take_window(&h2->window, frame->len)) {
		h2_fail(h2, H2_FLOW_CONTROL_ERROR, "more DATA than the connection's window");
		return;
	}
	struct h2_stream *stream = h2_find(h2, frame->id);
	if (stream == NULL)
		return;
	if (stream->is_peer_ended)
		h2_stream_fail(stream, H2_STREAM_CLOSED, "DATA behind the end of its stream");
	else if (!stream->has_head)
		h2_stream_fail(stream, H2_PROTOCOL_ERROR, "DATA before the head");
	else if (!take_window(&stream->window, frame->len))
		h2_stream_fail(stream, H2_FLOW_CONTROL_ERROR, "more DATA than the stream's window");
	else if (!h2->is_padding_due)
		check_length(h2);
}

/* Nobody waits for these bytes. */
static void drop_data(struct h2 *h2, struct h2_stream *stream, size_t len)
{
	h2_consume_connection(h2, len);
	if (stream != NULL)
		h2_consume(stream, len);
}

static void take_padding_length(struct h2 *h2, uint8_t padding)
{
	h2->is_padding_due = false;
	h2->left--;
	drop_data(h2, h2_find(h2, h2->frame.id), 1);
	if (padding > h2->left)
		h2_fail(h2, H2_PROTOCOL_ERROR, "padding longer than its frame");
	h2->padding = padding;
	if (!h2->is_terminated && !h2->is_stopped)
		check_length(h2);
}

static void take_body(struct h2 *h2, const uint8_t *data, size_t len)
{
	struct h2_stream *stream = h2_find(h2, h2->frame.id);
	if (stream == NULL) {
		drop_data(h2, NULL, len);
		return;
	}
	h2->events->on_body(stream, data, len);
}

static void end_data(struct h2 *h2)
{
	struct h2_stream *stream = h2_find(h2, h2->frame.id);
	h2->frame = (struct h2_frame){0};
	if (stream != NULL)
		h2_end_peer(stream);
}

/* A piece of the payload. Returns how much of it was used. */
static size_t take_data(struct h2 *h2, const uint8_t *data, size_t len)
{
	if (h2->is_padding_due) {
		take_padding_length(h2, data[0]);
		return 1;
	}
	size_t body = h2->left > h2->padding ? h2->left - h2->padding : 0;
	size_t used = body > 0 ? body : h2->left;
	if (used > len)
		used = len;
	h2->left -= used;
	if (body > 0)
		take_body(h2, data, used);
	else
		drop_data(h2, h2_find(h2, h2->frame.id), used);
	return used;
}

/* --- frames ------------------------------------------------------------------------------------
 */

/* Its payload comes in pieces. */
static bool is_streamed(const struct h2_frame *frame)
{
	return frame->type == H2_DATA || frame->type > H2_CONTINUATION;
}

/* What may be said of a frame by its header alone; false: the connection is over. */
static bool check_header(struct h2 *h2, const struct h2_frame *frame)
{
	if (frame->len > H2_FRAME_PAYLOAD_MAX) {
		h2_fail(h2, H2_FRAME_SIZE_ERROR, "a frame larger than SETTINGS allow");
		return false;
	}
	bool is_first = frame->type == H2_SETTINGS && (frame->flags & H2_ACK) == 0;
	if (!h2->has_settings && !is_first) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "SETTINGS are not its first frame");
		return false;
	}
	bool is_next = frame->type == H2_CONTINUATION && frame->id == h2->head.id;
	bool is_in_head = h2->head.id != 0;
	if (is_in_head != (frame->type == H2_CONTINUATION) || (is_in_head && !is_next)) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "a head that is torn by other frames");
		return false;
	}
	return true;
}

/* A header came. */
static bool begin_frame(struct h2 *h2, const struct h2_frame *frame)
{
	if (!check_header(h2, frame))
		return false;
	h2->events->on_frame(h2->arg, frame);
	if (!is_streamed(frame) || h2->is_terminated || h2->is_stopped)
		return true;
	h2->frame = *frame;
	h2->left = frame->len;
	if (frame->type == H2_DATA)
		begin_data(h2);
	return true;
}

static void end_streamed(struct h2 *h2)
{
	bool is_end = h2->frame.type == H2_DATA && (h2->frame.flags & H2_END_STREAM) != 0;
	if (is_end)
		end_data(h2);
	h2->frame = (struct h2_frame){0};
}

static size_t take_streamed(struct h2 *h2, const uint8_t *data, size_t len)
{
	if (h2->frame.type == H2_DATA)
		return take_data(h2, data, len);
	size_t used = len < h2->left ? len : h2->left;
	h2->left -= used;
	return used;
}

/* The beginning of a frame gathers until it is whole. */
static bool gather(struct h2 *h2, const uint8_t *data, size_t len, size_t *used)
{
	size_t whole = H2_FRAME_HEADER;
	if (h2->in.len >= H2_FRAME_HEADER)
		whole += h2_frame_read((const uint8_t *)h2->in.data).len;
	*used = whole - h2->in.len < len ? whole - h2->in.len : len;
	buf_append(&h2->in, data, *used);
	if (h2->in.len < whole)
		return true;
	struct h2_frame frame = h2_frame_read((const uint8_t *)h2->in.data);
	if (whole == H2_FRAME_HEADER) {
		if (!begin_frame(h2, &frame))
			return true;
		if (is_streamed(&frame))
			buf_clear(&h2->in);
		if (is_streamed(&frame) || frame.len > 0)
			return true;
	}
	struct buf in = h2->in;
	h2->in = (struct buf){0};
	bool is_right = h2->is_terminated || h2->is_stopped ||
			h2_take_frame(h2, &frame, (const uint8_t *)in.data + H2_FRAME_HEADER);
	buf_free_secret(&in);
	return is_right;
}

/* The next frame, from the bytes that came when it stands there whole. */
static bool take_next(struct h2 *h2, const uint8_t *data, size_t len, size_t *used)
{
	if (h2->in.len > 0 || len < H2_FRAME_HEADER)
		return gather(h2, data, len, used);
	struct h2_frame frame = h2_frame_read(data);
	if (!is_streamed(&frame) && len - H2_FRAME_HEADER < frame.len &&
	    frame.len <= H2_FRAME_PAYLOAD_MAX)
		return gather(h2, data, len, used);
	*used = H2_FRAME_HEADER;
	if (!begin_frame(h2, &frame) || is_streamed(&frame))
		return true;
	if (h2->is_terminated || h2->is_stopped)
		return true;
	*used += frame.len;
	return h2_take_frame(h2, &frame, data + H2_FRAME_HEADER);
}

bool h2_receive(struct h2 *h2, const uint8_t *data, size_t len)
{
	while (len > 0 && !h2->is_terminated && !h2->is_stopped) {
		size_t used = 0;
		bool is_right = true;
		if (h2->options.is_server && h2->preface < H2_PREFACE_LEN)
			is_right = h2_take_preface(h2, data, len, &used);
		else if (h2->left > 0)
			used = take_streamed(h2, data, len);
		else
			is_right = take_next(h2, data, len, &used);
		if (!is_right || h2->reason != NULL)
			return false;
		data += used;
		len -= used;
		bool is_whole = h2->left == 0 && h2->in.len == 0 && !h2->is_terminated;
		if (is_whole && !h2->is_stopped)
			end_streamed(h2);
	}
	return h2->reason == NULL;
}

bool h2_is_head_begun(const struct h2 *h2)
{
	bool is_gathered = h2->in.len >= H2_FRAME_HEADER && h2->in.data[3] == H2_HEADERS;
	return is_gathered || h2->head.id != 0;
}
