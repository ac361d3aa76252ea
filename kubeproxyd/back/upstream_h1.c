/* One HTTP/1.1 connection to an API server: dialling, then one request after another, or one
 * tunnel. It implements the peer verbs for the request that it is lent to and tells its pool when
 * it is idle or dead. The one timer bounds whatever the state waits for. */
#include "kubeproxyd/back/upstream_h1.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/back/dial.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/net/stream.h"

/* How long nothing of what is queued for a tunnel that is over may leave. */
#define TUNNEL_LINGER_SECONDS 10
/* How long an API server may be silent whose client has said all in a tunnel. */
#define HALF_OPEN_SECONDS 600

enum state {
	STATE_CONNECTING,
	STATE_IDLE,
	STATE_BUSY,
	STATE_TUNNEL,
	STATE_DEAD,
};

struct upstream_h1 {
	const struct upstream_h1_pool *pool;
	struct loop *loop;
	enum state state;
	struct dial *dial; /* while connecting */
	struct stream *stream;
	struct h1_reader *reader;
	struct timer *timer;
	struct deferred read_on; /* takes an end of the answer that no more bytes will bring */
	struct deferred counting; /* of what the stream keeps while it is paused */
	size_t counted; /* of it, by the holdings */
	/* The request that it is lent to; events NULL: none. */
	const struct peer_events *events;
	void *arg;
	struct upstream_want want;
	struct buf pending; /* what is to be sent, until connected; holds a bearer token */
	uint64_t written_before;
	bool is_reused;
	bool is_chunked;
	bool is_request_ended;
	bool is_answer_begun; /* a byte of it arrived */
	bool has_head;
	bool may_keep;
	bool is_answer_ended;
	bool is_paused;
};

static void set_state(struct upstream_h1 *connection, enum state state)
{
	static const char *const names[] = {"connecting", "idle", "busy", "tunnel", "dead"};
	log_debug("upstream", "state", LOG_S("host", connection->pool->target.host),
	    LOG_S("from", names[connection->state]), LOG_S("to", names[state]));
	connection->state = state;
}

/* --- the end ------------------------------------------------------------------------------- */

static void free_connection(void *object)
{
	struct upstream_h1 *connection = object;
	timer_free(&connection->timer);
	h1_reader_free(&connection->reader);
	buf_free_secret(&connection->pending);
	free(connection);
}

static void forget_unread(struct upstream_h1 *connection)
{
	loop_undefer(connection->loop, &connection->counting);
	holdings_count(connection->want.holdings, &connection->counted, 0);
}

/* Whoever holds it releases it before it is freed. */
static void die(struct upstream_h1 *connection)
{
	set_state(connection, STATE_DEAD);
	timer_cancel(connection->timer);
	loop_undefer(connection->loop, &connection->read_on);
	forget_unread(connection);
	dial_cancel(&connection->dial);
	stream_close(&connection->stream);
	connection->pool->on_dead(connection->pool->arg, connection);
	if (connection->events == NULL)
		loop_free_later(connection->loop, free_connection, connection);
}

static bool is_unsent(const struct upstream_h1 *connection)
{
	return connection->stream == NULL ||
	       stream_bytes_written(connection->stream) == connection->written_before;
}

static void fail(struct upstream_h1 *connection, enum peer_failure_kind kind, const char *reason)
{
	char *text = xstrdup(reason); /* it may belong to the stream that is closed now */
	struct peer_failure failure = {
	    .kind = kind,
	    .reason = text,
	    .is_reused = connection->is_reused,
	    .is_unsent = is_unsent(connection),
	};
	const struct peer_events *events = connection->events;
	die(connection);
	if (events != NULL)
		events->on_failed(connection->arg, &failure);
	free(text);
}

/* The connection ended, however: what that means for the answer. */
static void fail_cut(struct upstream_h1 *connection, const char *reason)
{
	fail(connection, connection->is_answer_begun ? PEER_CUT : PEER_CUT_BEFORE_HEAD, reason);
}

