/* HTTP/2 with a client (RFC 9113) by nghttp2. Input is fed in the event handler; output is
 * collected once, at the end of the turn, when nothing else of nghttp2 is on the stack. nghttp2
 * enforces the grammar of heads and frames; here are the rules that it leaves to servers: limits,
 * Host against :authority, and floods of frames that cost and say nothing. */
#include "kubeproxyd/front/session_h2.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/front/session_h2_private.h"
#include "kubeproxyd/http/h1_rules.h"
#include "kubeproxyd/http/h2_fields.h"
#include "kubeproxyd/http/h2_memory.h"
#include "kubeproxyd/net/stream.h"

#define CONNECTION_WINDOW (16 * 1024 * 1024)
/* The limit of resets is for so many seconds, nghttp2's is refilled every second. */
#define RESET_SECONDS	10
#define ANSWER_HEAD_MAX (1024u * 1024)
#define DRAIN_NOTICE_MS 1000

/* --- the end ------------------------------------------------------------------------------------
 */

static void close_session(
    struct h2_conversation *conversation, enum session_end how, const char *reason)
{
	if (conversation->is_closed)
		return;
	conversation->is_closed = true;
	timer_cancel(conversation->timer);
	if (conversation->notice != NULL)
		timer_cancel(conversation->notice);
	loop_undefer(session_loop(conversation->session), &conversation->flush);
	/* Every exchange is told, and releases its stream; their records name the caller, who goes
	 * with the session. */
	struct h2_stream *stream;
	while ((stream = TAILQ_FIRST(&conversation->live)) != NULL)
		h2_stream_cut(stream, reason);
	conversation->stream = NULL;
	session_end(conversation->session, how, reason);
}

static void client_gone(struct h2_conversation *conversation, const char *reason)
{
	char *text = xstrdup(reason); /* it may belong to the stream that is closed now */
	close_session(conversation, SESSION_CUT, text);
	free(text);
}

void h2_ask_flush(struct h2_conversation *conversation)
{
	if (!conversation->is_closed)
		loop_defer(session_loop(conversation->session), &conversation->flush);
}

/* --- heads --------------------------------------------------------------------------------------
 */

static struct h2_stream *find_stream(nghttp2_session *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2, id);
}

static bool is_request_head(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/* It arrived, or its stream is over before. */
static void end_head(struct h2_conversation *conversation, int32_t id)
{
	if (conversation->head_id != id)
		return;
	conversation->head_id = 0;
	if (conversation->is_head_timed)
		timer_cancel(conversation->timer);
	conversation->is_head_timed = false;
}

/* Nearly every head arrives whole: time runs for one that was begun and has not ended with what was
 * read. */
static void time_head(struct h2_conversation *conversation)
{
	if (conversation->head_id == 0 || conversation->is_head_timed || conversation->is_closed)
		return;
	conversation->is_head_timed = true;
	timer_set(conversation->timer,
	    session_settings(conversation->session)->proxy.limits.header_timeout);
}

/* What nghttp2 would ignore: see stream_ids.h. */
static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *frame, void *user_data)
{
	struct h2_conversation *conversation = user_data;
	bool is_head = frame->type == NGHTTP2_HEADERS && (frame->stream_id & 1) != 0;
	if (is_head && !stream_ids_take(&conversation->ids, frame->stream_id))
		nghttp2_session_terminate_session(h2, NGHTTP2_PROTOCOL_ERROR);
	return 0;
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
	struct h2_conversation *conversation = user_data;
	if (!is_request_head(frame))
		return 0; /* trailers: dropped */
	if (conversation->count == 0)
		timer_cancel(conversation->timer); /* it is idle no more */
	struct h2_stream *stream = h2_stream_new(conversation, frame->hd.stream_id);
	nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, stream);
	conversation->head_id = frame->hd.stream_id;
	return 0;
}

static void refuse(struct h2_stream *stream, unsigned status, const char *message)
{
	if (stream->refusal.status != 0)
		return;
	stream->refusal.status = status;
	stream->refusal.message = message;
}

/* :authority comes first, if at all: nghttp2 takes no pseudo field behind another, and no second
 * Host. */
