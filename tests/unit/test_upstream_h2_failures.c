/* What each way to fail, and each end of a connection to an API server, means for its requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "tests/unit/upstream_h2_world.h"

/* --- failures --------------------------------------------------------------------------------- */

/* Above the last id: refused. Below: it goes on, and the connection ends with it. */
static void test_goaway(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		get(i);
	open_stream();
	talk();
	nghttp2_submit_goaway(server.session, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	carry_down();
	assert_failed(1, PEER_REFUSED, true);
	assert_failed(2, PEER_REFUSED, true);
	assert_int_equal(requests[0].failures, 0);
	assert_false(upstream_h2_has_room(connection));
	answer(1, "200", "x");
	talk();
	assert_int_equal(requests[0].ends, 1);
	assert_int_equal(deaths, 1);
}

/* Not written yet when the GOAWAY comes. */
static void test_goaway_before_the_frame_is_written(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	answer(1, "200", "x");
	talk();
	nghttp2_submit_goaway(server.session, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	get(1);
	get(2);
	struct buf said = {0};
	h2_end_say(&server, &said);
	streams[0].events->on_data(streams[0].arg, (const uint8_t *)said.data, said.len);
	buf_free(&said);
	end_turn();
	assert_failed(1, PEER_REFUSED, true);
	assert_failed(2, PEER_REFUSED, true);
	assert_int_equal(deaths, 1);
	assert_true(streams[0].is_closed);
}

static void test_graceful_goaway(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	nghttp2_submit_shutdown_notice(server.session);
	carry_down();
	assert_false(upstream_h2_has_room(connection));
	nghttp2_submit_goaway(server.session, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	carry_down();
	assert_int_equal(deaths, 0);
	answer(1, "200", "x");
	talk();
	assert_int_equal(requests[0].ends, 1);
	assert_int_equal(deaths, 1);
}

static void test_resets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		get(i);
	open_stream();
	talk();
	const char *const pairs[] = {":status", "200", NULL};
	h2_end_answer(&server, 5, pairs, true);
	h2_end_send(&server, 5, "part", 4, false);
	h2_end_answer(&server, 7, pairs, true);
	talk();
	nghttp2_submit_rst_stream(server.session, 0, 1, NGHTTP2_REFUSED_STREAM);
	nghttp2_submit_rst_stream(server.session, 0, 3, NGHTTP2_INTERNAL_ERROR);
	nghttp2_submit_rst_stream(server.session, 0, 5, NGHTTP2_INTERNAL_ERROR);
	nghttp2_submit_rst_stream(server.session, 0, 7, NGHTTP2_REFUSED_STREAM);
	talk();
	assert_failed(0, PEER_REFUSED, true);
	assert_failed(1, PEER_CUT_BEFORE_HEAD, false);
	assert_failed(2, PEER_CUT, false);
	assert_failed(3, PEER_CUT, false);
	assert_string_equal(buf_text(&requests[2].body), "part");
	assert_int_equal(deaths, 0);
	assert_true(upstream_h2_has_room(connection));
}

static void test_cut_connection(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	answer(1, "200", "x");
	talk();
	get(1);
	get(2);
	talk();
	const char *const pairs[] = {":status", "200", NULL};
	h2_end_answer(&server, 5, pairs, true);
	talk();
	get(3);
	streams[0].events->on_error(streams[0].arg, "connection reset");
	end_turn();
	assert_failed(1, PEER_CUT_BEFORE_HEAD, false);
	assert_true(requests[1].is_reused);
	assert_failed(2, PEER_CUT, false);
	assert_failed(3, PEER_CUT_BEFORE_HEAD, true);
	assert_string_equal(requests[1].reason, "connection reset");
	assert_int_equal(deaths, 1);
}

/* The first failure releases nothing; the others are told all the same. */
static void test_owners_that_release_late(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		requests[i].keeps = true;
		get(i);
	}
	open_stream();
	talk();
	streams[0].events->on_end(streams[0].arg);
	end_turn();
	for (unsigned i = 0; i < 3; i++)
		assert_failed(i, PEER_CUT_BEFORE_HEAD, false);
	release(&requests[1]);
	end_turn();
	release(&requests[0]);
	release(&requests[2]);
	end_turn();
}

static void test_connecting_fails(void **state)
{
	(void)state;
	get(0);
	get(1);
	on_resolved(resolved_arg, NULL, 0, "no such host");
	end_turn();
	assert_failed(0, PEER_CONNECT, true);
	assert_failed(1, PEER_CONNECT, true);
	assert_int_equal(deaths, 1);
}

static void test_no_h2(void **state)
{
	(void)state;
	fake_alpn = "http/1.1";
	get(0);
	open_stream();
	end_turn();
	assert_failed(0, PEER_REFUSED, true);
	assert_int_equal(not_h2s, 1);
	assert_int_equal(deaths, 1);
}

static void test_release_cancels(void **state)
{
	(void)state;
	get(0);
	get(1);
	open_stream();
	talk();
	const char *const pairs[] = {":status", "200", NULL};
	h2_end_answer(&server, 1, pairs, true);
	talk();
	release(&requests[0]);
	talk();
	assert_int_equal(h2_end_find(&server, 1)->code, NGHTTP2_CANCEL);
	answer(3, "200", "x");
	talk();
	assert_int_equal(requests[1].ends, 1);
}

static void test_answer_in_time_or_not(void **state)
{
	(void)state;
	const struct upstream_want want = {.response_timeout = duration_ms(10)};
	pool.ping_after = duration_seconds(10);
	open_stream();
	lend(0, &want);
	ask(0, "GET", HTTP_BODY_NONE, TOKEN);
	lend(1, &want);
	ask(1, "GET", HTTP_BODY_NONE, TOKEN);
	talk();
	const char *const pairs[] = {":status", "200", NULL};
	h2_end_answer(&server, 1, pairs, true);
	talk();
	wait_ms(20);
	assert_failed(1, PEER_TIMEOUT, false);
	assert_int_equal(requests[0].failures, 0);
	talk();
	assert_int_equal(h2_end_find(&server, 3)->code, NGHTTP2_CANCEL);
}

static void test_bad_answers(void **state)
{
	(void)state;
	static const char *const rows[][5] = {
	    {":status", "200", "x-bad", "a\x01z", NULL},
	    {":status", "200", "connection", "close", NULL},
	    {"x-no-status", "1", NULL},
	    {":status", "200", ":status", "200", NULL},
	    {":status", "abc", NULL},
	    {":status", "200", "content-length", "-1", NULL},
	};
	h2_end_free(&server);
	h2_end_init(&server, &(struct h2_end_options){.is_server = true, .is_lax = true});
	open_stream();
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		get(i);
		talk();
		h2_end_answer(&server, (int32_t)(2 * i + 1), rows[i], false);
		talk();
		assert_failed(i, PEER_MALFORMED, false);
		assert_int_equal(requests[i].heads, 0);
	}
	assert_int_equal(deaths, 0);
}

