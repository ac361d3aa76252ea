/* Streams: their life, what the loop tells them, what their owners ask of them. A stream is one
 * descriptor, its watch and timer, what was read and not used, what is to be written. All work is
 * done from the loop: reading when the watch fires, writing at the end of the turn, so that
 * whatever a turn queued leaves together. Its memory goes at the end of the turn in which it was
 * closed. An idle stream holds no buffers. */
#include "kubeproxyd/net/stream.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xmem.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/net/stream_parts.h"

#define HIGH_MARK	  ((size_t)256 * 1024)
#define TIGHT_MARK	  ((size_t)16 * 1024)
#define HANDSHAKE_SECONDS 10

LIST_HEAD(stream_list, stream);
static struct stream_list finishing_streams = LIST_HEAD_INITIALIZER(finishing_streams);

void stream_set_state(struct stream *stream, enum stream_state state)
{
	static const char *const names[] = {
	    "connecting", "handshake", "open", "finishing", "broken", "closed"};
	log_debug("stream", "state", LOG_S("peer", stream->address),
	    LOG_S("from", names[stream->state]), LOG_S("to", names[state]));
	stream->state = state;
}

void stream_count(struct stream *stream)
{
	holdings_count(stream->holdings, &stream->counted, stream->queue.cap);
}

size_t stream_mark(const struct stream *stream)
{
	bool is_tight = holdings_are_tight(stream->holdings) && stream->high_mark > TIGHT_MARK;
	return is_tight ? TIGHT_MARK : stream->high_mark;
}

static void clear_queue(struct stream *stream)
{
	stream_queue_clear(&stream->queue);
	stream_count(stream);
}

static void free_stream(void *object)
{
	struct stream *stream = object;
	SSL_free(stream->io.ssl);
	tls_socket_free(&stream->io.socket);
	buf_free_secret(&stream->rest);
	free(stream->failure);
	free(stream->server_name);
	free(stream);
}

void stream_destroy(struct stream *stream)
{
	if (stream->state == STATE_FINISHING)
		LIST_REMOVE(stream, finishing);
	stream_set_state(stream, STATE_CLOSED);
	loop_undefer(stream->loop, &stream->turn_end);
	watch_free(&stream->watch);
	timer_free(&stream->timer);
	clear_queue(stream);
	if (stream->io.fd >= 0)
		close(stream->io.fd);
	stream->io.fd = -1;
	loop_free_later(stream->loop, free_stream, stream);
}

void stream_fail(struct stream *stream, const char *reason)
{
	if (stream->state == STATE_FINISHING) {
		stream_destroy(stream);
		return;
	}
	char *copy = xstrdup(reason);
	stream_set_state(stream, STATE_BROKEN);
	loop_undefer(stream->loop, &stream->turn_end);
	timer_free(&stream->timer);
	if (stream->watch != NULL)
		watch_set(stream->watch, 0);
	clear_queue(stream);
	stream->events->on_error(stream->arg, copy);
	free(copy);
}

/* --- events of the loop ---------------------------------------------------------------------- */

static void on_handshake_timeout(struct stream *stream)
{
	char text[96];
	snprintf(text, sizeof text, "%s timed out after %lld ms",
	    stream->state == STATE_CONNECTING ? "connecting" : "the TLS handshake",
	    (long long)stream->handshake_timeout.ms);
	stream_fail(stream, text);
}

static void on_transfer(struct stream *stream, unsigned ready)
{
	unsigned for_read = stream->read_wants_write ? WATCH_WRITE : WATCH_READ;
	unsigned for_write = stream->write_wants_read ? WATCH_READ : WATCH_WRITE;
	if ((ready & for_read) != 0 && stream_can_read(stream)) {
		if (stream->state == STATE_FINISHING)
			stream_discard(stream);
		else
			stream_receive(stream);
	}
	if (stream->state != STATE_OPEN && stream->state != STATE_FINISHING)
		return;
	if ((ready & for_write) != 0 && stream->is_write_blocked) {
		stream->is_write_blocked = false;
		/* At the end of the turn, with what this turn adds. */
		loop_defer(stream->loop, &stream->turn_end);
	}
	stream_arm(stream);
}

