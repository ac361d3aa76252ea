/* Heads and trailers: HEADERS and what continues it, joined, decoded and held to the grammar.
 * Whatever becomes of a head, its block is decoded, since all heads of a connection share one
 * compression table. Called by h2_frames.c. */
#include "kubeproxyd/http/h2_private.h"
#include "kubeproxyd/http/h2_rules.h"

#define PRIORITY_LEN 5u
/* A head that is larger than it may be is answered; its block, which must be kept until it is whole
 * and may be a stranger's, is taken so far beyond the limit. */
#define BLOCK_EXTRA ((size_t)64 * 1024)

struct reading {
	struct h2 *h2;
	struct h2_stream *stream;
	uint32_t id;
	struct h2_rules rules;
	const char *error;
};

/* Its owner may have ended the stream, or the connection, in an event. */
static bool is_wanted(const struct reading *reading)
{
	return !reading->h2->is_terminated &&
	       h2_is_still(reading->h2, reading->stream, reading->id);
}

static void take_field(void *arg, const struct hpack_field *field)
{
	struct reading *reading = arg;
	if (reading->error != NULL || !is_wanted(reading))
		return;
	reading->error = h2_rules_take(&reading->rules, field);
	if (reading->error == NULL)
		reading->error =
		    reading->h2->events->on_field(reading->stream, field, reading->rules.traits);
}

/* False: the table of the connection is lost. */
static bool decode(struct h2 *h2, const uint8_t *block, size_t len, struct reading *reading)
{
	if (hpack_decode(&h2->decoder, block, len, reading != NULL ? take_field : NULL, reading))
		return true;
	h2_fail(h2, H2_COMPRESSION_ERROR, "a head that is not HPACK");
	return false;
}

/* --- a head that has come ----------------------------------------------------------------------
 */

void h2_end_peer(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	uint32_t id = stream->id;
	if (stream->missing > 0) {
		h2_stream_fail(stream, H2_PROTOCOL_ERROR, "a body shorter than its content-length");
		return;
	}
	stream->is_peer_ended = true;
	h2->events->on_end(stream);
	if (!h2->is_stopped && h2_find(h2, id) == stream && stream->is_ended)
		h2_stream_close(stream, H2_NO_ERROR);
}

/* What content-length says about the body that follows (RFC 9110, 8.6). */
static const char *expect_body(struct h2_stream *stream, const struct h2_rules *rules, bool is_end)
{
	bool is_bodiless = rules->kind == H2_ANSWER_HEAD &&
			   (stream->is_of_head || rules->status == 204 || rules->status == 304);
	if (is_bodiless)
		stream->missing = 0;
	else if (rules->has_length)
		stream->missing = rules->length;
	if (is_end && stream->missing > 0)
		return "a body shorter than its content-length";
	return NULL;
}

static void tell_head(struct h2_stream *stream, bool is_end)
{
	struct h2 *h2 = stream->h2;
	uint32_t id = stream->id;
	stream->has_head = true;
	stream->is_peer_ended = is_end;
	h2->events->on_head(stream, is_end);
	bool is_over = is_end && !h2->is_stopped && h2_find(h2, id) == stream && stream->is_ended;
	if (is_over)
		h2_stream_close(stream, H2_NO_ERROR);
}

static void end_head(struct reading *reading, bool is_end)
{
	struct h2_stream *stream = reading->stream;
	const struct h2_rules *rules = &reading->rules;
	const char *error = reading->error != NULL ? reading->error : h2_rules_end(rules);
	bool is_interim = rules->kind == H2_ANSWER_HEAD && rules->status < 200;
	if (error == NULL && is_interim)
		error = is_end		    ? "an interim answer that ends its stream"
			: rules->has_length ? "an interim answer with content-length"
					    : NULL;
	else if (error == NULL && rules->kind != H2_TRAILERS)
		error = expect_body(stream, rules, is_end);
	if (error != NULL)
		h2_stream_fail(stream, H2_PROTOCOL_ERROR, error);
	else if (rules->kind == H2_TRAILERS)
		h2_end_peer(stream);
	else if (!is_interim)
		tell_head(stream, is_end);
}

/* --- whose head it is --------------------------------------------------------------------------
 */

static void refuse(struct h2 *h2, uint32_t id)
{
	uint8_t payload[4];
	h2_write_u32(payload, H2_REFUSED_STREAM);
	h2_put_reply(h2, &(struct h2_frame){.len = sizeof payload, .type = H2_RST_STREAM, .id = id},
	    payload);
	h2->events->on_reset(h2->arg);
}

