/* The streams of execs, from WebSockets and SPDY; where a last word may stand, and what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/record/remote_command.h"
#include "kubeproxyd/record/spdy.h"
#include "kubeproxyd/record/websocket.h"
#include "tests/unit/allocated.h"
#include "tests/unit/tunnel_bytes.h"

#define WS   "websocket"
#define SPDY "SPDY/3.1"

static struct buf seen, bytes;
static struct remote_command *command;
static struct spdy_end spdy;

static int set_up(void **state)
{
	(void)state;
	spdy_end_init(&spdy);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remote_command_free(&command);
	spdy_end_free(&spdy);
	buf_free(&seen);
	buf_free(&bytes);
	return 0;
}

static void start(const char *upgrade, const char *protocol)
{
	remote_command_free(&command);
	buf_clear(&seen);
	buf_clear(&bytes);
	command = remote_command_new(upgrade, protocol, tunnel_note, &seen);
}

/* What was gathered in `bytes`. */
static bool feed(enum remote_side side)
{
	bool is_read = remote_command_feed(command, side, (const uint8_t *)bytes.data, bytes.len);
	buf_clear(&bytes);
	return is_read;
}

/* It can be read, and with it all that has been told is this. */
static void assert_heard(enum remote_side side, const char *what)
{
	assert_true(feed(side));
	assert_string_equal(buf_text(&seen), what);
}

static void test_which_protocols(void **state)
{
	(void)state;
	static const struct {
		const char *upgrade, *protocol;
		bool can;
	} rows[] = {{WS, "v5.channel.k8s.io", true}, {WS, "v4.channel.k8s.io", true},
	    {"WebSocket", "channel.k8s.io", true}, {WS, NULL, true},
	    {WS, "base64.channel.k8s.io", true}, {WS, "v4.base64.channel.k8s.io", true},
	    {WS, "v6.channel.k8s.io", false}, {WS, "SPDY/3.1+portforward.k8s.io", false},
	    {SPDY, "v4.channel.k8s.io", true}, {"spdy/3.1", "v5.channel.k8s.io", true},
	    {SPDY, NULL, true}, {SPDY, "portforward.k8s.io", false}, {"h2c", NULL, false}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (remote_command_can_read(rows[i].upgrade, rows[i].protocol) != rows[i].can)
			fail_msg("%s %s", rows[i].upgrade, rows[i].protocol);
}

static void test_channels(void **state)
{
	(void)state;
	start(WS, "v5.channel.k8s.io");
	ws_message(&bytes, true, 0, "typed");
	ws_message(&bytes, true, 4, "{size}");
	ws_message(&bytes, true, (char)255, "\x01");
	assert_true(feed(REMOTE_CLIENT));
	ws_message(&bytes, false, 1, "out");
	ws_message(&bytes, false, 2, "err");
	ws_message(&bytes, false, 9, "nothing");
	ws_message(&bytes, false, 1, "");
	ws_frame(&bytes, 0x82, false, "", 0);
	ws_message(&bytes, false, 3, "{}");
	assert_heard(REMOTE_SERVER, "i:typed; r:{size}; o:out; e:err; o:; x:{}; ");
}

/* The channel of a message stands in its first fragment, which may be empty. */
static void test_fragments(void **state)
{
	(void)state;
	start(WS, "v4.channel.k8s.io");
	ws_frame(&bytes, 0x02, false, "", 0);
	ws_frame(&bytes, 0x00, false, "\x01", 1);
	ws_frame(&bytes, 0x89, false, "ping", 4);
	ws_frame(&bytes, 0x00, false, "ab", 2);
	ws_frame(&bytes, 0x80, false, "c", 1);
	assert_heard(REMOTE_SERVER, "o:o:abo:c; ");
}

static void test_base64(void **state)
{
	(void)state;
	start(WS, "v4.base64.channel.k8s.io");
	ws_frame(&bytes, 0x81, false, "1aGVsbG8=", 9);
	ws_frame(&bytes, 0x81, false, "1aGk=", 5);
	ws_frame(&bytes, 0x81, false, "2eWVz\r\n", 7);
	ws_frame(&bytes, 0x81, false, "1", 1);
	assert_heard(REMOTE_SERVER, "o:hello; o:hi; e:yes; o:; ");
	static const char *const bad[] = {"1a", "1aG!=", "1aG=k", "1aGk=aGk=", "1===="};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		start(WS, "base64.channel.k8s.io");
		ws_frame(&bytes, 0x81, false, bad[i], strlen(bad[i]));
		if (feed(REMOTE_SERVER))
			fail_msg("%s", bad[i]);
	}
}

