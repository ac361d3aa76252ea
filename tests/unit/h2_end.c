/* See h2_end.h. */
#include "tests/unit/h2_end.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define PAIRS_MAX 600

struct h2_end_stream *h2_end_find(struct h2_end *end, int32_t id)
{
	for (size_t i = 0; i < end->count; i++)
		if (end->streams[i].id == id)
			return &end->streams[i];
	return NULL;
}

struct h2_end_stream *h2_end_last(struct h2_end *end)
{
	return end->count > 0 ? &end->streams[end->count - 1] : NULL;
}

static struct h2_end_stream *find_or_add(struct h2_end *end, int32_t id)
{
	struct h2_end_stream *stream = h2_end_find(end, id);
	if (stream != NULL)
		return stream;
	if (end->count == H2_END_STREAMS)
		abort();
	stream = &end->streams[end->count++];
	stream->id = id;
	return stream;
}

/* --- what it hears ---------------------------------------------------------------------------- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	(void)session;
	(void)flags;
	struct h2_end_stream *stream = find_or_add(arg, frame->hd.stream_id);
	buf_append(&stream->head, name, name_len);
	buf_append_text(&stream->head, ": ");
	buf_append(&stream->head, value, value_len);
	buf_append_char(&stream->head, '\n');
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	(void)session;
	struct h2_end *end = arg;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		end->goaways++;
		end->last_id = frame->goaway.last_stream_id;
		end->goaway_code = frame->goaway.error_code;
	}
	if (frame->hd.type == NGHTTP2_PING) {
		bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
		end->acks += is_ack;
		end->pings += !is_ack;
	}
	bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		find_or_add(end, frame->hd.stream_id)->has_end = true;
	return 0;
}

static int on_data(
    nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	(void)session;
	(void)flags;
	buf_append(&find_or_add(arg, id)->body, data, len);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	(void)session;
	struct h2_end_stream *stream = find_or_add(arg, id);
	stream->is_closed = true;
	stream->code = code;
	return 0;
}

/* --- what it says ----------------------------------------------------------------------------- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	(void)session;
	(void)source;
	struct h2_end_stream *stream = h2_end_find(arg, id);
	if (stream->to_send.len == 0 && !stream->is_last)
		return NGHTTP2_ERR_DEFERRED;
	size_t used = stream->to_send.len < len ? stream->to_send.len : len;
	if (used > 0)
		memcpy(to, stream->to_send.data, used);
	buf_consume(&stream->to_send, used);
	if (stream->is_last && stream->to_send.len == 0)
		*flags = NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)used;
}

static uint8_t *bytes(const char *text)
{
	union {
		const char *text;
		uint8_t *bytes;
	} either = {.text = text};
	return either.bytes;
}

static size_t make_fields(nghttp2_nv *fields, const char *const *pairs)
{
	size_t count = 0;
	for (; pairs[count * 2] != NULL; count++) {
		if (count == PAIRS_MAX)
			abort();
		const char *name = pairs[count * 2], *value = pairs[count * 2 + 1];
		fields[count] = (nghttp2_nv){
		    bytes(name), bytes(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
	}
	return count;
}

static const nghttp2_data_provider body = {.read_callback = read_body};

int32_t h2_end_request(struct h2_end *end, const char *const *pairs, bool has_body)
{
	nghttp2_nv fields[PAIRS_MAX];
	size_t count = make_fields(fields, pairs);
	int32_t id = nghttp2_submit_request(
	    end->session, NULL, fields, count, has_body ? &body : NULL, NULL);
	if (id < 0)
		abort();
	find_or_add(end, id);
	return id;
}

void h2_end_answer(struct h2_end *end, int32_t id, const char *const *pairs, bool has_body)
{
	nghttp2_nv fields[PAIRS_MAX];
	size_t count = make_fields(fields, pairs);
	if (nghttp2_submit_response(end->session, id, fields, count, has_body ? &body : NULL) != 0)
		abort();
}

void h2_end_send(struct h2_end *end, int32_t id, const char *data, size_t len, bool is_last)
{
	struct h2_end_stream *stream = find_or_add(end, id);
	buf_append(&stream->to_send, data, len);
	stream->is_last = is_last;
	nghttp2_session_resume_data(end->session, id);
}

void h2_end_credit(struct h2_end *end, int32_t id, size_t len)
{
	nghttp2_session_consume(end->session, id, len);
}

/* --- the connection --------------------------------------------------------------------------- */

bool h2_end_hear(struct h2_end *end, const void *data, size_t len)
{
	return nghttp2_session_mem_recv(end->session, data, len) == (ssize_t)len;
}

void h2_end_say(struct h2_end *end, struct buf *out)
{
	const uint8_t *data;
	ssize_t len;
	while ((len = nghttp2_session_mem_send(end->session, &data)) > 0)
		buf_append(out, data, (size_t)len);
}

static void make_session(struct h2_end *end, const struct h2_end_options *options)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort();
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_option_set_no_auto_window_update(option, options->gives_no_credit);
	nghttp2_option_set_no_http_messaging(option, options->is_lax);
	nghttp2_option_set_max_continuations(option, 100);
	nghttp2_option_set_max_send_header_block_length(option, 4u * 1024 * 1024);
	int code = options->is_server
		       ? nghttp2_session_server_new2(&end->session, callbacks, end, option)
		       : nghttp2_session_client_new2(&end->session, callbacks, end, option);
	if (code != 0)
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
}

void h2_end_init(struct h2_end *end, const struct h2_end_options *options)
{
	*end = (struct h2_end){0};
	make_session(end, options);
	nghttp2_settings_entry entries[2];
	size_t count = 0;
	if (options->streams_max > 0)
		entries[count++] = (nghttp2_settings_entry){
		    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->streams_max};
	if (options->window > 0)
		entries[count++] =
		    (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->window};
	nghttp2_submit_settings(end->session, NGHTTP2_FLAG_NONE, entries, count);
}

void h2_end_free(struct h2_end *end)
{
	nghttp2_session_del(end->session);
	for (size_t i = 0; i < end->count; i++) {
		buf_free(&end->streams[i].head);
		buf_free(&end->streams[i].body);
		buf_free(&end->streams[i].to_send);
	}
	*end = (struct h2_end){0};
}
