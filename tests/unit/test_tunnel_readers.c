/* Reading tunnels as they pass by: SPDY/3.1 alone and within a WebSocket, in pieces of any size,
 * and what is neither. The bytes were made by Node.js' zlib with the dictionary of the draft. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/record/forwarded_ports.h"
#include "kubeproxyd/record/spdy.h"
#include "kubeproxyd/record/websocket.h"

/* Streams 1 and 3 for port 8080, data on 3, stream 5 for port 443, the end of 3. */
static const uint8_t spdy[] = {
    0x80,
    0x03,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    0x3e,
    0x00,
    0x00,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x78,
    0xbb,
    0xe3,
    0xc6,
    0xa7,
    0xc2,
    0x02,
    0x25,
    0x3a,
    0x70,
    0x3a,
    0x2b,
    0x29,
    0x4a,
    0x4d,
    0xcc,
    0x85,
    0x16,
    0x25,
    0xac,
    0xa9,
    0xa0,
    0x80,
    0x86,
    0x14,
    0xcb,
    0x45,
    0xe0,
    0x1c,
    0x60,
    0x61,
    0x60,
    0x61,
    0xc0,
    0xc0,
    0xc0,
    0xc0,
    0x59,
    0x04,
    0x89,
    0xc6,
    0x4c,
    0x50,
    0xf2,
    0x66,
    0x34,
    0x00,
    0x00,
    0x00,
    0x00,
    0xff,
    0xff,
    0x80,
    0x03,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    0x18,
    0x00,
    0x00,
    0x00,
    0x03,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0xc2,
    0xaa,
    0x19,
    0x54,
    0x0e,
    0x25,
    0x12,
    0xd6,
    0x0b,
    0x00,
    0x00,
    0x00,
    0xff,
    0xff,
    0x00,
    0x00,
    0x00,
    0x03,
    0x00,
    0x00,
    0x00,
    0x0e,
    0x47,
    0x45,
    0x54,
    0x20,
    0x2f,
    0x20,
    0x48,
    0x54,
    0x54,
    0x50,
    0x2f,
    0x31,
    0x2e,
    0x31,
    0x80,
    0x03,
    0x00,
    0x01,
    0x00,
    0x00,
    0x00,
    0x1a,
    0x00,
    0x00,
    0x00,
    0x05,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x22,
    0x4a,
    0x2f,
    0xb3,
    0x89,
    0x89,
    0x31,
    0x86,
    0x56,
    0x43,
    0x00,
    0x00,
    0x00,
    0x00,
    0xff,
    0xff,
    0x00,
    0x00,
    0x00,
    0x03,
    0x01,
    0x00,
    0x00,
    0x00,
};

static struct buf seen;

static int tear_down(void **state)
{
	(void)state;
	buf_free(&seen);
	return 0;
}

static void on_header(void *arg, uint32_t stream, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	(void)arg;
	buf_printf(&seen, "%u:%.*s=%.*s ", stream, (int)name_len, name, (int)value_len, value);
}

static void on_stream(void *arg, uint32_t stream)
{
	(void)arg;
	buf_printf(&seen, "stream:%u ", stream);
}

static void on_data(void *arg, uint32_t stream, const uint8_t *data, size_t len, bool is_last)
{
	(void)arg;
	(void)stream;
	buf_append(&seen, data, len);
	if (is_last)
		buf_printf(&seen, " end:%u", stream);
}

static const struct spdy_events events = {on_header, on_stream, on_data};

#define HEADERS(stream, type, port, id)                                                            \
	stream ":streamtype=" type " " stream ":port=" port " " stream ":requestid=" id            \
	       " stream:" stream " "

static void test_spdy_in_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= sizeof spdy; piece++) {
		struct spdy_reader *reader = spdy_reader_new(&events, NULL);
		buf_clear(&seen);
		for (size_t at = 0; at < sizeof spdy; at += piece) {
			size_t len = sizeof spdy - at < piece ? sizeof spdy - at : piece;
			assert_true(spdy_feed(reader, spdy + at, len));
		}
		assert_string_equal(buf_text(&seen),
		    HEADERS("1", "error", "8080", "0") HEADERS("3", "data", "8080",
			"0") "GET / HTTP/1.1" HEADERS("5", "data", "443", "1") " end:3");
		spdy_reader_free(&reader);
	}
}

static void test_what_is_no_spdy(void **state)
{
	(void)state;
	static const struct {
		uint8_t bytes[24];
		size_t len;
	} rows[] = {
	    {{0x80, 0x02, 0, 1, 0, 0, 0, 0}, 8}, /* version 2 */
	    {{0x80, 0x03, 0, 1, 0, 0, 0, 0}, 8}, /* no room for its streams */
	    {{0x80, 0x03, 0, 1, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 'x', 'y'}, 20},
	    {{0x80, 0x03, 0, 1, 0, 0xff, 0xff, 0xff}, 8}, /* a block of 16 MiB */
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct spdy_reader *reader = spdy_reader_new(&events, NULL);
		assert_false(spdy_feed(reader, rows[i].bytes, rows[i].len));
		assert_false(spdy_feed(reader, spdy, sizeof spdy));
		spdy_reader_free(&reader);
	}
	assert_string_equal(buf_text(&seen), "");
}