static void on_ready(void *arg, unsigned ready)
{
	struct stream *stream = arg;
	switch (stream->state) {
	case STATE_CONNECTING:
		stream_on_connected(stream);
		return;
	case STATE_HANDSHAKE:
		stream_shake_hands(stream);
		return;
	case STATE_OPEN:
	case STATE_FINISHING:
		on_transfer(stream, ready);
		return;
	case STATE_BROKEN:
	case STATE_CLOSED:
		return;
	}
}

static void on_timer(void *arg)
{
	struct stream *stream = arg;
	if (stream->state == STATE_CONNECTING || stream->state == STATE_HANDSHAKE)
		on_handshake_timeout(stream);
	else if (stream->state == STATE_OPEN)
		stream_go_on_reading(stream);
	else if (stream->state == STATE_FINISHING)
		stream_destroy(stream);
}

void stream_set_timer(struct stream *stream, struct duration delay)
{
	if (stream->timer == NULL)
		stream->timer = timer_new(stream->loop, on_timer, stream);
	timer_set(stream->timer, delay);
}

void stream_linger(struct stream *stream)
{
	struct duration left = mono_between(mono_now(), stream->finish_by);
	stream_set_timer(stream, left.ms < stream->linger.ms ? left : stream->linger);
}

static void read_on(struct stream *stream)
{
	stream->has_more = false;
	if (stream->state == STATE_OPEN)
		stream_go_on_reading(stream);
}

static void on_turn_end(void *arg)
{
	struct stream *stream = arg;
	if (stream->state == STATE_CONNECTING && stream->failure != NULL)
		stream_fail(stream, stream->failure);
	else if (stream->state == STATE_HANDSHAKE && stream->io.ssl == NULL)
		stream_open(stream);
	else if (stream->has_more)
		read_on(stream);
	if (stream->state == STATE_OPEN || stream->state == STATE_FINISHING)
		stream_flush(stream);
	/* Behind that: it may end the stream. */
	if (stream->state == STATE_FINISHING && stream_can_read(stream) &&
	    stream_io_has_pending(&stream->io))
		stream_discard(stream);
}

/* --- public ---------------------------------------------------------------------------------- */

struct stream *stream_new(struct loop *loop, const struct stream_options *options,
    const struct stream_events *events, void *arg)
{
	struct stream *stream = xcalloc(1, sizeof *stream);
	stream->loop = loop;
	stream->events = events;
	stream->arg = arg;
	stream->io.fd = -1;
	stream->turn_end = (struct deferred){.fn = on_turn_end, .arg = stream};
	stream->high_mark =
	    options != NULL && options->high_mark > 0 ? options->high_mark : HIGH_MARK;
	stream->handshake_timeout = options != NULL && options->handshake_timeout.ms > 0
					? options->handshake_timeout
					: duration_seconds(HANDSHAKE_SECONDS);
	stream->holdings = options != NULL ? options->holdings : NULL;
	stream_set_timer(stream, stream->handshake_timeout);
	return stream;
}

void stream_attach(struct stream *stream, int fd, SSL *ssl)
{
	stream->io = (struct stream_io){.fd = fd, .ssl = ssl};
	if (ssl != NULL)
		tls_socket_attach(&stream->io.socket, ssl, fd);
	stream_io_prepare(fd);
	stream->watch = watch_new(stream->loop, fd, on_ready, stream);
}

void stream_set_events(struct stream *stream, const struct stream_events *events, void *arg)
{
	stream->events = events;
	stream->arg = arg;
}

static bool is_deaf(const struct stream *stream)
{
	return stream->is_end_wanted || stream->state == STATE_BROKEN ||
	       stream->state == STATE_CLOSED;
}

/* More is queued than before. */
static void note_queued(struct stream *stream)
{
	stream_count(stream);
	if (stream->queue.len > stream_mark(stream))
		stream->is_full = true;
	if (stream->state == STATE_OPEN && stream->queue.len > 0)
		loop_defer(stream->loop, &stream->turn_end);
}

void stream_write(struct stream *stream, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	if (is_deaf(stream))
		return;
	size_t done = stream->io.keeps_records ? stream_write_through(stream, bytes, len) : 0;
	if (done == len)
		return;
	stream_queue_append(&stream->queue, bytes + done, len - done);
	note_queued(stream);
}

bool stream_amend(struct stream *stream, uint64_t back, uint8_t bits)
{
	return !is_deaf(stream) && !stream->is_write_begun &&
	       stream_queue_set_bits(&stream->queue, back, bits);
}