static void test_answer_head_too_large(void **state)
{
	(void)state;
	static char value[60000];
	memset(value, 'v', sizeof value - 1);
	const char *pairs[13] = {
	    ":status", "200", "a", value, "b", value, "c", value, "d", value, "e", value, NULL};
	get(0);
	open_stream();
	talk();
	h2_end_answer(&server, 1, pairs, false);
	talk();
	assert_failed(0, PEER_MALFORMED, false);
	assert_string_equal(requests[0].reason, "the head of the answer is too large");
}

static void test_garbage_is_malformed(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	/* A DATA frame on stream 0. */
	static const uint8_t frame[] = {0, 0, 1, 0, 0, 0, 0, 0, 0, 'x'};
	streams[0].events->on_data(streams[0].arg, frame, sizeof frame);
	talk();
	assert_failed(0, PEER_MALFORMED, false);
	assert_int_equal(server.goaways, 1);
	assert_int_equal(server.goaway_code, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(deaths, 1);
}

/* --- the life of the connection --------------------------------------------------------------- */

static void test_silence_is_asked(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	for (int i = 0; i < 400 && server.pings == 0; i++) {
		wait_ms(5);
		talk();
	}
	assert_int_equal(server.pings, 1);
	assert_int_equal(deaths, 0);
	for (int i = 0; i < 400 && deaths == 0; i++)
		wait_ms(5);
	assert_failed(0, PEER_CUT_BEFORE_HEAD, false);
	assert_string_equal(requests[0].reason, "the API server does not answer PING");
	assert_int_equal(deaths, 1);
}

static void test_idle_ends(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	answer(1, "200", "x");
	talk();
	wait_ms(150);
	assert_int_equal(deaths, 1);
	assert_int_equal(server.pings, 0);
}

static void test_drain(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	upstream_h2_drain(connection);
	assert_false(upstream_h2_has_room(connection));
	assert_int_equal(deaths, 0);
	answer(1, "200", "x");
	talk();
	assert_int_equal(requests[0].ends, 1);
	assert_int_equal(deaths, 1);
}

/* Given up while the connection is still being made, and drained. */
static void test_drain_before_connected(void **state)
{
	(void)state;
	get(0);
	upstream_h2_drain(connection);
	release(&requests[0]);
	end_turn();
	assert_int_equal(deaths, 1);
	assert_true(is_lookup_cancelled);
}

/* It names no limit: before that is known a hundred, then what Go's servers take; a tenth is kept
 * for those that are on their way. */
static void test_room_without_a_limit(void **state)
{
	(void)state;
	struct peer peers[225];
	size_t count = 0;
	while (count < 225 && upstream_h2_has_room(connection))
		peers[count++] = lend(7, NULL);
	assert_int_equal(count, 90);
	connect_to(&(struct h2_end_options){.is_server = true});
	talk();
	while (count < 225) {
		assert_true(upstream_h2_has_room(connection));
		peers[count++] = lend(7, NULL);
	}
	assert_false(upstream_h2_has_room(connection));
	while (count > 0) {
		count--;
		peers[count].verbs->release(peers[count].object);
	}
	requests[7].peer = (struct peer){0};
}

static void test_room(void **state)
{
	(void)state;
	connect_to(&(struct h2_end_options){.is_server = true, .streams_max = 4});
	talk();
	assert_true(upstream_h2_is_new(connection));
	for (unsigned i = 0; i < 4; i++) {
		assert_true(upstream_h2_has_room(connection));
		get(i);
	}
	assert_false(upstream_h2_has_room(connection));
	get(4); /* waits */
	talk();
	assert_int_equal(server.count, 4);
	answer(1, "200", "x");
	talk();
	assert_int_equal(server.count, 5);
	assert_false(upstream_h2_is_new(connection));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_goaway),
	    CASE(test_goaway_before_the_frame_is_written),
	    CASE(test_graceful_goaway),
	    CASE(test_resets),
	    CASE(test_cut_connection),
	    CASE(test_owners_that_release_late),
	    CASE(test_connecting_fails),
	    CASE(test_no_h2),
	    CASE(test_release_cancels),
	    CASE(test_answer_in_time_or_not),
	    CASE(test_bad_answers),
	    CASE(test_answer_head_too_large),
	    CASE(test_garbage_is_malformed),
	    CASE(test_silence_is_asked),
	    CASE(test_idle_ends),
	    CASE(test_drain),
	    CASE(test_drain_before_connected),
	    CASE(test_room),
	    CASE(test_room_without_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
