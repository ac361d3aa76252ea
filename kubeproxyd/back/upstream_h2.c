/* An HTTP/2 connection to an API server by nghttp2: one request per stream, each a peer of an
 * exchange. Input is fed in the event handler; output is collected once, at the end of the turn,
 * when nothing else of nghttp2 is on the stack; there the fields that we encode ourselves are
 * appended to each HEADERS frame. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream_h2_private.h"
#include "kubeproxyd/http/h2_memory.h"
#include "kubeproxyd/net/stream.h"

#define CONNECTION_WINDOW (16 * 1024 * 1024)
#define ANSWER_HEAD_MAX	  (256u * 1024)
#define ANSWER_FIELDS_MAX 1000u
/* More than such a head has: too large a one costs its own stream, not the connection. */
#define CONTINUATIONS_MAX 64
/* The front's limits are far below; what they let through is sent. */
#define REQUEST_HEAD_MAX	(1024u * 1024)
#define STREAMS_BEFORE_SETTINGS 100u
/* Where an API server names no limit, or an absurd one: that of Go's servers. */
#define STREAMS_WITHOUT_LIMIT 250u
#define STREAMS_ABSURD	      1000u

void upstream_h2_ask_flush(struct upstream_h2 *connection)
{
	loop_defer(connection->loop, &connection->flush);
}

/* --- the end --------------------------------------------------------------------------------- */

static void free_connection(void *object)
{
	struct upstream_h2 *connection = object;
	struct h2_request *request;
	while ((request = TAILQ_FIRST(&connection->spare)) != NULL) {
		TAILQ_REMOVE(&connection->spare, request, entry);
		h2_request_free(request);
	}
	loop_undefer(connection->loop, &connection->flush);
	timer_free(&connection->ping);
	timer_free(&connection->deadline);
	nghttp2_session_del(connection->session);
	buf_free_secret(&connection->token);
	buf_free_secret(&connection->literal);
	h2_tails_free(&connection->tails);
	http_head_free(&connection->answer);
	free(connection);
}

/* The connection is over. Each request learns what that means for it, then `connection` lives until
 * all are released. */
static void die(struct upstream_h2 *connection, enum peer_failure_kind kind, const char *reason)
{
	if (connection->is_dead)
		return;
	char *text = xstrdup(reason); /* it may belong to the stream that is closed now */
	log_debug("upstream", "h2-dead", LOG_S("host", connection->pool->target.host),
	    LOG_S("reason", text));
	connection->is_dead = true;
	dial_cancel(&connection->dial);
	stream_close(&connection->stream);
	timer_cancel(connection->ping);
	if (connection->deadline != NULL)
		timer_cancel(connection->deadline);
	connection->pool->on_dead(connection->pool->arg, connection);
	struct h2_request_list live;
	TAILQ_INIT(&live);
	TAILQ_CONCAT(&live, &connection->live, entry);
	struct h2_request *request;
	size_t left = connection->count;
	while ((request = TAILQ_FIRST(&live)) != NULL) {
		TAILQ_REMOVE(&live, request, entry);
		TAILQ_INSERT_TAIL(&connection->live, request, entry);
		if (request->is_closed || request->is_answer_ended)
			continue; /* failed before, or whole: told when it is resumed */
		bool is_cut = kind == PEER_CUT;
		h2_request_fail(
		    request, is_cut && !request->has_head ? PEER_CUT_BEFORE_HEAD : kind, text);
	}
	if (left == 0)
		loop_free_later(connection->loop, free_connection, connection);
	free(text);
}

void upstream_h2_park(struct h2_request *request)
{
	struct upstream_h2 *connection = request->connection;
	TAILQ_REMOVE(&connection->live, request, entry);
	TAILQ_INSERT_HEAD(&connection->spare, request, entry);
	connection->count--;
	if (connection->count > 0)
		return;
	if (connection->is_dead) {
		loop_free_later(connection->loop, free_connection, connection);
		return;
	}
	connection->idle_since = mono_now();
	/* The connection may have to end, but not inside a callback of nghttp2. */
	upstream_h2_ask_flush(connection);
}

/* --- answers: from the API server
 * -------------------------------------------------------------------------------- */

