/* Frames other than DATA (RFC 9113, 6): what they change. A frame that breaks a rule ends its
 * stream or the connection, as the rule says. Called by h2_receive.c. */
#include "kubeproxyd/http/h2_private.h"

#define SETTING_LEN 6u
/* No peer in good faith sends more in one frame. */
#define SETTINGS_MAX   32u
#define FRAME_SIZE_MAX 16777215u

void h2_fail(struct h2 *h2, uint32_t code, const char *why)
{
	if (h2->is_terminated || h2->is_stopped)
		return;
	h2->events->on_malformed(h2->arg, NULL, why);
	if (!h2->is_stopped)
		h2_terminate(h2, code);
}

void h2_stream_fail(struct h2_stream *stream, uint32_t code, const char *why)
{
	struct h2 *h2 = stream->h2;
	uint32_t id = stream->id;
	h2->events->on_malformed(h2->arg, stream, why);
	if (h2->is_stopped || h2_find(h2, id) != stream)
		return;
	h2_stream_reset(stream, code, h2_put_reply);
	if (!h2->is_stopped)
		h2->events->on_close(stream, code);
}

bool h2_is_idle(const struct h2 *h2, uint32_t id)
{
	return (id & 1) == 0 || id > h2->highest;
}

/* --- windows -----------------------------------------------------------------------------------
 */

static void take_stream_window(struct h2 *h2, uint32_t id, uint32_t more)
{
	if (h2_is_idle(h2, id)) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "WINDOW_UPDATE for a stream that was not begun");
		return;
	}
	struct h2_stream *stream = h2_find(h2, id);
	if (stream == NULL)
		return;
	if (more == 0) {
		h2_stream_fail(stream, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of nothing");
		return;
	}
	if (stream->credit + more > H2_WINDOW_MAX) {
		h2_stream_fail(stream, H2_FLOW_CONTROL_ERROR, "a window beyond all bounds");
		return;
	}
	stream->credit += more;
	h2_resume(stream);
}

static void resume_each(struct h2_stream *stream, int64_t number)
{
	(void)number;
	h2_resume(stream);
}

static void take_connection_window(struct h2 *h2, uint32_t more)
{
	if (more == 0) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "WINDOW_UPDATE of nothing");
		return;
	}
	if (h2->credit + more > H2_WINDOW_MAX) {
		h2_fail(h2, H2_FLOW_CONTROL_ERROR, "a window beyond all bounds");
		return;
	}
	bool was_closed = h2->credit <= 0;
	h2->credit += more;
	if (was_closed)
		h2_each(h2, resume_each, 0);
}

static void take_window_update(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload)
{
	uint32_t more = h2_read_u32(payload) & H2_STREAM_ID_MAX;
	if (frame->id == 0)
		take_connection_window(h2, more);
	else
		take_stream_window(h2, frame->id, more);
}

/* --- SETTINGS ----------------------------------------------------------------------------------
 */

static void change_credit(struct h2_stream *stream, int64_t more)
{
	stream->credit += more;
	h2_resume(stream);
}

static void take_initial_window(struct h2 *h2, uint32_t value)
{
	int64_t more = (int64_t)value - h2->initial_credit;
	if (value > H2_WINDOW_MAX || (more > 0 && h2_largest_credit(h2) > H2_WINDOW_MAX - more)) {
		h2_fail(h2, H2_FLOW_CONTROL_ERROR, "a window beyond all bounds");
		return;
	}
	h2->initial_credit = value;
	h2_each(h2, change_credit, more);
}

static void take_setting(struct h2 *h2, unsigned name, uint32_t value)
{
	switch (name) {
	case H2_HEADER_TABLE_SIZE:
		/* A smaller table must be acknowledged (RFC 7541, 4.2): none is used then. */
		if (value < HPACK_TABLE_DEFAULT)
			h2->owes_table_size = h2->is_table_closed = true;
		break;
	case H2_ENABLE_PUSH:
		if (value > 1 || (value == 1 && !h2->options.is_server))
			h2_fail(h2, H2_PROTOCOL_ERROR, "ENABLE_PUSH with a wrong value");
		break;
	case H2_MAX_CONCURRENT_STREAMS:
		h2->peer_streams_max = value;
		break;
	case H2_INITIAL_WINDOW_SIZE:
		take_initial_window(h2, value);
		break;
	case H2_MAX_FRAME_SIZE:
		if (value < H2_FRAME_PAYLOAD_MAX || value > FRAME_SIZE_MAX)
			h2_fail(h2, H2_PROTOCOL_ERROR, "MAX_FRAME_SIZE with a wrong value");
		break;
	case H2_ENABLE_CONNECT_PROTOCOL:
		if (value > 1)
			h2_fail(
			    h2, H2_PROTOCOL_ERROR, "ENABLE_CONNECT_PROTOCOL with a wrong value");
		break;
	default:
		break;
	}
}

