/* HTTP/1.1 with a client. One exchange at a time: what a client pipelines stays unread until the
 * answer before it is complete. A request's body is read when the exchange asks for it, so that
 * nothing of a refused one is held. It implements the peer verbs for the exchange; where the
 * framing of requests is lost, the connection ends. */
#include "kubeproxyd/front/session_h1.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/reply.h"
#include "kubeproxyd/http/h1_reader.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/net/stream.h"

/* A body that nobody wanted is read up to this size to keep the connection. */
#define SKIP_MAX	    (64u * 1024)
#define CHUNK_EXTENSION_MAX 4096
#define CONTINUE	    "HTTP/1.1 100 Continue\r\n\r\n"
/* How long a connection that was just made may take to ask once although the proxy stops. */
#define FIRST_REQUEST_MS 1000
/* How often a client whose bytes are not read now is looked after: it may have left. */
#define LOOK_MS 2000

enum state {
	STATE_IDLE, /* between requests */
	STATE_HEAD, /* a head has begun */
	STATE_EXCHANGING, /* an exchange runs */
	STATE_SKIPPING, /* answered; the rest of the request's body is thrown away */
	STATE_CLOSED,
};

struct conversation {
	struct session *session;
	struct loop *loop;
	struct stream *stream; /* the session's, NULL once closed */
	struct h1_reader *reader;
	struct timer *timer;
	struct deferred read_on; /* takes an end of the request that no more bytes will bring */
	enum state state;
	struct exchange *exchange; /* NULL: none */
	const struct http_head *request;
	bool is_paused; /* the exchange does not want the body now */
	bool is_stream_paused; /* bytes wait in the stream */
	bool owes_continue;
	bool is_request_ended;
	bool is_tunnel;
	bool has_answered_head;
	bool has_answered;
	bool is_answer_chunked;
	struct buf trailers; /* the last chunk with those of the answer; empty: there are none */
	bool is_answer_bodiless;
	bool will_close;
};

static void set_state(struct conversation *conversation, enum state state)
{
	static const char *const names[] = {"idle", "head", "exchanging", "skipping", "closed"};
	log_debug("session", "state", LOG_S("client", conversation->session->caller.address),
	    LOG_S("from", names[conversation->state]), LOG_S("to", names[state]));
	conversation->state = state;
}

static void arm(struct conversation *conversation)
{
	const struct settings *settings = session_settings(conversation->session);
	bool is_known = conversation->session->caller.identity != NULL;
	if (conversation->state == STATE_HEAD || (conversation->state == STATE_IDLE && !is_known))
		timer_set(conversation->timer, settings->proxy.limits.header_timeout);
	else if (conversation->state == STATE_IDLE || conversation->state == STATE_SKIPPING)
		timer_set(conversation->timer, settings->proxy.limits.idle_timeout);
	else
		timer_cancel(conversation->timer);
}

/* What waits in the stream comes by itself; what waits in the reader must be asked for. */
static void unpause_stream(struct conversation *conversation)
{
	if (!conversation->is_stream_paused) {
		loop_defer(conversation->loop, &conversation->read_on);
		return;
	}
	conversation->is_stream_paused = false;
	stream_resume(conversation->stream);
}

/* --- the end ------------------------------------------------------------------------------- */

static void close_session(
    struct conversation *conversation, enum session_end how, const char *reason)
{
	if (conversation->state == STATE_CLOSED)
		return;
	set_state(conversation, STATE_CLOSED);
	timer_cancel(conversation->timer);
	loop_undefer(conversation->loop, &conversation->read_on);
	conversation->stream = NULL;
	session_end(conversation->session, how, reason);
}

/* The exchange is told first; it releases us, which does nothing any more. */
static void give_up_exchange(struct conversation *conversation, const char *reason)
{
	struct exchange *exchange = conversation->exchange;
	conversation->exchange = NULL;
	if (exchange == NULL)
		return;
	struct peer_failure failure = {.kind = PEER_CUT, .reason = reason};
	exchange_client_events.on_failed(exchange, &failure);
}

static void client_gone(struct conversation *conversation, const char *reason)
{
	char *text = xstrdup(reason);
	give_up_exchange(conversation, text);
	close_session(conversation, SESSION_CUT, text);
	free(text);
}

/* It sends no more, and may still read: what it was answered whole goes out first. */
static void client_ended(struct conversation *conversation)
{
	static const char reason[] = "the client closed the connection";
	give_up_exchange(conversation, reason);
	bool is_whole = conversation->state != STATE_EXCHANGING || conversation->has_answered;
	close_session(conversation, is_whole ? SESSION_POLITE : SESSION_CUT, reason);
}

