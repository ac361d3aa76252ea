/* HTTP/2 with a client (RFC 9113), on the engine of h2.h. Input is fed in the event handler; output
 * is collected once, at the end of the turn. The engine enforces the grammar of heads and frames;
 * here are the rules that are a server's: limits, Host against :authority, and floods of frames
 * that cost and say nothing. */
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
#include "kubeproxyd/net/stream.h"

#define CONNECTION_WINDOW (16 * 1024 * 1024)
#define DRAIN_NOTICE_MS	  1000

/* --- the end ------------------------------------------------------------------------------------
 */

static void close_session(
    struct h2_conversation *conversation, enum session_end how, const char *reason)
{
	if (conversation->is_closed)
		return;
	conversation->is_closed = true;
	h2_stop(&conversation->h2);
	timer_cancel(conversation->timer);
	if (conversation->notice != NULL)
		timer_cancel(conversation->notice);
	loop_undefer(session_loop(conversation->session), &conversation->flush);
	/* Every exchange is told, and releases its stream; their records name the caller, who goes
	 * with the session. */
	struct client_stream *stream;
	while ((stream = TAILQ_FIRST(&conversation->live)) != NULL)
		client_stream_cut(stream, reason);
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

static struct h2_conversation *conversation_of(struct h2_stream *h2)
{
	return ((struct client_stream *)h2)->conversation;
}

/* Nearly every head arrives whole: time runs for one that was begun and has not ended with what was
 * read. */
static void time_head(struct h2_conversation *conversation)
{
	if (conversation->is_closed)
		return;
	bool is_begun = h2_is_head_begun(&conversation->h2);
	bool is_same = is_begun == conversation->is_head_timed &&
		       (!is_begun || conversation->timed_head == conversation->heads);
	if (is_same)
		return;
	conversation->is_head_timed = is_begun;
	conversation->timed_head = conversation->heads;
	if (is_begun)
		timer_set(conversation->timer,
		    session_settings(conversation->session)->proxy.limits.header_timeout);
	else
		timer_cancel(conversation->timer);
}

static struct h2_stream *on_open(void *arg)
{
	struct h2_conversation *conversation = arg;
	if (conversation->count == 0)
		timer_cancel(conversation->timer); /* it is idle no more */
	return &client_stream_new(conversation)->h2;
}

static const struct proxy_limits *limits_of(const struct h2_conversation *conversation)
{
	return &session_settings(conversation->session)->proxy.limits;
}

static void refuse(struct client_stream *stream, unsigned status, const char *message)
{
	if (stream->refusal.status != 0)
		return;
	stream->refusal.status = status;
	stream->refusal.message = message;
}

/* :authority comes first, if at all: pseudo fields do. */
static void take_host(struct client_stream *stream, const char *value, size_t len)
{
	struct http_head *head = &stream->request;
	if (head->authority == NULL)
		http_head_set_authority(head, value, len);
	else if (strlen(head->authority) != len || strncasecmp(head->authority, value, len) != 0)
		refuse(stream, 400, "Host differs from :authority");
}

/* What breaks a limit is answered; the rest of the head is passed over. */
static const char *on_field(struct h2_stream *h2, const struct hpack_field *field, uint32_t traits)
{
	struct client_stream *stream = (struct client_stream *)h2;
	if (h2->has_head || stream->refusal.status != 0)
		return NULL; /* trailers: dropped */
	const struct proxy_limits *limits = limits_of(stream->conversation);
	struct http_head *head = &stream->request;
	stream->head_bytes += field->name_len + field->value_len;
	if (stream->head_bytes > limits->header_bytes) {
		refuse(stream, 431, "the header fields are too large");
		return NULL;
	}
	if (h2_head_take(head, field))
		return NULL;
	if (h2_field_is(field, "host", strlen("host"))) {
		take_host(stream, field->value, field->value_len);
		return NULL;
	}
	h2_fields_add(&head->fields, field, traits);
	if (head->fields.count > limits->header_count)
		refuse(stream, 431, "too many header fields");
	return NULL;
}

static void on_head(struct h2_stream *h2, bool is_end)
{
	struct client_stream *stream = (struct client_stream *)h2;
	stream->is_request_ended = is_end;
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
		client_stream_refuse(stream);
	else
		client_stream_start(stream);
}

/* --- frames -------------------------------------------------------------------------------------
 */

static void calm_down(struct h2_conversation *conversation)
{
	h2_terminate(&conversation->h2, H2_ENHANCE_YOUR_CALM);
}

static void on_frame(void *arg, const struct h2_frame *frame)
{
	struct h2_conversation *conversation = arg;
	if (frame->type == H2_HEADERS)
		conversation->heads++;
	if (!flood_take(&conversation->flood, limits_of(conversation), frame))
		calm_down(conversation);
}

/* A stream was reset for which a request was started. */
static void on_reset(void *arg)
{
	struct h2_conversation *conversation = arg;
	if (!flood_take_reset(&conversation->flood, limits_of(conversation)))
		calm_down(conversation);
}

static void on_stray(void *arg)
{
	struct h2_conversation *conversation = arg;
	if (!flood_take_stray(&conversation->flood, limits_of(conversation)))
		calm_down(conversation);
}

static void on_end(struct h2_stream *h2)
{
	client_stream_on_request_end((struct client_stream *)h2);
}

void h2_note_taken(struct h2_conversation *conversation, size_t len)
{
	if (!conversation->is_stranger || conversation->is_closed)
		return;
	conversation->untaken -= len;
	h2_consume_connection(&conversation->h2, len);
}

/* A credential was accepted: the connection gets the window that others have. */
static void end_strangeness(struct h2_conversation *conversation)
{
	if (!conversation->is_stranger || !conversation->session->caller.is_known)
		return;
	h2_note_taken(conversation, conversation->untaken);
	conversation->is_stranger = false;
	h2_widen_connection(&conversation->h2, CONNECTION_WINDOW);
}

static void on_body(struct h2_stream *h2, const uint8_t *data, size_t len)
{
	struct h2_conversation *conversation = conversation_of(h2);
	/* One stream that does not read on must not stop the others, unless they are a stranger's.
	 */
	if (conversation->is_stranger)
		conversation->untaken += len;
	else
		h2_consume_connection(&conversation->h2, len);
	client_stream_on_body((struct client_stream *)h2, data, len);
}

static void on_malformed(void *arg, struct h2_stream *h2, const char *why)
{
	(void)h2;
	struct h2_conversation *conversation = arg;
	session_count_bad_request(conversation->session, 400, why);
}

static const char *reason_of(uint32_t code)
{
	switch (code) {
	case H2_NO_ERROR:
		return "done";
	case H2_CANCEL:
		return "the client cancelled";
	default:
		return h2_code_name(code);
	}
}

static void on_close(struct h2_stream *h2, uint32_t code)
{
	client_stream_cut((struct client_stream *)h2, reason_of(code));
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
	struct client_stream *stream;
	while (!conversation->is_closed && (stream = TAILQ_FIRST(&conversation->ready)) != NULL)
		client_stream_tell(stream);
}

static void write_bytes(void *arg, const void *data, size_t len)
{
	stream_write(((struct h2_conversation *)arg)->stream, data, len);
}

static bool amend(void *arg, uint64_t back, uint8_t bits)
{
	return stream_amend(((struct h2_conversation *)arg)->stream, back, bits);
}

static bool is_full(void *arg)
{
	return stream_is_full(((struct h2_conversation *)arg)->stream);
}

static const struct h2_events h2_events = {
    .write = write_bytes,
    .is_full = is_full,
    .amend = amend,
    .on_open = on_open,
    .on_field = on_field,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_close = on_close,
    .on_malformed = on_malformed,
    .on_frame = on_frame,
    .on_reset = on_reset,
    .on_stray = on_stray,
    .body = client_stream_body,
    .write_body = client_stream_write_body,
    .write_trailers = client_stream_write_trailers,
};

static void on_flush(void *arg)
{
	struct h2_conversation *conversation = arg;
	tell_ready(conversation);
	if (!conversation->is_closed)
		end_strangeness(conversation);
	if (!conversation->is_closed)
		h2_flush(&conversation->h2);
	if (conversation->is_closed)
		return;
	if (h2_is_done(&conversation->h2))
		close_session(conversation, SESSION_POLITE, "done");
	else
		arm_idle_timer(conversation);
}

/* --- the connection -----------------------------------------------------------------------------
 */

static size_t on_data(void *arg, const uint8_t *data, size_t len)
{
	struct h2_conversation *conversation = arg;
	if (h2_receive(&conversation->h2, data, len))
		h2_ask_flush(conversation);
	else
		client_gone(conversation, conversation->h2.reason);
	time_head(conversation);
	return len;
}

static void on_eof(void *arg)
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
    .on_end = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
};

