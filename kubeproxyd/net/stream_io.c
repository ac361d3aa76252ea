/* The calls that move bytes: read and send on plain TCP, SSL_* on TLS. What each library means by
 * "not now", "the end" and "broken" is translated here and nowhere else. */
#include "kubeproxyd/net/stream_io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kubeproxyd/net/tls.h"

#define KEEPALIVE_IDLE_SECONDS	   30
#define KEEPALIVE_INTERVAL_SECONDS 10
#define KEEPALIVE_PROBES	   3

static char reason[512];

const char *stream_io_reason(void)
{
	return reason;
}

static enum stream_io_result break_with(const char *prefix, const char *text)
{
	snprintf(reason, sizeof reason, "%s%s", prefix, text);
	return STREAM_IO_BROKEN;
}

static const char *errno_text(int error)
{
	if (error == ECONNRESET || error == EPIPE)
		return "connection reset";
	return strerror(error);
}

static enum stream_io_result plain_outcome(ssize_t result, enum stream_io_result not_now)
{
	if (result > 0)
		return STREAM_IO_DONE;
	if (result == 0)
		return STREAM_IO_END;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return not_now;
	return break_with("", errno_text(errno));
}

/* --- TLS ------------------------------------------------------------------------------------- */

static bool is_ssl_reason(unsigned long code, int wanted)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == wanted;
}

