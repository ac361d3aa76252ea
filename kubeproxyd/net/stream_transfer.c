/* The two directions of an open stream. Reading goes through one scratch buffer that all streams
 * share; only what the owner did not use is kept. Writing happens once a turn, in records as large
 * as TLS has them. Work per wake-up is bounded by the scratch buffer and by FLUSH_MAX. The owner's
 * callbacks are the last thing a step does, or are followed by a look at the state, since they may
 * close the stream. */
#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/net/stream_parts.h"

#define SCRATCH_SIZE ((size_t)64 * 1024)
/* Of one turn: there is more where it came from. */
#define MUCH	 (SCRATCH_SIZE / 4 * 3)
#define REST_MAX ((size_t)256 * 1024)
/* The largest TLS record: more in one SSL_write gains nothing. */
#define RECORD_SIZE ((size_t)16 * 1024)
#define FLUSH_MAX   ((size_t)256 * 1024)
/* Read and dropped while finishing. */
#define DISCARD_MAX ((size_t)1024 * 1024)
/* How long the peer's own end is waited for once everything was said. */
#define LAST_WORD_MS 2000

/* Nothing keeps a pointer into it beyond on_data. */
static uint8_t scratch[SCRATCH_SIZE];

bool stream_can_read(const struct stream *stream)
{
	bool is_wanted =
	    stream->state == STATE_FINISHING ||
	    (stream->state == STATE_OPEN && !stream->is_paused && stream->rest.len < REST_MAX);
	return is_wanted && !stream->has_peer_ended && stream->failure == NULL;
}

void stream_arm(struct stream *stream)
{
	unsigned wanted = 0;
	if (stream->watch == NULL || stream->state < STATE_OPEN || stream->state > STATE_FINISHING)
		return;
	if (stream_can_read(stream))
		wanted |= stream->read_wants_write ? WATCH_WRITE : WATCH_READ;
	if (stream->is_write_blocked)
		wanted |= stream->write_wants_read ? WATCH_READ : WATCH_WRITE;
	watch_set(stream->watch, wanted);
}

void stream_wake(struct stream *stream)
{
	if (stream->state != STATE_OPEN)
		return;
	stream_set_timer(stream, duration_ms(0));
	loop_expect_more(stream->loop);
}

/* --- reading --------------------------------------------------------------------------------- */

static size_t call_on_data(struct stream *stream, const uint8_t *data, size_t len)
{
	size_t used = stream->events->on_data(stream->arg, data, len);
	if (used > len)
		abort();
	return used;
}

/* Hands up what was kept and what is new. */
static void offer(struct stream *stream, const uint8_t *data, size_t len)
{
	if (stream->rest.len == 0) {
		size_t used = call_on_data(stream, data, len);
		if (used < len && stream->state == STATE_OPEN)
			buf_append(&stream->rest, data + used, len - used);
		return;
	}
	buf_append(&stream->rest, data, len);
	size_t used = call_on_data(stream, (const uint8_t *)stream->rest.data, stream->rest.len);
	if (stream->state != STATE_OPEN)
		return;
	buf_consume(&stream->rest, used);
	if (stream->rest.len == 0)
		buf_free_secret(&stream->rest);
}

/* How reading ended, once everything before that was handed up. */
static void tell_end(struct stream *stream)
{
	if (stream->state != STATE_OPEN || stream->is_paused)
		return;
	if (stream->failure != NULL) {
		stream_fail(stream, stream->failure);
		return;
	}
	if (!stream->has_peer_ended || stream->is_end_told)
		return;
	stream->is_end_told = true;
	stream->events->on_end(stream->arg);
}

static void note_outcome(struct stream *stream, enum stream_io_result result)
{
	stream->read_wants_write = result == STREAM_IO_WANTS_WRITE;
	if (result == STREAM_IO_END)
		stream->has_peer_ended = true;
	if (result == STREAM_IO_BROKEN && stream->failure == NULL)
		stream->failure = xstrdup(stream_io_reason());
}

/* One read. Whether TLS has more. */
static bool receive_once(struct stream *stream, size_t *total)
{
	size_t got = 0;
	enum stream_io_result result = stream_io_read(&stream->io, scratch, sizeof scratch, &got);
	bool has_more = result == STREAM_IO_DONE && stream_io_has_pending(&stream->io);
	note_outcome(stream, result);
	stream->bytes_read += got;
	*total += got;
	if (got > 0)
		offer(stream, scratch, got);
	return has_more && stream_can_read(stream);
}

void stream_receive(struct stream *stream)
{
	size_t total = 0;
	bool has_more;
	do
		has_more = receive_once(stream, &total);
	while (has_more && total < SCRATCH_SIZE);
	if (total >= MUCH || stream_io_was_full(&stream->io))
		loop_expect_more(stream->loop);
	if (has_more)
		stream_wake(stream);
	tell_end(stream);
}

/* While finishing: the peer's bytes are taken from the kernel, since closing over unread bytes
 * would reset the connection and could destroy what was sent last. */