static void take_settings(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload)
{
	if ((frame->flags & H2_ACK) != 0) {
		if (frame->len > 0)
			h2_fail(h2, H2_FRAME_SIZE_ERROR, "SETTINGS that acknowledge and set");
		else if (h2->acks_due == 0)
			h2_fail(h2, H2_PROTOCOL_ERROR, "SETTINGS that acknowledge nothing");
		else
			h2->acks_due--;
		return;
	}
	if (frame->len % SETTING_LEN != 0) {
		h2_fail(h2, H2_FRAME_SIZE_ERROR, "SETTINGS of a wrong length");
		return;
	}
	if (frame->len / SETTING_LEN > SETTINGS_MAX) {
		h2_fail(h2, H2_ENHANCE_YOUR_CALM, "too many SETTINGS in one frame");
		return;
	}
	if (!h2->has_settings && !h2->options.is_server)
		h2->peer_streams_max = UINT32_MAX; /* unless it says so now (6.5.2) */
	h2->has_settings = true;
	for (size_t at = 0; at < frame->len && !h2->is_terminated; at += SETTING_LEN)
		take_setting(h2, (unsigned)payload[at] << 8 | payload[at + 1],
		    h2_read_u32(payload + at + 2));
	if (!h2->is_terminated)
		h2_put_reply(h2, &(struct h2_frame){.type = H2_SETTINGS, .flags = H2_ACK}, NULL);
}

/* --- the others --------------------------------------------------------------------------------
 */

static void take_ping(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload)
{
	struct h2_frame answer = {.len = frame->len, .type = H2_PING, .flags = H2_ACK};
	if ((frame->flags & H2_ACK) == 0)
		h2_put_reply(h2, &answer, payload);
}

static void take_reset(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload)
{
	if (h2_is_idle(h2, frame->id)) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "RST_STREAM for a stream that was not begun");
		return;
	}
	struct h2_stream *stream = h2_find(h2, frame->id);
	if (stream != NULL)
		h2_stream_close(stream, h2_read_u32(payload));
}

/* The streams above the last one are not processed, and may be asked for elsewhere (6.8). */
static void take_goaway(struct h2 *h2, const uint8_t *payload)
{
	uint32_t last = h2_read_u32(payload) & H2_STREAM_ID_MAX;
	h2->has_heard_goaway = true;
	if (h2->options.is_server)
		return;
	struct h2_stream *stream;
	while (!h2->is_stopped && (stream = h2_first_above(h2, last)) != NULL)
		h2_stream_close(stream, H2_REFUSED_STREAM);
	while (!h2->is_stopped && (stream = TAILQ_FIRST(&h2->waiting)) != NULL)
		h2_stream_close(stream, H2_REFUSED_STREAM);
}

/* The length that a type has; false: it has another. */
static bool has_length(const struct h2_frame *frame)
{
	switch (frame->type) {
	case H2_PRIORITY:
		return frame->len == 5;
	case H2_RST_STREAM:
	case H2_WINDOW_UPDATE:
		return frame->len == 4;
	case H2_PING:
		return frame->len == 8;
	case H2_GOAWAY:
		return frame->len >= 8;
	default:
		return true;
	}
}

static bool is_of_connection(const struct h2_frame *frame)
{
	return frame->type == H2_SETTINGS || frame->type == H2_PING || frame->type == H2_GOAWAY;
}

bool h2_take_frame(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload)
{
	bool is_astray =
	    frame->type != H2_WINDOW_UPDATE && is_of_connection(frame) != (frame->id == 0);
	if (is_astray) {
		h2_fail(h2, H2_PROTOCOL_ERROR, "a frame for a stream that it cannot be for");
		return true;
	}
	if (!has_length(frame)) {
		h2_fail(h2, H2_FRAME_SIZE_ERROR, "a frame of a wrong length");
		return true;
	}
	switch (frame->type) {
	case H2_HEADERS:
		h2_take_head(h2, frame, payload);
		break;
	case H2_CONTINUATION:
		h2_take_continuation(h2, frame, payload);
		break;
	case H2_RST_STREAM:
		take_reset(h2, frame, payload);
		break;
	case H2_SETTINGS:
		take_settings(h2, frame, payload);
		break;
	case H2_PUSH_PROMISE:
		h2_fail(h2, H2_PROTOCOL_ERROR, "PUSH_PROMISE, which nobody asked for");
		break;
	case H2_PING:
		take_ping(h2, frame, payload);
		break;
	case H2_GOAWAY:
		take_goaway(h2, payload);
		break;
	case H2_WINDOW_UPDATE:
		take_window_update(h2, frame, payload);
		break;
	default:
		break; /* PRIORITY says nothing any more (5.3.2) */
	}
	return h2->reason == NULL;
}
