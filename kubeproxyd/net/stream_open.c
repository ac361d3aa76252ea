/* How streams begin: accepted or connected, TLS or plain, up to on_open; and what the handshake
 * tells about the peer. */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/net/stream_parts.h"
#include "kubeproxyd/net/tls_asked_name.h"

/* OpenSSL has one text for whichever certificate of a chain it is. */
static const char *error_text(long verdict, const X509 *certificate)
{
	bool is_own = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
	if (verdict == X509_V_ERR_CERT_HAS_EXPIRED && !is_own)
		return "the certificate of its authority has expired";
	return X509_verify_cert_error_string(verdict);
}

static void read_identity(struct stream *stream)
{
	SSL *ssl = stream->io.ssl;
	if (ssl == NULL)
		return;
	tls_session_protocol(ssl, stream->protocol);
	if (!SSL_is_server(ssl))
		return;
	stream->server_name = tls_asked_name_take(ssl);
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	if (certificate == NULL)
		return;
	long verdict = SSL_get_verify_result(ssl);
	if (verdict == X509_V_OK)
		stream->peer = certificate;
	else
		stream->peer_error = error_text(verdict, certificate);
}

void stream_open(struct stream *stream)
{
	timer_free(&stream->timer); /* most never need one again */
	read_identity(stream);
	stream_set_state(stream, STATE_OPEN);
	if (stream->queue.len > 0 || stream->is_end_wanted)
		loop_defer(stream->loop, &stream->turn_end);
	/* What came with the last handshake message is in OpenSSL's hands already. */
	stream->has_more = stream_io_has_pending(&stream->io);
	if (stream->has_more)
		loop_defer(stream->loop, &stream->turn_end);
	stream_arm(stream);
	stream->events->on_open(stream->arg);
}

void stream_shake_hands(struct stream *stream)
{
	switch (stream_io_handshake(&stream->io)) {
	case STREAM_IO_DONE:
		stream_open(stream);
		return;
	case STREAM_IO_WANTS_READ:
		watch_set(stream->watch, WATCH_READ);
		return;
	case STREAM_IO_WANTS_WRITE:
		watch_set(stream->watch, WATCH_WRITE);
		return;
	case STREAM_IO_END:
		stream_fail(stream, "tls: the peer closed during the handshake");
		return;
	case STREAM_IO_BROKEN:
		stream_fail(stream, stream_io_reason());
		return;
	}
}

static char *describe_connect_failure(const struct stream *stream, int error)
{
	return xasprintf("connect to %s: %s", stream->address, strerror(error));
}

void stream_on_connected(struct stream *stream)
{
	int error = 0;
	socklen_t len = sizeof error;
	if (getsockopt(stream->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		stream->failure = describe_connect_failure(stream, error);
		stream_fail(stream, stream->failure);
		return;
	}
	stream_set_state(stream, STATE_HANDSHAKE);
	stream_shake_hands(stream);
}

struct stream *stream_accept(struct loop *loop, int fd, struct tls_server *tls,
    const struct stream_options *options, const struct stream_events *events, void *arg)
{
	struct stream *stream = stream_new(loop, options, events, arg);
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof peer;
	if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
		address_text((const struct sockaddr *)&peer, stream->address);
	stream->state = STATE_HANDSHAKE;
	stream_attach(stream, fd, tls != NULL ? tls_server_session(tls) : NULL);
	if (tls != NULL)
		watch_set(stream->watch, WATCH_READ);
	else
		loop_defer(loop, &stream->turn_end);
	return stream;
}

struct stream *stream_connect(struct loop *loop, const struct sockaddr *address,
    socklen_t address_len, struct tls_client *tls, const struct stream_options *options,
    const struct stream_events *events, void *arg)
{
	struct stream *stream = stream_new(loop, options, events, arg);
	address_text(address, stream->address);
	stream->state = STATE_CONNECTING;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool is_under_way =
	    fd >= 0 && (connect(fd, address, address_len) == 0 || errno == EINPROGRESS);
	if (!is_under_way)
		stream->failure = describe_connect_failure(stream, errno);
	if (fd >= 0)
		stream_attach(stream, fd, tls != NULL ? tls_client_session(tls) : NULL);
	if (is_under_way)
		watch_set(stream->watch, WATCH_WRITE);
	else
		loop_defer(loop, &stream->turn_end);
	return stream;
}
