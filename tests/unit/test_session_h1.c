/* HTTP/1.1 with clients, against a made-up stream and a made-up exchange: order of answers, when
 * bodies are read, what keeps a connection and what ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/reply.h"
#include "tests/unit/session_neighbours.h"

#define GET "GET /clusters/a/api HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void assert_written(const char *text)
{
	assert_string_equal(buf_text(&wire.written), text);
	buf_clear(&wire.written);
}

static void assert_ended(enum session_end how)
{
	assert_true(end.has_ended);
	assert_int_equal(end.how, how);
	assert_false(life.is_live);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_one_after_the_other(void **state)
{
	(void)state;
	receive(GET);
	assert_int_equal(life.started, 1);
	assert_string_equal(life.head->target, "/clusters/a/api");
	answer(200, "ok");
	assert_written(OK);
	receive(GET);
	assert_int_equal(life.started, 2);
	answer(200, "ok");
	assert_written(OK);
	assert_false(end.has_ended);
}

static void test_pipelined_requests_wait(void **state)
{
	(void)state;
	receive(GET "GET /second HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(life.started, 1);
	assert_true(wire.is_paused);
	answer(200, "ok");
	assert_int_equal(life.started, 2);
	assert_string_equal(life.head->target, "/second");
	assert_written(OK);
	answer(200, "ok");
	assert_written(OK);
}

static void test_a_body_waits_until_it_is_wanted(void **state)
{
	(void)state;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
	assert_int_equal(life.body.len, 0);
	assert_true(wire.is_paused);
	want_body();
	assert_string_equal(buf_text(&life.body), "bo");
	receive("dy" GET);
	assert_string_equal(buf_text(&life.body), "body");
	assert_true(life.has_body_end);
	answer(201, "ok");
	assert_int_equal(life.started, 2);
	answer(200, "ok");
}

/* The end needs no bytes of its own: it must come although the client sends nothing more. */
static void test_an_end_without_bytes_is_told(void **state)
{
	(void)state;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	assert_false(life.has_body_end);
	want_body();
	end_turn();
	assert_true(life.has_body_end);
	answer(200, "ok");
	buf_clear(&wire.written);

	/* A refused one: the connection is idle again, and says so when the proxy drains. */
	life.answers_at_once = true;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	end_turn();
	assert_false(end.has_ended);
	session_h1.drain(session.conversation);
	assert_ended(SESSION_POLITE);
}

static void test_continue_is_said_after_authorisation(void **state)
{
	(void)state;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_int_equal(wire.written.len, 0);
	want_body();
	assert_written("HTTP/1.1 100 Continue\r\n\r\n");
	receive("hi");
	assert_true(life.has_body_end);
	answer(200, "ok");
	assert_written(OK);
	assert_false(end.has_ended);
}

static void test_a_denied_body_that_may_never_come_ends_the_connection(void **state)
{
	(void)state;
	life.answers_at_once = true;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_non_null(strstr(buf_text(&wire.written), "Connection: close\r\n"));
	assert_null(strstr(buf_text(&wire.written), "100 Continue"));
	assert_ended(SESSION_POLITE);
}

static void test_a_small_denied_body_keeps_the_connection(void **state)
{
	(void)state;
	life.answers_at_once = true;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
	assert_null(strstr(buf_text(&wire.written), "close"));
	life.answers_at_once = false;
	receive("dy" GET);
	assert_int_equal(life.started, 2);
	assert_int_equal(life.body.len, 0);
	answer(200, "ok");
	assert_false(end.has_ended);
}

static void test_a_chunked_denied_body_ends_the_connection(void **state)
{
	(void)state;
	life.answers_at_once = true;
	receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_non_null(strstr(buf_text(&wire.written), "Connection: close\r\n"));
	assert_ended(SESSION_POLITE);
}

static void test_connection_close_is_honoured(void **state)
{
	(void)state;
	receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	answer(200, "ok");
	assert_non_null(strstr(buf_text(&wire.written), "Connection: close\r\n"));
	assert_ended(SESSION_POLITE);
}

