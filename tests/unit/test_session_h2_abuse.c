/* What HTTP/2 clients may not do: bad heads, heads too large or too slow, floods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/front/session_h2_private.h"
#include "kubeproxyd/http/stream_ids.h"
#include "tests/unit/session_h2_talk.h"

/* --- what is refused -------------------------------------------------------------------------- */

#define OPENING ":method", "GET", ":scheme", "https", ":path", "/api"

static void test_hosts(void **state)
{
	static const struct {
		const char *pairs[14];
		const char *authority; /* NULL: refused */
	} rows[] = {
	    {{OPENING, ":authority", "H:1", "host", "h:1", NULL}, "H:1"},
	    {{OPENING, "host", "h:1", NULL}, "h:1"},
	    {{OPENING, ":authority", "h:1", "host", "h:2", NULL}, NULL},
	    {{OPENING, ":authority", "h", "host", "h.", NULL}, NULL},
	    {{OPENING, ":authority", "", "host", "h", NULL}, NULL},
	    {{OPENING, ":authority", "", NULL}, NULL},
	    {{OPENING, "host", "", NULL}, NULL},
	    {{OPENING, ":authority", "user@h", NULL}, NULL},
	    {{OPENING, ":authority", "h/x", NULL}, NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fresh(state, &(struct h2_end_options){.is_lax = true});
		int32_t id = h2_end_request(&client, rows[i].pairs, false);
		talk();
		if (rows[i].authority != NULL) {
			assert_string_equal(last_life()->authority, rows[i].authority);
		} else {
			assert_int_equal(world.count, 0);
			assert_true(heard(id)->is_closed);
			assert_false(world.has_ended);
		}
	}
}

static void test_targets(void **state)
{
	static const char *const rows[] = {
	    "/a#b", "/a b", "a", "*", "https://h/api", "/\xc3\xa4", ""};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fresh(state, &(struct h2_end_options){.is_lax = true});
		int32_t id = ask("GET", rows[i], false);
		assert_int_equal(world.count, 0);
		assert_true(heard(id)->is_closed);
		assert_int_equal(world.bad_status, 400);
	}
}

