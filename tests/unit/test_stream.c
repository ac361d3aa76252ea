/* Streams over real sockets, TLS and plain: reading, ends, cuts, and owners that close in any
 * callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/net/stream_parts.h"
#include "tests/unit/stream_ends.h"

static void clear_ends(struct world *world)
{
	struct end *ends[] = {&world->client, &world->accepted};
	for (size_t i = 0; i < 2; i++) {
		stream_close(&ends[i]->stream);
		buf_free(&ends[i]->received);
		free(ends[i]->error);
		*ends[i] = (struct end){0};
	}
}

static bool received(const struct end *end, const char *text)
{
	return strcmp(buf_text(&end->received), text) == 0;
}

static bool has_received_any(void *end)
{
	return ((struct end *)end)->received.len > 0;
}

static bool has_received_ten(void *end)
{
	return ((struct end *)end)->received.len == 10;
}

/* --- reading --------------------------------------------------------------------------------- */

static void tells_who_is_there(void **state)
{
	struct world *world = *state;
	world_open(world, true, NULL);
	assert_string_equal(stream_alpn(world->client.stream), "http/1.1");
	assert_string_equal(stream_alpn(world->accepted.stream), "http/1.1");
	assert_string_equal(stream_server_name(world->accepted.stream), "api.example");
	assert_null(stream_server_name(world->client.stream));
	assert_null(stream_peer_certificate(world->accepted.stream));
	assert_null(stream_peer_error(world->accepted.stream));
	assert_int_equal(strncmp(stream_peer_address(world->accepted.stream), "127.0.0.1:", 10), 0);
	clear_ends(world);
	world_open(world, false, NULL);
	assert_null(stream_alpn(world->accepted.stream));
}

static void sends_what_was_written_before_it_was_open(void **state)
{
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		struct tls_client *tls = is_tls ? world_client(world, "api.example") : NULL;
		world_connect(world, tls, NULL);
		tls_client_free(&tls);
		stream_write(world->client.stream, "0123456789", 10);
		stream_write(world->accepted.stream, "abcdefghij", 10);
		world_run(world, has_received_ten, &world->accepted);
		world_run(world, has_received_ten, &world->client);
		assert_true(received(&world->accepted, "0123456789"));
		assert_true(received(&world->client, "abcdefghij"));
		clear_ends(world);
	}
}

static void offers_again_what_was_not_used(void **state)
{
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		world_open(world, is_tls, NULL);
		world->accepted.use_at_most = 3;
		stream_write(world->client.stream, "01234", 5);
		world_run(world, has_received_any, &world->accepted);
		world_wait(world, 5);
		assert_true(received(&world->accepted, "012"));
		assert_int_equal(world->accepted.data_calls, 1);
		stream_write(world->client.stream, "56789", 5);
		world_wait(world, 20);
		assert_true(received(&world->accepted, "012345"));
		world->accepted.use_at_most = 0;
		stream_pause(world->accepted.stream);
		world_wait(world, 5);
		assert_true(received(&world->accepted, "012345"));
		stream_resume(world->accepted.stream);
		world_run(world, has_received_ten, &world->accepted);
		assert_true(received(&world->accepted, "0123456789"));
		assert_null(world->accepted.stream->rest.data);
		clear_ends(world);
	}
}

static void holds_back_a_peer_that_nobody_reads(void **state)
{
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		world_open(world, is_tls, NULL);
		char *big = xcalloc(1, 8 * 1024 * 1024);
		world->accepted.use_at_most = 1;
		stream_write(world->client.stream, big, 8 * 1024 * 1024);
		world_wait(world, 100);
		assert_true(world->accepted.stream->rest.len <= 384 * 1024);
		assert_true(stream_queued(world->client.stream) > 0);
		world->accepted.use_at_most = 0;
		stream_resume(world->accepted.stream);
		stream_end(world->client.stream);
		world_run(world, has_ended, &world->accepted);
		assert_int_equal(world->accepted.received.len, 8 * 1024 * 1024);
		free(big);
		clear_ends(world);
	}
}

