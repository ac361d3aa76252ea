/* Slow TLS peers: one whose records arrive byte by byte, for whom whatever OpenSSL keeps between
 * two reads must still be there for the next; one that takes its time over the last answer. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "common/xmem.h"
#include "kubeproxyd/net/stream_parts.h"
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

static void write_record(struct trickler *client, size_t len)
{
	static const uint8_t zeros[16384];
	assert_int_equal(SSL_write(client->ssl, zeros, (int)len), len);
}

/* What there is to send but the last `kept` bytes, with one call. */
static void send_all_but(struct trickler *client, size_t kept)
{
	size_t len = BIO_ctrl_pending(SSL_get_wbio(client->ssl)) - kept;
	uint8_t *bytes = xmalloc(len);
	assert_int_equal(BIO_read(SSL_get_wbio(client->ssl), bytes, (int)len), len);
	assert_int_equal(send(client->fd, bytes, len, MSG_NOSIGNAL), len);
	free(bytes);
	world_wait(client->world, 20);
}

/* OpenSSL has the beginning of a record when many more come: together they are more than one read
 * hands up, and what is left of them stands in OpenSSL alone. */
static void reads_what_is_left_of_a_record(void **state)
{
	struct world *world = *state;
	struct trickler client;
	open_trickler(&client, world);
	write_record(&client, 16384);
	send_all_but(&client, 100);
	for (unsigned i = 0; i < 3; i++)
		write_record(&client, 12288);
	write_record(&client, 16384);
	send_all_but(&client, 0);
	assert_int_equal(world->accepted.received.len, 2 * 16384 + 3 * 12288);
	assert_null(world->accepted.error);
	close_trickler(&client);
}

/* Nobody can read it any more. */
static void drops_what_stands_behind_the_end(void **state)
{
	struct world *world = *state;
	struct trickler client;
	uint8_t junk[1000] = {23, 3, 3};
	open_trickler(&client, world);
	write_record(&client, 10);
	(void)SSL_shutdown(client.ssl);
	assert_int_equal(BIO_write(SSL_get_wbio(client.ssl), junk, sizeof junk), sizeof junk);
	send_all_but(&client, 0);
	assert_int_equal(world->accepted.received.len, 10);
	assert_true(world->accepted.has_ended);
	assert_int_equal(world->accepted.stream->io.socket.ahead_len, 0);
	assert_null(world->accepted.stream->io.socket.kept);
	close_trickler(&client);
}

static size_t pause_now(void *arg, const uint8_t *data, size_t len)
{
	struct world *world = arg;
	(void)data;
	stream_pause(world->accepted.stream);
	return len;
}

/* The end came in one read with what its owner, who paused over it, has enough of: nobody is waited
 * for. */
static void closes_when_the_end_is_at_hand(void **state)
{
	static const struct stream_events events = {.on_data = pause_now};
	struct world *world = *state;
	struct trickler client;
	open_trickler(&client, world);
	int fd = world->accepted.stream->io.fd;
	stream_keep_records(world->accepted.stream);
	stream_set_events(world->accepted.stream, &events, world);
	write_record(&client, 10);
	(void)SSL_shutdown(client.ssl);
	send_all_but(&client, 0);
	assert_true(world->accepted.stream->io.socket.ahead_len > 0);
	assert_int_equal(
	    stream_unread(world->accepted.stream), world->accepted.stream->io.socket.ahead_len);
	stream_finish(&world->accepted.stream, duration_ms(5000));
	world_wait(world, 50);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	close_trickler(&client);
}

/* What its owner says last goes out before anything of the peer's is looked at: that may end all.
 */
static void answers_before_it_discards(void **state)
{
	static const struct stream_events events = {.on_data = pause_now};
	struct world *world = *state;
	struct trickler client;
	char answer[10] = "";
	open_trickler(&client, world);
	stream_keep_records(world->accepted.stream);
	stream_set_events(world->accepted.stream, &events, world);
	write_record(&client, 10);
	write_record(&client, 10);
	send_all_but(&client, 0);
	assert_true(world->accepted.stream->io.socket.ahead_len > 0);
	assert_int_equal(send(client.fd, "no record at all", 16, MSG_NOSIGNAL), 16);
	world->accepted.stream->io.keeps_records = false; /* queued, as HTTP does */
	stream_write(world->accepted.stream, "answer", 6);
	stream_finish(&world->accepted.stream, duration_ms(5000));
	world_wait(world, 20);
	take_answer(&client);
	assert_int_equal(SSL_read(client.ssl, answer, sizeof answer), 6);
	assert_string_equal(answer, "answer");
	close_trickler(&client);
}

/* What the kernel holds is small, so that every look at it moves something. */
static void waits_for_a_slow_reader(void **state)
{
	struct world *world = *state;
	size_t size = 4u * 1024 * 1024;
	int small = 32 * 1024;
	assert_int_equal(
	    setsockopt(world->listening, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	char *big = xcalloc(1, size);
	world_open(world, true, NULL);
	stream_pause(world->client.stream);
	stream_write(world->accepted.stream, big, size);
	world->client.use_at_most = 64u * 1024;
	struct mono begin = mono_now();
	stream_finish(&world->accepted.stream, duration_ms(1000));
	assert_true(stream_is_finishing_any(world->loop));
	for (unsigned i = 0; i < 500 && !world->client.has_ended && !world->client.error; i++) {
		stream_resume(world->client.stream);
		world_wait(world, 1);
		stream_pause(world->client.stream);
		world_wait(world, 20);
	}
	assert_int_equal(world->client.received.len, size);
	assert_true(mono_since(begin).ms > 1000);
	assert_false(stream_is_finishing_any(world->loop));
	free(big);
}

/* It takes a little all the time, and would for ever. */
static void waits_for_a_slow_reader_only_so_long(void **state)
{
	struct world *world = *state;
	size_t size = 64u * 1024 * 1024;
	int small = 32 * 1024;
	assert_int_equal(
	    setsockopt(world->listening, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	char *big = xcalloc(1, size);
	uint8_t bytes[16384];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&world->address, sizeof world->address), 0);
	world->accepted.stream = stream_accept(
	    world->loop, world_accept(world), NULL, NULL, &end_events, &world->accepted);
	world_run(world, is_open, &world->accepted);
	stream_write(world->accepted.stream, big, size);
	stream_finish(&world->accepted.stream, duration_ms(100));
	for (unsigned i = 0; i < 3000 && stream_is_finishing_any(world->loop); i++) {
		(void)recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		world_wait(world, 1);
	}
	assert_false(stream_is_finishing_any(world->loop));
	close(fd);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		answers_before_it_discards, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		drops_what_stands_behind_the_end, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		closes_when_the_end_is_at_hand, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		reads_what_is_left_of_a_record, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		reads_records_that_come_byte_by_byte, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		reads_records_cut_anywhere, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(waits_for_a_slow_reader, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(
		waits_for_a_slow_reader_only_so_long, world_set_up, world_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
