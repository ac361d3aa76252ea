/* Requests of a connection to an API server that end in the middle of something: given up before
 * they could leave, while others are told, their memory lent again at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/upstream_h2_world.h"

static void open_and_talk(void)
{
	open_stream();
	talk();
}

/* Users who give up do not make the connection one that is flooded by the API server: others are
 * served on it, and the API server hears of each. */
static void test_many_are_given_up_in_one_turn(void **state)
{
	(void)state;
	get(0);
	open_and_talk();
	for (unsigned i = 0; i < 1500; i++) {
		get(1);
		release(&requests[1]);
	}
	end_turn();
	/* nghttp2 would take so many resets for an attack. */
	size_t resets = 0;
	static const char reset[] = {0, 0, 4, 3, 0};
	const struct buf *written = &streams[0].written;
	for (const char *at = written->data; at + sizeof reset < written->data + written->len; at++)
		resets += memcmp(at, reset, sizeof reset) == 0;
	assert_true(resets >= 1500);
	buf_clear(&streams[0].written);
	answer(1, "200", "x");
	carry_down();
	assert_int_equal(requests[0].ends, 1);
	assert_int_equal(deaths, 0);
}

/* What is given up while the transport takes nothing never leaves: it may have been sent elsewhere
 * meanwhile. */
static void test_given_up_before_it_could_leave(void **state)
{
	(void)state;
	get(0);
	open_and_talk();
	fake_high_mark = 10;
	struct upstream_want want = {.response_timeout = duration_ms(30)};
	buf_append(&streams[0].written, "twelve bytes", 12);
	size_t before = streams[0].written.len;
	lend(1, &want);
	ask(1, "DELETE", HTTP_BODY_NONE, TOKEN);
	end_turn();
	assert_int_equal(streams[0].written.len, before);
	wait_ms(60);
	assert_failed(1, PEER_TIMEOUT, true);
	get(2);
	buf_clear(&streams[0].written);
	fake_high_mark = 64u * 1024;
	streams[0].events->on_drain(streams[0].arg);
	talk();
	assert_non_null(h2_end_find(&server, 3));
	assert_null(h2_end_find(&server, 5));
	assert_non_null(strstr(buf_text(&h2_end_find(&server, 3)->head), ":method: GET\n"));
}

static void ask_anew(void)
{
	requests[0].meanwhile = NULL;
	release(&requests[0]);
	get(1);
}

/* The window that is given back is that of the stream whose bytes they were. */
static void test_lent_again_while_told_what_was_held(void **state)
{
	static char text[WINDOW - 1000];
	(void)state;
	get(0);
	open_and_talk();
	requests[0].pauses = true;
	h2_end_answer(&server, 1, (const char *const[]){":status", "200", NULL}, true);
	h2_end_send(&server, 1, text, sizeof text, false);
	talk();
	assert_true(requests[0].body.len > 0 && requests[0].body.len < sizeof text);
	int32_t window = nghttp2_session_get_remote_window_size(server.session);
	requests[0].pauses = false;
	requests[0].meanwhile = ask_anew;
	requests[0].peer.verbs->resume(requests[0].peer.object);
	talk();
	assert_int_equal(nghttp2_session_get_remote_window_size(server.session), window);
	assert_int_equal(nghttp2_session_get_stream_remote_window_size(server.session, 3), WINDOW);
}

static void release_the_last(void)
{
	release(&requests[3]);
}

/* One that fails makes its owner give up another, which is still to be told. */
static void test_released_while_all_fail(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		get(i);
		requests[i].keeps = i < 3;
	}
	open_and_talk();
	requests[0].meanwhile = release_the_last;
	streams[0].events->on_error(streams[0].arg, "connection reset");
	for (unsigned i = 0; i < 3; i++)
		assert_failed(i, PEER_CUT_BEFORE_HEAD, false);
	assert_int_equal(requests[3].failures, 0);
	for (unsigned i = 0; i < 3; i++)
		release(&requests[i]);
	end_turn();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_many_are_given_up_in_one_turn),
	    CASE(test_given_up_before_it_could_leave),
	    CASE(test_lent_again_while_told_what_was_held),
	    CASE(test_released_while_all_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