/* --- connecting ---------------------------------------------------------------------------- */

static const struct stream_events stream_events;

static void arm_response_timer(struct upstream_h1 *connection)
{
	bool must_wait = connection->state == STATE_BUSY && connection->is_request_ended &&
			 !connection->has_head && connection->want.response_timeout.ms > 0;
	if (must_wait)
		timer_set(connection->timer, connection->want.response_timeout);
}

static void on_dialled(
    void *arg, struct stream *stream, enum peer_failure_kind kind, const char *reason)
{
	struct upstream_h1 *connection = arg;
	connection->dial = NULL;
	if (stream == NULL) {
		fail(connection, kind, reason);
		return;
	}
	connection->stream = stream;
	stream_set_events(stream, &stream_events, connection);
	if (connection->want.is_upgrade)
		stream_keep_records(stream);
	connection->pool->on_connected(connection->pool->arg);
	if (connection->events == NULL) {
		die(connection);
		return;
	}
	set_state(connection, STATE_BUSY);
	if (connection->is_paused)
		stream_pause(stream);
	stream_write(stream, connection->pending.data, connection->pending.len);
	buf_free_secret(&connection->pending);
	arm_response_timer(connection);
	connection->events->on_drain(connection->arg);
}

static void on_error(void *arg, const char *reason)
{
	fail_cut(arg, reason);
}

static void on_timer(void *arg)
{
	struct upstream_h1 *connection = arg;
	if (connection->state == STATE_BUSY)
		fail(connection, PEER_TIMEOUT, "no answer came in time");
	else if (connection->state == STATE_TUNNEL)
		fail(connection, PEER_CUT, "the API server did not end its side of the tunnel");
	else
		die(connection);
}

/* --- the answer ---------------------------------------------------------------------------- */

static void on_head(struct upstream_h1 *connection)
{
	const struct http_head *head = h1_reader_head(connection->reader);
	bool is_tunnel = head->status == 101;
	if (head->status < 200 && !is_tunnel)
		return;
	if (is_tunnel && !connection->want.is_upgrade) {
		fail(connection, PEER_MALFORMED, "it switched protocols although nobody asked");
		return;
	}
	timer_cancel(connection->timer);
	connection->has_head = true;
	connection->may_keep =
	    head->keep_alive && !connection->want.is_upgrade && !connection->want.is_alone;
	if (is_tunnel)
		set_state(connection, STATE_TUNNEL);
	connection->events->on_head(connection->arg, head);
}

static void on_body(struct upstream_h1 *connection)
{
	const uint8_t *data;
	size_t len;
	h1_reader_body(connection->reader, &data, &len);
	connection->events->on_body(connection->arg, data, len);
}

static void on_answer_end(struct upstream_h1 *connection)
{
	if (!connection->has_head)
		return;
	connection->is_answer_ended = true;
	const struct http_fields *trailers = h1_reader_trailers(connection->reader);
	if (trailers->count > 0)
		connection->events->on_trailers(connection->arg, trailers);
	connection->events->on_end(connection->arg);
}

static bool may_read(const struct upstream_h1 *connection)
{
	return connection->events != NULL && !connection->is_paused &&
	       !connection->is_answer_ended &&
	       (connection->state == STATE_BUSY || connection->state == STATE_TUNNEL);
}

/* One event of the reader. False: it has nothing more to say about these bytes. */
static bool read_event(
    struct upstream_h1 *connection, const uint8_t *data, size_t len, size_t *used)
{
	switch (h1_reader_next(connection->reader, data, len, used)) {
	case H1_MORE:
		return false;
	case H1_HEAD:
		on_head(connection);
		return true;
	case H1_BODY:
		on_body(connection);
		return true;
	case H1_END:
		on_answer_end(connection);
		return true;
	case H1_UPGRADED:
		return true;
	case H1_ERROR:
		fail(connection, PEER_MALFORMED, h1_reader_error(connection->reader).message);
		return false;
	}
	return false;
}