static const struct peer_verbs verbs;

/* The framing is lost or the client is late: says so, when no answer has begun, and ends. */
static void refuse(struct conversation *conversation, unsigned status, const char *message)
{
	session_count_bad_request(conversation->session, status, message);
	conversation->will_close = true;
	give_up_exchange(conversation, message); /* and may answer even now */
	struct reply reply = {.status = status, .message = message};
	if (!conversation->has_answered_head)
		(void)reply_send((struct peer){&verbs, conversation}, &reply);
	close_session(
	    conversation, conversation->has_answered ? SESSION_POLITE : SESSION_CUT, message);
}

/* What it pipelined, or a body that waits, stands before its end, which would not be seen until a
 * watch is over. */
static void look_after_client(struct conversation *conversation)
{
	if (!conversation->is_stream_paused)
		return;
	if (stream_has_peer_left(conversation->stream))
		client_gone(conversation, "the client closed the connection");
	else
		timer_set(conversation->timer, duration_ms(LOOK_MS));
}

/* The API server has ended its side of the tunnel, and for long nothing came of the other. */
static void give_up_tunnel(struct conversation *conversation)
{
	client_gone(conversation, stream_has_peer_left(conversation->stream)
				      ? "the API server did not take the end of the tunnel"
				      : "the client did not end its side of the tunnel");
}

static void on_timer(void *arg)
{
	struct conversation *conversation = arg;
	if (conversation->state == STATE_EXCHANGING && !conversation->is_tunnel)
		look_after_client(conversation);
	else if (conversation->state == STATE_EXCHANGING)
		give_up_tunnel(conversation);
	else if (conversation->state == STATE_HEAD)
		refuse(conversation, 408, "the head of the request did not arrive in time");
	else
		close_session(conversation, SESSION_POLITE,
		    session_is_draining(conversation->session) ? "draining" : "idle");
}

/* --- requests ------------------------------------------------------------------------------ */

static void await_request(struct conversation *conversation)
{
	if (session_is_draining(conversation->session)) {
		close_session(conversation, SESSION_POLITE, "draining");
		return;
	}
	set_state(conversation, STATE_IDLE);
	conversation->request = NULL;
	conversation->has_answered_head = conversation->has_answered = false;
	conversation->is_answer_bodiless = conversation->is_answer_chunked = false;
	arm(conversation);
}

static void start_exchange(struct conversation *conversation)
{
	struct session *session = conversation->session;
	struct http_head *head = h1_reader_head(conversation->reader);
	/* Who asks again finds it as large as it needs. */
	if (session->requests++ == 0)
		http_head_trim(head);
	conversation->request = head;
	conversation->is_paused = true;
	conversation->is_request_ended = false;
	conversation->owes_continue = head->expects_continue && head->body != HTTP_BODY_NONE;
	conversation->will_close = !head->keep_alive || head->is_upgrade;
	set_state(conversation, STATE_EXCHANGING);
	arm(conversation);
	conversation->exchange = exchange_new(session_exchanges(session),
	    (struct peer){&verbs, conversation}, &session->caller, head);
	exchange_start(conversation->exchange);
}

static void on_body(struct conversation *conversation)
{
	const uint8_t *data;
	size_t len;
	h1_reader_body(conversation->reader, &data, &len);
	if (conversation->exchange != NULL)
		exchange_client_events.on_body(conversation->exchange, data, len);
}

static void on_request_end(struct conversation *conversation)
{
	conversation->is_request_ended = true;
	if (conversation->state == STATE_SKIPPING)
		await_request(conversation);
	else if (conversation->exchange != NULL && conversation->request->body != HTTP_BODY_NONE)
		exchange_client_events.on_end(conversation->exchange);
}

/* Whether bytes of the client have somewhere to go now. Who does not read answers gets no further
 * ones: without that a pipeline of refused requests would fill the memory. */
static bool may_read(const struct conversation *conversation)
{
	switch (conversation->state) {
	case STATE_IDLE:
	case STATE_HEAD:
	case STATE_SKIPPING:
		return !stream_is_full(conversation->stream);
	case STATE_EXCHANGING:
		return !conversation->is_request_ended &&
		       (!conversation->is_paused || conversation->request->body == HTTP_BODY_NONE);
	case STATE_CLOSED:
		return false;
	}
	return false;
}

/* One event of the reader. False: it has nothing more to say about these bytes. */
static bool read_event(
    struct conversation *conversation, const uint8_t *data, size_t len, size_t *used)
{
	struct h1_error error;
	switch (h1_reader_next(conversation->reader, data, len, used)) {
	case H1_MORE:
		return false;
	case H1_HEAD:
		start_exchange(conversation);
		return true;
	case H1_BODY:
		on_body(conversation);
		return true;
	case H1_END:
	case H1_UPGRADED:
		on_request_end(conversation);
		return true;
	case H1_ERROR:
		error = h1_reader_error(conversation->reader);
		refuse(conversation, error.status, error.message);
		return false;
	}
	return false;
}

