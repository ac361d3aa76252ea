/* Streams that carry much, both ways, with pauses, and those that keep records apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "kubeproxyd/net/stream_parts.h"
#include "tests/unit/stream_ends.h"

#define BULK  ((size_t)10 * 1024 * 1024)
#define PIECE 5000u
#define HIGH  0x80u
/* More than the kernel's buffers take. */
#define MUCH	      ((size_t)1024 * 1024)
#define THREE_RECORDS ((size_t)3 * 16 * 1024)

/* One direction each: sends BULK bytes of a pattern as far as the marks allow, checks the other's,
 * pauses now and then. The first byte of each piece gets its highest bit only once it is queued. */
struct pump {
	struct world *world;
	struct pump *other;
	struct stream *stream;
	size_t sent, got, amended;
	bool is_amended[BULK / PIECE + 1]; /* by piece */
	unsigned calls;
	bool is_open, has_ended;
	struct timer *resume;
};

static uint8_t pattern(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static void write_and_amend(struct pump *pump, uint8_t *piece, size_t len)
{
	bool *is_amended = &pump->is_amended[pump->sent / PIECE];
	piece[0] &= HIGH - 1;
	stream_write(pump->stream, piece, len);
	*is_amended = stream_amend(pump->stream, len, HIGH);
	pump->amended += *is_amended;
}

static uint8_t wanted(const struct pump *pump, size_t at)
{
	uint8_t byte = pattern(at);
	if (at % PIECE != 0)
		return byte;
	return (uint8_t)((byte & (HIGH - 1)) | (pump->other->is_amended[at / PIECE] ? HIGH : 0));
}

static void pump_out(struct pump *pump)
{
	uint8_t piece[PIECE];
	while (pump->sent < BULK && !stream_is_full(pump->stream)) {
		size_t len = BULK - pump->sent < sizeof piece ? BULK - pump->sent : sizeof piece;
		for (size_t i = 0; i < len; i++)
			piece[i] = pattern(pump->sent + i);
		write_and_amend(pump, piece, len);
		pump->sent += len;
		if (pump->sent == BULK)
			stream_end(pump->stream);
	}
	assert_true(stream_queued(pump->stream) <= 64 * 1024 + sizeof piece);
}

static void pump_on_open(void *arg)
{
	struct pump *pump = arg;
	pump->is_open = true;
	pump_out(pump);
}

static size_t pump_on_data(void *arg, const uint8_t *data, size_t len)
{
	struct pump *pump = arg;
	size_t used = ++pump->calls % 3 == 0 ? len / 2 : len;
	for (size_t i = 0; i < used; i++)
		if (data[i] != wanted(pump, pump->got + i))
			fail_msg("byte %zu differs", pump->got + i);
	pump->got += used;
	if (used < len || pump->calls % 7 == 0) {
		stream_pause(pump->stream);
		timer_set(pump->resume, duration_ms(pump->calls % 2));
	}
	return used;
}

static void pump_on_end(void *arg)
{
	struct pump *pump = arg;
	pump->has_ended = true;
}

static void pump_on_drain(void *arg)
{
	pump_out(arg);
}

static void pump_on_error(void *arg, const char *reason)
{
	(void)arg;
	fail_msg("%s", reason);
}

static void pump_resume(void *arg)
{
	struct pump *pump = arg;
	stream_resume(pump->stream);
}

static const struct stream_events pump_events = {
    .on_open = pump_on_open,
    .on_data = pump_on_data,
    .on_end = pump_on_end,
    .on_drain = pump_on_drain,
    .on_error = pump_on_error,
};

static bool are_pumps_done(void *arg)
{
	struct pump *pumps = arg;
	return pumps[0].has_ended && pumps[1].has_ended;
}

static void pump_both_ways(struct world *world, bool is_tls, bool keeps_records)
{
	static const struct stream_options options = {.high_mark = (size_t)64 * 1024};
	static struct pump pumps[2];
	pumps[0] = (struct pump){.world = world, .other = &pumps[1]};
	pumps[1] = (struct pump){.world = world, .other = &pumps[0]};
	struct tls_client *tls = is_tls ? world_client(world, "api.example") : NULL;
	for (size_t i = 0; i < 2; i++)
		pumps[i].resume = timer_new(world->loop, pump_resume, &pumps[i]);
	pumps[0].stream = stream_connect(world->loop, (struct sockaddr *)&world->address,
	    sizeof world->address, tls, &options, &pump_events, &pumps[0]);
	pumps[1].stream = stream_accept(world->loop, world_accept(world),
	    is_tls ? world->tls : NULL, &options, &pump_events, &pumps[1]);
	for (size_t i = 0; keeps_records && i < 2; i++)
		stream_keep_records(pumps[i].stream);
	world_run(world, are_pumps_done, pumps);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pumps[i].got, BULK);
		assert_int_equal(stream_bytes_read(pumps[i].stream), BULK);
		assert_true(pumps[i].amended > 0 || keeps_records);
		assert_int_equal(stream_bytes_written(pumps[i].stream), BULK);
		assert_null(pumps[i].stream->queue.first);
		assert_null(pumps[i].stream->rest.data);
		stream_close(&pumps[i].stream);
		timer_free(&pumps[i].resume);
	}
	tls_client_free(&tls);
}

static void carries_ten_mebibytes_both_ways(void **state)
{
	pump_both_ways(*state, true, false);
	pump_both_ways(*state, false, false);
}