static void tells_the_end_behind_the_data(void **state)
{
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		world_open(world, is_tls, NULL);
		stream_pause(world->accepted.stream);
		stream_write(world->client.stream, "0123456789", 10);
		stream_end(world->client.stream);
		stream_write(world->client.stream, "dropped", 7);
		world_wait(world, 10);
		assert_false(world->accepted.has_ended);
		assert_int_equal(world->accepted.received.len, 0);
		stream_resume(world->accepted.stream);
		world_run(world, has_ended, &world->accepted);
		assert_true(received(&world->accepted, "0123456789"));
		clear_ends(world);
	}
}

/* --- writing --------------------------------------------------------------------------------- */

static void writes_from_a_queue_what_it_is_told(void **state)
{
	struct world *world = *state;
	struct stream_queue queue = {0};
	world_open(world, true, NULL);
	stream_queue_append_few(&queue, (const uint8_t *)"01234xxx", 8);
	stream_write_queue(world->client.stream, &queue, 5);
	assert_int_equal(queue.len, 3);
	stream_queue_clear(&queue);
	stream_write(world->client.stream, "56789", 5);
	assert_int_equal(stream_queued(world->client.stream), 10);
	world_run(world, has_received_ten, &world->accepted);
	assert_true(received(&world->accepted, "0123456789"));
	assert_int_equal(world->accepted.data_calls, 1);
}

static void goes_on_reading_after_its_own_end(void **state)
{
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		world_open(world, is_tls, NULL);
		stream_end(world->client.stream);
		world_run(world, has_ended, &world->accepted);
		stream_write(world->accepted.stream, "0123456789", 10);
		stream_end(world->accepted.stream);
		world_run(world, has_ended, &world->client);
		assert_true(received(&world->client, "0123456789"));
		assert_null(world->client.error);
		clear_ends(world);
	}
}

/* --- cuts ------------------------------------------------------------------------------------ */

static void shows_a_cut_to_the_peer(void **state)
{
	struct world *world = *state;
	world_open(world, true, NULL);
	/* The session ticket is to be read: closing over unread bytes is a reset. */
	world_wait(world, 5);
	stream_close(&world->client.stream);
	world_run(world, has_error, &world->accepted);
	assert_string_equal(world->accepted.error, "tls: connection ended without close_notify");
	clear_ends(world);
	world_open(world, false, NULL);
	stream_close(&world->client.stream);
	world_run(world, has_error, &world->accepted);
	assert_string_equal(world->accepted.error, "connection reset");
	assert_false(world->accepted.has_ended);
}

static void survives_writing_to_one_who_left(void **state)
{
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		world_open(world, is_tls, NULL);
		stream_end(world->client.stream);
		world_run(world, has_ended, &world->accepted);
		stream_close(&world->client.stream);
		for (unsigned i = 0; i < 20 && world->accepted.error == NULL; i++) {
			stream_write(world->accepted.stream, "more", 4);
			world_wait(world, 2);
		}
		assert_string_equal(world->accepted.error, "connection reset");
		stream_write(world->accepted.stream, "more", 4);
		assert_int_equal(stream_queued(world->accepted.stream), 0);
		clear_ends(world);
	}
}

/* An answer that came before the upload was complete is read although the connection was reset
 * meanwhile. */
static void reads_the_last_words(void **state)
{
	struct world *world = *state;
	world_open(world, false, NULL);
	stream_pause(world->client.stream);
	stream_write(world->accepted.stream, "0123456789", 10);
	world_wait(world, 5);
	stream_end(world->accepted.stream);
	world_wait(world, 5);
	stream_close(&world->accepted.stream);
	stream_resume(world->client.stream);
	stream_write(world->client.stream, "upload", 6);
	world_run(world, has_received_ten, &world->client);
}