static void test_base64_in_pieces(void **state)
{
	(void)state;
	static const char text[] = "1QUJDREVGR0g=";
	start(WS, "base64.channel.k8s.io");
	ws_frame(&bytes, 0x81, false, text, strlen(text));
	for (size_t i = 0; i < bytes.len; i++)
		assert_true(remote_command_feed(
		    command, REMOTE_SERVER, (const uint8_t *)bytes.data + i, 1));
	assert_string_equal(buf_text(&seen), "o:ABCo:DEFo:GH; ");
}

static void open_streams(void)
{
	start(SPDY, "v4.channel.k8s.io");
	spdy_open(&spdy, &bytes, 1, "error");
	spdy_open(&spdy, &bytes, 3, "stdin");
	spdy_open(&spdy, &bytes, 5, "stdout");
	spdy_open(&spdy, &bytes, 7, "resize");
	spdy_open(&spdy, &bytes, 9, "unheard");
	assert_true(feed(REMOTE_CLIENT));
}

static void test_spdy(void **state)
{
	(void)state;
	open_streams();
	spdy_data(&bytes, 3, "typed", false);
	spdy_data(&bytes, 7, "{size}", false);
	assert_true(feed(REMOTE_CLIENT));
	spdy_data(&bytes, 5, "out", false);
	spdy_data(&bytes, 9, "ignored", false);
	spdy_data(&bytes, 77, "ignored", false);
	spdy_data(&bytes, 1, "{}", true);
	assert_heard(REMOTE_SERVER, "i:typed; r:{size}; o:out; x:{}; ");
}

/* The server opens none. */
static void test_spdy_streams_of_the_server(void **state)
{
	(void)state;
	struct spdy_end server;
	spdy_end_init(&server);
	open_streams();
	spdy_open(&server, &bytes, 2, "stdout");
	spdy_data(&bytes, 2, "ignored", false);
	assert_heard(REMOTE_SERVER, "");
	spdy_end_free(&server);
}

static void test_spdy_too_many_streams(void **state)
{
	(void)state;
	start(SPDY, "v4.channel.k8s.io");
	for (uint32_t id = 1; id < 33; id += 2)
		spdy_open(&spdy, &bytes, id, "stdout");
	assert_true(feed(REMOTE_CLIENT));
	spdy_open(&spdy, &bytes, 33, "stdout");
	assert_false(feed(REMOTE_CLIENT));
}

/* Nobody is told what a side sends on the other's streams: a client could forge output. */
static void test_streams_of_the_other_side(void **state)
{
	(void)state;
	start(WS, "v4.channel.k8s.io");
	for (char channel = 0; channel < 5; channel++)
		ws_message(&bytes, true, channel, "c");
	assert_true(feed(REMOTE_CLIENT));
	for (char channel = 0; channel < 5; channel++)
		ws_message(&bytes, false, channel, "s");
	assert_heard(REMOTE_SERVER, "i:c; r:c; o:s; e:s; x:s; ");
	start(WS, "v4.base64.channel.k8s.io");
	ws_message(&bytes, true, '1', "Zm9yZ2Vk");
	assert_heard(REMOTE_CLIENT, "");
	open_streams();
	for (uint32_t id = 1; id < 9; id += 2)
		spdy_data(&bytes, id, "c", false);
	assert_true(feed(REMOTE_CLIENT));
	for (uint32_t id = 1; id < 9; id += 2)
		spdy_data(&bytes, id, "s", false);
	assert_heard(REMOTE_SERVER, "i:c; r:c; x:s; o:s; ");
}

static void add_header(struct buf *block, const char *name, const char *value)
{
	spdy_word(block, name, strlen(name));
	spdy_word(block, value, strlen(value));
}