static void carries_them_record_by_record(void **state)
{
	pump_both_ways(*state, true, true);
	pump_both_ways(*state, false, true);
}

static uint32_t segments_sent(const struct stream *stream)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	assert_int_equal(getsockopt(stream->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_data_segs_out;
}

static bool has_received_three_records(void *end)
{
	return ((struct end *)end)->received.len == THREE_RECORDS;
}

/* Records that leave in one turn share segments, where these can be so long (loopback): the kernel
 * sends what is half of the peer's window, at first 32 KiB, and does not wait for more then. */
static void sends_records_together(void **state)
{
	static uint8_t zeros[THREE_RECORDS];
	struct world *world = *state;
	world_open(world, true, NULL);
	uint32_t before = segments_sent(world->client.stream);
	stream_write(world->client.stream, zeros, sizeof zeros);
	world_run(world, has_received_three_records, &world->accepted);
	assert_in_range(segments_sent(world->client.stream) - before, 1, 2);
}

static bool has_received_nine(void *end)
{
	return ((struct end *)end)->received.len == 9;
}

/* What was written as three records is three records at the other end, however they arrived. */
static void keeps_records_apart(void **state)
{
	struct world *world = *state;
	world_open(world, true, NULL);
	stream_keep_records(world->client.stream);
	stream_keep_records(world->accepted.stream);
	stream_pause(world->accepted.stream);
	for (size_t i = 0; i < 3; i++)
		stream_write(world->client.stream, "abc", 3);
	assert_int_equal(stream_queued(world->client.stream), 0);
	assert_int_equal(stream_bytes_written(world->client.stream), 9);
	world_wait(world, 20);
	stream_resume(world->accepted.stream);
	world_run(world, has_received_nine, &world->accepted);
	assert_int_equal(world->accepted.data_calls, 3);
}

/* A write that breaks says so at the end of the turn, not inside the verb. */
static void breaks_after_the_verb(void **state)
{
	struct world *world = *state;
	world_open(world, true, NULL);
	stream_keep_records(world->client.stream);
	stream_pause(world->client.stream);
	stream_close(&world->accepted.stream);
	world_wait(world, 20);
	for (size_t i = 0; i < 3; i++)
		stream_write(world->client.stream, "abc", 3);
	assert_null(world->client.error);
	stream_resume(world->client.stream);
	world_run(world, has_error, &world->client);
}

/* What a slow peer's window of a moment lets go on: both ends, and what is amended in that turn. */
struct amending {
	struct stream *stream;
	struct deferred work;
	uint64_t back;
	bool is_asked, is_amended;
};

static void amend_now(void *arg)
{
	struct amending *amending = arg;
	amending->is_asked = true;
	amending->is_amended = stream_amend(amending->stream, amending->back, HIGH);
}

static struct loop *amending_loop;

/* As a WINDOW_UPDATE of HTTP/2 asks for a flush at the end of the turn. */
static size_t defer_amending(void *arg, const uint8_t *data, size_t len)
{
	struct amending *amending = arg;
	(void)data;
	loop_defer(amending_loop, &amending->work);
	return len;
}

static void stay_calm(void *arg)
{
	(void)arg;
}

static const struct stream_events amending_events = {
    .on_data = defer_amending,
    .on_end = stay_calm,
    .on_drain = stay_calm,
    .on_error = pump_on_error,
};

static bool was_asked(void *arg)
{
	return ((struct amending *)arg)->is_asked;
}

static bool has_received_much(void *end)
{
	return ((struct end *)end)->received.len == MUCH;
}

/* A record that was enciphered and could not be sent is sent as it is, also when the socket takes
 * it again and the flush of that turn is still to come: its bytes are not to be amended. */
static void leaves_what_was_enciphered(void **state)
{
	static uint8_t zeros[MUCH];
	struct world *world = *state;
	world_open(world, true, NULL);
	struct stream *client = world->client.stream, *accepted = world->accepted.stream;
	stream_pause(accepted);
	/* Less than one flush. */
	int small = 32 * 1024;
	assert_int_equal(
	    setsockopt(accepted->io.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	assert_int_equal(setsockopt(client->io.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	stream_write(client, zeros, sizeof zeros);
	world_wait(world, 20);
	assert_true(client->is_write_blocked && SSL_want_write(client->io.ssl));
	struct amending amending = {.stream = client, .back = stream_queued(client)};
	amending.work = (struct deferred){.fn = amend_now, .arg = &amending};
	amending_loop = world->loop;
	stream_set_events(client, &amending_events, &amending);
	/* The peer reads and says something: readable and writable come in one event. */
	accepted->is_paused = false;
	for (size_t i = 0; i < 64; i++)
		stream_receive(accepted);
	stream_write(accepted, "update", 6);
	stream_flush(accepted);
	world_run(world, was_asked, &amending);
	stream_resume(accepted);
	world_run(world, has_received_much, &world->accepted);
	uint8_t byte = (uint8_t)world->accepted.received.data[MUCH - amending.back];
	assert_int_equal(byte, amending.is_amended ? HIGH : 0);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_WORLD(carries_ten_mebibytes_both_ways),
	    WITH_WORLD(carries_them_record_by_record),
	    WITH_WORLD(sends_records_together),
	    WITH_WORLD(keeps_records_apart),
	    WITH_WORLD(breaks_after_the_verb),
	    WITH_WORLD(leaves_what_was_enciphered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