static enum stream_io_result break_by_protocol(const struct stream_io *io)
{
	const SSL *ssl = io->ssl;
	unsigned long code = ERR_peek_last_error();
	const char *verdict = !io->is_open ? tls_client_verdict(ssl) : NULL;
	if (verdict != NULL) {
		ERR_clear_error();
		return break_with("tls: ", verdict);
	}
	if (is_ssl_reason(code, SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
		ERR_clear_error();
		return break_with("tls: ", !io->is_open ? "the peer closed during the handshake"
							: "connection ended without close_notify");
	}
	if (is_ssl_reason(code, SSL_R_WRONG_VERSION_NUMBER) ||
	    is_ssl_reason(code, SSL_R_HTTP_REQUEST)) {
		ERR_clear_error();
		return break_with("tls: ", "the peer does not speak TLS");
	}
	return break_with("tls: ", tls_error_text());
}

static enum stream_io_result tls_outcome(const struct stream_io *io, int result)
{
	int system_error = errno;
	switch (SSL_get_error(io->ssl, result)) {
	case SSL_ERROR_NONE:
		return STREAM_IO_DONE;
	case SSL_ERROR_WANT_READ:
		return STREAM_IO_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return STREAM_IO_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_IO_END;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return break_with(io->is_open ? "" : "tls: ", errno_text(system_error));
	default:
		return break_by_protocol(io);
	}
}

/* SSL_get_error() looks at the thread's queue of errors, in which others leave theirs: before a
 * call whose result it judges, the queue must be empty. Mostly it is, and looking costs a tenth of
 * clearing. */
static void forget_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* After records without data for us (session tickets) OpenSSL keeps its read buffer, whatever
 * SSL_MODE_RELEASE_BUFFERS says. Given back only between two records: what stands in it in the
 * middle of one is not "pending" to every OpenSSL 3.0 (CVE-2024-4741). */
static void release_buffers(SSL *ssl)
{
	bool is_between_records = strcmp(SSL_rstate_string(ssl), "RH") == 0;
	if (is_between_records && !SSL_has_pending(ssl))
		(void)SSL_free_buffers(ssl);
}

/* What came cannot be shown by the kernel any more, and OpenSSL has something to do with it. The
 * beginning of a record that it holds is nothing before more comes. */
static bool tls_has_pending(const struct stream_io *io)
{
	return io->socket.ahead_len > 0 || SSL_pending(io->ssl) > 0;
}

static enum stream_io_result read_records(
    const struct stream_io *io, uint8_t *data, size_t len, size_t *got)
{
	*got = 0;
	do {
		size_t more = 0;
		forget_errors();
		int result = SSL_read_ex(io->ssl, data + *got, len - *got, &more);
		if (result != 1) {
			enum stream_io_result outcome = tls_outcome(io, result);
			if (outcome == STREAM_IO_WANTS_READ)
				release_buffers(io->ssl);
			return outcome;
		}
		*got += more;
	} while (*got < len && !io->keeps_records && tls_has_pending(io));
	return STREAM_IO_DONE;
}

static enum stream_io_result tls_read(struct stream_io *io, uint8_t *data, size_t len, size_t *got)
{
	tls_socket_begin(&io->socket, io->keeps_records ? TLS_SOCKET_RECORD : TLS_SOCKET_MOST);
	enum stream_io_result result = read_records(io, data, len, got);
	/* Behind the end, nobody asks for it any more. */
	if (result == STREAM_IO_END || result == STREAM_IO_BROKEN)
		tls_socket_free(&io->socket);
	tls_socket_end(&io->socket);
	return result;
}

static enum stream_io_result tls_write(
    const struct stream_io *io, const uint8_t *data, size_t len, size_t *put)
{
	forget_errors();
	enum stream_io_result result = tls_outcome(io, SSL_write_ex(io->ssl, data, len, put));
	/* OpenSSL names the peer's earlier close_notify as the reason why a write failed. */
	return result == STREAM_IO_END ? break_with("", "connection reset") : result;
}

/* --- both ------------------------------------------------------------------------------------ */

enum stream_io_result stream_io_handshake(struct stream_io *io)
{
	if (io->ssl == NULL)
		return STREAM_IO_DONE;
	forget_errors();
	tls_socket_begin(&io->socket, TLS_SOCKET_MOST);
	enum stream_io_result result = tls_outcome(io, SSL_do_handshake(io->ssl));
	tls_socket_end(&io->socket);
	io->is_open = result == STREAM_IO_DONE;
	return result;
}

enum stream_io_result stream_io_read(struct stream_io *io, uint8_t *data, size_t len, size_t *got)
{
	if (io->ssl != NULL)
		return tls_read(io, data, len, got);
	ssize_t result = recv(io->fd, data, len, 0);
	*got = result > 0 ? (size_t)result : 0;
	return plain_outcome(result, STREAM_IO_WANTS_READ);
}

enum stream_io_result stream_io_write(
    struct stream_io *io, const uint8_t *data, size_t len, size_t *put)
{
	*put = 0;
	if (io->ssl != NULL)
		return tls_write(io, data, len, put);
	ssize_t result = send(io->fd, data, len, MSG_NOSIGNAL);
	*put = result > 0 ? (size_t)result : 0;
	return plain_outcome(result, STREAM_IO_WANTS_WRITE);
}

enum stream_io_result stream_io_end(struct stream_io *io)
{
	if (io->ssl != NULL) {
		forget_errors();
		int result = SSL_shutdown(io->ssl);
		if (result < 0) {
			enum stream_io_result outcome = tls_outcome(io, result);
			if (outcome == STREAM_IO_WANTS_WRITE || outcome == STREAM_IO_BROKEN)
				return outcome;
		}
	}
	/* A peer that has gone already is told by the next read. */
	(void)shutdown(io->fd, SHUT_WR);
	return STREAM_IO_DONE;
}

bool stream_io_has_pending(const struct stream_io *io)
{
	return io->ssl != NULL && tls_has_pending(io);
}

bool stream_io_was_full(const struct stream_io *io)
{
	return io->ssl != NULL && !io->socket.is_drained;
}

static void set_option(int fd, int level, int option, int value)
{
	/* Sockets other than TCP lack these options and lose nothing. */
	(void)setsockopt(fd, level, option, &value, sizeof value);
}

bool stream_io_has_left(const struct stream_io *io)
{
	struct pollfd look = {.fd = io->fd, .events = POLLRDHUP};
	return poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void stream_io_prepare(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}