void stream_keep_records(struct stream *stream)
{
	stream->io.keeps_records = true;
}

void stream_write_queue(struct stream *stream, struct stream_queue *from, size_t len)
{
	if (is_deaf(stream)) {
		stream_queue_consume(from, len);
		return;
	}
	stream_queue_move(&stream->queue, from, len);
	note_queued(stream);
}

size_t stream_queued(const struct stream *stream)
{
	return stream->queue.len;
}

bool stream_is_full(const struct stream *stream)
{
	return stream->is_full;
}

void stream_pause(struct stream *stream)
{
	stream->is_paused = true;
	stream_arm(stream);
}

void stream_resume(struct stream *stream)
{
	stream->is_paused = false;
	bool has_news = stream->rest.len > 0 || stream->failure != NULL || stream->has_peer_ended ||
			stream_io_has_pending(&stream->io);
	if (has_news)
		stream_wake(stream);
	stream_arm(stream);
}

size_t stream_unread(const struct stream *stream)
{
	return stream->rest.cap + stream->io.socket.ahead_len;
}

bool stream_has_peer_left(const struct stream *stream)
{
	return stream->failure != NULL || stream->has_peer_ended || stream_io_has_left(&stream->io);
}

void stream_end(struct stream *stream)
{
	stream->is_end_wanted = true;
	if (stream->state == STATE_OPEN)
		loop_defer(stream->loop, &stream->turn_end);
}

void stream_close(struct stream **stream)
{
	struct stream *closing = *stream;
	*stream = NULL;
	if (closing == NULL)
		return;
	bool is_cut = !closing->is_end_sent || closing->queue.len > 0;
	if (is_cut && closing->io.fd >= 0 && closing->io.ssl == NULL) {
		struct linger reset = {.l_onoff = 1};
		(void)setsockopt(closing->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	}
	stream_destroy(closing);
}

void stream_finish(struct stream **stream, struct duration linger)
{
	struct stream *finishing = *stream;
	if (finishing == NULL || finishing->state != STATE_OPEN || finishing->failure != NULL) {
		stream_close(stream);
		return;
	}
	*stream = NULL;
	stream_set_state(finishing, STATE_FINISHING);
	LIST_INSERT_HEAD(&finishing_streams, finishing, finishing);
	finishing->is_end_wanted = true;
	buf_free_secret(&finishing->rest);
	finishing->linger = linger;
	finishing->finish_by = mono_add(mono_now(), duration_ms(STREAM_LINGERS * linger.ms));
	stream_set_timer(finishing, linger);
	loop_defer(finishing->loop, &finishing->turn_end);
	stream_arm(finishing);
}

bool stream_is_finishing_any(const struct loop *loop)
{
	const struct stream *stream;
	LIST_FOREACH(stream, &finishing_streams, finishing)
	{
		if (stream->loop == loop && !stream->is_end_sent)
			return true;
	}
	return false;
}

void stream_close_finishing(struct loop *loop)
{
	struct stream *next;
	for (struct stream *stream = LIST_FIRST(&finishing_streams); stream != NULL;
	     stream = next) {
		next = LIST_NEXT(stream, finishing);
		if (stream->loop == loop)
			stream_destroy(stream);
	}
}

const char *stream_alpn(const struct stream *stream)
{
	return stream->protocol[0] != '\0' ? stream->protocol : NULL;
}

const char *stream_server_name(const struct stream *stream)
{
	return stream->server_name;
}

X509 *stream_peer_certificate(const struct stream *stream)
{
	return stream->peer;
}

const char *stream_peer_error(const struct stream *stream)
{
	return stream->peer_error;
}

struct unix_time stream_peer_authorities_end(const struct stream *stream)
{
	return stream->peer != NULL ? tls_session_authorities_end(stream->io.ssl)
				    : (struct unix_time){0};
}

bool stream_is_trusted_by(const struct stream *stream, const struct tls_server *tls)
{
	return stream->peer == NULL || tls_server_trusts_session(tls, stream->io.ssl);
}

const char *stream_peer_address(const struct stream *stream)
{
	return stream->address;
}

uint64_t stream_bytes_read(const struct stream *stream)
{
	return stream->bytes_read;
}

uint64_t stream_bytes_written(const struct stream *stream)
{
	return stream->bytes_written;
}
