/* See h2_duel.h. */
#include "tests/fuzz/h2_duel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubeproxyd/http/h2_frame.h"
#include "tests/fuzz/h2_reference.h"

#define CLIENT_REQUESTS 5u

static struct stage stage;
static struct reference reference;
static size_t taken; /* of the connection's credit */

static void require(bool is_right, const char *what)
{
	if (is_right)
		return;
	fprintf(stderr, "h2: %s\n", what);
	abort();
}

/* --- what holds always --------------------------------------------------------------------------
 */

static void check_window(const struct h2_window *window, bool is_over)
{
	require(
	    window->consumed >= 0 && window->consumed <= window->used, "credit beyond what came");
	require(is_over || window->used <= window->size, "more than a window");
}

static void check_engine(void)
{
	const struct h2 *h2 = &stage.h2;
	size_t open = 0, waiting = 0;
	for (size_t i = 0; i < stage.count; i++) {
		const struct h2_stream *stream = &stage.requests[i]->h2;
		if (stream->h2 == NULL)
			continue;
		open += !stream->is_waiting;
		waiting += stream->is_waiting;
		check_window(&stream->window, h2->is_terminated);
		require(stream->credit <= H2_WINDOW_MAX, "a window beyond all bounds");
	}
	const struct h2_stream *stream;
	TAILQ_FOREACH(stream, &h2->waiting, entry)
	waiting--;
	require(open == h2->count && waiting == 0, "streams that are miscounted");
	check_window(&h2->window, h2->is_terminated);
	require(h2->credit <= H2_WINDOW_MAX, "a window beyond all bounds");
	require(h2->in.len <= H2_FRAME_HEADER + H2_FRAME_PAYLOAD_MAX, "much of a frame");
	require(h2->block.len <= (h2->options.continuations_max + 1) * H2_FRAME_PAYLOAD_MAX,
	    "much of a head");
	require(h2->out.len <= 1100 * 64, "much to be said");
}

static void begin(bool is_server)
{
	stage_open(&stage, is_server);
	taken = 0;
	for (unsigned i = 0; i < CLIENT_REQUESTS && !is_server; i++)
		stage_submit(&stage, i % 2 == 0, i == 2);
	h2_flush(&stage.h2);
}

/* --- both ---------------------------------------------------------------------------------------
 */

static const char *value_of(const struct buf *fields, const char *name, char *value, size_t size)
{
	const char *at = strstr(buf_text(fields), name);
	if (at == NULL)
		return "";
	snprintf(value, size, "%s", at + strlen(name));
	char *end = strstr(value, ", ");
	if (end != NULL)
		*end = '\0';
	return value;
}

/* What nghttp2 holds of :path, :authority, :method and :scheme is for session_h2 to judge (RFC
 * 9113, 8.3.1 makes a message malformed only for what is missing). */
static bool is_odd(const struct buf *fields)
{
	char text[4096];
	const char *value = value_of(fields, ":path: ", text, sizeof text);
	if (!nghttp2_check_path((const uint8_t *)value, strlen(value)))
		return true;
	value = value_of(fields, ":authority: ", text, sizeof text);
	if (!nghttp2_check_authority((const uint8_t *)value, strlen(value)))
		return true;
	value = value_of(fields, "host: ", text, sizeof text);
	if (!nghttp2_check_authority((const uint8_t *)value, strlen(value)))
		return true;
	value = value_of(fields, ":scheme: ", text, sizeof text);
	return strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") !=
		   strlen(value) ||
	       strchr("0123456789+-.", value[0]) != NULL;
}

static bool is_why(const char *why)
{
	return stage.why != NULL && strcmp(stage.why, why) == 0;
}