static struct h2_request *find_request(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* Nothing comes between the frames of one head (RFC 9113, 4.3): all use the same memory. */
static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	(void)session;
	(void)frame;
	struct upstream_h2 *connection = user_data;
	http_head_clear(&connection->answer);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
	(void)flags;
	struct upstream_h2 *connection = user_data;
	struct h2_request *request = find_request(session, frame->hd.stream_id);
	if (request == NULL)
		return 0;
	struct http_head *answer = &connection->answer;
	struct http_fields *fields = request->has_head ? &request->trailers : &answer->fields;
	bool is_too_much = fields->block_len + name_len + value_len > ANSWER_HEAD_MAX ||
			   fields->count >= ANSWER_FIELDS_MAX;
	if (is_too_much) {
		request->complaint = "the head of the answer is too large";
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (request->has_head) {
		fields_add(fields, (const char *)name, name_len, (const char *)value, value_len);
		return 0;
	}
	if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
		answer->status = (unsigned)strtoul((const char *)value, NULL, 10);
		return 0;
	}
	if (name_len == 14 && memcmp(name, "content-length", 14) == 0) {
		answer->body = HTTP_BODY_LENGTH;
		answer->content_length = strtoull((const char *)value, NULL, 10);
		return 0;
	}
	fields_add(&answer->fields, (const char *)name, name_len, (const char *)value, value_len);
	return 0;
}

/* nghttp2 would leave such a field out and go on; here the answer fails. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
    void *user_data)
{
	(void)session;
	(void)frame;
	(void)name;
	(void)name_len;
	(void)value;
	(void)value_len;
	(void)flags;
	(void)user_data;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_invalid_frame(
    nghttp2_session *session, const nghttp2_frame *frame, int code, void *user_data)
{
	struct upstream_h2 *connection = user_data;
	struct h2_request *request = find_request(session, frame->hd.stream_id);
	if (request != NULL)
		request->complaint = nghttp2_strerror(code);
	else
		connection->complaint = nghttp2_strerror(code);
	return 0;
}

static void tell_head(struct h2_request *request, bool is_end)
{
	struct http_head *answer = &request->connection->answer;
	if (is_end) /* the length that it declares is that of the answer to a GET */
		answer->body = HTTP_BODY_NONE;
	else if (answer->body != HTTP_BODY_LENGTH)
		answer->body = HTTP_BODY_CHUNKED;
	answer->keep_alive = true;
	request->has_head = true;
	request->connection->answered++;
	h2_request_stop_waiting(request);
	request->events->on_head(request->arg, answer);
}

/* The answer is complete: told at once, unless something is held that goes first. */
static void note_end(struct h2_request *request)
{
	request->is_answer_ended = true;
	if (request->is_paused || request->held.len > 0) {
		h2_request_make_ready(request);
		return;
	}
	h2_request_tell_end(request);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct upstream_h2 *connection = user_data;
	connection->has_heard = true;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		connection->is_draining = true;
	if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
		connection->is_ping_out = false;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2_request *request = find_request(session, frame->hd.stream_id);
	if (request == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && !request->has_head &&
	    connection->answer.status >= 200)
		tell_head(request, is_end);
	request = find_request(session, frame->hd.stream_id);
	if (request != NULL && is_end)
		note_end(request);
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
    size_t len, void *user_data)
{
	(void)flags;
	(void)user_data;
	nghttp2_session_consume_connection(session, len);
	struct h2_request *request = find_request(session, id);
	if (request == NULL)
		return 0;
	if (request->is_paused || request->held.len > 0) {
		h2_request_hold(request, data, len);
		return 0;
	}
	request->events->on_body(request->arg, data, len);
	nghttp2_session_consume_stream(session, id, len);
	return 0;
}

static enum peer_failure_kind kind_of_reset(const struct h2_request *request, uint32_t code)
{
	if (request->has_head)
		return PEER_CUT;
	return code == NGHTTP2_REFUSED_STREAM ? PEER_REFUSED : PEER_CUT_BEFORE_HEAD;
}