void stream_discard(struct stream *stream)
{
	enum stream_io_result result;
	do {
		size_t got = 0;
		result = stream_io_read(&stream->io, scratch, sizeof scratch, &got);
		note_outcome(stream, result);
		stream->discarded += got;
	} while (result == STREAM_IO_DONE && stream->discarded <= DISCARD_MAX);
	bool is_over = stream->failure != NULL || stream->discarded > DISCARD_MAX ||
		       (stream->has_peer_ended && stream->is_end_sent);
	if (is_over)
		stream_destroy(stream);
}

void stream_go_on_reading(struct stream *stream)
{
	if (stream->is_paused)
		return;
	if (stream->rest.len > 0)
		offer(stream, NULL, 0);
	if (stream_can_read(stream) && stream_io_has_pending(&stream->io))
		stream_receive(stream);
	else
		tell_end(stream);
	stream_arm(stream);
}

/* --- writing --------------------------------------------------------------------------------- */

/* The peer reset the connection while we wrote: its last words (an early answer, say) may still be
 * there to read. */
static void on_write_broken(struct stream *stream)
{
	if (stream->failure == NULL)
		stream->failure = xstrdup(stream_io_reason());
	stream_queue_clear(&stream->queue);
	stream_count(stream);
	stream->is_write_blocked = false;
	if (stream->state == STATE_OPEN && !stream->is_paused && !stream->has_peer_ended)
		stream_receive(stream);
	if (stream->state == STATE_OPEN || stream->state == STATE_FINISHING)
		stream_fail(stream, stream->failure);
}

/* False: broken. */
static bool note_write(struct stream *stream, enum stream_io_result result)
{
	stream->is_write_blocked =
	    result == STREAM_IO_WANTS_READ || result == STREAM_IO_WANTS_WRITE;
	stream->is_write_begun = stream->is_write_blocked;
	stream->write_wants_read = result == STREAM_IO_WANTS_READ;
	if (result != STREAM_IO_BROKEN)
		return true;
	on_write_broken(stream);
	return false;
}

/* A write that breaks is met again by the flush, which tells: no callback comes inside a verb of
 * the owner's. */
size_t stream_write_through(struct stream *stream, const uint8_t *data, size_t len)
{
	size_t done = 0;
	enum stream_io_result result = STREAM_IO_DONE;
	bool may_leave = stream->state == STATE_OPEN && stream->queue.len == 0 &&
			 !stream->is_write_blocked && !stream->is_end_wanted;
	while (may_leave && done < len && result == STREAM_IO_DONE) {
		size_t put, piece = len - done < RECORD_SIZE ? len - done : RECORD_SIZE;
		result = stream_io_write(&stream->io, data + done, piece, &put);
		stream->bytes_written += put;
		done += put;
	}
	if (result == STREAM_IO_BROKEN && stream->failure == NULL)
		stream->failure = xstrdup(stream_io_reason());
	if (result == STREAM_IO_WANTS_READ || result == STREAM_IO_WANTS_WRITE) {
		stream->is_write_blocked = stream->is_write_begun = true;
		stream->write_wants_read = result == STREAM_IO_WANTS_READ;
		stream_arm(stream);
	}
	return done;
}

static bool write_queue(struct stream *stream)
{
	size_t written = 0;
	while (stream->queue.len > 0 && !stream->is_write_blocked) {
		if (written >= FLUSH_MAX) {
			/* The descriptor is writable: the watch goes on in the next turn. */
			stream->is_write_blocked = true;
			break;
		}
		size_t put, len;
		const uint8_t *data = stream_queue_peek(&stream->queue, &len);
		stream->io.socket.has_more_to_write =
		    len < stream->queue.len && written + len < FLUSH_MAX;
		enum stream_io_result result = stream_io_write(&stream->io, data, len, &put);
		stream->io.socket.has_more_to_write = false;
		stream_queue_consume(&stream->queue, put);
		stream->bytes_written += put;
		written += put;
		if (put > 0 && stream->state == STATE_FINISHING)
			stream_linger(stream);
		if (!note_write(stream, result))
			return false;
	}
	stream_count(stream);
	return true;
}

static bool write_end(struct stream *stream)
{
	if (!stream->is_end_wanted || stream->is_end_sent || stream->queue.len > 0)
		return true;
	if (!note_write(stream, stream_io_end(&stream->io)))
		return false;
	stream->is_end_sent = !stream->is_write_blocked;
	if (stream->is_end_sent && stream->state == STATE_FINISHING &&
	    stream->linger.ms > LAST_WORD_MS)
		stream_set_timer(stream, duration_ms(LAST_WORD_MS));
	return true;
}

void stream_flush(struct stream *stream)
{
	if (stream->is_write_blocked)
		return;
	if (!write_queue(stream) || !write_end(stream))
		return;
	stream_arm(stream);
	if (stream->state == STATE_FINISHING) {
		if (stream->is_end_sent && stream->has_peer_ended)
			stream_destroy(stream);
		return;
	}
	if (!stream->is_full || stream->queue.len > stream_mark(stream) / 2)
		return;
	stream->is_full = false;
	stream->events->on_drain(stream->arg);
}