static void take_host(struct h2_stream *stream, const char *value, size_t len)
{
	struct http_head *head = &stream->request;
	if (head->authority == NULL)
		http_head_set_authority(head, value, len);
	else if (strlen(head->authority) != len || strncasecmp(head->authority, value, len) != 0)
		refuse(stream, 400, "Host differs from :authority");
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
	(void)flags;
	struct h2_conversation *conversation = user_data;
	struct h2_stream *stream = find_stream(h2, frame->hd.stream_id);
	if (!is_request_head(frame) || stream == NULL || stream->refusal.status != 0)
		return 0;
	const struct settings *settings = session_settings(conversation->session);
	struct http_head *head = &stream->request;
	stream->head_bytes += name_len + value_len;
	if (stream->head_bytes > settings->proxy.limits.header_bytes) {
		refuse(stream, 431, "the header fields are too large");
		return 0;
	}
	if (h2_head_take(head, (const char *)name, name_len, (const char *)value, value_len))
		return 0;
	if (name_len == strlen("host") && memcmp(name, "host", name_len) == 0) {
		take_host(stream, (const char *)value, value_len);
		return 0;
	}
	fields_add(&head->fields, (const char *)name, name_len, (const char *)value, value_len);
	if (head->fields.count > settings->proxy.limits.header_count)
		refuse(stream, 431, "too many header fields");
	return 0;
}

/* nghttp2 would leave such a field out and go on; here the stream is reset. */
static int on_invalid_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
	(void)h2;
	(void)frame;
	(void)name;
	(void)name_len;
	(void)value;
	(void)value_len;
	(void)flags;
	(void)user_data;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void on_request_head(struct h2_stream *stream)
{
	const struct http_head *head = &stream->request;
	struct h1_error error;
	if (head->authority == NULL || head->authority[0] == '\0')
		refuse(stream, 400, "neither :authority nor Host");
	else if (!h1_is_authority(head->authority))
		refuse(stream, 400, ":authority is not a host name with an optional port");
	else if (head->target == NULL)
		refuse(stream, 400, "CONNECT is not served");
	else if (!h1_check_target(head->target, strlen(head->target), &error))
		refuse(stream, error.status, error.message);
	if (stream->refusal.status != 0)
		h2_stream_refuse(stream);
	else
		h2_stream_start(stream);
}

/* --- frames -------------------------------------------------------------------------------------
 */

static const struct proxy_limits *limits_of(const struct h2_conversation *conversation)
{
	return &session_settings(conversation->session)->proxy.limits;
}

