/* One stream of an HTTP/2 client connection: the verbs that its exchange calls, the answer's body
 * as the peer takes it, the request's body as the exchange wants it. Verbs never call events:
 * what they cause is told at the end of the turn. */
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/reply.h"
#include "kubeproxyd/front/session_h2_private.h"
#include "kubeproxyd/http/h2_fields.h"
#include "kubeproxyd/http/hpack.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/net/stream.h"

#define ANSWER_HIGH_MARK (256u * 1024)
/* While all answers together hold much. */
#define ANSWER_TIGHT_MARK (16u * 1024)
/* Less of a body is gathered, for fewer frames. */
#define OFFER_MIN 128u
/* A head that took more than most is not kept. */
#define SPARE_HEAD_MAX 4096u

static void make_ready(struct client_stream *stream)
{
	if (stream->is_listed)
		return;
	stream->is_listed = true;
	TAILQ_INSERT_TAIL(&stream->conversation->ready, stream, ready);
	h2_ask_flush(stream->conversation);
}

static void unlist(struct client_stream *stream)
{
	if (!stream->is_listed)
		return;
	TAILQ_REMOVE(&stream->conversation->ready, stream, ready);
	stream->is_listed = false;
}

static void count_answer(struct client_stream *stream)
{
	struct holdings *holdings = stream->conversation->session->holdings;
	holdings_count(holdings, &stream->counted, stream->answer.cap);
}

static size_t answer_mark(const struct client_stream *stream)
{
	bool is_tight = holdings_are_tight(stream->conversation->session->holdings);
	return is_tight ? ANSWER_TIGHT_MARK : ANSWER_HIGH_MARK;
}

static void drop_answer(struct client_stream *stream)
{
	stream_queue_clear(&stream->answer);
	count_answer(stream);
}

/* Those of all connections that wait for the next request, with the memory of their heads. */
static struct client_stream_list spare = TAILQ_HEAD_INITIALIZER(spare);
static size_t spare_count;

static struct client_stream *take_spare(void)
{
	struct client_stream *stream = TAILQ_FIRST(&spare);
	if (stream == NULL) {
		stream = xcalloc(1, sizeof *stream);
		stream->is_fresh = true;
		return stream;
	}
	TAILQ_REMOVE(&spare, stream, entry);
	spare_count--;
	struct http_head request = stream->request;
	*stream = (struct client_stream){.request = request};
	return stream;
}

struct client_stream *client_stream_new(struct h2_conversation *conversation)
{
	struct client_stream *stream = take_spare();
	stream->conversation = conversation;
	stream->is_paused = true;
	TAILQ_INSERT_TAIL(&conversation->live, stream, entry);
	conversation->count++;
	return stream;
}

static void free_stream(void *object)
{
	struct client_stream *stream = object;
	fields_free(&stream->trailers);
	if (spare_count + 1 > H2_SPARE_STREAMS ||
	    stream->request.fields.block_cap > SPARE_HEAD_MAX) {
		http_head_free(&stream->request);
		free(stream);
		return;
	}
	http_head_clear(&stream->request);
	TAILQ_INSERT_HEAD(&spare, stream, entry);
	spare_count++;
}

/* Wiped: bodies may hold Secrets. */
static void drop_held(struct client_stream *stream)
{
	h2_note_taken(stream->conversation, stream->held.len);
	buf_free_secret(&stream->held);
}

void client_stream_free(struct client_stream *stream)
{
	struct h2_conversation *conversation = stream->conversation;
	drop_held(stream);
	drop_answer(stream);
	unlist(stream);
	TAILQ_REMOVE(&conversation->live, stream, entry);
	conversation->count--;
	loop_free_later(session_loop(conversation->session), free_stream, stream);
	h2_ask_flush(conversation);
}

/* --- answers: the verbs -------------------------------------------------------------------------
 */

size_t client_stream_body(struct h2_stream *h2, enum h2_body *state)
{
	struct client_stream *stream = (struct client_stream *)h2;
	if (stream->has_answered)
		*state = stream->trailers.count > 0 ? H2_BODY_ENDS_IN_TRAILERS : H2_BODY_ENDS;
	return stream->answer.len;
}