/* Headers that follow, of a stream that is open, change nothing. */
static void test_spdy_headers_later(void **state)
{
	(void)state;
	struct buf block = {0};
	open_streams();
	spdy_number(&block, 1);
	add_header(&block, "streamtype", "resize");
	spdy_headers(&spdy, &bytes, SPDY_HEADERS, 5, &block);
	assert_true(feed(REMOTE_CLIENT));
	spdy_data(&bytes, 5, "out", false);
	assert_heard(REMOTE_SERVER, "o:out; ");
	buf_free(&block);
}

/* What stands behind the headers of a block is, to a reader of Go's, the begin of the next one:
 * there, stream 11 is stdout and has a header in which all stands that is read here. */
static void test_spdy_more_than_its_headers(void **state)
{
	(void)state;
	static const enum spdy_frame frames[] = {SPDY_HEADERS, SPDY_REPLY, SPDY_OPEN};
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
		struct buf block = {0}, hidden = {0};
		tear_down(NULL);
		set_up(NULL);
		open_streams();
		spdy_number(&hidden, 1);
		add_header(&hidden, "streamtype", "resize");
		spdy_number(&block, 0);
		spdy_number(&block, 2);
		add_header(&block, "streamtype", "stdout");
		spdy_word(&block, "z", 1);
		spdy_number(&block, (uint32_t)hidden.len);
		spdy_headers(&spdy, &bytes, frames[i], 1, &block);
		spdy_headers(&spdy, &bytes, SPDY_OPEN, 11, &hidden);
		assert_false(feed(REMOTE_CLIENT));
		buf_free(&block);
		buf_free(&hidden);
	}
}

/* Of several values and several headers the first counts, as for Go. */
static void test_spdy_several_types(void **state)
{
	(void)state;
	struct buf block = {0};
	start(SPDY, "v4.channel.k8s.io");
	spdy_number(&block, 1);
	spdy_word(&block, "streamtype", strlen("streamtype"));
	spdy_word(&block, "stdout\0resize", sizeof "stdout\0resize" - 1);
	spdy_headers(&spdy, &bytes, SPDY_OPEN, 1, &block);
	buf_clear(&block);
	spdy_number(&block, 2);
	add_header(&block, "streamtype", "stderr");
	add_header(&block, "streamtype", "resize");
	spdy_headers(&spdy, &bytes, SPDY_OPEN, 3, &block);
	assert_true(feed(REMOTE_CLIENT));
	spdy_data(&bytes, 1, "out", false);
	spdy_data(&bytes, 3, "err", false);
	assert_heard(REMOTE_SERVER, "o:out; e:err; ");
	buf_free(&block);
}

/* What was allocated since, whatever the other end sends. */
static void assert_little_memory(size_t before)
{
	assert_in_range(allocated() - before, 0, (size_t)128 * 1024);
}

/* One that is well made and small, but would take much memory. */
static void test_spdy_bomb(void **state)
{
	(void)state;
	for (size_t len = 60000; len <= 90000; len += 30000) {
		struct buf block = {0}, value = {0};
		tear_down(NULL);
		set_up(NULL);
		start(SPDY, "v4.channel.k8s.io");
		for (size_t i = 0; i < len; i++)
			buf_append_char(&value, 'x');
		spdy_number(&block, 1);
		add_header(&block, "long", buf_text(&value));
		spdy_headers(&spdy, &bytes, SPDY_OPEN, 1, &block);
		assert_true(bytes.len < 1000);
		size_t before = allocated();
		assert_int_equal(feed(REMOTE_CLIENT), len < 64000);
		assert_little_memory(before);
		buf_free(&block);
		buf_free(&value);
	}
}