static size_t read_answer(struct upstream_h1 *connection, const uint8_t *data, size_t len)
{
	size_t at = 0;
	bool goes_on = true;
	while (goes_on && may_read(connection) && connection->state == STATE_BUSY) {
		size_t used = 0;
		goes_on = read_event(connection, data + at, len - at, &used);
		at += used;
	}
	return at;
}

static void read_on(void *arg)
{
	static const uint8_t nothing[1];
	(void)read_answer(arg, nothing, 0);
}

/* Behind the read, which knows what it leaves. The one that makes room may be this one. */
static void count_unread(void *arg)
{
	struct upstream_h1 *connection = arg;
	struct holdings *holdings = connection->want.holdings;
	holdings_count(holdings, &connection->counted, stream_unread(connection->stream));
	holdings_make_room(holdings, 0);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	struct upstream_h1 *connection = arg;
	connection->is_answer_begun = true;
	size_t at = read_answer(connection, data, len);
	if (connection->state == STATE_TUNNEL && may_read(connection) && at < len) {
		if (connection->is_request_ended)
			timer_set(connection->timer, duration_seconds(HALF_OPEN_SECONDS));
		connection->events->on_body(connection->arg, data + at, len - at);
		at = len;
	}
	if ((connection->is_paused || connection->counted > 0) && connection->stream != NULL)
		loop_defer(connection->loop, &connection->counting);
	/* What follows an answer, or comes unasked, belongs to nobody. */
	if (connection->state == STATE_IDLE && at < len)
		die(connection);
	if (!connection->is_answer_ended || at == len)
		return at;
	connection->may_keep = false;
	return len;
}

static void on_end(void *arg)
{
	struct upstream_h1 *connection = arg;
	if (connection->state == STATE_TUNNEL) {
		connection->events->on_end(connection->arg);
		return;
	}
	if (connection->state == STATE_IDLE) {
		die(connection);
		return;
	}
	/* Nobody has released it yet. */
	if (connection->is_answer_ended) {
		connection->may_keep = false;
		return;
	}
	if (h1_reader_finish(connection->reader) != H1_END) {
		fail_cut(connection, "the API server closed the connection");
		return;
	}
	connection->may_keep = false;
	on_answer_end(connection);
}

static void on_drain(void *arg)
{
	struct upstream_h1 *connection = arg;
	if (connection->events != NULL)
		connection->events->on_drain(connection->arg);
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_error = on_error,
};

/* --- verbs --------------------------------------------------------------------------------- */

static bool is_connected(const struct upstream_h1 *connection)
{
	return connection->state == STATE_BUSY || connection->state == STATE_TUNNEL;
}

static bool send_head(void *object, const struct http_head *head)
{
	struct upstream_h1 *connection = object;
	connection->is_chunked = head->body == HTTP_BODY_CHUNKED;
	if (strcmp(head->method, "HEAD") == 0)
		h1_reader_expect_no_body(connection->reader);
	if (connection->state == STATE_DEAD)
		return false;
	http_head_write_request(head, &connection->pending);
	if (!is_connected(connection))
		return false;
	stream_write(connection->stream, connection->pending.data, connection->pending.len);
	buf_free_secret(&connection->pending);
	return !stream_is_full(connection->stream);
}

/* Until it is connected, what follows the head waits behind it. */
static void put(struct upstream_h1 *connection, const void *data, size_t len)
{
	if (is_connected(connection))
		stream_write(connection->stream, data, len);
	else if (connection->state == STATE_CONNECTING)
		buf_append(&connection->pending, data, len);
}

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	struct upstream_h1 *connection = object;
	bool is_framed = connection->is_chunked && connection->state != STATE_TUNNEL;
	if (is_framed && len > 0) {
		char prefix[HTTP_CHUNK_PREFIX_MAX];
		put(connection, prefix, http_chunk_prefix(len, prefix));
	}
	put(connection, data, len);
	if (is_framed && len > 0)
		put(connection, "\r\n", 2);
	return is_connected(connection) && !stream_is_full(connection->stream);
}