void client_stream_write_body(struct h2_stream *h2, size_t len)
{
	struct client_stream *stream = (struct client_stream *)h2;
	struct h2_conversation *conversation = stream->conversation;
	stream_write_queue(conversation->stream, &stream->answer, len);
	count_answer(stream);
	flood_note_sent(&conversation->flood, len);
	if (stream->is_full && stream->answer.len <= answer_mark(stream) / 2)
		make_ready(stream);
}

void client_stream_write_trailers(struct h2_stream *h2)
{
	struct client_stream *stream = (struct client_stream *)h2;
	const struct http_head trailers = {.fields = stream->trailers, .body = HTTP_BODY_NONE};
	h2_head_append(h2_head_open(h2), &trailers, NULL);
	h2_head_close(h2, true);
}

static bool is_bodiless(const struct client_stream *stream, const struct http_head *head)
{
	return head->body == HTTP_BODY_NONE || strcmp(stream->request.method, "HEAD") == 0 ||
	       head->status == 204 || head->status == 304;
}

static bool send_head(void *object, const struct http_head *head)
{
	struct client_stream *stream = object;
	struct h2_conversation *conversation = stream->conversation;
	if (stream->is_closed || conversation->is_closed)
		return false;
	struct buf *out = h2_head_open(&stream->h2);
	hpack_append_status(out, head->status);
	h2_head_append(out, head, NULL);
	stream->has_answered_head = true;
	stream->is_bodiless = is_bodiless(stream, head);
	h2_head_close(&stream->h2, stream->is_bodiless);
	bool is_unknown = head->status == 401 && conversation->session->caller.identity == NULL;
	if (is_unknown || session_is_strange(conversation->session))
		h2_say_goodbye(conversation);
	h2_ask_flush(conversation);
	return true;
}

static void resume_answer(struct client_stream *stream)
{
	if (stream->is_closed || stream->conversation->is_closed || stream->is_bodiless)
		return;
	h2_resume(&stream->h2);
	h2_ask_flush(stream->conversation);
}

/* How much of a body could be written without being kept first. */
static size_t send_at_once(struct client_stream *stream, const uint8_t *data, size_t len)
{
	struct h2_conversation *conversation = stream->conversation;
	if (stream->answer.len > 0 || len < OFFER_MIN || conversation->is_closed)
		return 0;
	/* Before what is written asks its transport for the same: the end may still join it. */
	h2_ask_flush(conversation);
	size_t sent = h2_offer(&stream->h2, data, len);
	flood_note_sent(&conversation->flood, sent);
	return sent;
}

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	struct client_stream *stream = object;
	if (stream->is_bodiless || stream->is_closed || len == 0)
		return true;
	size_t sent = send_at_once(stream, data, len);
	data += sent;
	len -= sent;
	if (len == 0)
		return !stream->is_full;
	stream_queue_append_few(&stream->answer, data, len);
	count_answer(stream);
	resume_answer(stream);
	stream->is_full |= stream->answer.len > answer_mark(stream);
	return !stream->is_full;
}

static void send_trailers(void *object, const struct http_fields *fields)
{
	struct client_stream *stream = object;
	for (size_t i = 0; i < fields->count; i++)
		fields_copy(&stream->trailers, fields, i);
}

static void send_end(void *object)
{
	struct client_stream *stream = object;
	stream->has_answered = true;
	resume_answer(stream);
}

static void pause_body(void *object)
{
	((struct client_stream *)object)->is_paused = true;
}

static void send_continue(struct client_stream *stream)
{
	hpack_append_status(h2_head_open(&stream->h2), 100);
	h2_head_close(&stream->h2, false);
	h2_ask_flush(stream->conversation);
}

/* Who came without a certificate is known now. */
static void widen(struct client_stream *stream)
{
	struct h2_conversation *conversation = stream->conversation;
	bool is_due = !stream->is_widened && !conversation->has_certificate &&
		      !stream->is_request_ended && !stream->is_closed && !conversation->is_closed;
	if (!is_due)
		return;
	stream->is_widened = true;
	h2_widen(&stream->h2, CLIENT_BODY_WINDOW);
	h2_ask_flush(conversation);
}