/* A request, unless no more are taken. NULL: what it says does not matter. */
static struct h2_stream *open_request(struct h2 *h2, uint32_t id)
{
	bool is_new = id > h2->highest;
	if (!stream_ids_take(&h2->ids, (int32_t)id)) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "a stream that was passed over");
		return NULL;
	}
	if (is_new)
		h2->highest = id;
	/* Trailers of a stream that is closed, or not one of those that will be served. */
	if (!is_new || h2->has_said_goaway) {
		h2->events->on_stray(h2->arg);
		return NULL;
	}
	if (h2->count >= h2->options.streams_max) {
		refuse(h2, id);
		return NULL;
	}
	struct h2_stream *stream = h2->events->on_open(h2->arg);
	h2_stream_open(h2, stream, id);
	return stream;
}

/* The stream that a head is for. NULL: none that is open; the connection may be over. */
static struct h2_stream *stream_of(struct h2 *h2, uint32_t id)
{
	struct h2_stream *stream = h2_find(h2, id);
	if (stream != NULL)
		return stream;
	if (h2->options.is_server && (id & 1) != 0)
		return open_request(h2, id);
	if (h2_is_idle(h2, id))
		h2_fail(h2, H2_PROTOCOL_ERROR, "HEADERS for a stream that was not begun");
	return NULL;
}

static void take_block(
    struct h2 *h2, const struct h2_frame *frame, const uint8_t *block, size_t len)
{
	bool is_end = (frame->flags & H2_END_STREAM) != 0;
	struct h2_stream *stream = stream_of(h2, frame->id);
	if (h2->is_terminated || h2->is_stopped)
		return;
	if (stream == NULL || stream->is_peer_ended) {
		if (decode(h2, block, len, NULL) && stream != NULL)
			h2_stream_fail(
			    stream, H2_STREAM_CLOSED, "HEADERS behind the end of its stream");
		return;
	}
	struct reading reading = {.h2 = h2, .stream = stream, .id = frame->id};
	reading.rules.kind = stream->has_head	     ? H2_TRAILERS
			     : h2->options.is_server ? H2_REQUEST_HEAD
						     : H2_ANSWER_HEAD;
	if (stream->has_head && !is_end)
		reading.error = "trailers that do not end their stream";
	else if (!stream->has_head && !h2->options.is_server)
		h2->events->on_head_begin(stream);
	if (decode(h2, block, len, &reading) && is_wanted(&reading))
		end_head(&reading, is_end);
}

/* --- frames ------------------------------------------------------------------------------------
 */

void h2_take_head(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload)
{
	size_t len = frame->len, skipped = 0, padding = 0;
	bool is_padded = (frame->flags & H2_PADDED) != 0;
	if (is_padded && len > 0)
		padding = payload[0];
	if (is_padded)
		skipped++;
	if ((frame->flags & H2_HAS_PRIORITY) != 0)
		skipped += PRIORITY_LEN;
	if (skipped > len) {
		h2_fail(h2, H2_FRAME_SIZE_ERROR, "HEADERS of a wrong length");
		return;
	}
	if (padding > len - skipped) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "padding longer than its frame");
		return;
	}
	const uint8_t *block = payload + skipped;
	len -= skipped + padding;
	if ((frame->flags & H2_END_HEADERS) != 0) {
		take_block(h2, frame, block, len);
		return;
	}
	h2->head = *frame;
	h2->continuations = 0;
	buf_append(&h2->block, block, len);
}

void h2_take_continuation(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload)
{
	if (++h2->continuations > h2->options.continuations_max) {
		h2_fail(h2, H2_ENHANCE_YOUR_CALM, "a head in too many frames");
		return;
	}
	if (h2->block.len + frame->len > (size_t)h2->options.header_list_max + BLOCK_EXTRA) {
		h2_fail(h2, H2_ENHANCE_YOUR_CALM, "a head far larger than SETTINGS allow");
		return;
	}
	if (frame->len > 0)
		buf_append(&h2->block, payload, frame->len);
	if ((frame->flags & H2_END_HEADERS) == 0)
		return;
	struct buf block = h2->block;
	struct h2_frame head = h2->head;
	h2->block = (struct buf){0};
	h2->head = (struct h2_frame){0};
	take_block(h2, &head, (const uint8_t *)block.data, block.len);
	buf_free_secret(&block);
}