static void finishes_politely(void **state)
{
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		world_open(world, is_tls, NULL);
		char *big = xcalloc(1, 1024 * 1024);
		/* Unread bytes would make the kernel reset the connection and lose the answer. */
		stream_write(world->client.stream, big, 300 * 1024);
		world_wait(world, 2);
		stream_write(world->accepted.stream, big, 1024 * 1024);
		stream_finish(&world->accepted.stream, duration_seconds(5));
		assert_null(world->accepted.stream);
		world_run(world, has_ended, &world->client);
		assert_int_equal(world->client.received.len, 1024 * 1024);
		assert_null(world->client.error);
		stream_end(world->client.stream);
		world_wait(world, 5);
		free(big);
		clear_ends(world);
	}
}

static void lingers_no_longer_than_allowed(void **state)
{
	struct world *world = *state;
	world_open(world, true, NULL);
	char *big = xcalloc(1, 16 * 1024 * 1024);
	stream_pause(world->client.stream);
	stream_write(world->accepted.stream, big, 16 * 1024 * 1024);
	stream_finish(&world->accepted.stream, duration_ms(30));
	world_wait(world, 60);
	stream_resume(world->client.stream);
	world_run(world, has_error, &world->client);
	assert_true(world->client.received.len < 16 * 1024 * 1024);
	free(big);
	clear_ends(world);

	/* One that is not open yet, and one that the end of the process overtakes. */
	world_connect(world, NULL, NULL);
	stream_finish(&world->client.stream, duration_seconds(5));
	assert_null(world->client.stream);
	clear_ends(world);
	world_open(world, true, NULL);
	stream_finish(&world->accepted.stream, duration_seconds(5));
	stream_close_finishing(world->loop);
}

/* --- opening --------------------------------------------------------------------------------- */

static void gives_up_on_a_silent_client(void **state)
{
	static const struct stream_options options = {.handshake_timeout = {.ms = 30}};
	struct world *world = *state;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&world->address, sizeof world->address), 0);
	world->accepted.stream = stream_accept(
	    world->loop, world_accept(world), world->tls, &options, &end_events, &world->accepted);
	world_run(world, has_error, &world->accepted);
	assert_string_equal(world->accepted.error, "the TLS handshake timed out after 30 ms");
	close(fd);
}

static void refuses_what_is_not_tls(void **state)
{
	static const struct {
		const char *bytes, *wanted;
	} rows[] = {
	    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "tls: the peer does not speak TLS"},
	    {"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "tls: the peer does not speak TLS"},
	    {"\x16\x03\x01\xff\xff\x01garbage", NULL},
	    {"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", NULL},
	    {"\x15\x03\x01\x00\x02\x02\x28", NULL},
	    {"", "tls: the peer closed during the handshake"},
	};
	struct world *world = *state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(
		    connect(fd, (struct sockaddr *)&world->address, sizeof world->address), 0);
		world->accepted.stream = stream_accept(world->loop, world_accept(world), world->tls,
		    NULL, &end_events, &world->accepted);
		assert_true(write(fd, rows[i].bytes, strlen(rows[i].bytes)) >= 0);
		shutdown(fd, SHUT_WR);
		world_run(world, has_error, &world->accepted);
		assert_int_equal(strncmp(world->accepted.error, "tls: ", 5), 0);
		if (rows[i].wanted != NULL)
			assert_string_equal(world->accepted.error, rows[i].wanted);
		assert_false(world->accepted.is_open);
		close(fd);
		clear_ends(world);
	}
}