static void send_end(void *object)
{
	struct upstream_h1 *connection = object;
	if (connection->state == STATE_DEAD)
		return;
	connection->is_request_ended = true;
	if (connection->state == STATE_TUNNEL) {
		stream_end(connection->stream);
		timer_set(connection->timer, duration_seconds(HALF_OPEN_SECONDS));
		return;
	}
	if (connection->is_chunked)
		put(connection, HTTP_CHUNK_LAST, strlen(HTTP_CHUNK_LAST));
	arm_response_timer(connection);
}

static void pause_reading(void *object)
{
	struct upstream_h1 *connection = object;
	connection->is_paused = true;
	if (connection->stream != NULL)
		stream_pause(connection->stream);
}

static void resume_reading(void *object)
{
	struct upstream_h1 *connection = object;
	if (!connection->is_paused)
		return;
	connection->is_paused = false;
	if (connection->stream == NULL)
		return;
	/* What waits in the stream comes by itself; what waits in the reader must be asked for. */
	stream_resume(connection->stream);
	loop_defer(connection->loop, &connection->read_on);
}

static void park(struct upstream_h1 *connection)
{
	set_state(connection, STATE_IDLE);
	timer_set(connection->timer, duration_seconds(UPSTREAM_IDLE_SECONDS));
	connection->pool->on_idle(connection->pool->arg, connection);
}

static void release(void *object)
{
	struct upstream_h1 *connection = object;
	connection->events = NULL;
	forget_unread(connection);
	bool may_park = connection->state == STATE_BUSY && connection->is_request_ended &&
			connection->is_answer_ended && connection->may_keep &&
			!connection->is_paused;
	if (connection->state == STATE_DEAD) {
		loop_free_later(connection->loop, free_connection, connection);
		return;
	}
	if (may_park) {
		park(connection);
		return;
	}
	if (connection->state == STATE_TUNNEL && connection->is_request_ended)
		stream_finish(&connection->stream, duration_seconds(TUNNEL_LINGER_SECONDS));
	die(connection);
}

static const struct peer_verbs verbs = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .pause = pause_reading,
    .resume = resume_reading,
    .release = release,
};

/* --- for the pool -------------------------------------------------------------------------- */

struct upstream_h1 *upstream_h1_new(const struct upstream_h1_pool *pool)
{
	struct upstream_h1 *connection = xcalloc(1, sizeof *connection);
	connection->pool = pool;
	connection->loop = pool->target.loop;
	connection->timer = timer_new(pool->target.loop, on_timer, connection);
	connection->reader = h1_reader_new(H1_RESPONSES, &pool->limits);
	connection->read_on = (struct deferred){.fn = read_on, .arg = connection};
	connection->counting = (struct deferred){.fn = count_unread, .arg = connection};
	connection->state = STATE_CONNECTING;
	connection->dial = dial_start(&pool->target, on_dialled, connection);
	return connection;
}

struct peer upstream_h1_lend(struct upstream_h1 *connection, const struct upstream_want *want,
    const struct peer_events *events, void *arg)
{
	connection->events = events;
	connection->arg = arg;
	connection->want = *want;
	connection->is_reused = connection->state == STATE_IDLE;
	connection->is_request_ended = connection->is_answer_begun = connection->has_head = false;
	connection->may_keep = connection->is_answer_ended = connection->is_paused = false;
	if (connection->is_reused) {
		timer_cancel(connection->timer);
		connection->written_before = stream_bytes_written(connection->stream);
		set_state(connection, STATE_BUSY);
	}
	return (struct peer){&verbs, connection};
}

void upstream_h1_close(struct upstream_h1 *connection)
{
	die(connection);
}