/* Reset by the API server or by nghttp2, or provably not processed: above the last id of a GOAWAY.
 */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
	(void)user_data;
	struct h2_request *request = find_request(session, id);
	if (request == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	if (request->is_answer_ended) {
		request->is_closed = true;
		return 0;
	}
	if (request->complaint != NULL) {
		h2_request_fail(
		    request, request->has_head ? PEER_CUT : PEER_MALFORMED, request->complaint);
		return 0;
	}
	char *reason =
	    xasprintf("the API server reset the stream: %s", nghttp2_http2_strerror(code));
	h2_request_fail(request, kind_of_reset(request, code), reason);
	free(reason);
	return 0;
}

/* Its fields and the token's literal go behind the header block: length and bytes change, nothing
 * else (RFC 9113, 6.2). */
static void write_head(struct h2_request *request, const uint8_t *frame, size_t len)
{
	struct upstream_h2 *connection = request->connection;
	const struct buf *token = &connection->literal;
	uint8_t header[H2_FRAME_HEADER];
	h2_frame_header_grown(header, frame, len, request->tail.len + token->len);
	stream_write(connection->stream, header, sizeof header);
	stream_write(connection->stream, frame + sizeof header, len - sizeof header);
	stream_write(connection->stream, h2_tail_bytes(&connection->tails, &request->tail),
	    request->tail.len);
	stream_write(connection->stream, token->data, token->len);
	h2_tail_written(&connection->tails, &request->tail);
}

static void write_frame(struct upstream_h2 *connection, const uint8_t *frame, size_t len)
{
	if (len < H2_FRAME_HEADER || frame[3] != NGHTTP2_HEADERS) {
		stream_write(connection->stream, frame, len);
		return;
	}
	int32_t id = (int32_t)((uint32_t)(frame[5] & 0x7f) << 24 | (uint32_t)frame[6] << 16 |
			       (uint32_t)frame[7] << 8 | frame[8]);
	struct h2_request *request = find_request(connection->session, id);
	if (request != NULL)
		request->is_sent = true;
	if (request != NULL && request->tail.is_waiting)
		write_head(request, frame, len);
	else
		stream_write(connection->stream, frame, len);
}

static void tell_ready(struct upstream_h2 *connection)
{
	struct h2_request *request;
	while ((request = TAILQ_FIRST(&connection->ready)) != NULL)
		h2_request_tell(request);
}

/* Callbacks may fail requests meanwhile, which may lend themselves elsewhere; they end no
 * connection. */
static void write_frames(struct upstream_h2 *connection)
{
	while (!stream_is_full(connection->stream)) {
		const uint8_t *frame;
		ssize_t len = nghttp2_session_mem_send(connection->session, &frame);
		if (len < 0)
			die(connection, PEER_CUT, nghttp2_strerror((int)len));
		if (len <= 0)
			return;
		write_frame(connection, frame, (size_t)len);
	}
}

/* nghttp2 gave the connection up for what the API server sent, or all is answered after a GOAWAY.
 */
static bool is_over(const struct upstream_h2 *connection)
{
	return connection->is_connected && !nghttp2_session_want_read(connection->session) &&
	       !nghttp2_session_want_write(connection->session);
}

static void on_flush(void *arg)
{
	struct upstream_h2 *connection = arg;
	tell_ready(connection);
	if (connection->is_connected && !connection->is_dead)
		write_frames(connection);
	if (connection->is_dead)
		return;
	if (connection->is_draining && connection->count == 0)
		die(connection, PEER_CUT, "drained");
	else if (is_over(connection))
		die(connection, PEER_MALFORMED, connection->complaint);
}

/* --- the connection
 * ---------------------------------------------------------------------------------------------- */

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	struct upstream_h2 *connection = arg;
	ssize_t used = nghttp2_session_mem_recv(connection->session, data, len);
	if (used < 0) {
		die(connection, PEER_MALFORMED, nghttp2_strerror((int)used));
		return len;
	}
	upstream_h2_ask_flush(connection);
	return len;
}

static void on_end(void *arg)
{
	die(arg, PEER_CUT, "the API server closed the connection");
}

static void on_drain(void *arg)
{
	upstream_h2_ask_flush(arg);
}

static void on_error(void *arg, const char *reason)
{
	die(arg, PEER_CUT, reason);
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_error = on_error,
};

/* A connection that says nothing although it is used is asked whether it is there (RFC 9113, 6.7).
 */