/* --- WebSocket ---------------------------------------------------------------------------------
 */

static void on_part(void *arg, const uint8_t *data, size_t len, bool is_first, bool is_last)
{
	(void)arg;
	buf_append_text(&seen, is_first ? "<" : "");
	if (len > 0)
		buf_append(&seen, data, len);
	buf_append_text(&seen, is_last ? ">" : "");
}

static void assert_reads(const char *bytes, size_t len, const char *wanted, bool is_good)
{
	struct websocket_reader reader = {.fn = on_part};
	buf_clear(&seen);
	if (websocket_feed(&reader, (const uint8_t *)bytes, len) != is_good)
		fail_msg("%s", wanted);
	assert_string_equal(buf_text(&seen), wanted);
}

#define READS(bytes, wanted, is_good) assert_reads(bytes, sizeof(bytes) - 1, wanted, is_good)

static void test_websocket_frames(void **state)
{
	(void)state;
	READS("\x82\x03"
	      "abc",
	    "<abc>", true);
	READS("\x81\x83\x01\x02\x03\x04`ba", "<a`b>", true);
	READS("\x02\x01"
	      "a\x89\x02hi\x80\x01"
	      "b",
	    "<ab>", true);
	READS("\x82\x7e\x00\x03"
	      "abc",
	    "<abc>", true);
	READS("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01"
	      "a\x82\x00",
	    "<a><>", true);
	READS("\x88\x02\x03\xe8", "", true);
}

static void test_what_is_no_websocket(void **state)
{
	(void)state;
	READS("\xc2\x01"
	      "a",
	    "", false); /* compressed */
	READS("\x80\x01"
	      "a",
	    "", false); /* goes on with nothing */
	READS("\x02\x01"
	      "a\x82\x01"
	      "b",
	    "<a", false); /* a message in a message */
	READS("\x83\x01"
	      "a",
	    "", false); /* opcode 3 */
	READS("\x09\x00", "", false); /* a fragmented ping */
	READS("\x89\x7e\x00\x80", "", false); /* a long ping */
}

/* --- ports -------------------------------------------------------------------------------------
 */

/* The same stream in masked fragments of 50 bytes with pings in between. */
static void write_websocket(struct buf *out)
{
	static const uint8_t mask[] = {1, 2, 3, 4};
	for (size_t at = 0; at < sizeof spdy; at += 50) {
		size_t len = sizeof spdy - at < 50 ? sizeof spdy - at : 50;
		uint8_t first = at == 0 ? 2 : 0, last = at + len == sizeof spdy ? 0x80 : 0;
		uint8_t head[] = {(uint8_t)(first | last), (uint8_t)(0x80 | len), 1, 2, 3, 4};
		buf_append(out, head, sizeof head);
		for (size_t i = 0; i < len; i++)
			buf_append_char(out, (char)(spdy[at + i] ^ mask[i % 4]));
		buf_append(out, "\x89\x80\x01\x02\x03\x04", 6);
	}
}

static void test_ports(void **state)
{
	(void)state;
	struct forwarded_ports *ports = forwarded_ports_new("spdy/3.1");
	assert_null(forwarded_ports_text(ports));
	forwarded_ports_feed(ports, spdy, sizeof spdy);
	assert_string_equal(forwarded_ports_text(ports), "[\"8080\",\"443\"]");
	forwarded_ports_free(&ports);
	struct buf wrapped = {0};
	write_websocket(&wrapped);
	ports = forwarded_ports_new("WebSocket");
	for (size_t i = 0; i < wrapped.len; i++)
		forwarded_ports_feed(ports, (const uint8_t *)wrapped.data + i, 1);
	assert_string_equal(forwarded_ports_text(ports), "[\"8080\",\"443\"]");
	buf_free(&wrapped);
	forwarded_ports_free(&ports);
	/* What hides the rest is told. */
	static const uint8_t large[] = {0x80, 0x03, 0, 1, 0, 0xff, 0xff, 0xff};
	ports = forwarded_ports_new("SPDY/3.1");
	forwarded_ports_feed(ports, spdy, sizeof spdy);
	forwarded_ports_feed(ports, large, sizeof large);
	forwarded_ports_feed(ports, spdy, sizeof spdy);
	assert_string_equal(forwarded_ports_text(ports), "[\"8080\",\"443\",\"?\"]");
	forwarded_ports_free(&ports);
	ports = forwarded_ports_new("websocket");
	forwarded_ports_feed(ports,
	    (const uint8_t *)"\xc2\x01"
			     "a",
	    3);
	assert_string_equal(forwarded_ports_text(ports), "[\"?\"]");
	forwarded_ports_free(&ports);
	assert_null(forwarded_ports_new("h2c"));
	assert_null(forwarded_ports_text(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_spdy_in_pieces, tear_down),
	    cmocka_unit_test_teardown(test_what_is_no_spdy, tear_down),
	    cmocka_unit_test_teardown(test_websocket_frames, tear_down),
	    cmocka_unit_test_teardown(test_what_is_no_websocket, tear_down),
	    cmocka_unit_test_teardown(test_ports, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
