/* See h2_reference.h. */
#include "tests/fuzz/h2_reference.h"

#include <stdlib.h>
#include <string.h>

struct reference_stream *reference_find(struct reference *reference, uint32_t id)
{
	for (size_t i = 0; i < reference->count; i++)
		if ((uint32_t)reference->streams[i].id == id)
			return &reference->streams[i];
	return NULL;
}

static struct reference_stream *find_or_add(struct reference *reference, int32_t id)
{
	struct reference_stream *stream = reference_find(reference, (uint32_t)id);
	if (stream != NULL)
		return stream;
	if (reference->count == REFERENCE_STREAMS)
		abort();
	stream = &reference->streams[reference->count++];
	*stream = (struct reference_stream){.id = id};
	return stream;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	(void)session;
	struct reference_stream *stream = find_or_add(arg, frame->hd.stream_id);
	/* Trailers stand behind the head. */
	if (!stream->has_head)
		buf_clear(&stream->fields);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	(void)session;
	(void)flags;
	struct buf *fields = &find_or_add(arg, frame->hd.stream_id)->fields;
	buf_append(fields, name, name_len);
	buf_append_text(fields, ": ");
	buf_append(fields, value, value_len);
	buf_append_text(fields, ", ");
	return 0;
}

/* It would pass over such a field; the message is malformed (RFC 9113, 8.2.1). */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
    void *arg)
{
	(void)session;
	(void)frame;
	(void)name;
	(void)name_len;
	(void)value;
	(void)value_len;
	(void)flags;
	((struct reference *)arg)->why = NGHTTP2_ERR_HTTP_HEADER;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static bool is_final(const struct reference_stream *stream)
{
	return strncmp(buf_text(&stream->fields), ":status: 1", 10) != 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	(void)session;
	bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	if (!may_end)
		return 0;
	struct reference_stream *stream = find_or_add(arg, frame->hd.stream_id);
	if (frame->hd.type == NGHTTP2_HEADERS && is_final(stream))
		stream->has_head = true;
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		stream->has_end = true;
	return 0;
}

static int on_invalid_frame(
    nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg)
{
	(void)session;
	(void)frame;
	((struct reference *)arg)->why = code;
	return 0;
}

static int on_data(
    nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	(void)session;
	(void)flags;
	struct reference_stream *stream = find_or_add(arg, id);
	stream->received += len;
	for (size_t i = 0; i < len; i++)
		stream->digest = stream->digest * 1099511628211u + data[i] + 1;
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	(void)session;
	(void)code;
	find_or_add(arg, id)->is_closed = true;
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		((struct reference *)arg)->is_dead = true;
	return 0;
}

static void drain(struct reference *reference)
{
	const uint8_t *data;
	while (nghttp2_session_mem_send(reference->session, &data) > 0)
		;
}

void reference_hear(struct reference *reference, const void *data, size_t len)
{
	if (reference->is_dead)
		return;
	if (nghttp2_session_mem_recv(reference->session, data, len) != (ssize_t)len)
		reference->is_dead = true;
	drain(reference);
}

static ssize_t read_nothing(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	(void)session;
	(void)id;
	(void)to;
	(void)len;
	(void)flags;
	(void)source;
	(void)arg;
	return NGHTTP2_ERR_DEFERRED;
}

void reference_submit(struct reference *reference, bool is_end, bool is_of_head)
{
	static uint8_t text[] = ":methodGET:pathHEAD/:schemehttps:authorityh";
	const nghttp2_nv fields[] = {
	    {text, is_of_head ? text + 15 : text + 7, 7, is_of_head ? 4 : 3, 0},
	    {text + 10, text + 19, 5, 1, 0},
	    {text + 20, text + 27, 7, 5, 0},
	    {text + 32, text + 42, 10, 1, 0},
	};
	static const nghttp2_data_provider body = {.read_callback = read_nothing};
	if (nghttp2_submit_request(
		reference->session, NULL, fields, 4, is_end ? NULL : &body, NULL) < 0)
		abort();
	drain(reference);
}

void reference_open(struct reference *reference, bool is_server, size_t continuations_max)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	reference->count = 0;
	reference->is_dead = false;
	reference->why = 0;
	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		abort();
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_continuations(option, continuations_max);
	int code =
	    is_server
		? nghttp2_session_server_new2(&reference->session, callbacks, reference, option)
		: nghttp2_session_client_new2(&reference->session, callbacks, reference, option);
	nghttp2_settings_entry entry = {
	    is_server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
	    is_server ? 100 : 0};
	if (code != 0 || nghttp2_submit_settings(reference->session, 0, &entry, 1) != 0)
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	drain(reference);
}

void reference_close(struct reference *reference)
{
	nghttp2_session_del(reference->session);
	for (size_t i = 0; i < reference->count; i++)
		buf_free(&reference->streams[i].fields);
	reference->count = 0;
}
