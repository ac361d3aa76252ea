/* A TLS peer whose records arrive byte by byte: whatever OpenSSL keeps between two reads must still
 * be there for the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "tests/unit/stream_ends.h"

/* A client of our own: OpenSSL on memory, its bytes carried by hand. */
struct trickler {
	struct world *world;
	int fd;
	SSL *ssl;
};

static void send_in_steps(struct trickler *client, size_t step)
{
	uint8_t bytes[16384];
	int len = BIO_read(SSL_get_wbio(client->ssl), bytes, sizeof bytes);
	for (size_t at = 0; len > 0 && at < (size_t)len; at += step) {
		size_t left = (size_t)len - at;
		size_t now = left < step ? left : step;
		assert_int_equal(send(client->fd, bytes + at, now, MSG_NOSIGNAL), now);
		world_wait(client->world, 2);
	}
}

static void take_answer(struct trickler *client)
{
	uint8_t bytes[16384];
	ssize_t len = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (len > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(client->ssl), bytes, (int)len), len);
}

static void open_trickler(struct trickler *client, struct world *world)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	client->world = world;
	client->ssl = SSL_new(context);
	SSL_CTX_free(context);
	SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	client->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(client->fd, (const struct sockaddr *)&world->address, sizeof world->address),
	    0);
	world->accepted.stream = stream_accept(
	    world->loop, world_accept(world), world->tls, NULL, &end_events, &world->accepted);
	for (unsigned tries = 0; tries < 50 && !world->accepted.is_open; tries++) {
		(void)SSL_connect(client->ssl);
		send_in_steps(client, 16384);
		take_answer(client);
	}
	assert_true(world->accepted.is_open);
}

static void close_trickler(struct trickler *client)
{
	SSL_free(client->ssl);
	close(client->fd);
	stream_close(&client->world->accepted.stream);
}

static void reads_records_that_come_byte_by_byte(void **state)
{
	struct world *world = *state;
	struct trickler client;
	open_trickler(&client, world);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(SSL_write(client.ssl, "0123456789", 10), 10);
		send_in_steps(&client, 1);
		assert_int_equal(world->accepted.received.len, 10 * (round + 1));
		assert_memory_equal(world->accepted.received.data + 10 * round, "0123456789", 10);
	}
	assert_null(world->accepted.error);
	close_trickler(&client);
}

/* Pieces end inside headers, inside bodies and between records. */
static void reads_records_cut_anywhere(void **state)
{
	struct world *world = *state;
	struct trickler client;
	open_trickler(&client, world);
	size_t expected = 0;
	for (size_t step = 2; step <= 80; step += 3) {
		for (unsigned record = 0; record < 3; record++)
			assert_int_equal(SSL_write(client.ssl, "0123456789", 10), 10);
		send_in_steps(&client, step);
		expected += 30;
		assert_int_equal(world->accepted.received.len, expected);
	}
	for (size_t i = 0; i < expected; i++)
		assert_int_equal(world->accepted.received.data[i], '0' + (int)(i % 10));
	assert_null(world->accepted.error);
	close_trickler(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		reads_records_that_come_byte_by_byte, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		reads_records_cut_anywhere, world_set_up, world_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