/* A block of any length is read to its end before the next one. */
static void test_spdy_blocks_of_any_length(void **state)
{
	(void)state;
	for (size_t len = 3900; len < 4300; len++) {
		struct buf block = {0}, value = {0};
		tear_down(NULL);
		set_up(NULL);
		start(SPDY, "v4.channel.k8s.io");
		for (size_t i = 0; i < len; i++)
			buf_append_char(&value, 'x');
		spdy_number(&block, 2);
		add_header(&block, "long", buf_text(&value));
		add_header(&block, "streamtype", "stdout");
		spdy_headers(&spdy, &bytes, SPDY_OPEN, 1, &block);
		spdy_open(&spdy, &bytes, 3, "stderr");
		assert_true(feed(REMOTE_CLIENT));
		spdy_data(&bytes, 1, "out", false);
		spdy_data(&bytes, 3, "err", false);
		assert_true(feed(REMOTE_SERVER));
		assert_string_equal(buf_text(&seen), "o:out; e:err; ");
		buf_free(&block);
		buf_free(&value);
	}
}

/* --- what cannot be read --------------------------------------------------------------------- */

static void test_bad_frames(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		int first;
		bool is_masked;
		enum remote_side side;
	} rows[] = {{"an unmasked client", 0x82, false, REMOTE_CLIENT},
	    {"a masked server", 0x82, true, REMOTE_SERVER}, {"deflate", 0xc2, false, REMOTE_SERVER},
	    {"a fragment of nothing", 0x80, false, REMOTE_SERVER},
	    {"an unknown opcode", 0x83, false, REMOTE_SERVER}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(WS, "v5.channel.k8s.io");
		ws_frame(&bytes, rows[i].first, rows[i].is_masked, "\x01x", 2);
		if (feed(rows[i].side))
			fail_msg("%s", rows[i].what);
		assert_string_equal(buf_text(&seen), "");
		ws_message(&bytes, rows[i].side == REMOTE_CLIENT, 1, "x");
		assert_false(feed(rows[i].side));
	}
	start(WS, "v5.channel.k8s.io");
	buf_append(&bytes, "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x01", 10); /* 2^63 bytes */
	assert_false(feed(REMOTE_SERVER));
	start(SPDY, "v4.channel.k8s.io");
	buf_append(&bytes, "\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01", 12); /* SPDY/2 */
	assert_false(feed(REMOTE_CLIENT));
}

/* Of a frame that never ends nothing is kept. */
static void test_an_endless_frame(void **state)
{
	(void)state;
	static const uint8_t zeros[4096];
	command = remote_command_new(WS, "v5.channel.k8s.io", NULL, NULL);
	buf_append(&bytes, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
	assert_true(feed(REMOTE_SERVER));
	size_t before = allocated();
	for (int i = 0; i < 1000; i++) {
		assert_true(remote_command_feed(command, REMOTE_SERVER, zeros, sizeof zeros));
		assert_little_memory(before);
	}
	assert_int_equal(remote_command_wanted(command), INT64_MAX - 1000 * sizeof zeros);
}

/* --- the last word --------------------------------------------------------------------------- */

/* Feeding exactly what is wanted, again and again, ends between two messages. */
static void assert_boundary(size_t from, size_t end)
{
	for (size_t cut = from + 1; cut < end; cut++) {
		struct remote_command *half =
		    remote_command_new(WS, "v5.channel.k8s.io", NULL, NULL);
		size_t at = cut;
		assert_true(
		    remote_command_feed(half, REMOTE_SERVER, (const uint8_t *)bytes.data, cut));
		for (uint64_t wanted; (wanted = remote_command_wanted(half)) > 0; at += wanted)
			assert_true(remote_command_feed(
			    half, REMOTE_SERVER, (const uint8_t *)bytes.data + at, (size_t)wanted));
		assert_int_equal(at, end);
		remote_command_free(&half);
	}
}

static void test_between_two_messages(void **state)
{
	(void)state;
	char large[300];
	memset(large, 'x', sizeof large);
	large[0] = 1;
	ws_message(&bytes, false, 1, "abc");
	size_t first = bytes.len;
	ws_frame(&bytes, 0x02, false, large, sizeof large);
	ws_frame(&bytes, 0x89, false, "ping", 4);
	ws_frame(&bytes, 0x80, false, "end", 3);
	assert_boundary(0, first);
	assert_boundary(first, bytes.len);
}

static void test_between_two_frames_of_spdy(void **state)
{
	(void)state;
	open_streams();
	spdy_data(&bytes, 5, "out", false);
	for (size_t i = 0; i < bytes.len; i++) {
		uint64_t wanted = remote_command_wanted(command);
		size_t left = i < 8 ? 8 - i : bytes.len - i;
		assert_int_equal(wanted, i == 0 ? 0 : left);
		assert_true(remote_command_feed(
		    command, REMOTE_SERVER, (const uint8_t *)bytes.data + i, 1));
	}
	assert_int_equal(remote_command_wanted(command), 0);
}

static const struct remote_last_word word = {
    .stream = REMOTE_STDOUT, .text = "\r\nlocked\r\n", .status = "{\"status\":\"Failure\"}"};

/* It is read back as a client reads it. */
static void test_last_word_in_a_websocket(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *protocol = i == 0 ? "v5.channel.k8s.io" : "base64.channel.k8s.io";
		start(WS, protocol);
		assert_true(remote_command_can_end(command));
		remote_command_end(command, &word, &bytes);
		assert_memory_equal(bytes.data + bytes.len - 4, "\x88\x02\x03\xe8", 4);
		assert_true(feed(REMOTE_SERVER));
		assert_string_equal(
		    buf_text(&seen), "o:\r\nlocked\r\n; x:{\"status\":\"Failure\"}; ");
		assert_false(remote_command_can_end(command));
	}
}

