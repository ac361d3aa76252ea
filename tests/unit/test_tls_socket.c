/* The socket under a TLS session, asked as OpenSSL asks it, with a plain peer at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/bio.h>

#include "kubeproxyd/net/tls_socket.h"

struct pair {
	SSL *ssl;
	BIO *bio;
	struct tls_socket socket;
	int peer;
};

static void open_pair(struct pair *pair)
{
	int ends[2];
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	pair->ssl = SSL_new(context);
	SSL_CTX_free(context);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	pair->peer = ends[1];
	tls_socket_attach(&pair->socket, pair->ssl, ends[0]);
	pair->bio = SSL_get_rbio(pair->ssl);
}

static void close_pair(struct pair *pair)
{
	SSL_free(pair->ssl);
	tls_socket_free(&pair->socket);
	close(pair->socket.fd);
	close(pair->peer);
}

/* The bytes are those from `first` on. */
static void say(const struct pair *pair, unsigned first, size_t len)
{
	uint8_t bytes[1000];
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(first + i);
	assert_int_equal(write(pair->peer, bytes, len), len);
}

static void assert_reads(struct pair *pair, unsigned first, size_t len)
{
	uint8_t bytes[1000];
	assert_int_equal(BIO_read(pair->bio, bytes, (int)len), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], (uint8_t)(first + i));
}

static void assert_reads_nothing(struct pair *pair)
{
	uint8_t byte;
	assert_int_equal(BIO_read(pair->bio, &byte, 1), -1);
	assert_true(BIO_should_read(pair->bio));
	assert_false(BIO_eof(pair->bio));
}

static int left_in_kernel(const struct pair *pair)
{
	int len = 0;
	assert_int_equal(ioctl(pair->socket.fd, FIONREAD, &len), 0);
	return len;
}

static void reads_ahead_once_a_call(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	say(&pair, 0, 250);
	tls_socket_begin(&pair.socket, 100);
	assert_reads(&pair, 0, 5);
	assert_int_equal(left_in_kernel(&pair), 150);
	assert_reads(&pair, 5, 95);
	/* What is needed still, and no more. */
	assert_reads(&pair, 100, 20);
	assert_int_equal(left_in_kernel(&pair), 130);
	tls_socket_end(&pair.socket);
	assert_null(pair.socket.kept);
	assert_false(pair.socket.is_drained);
	close_pair(&pair);
}

static void keeps_what_is_left(void **state)
{
	(void)state;
	struct pair one, other;
	open_pair(&one);
	open_pair(&other);
	say(&one, 0, 60);
	say(&other, 200, 60);
	for (unsigned turn = 0; turn < 3; turn++) {
		tls_socket_begin(&one.socket, 100);
		assert_reads(&one, 10 * turn, 10);
		tls_socket_end(&one.socket);
		assert_int_equal(one.socket.ahead_len, 50 - 10 * turn);
		tls_socket_begin(&other.socket, 100);
		assert_reads(&other, 200 + 20 * turn, 20);
		tls_socket_end(&other.socket);
	}
	assert_null(other.socket.kept);
	/* By whoever is not the one to read ahead, too. */
	assert_reads(&one, 30, 30);
	assert_null(one.socket.kept);
	close_pair(&one);
	close_pair(&other);
}

/* Of records that say nothing to anybody, as long as they come. */
static void reads_no_more_than_a_record_behind(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	for (unsigned i = 0; i < 40; i++)
		say(&pair, 0, 1000);
	tls_socket_begin(&pair.socket, 1000);
	uint8_t bytes[1000];
	size_t got = 0;
	for (int len; (len = BIO_read(pair.bio, bytes, sizeof bytes)) > 0; got += (size_t)len)
		continue;
	assert_true(BIO_should_read(pair.bio));
	assert_int_equal(got, 1000 + TLS_SOCKET_RECORD);
	tls_socket_end(&pair.socket);
	tls_socket_begin(&pair.socket, 1000);
	assert_int_equal(BIO_read(pair.bio, bytes, 10), 10);
	tls_socket_end(&pair.socket);
	close_pair(&pair);
}

static void a_short_read_was_all(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair);
	say(&pair, 0, 10);
	tls_socket_begin(&pair.socket, 100);
	assert_reads(&pair, 0, 10);
	assert_true(pair.socket.is_drained);
	say(&pair, 10, 10);
	assert_reads_nothing(&pair);
	tls_socket_end(&pair.socket);
	tls_socket_begin(&pair.socket, 100);
	assert_reads(&pair, 10, 10);
	tls_socket_end(&pair.socket);
	tls_socket_begin(&pair.socket, 100);
	assert_reads_nothing(&pair);
	tls_socket_end(&pair.socket);
	close_pair(&pair);
}

static void tells_the_end(void **state)
{
	(void)state;
	struct pair pair;
	uint8_t byte;
	open_pair(&pair);
	say(&pair, 0, 10);
	assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
	tls_socket_begin(&pair.socket, 100);
	assert_reads(&pair, 0, 10);
	assert_false(BIO_eof(pair.bio));
	tls_socket_end(&pair.socket);
	tls_socket_begin(&pair.socket, 100);
	assert_int_equal(BIO_read(pair.bio, &byte, 1), 0);
	assert_true(BIO_eof(pair.bio));
	assert_false(BIO_should_retry(pair.bio));
	tls_socket_end(&pair.socket);
	close_pair(&pair);
}

/* SSL_shutdown() takes 0 for "sent". */
static void fails_to_write_by_less_than_nothing(void **state)
{
	(void)state;
	static uint8_t zeros[65536];
	struct pair pair;
	open_pair(&pair);
	int put = 1;
	for (unsigned i = 0; i < 1000 && put > 0; i++)
		put = BIO_write(pair.bio, zeros, sizeof zeros);
	assert_int_equal(put, -1);
	assert_true(BIO_should_write(pair.bio));
	close(pair.peer);
	assert_int_equal(BIO_write(pair.bio, zeros, 1), -1);
	assert_false(BIO_should_retry(pair.bio));
	pair.peer = dup(pair.socket.fd);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_ahead_once_a_call),
	    cmocka_unit_test(keeps_what_is_left),
	    cmocka_unit_test(reads_no_more_than_a_record_behind),
	    cmocka_unit_test(a_short_read_was_all),
	    cmocka_unit_test(tells_the_end),
	    cmocka_unit_test(fails_to_write_by_less_than_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
