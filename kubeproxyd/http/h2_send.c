/* What is said. Frames without a body gather in `out`, which goes to the transport before any body
 * does; bodies are asked for frame by frame, each stream in its turn, as the peer's windows and the
 * transport allow. */
#include <string.h>

#include "kubeproxyd/http/h2_private.h"
#include "kubeproxyd/http/hpack.h"

/* So many frames that a peer made us send wait when it reads none of them: it means harm. */
#define REPLIES_MAX 1000u
/* What a server has to say for each stream while its client reads nothing: answers' heads. More is
 * of requests that the client gave up: it means harm, too. */
#define OUT_PER_STREAM ((size_t)16 * 1024)
#define OUT_MIN	       ((size_t)1024 * 1024)
/* Memory of `out`, which is needed for a moment each turn, goes around among all connections. */
#define SPARE_MAX ((size_t)32 * 1024)
#define SPARES	  16

static struct buf spares[SPARES];
static size_t spare_count;

static struct buf *take_out(struct h2 *h2)
{
	if (h2->out.data == NULL && spare_count > 0)
		h2->out = spares[--spare_count];
	return &h2->out;
}

/* It held credentials. */
static void give_out(struct h2 *h2)
{
	explicit_bzero(h2->out.data, h2->out.len);
	buf_clear(&h2->out);
	if (h2->out.cap > SPARE_MAX || spare_count == SPARES)
		buf_free(&h2->out);
	else
		spares[spare_count++] = h2->out;
	h2->out = (struct buf){0};
}

static void check_out(struct h2 *h2)
{
	size_t most = h2->options.streams_max * OUT_PER_STREAM;
	if (h2->options.is_server && h2->out.len > (most > OUT_MIN ? most : OUT_MIN))
		h2->reason = "it makes the proxy answer and does not read the answers";
}

static void write_out(struct h2 *h2)
{
	if (h2->out.len == 0)
		return;
	h2->events->write(h2->arg, h2->out.data, h2->out.len);
	h2->written += h2->out.len;
	h2->replies = 0;
	give_out(h2);
}

/* --- frames ------------------------------------------------------------------------------------
 */

void h2_put_frame(struct h2 *h2, const struct h2_frame *frame, const void *payload)
{
	struct buf *out = take_out(h2);
	uint8_t header[H2_FRAME_HEADER];
	h2_frame_write(header, frame);
	buf_append(out, header, sizeof header);
	if (frame->len > 0)
		buf_append(out, payload, frame->len);
	check_out(h2);
}

void h2_put_reply(struct h2 *h2, const struct h2_frame *frame, const void *payload)
{
	h2->replies++;
	if (h2->replies > REPLIES_MAX)
		h2->reason = "it makes the proxy answer and does not read the answers";
	else
		h2_put_frame(h2, frame, payload);
}

void h2_put_window(struct h2 *h2, uint32_t id, int64_t more)
{
	uint8_t payload[4];
	h2_write_u32(payload, (uint32_t)more);
	h2_put_frame(h2,
	    &(struct h2_frame){.len = sizeof payload, .type = H2_WINDOW_UPDATE, .id = id}, payload);
}

/* --- heads -------------------------------------------------------------------------------------
 */

static struct buf *head_buffer(struct h2_stream *stream)
{
	return stream->is_waiting ? &stream->waiting : take_out(stream->h2);
}

struct buf *h2_head_open(struct h2_stream *stream)
{
	static const uint8_t header[H2_FRAME_HEADER];
	struct h2 *h2 = stream->h2;
	struct buf *buf = head_buffer(stream);
	h2->open_at = buf->len;
	buf_append(buf, header, sizeof header);
	/* Not in one that waits: others may be written before it. */
	if (h2->owes_table_size && !stream->is_waiting) {
		h2->owes_table_size = false;
		hpack_append_table_size(buf, 0);
	}
	return buf;
}

struct hpack_kept *h2_head_kept(struct h2_stream *stream)
{
	/* What waits is written when others were, or never. */
	return stream->is_waiting || stream->h2->is_table_closed ? NULL : &stream->h2->kept;
}

/* A block that one frame does not take goes on in CONTINUATION frames, whose headers are put
 * between its pieces from the last one on. */
