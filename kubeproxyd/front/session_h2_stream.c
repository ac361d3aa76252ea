/* One stream of an HTTP/2 client connection: the verbs that its exchange calls, the answer's body
 * as nghttp2 asks for it, the request's body as the exchange wants it. Verbs never call events:
 * what they cause is told at the end of the turn. */
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/reply.h"
#include "kubeproxyd/front/session_h2_private.h"
#include "kubeproxyd/http/h2_fields.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/net/stream.h"

#define ANSWER_HIGH_MARK (256u * 1024)
/* While all answers together hold much. */
#define ANSWER_TIGHT_MARK (16u * 1024)
/* A head that took more than most is not kept. */
#define SPARE_HEAD_MAX 4096u

static void make_ready(struct h2_stream *stream)
{
	if (stream->is_listed)
		return;
	stream->is_listed = true;
	TAILQ_INSERT_TAIL(&stream->conversation->ready, stream, ready);
	h2_ask_flush(stream->conversation);
}

static void unlist(struct h2_stream *stream)
{
	if (!stream->is_listed)
		return;
	TAILQ_REMOVE(&stream->conversation->ready, stream, ready);
	stream->is_listed = false;
}

static void count_answer(struct h2_stream *stream)
{
	struct holdings *holdings = stream->conversation->session->holdings;
	holdings_count(holdings, &stream->counted, stream->answer.cap);
}

static size_t answer_mark(const struct h2_stream *stream)
{
	bool is_tight = holdings_are_tight(stream->conversation->session->holdings);
	return is_tight ? ANSWER_TIGHT_MARK : ANSWER_HIGH_MARK;
}

static void drop_answer(struct h2_stream *stream)
{
	stream_queue_clear(&stream->answer);
	count_answer(stream);
}

/* Those of all connections that wait for the next request, with the memory of their heads. */
static struct h2_stream_list spare = TAILQ_HEAD_INITIALIZER(spare);
static size_t spare_count;

static struct h2_stream *take_spare(void)
{
	struct h2_stream *stream = TAILQ_FIRST(&spare);
	if (stream == NULL) {
		stream = xcalloc(1, sizeof *stream);
		stream->is_fresh = true;
		return stream;
	}
	TAILQ_REMOVE(&spare, stream, entry);
	spare_count--;
	struct http_head request = stream->request;
	*stream = (struct h2_stream){.request = request};
	return stream;
}

struct h2_stream *h2_stream_new(struct h2_conversation *conversation, int32_t id)
{
	struct h2_stream *stream = take_spare();
	stream->conversation = conversation;
	stream->id = id;
	stream->is_paused = true;
	TAILQ_INSERT_TAIL(&conversation->live, stream, entry);
	conversation->count++;
	return stream;
}

static void free_stream(void *object)
{
	struct h2_stream *stream = object;
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
static void drop_held(struct h2_stream *stream)
{
	h2_note_taken(stream->conversation, stream->held.len);
	buf_free_secret(&stream->held);
}

void h2_stream_free(struct h2_stream *stream)
{
	struct h2_conversation *conversation = stream->conversation;
	drop_held(stream);
	drop_answer(stream);
	unlist(stream);
	h2_tail_drop(&conversation->tails, &stream->tail);
	TAILQ_REMOVE(&conversation->live, stream, entry);
	conversation->count--;
	loop_free_later(session_loop(conversation->session), free_stream, stream);
	h2_ask_flush(conversation);
}

/* --- answers: the verbs -------------------------------------------------------------------------
 */

/* The body is complete; trailers, if any, end the stream (RFC 9113, 8.1). */
static uint32_t end_answer(struct h2_stream *stream)
{
	if (stream->trailers.count == 0)
		return NGHTTP2_DATA_FLAG_EOF;
	struct http_head head = {.fields = stream->trailers, .body = HTTP_BODY_NONE};
	struct h2_fields list;
	h2_fields_init(&list);
	h2_fields_add_head(&list, &head, NULL);
	int code =
	    nghttp2_submit_trailer(stream->conversation->h2, stream->id, list.items, list.count);
	h2_fields_free(&list);
	if (code == NGHTTP2_ERR_NOMEM)
		abort();
	return NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
}

/* How much the next frame takes, and whether it is the last: h2_stream_send_data() writes it. */
static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
    uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	(void)to;
	(void)source;
	(void)user_data;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
	if (stream == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t rest = stream->answer.len;
	if (rest == 0 && !stream->has_answered)
		return NGHTTP2_ERR_DEFERRED;
	size_t used = rest < len ? rest : len;
	if (used == rest)
		*flags = stream->has_answered ? end_answer(stream) : 0;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return (ssize_t)used;
}

/* A DATA frame of bytes that read_answer() promised; what was cut meanwhile is not there. */
int h2_stream_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
    size_t len, nghttp2_data_source *source, void *user_data)
{
	(void)source;
	struct h2_conversation *conversation = user_data;
	struct h2_stream *stream =
	    nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (stream == NULL || stream->answer.len < len)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (stream_is_full(conversation->stream))
		return NGHTTP2_ERR_WOULDBLOCK;
	stream_write(conversation->stream, header, H2_FRAME_HEADER);
	stream_write_queue(conversation->stream, &stream->answer, len);
	count_answer(stream);
	flood_note_sent(&conversation->flood, len);
	if (stream->is_full && stream->answer.len <= answer_mark(stream) / 2)
		make_ready(stream);
	return 0;
}

static bool is_bodiless(const struct h2_stream *stream, const struct http_head *head)
{
	return head->body == HTTP_BODY_NONE || strcmp(stream->request.method, "HEAD") == 0 ||
	       head->status == 204 || head->status == 304;
}

