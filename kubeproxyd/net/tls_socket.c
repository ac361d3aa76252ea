/* A BIO over a non-blocking descriptor (BIO_meth_new(3)). Each record is one write of OpenSSL's;
 * what the kernel does for a packet costs more than the record, so it waits for the next (MSG_MORE,
 * send(2)). What is read ahead is enciphered still. */
#include "kubeproxyd/net/tls_socket.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/xmem.h"

/* In use between tls_socket_begin() and tls_socket_end(). */
static uint8_t shared[TLS_SOCKET_MOST];

static bool is_not_now(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int on_write(BIO *bio, const char *data, size_t len, size_t *put)
{
	const struct tls_socket *to = BIO_get_data(bio);
	int flags = to->has_more_to_write ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
	ssize_t result = send(to->fd, data, len, flags);
	BIO_clear_retry_flags(bio);
	if (is_not_now(result))
		BIO_set_retry_write(bio);
	*put = result > 0 ? (size_t)result : 0;
	/* SSL_shutdown() knows failures by -1 alone. */
	return result > 0 ? 1 : -1;
}

/* --- reading --------------------------------------------------------------------------------- */

static void drop_kept(struct tls_socket *from)
{
	free(from->kept);
	from->kept = NULL;
}

static size_t take_ahead(struct tls_socket *from, char *data, size_t len)
{
	size_t taken = len < from->ahead_len ? len : from->ahead_len;
	memcpy(data, from->ahead, taken);
	from->ahead += taken;
	from->ahead_len -= taken;
	if (from->ahead_len == 0)
		drop_kept(from);
	return taken;
}

/* As recv(). */
static ssize_t read_ahead(struct tls_socket *from)
{
	ssize_t result = recv(from->fd, shared, from->at_once, 0);
	from->may_read_ahead = false;
	from->is_drained = result < (ssize_t)from->at_once;
	if (result > 0) {
		from->ahead = shared;
		from->ahead_len = (size_t)result;
	}
	return result;
}

/* The same for what OpenSSL needs, often the end of a record. A short read told that there is no
 * more; the descriptor shows what comes later, or is there still. */
static ssize_t read_needed(struct tls_socket *from, char *data, size_t len)
{
	if (from->is_drained || from->needed_max == 0) {
		errno = EAGAIN;
		return -1;
	}
	ssize_t result = recv(from->fd, data, len < from->needed_max ? len : from->needed_max, 0);
	from->needed_max -= result > 0 ? (size_t)result : 0;
	return result;
}

static int on_read(BIO *bio, char *data, size_t len, size_t *got)
{
	struct tls_socket *from = BIO_get_data(bio);
	ssize_t result = 1;
	BIO_clear_retry_flags(bio);
	if (from->ahead_len == 0)
		result = from->may_read_ahead ? read_ahead(from) : read_needed(from, data, len);
	*got = result > 0 ? (size_t)result : 0;
	if (from->ahead_len > 0)
		*got = take_ahead(from, data, len);
	if (is_not_now(result))
		BIO_set_retry_read(bio);
	if (result == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return result > 0 ? 1 : (int)result;
}

void tls_socket_begin(struct tls_socket *socket, size_t at_once)
{
	socket->may_read_ahead = true;
	socket->is_drained = false;
	socket->at_once = at_once;
	socket->needed_max = TLS_SOCKET_RECORD;
}

void tls_socket_end(struct tls_socket *socket)
{
	socket->may_read_ahead = false;
	if (socket->ahead_len == 0 || socket->kept != NULL)
		return;
	socket->kept = xmalloc(socket->ahead_len);
	memcpy(socket->kept, socket->ahead, socket->ahead_len);
	socket->ahead = socket->kept;
}

/* --- the rest of a BIO ------------------------------------------------------------------------ */

/* What libssl asks of any. Nothing is kept back on the way out, so there is nothing to flush. */
static long on_control(BIO *bio, int verb, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	if (verb == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return verb == BIO_CTRL_FLUSH;
}

static const BIO_METHOD *get_method(void)
{
	static BIO_METHOD *method;
	if (method != NULL)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket of a stream");
	if (method == NULL || BIO_meth_set_write_ex(method, on_write) != 1 ||
	    BIO_meth_set_read_ex(method, on_read) != 1 ||
	    BIO_meth_set_ctrl(method, on_control) != 1)
		abort();
	return method;
}

void tls_socket_attach(struct tls_socket *socket, SSL *ssl, int fd)
{
	BIO *bio = BIO_new(get_method());
	if (bio == NULL)
		abort();
	*socket = (struct tls_socket){.fd = fd};
	BIO_set_data(bio, socket);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
}

void tls_socket_free(struct tls_socket *socket)
{
	drop_kept(socket);
	socket->ahead_len = 0;
}