static void split_block(struct buf *buf, size_t at, size_t len, uint32_t id)
{
	size_t pieces = (len - 1) / H2_FRAME_PAYLOAD_MAX;
	buf_make_room(buf, pieces * H2_FRAME_HEADER);
	for (size_t i = pieces; i > 0; i--) {
		size_t from = at + i * H2_FRAME_PAYLOAD_MAX;
		size_t piece = i == pieces ? len - i * H2_FRAME_PAYLOAD_MAX : H2_FRAME_PAYLOAD_MAX;
		char *to = buf->data + from + i * H2_FRAME_HEADER;
		memmove(to, buf->data + from, piece);
		struct h2_frame frame = {.len = (uint32_t)piece, .type = H2_CONTINUATION, .id = id};
		frame.flags = i == pieces ? H2_END_HEADERS : 0;
		h2_frame_write((uint8_t *)to - H2_FRAME_HEADER, &frame);
	}
	buf_commit(buf, pieces * H2_FRAME_HEADER);
}

/* The headers of the frames of the block that begins at `at`, once its length and stream are known.
 */
static void frame_block(struct buf *buf, size_t at, uint32_t id, bool is_end)
{
	size_t len = buf->len - at - H2_FRAME_HEADER;
	bool is_one = len <= H2_FRAME_PAYLOAD_MAX;
	struct h2_frame frame = {
	    .len = is_one ? (uint32_t)len : H2_FRAME_PAYLOAD_MAX, .type = H2_HEADERS, .id = id};
	frame.flags = (uint8_t)((is_one ? H2_END_HEADERS : 0) | (is_end ? H2_END_STREAM : 0));
	h2_frame_write((uint8_t *)buf->data + at, &frame);
	if (!is_one)
		split_block(buf, at + H2_FRAME_HEADER, len, id);
}

void h2_head_close(struct h2_stream *stream, bool is_end)
{
	struct h2 *h2 = stream->h2;
	stream->is_end_first = is_end;
	if (stream->is_waiting)
		return;
	frame_block(&h2->out, h2->open_at, stream->id, is_end);
	if (stream->head_at == 0) /* trailers do not unsay it */
		stream->head_at = h2->written + h2->open_at;
	check_out(h2);
	if (!is_end)
		return;
	stream->is_ended = true;
	h2_list_sendable(stream); /* its end is told by h2_flush() */
}

/* --- requests that wait ------------------------------------------------------------------------
 */

/* Not while nothing can leave: a head that is given up before its time must not leave either. */
static bool may_begin(const struct h2 *h2)
{
	return h2->is_started && !h2->is_terminated && !h2->has_heard_goaway &&
	       h2->count < h2->peer_streams_max && h2->highest < H2_STREAM_ID_MAX &&
	       !h2->events->is_full(h2->arg);
}

static uint32_t take_id(struct h2 *h2)
{
	h2->highest = h2->highest == 0 ? 1 : h2->highest + 2;
	return h2->highest;
}

void h2_submit(struct h2 *h2, struct h2_stream *stream, bool is_of_head)
{
	*stream = (struct h2_stream){.h2 = h2, .is_of_head = is_of_head};
	if (TAILQ_EMPTY(&h2->waiting) && may_begin(h2)) {
		h2_stream_open(h2, stream, take_id(h2));
		return;
	}
	stream->is_waiting = true;
	TAILQ_INSERT_TAIL(&h2->waiting, stream, entry);
}

static void begin_waiting(struct h2 *h2)
{
	struct h2_stream *stream;
	while ((stream = TAILQ_FIRST(&h2->waiting)) != NULL && may_begin(h2)) {
		struct buf waiting = stream->waiting;
		stream->waiting = (struct buf){0};
		h2_unlist(stream);
		h2_stream_open(h2, stream, take_id(h2));
		struct buf *out = h2_head_open(stream);
		buf_append(out, waiting.data + H2_FRAME_HEADER, waiting.len - H2_FRAME_HEADER);
		buf_free_secret(&waiting);
		h2_head_close(stream, stream->is_end_first);
		h2_list_sendable(stream);
	}
}

bool h2_is_sent(const struct h2_stream *stream)
{
	if (stream->h2 == NULL)
		return stream->was_sent;
	return !stream->is_waiting && stream->h2->written > stream->head_at;
}

/* --- bodies ------------------------------------------------------------------------------------
 */

/* Nothing of it will be sent any more. An answer that needs no more of its request says so (8.1).
 */