/* The connection is over for one of the two only. */
static bool may_end(const struct h2_frame *frame, const uint8_t *payload, bool is_ours)
{
	/* An error of a stream may be taken for one of the connection (5.4). */
	if (is_ours ? reference.why != 0 : stage.why != NULL)
		return true;
	/* nghttp2 judges the last of equal settings alone (against 6.5.3), and knows more of them
	 * (RFC 8441, RFC 9218). */
	if (frame->type == H2_SETTINGS)
		return true;
	/* Ours minds identifiers that were passed over (5.1.1), and padding where a stream is
	 * closed (6.1). */
	if (is_ours)
		return is_why("a stream that was passed over") ||
		       is_why("padding of DATA that is not there") ||
		       is_why("padding longer than its frame");
	/* What 6.8 asks of whoever sends GOAWAY costs the receiver nothing. */
	if (frame->type == H2_GOAWAY)
		return true;
	/* Ours judges a head when it is whole. */
	if (stage.h2.head.id != 0)
		return true;
	/* Frames on streams that are closed may be an error (5.1); ours passes over them. */
	bool is_late = (frame->type == H2_DATA || frame->type == H2_HEADERS ||
			   frame->type == H2_CONTINUATION) &&
		       frame->id <= stage.h2.highest;
	if (is_late)
		return true;
	/* Priorities mean nothing any more (5.3.2), not even a stream's own. */
	size_t at = frame->type == H2_HEADERS && (frame->flags & H2_PADDED) != 0 ? 1 : 0;
	bool has_priority = frame->type == H2_PRIORITY || (frame->flags & H2_HAS_PRIORITY) != 0;
	return has_priority && frame->len >= at + 4 &&
	       (h2_read_u32(payload + at) & H2_STREAM_ID_MAX) == frame->id;
}

/* A stream is closed by one of the two only. */
static bool may_close(const struct stage_request *request, bool is_ours)
{
	(void)is_ours;
	return is_odd(&request->fields);
}

static void complain(const char *what, const struct h2_frame *frame, uint32_t id)
{
	fprintf(stderr,
	    "h2_duel: %s: frame %u flags %x stream %u; of stream %u; ours: %s; theirs: %s\n", what,
	    frame->type, frame->flags, frame->id, id, stage.why != NULL ? stage.why : "-",
	    nghttp2_strerror(reference.why));
	abort();
}

/* False: they differ, as they may. */
static bool compare_request(const struct h2_frame *frame, const struct stage_request *request)
{
	uint32_t id = request->h2.id;
	struct reference_stream *theirs = reference_find(&reference, id);
	bool is_closed = request->h2.h2 == NULL;
	if (theirs == NULL) {
		if (!is_closed && request->h2.has_head)
			complain("unknown to them", frame, id);
		return true;
	}
	if (is_closed != theirs->is_closed) {
		if (may_close(request, is_closed))
			return false;
		complain(is_closed ? "closed by us" : "closed by them", frame, id);
	}
	if (is_closed)
		return true;
	if (request->h2.has_head != theirs->has_head)
		complain("a head", frame, id);
	if (request->h2.has_head &&
	    strcmp(buf_text(&request->fields), buf_text(&theirs->fields)) != 0)
		complain("fields", frame, id);
	if (request->received != theirs->received || request->digest != theirs->digest)
		complain("a body", frame, id);
	if (request->h2.is_peer_ended != theirs->has_end)
		complain("an end", frame, id);
	return true;
}

static bool compare(const struct h2_frame *frame, const uint8_t *payload)
{
	bool is_dead = stage.is_refused || stage.h2.is_terminated;
	if (is_dead != reference.is_dead) {
		if (!may_end(frame, payload, is_dead))
			complain(is_dead ? "dead by us" : "dead by them", frame, 0);
		return false;
	}
	if (is_dead || h2_is_done(&stage.h2))
		return false;
	/* Of a head that has not all come theirs has told a part. */
	if (stage.h2.head.id != 0)
		return true;
	for (size_t i = 0; i < stage.count; i++)
		if (stage.requests[i]->h2.id != 0 && !compare_request(frame, stage.requests[i]))
			return false;
	return true;
}

