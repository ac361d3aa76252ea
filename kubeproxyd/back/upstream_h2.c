/* An HTTP/2 connection to an API server, on the engine of h2.h: one request per stream, each a peer
 * of an exchange. Input is fed in the event handler; output is collected once, at the end of the
 * turn. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream_h2_private.h"
#include "kubeproxyd/http/h2_fields.h"
#include "kubeproxyd/net/stream.h"

#define CONNECTION_WINDOW (16 * 1024 * 1024)
#define ANSWER_HEAD_MAX	  (256u * 1024)
#define ANSWER_FIELDS_MAX 1000u
/* More than such a head has: too large a one costs its own stream, not the connection. */
#define CONTINUATIONS_MAX 64
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
	h2_free(&connection->h2);
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
	h2_stop(&connection->h2);
	dial_cancel(&connection->dial);
	stream_close(&connection->stream);
	timer_cancel(connection->ping);
	if (connection->deadline != NULL)
		timer_cancel(connection->deadline);
	connection->pool->on_dead(connection->pool->arg, connection);
	struct h2_request *request;
	size_t before = connection->count;
	/* Each once, although some may be released meanwhile: around the list. */
	for (size_t i = 0; i < before; i++) {
		request = TAILQ_FIRST(&connection->live);
		if (request == NULL)
			break;
		TAILQ_REMOVE(&connection->live, request, entry);
		TAILQ_INSERT_TAIL(&connection->live, request, entry);
		if (request->is_closed || request->is_answer_ended)
			continue; /* failed before, or whole: told when it is resumed */
		bool is_cut = kind == PEER_CUT;
		h2_request_fail(
		    request, is_cut && !request->has_head ? PEER_CUT_BEFORE_HEAD : kind, text);
	}
	if (before == 0)
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
	/* The connection may have to end, but not inside an event. */
	upstream_h2_ask_flush(connection);
}

/* --- answers: from the API server
 * -------------------------------------------------------------------------------- */

/* Nothing comes between the frames of one head (RFC 9113, 4.3): all use the same memory. */
static void on_head_begin(struct h2_stream *h2)
{
	http_head_clear(&((struct h2_request *)h2)->connection->answer);
}

static const char *on_field(struct h2_stream *h2, const struct hpack_field *field, uint32_t traits)
{
	struct h2_request *request = (struct h2_request *)h2;
	struct http_head *answer = &request->connection->answer;
	struct http_fields *fields = request->has_head ? &request->trailers : &answer->fields;
	bool is_too_much =
	    fields->block_len + field->name_len + field->value_len > ANSWER_HEAD_MAX ||
	    fields->count >= ANSWER_FIELDS_MAX;
	if (is_too_much)
		return "the head of the answer is too large";
	bool is_length = h2_field_is(field, "content-length", strlen("content-length"));
	if (!request->has_head && field->name[0] == ':') {
		answer->status = (unsigned)h2_field_length(field); /* :status, no other is here */
	} else if (!request->has_head && is_length) {
		answer->body = HTTP_BODY_LENGTH;
		answer->content_length = h2_field_length(field);
	} else {
		h2_fields_add(fields, field, traits);
	}
	return NULL;
}