static void on_ping_timer(void *arg)
{
	struct upstream_h2 *connection = arg;
	if (connection->is_ping_out) {
		die(connection, PEER_CUT, "the API server does not answer PING");
		return;
	}
	bool is_idle = connection->count == 0 &&
		       mono_since(connection->idle_since).ms >= connection->pool->idle_after.ms;
	if (is_idle) {
		die(connection, PEER_CUT, "idle");
		return;
	}
	bool must_ask = !connection->has_heard && connection->count > 0;
	connection->has_heard = false;
	if (must_ask) {
		nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
		connection->is_ping_out = true;
		upstream_h2_ask_flush(connection);
	}
	timer_set(connection->ping,
	    must_ask ? connection->pool->ping_timeout : connection->pool->ping_after);
}

static void on_dialled(
    void *arg, struct stream *stream, enum peer_failure_kind kind, const char *reason)
{
	struct upstream_h2 *connection = arg;
	connection->dial = NULL;
	if (stream == NULL) {
		die(connection, kind, reason);
		return;
	}
	connection->stream = stream;
	const char *protocol = stream_alpn(stream);
	if (protocol == NULL || strcmp(protocol, "h2") != 0) {
		connection->pool->on_not_h2(connection->pool->arg);
		die(connection, PEER_REFUSED, "the API server does not speak HTTP/2");
		return;
	}
	stream_set_events(stream, &stream_events, connection);
	connection->is_connected = true;
	connection->pool->on_connected(connection->pool->arg);
	timer_set(connection->ping, connection->pool->ping_after);
	upstream_h2_ask_flush(connection);
}

static nghttp2_session *new_session(struct upstream_h2 *connection, size_t stream_window)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *session;
	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort();
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_peer_max_concurrent_streams(option, STREAMS_BEFORE_SETTINGS);
	nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
	nghttp2_option_set_max_send_header_block_length(option, REQUEST_HEAD_MAX);
	if (nghttp2_session_client_new3(&session, callbacks, connection, option, h2_memory()) != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)stream_window},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, ANSWER_HEAD_MAX},
	};
	nghttp2_submit_settings(
	    session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]);
	nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
	return session;
}

struct upstream_h2 *upstream_h2_new(const struct upstream_h2_pool *pool, size_t stream_window)
{
	struct upstream_h2 *connection = xcalloc(1, sizeof *connection);
	connection->pool = pool;
	connection->loop = pool->target.loop;
	connection->complaint = "it is not HTTP/2 as it must be";
	connection->flush = (struct deferred){.fn = on_flush, .arg = connection};
	connection->ping = timer_new(connection->loop, on_ping_timer, connection);
	connection->session = new_session(connection, stream_window);
	TAILQ_INIT(&connection->live);
	TAILQ_INIT(&connection->spare);
	TAILQ_INIT(&connection->ready);
	TAILQ_INIT(&connection->waiting);
	connection->dial = dial_start(&pool->target, on_dialled, connection);
	return connection;
}

bool upstream_h2_has_room(const struct upstream_h2 *connection)
{
	if (connection->is_dead || connection->is_draining ||
	    !nghttp2_session_check_request_allowed(connection->session))
		return false;
	uint32_t limit = nghttp2_session_get_remote_settings(
	    connection->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (!connection->is_connected)
		limit = STREAMS_BEFORE_SETTINGS;
	else if (limit > STREAMS_ABSURD)
		limit = STREAMS_WITHOUT_LIMIT;
	return connection->count < limit - limit / 10;
}

bool upstream_h2_is_new(const struct upstream_h2 *connection)
{
	return connection->answered == 0;
}

size_t upstream_h2_requests(const struct upstream_h2 *connection)
{
	return connection->count;
}

struct peer upstream_h2_lend(struct upstream_h2 *connection, const struct upstream_want *want,
    const struct peer_events *events, void *arg)
{
	struct h2_request *request = h2_request_take(connection);
	request->events = events;
	request->arg = arg;
	request->response_timeout = want->response_timeout;
	request->holdings = want->holdings;
	request->answered_before = connection->answered;
	TAILQ_INSERT_TAIL(&connection->live, request, entry);
	connection->count++;
	return (struct peer){&h2_request_verbs, request};
}

void upstream_h2_drain(struct upstream_h2 *connection)
{
	connection->is_draining = true;
	if (connection->count == 0)
		die(connection, PEER_CUT, "drained");
}