static void calm_down(struct h2_conversation *conversation)
{
	nghttp2_session_terminate_session(conversation->h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
	struct h2_conversation *conversation = user_data;
	if (!flood_take(&conversation->flood, limits_of(conversation), frame))
		calm_down(conversation);
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	struct h2_stream *stream = find_stream(h2, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	if (is_request_head(frame)) {
		end_head(conversation, frame->hd.stream_id);
		stream->is_request_ended = is_end;
		on_request_head(stream);
	} else if (is_end) {
		h2_stream_on_request_end(stream);
	}
	return 0;
}

void h2_note_taken(struct h2_conversation *conversation, size_t len)
{
	if (!conversation->is_stranger || conversation->is_closed)
		return;
	conversation->untaken -= len;
	nghttp2_session_consume_connection(conversation->h2, len);
}

/* A credential was accepted: the connection gets the window that others have. */
static void end_strangeness(struct h2_conversation *conversation)
{
	if (!conversation->is_stranger || !conversation->session->caller.is_known)
		return;
	h2_note_taken(conversation, conversation->untaken);
	conversation->is_stranger = false;
	nghttp2_session_set_local_window_size(
	    conversation->h2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

static int on_data_chunk(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data,
    size_t len, void *user_data)
{
	(void)flags;
	struct h2_conversation *conversation = user_data;
	/* One stream that does not read on must not stop the others, unless they are a stranger's.
	 */
	if (conversation->is_stranger)
		conversation->untaken += len;
	else
		nghttp2_session_consume_connection(h2, len);
	struct h2_stream *stream = find_stream(h2, id);
	if (stream != NULL)
		h2_stream_on_body(stream, data, len);
	else
		h2_note_taken(conversation, len);
	return 0;
}

static int on_invalid_frame(
    nghttp2_session *h2, const nghttp2_frame *frame, int code, void *user_data)
{
	(void)h2;
	(void)frame;
	struct h2_conversation *conversation = user_data;
	session_count_bad_request(conversation->session, 400, nghttp2_strerror(code));
	return 0;
}

/* The fields of an answer's head go with the frame that is made now; its stream may be gone when
 * nghttp2 gives us the frame. */
static void note_head_sent(struct h2_conversation *conversation, struct h2_stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->interims > 0) {
		stream->interims--;
		return;
	}
	conversation->leaving = stream->tail;
	stream->tail.is_waiting = false;
}

/* An answered request whose rest nobody wants is told so (RFC 9113, 8.1). */
static int on_frame_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
	struct h2_conversation *conversation = user_data;
	int32_t id = frame->hd.stream_id;
	bool is_reset = frame->hd.type == NGHTTP2_RST_STREAM &&
			frame->rst_stream.error_code != NGHTTP2_NO_ERROR;
	if (is_reset && !flood_take_reset(&conversation->flood, limits_of(conversation)))
		calm_down(conversation);
	if (frame->hd.type == NGHTTP2_HEADERS)
		note_head_sent(conversation, find_stream(h2, id));
	bool is_end = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
		      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	if (is_end && nghttp2_session_get_stream_remote_close(h2, id) == 0)
		nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
	return 0;
}

/* An answer's head that cannot be sent would leave the client waiting. */
static int on_frame_not_sent(
    nghttp2_session *h2, const nghttp2_frame *frame, int code, void *user_data)
{
	(void)user_data;
	bool is_lost = frame->hd.type == NGHTTP2_HEADERS && code != NGHTTP2_ERR_STREAM_CLOSED &&
		       code != NGHTTP2_ERR_STREAM_CLOSING;
	if (is_lost)
		nghttp2_submit_rst_stream(
		    h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
	return 0;
}

static const char *reason_of(uint32_t code)
{
	switch (code) {
	case NGHTTP2_NO_ERROR:
		return "done";
	case NGHTTP2_CANCEL:
		return "the client cancelled";
	default:
		return nghttp2_http2_strerror(code);
	}
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *user_data)
{
	end_head(user_data, id);
	struct h2_stream *stream = find_stream(h2, id);
	if (stream == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(h2, id, NULL);
	h2_stream_cut(stream, reason_of(code));
	return 0;
}

/* --- the end of the turn ------------------------------------------------------------------------
 */

static void arm_idle_timer(struct h2_conversation *conversation)
{
	if (conversation->count == 0 && !timer_is_set(conversation->timer))
		timer_set(conversation->timer,
		    session_settings(conversation->session)->proxy.limits.idle_timeout);
}

static void tell_ready(struct h2_conversation *conversation)
{
	struct h2_stream *stream;
	while (!conversation->is_closed && (stream = TAILQ_FIRST(&conversation->ready)) != NULL)
		h2_stream_tell(stream);
}

static void write_frame(struct h2_conversation *conversation, const uint8_t *frame, size_t len)
{
	struct stream *stream = conversation->stream;
	struct h2_tail *tail = &conversation->leaving;
	if (!tail->is_waiting) {
		stream_write(stream, frame, len);
		return;
	}
	uint8_t header[H2_FRAME_HEADER];
	h2_frame_header_grown(header, frame, len, tail->len);
	stream_write(stream, header, sizeof header);
	stream_write(stream, frame + sizeof header, len - sizeof header);
	stream_write(stream, h2_tail_bytes(&conversation->tails, tail), tail->len);
	h2_tail_written(&conversation->tails, tail);
}

static void on_flush(void *arg)
{
	struct h2_conversation *conversation = arg;
	tell_ready(conversation);
	if (!conversation->is_closed)
		end_strangeness(conversation);
	while (!conversation->is_closed && !stream_is_full(conversation->stream)) {
		const uint8_t *frame;
		ssize_t len = nghttp2_session_mem_send(conversation->h2, &frame);
		if (len < 0) {
			client_gone(conversation, nghttp2_strerror((int)len));
			return;
		}
		if (len == 0)
			break;
		write_frame(conversation, frame, (size_t)len);
	}
	if (conversation->is_closed)
		return;
	bool is_over = !nghttp2_session_want_read(conversation->h2) &&
		       !nghttp2_session_want_write(conversation->h2);
	if (is_over)
		close_session(conversation, SESSION_POLITE, "done");
	else
		arm_idle_timer(conversation);
}

/* --- the connection -----------------------------------------------------------------------------
 */

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	struct h2_conversation *conversation = arg;
	ssize_t used = nghttp2_session_mem_recv(conversation->h2, data, len);
	if (used < 0)
		client_gone(conversation, nghttp2_strerror((int)used));
	else
		h2_ask_flush(conversation);
	time_head(conversation);
	return len;
}

static void on_end(void *arg)
{
	client_gone(arg, "the client closed the connection");
}

static void on_drain(void *arg)
{
	h2_ask_flush(arg);
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

void h2_say_goodbye(struct h2_conversation *conversation)
{
	nghttp2_submit_goaway(conversation->h2, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(conversation->h2), NGHTTP2_NO_ERROR, NULL, 0);
	h2_ask_flush(conversation);
}

static void on_notice_over(void *arg)
{
	h2_say_goodbye(arg);
}

/* Idle; or the head of a request does not come to its end, and nothing else can come before it. */
static void on_timer(void *arg)
{
	struct h2_conversation *conversation = arg;
	if (conversation->head_id == 0) {
		if (stream_is_full(conversation->stream))
			client_gone(conversation, "the client reads nothing");
		else
			h2_say_goodbye(conversation);
		return;
	}
	session_count_bad_request(conversation->session, 408, "the head did not arrive in time");
	client_gone(conversation, "the head of a request did not arrive in time");
}

static nghttp2_session_callbacks *make_callbacks(void)
{
	nghttp2_session_callbacks *callbacks;
	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		abort();
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_stream_send_data);
	return callbacks;
}

static nghttp2_session *new_session(struct h2_conversation *conversation)
{
	nghttp2_session_callbacks *callbacks = make_callbacks();
	nghttp2_option *option;
	nghttp2_session *h2;
	if (nghttp2_option_new(&option) != 0)
		abort();
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	const struct proxy_limits *limits = limits_of(conversation);
	nghttp2_option_set_stream_reset_rate_limit(
	    option, limits->resets, (limits->resets + RESET_SECONDS - 1) / RESET_SECONDS);
	nghttp2_option_set_max_continuations(option, limits->continuations);
	nghttp2_option_set_max_send_header_block_length(option, ANSWER_HEAD_MAX);
	if (nghttp2_session_server_new3(&h2, callbacks, conversation, option, h2_memory()) != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	const nghttp2_settings_entry entries[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)limits->streams},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		conversation->has_certificate ? CLIENT_BODY_WINDOW : STRANGER_WINDOW},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_bytes},
	};
	nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, entries, sizeof entries / sizeof entries[0]);
	if (!conversation->is_stranger)
		nghttp2_session_set_local_window_size(h2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
	return h2;
}