static void on_malformed(void *arg, struct h2_stream *h2, const char *why)
{
	if (h2 != NULL)
		((struct h2_request *)h2)->complaint = why;
	else
		((struct upstream_h2 *)arg)->complaint = why;
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

static void on_frame(void *arg, const struct h2_frame *frame)
{
	struct upstream_h2 *connection = arg;
	connection->has_heard = true;
	if (frame->type == H2_GOAWAY)
		connection->is_draining = true;
	if (frame->type == H2_PING && (frame->flags & H2_ACK) != 0)
		connection->is_ping_out = false;
}

static void on_head(struct h2_stream *h2, bool is_end)
{
	struct h2_request *request = (struct h2_request *)h2;
	const struct h2 *connection = h2->h2;
	uint32_t id = h2->id;
	tell_head(request, is_end);
	if (is_end && h2->h2 == connection && h2->id == id)
		note_end(request);
}

static void on_body(struct h2_stream *h2, const uint8_t *data, size_t len)
{
	struct h2_request *request = (struct h2_request *)h2;
	struct h2 *connection = h2->h2;
	h2_consume_connection(connection, len);
	if (request->is_paused || request->held.len > 0) {
		h2_request_hold(request, data, len);
		return;
	}
	uint32_t id = h2->id;
	request->events->on_body(request->arg, data, len);
	/* It may have been released, and serve another request already. */
	if (h2->h2 == connection && h2->id == id)
		h2_consume(h2, len);
}

static void on_answer_end(struct h2_stream *h2)
{
	note_end((struct h2_request *)h2);
}

static enum peer_failure_kind kind_of_reset(const struct h2_request *request, uint32_t code)
{
	if (request->has_head)
		return PEER_CUT;
	return code == H2_REFUSED_STREAM ? PEER_REFUSED : PEER_CUT_BEFORE_HEAD;
}

/* Reset by the API server or by us, or provably not processed: above the last id of a GOAWAY. */
static void on_close(struct h2_stream *h2, uint32_t code)
{
	struct h2_request *request = (struct h2_request *)h2;
	if (request->is_answer_ended) {
		request->is_closed = true;
		return;
	}
	if (request->complaint != NULL) {
		h2_request_fail(
		    request, request->has_head ? PEER_CUT : PEER_MALFORMED, request->complaint);
		return;
	}
	char *reason = xasprintf("the API server reset the stream: %s", h2_code_name(code));
	h2_request_fail(request, kind_of_reset(request, code), reason);
	free(reason);
}

static void write_bytes(void *arg, const void *data, size_t len)
{
	stream_write(((struct upstream_h2 *)arg)->stream, data, len);
}

static bool amend(void *arg, uint64_t back, uint8_t bits)
{
	return stream_amend(((struct upstream_h2 *)arg)->stream, back, bits);
}

static bool is_full(void *arg)
{
	return stream_is_full(((struct upstream_h2 *)arg)->stream);
}

static const struct h2_events h2_events = {
    .write = write_bytes,
    .is_full = is_full,
    .amend = amend,
    .on_head_begin = on_head_begin,
    .on_field = on_field,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_answer_end,
    .on_close = on_close,
    .on_malformed = on_malformed,
    .on_frame = on_frame,
    .body = h2_request_body,
    .write_body = h2_request_write_body,
};

static void tell_ready(struct upstream_h2 *connection)
{
	struct h2_request *request;
	while ((request = TAILQ_FIRST(&connection->ready)) != NULL)
		h2_request_tell(request);
}

static void on_flush(void *arg)
{
	struct upstream_h2 *connection = arg;
	tell_ready(connection);
	if (connection->is_connected && !connection->is_dead)
		h2_flush(&connection->h2);
	if (connection->is_dead)
		return;
	if (connection->is_draining && connection->count == 0)
		die(connection, PEER_CUT, "drained");
	else if (connection->is_connected && h2_is_done(&connection->h2))
		die(connection, PEER_MALFORMED, connection->complaint);
}

/* --- the connection
 * ---------------------------------------------------------------------------------------------- */

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	struct upstream_h2 *connection = arg;
	if (h2_receive(&connection->h2, data, len))
		upstream_h2_ask_flush(connection);
	else
		die(connection, PEER_MALFORMED, connection->h2.reason);
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
		h2_ping(&connection->h2);
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
	h2_start(&connection->h2);
	connection->pool->on_connected(connection->pool->arg);
	timer_set(connection->ping, connection->pool->ping_after);
	upstream_h2_ask_flush(connection);
}

static void begin_h2(struct upstream_h2 *connection, size_t stream_window)
{
	const struct h2_options options = {
	    .stream_window = (uint32_t)stream_window,
	    .connection_window = CONNECTION_WINDOW,
	    .header_list_max = ANSWER_HEAD_MAX,
	    .continuations_max = CONTINUATIONS_MAX,
	};
	h2_init(&connection->h2, &options, &h2_events, connection);
}

struct upstream_h2 *upstream_h2_new(const struct upstream_h2_pool *pool, size_t stream_window)
{
	struct upstream_h2 *connection = xcalloc(1, sizeof *connection);
	connection->pool = pool;
	connection->loop = pool->target.loop;
	connection->complaint = "it is not HTTP/2 as it must be";
	connection->flush = (struct deferred){.fn = on_flush, .arg = connection};
	connection->ping = timer_new(connection->loop, on_ping_timer, connection);
	begin_h2(connection, stream_window);
	TAILQ_INIT(&connection->live);
	TAILQ_INIT(&connection->spare);
	TAILQ_INIT(&connection->ready);
	TAILQ_INIT(&connection->waiting);
	connection->dial = dial_start(&pool->target, on_dialled, connection);
	return connection;
}

bool upstream_h2_has_room(const struct upstream_h2 *connection)
{
	if (connection->is_dead || connection->is_draining || !h2_may_submit(&connection->h2))
		return false;
	uint32_t limit = h2_peer_streams_max(&connection->h2);
	if (limit > STREAMS_ABSURD)
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