static size_t read_requests(struct conversation *conversation, const uint8_t *data, size_t len)
{
	size_t at = 0;
	bool goes_on = true;
	while (goes_on && may_read(conversation)) {
		size_t used = 0;
		goes_on = read_event(conversation, data + at, len - at, &used);
		at += used;
	}
	if (conversation->state == STATE_IDLE && !h1_reader_is_idle(conversation->reader)) {
		set_state(conversation, STATE_HEAD);
		arm(conversation);
	}
	return at;
}

/* The API server has said all; a client that says nothing more either may have left. */
static void arm_half_open(struct conversation *conversation)
{
	if (conversation->is_tunnel && conversation->has_answered)
		timer_set(conversation->timer,
		    session_settings(conversation->session)->proxy.limits.idle_timeout);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	struct conversation *conversation = arg;
	size_t used = 0;
	if (conversation->is_tunnel && !conversation->is_paused && conversation->exchange != NULL) {
		arm_half_open(conversation);
		exchange_client_events.on_body(conversation->exchange, data, len);
		used = len;
	} else if (!conversation->is_tunnel) {
		used = read_requests(conversation, data, len);
	}
	if (used < len && conversation->state != STATE_CLOSED && !conversation->is_stream_paused) {
		conversation->is_stream_paused = true;
		stream_pause(conversation->stream);
		if (conversation->state == STATE_EXCHANGING && !conversation->is_tunnel)
			timer_set(conversation->timer, duration_ms(LOOK_MS));
	}
	return used;
}

static void read_on(void *arg)
{
	static const uint8_t nothing[1];
	struct conversation *conversation = arg;
	if (!conversation->is_tunnel)
		(void)read_requests(conversation, nothing, 0);
}

static void on_end(void *arg)
{
	struct conversation *conversation = arg;
	if (conversation->is_tunnel && conversation->exchange != NULL)
		exchange_client_events.on_end(conversation->exchange);
	else
		client_ended(conversation);
}

static void on_drain(void *arg)
{
	struct conversation *conversation = arg;
	if (conversation->exchange != NULL)
		exchange_client_events.on_drain(conversation->exchange);
	else
		unpause_stream(conversation);
}

static void on_error(void *arg, const char *reason)
{
	client_gone(arg, reason);
}

static const struct stream_events stream_events = {
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_error = on_error,
};

/* --- answers: the verbs -------------------------------------------------------------------- */

/* Whether the connection can carry another request although this one's body may not be read to its
 * end yet. */
static bool can_skip_body(const struct conversation *conversation)
{
	const struct http_head *request = conversation->request;
	if (request == NULL)
		return false;
	if (conversation->is_request_ended || request->body == HTTP_BODY_NONE)
		return true;
	return request->body == HTTP_BODY_LENGTH && request->content_length <= SKIP_MAX &&
	       !conversation->owes_continue;
}

/* How the answer's body is framed for this client. */
static void frame_answer(struct conversation *conversation, struct http_head *head)
{
	const struct http_head *request = conversation->request;
	conversation->is_answer_bodiless =
	    head->body == HTTP_BODY_NONE ||
	    (request != NULL && strcmp(request->method, "HEAD") == 0);
	if (conversation->is_answer_bodiless) {
		head->body = HTTP_BODY_NONE;
		return;
	}
	if (head->body == HTTP_BODY_LENGTH)
		return;
	conversation->is_answer_chunked = request == NULL || !request->is_http10;
	head->body = conversation->is_answer_chunked ? HTTP_BODY_CHUNKED : HTTP_BODY_TO_CLOSE;
	conversation->will_close |= !conversation->is_answer_chunked;
}