static void test_head_has_a_length_and_no_body(void **state)
{
	(void)state;
	receive("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	answer(200, "ok");
	assert_written("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
}

static void stream_answer(const char *text)
{
	struct http_head head = {.status = 200, .body = HTTP_BODY_TO_CLOSE, .keep_alive = true};
	(void)!life.client.verbs->send_head(life.client.object, &head);
	(void)!life.client.verbs->send_body(
	    life.client.object, (const uint8_t *)text, strlen(text));
}

static void test_answers_of_unknown_length_are_chunked(void **state)
{
	(void)state;
	receive(GET);
	stream_answer("event");
	assert_written("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n");
	life.client.verbs->send_end(life.client.object);
	life.is_live = false;
	life.client.verbs->release(life.client.object);
	assert_written("0\r\n\r\n");
	assert_false(end.has_ended);
}

static void test_old_clients_get_answers_to_close(void **state)
{
	(void)state;
	receive("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
	stream_answer("event");
	assert_null(strstr(buf_text(&wire.written), "chunked"));
	life.client.verbs->send_end(life.client.object);
	life.is_live = false;
	life.client.verbs->release(life.client.object);
	assert_ended(SESSION_POLITE);
}

static void test_a_cut_answer_cuts_the_connection(void **state)
{
	(void)state;
	receive(GET);
	stream_answer("event");
	life.is_live = false;
	life.client.verbs->release(life.client.object);
	assert_ended(SESSION_CUT);
	assert_null(strstr(buf_text(&wire.written), "0\r\n\r\n"));
}

static void test_a_gone_client_is_told(void **state)
{
	receive(GET);
	wire.events->on_end(wire.arg);
	assert_string_equal(life.failed, "the client closed the connection");
	assert_ended(SESSION_CUT);
	tear_down(state);
	set_up(state);
	receive(GET);
	wire.events->on_error(wire.arg, "connection reset");
	assert_string_equal(life.failed, "connection reset");
	assert_ended(SESSION_CUT);
}

/* Nothing is owed any more but what is queued, which goes out before the end. */
static void test_who_has_an_answer_ends_politely(void **state)
{
	enum { WITHIN_THE_TURN, LATER, IN_THE_NEXT_HEAD, BEHIND_A_BODY, CASES };
	for (int which = 0; which < CASES; which++) {
		receive(which == BEHIND_A_BODY
			    ? "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"
			    : GET);
		if (which == WITHIN_THE_TURN)
			answer_whole(200, "ok");
		else
			answer(200, "ok");
		if (which == IN_THE_NEXT_HEAD)
			receive("GET");
		wire.events->on_end(wire.arg);
		assert_string_equal(end.reason, "the client closed the connection");
		assert_ended(SESSION_POLITE);
		assert_written(OK);
		tear_down(state);
		set_up(state);
	}
	receive(GET);
	answer_whole(200, "ok");
	wire.events->on_error(wire.arg, "connection reset");
	assert_ended(SESSION_CUT);
}

static void test_upgrades_pass_raw_bytes(void **state)
{
	(void)state;
	receive(
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
	assert_int_equal(life.body.len, 0);
	struct http_head head = {.status = 101, .is_upgrade = true};
	fields_add_text(&head.fields, "Upgrade", "websocket");
	(void)!life.client.verbs->send_head(life.client.object, &head);
	http_head_free(&head);
	assert_non_null(strstr(buf_text(&wire.written), "101 Switching Protocols\r\n"));
	assert_non_null(strstr(buf_text(&wire.written), "Upgrade: websocket\r\n"));
	assert_null(strstr(buf_text(&wire.written), "Content-Length"));
	buf_clear(&wire.written);
	want_body();
	receive("\r\n late");
	assert_string_equal(buf_text(&life.body), "early\r\n late");
	(void)!life.client.verbs->send_body(life.client.object, (const uint8_t *)"raw", 3);
	assert_written("raw");
	wire.events->on_end(wire.arg);
	assert_true(life.has_body_end && life.is_live);
	life.client.verbs->send_end(life.client.object);
	life.is_live = false;
	life.client.verbs->release(life.client.object);
	assert_ended(SESSION_POLITE);
}

static void open_tunnel(void)
{
	receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	struct http_head head = {.status = 101, .is_upgrade = true};
	fields_add_text(&head.fields, "Upgrade", "websocket");
	(void)!life.client.verbs->send_head(life.client.object, &head);
	http_head_free(&head);
	want_body();
}

/* The API server ended its side; the client goes on for a while. */
static void test_a_tunnel_may_be_half_closed(void **state)
{
	(void)state;
	settings.proxy.limits.idle_timeout = duration_ms(20);
	open_tunnel();
	life.client.verbs->send_end(life.client.object);
	assert_true(wire.has_end);
	assert_false(end.has_ended);
	receive("more");
	assert_string_equal(buf_text(&life.body), "more");
	loop_run(loop);
	assert_string_equal(life.failed, "the client did not end its side of the tunnel");
	assert_ended(SESSION_CUT);
}

/* Both ended their sides, and the API server does not take what the client said. */
static void test_the_end_of_a_tunnel_is_waited_for_a_while(void **state)
{
	(void)state;
	settings.proxy.limits.idle_timeout = duration_ms(20);
	open_tunnel();
	wire.has_peer_left = true;
	wire.events->on_end(wire.arg);
	life.client.verbs->send_end(life.client.object);
	assert_false(end.has_ended);
	loop_run(loop);
	assert_string_equal(life.failed, "the API server did not take the end of the tunnel");
	assert_ended(SESSION_CUT);
}

static void test_back_pressure_both_ways(void **state)
{
	(void)state;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
	want_body();
	receive("ab");
	life.client.verbs->pause(life.client.object);
	receive("cd");
	assert_true(wire.is_paused);
	assert_string_equal(buf_text(&life.body), "ab");
	want_body();
	assert_string_equal(buf_text(&life.body), "abcd");
	receive("ef");
	wire.is_full = true;
	struct http_head head = {.status = 200, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
	assert_false(life.client.verbs->send_head(life.client.object, &head));
	wire.events->on_drain(wire.arg);
	assert_int_equal(life.drained, 1);
	wire.events->on_error(wire.arg, "reset");
}

/* A client that pipelines and does not read must not fill the memory with answers. */
static void test_unread_answers_stop_the_reading(void **state)
{
	(void)state;
	life.answers_at_once = true;
	receive(GET);
	assert_int_equal(life.started, 1);
	wire.is_full = true;
	receive(GET GET GET);
	assert_int_equal(life.started, 1);
	assert_true(wire.is_paused);
	wire.is_full = false;
	wire.events->on_drain(wire.arg);
	assert_false(wire.is_paused);
	offer();
	assert_int_equal(life.started, 4);
	assert_false(end.has_ended);
}

static void test_a_body_nobody_wants_ends_once_answers_are_read(void **state)
{
	(void)state;
	life.answers_at_once = true;
	receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	wire.is_full = true;
	end_turn();
	wire.is_full = false;
	wire.events->on_drain(wire.arg);
	end_turn();
	session_h1.drain(session.conversation);
	assert_ended(SESSION_POLITE);
}

static void test_strangers_get_one_answer_per_handshake(void **state)
{
	(void)state;
	receive(GET GET);
	answer(401, "no");
	assert_non_null(strstr(buf_text(&wire.written), "Connection: close\r\n"));
	assert_int_equal(life.started, 1);
	assert_ended(SESSION_POLITE);
}

static void test_bad_messages_are_told_why(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned status;
	} rows[] = {
	    {"GET / HTTP/1.1\n\n", 400},
	    {"GET / HTTP/1.1\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
	    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
	     "chunked\r\n\r\n",
		400},
	    {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
	    {"GET http://evil/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	    {"\x16\x03\x01\x02\r\n", 400},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		receive(rows[i].text);
		if (end.bad_status != rows[i].status)
			fail_msg("row %zu: %u", i, end.bad_status);
		assert_non_null(strstr(buf_text(&wire.written), "\"kind\":\"Status\""));
		assert_non_null(strstr(buf_text(&wire.written), "Connection: close\r\n"));
		assert_int_equal(life.started, 0);
		assert_ended(SESSION_POLITE);
		tear_down(state);
		set_up(state);
	}
}

static void test_a_bad_chunk_fails_the_exchange(void **state)
{
	(void)state;
	receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	want_body();
	receive("zz\r\n");
	assert_non_null(life.failed);
	assert_int_equal(end.bad_status, 400);
	assert_non_null(strstr(buf_text(&wire.written), "HTTP/1.1 400 "));
	assert_ended(SESSION_POLITE);
}

/* One answer, whoever gives it, and it says that the connection ends. */
static void test_an_exchange_may_answer_as_it_is_given_up(void **state)
{
	(void)state;
	life.answers_when_given_up = true;
	receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	want_body();
	receive("zz\r\n");
	assert_written(
	    "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
	assert_ended(SESSION_POLITE);
}

static void test_a_slow_head_is_408(void **state)
{
	(void)state;
	settings.proxy.limits.header_timeout = duration_ms(10);
	receive("GET / HTTP");
	loop_run(loop);
	assert_int_equal(end.bad_status, 408);
	assert_non_null(strstr(buf_text(&wire.written), "HTTP/1.1 408 "));
	assert_ended(SESSION_POLITE);
}

static void test_an_idle_connection_is_closed_in_silence(void **state)
{
	(void)state;
	settings.proxy.limits.header_timeout = duration_ms(10);
	receive(GET);
	answer(200, "ok");
	buf_clear(&wire.written);
	loop_run(loop);
	assert_written("");
	assert_ended(SESSION_POLITE);
}

static void test_draining(void **state)
{
	(void)state;
	receive(GET);
	is_draining = true;
	session_h1.drain(session.conversation);
	assert_false(end.has_ended);
	answer(200, "ok");
	assert_non_null(strstr(buf_text(&wire.written), "Connection: close\r\n"));
	assert_ended(SESSION_POLITE);
}

static void test_draining_ends_idle_connections(void **state)
{
	(void)state;
	receive(GET);
	answer(200, "ok");
	is_draining = true;
	session_h1.drain(session.conversation);
	assert_ended(SESSION_POLITE);
}

static void test_draining_lets_new_connections_ask_once(void **state)
{
	(void)state;
	is_draining = true;
	session_h1.drain(session.conversation);
	assert_false(end.has_ended);
	receive(GET);
	answer(200, "ok");
	assert_non_null(strstr(buf_text(&wire.written), "Connection: close\r\n"));
	assert_ended(SESSION_POLITE);
}

static void test_draining_ends_new_connections_that_ask_nothing(void **state)
{
	(void)state;
	is_draining = true;
	session_h1.drain(session.conversation);
	loop_run(loop);
	assert_string_equal(end.reason, "draining");
	assert_ended(SESSION_POLITE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_one_after_the_other),
	    TEST(test_pipelined_requests_wait),
	    TEST(test_a_body_waits_until_it_is_wanted),
	    TEST(test_an_end_without_bytes_is_told),
	    TEST(test_continue_is_said_after_authorisation),
	    TEST(test_a_denied_body_that_may_never_come_ends_the_connection),
	    TEST(test_a_small_denied_body_keeps_the_connection),
	    TEST(test_a_chunked_denied_body_ends_the_connection),
	    TEST(test_connection_close_is_honoured),
	    TEST(test_head_has_a_length_and_no_body),
	    TEST(test_answers_of_unknown_length_are_chunked),
	    TEST(test_old_clients_get_answers_to_close),
	    TEST(test_a_cut_answer_cuts_the_connection),
	    TEST(test_a_gone_client_is_told),
	    TEST(test_who_has_an_answer_ends_politely),
	    TEST(test_upgrades_pass_raw_bytes),
	    TEST(test_a_tunnel_may_be_half_closed),
	    TEST(test_the_end_of_a_tunnel_is_waited_for_a_while),
	    TEST(test_back_pressure_both_ways),
	    TEST(test_unread_answers_stop_the_reading),
	    TEST(test_a_body_nobody_wants_ends_once_answers_are_read),
	    TEST(test_strangers_get_one_answer_per_handshake),
	    TEST(test_bad_messages_are_told_why),
	    TEST(test_a_bad_chunk_fails_the_exchange),
	    TEST(test_an_exchange_may_answer_as_it_is_given_up),
	    TEST(test_a_slow_head_is_408),
	    TEST(test_an_idle_connection_is_closed_in_silence),
	    TEST(test_draining),
	    TEST(test_draining_ends_idle_connections),
	    TEST(test_draining_lets_new_connections_ask_once),
	    TEST(test_draining_ends_new_connections_that_ask_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