static void test_a_long_last_word(void **state)
{
	(void)state;
	char text[400];
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	struct remote_last_word long_word = {.status = text};
	start(WS, "v5.channel.k8s.io");
	remote_command_end(command, &long_word, &bytes);
	assert_true(feed(REMOTE_SERVER));
	assert_int_equal(seen.len, strlen("x:; ") + strlen(text));
}

static uint32_t ids[8];
static size_t id_count;

static void note_data(void *arg, uint32_t id, const uint8_t *data, size_t len, bool is_last)
{
	(void)arg;
	ids[id_count++] = id;
	buf_printf(&seen, "%u:%.*s%s ", id, (int)len, (const char *)data, is_last ? " end" : "");
}

static void test_last_word_in_spdy(void **state)
{
	(void)state;
	static const struct spdy_events events = {.on_data = note_data};
	open_streams();
	struct spdy_reader *reader = spdy_reader_new(&events, NULL);
	remote_command_end(command, &word, &bytes);
	assert_true(spdy_feed(reader, (const uint8_t *)bytes.data, bytes.len));
	assert_int_equal(spdy_wanted(reader), 0);
	assert_string_equal(
	    buf_text(&seen), "5:\r\nlocked\r\n 1:{\"status\":\"Failure\"} end 5: end ");
	static const uint8_t goaway[] = {0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0};
	assert_memory_equal(bytes.data + bytes.len - sizeof goaway, goaway, sizeof goaway);
	spdy_reader_free(&reader);
	/* Nothing is written on a stream that the server ended. */
	buf_clear(&bytes);
	spdy_data(&bytes, 5, "bye", true);
	assert_true(feed(REMOTE_SERVER));
	buf_clear(&seen);
	reader = spdy_reader_new(&events, NULL);
	remote_command_end(command, &word, &bytes);
	assert_true(spdy_feed(reader, (const uint8_t *)bytes.data, bytes.len));
	assert_string_equal(buf_text(&seen), "1:{\"status\":\"Failure\"} end ");
	spdy_reader_free(&reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_which_protocols),
	    TEST(test_channels),
	    TEST(test_fragments),
	    TEST(test_base64),
	    TEST(test_base64_in_pieces),
	    TEST(test_spdy),
	    TEST(test_spdy_streams_of_the_server),
	    TEST(test_spdy_too_many_streams),
	    TEST(test_streams_of_the_other_side),
	    TEST(test_spdy_headers_later),
	    TEST(test_spdy_more_than_its_headers),
	    TEST(test_spdy_several_types),
	    TEST(test_spdy_bomb),
	    TEST(test_spdy_blocks_of_any_length),
	    TEST(test_bad_frames),
	    TEST(test_an_endless_frame),
	    TEST(test_between_two_messages),
	    TEST(test_between_two_frames_of_spdy),
	    TEST(test_last_word_in_a_websocket),
	    TEST(test_a_long_last_word),
	    TEST(test_last_word_in_spdy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