static bool send_head(void *object, const struct http_head *head)
{
	struct conversation *conversation = object;
	struct http_head framed = *head;
	static struct buf text; /* used again each time */
	conversation->has_answered_head = true;
	conversation->is_tunnel = head->status == 101;
	if (conversation->is_tunnel) {
		timer_cancel(conversation->timer);
		stream_keep_records(conversation->stream);
	} else {
		frame_answer(conversation, &framed);
	}
	conversation->will_close |= session_is_draining(conversation->session) ||
				    !can_skip_body(conversation) || head->status == 401 ||
				    session_is_strange(conversation->session);
	framed.is_upgrade = conversation->is_tunnel;
	framed.keep_alive = conversation->is_tunnel || !conversation->will_close;
	buf_clear(&text);
	http_head_write_response(&framed, &text);
	stream_write(conversation->stream, text.data, text.len);
	return !stream_is_full(conversation->stream);
}

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	struct conversation *conversation = object;
	if (len == 0 || (conversation->is_answer_bodiless && !conversation->is_tunnel))
		return true;
	if (conversation->is_answer_chunked) {
		char prefix[HTTP_CHUNK_PREFIX_MAX];
		stream_write(conversation->stream, prefix, http_chunk_prefix(len, prefix));
	}
	stream_write(conversation->stream, data, len);
	if (conversation->is_answer_chunked)
		stream_write(conversation->stream, "\r\n", 2);
	return !stream_is_full(conversation->stream);
}

static void send_trailers(void *object, const struct http_fields *fields)
{
	struct conversation *conversation = object;
	if (conversation->is_answer_chunked)
		http_trailers_write(fields, &conversation->trailers);
}

static void send_end(void *object)
{
	struct conversation *conversation = object;
	struct buf *trailers = &conversation->trailers;
	conversation->has_answered = true;
	if (conversation->is_tunnel) {
		stream_end(conversation->stream);
		arm_half_open(conversation);
		return;
	}
	if (trailers->len > 0)
		stream_write(conversation->stream, trailers->data, trailers->len);
	else if (conversation->is_answer_chunked)
		stream_write(conversation->stream, HTTP_CHUNK_LAST, strlen(HTTP_CHUNK_LAST));
	buf_free(trailers);
}

static void pause_body(void *object)
{
	struct conversation *conversation = object;
	conversation->is_paused = true;
}

static void resume_body(void *object)
{
	struct conversation *conversation = object;
	conversation->is_paused = false;
	if (conversation->owes_continue && !conversation->has_answered_head)
		stream_write(conversation->stream, CONTINUE, strlen(CONTINUE));
	conversation->owes_continue = false;
	unpause_stream(conversation);
}

static void release(void *object)
{
	struct conversation *conversation = object;
	/* NULL when we gave up the exchange ourselves and close in a moment. */
	if (conversation->exchange == NULL)
		return;
	conversation->exchange = NULL;
	if (!conversation->has_answered) {
		close_session(conversation, SESSION_CUT, "the answer was cut");
		return;
	}
	if (conversation->will_close) {
		close_session(conversation, SESSION_POLITE, "done");
		return;
	}
	if (conversation->is_request_ended) {
		await_request(conversation);
	} else {
		set_state(conversation, STATE_SKIPPING);
		arm(conversation);
	}
	if (conversation->state != STATE_CLOSED)
		unpause_stream(conversation);
}

static const struct peer_verbs verbs = {
    .send_head = send_head,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .send_end = send_end,
    .pause = pause_body,
    .resume = resume_body,
    .release = release,
};

/* --- the protocol -------------------------------------------------------------------------- */

static void *start(struct session *session)
{
	const struct settings *settings = session_settings(session);
	struct h1_limits limits = {
	    .head_bytes = settings->proxy.limits.header_bytes,
	    .field_count = settings->proxy.limits.header_count,
	    .chunk_extension_bytes = CHUNK_EXTENSION_MAX,
	};
	struct conversation *conversation = xcalloc(1, sizeof *conversation);
	conversation->session = session;
	conversation->loop = session_loop(session);
	conversation->stream = session->stream;
	conversation->reader = h1_reader_new(H1_REQUESTS, &limits);
	conversation->timer = timer_new(conversation->loop, on_timer, conversation);
	conversation->read_on = (struct deferred){.fn = read_on, .arg = conversation};
	arm(conversation);
	stream_set_events(session->stream, &stream_events, conversation);
	return conversation;
}

/* Between two requests a client knows that the connection may end; before its first it would take
 * that for a refusal. */
static void drain(void *object)
{
	struct conversation *conversation = object;
	if (conversation->state != STATE_IDLE)
		return;
	if (conversation->session->requests == 0)
		timer_set(conversation->timer, duration_ms(FIRST_REQUEST_MS));
	else
		close_session(conversation, SESSION_POLITE, "draining");
}

static void cut(void *object, const char *reason)
{
	client_gone(object, reason);
}

static void free_conversation(void *object)
{
	struct conversation *conversation = object;
	timer_free(&conversation->timer);
	loop_undefer(conversation->loop, &conversation->read_on);
	h1_reader_free(&conversation->reader);
	buf_free(&conversation->trailers);
	free(conversation);
}

const struct session_protocol session_h1 = {
    .start = start,
    .drain = drain,
    .cut = cut,
    .free = free_conversation,
};