static void resume_body(void *object)
{
	struct client_stream *stream = object;
	stream->is_paused = false;
	widen(stream);
	bool must_continue =
	    stream->owes_continue && !stream->has_answered_head && !stream->is_closed;
	stream->owes_continue = false;
	if (must_continue)
		send_continue(stream);
	if (stream->held.len > 0 || (stream->is_request_ended && !stream->is_end_told))
		make_ready(stream);
}

/* What is answered to the end goes out; what is not is cut, so that nobody takes it for complete.
 */
static void release(void *object)
{
	struct client_stream *stream = object;
	struct h2_conversation *conversation = stream->conversation;
	stream->exchange = NULL;
	if (stream->is_closed || conversation->is_closed) {
		client_stream_free(stream);
		return;
	}
	drop_held(stream);
	if (!stream->has_answered) {
		h2_reset(&stream->h2, H2_INTERNAL_ERROR);
		client_stream_free(stream);
	}
	h2_ask_flush(conversation);
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

/* --- requests -----------------------------------------------------------------------------------
 */

void client_stream_refuse(struct client_stream *stream)
{
	struct reply reply = {.status = stream->refusal.status, .message = stream->refusal.message};
	session_count_bad_request(stream->conversation->session, reply.status, reply.message);
	(void)reply_send((struct peer){&verbs, stream}, &reply);
}

void client_stream_start(struct client_stream *stream)
{
	struct session *session = stream->conversation->session;
	struct http_head *head = &stream->request;
	session->requests++;
	if (stream->is_fresh)
		http_head_trim(head);
	if (stream->is_request_ended)
		head->body = HTTP_BODY_NONE;
	else if (head->body != HTTP_BODY_LENGTH)
		head->body = HTTP_BODY_CHUNKED;
	stream->is_end_told = head->body == HTTP_BODY_NONE;
	stream->owes_continue = head->expects_continue && head->body != HTTP_BODY_NONE;
	stream->exchange = exchange_new(
	    session_exchanges(session), (struct peer){&verbs, stream}, &session->caller, head);
	exchange_start(stream->exchange);
}

/* The window is the client's again only for what went on: a paused body holds at most one window.
 */
static void give_credit(struct client_stream *stream, size_t len)
{
	struct h2_conversation *conversation = stream->conversation;
	h2_note_taken(conversation, len);
	if (conversation->is_closed)
		return;
	h2_consume(&stream->h2, len);
	h2_ask_flush(conversation);
}

void client_stream_on_body(struct client_stream *stream, const uint8_t *data, size_t len)
{
	if (stream->exchange != NULL && (stream->is_paused || stream->held.len > 0)) {
		buf_append(&stream->held, data, len);
		return;
	}
	if (stream->exchange != NULL)
		exchange_client_events.on_body(stream->exchange, data, len);
	give_credit(stream, len);
}

void client_stream_on_request_end(struct client_stream *stream)
{
	stream->is_request_ended = true;
	make_ready(stream);
}

void client_stream_tell(struct client_stream *stream)
{
	unlist(stream);
	bool has_room = stream->is_full && stream->answer.len <= answer_mark(stream) / 2;
	if (has_room && stream->exchange != NULL) {
		stream->is_full = false;
		exchange_client_events.on_drain(stream->exchange);
	}
	if (stream->exchange != NULL && !stream->is_paused && stream->held.len > 0) {
		struct buf held = stream->held;
		stream->held = (struct buf){0};
		exchange_client_events.on_body(
		    stream->exchange, (const uint8_t *)held.data, held.len);
		give_credit(stream, held.len);
		buf_free_secret(&held);
	}
	bool may_end = stream->exchange != NULL && !stream->is_paused && stream->held.len == 0 &&
		       stream->is_request_ended && !stream->is_end_told;
	if (!may_end)
		return;
	stream->is_end_told = true;
	exchange_client_events.on_end(stream->exchange);
}

void client_stream_cut(struct client_stream *stream, const char *reason)
{
	struct exchange *exchange = stream->exchange;
	stream->is_closed = true;
	if (exchange == NULL) {
		client_stream_free(stream);
		return;
	}
	struct peer_failure failure = {.kind = PEER_CUT, .reason = reason};
	exchange_client_events.on_failed(exchange, &failure);
}