/* A stream error (RFC 9113, 8.1.1); the connection and its other requests go on. */
static void test_malformed_heads_are_reset(void **state)
{
	static const char *const rows[][14] = {
	    {":method", "GET", ":scheme", "https", ":authority", "h", NULL},
	    {":method", "GET", ":path", "/api", ":authority", "h", NULL},
	    {":scheme", "https", ":path", "/api", ":authority", "h", NULL},
	    {OPENING, NULL},
	    {OPENING, ":authority", "h", ":path", "/b", NULL},
	    {OPENING, ":authority", "h", ":status", "200", NULL},
	    {OPENING, ":authority", "h", ":other", "a", NULL},
	    {":method", "GET", ":scheme", "https", ":path", "/api", "a", "b", ":authority", "h",
		NULL},
	    {OPENING, ":authority", "h", "connection", "close", NULL},
	    {OPENING, ":authority", "h", "transfer-encoding", "chunked", NULL},
	    {OPENING, ":authority", "h", "upgrade", "websocket", NULL},
	    {OPENING, ":authority", "h", "te", "gzip", NULL},
	    {OPENING, ":authority", "h", "a b", "c", NULL},
	    {OPENING, ":authority", "h", "a", "b\x01", NULL},
	    {OPENING, ":authority", "h", "a", " b", NULL},
	    {OPENING, ":authority", "h", "a", "b\r\nc: d", NULL},
	    {OPENING, ":authority", "h", "", "b", NULL},
	    {OPENING, "host", "h", "host", "h", NULL},
	    {OPENING, ":authority", "h", "content-length", "1", NULL},
	    {OPENING, ":authority", "h", "content-length", "a", NULL},
	    {":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/a",
		":authority", "h", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fresh(state, &(struct h2_end_options){.is_lax = true});
		world.settings.proxy.limits.header_timeout = duration_ms(10);
		world_restart();
		int32_t id = h2_end_request(&client, rows[i], false);
		talk();
		assert_int_equal(world.count, 0);
		assert_true(heard(id)->is_closed);
		assert_int_equal(heard(id)->code, NGHTTP2_PROTOCOL_ERROR);
		assert_int_equal(world.bad_requests, 1);
		world_wait(20); /* longer than a head may take */
		id = ask("GET", "/api", false);
		assert_int_equal(world.count, 1);
		life_answer(last_life(), 200, "x");
		talk();
		assert_true(heard(id)->has_end);
	}
}

static void test_connect_is_refused(void **state)
{
	(void)state;
	const char *const pairs[] = {":method", "CONNECT", ":authority", "h:1", NULL};
	int32_t id = h2_end_request(&client, pairs, true);
	talk();
	assert_int_equal(world.count, 0);
	assert_refused(id, "400");
}

static void test_body_that_is_not_what_was_declared(void **state)
{
	(void)state;
	world.takes_bodies = true;
	const char *const pairs[] = {OPENING, ":authority", "h", "content-length", "3", NULL};
	reopen(&(struct h2_end_options){.is_lax = true});
	int32_t id = h2_end_request(&client, pairs, true);
	h2_end_send(&client, id, "ab", 2, true);
	talk();
	assert_int_equal(last_life()->failures, 1);
	assert_false(last_life()->has_body_end);
	assert_int_equal(heard(id)->code, NGHTTP2_PROTOCOL_ERROR);
}

static void test_header_limits(void **state)
{
	static char large[9000];
	memset(large, 'l', sizeof large - 1);
	const char *many[2 * 30 + 9] = {OPENING, ":authority", "h"};
	for (unsigned i = 8; i < 8 + 2 * 30; i += 2) {
		many[i] = "n";
		many[i + 1] = "v";
	}
	const char *const one[] = {OPENING, ":authority", "h", "n", large, NULL};
	char *path = xasprintf("/%s", large);
	const char *const target[] = {
	    ":method", "GET", ":scheme", "https", ":authority", "h", ":path", path, NULL};
	const char *const *const rows[] = {many, one, target};
	for (size_t i = 0; i < 3; i++) {
		fresh(state, &(struct h2_end_options){0});
		int32_t id = h2_end_request(&client, rows[i], false);
		talk();
		assert_int_equal(world.count, 0);
		assert_refused(id, "431");
		assert_false(world.has_ended);
	}
	free(path);
}

/* More frames than any head within the limits has. */
static void test_continuation_flood(void **state)
{
	(void)state;
	static char value[60000];
	memset(value, '{', sizeof value - 1);
	const char *pairs[8 + 2 * 8 + 1] = {OPENING, ":authority", "h"};
	for (unsigned i = 8; i < 8 + 2 * 8; i += 2) {
		pairs[i] = "n";
		pairs[i + 1] = value;
	}
	h2_end_request(&client, pairs, false);
	talk();
	assert_int_equal(world.count, 0);
	assert_true(world.has_ended);
}

static void test_a_head_that_stalls(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/api", false);
	/* HEADERS without END_HEADERS, and nothing behind. */
	static const uint8_t frame[] = {0, 0, 1, 1, 0, 0, 0, 0, 3, 0x82};
	assert_int_equal(id, 1);
	world.settings.proxy.limits.header_timeout = duration_ms(40);
	world_receive(frame, sizeof frame);
	world_wait(100);
	assert_true(world.has_ended);
	assert_int_equal(last_life()->failures, 1);
	assert_int_equal(world.bad_status, 408);
}

static void test_says_nothing(void **state)
{
	(void)state;
	world.settings.proxy.limits.header_timeout = duration_ms(40);
	world_restart();
	world_wait(100);
	world_end_turn();
	assert_true(world.has_ended);
	assert_int_equal(world.how, SESSION_POLITE);
}

static void test_not_http2(void **state)
{
	(void)state;
	world_receive("GET / HTTP/1.1\r\n\r\n", 18);
	world_end_turn();
	assert_true(world.has_ended);
}

/* --- floods ----------------------------------------------------------------------------------- */

static void assert_calmed(bool is_client_there)
{
	for (unsigned i = 0; i < 100 && !world.has_ended; i++)
		carry_down();
	carry_down();
	assert_true(world.has_ended);
	assert_int_equal(client.goaways, is_client_there);
	if (is_client_there)
		assert_int_equal(client.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	for (size_t i = 0; i < world.count; i++)
		assert_false(world.lives[i].is_live);
}

static void flood(const uint8_t *frame, size_t len, unsigned count)
{
	struct buf bytes = {0};
	for (unsigned i = 0; i < 100; i++)
		buf_append(&bytes, frame, len);
	for (unsigned i = 0; i < count && !world.has_ended; i += 100) {
		world_receive(bytes.data, bytes.len);
		carry_down();
	}
	buf_free(&bytes);
}

static void test_frames_that_say_nothing(void **state)
{
	static const struct {
		uint8_t bytes[20];
		size_t len;
		unsigned limit;
	} rows[] = {
	    {{0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 17, 3000}, /* PING */
	    /* PING, acknowledged */
	    {{0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 17, 3000},
	    {{0, 0, 0, 4, 0, 0, 0, 0, 0}, 9, 500}, /* SETTINGS */
	    {{0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, 14, 9500}, /* PRIORITY */
	    {{0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 13, 9500}, /* WINDOW_UPDATE */
	    {{0, 0, 0, 0, 0, 0, 0, 0, 1}, 9, 9500}, /* empty DATA */
	    {{0, 0, 8, 7, 0, 0, 0, 0, 0}, 17, 9500}, /* GOAWAY */
	    {{0, 0, 1, 1, 5, 0, 0, 0, 3, 0x88}, 10, 9500}, /* trailers of a closed stream */
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fresh(state, &(struct h2_end_options){0});
		world.takes_bodies = true;
		int32_t id = ask("POST", "/api", true);
		assert_int_equal(id, 1);
		assert_int_equal(ask("GET", "/api", false), 3);
		life_answer(last_life(), 200, "ok");
		talk();
		flood(rows[i].bytes, rows[i].len, rows[i].limit - 100);
		assert_false(world.has_ended);
		flood(rows[i].bytes, rows[i].len, 500);
		/* nghttp2 as the client knows of no SETTINGS that could be acknowledged. */
		assert_calmed(rows[i].bytes[3] != NGHTTP2_SETTINGS);
	}
}

/* Nothing of them is served, and the connection stays while others are. */
static void test_requests_behind_a_goaway(void **state)
{
	static const uint8_t request[] = {0, 0, 1, 1, 5, 0, 0, 0, 9, 0x82};
	(void)state;
	assert_int_equal(ask("POST", "/api", true), 1);
	h2_say_goodbye(world.session.conversation);
	flood(request, sizeof request, 9400);
	assert_false(world.has_ended);
	assert_int_equal(world.count, 1);
	flood(request, sizeof request, 500);
	carry_down();
	assert_true(world.has_ended);
	assert_int_equal(client.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* The lower ones count as closed; the trailers of one that was used are not a new stream. */
static void test_streams_in_order(void **state)
{
	struct stream_ids ids = {0};
	(void)state;
	assert_true(stream_ids_take(&ids, 1) && stream_ids_take(&ids, 3) &&
		    stream_ids_take(&ids, 9) && stream_ids_take(&ids, 11));
	assert_true(stream_ids_take(&ids, 1) && stream_ids_take(&ids, 9));
	assert_false(stream_ids_take(&ids, 5));
	assert_false(stream_ids_take(&ids, 7));
	int32_t id = 11;
	for (unsigned i = 1; i < STREAM_ID_GAPS_MAX; i++)
		assert_true(stream_ids_take(&ids, id += 4));
	assert_false(stream_ids_take(&ids, 5));
	/* There is no end of them: the last are remembered. */
	assert_true(stream_ids_take(&ids, id + 100));
	assert_false(stream_ids_take(&ids, id + 2));
	assert_false(stream_ids_take(&ids, id + 98));
	assert_true(stream_ids_take(&ids, 5));
	ids = (struct stream_ids){0};
	assert_true(stream_ids_take(&ids, 5));
	assert_false(stream_ids_take(&ids, 1));
}

static void test_rapid_reset(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1500 && !world.has_ended && client.goaways == 0; i++) {
		client.count = 0; /* they are forgotten */
		int32_t id = ask("GET", "/api", false);
		nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
		talk();
	}
	for (unsigned i = 0; i < 100 && !world.has_ended; i++)
		carry_down();
	assert_true(world.has_ended);
	assert_int_equal(client.goaways, 1);
	for (size_t i = 0; i < world.count; i++)
		assert_int_equal(world.lives[i].failures, 1);
}

/* The client makes us reset: a request is started each time all the same. */
static void test_resets_that_are_provoked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1500 && !world.has_ended && client.goaways == 0; i++) {
		uint32_t id = 2 * i + 1;
		client.count = 0;
		assert_int_equal(ask("POST", "/api", true), id);
		/* A window beyond 2^31. */
		const uint8_t frame[] = {
		    0, 0, 4, 8, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 0x7f, 0xff, 0xff, 0xff};
		world_receive(frame, sizeof frame);
		talk();
	}
	for (unsigned i = 0; i < 100 && !world.has_ended; i++)
		carry_down();
	assert_true(world.has_ended);
	assert_true(world.count >= 1000 && world.count < 1200);
}

/* Nobody knows whose bodies these are: together they hold one small window, and go on when a
 * credential was accepted. */
static void test_strangers_hold_little(void **state)
{
	(void)state;
	static char data[256 * 1024];
	int32_t ids[20];
	world_become_stranger();
	reopen(&(struct h2_end_options){0});
	for (unsigned i = 0; i < 20; i++) {
		ids[i] = ask("POST", "/api", true);
		h2_end_send(&client, ids[i], data, sizeof data, true);
		talk();
	}
	size_t held = 0;
	for (unsigned i = 0; i < 20; i++)
		held += sizeof data - heard(ids[i])->to_send.len;
	assert_int_equal(held, 65535);
	/* What is refused makes way for others. */
	life_answer(&world.lives[0], 401, "no");
	talk();
	assert_int_equal(client.goaways, 1);
	held = 0;
	for (unsigned i = 1; i < 20; i++)
		held += sizeof data - heard(ids[i])->to_send.len;
	assert_int_equal(held, 65535);
	/* By another request the client becomes known: each body may hold one small window. */
	world.session.caller.is_known = true;
	life_answer(&world.lives[1], 200, "yes");
	talk();
	for (unsigned i = 2; i < 20; i++)
		assert_int_equal(heard(ids[i])->to_send.len, sizeof data - 65535);
	/* And one that is wanted goes on. */
	for (unsigned i = 2; i < 20; i++) {
		world.lives[i].client.verbs->resume(world.lives[i].client.object);
		talk();
		assert_int_equal(world.lives[i].body.len, sizeof data);
		assert_true(world.lives[i].has_body_end);
		life_answer(&world.lives[i], 200, "yes");
	}
	talk();
}

/* Its own body is the one that waits. */
static void test_a_stranger_becomes_known(void **state)
{
	(void)state;
	static char data[1024 * 1024];
	world_become_stranger();
	reopen(&(struct h2_end_options){0});
	int32_t id = ask("POST", "/api", true);
	h2_end_send(&client, id, data, sizeof data, true);
	talk();
	assert_int_equal(heard(id)->to_send.len, sizeof data - 65535);
	world.session.caller.is_known = true;
	last_life()->client.verbs->resume(last_life()->client.object);
	last_life()->client.verbs->pause(last_life()->client.object);
	talk();
	assert_int_equal(heard(id)->to_send.len, sizeof data - 256 * 1024);
	last_life()->client.verbs->resume(last_life()->client.object);
	talk();
	assert_int_equal(last_life()->body.len, sizeof data);
	life_answer(last_life(), 200, "yes");
	talk();
	assert_true(heard(id)->has_end);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_hosts),
	    CASE(test_targets),
	    CASE(test_malformed_heads_are_reset),
	    CASE(test_connect_is_refused),
	    CASE(test_body_that_is_not_what_was_declared),
	    CASE(test_header_limits),
	    CASE(test_continuation_flood),
	    CASE(test_a_head_that_stalls),
	    CASE(test_says_nothing),
	    CASE(test_not_http2),
	    CASE(test_frames_that_say_nothing),
	    CASE(test_requests_behind_a_goaway),
	    CASE(test_streams_in_order),
	    CASE(test_rapid_reset),
	    CASE(test_resets_that_are_provoked),
	    CASE(test_strangers_hold_little),
	    CASE(test_a_stranger_becomes_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
