/* A BIO over a non-blocking descriptor (BIO_meth_new(3)). Each record is one write of OpenSSL's;
 * over a loopback or a fast network what the kernel does for each packet costs more than the record
 * itself. With MSG_MORE (send(2)) it waits for the next. */
#include "kubeproxyd/net/tls_socket.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <sys/socket.h>

static bool is_not_now(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int on_write(BIO *bio, const char *data, size_t len, size_t *put)
{
	const struct stream_io *io = BIO_get_data(bio);
	int flags = io->has_more_to_write ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
	ssize_t result = send(io->fd, data, len, flags);
	BIO_clear_retry_flags(bio);
	if (is_not_now(result))
		BIO_set_retry_write(bio);
	*put = result > 0 ? (size_t)result : 0;
	return result > 0;
}

static int on_read(BIO *bio, char *data, size_t len, size_t *got)
{
	const struct stream_io *io = BIO_get_data(bio);
	ssize_t result = recv(io->fd, data, len, 0);
	BIO_clear_retry_flags(bio);
	if (is_not_now(result))
		BIO_set_retry_read(bio);
	if (result == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	*got = result > 0 ? (size_t)result : 0;
	return result > 0;
}

/* What libssl asks of any BIO. Nothing is kept back here, so there is nothing to flush. */
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

void tls_socket_attach(SSL *ssl, struct stream_io *io)
{
	BIO *bio = BIO_new(get_method());
	if (bio == NULL)
		abort();
	BIO_set_data(bio, io);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
}
