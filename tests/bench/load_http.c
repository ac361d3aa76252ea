/* The load's HTTP: GET requests for one path over HTTP/1.1 or, by nghttp2, HTTP/2. An answer is
 * good when its status is 200 and it ends where it said. Of held answers only the events are read,
 * "sent_ns":N with the time at which the upstream wrote them. Called by load_connection.c. */
#include "tests/bench/load_http.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_MARK "\"sent_ns\":"
#define WINDOW	   (1 << 30)
#define USER_AGENT "kubectl/v1.34 bench"

void http_finish(struct connection *c, struct request *request, bool is_good)
{
	struct load *load = c->load;
	request->is_busy = false;
	c->busy--;
	load->done += is_good;
	load->failed += !is_good;
	load_sample(load, load_now_ns() - request->begun_ns);
}

/* The age of each event in what came. One that is cut by the end of a read is left out. */
static void read_events(struct load *load, const char *data, size_t len)
{
	const char *end = data + len;
	for (const char *at = data;
	     (at = memmem(at, (size_t)(end - at), EVENT_MARK, strlen(EVENT_MARK))) != NULL;) {
		int64_t sent_ns = 0;
		for (at += strlen(EVENT_MARK); at < end && *at >= '0' && *at <= '9'; at++)
			sent_ns = sent_ns * 10 + (*at - '0');
		if (at == end || *at != '}')
			continue;
		load->events++;
		load_sample(load, load_now_ns() - sent_ns);
	}
}

/* --- HTTP/1 ----------------------------------------------------------------------------------- */

static int64_t content_length(const char *head)
{
	static const char name[] = "\r\nContent-Length:";
	const char *at = strcasestr(head, name);
	return at != NULL ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/* Takes the head off `c->in`. False: it is not all there, or not one to go on with. */
static bool take_head(struct connection *c, bool *is_bad)
{
	char *end = c->in.len > 0 ? strstr(c->in.data, "\r\n\r\n") : NULL;
	if (end == NULL)
		return false;
	*end = '\0';
	*is_bad = strncmp(c->in.data, "HTTP/1.1 200", 12) != 0;
	c->body_left = content_length(c->in.data);
	c->is_in_body = true;
	c->load->held += c->load->with.is_hold && !*is_bad;
	buf_consume(&c->in, (size_t)(end + 4 - c->in.data));
	return !*is_bad;
}

static bool is_body_complete(const struct connection *c)
{
	if (c->body_left >= 0)
		return (int64_t)c->in.len >= c->body_left;
	return c->in.len >= 5 && memcmp(c->in.data + c->in.len - 5, "0\r\n\r\n", 5) == 0;
}

static bool receive_h1(struct connection *c, const char *data, size_t len)
{
	bool is_bad = false;
	buf_append(&c->in, data, len);
	if (!c->is_in_body && !take_head(c, &is_bad))
		return !is_bad;
	if (c->load->with.is_hold) {
		read_events(c->load, buf_text(&c->in), c->in.len);
		buf_free(&c->in);
		return true;
	}
	if (c->busy == 0)
		return false;
	if (!is_body_complete(c))
		return true;
	c->is_in_body = false;
	buf_clear(&c->in);
	http_finish(c, &c->requests[0], true);
	return true;
}

/* --- HTTP/2 ----------------------------------------------------------------------------------- */

static nghttp2_nv field(const char *name, const char *value)
{
	union {
		const char *text;
		uint8_t *bytes;
	} n = {.text = name}, v = {.text = value};
	return (nghttp2_nv){n.bytes, v.bytes, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void send_h2(struct connection *c, struct request *request)
{
	const struct load_options *with = &c->load->with;
	const nghttp2_nv fields[] = {field(":method", "GET"), field(":scheme", "https"),
	    field(":authority", with->host), field(":path", with->path),
	    field("accept", "application/json"), field("user-agent", USER_AGENT)};
	if (nghttp2_submit_request(
		c->h2, NULL, fields, sizeof fields / sizeof fields[0], NULL, request) < 0)
		abort();
}

/* Anything but 200 ends the stream here and now, as failed. */
static int on_field(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct connection *c = arg;
	(void)flags;
	if (name_len != 7 || memcmp(name, ":status", 7) != 0)
		return 0;
	if (value_len == 3 && memcmp(value, "200", 3) == 0)
		c->load->held += c->load->with.is_hold;
	else
		nghttp2_submit_rst_stream(
		    h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_CANCEL);
	return 0;
}

static int on_data(
    nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	struct connection *c = arg;
	(void)h2;
	(void)flags;
	(void)id;
	if (c->load->with.is_hold)
		read_events(c->load, (const char *)data, len);
	return 0;
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
	struct request *request = nghttp2_session_get_stream_user_data(h2, id);
	if (request != NULL)
		http_finish(arg, request, code == NGHTTP2_NO_ERROR);
	return 0;
}

static void start_h2(struct connection *c)
{
	nghttp2_session_callbacks *callbacks;
	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		abort();
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	if (nghttp2_session_client_new(&c->h2, callbacks, c) != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4 * 1024 * 1024}};
	if (nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, 2) != 0 ||
	    nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, WINDOW) != 0)
		abort();
}

/* --- both ------------------------------------------------------------------------------------- */

void http_start(struct connection *c)
{
	struct load *load = c->load;
	if (load->with.is_h2)
		start_h2(c);
	else if (load->request_text.len == 0)
		buf_printf(&load->request_text,
		    "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: "
		    "application/json\r\nUser-Agent: " USER_AGENT "\r\n\r\n",
		    load->with.path, load->with.host);
}

void http_send(struct connection *c, struct request *request)
{
	if (c->h2 != NULL)
		send_h2(c, request);
	else
		buf_append(&c->out, c->load->request_text.data, c->load->request_text.len);
}

void http_collect(struct connection *c)
{
	const uint8_t *data;
	ssize_t len;
	while (c->h2 != NULL && (len = nghttp2_session_mem_send(c->h2, &data)) > 0)
		buf_append(&c->out, data, (size_t)len);
}

bool http_receive(struct connection *c, const char *data, size_t len)
{
	c->load->bytes += len;
	if (c->h2 == NULL)
		return receive_h1(c, data, len);
	return nghttp2_session_mem_recv(c->h2, (const uint8_t *)data, len) >= 0;
}