static void begin_reference(bool is_server)
{
	static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};
	reference_open(&reference, is_server, stage.h2.options.continuations_max);
	if (is_server)
		reference_hear(&reference, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	reference_hear(&reference, settings, sizeof settings);
	for (unsigned i = 0; i < CLIENT_REQUESTS && !is_server; i++)
		reference_submit(&reference, i % 2 == 0, i == 2);
}

void duel_run(bool is_server, const uint8_t *frames, size_t len, size_t piece)
{
	begin(is_server);
	begin_reference(is_server);
	stage.piece = piece;
	bool goes_on = true;
	while (goes_on && len >= H2_FRAME_HEADER) {
		struct h2_frame frame = h2_frame_read(frames);
		size_t whole = H2_FRAME_HEADER + frame.len;
		if (whole > len)
			whole = len;
		stage.why = NULL;
		reference.why = 0;
		stage_hear(&stage, frames, whole);
		h2_flush(&stage.h2);
		reference_hear(&reference, frames, whole);
		check_engine();
		goes_on = whole == H2_FRAME_HEADER + frame.len &&
			  compare(&frame, frames + H2_FRAME_HEADER);
		frames += whole;
		len -= whole;
	}
	(void)stage_said(&stage);
	reference_close(&reference);
	stage_close(&stage);
}

/* --- one ----------------------------------------------------------------------------------------
 */

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static void answer(struct stage_request *request, uint32_t value)
{
	if (request->h2.is_ended || !stage.h2.options.is_server)
		return;
	buf_append(h2_head_open(&request->h2), "\x88", 1);
	h2_head_close(&request->h2, value % 4 == 0);
}

static void act_on(struct stage_request *request, uint32_t value)
{
	switch (value % 6) {
	case 0:
		if (request->to_send == 0 && !request->is_last)
			answer(request, value / 6);
		break;
	case 1:
		request->to_send += request->is_last ? 0 : value * 7 % 30000 + 1;
		h2_resume(&request->h2);
		break;
	case 2:
		request->is_last = true;
		request->has_trailers = stage.h2.options.is_server && value % 4 == 0;
		h2_resume(&request->h2);
		break;
	case 3:
		request->is_over = true;
		h2_reset(&request->h2, value % 10);
		break;
	case 4:
		h2_widen(&request->h2, value * 5);
		break;
	default: {
		size_t untaken = request->received - request->taken;
		request->taken += untaken;
		h2_consume(&request->h2, untaken);
		break;
	}
	}
}

static void act_once(uint32_t *seed)
{
	uint32_t value = next(seed);
	stage.room += next(seed) % 20000;
	if (value % 64 == 0)
		h2_ping(&stage.h2);
	else if (value % 64 == 1)
		h2_notice(&stage.h2);
	else if (value % 256 == 2)
		h2_goaway(&stage.h2);
	else if (value % 16 == 3 && !stage.h2.options.is_server && h2_may_submit(&stage.h2) &&
		 stage.count < 200)
		stage_submit(&stage, next(seed) % 2 == 0, false);
	if (value % 3 == 0) {
		h2_consume_connection(&stage.h2, stage.received - taken);
		taken = stage.received;
	}
	if (stage.count == 0)
		return;
	struct stage_request *request = stage.requests[next(seed) % stage.count];
	if (request->h2.h2 != NULL)
		act_on(request, next(seed));
}

void duel_act(bool is_server, const uint8_t *frames, size_t len, size_t piece, uint32_t seed)
{
	begin(is_server);
	stage.room = 100;
	if (piece == 0)
		piece = 16;
	for (size_t at = 0; at < len && !stage.is_refused && !stage.h2.is_stopped; at += piece) {
		stage_hear(&stage, frames + at, len - at < piece ? len - at : piece);
		check_engine();
		for (unsigned i = 0; i < 3; i++)
			act_once(&seed);
		h2_flush(&stage.h2);
		check_engine();
		if (next(&seed) % 4096 == 0)
			h2_stop(&stage.h2);
	}
	stage.room = SIZE_MAX;
	h2_flush(&stage.h2);
	(void)stage_said(&stage);
	stage_close(&stage);
}