static void reports_a_refused_connection(void **state)
{
	struct world *world = *state;
	close(world->listening);
	world->listening = -1;
	world->client.stream = stream_connect(world->loop, (struct sockaddr *)&world->address,
	    sizeof world->address, NULL, NULL, &end_events, &world->client);
	assert_null(world->client.error);
	world_run(world, has_error, &world->client);
	assert_non_null(strstr(world->client.error, "Connection refused"));
	assert_int_equal(strncmp(world->client.error, "connect to 127.0.0.1:", 21), 0);
	clear_ends(world);
	/* No such family: known before connect() is called, told afterwards all the same. */
	struct sockaddr odd = {.sa_family = AF_MAX};
	world->client.stream =
	    stream_connect(world->loop, &odd, sizeof odd, NULL, NULL, &end_events, &world->client);
	world_run(world, has_error, &world->client);
}

/* --- owners ---------------------------------------------------------------------------------- */

static bool is_closed(void *end)
{
	return ((struct end *)end)->stream == NULL;
}

static void may_be_closed_in_any_callback(void **state)
{
	static const struct stream_options options = {.high_mark = 1000};
	struct world *world = *state;
	for (unsigned is_tls = 0; is_tls < 2; is_tls++) {
		struct tls_client *tls = is_tls ? world_client(world, "api.example") : NULL;
		world->accepted.closes = true; /* on_open */
		world_connect(world, tls, NULL);
		tls_client_free(&tls);
		world_run(world, is_closed, &world->accepted);
		clear_ends(world);

		world_open(world, is_tls, NULL); /* on_data */
		world->accepted.closes = true;
		stream_write(world->client.stream, "0123456789", 10);
		world_run(world, is_closed, &world->accepted);
		assert_int_equal(world->accepted.data_calls, 1);
		clear_ends(world);

		world_open(world, is_tls, NULL); /* on_end */
		world->accepted.closes = true;
		stream_end(world->client.stream);
		world_run(world, is_closed, &world->accepted);
		assert_true(world->accepted.has_ended);
		clear_ends(world);

		world_open(world, is_tls, &options); /* on_drain */
		world->client.closes = true;
		char piece[4000] = {0};
		stream_write(world->client.stream, piece, sizeof piece);
		world_run(world, is_closed, &world->client);
		assert_int_equal(world->client.drains, 1);
		clear_ends(world);

		world_open(world, is_tls, NULL); /* on_error */
		world->accepted.closes = true;
		stream_close(&world->client.stream);
		world_run(world, is_closed, &world->accepted);
		assert_non_null(world->accepted.error);
		clear_ends(world);
	}
	struct stream *none = NULL;
	stream_close(&none);
	stream_finish(&none, duration_ms(1));
}

static void may_change_hands(void **state)
{
	struct world *world = *state;
	struct end next = {0};
	world_open(world, true, NULL);
	world->accepted.use_at_most = 5;
	stream_write(world->client.stream, "0123456789", 10);
	world_run(world, has_received_any, &world->accepted);
	stream_set_events(world->accepted.stream, &end_events, &next);
	stream_resume(world->accepted.stream);
	world_run(world, has_received_any, &next);
	assert_true(received(&next, "56789"));
	buf_free(&next.received);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_WORLD(tells_who_is_there),
	    WITH_WORLD(sends_what_was_written_before_it_was_open),
	    WITH_WORLD(offers_again_what_was_not_used),
	    WITH_WORLD(holds_back_a_peer_that_nobody_reads),
	    WITH_WORLD(tells_the_end_behind_the_data),
	    WITH_WORLD(writes_from_a_queue_what_it_is_told),
	    WITH_WORLD(goes_on_reading_after_its_own_end),
	    WITH_WORLD(shows_a_cut_to_the_peer),
	    WITH_WORLD(survives_writing_to_one_who_left),
	    WITH_WORLD(reads_the_last_words),
	    WITH_WORLD(finishes_politely),
	    WITH_WORLD(lingers_no_longer_than_allowed),
	    WITH_WORLD(gives_up_on_a_silent_client),
	    WITH_WORLD(refuses_what_is_not_tls),
	    WITH_WORLD(reports_a_refused_connection),
	    WITH_WORLD(may_be_closed_in_any_callback),
	    WITH_WORLD(may_change_hands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
