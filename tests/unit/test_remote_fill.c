/* What completes a message of an exec whose rest the client is not to have: no byte of the
 * server's, and nothing behind it that a last word could not follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/record/remote_command.h"
#include "tests/unit/tunnel_bytes.h"

#define WS   "websocket"
#define SPDY "SPDY/3.1"

static struct buf seen, bytes, rest;
static struct remote_command *command;

static int tear_down(void **state)
{
	(void)state;
	remote_command_free(&command);
	buf_free(&seen);
	buf_free(&bytes);
	buf_free(&rest);
	return 0;
}

static void start(const char *upgrade, const char *protocol)
{
	remote_command_free(&command);
	buf_clear(&seen);
	buf_clear(&bytes);
	buf_clear(&rest);
	command = remote_command_new(upgrade, protocol, tunnel_note, &seen);
}

/* The first ones of what was gathered in `bytes`. */
static void feed(enum remote_side side, size_t len)
{
	assert_in_range(len, 1, bytes.len);
	assert_true(remote_command_feed(command, side, (const uint8_t *)bytes.data, len));
	buf_clear(&bytes);
}

static void assert_filled(const char *with, size_t len)
{
	buf_clear(&rest);
	assert_true(remote_command_fill(command, &rest));
	assert_int_equal(remote_command_wanted(command), 0);
	assert_int_equal(rest.len, len);
	assert_memory_equal(rest.data, with, len);
}

/* And is read as a message of its own behind that. */
static void assert_next(char channel, const char *text, const char *heard)
{
	buf_clear(&seen);
	buf_clear(&bytes);
	ws_message(&bytes, false, channel, text);
	feed(REMOTE_SERVER, bytes.len);
	assert_string_equal(buf_text(&seen), heard);
}

static void test_within_a_payload(void **state)
{
	(void)state;
	static const char nuls[8];
	for (size_t cut = 0; cut <= 4; cut++) {
		start(WS, "v5.channel.k8s.io");
		ws_message(&bytes, false, 1, "abcd");
		feed(REMOTE_SERVER, 3 + cut);
		if (cut < 4)
			assert_filled(nuls, 4 - cut);
		else
			assert_filled("", 0);
		assert_next(1, "end", "o:end; ");
	}
}

/* Which is to stay base64, and such that decodes to NULs. */
static void test_within_base64(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < 8; cut++) {
		start(WS, "v4.base64.channel.k8s.io");
		ws_message(&bytes, false, '1', "YWJjZGVm");
		feed(REMOTE_SERVER, 3 + cut);
		assert_filled("AAAAAAAA", 8 - cut);
		assert_next('1', "ZW5k", "o:end; ");
	}
}

/* Between two fragments an empty one is the last. */
static void test_between_fragments(void **state)
{
	(void)state;
	start(WS, "v5.channel.k8s.io");
	ws_frame(&bytes, 0x02, false, "\x01z", 2);
	ws_frame(&bytes, 0x89, false, "ping", 4);
	feed(REMOTE_SERVER, bytes.len);
	assert_filled("\x80\x00", 2);
	assert_next(2, "end", "e:end; ");
}

/* Though one message stood there before: its channel is its own. */
static void test_without_a_channel(void **state)
{
	(void)state;
	start(WS, "v5.channel.k8s.io");
	ws_message(&bytes, false, 3, "{}");
	ws_frame(&bytes, 0x02, false, "zzz", 3);
	feed(REMOTE_SERVER, bytes.len - 3);
	assert_filled("\x01\x00\x00\x80\x00", 5);
	assert_next(1, "end", "o:end; ");
	ws_frame(&bytes, 0x02, false, "", 0);
	ws_frame(&bytes, 0x80, false, "zz", 2);
	feed(REMOTE_SERVER, 4);
	assert_filled("\x01\x00", 2);
	start(WS, "v4.base64.channel.k8s.io");
	ws_frame(&bytes, 0x81, false, "1QUJD", 5);
	feed(REMOTE_SERVER, 2);
	assert_filled("1AAAA", 5);
}

/* The head of a frame, and one of SPDY that controls, are the server's own. */
static void test_no_place(void **state)
{
	(void)state;
	static const struct {
		const char *upgrade, *begin;
		size_t len;
	} rows[] = {{WS, "\x82", 1}, {WS, "\x82\x7e\x01", 3},
	    {WS, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x02\x01", 11}, /* 64 KiB and one more */
	    {SPDY, "\x00\x00\x00\x01\x00", 5}, {SPDY, "\x80\x03\x00\x06\x00\x00\x00\x04\x00", 9}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(rows[i].upgrade, "v4.channel.k8s.io");
		buf_append(&bytes, rows[i].begin, rows[i].len);
		feed(REMOTE_SERVER, rows[i].len);
		if (remote_command_fill(command, &rest))
			fail_msg("row %zu", i);
	}
}

/* One that ends its stream does so completed, too: nothing may follow on that. */
static void test_within_a_frame_of_spdy(void **state)
{
	(void)state;
	static const struct remote_last_word word = {REMOTE_STDOUT, "bye", "{}"};
	struct spdy_end spdy;
	spdy_end_init(&spdy);
	start(SPDY, "v4.channel.k8s.io");
	spdy_open(&spdy, &bytes, 1, "error");
	spdy_open(&spdy, &bytes, 3, "stdout");
	feed(REMOTE_CLIENT, bytes.len);
	spdy_data(&bytes, 3, "abcde", true);
	feed(REMOTE_SERVER, bytes.len - 3);
	assert_filled("\0\0\0", 3);
	buf_clear(&rest);
	remote_command_end(command, &word, &rest);
	assert_null(memmem(rest.data, rest.len, "bye", 3));
	assert_non_null(memmem(rest.data, rest.len, "{}", 2));
	spdy_end_free(&spdy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_within_a_payload),
	    TEST(test_within_base64),
	    TEST(test_between_fragments),
	    TEST(test_without_a_channel),
	    TEST(test_no_place),
	    TEST(test_within_a_frame_of_spdy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