static bool send_head(void *object, const struct http_head *head)
{
	struct h2_stream *stream = object;
	struct h2_conversation *conversation = stream->conversation;
	if (stream->is_closed || conversation->is_closed)
		return false;
	struct h2_fields list;
	h2_fields_init(&list);
	h2_fields_add_status(&list, head->status);
	if (!h2_tail_encode(&conversation->tails, &stream->tail, head, 0, list.size))
		h2_fields_add_head(&list, head, NULL);
	stream->has_answered_head = true;
	stream->is_bodiless = is_bodiless(stream, head);
	const nghttp2_data_provider provider = {.read_callback = read_answer};
	int code = nghttp2_submit_response(conversation->h2, stream->id, list.items, list.count,
	    stream->is_bodiless ? NULL : &provider);
	h2_fields_free(&list);
	if (code == NGHTTP2_ERR_NOMEM)
		abort();
	bool is_unknown = head->status == 401 && conversation->session->caller.identity == NULL;
	if (is_unknown || session_is_strange(conversation->session))
		h2_say_goodbye(conversation);
	h2_ask_flush(conversation);
	return true;
}

static void resume_answer(struct h2_stream *stream)
{
	if (stream->is_closed || stream->conversation->is_closed || stream->is_bodiless)
		return;
	nghttp2_session_resume_data(stream->conversation->h2, stream->id);
	h2_ask_flush(stream->conversation);
}

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	struct h2_stream *stream = object;
	if (stream->is_bodiless || stream->is_closed || len == 0)
		return true;
	stream_queue_append_few(&stream->answer, data, len);
	count_answer(stream);
	resume_answer(stream);
	stream->is_full |= stream->answer.len > answer_mark(stream);
	return !stream->is_full;
}

static void send_trailers(void *object, const struct http_fields *fields)
{
	struct h2_stream *stream = object;
	for (size_t i = 0; i < fields->count; i++)
		fields_add_text(&stream->trailers, fields_name(fields, i), fields_value(fields, i));
}

static void send_end(void *object)
{
	struct h2_stream *stream = object;
	stream->has_answered = true;
	resume_answer(stream);
}

static void pause_body(void *object)
{
	((struct h2_stream *)object)->is_paused = true;
}

static void send_continue(struct h2_stream *stream)
{
	static uint8_t name[] = ":status", value[] = "100";
	const nghttp2_nv status = {
	    name, value, sizeof name - 1, sizeof value - 1, NGHTTP2_NV_FLAG_NONE};
	nghttp2_submit_headers(
	    stream->conversation->h2, NGHTTP2_FLAG_NONE, stream->id, NULL, &status, 1, NULL);
	stream->interims++;
	h2_ask_flush(stream->conversation);
}

/* Who came without a certificate is known now. */
static void widen(struct h2_stream *stream)
{
	struct h2_conversation *conversation = stream->conversation;
	bool is_due = !stream->is_widened && !conversation->has_certificate &&
		      !stream->is_request_ended && !stream->is_closed && !conversation->is_closed;
	if (!is_due)
		return;
	stream->is_widened = true;
	nghttp2_session_set_local_window_size(
	    conversation->h2, NGHTTP2_FLAG_NONE, stream->id, CLIENT_BODY_WINDOW);
	h2_ask_flush(conversation);
}

static void resume_body(void *object)
{
	struct h2_stream *stream = object;
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

/* The client may not read, and hear of it late: what it leaves is not kept until then. */
static void cut_answer(struct h2_stream *stream)
{
	drop_answer(stream);
	nghttp2_submit_rst_stream(stream->conversation->h2, 0, stream->id, NGHTTP2_INTERNAL_ERROR);
}

/* What is answered to the end goes out; what is not is cut, so that nobody takes it for complete.
 */
static void release(void *object)
{
	struct h2_stream *stream = object;
	struct h2_conversation *conversation = stream->conversation;
	stream->exchange = NULL;
	if (stream->is_closed || conversation->is_closed) {
		h2_stream_free(stream);
		return;
	}
	drop_held(stream);
	if (!stream->has_answered)
		cut_answer(stream);
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

void h2_stream_refuse(struct h2_stream *stream)
{
	struct reply reply = {.status = stream->refusal.status, .message = stream->refusal.message};
	session_count_bad_request(stream->conversation->session, reply.status, reply.message);
	(void)reply_send((struct peer){&verbs, stream}, &reply);
}

void h2_stream_start(struct h2_stream *stream)
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
static void give_credit(struct h2_stream *stream, size_t len)
{
	struct h2_conversation *conversation = stream->conversation;
	h2_note_taken(conversation, len);
	if (conversation->is_closed)
		return;
	nghttp2_session_consume_stream(conversation->h2, stream->id, len);
	h2_ask_flush(conversation);
}

void h2_stream_on_body(struct h2_stream *stream, const uint8_t *data, size_t len)
{
	if (stream->exchange != NULL && (stream->is_paused || stream->held.len > 0)) {
		buf_append(&stream->held, data, len);
		return;
	}
	if (stream->exchange != NULL)
		exchange_client_events.on_body(stream->exchange, data, len);
	give_credit(stream, len);
}

void h2_stream_on_request_end(struct h2_stream *stream)
{
	stream->is_request_ended = true;
	make_ready(stream);
}

void h2_stream_tell(struct h2_stream *stream)
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

void h2_stream_cut(struct h2_stream *stream, const char *reason)
{
	struct exchange *exchange = stream->exchange;
	stream->is_closed = true;
	if (exchange == NULL) {
		h2_stream_free(stream);
		return;
	}
	struct peer_failure failure = {.kind = PEER_CUT, .reason = reason};
	exchange_client_events.on_failed(exchange, &failure);
}