static void *start(struct session *session)
{
	struct h2_conversation *conversation = xcalloc(1, sizeof *conversation);
	conversation->session = session;
	conversation->stream = session->stream;
	conversation->flush = (struct deferred){.fn = on_flush, .arg = conversation};
	conversation->timer = timer_new(session_loop(session), on_timer, conversation);
	flood_init(&conversation->flood);
	TAILQ_INIT(&conversation->live);
	TAILQ_INIT(&conversation->ready);
	conversation->has_certificate = session->caller.identity != NULL;
	conversation->is_stranger = !conversation->has_certificate;
	conversation->h2 = new_session(conversation);
	stream_set_events(session->stream, &stream_events, conversation);
	timer_set(conversation->timer, session_settings(session)->proxy.limits.header_timeout);
	h2_ask_flush(conversation);
	return conversation;
}

/* GOAWAY twice (RFC 9113, 6.8): first a notice, then, when requests that were on their way have
 * arrived, the last id. */
static void drain(void *object)
{
	struct h2_conversation *conversation = object;
	if (conversation->is_closed || conversation->notice != NULL)
		return;
	conversation->notice =
	    timer_new(session_loop(conversation->session), on_notice_over, conversation);
	nghttp2_submit_shutdown_notice(conversation->h2);
	timer_set(conversation->notice, duration_ms(DRAIN_NOTICE_MS));
	h2_ask_flush(conversation);
}

static void cut(void *object, const char *reason)
{
	client_gone(object, reason);
}

static void free_conversation(void *object)
{
	struct h2_conversation *conversation = object;
	loop_undefer(session_loop(conversation->session), &conversation->flush);
	timer_free(&conversation->timer);
	timer_free(&conversation->notice);
	nghttp2_session_del(conversation->h2);
	h2_tails_free(&conversation->tails);
	free(conversation);
}

const struct session_protocol session_h2 = {
    .start = start,
    .drain = drain,
    .cut = cut,
    .free = free_conversation,
};
