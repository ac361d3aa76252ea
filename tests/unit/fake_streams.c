/* See fake_streams.h. */
#include "tests/unit/fake_streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/net/tls.h"

struct stream streams[STREAMS];
size_t stream_count;
const char *fake_alpn;
size_t fake_high_mark;
resolver_fn *on_resolved;
void *resolved_arg;
bool is_lookup_cancelled;

/* --- the neighbours --------------------------------------------------------------------------- */

struct resolver *resolver_new(struct loop *on)
{
	(void)on;
	return NULL;
}

void resolver_free(struct resolver **resolver)
{
	(void)resolver;
}

struct resolver_query *resolver_lookup(
    struct resolver *resolver, const char *host, uint16_t port, resolver_fn *fn, void *arg)
{
	(void)resolver;
	assert_string_equal(host, "api.example");
	assert_int_equal(port, 443);
	on_resolved = fn;
	resolved_arg = arg;
	return (struct resolver_query *)(void *)&on_resolved;
}

void resolver_cancel(struct resolver_query **query)
{
	is_lookup_cancelled |= *query != NULL;
	*query = NULL;
}

struct tls_client *tls_client_new(
    const char *host, struct tls_store *store, const char *const *protocols)
{
	(void)store;
	assert_string_equal(host, "api.example");
	assert_string_equal(protocols[protocols[1] != NULL ? 1 : 0], "http/1.1");
	return NULL;
}

void tls_client_free(struct tls_client **client)
{
	(void)client;
}

struct stream *stream_connect(struct loop *on, const struct sockaddr *address, socklen_t len,
    struct tls_client *tls, const struct stream_options *options,
    const struct stream_events *events, void *arg)
{
	(void)on;
	(void)address;
	(void)len;
	(void)tls;
	assert_true(options->handshake_timeout.ms > 0 && stream_count < STREAMS);
	struct stream *stream = &streams[stream_count++];
	stream->events = events;
	stream->arg = arg;
	return stream;
}

void stream_set_events(struct stream *stream, const struct stream_events *events, void *arg)
{
	stream->events = events;
	stream->arg = arg;
}

void stream_write(struct stream *stream, const void *data, size_t len)
{
	assert_false(stream->is_closed);
	buf_append(&stream->written, data, len);
	stream->bytes_written += len;
}

bool stream_amend(struct stream *stream, uint64_t back, uint8_t bits)
{
	if (back > stream->written.len)
		return false;
	((uint8_t *)stream->written.data)[stream->written.len - back] |= bits;
	return true;
}

void stream_keep_records(struct stream *stream)
{
	(void)stream;
}

bool stream_is_full(const struct stream *stream)
{
	return stream->written.len > fake_high_mark;
}

void stream_pause(struct stream *stream)
{
	stream->is_paused = true;
}

void stream_resume(struct stream *stream)
{
	stream->is_paused = false;
}

size_t stream_unread(const struct stream *stream)
{
	return stream->unread;
}

void stream_end(struct stream *stream)
{
	stream->has_end = true;
}

void stream_close(struct stream **stream)
{
	if (*stream != NULL)
		(*stream)->is_closed = true;
	*stream = NULL;
}

void stream_finish(struct stream **stream, struct duration linger)
{
	(void)linger;
	(*stream)->is_finished = (*stream)->is_closed = true;
	*stream = NULL;
}

const char *stream_alpn(const struct stream *stream)
{
	(void)stream;
	return fake_alpn;
}

uint64_t stream_bytes_written(const struct stream *stream)
{
	return stream->bytes_written;
}

void fake_streams_reset(void)
{
	for (size_t i = 0; i < STREAMS; i++) {
		buf_free(&streams[i].written);
		streams[i] = (struct stream){0};
	}
	stream_count = 0;
	fake_alpn = "http/1.1";
	fake_high_mark = 1000;
	is_lookup_cancelled = false;
}