static void end_own(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	if (!stream->is_peer_ended && !h2->options.is_server)
		return;
	if (!stream->is_peer_ended) {
		uint8_t payload[4] = {0};
		h2_put_frame(h2,
		    &(struct h2_frame){
			.len = sizeof payload, .type = H2_RST_STREAM, .id = stream->id},
		    payload);
	}
	h2_stream_close(stream, H2_NO_ERROR);
}

static size_t room_of(const struct h2_stream *stream)
{
	int64_t room = stream->credit < stream->h2->credit ? stream->credit : stream->h2->credit;
	if (room <= 0)
		return 0;
	return room < H2_FRAME_PAYLOAD_MAX ? (size_t)room : H2_FRAME_PAYLOAD_MAX;
}

/* The header of a DATA frame, whose `len` bytes follow at once. */
static void begin_data(struct h2_stream *stream, size_t len, bool is_end)
{
	struct h2 *h2 = stream->h2;
	uint8_t header[H2_FRAME_HEADER];
	struct h2_frame frame = {
	    .len = (uint32_t)len, .id = stream->id, .flags = is_end ? H2_END_STREAM : 0};
	h2_frame_write(header, &frame);
	h2->events->write(h2->arg, header, sizeof header);
	stream->flags_at = h2->written + H2_FRAME_FLAGS;
	h2->written += sizeof header + len;
	stream->credit -= (int64_t)len;
	h2->credit -= (int64_t)len;
}

static void write_data(struct h2_stream *stream, size_t len, bool is_end)
{
	begin_data(stream, len, is_end);
	if (len > 0)
		stream->h2->events->write_body(stream, len);
}

/* The end of a body, in its last frame if that is still here, or in one of its own. */
static void write_data_end(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	bool has_data = stream->flags_at > 0;
	if (!has_data || !h2->events->amend(h2->arg, h2->written - stream->flags_at, H2_END_STREAM))
		write_data(stream, 0, true);
}

/* The stream whose turn it is writes one frame, or ends. */
static void send_body(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	uint32_t id = stream->id;
	h2_unlist(stream);
	if (stream->is_ended) {
		end_own(stream);
		return;
	}
	enum h2_body state = H2_BODY_MORE;
	size_t there = h2->events->body(stream, &state);
	if (!h2_is_still(h2, stream, id))
		return;
	size_t room = room_of(stream), len = there < room ? there : room;
	bool is_all = len == there && state != H2_BODY_MORE;
	if (len == 0 && !is_all)
		return; /* there is nothing, or no credit: comes back with either */
	bool has_trailers = is_all && state == H2_BODY_ENDS_IN_TRAILERS;
	if (len > 0)
		write_data(stream, len, is_all && !has_trailers);
	else if (!has_trailers)
		write_data_end(stream);
	if (!h2_is_still(h2, stream, id))
		return;
	if (!is_all) {
		if (len < there)
			h2_list_sendable(stream);
		return;
	}
	if (has_trailers)
		h2->events->write_trailers(stream);
	if (!h2_is_still(h2, stream, id))
		return;
	stream->is_ended = true;
	h2_unlist(stream); /* h2_head_close() of trailers listed it */
	end_own(stream);
}

size_t h2_offer(struct h2_stream *stream, const uint8_t *data, size_t len)
{
	struct h2 *h2 = stream->h2;
	size_t done = 0;
	if (h2 == NULL || stream->is_waiting || stream->is_ended || h2->is_terminated ||
	    h2->is_stopped)
		return 0;
	while (done < len && !h2->events->is_full(h2->arg)) {
		size_t room = room_of(stream), piece = len - done < room ? len - done : room;
		if (piece == 0)
			break;
		write_out(h2); /* the head is there */
		begin_data(stream, piece, false);
		h2->events->write(h2->arg, data + done, piece);
		done += piece;
	}
	return done;
}

void h2_resume(struct h2_stream *stream)
{
	if (stream->h2 != NULL && !stream->is_ended)
		h2_list_sendable(stream);
}

void h2_flush(struct h2 *h2)
{
	if (!h2->options.is_server && !h2->is_started)
		return;
	while (!h2->is_stopped && !h2->events->is_full(h2->arg)) {
		begin_waiting(h2);
		write_out(h2);
		struct h2_stream *stream = TAILQ_FIRST(&h2->sendable);
		if (stream == NULL || h2->is_terminated)
			break;
		send_body(stream);
	}
}