void h2_say_goodbye(struct h2_conversation *conversation)
{
	h2_goaway(&conversation->h2);
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
	if (!conversation->is_head_timed) {
		if (stream_is_full(conversation->stream))
			client_gone(conversation, "the client reads nothing");
		else
			h2_say_goodbye(conversation);
		return;
	}
	session_count_bad_request(conversation->session, 408, "the head did not arrive in time");
	client_gone(conversation, "the head of a request did not arrive in time");
}

static void begin_h2(struct h2_conversation *conversation)
{
	const struct proxy_limits *limits = limits_of(conversation);
	const struct h2_options options = {
	    .is_server = true,
	    .streams_max = (uint32_t)limits->streams,
	    .stream_window = conversation->has_certificate ? CLIENT_BODY_WINDOW : STRANGER_WINDOW,
	    .connection_window = conversation->is_stranger ? STRANGER_WINDOW : CONNECTION_WINDOW,
	    .header_list_max = (uint32_t)limits->header_bytes,
	    .continuations_max = limits->continuations,
	};
	h2_init(&conversation->h2, &options, &h2_events, conversation);
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
	begin_h2(conversation);
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
	h2_notice(&conversation->h2);
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
	h2_free(&conversation->h2);
	free(conversation);
}

const struct session_protocol session_h2 = {
    .start = start,
    .drain = drain,
    .cut = cut,
    .free = free_conversation,
};
