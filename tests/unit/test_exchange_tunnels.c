/* When a request becomes a tunnel, when it does not, and how a tunnel ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/exchange_stage.h"

static void ask_upgrade(void)
{
	fields_add_text(&request.fields, "Upgrade", "websocket");
	request.is_upgrade = true;
	ask("GET", "/clusters/prod/api/v1/namespaces/a/pods/p/exec?command=ls&stdout=1",
	    HTTP_BODY_NONE);
	assert_true(upstreams[0].want.is_upgrade);
}

static void test_an_upgrade_becomes_a_tunnel(void **state)
{
	(void)state;
	client.is_paused = true;
	ask_upgrade();
	upstreams[0].is_ended = false; /* the head's end; the tunnel has its own */
	answer_head(0, 101, "websocket");
	assert_int_equal(client.head.status, 101);
	assert_false(client.is_paused);
	answer_body(0, "hello");
	client_body("\x01stdin");
	assert_string_equal(buf_text(&client.body), "hello");
	assert_string_equal(buf_text(&upstreams[0].body), "\x01stdin");
	client_end();
	assert_true(upstreams[0].is_ended);
	answer_body(0, " bye");
	answer_end(0);
	assert_string_equal(buf_text(&client.body), "hello bye");
	assert_true(client.is_ended && client.is_released);
}

static void test_a_tunnel_half_closed_by_the_api_server(void **state)
{
	(void)state;
	ask_upgrade();
	upstreams[0].is_ended = false;
	answer_head(0, 101, "websocket");
	answer_end(0);
	assert_true(client.is_ended);
	assert_false(client.is_released);
	client_body("more");
	assert_string_equal(buf_text(&upstreams[0].body), "more");
	client_end();
	assert_true(upstreams[0].is_ended && upstreams[0].is_released && client.is_released);
}

/* Both have ended, and the API server has not taken all that the client said. */
static void test_the_last_of_a_tunnel_arrives(void **state)
{
	(void)state;
	ask_upgrade();
	upstreams[0].is_ended = false;
	answer_head(0, 101, "websocket");
	upstreams[0].is_full = true;
	client_body("first, ");
	client_body("last");
	client_end();
	assert_string_equal(buf_text(&upstreams[0].body), "first, ");
	answer_end(0);
	assert_true(client.is_ended);
	assert_false(upstreams[0].is_released || client.is_released);
	upstreams[0].is_full = false;
	upstreams[0].events->on_drain(upstreams[0].arg);
	end_turn();
	assert_string_equal(buf_text(&upstreams[0].body), "first, last");
	assert_true(upstreams[0].is_ended && upstreams[0].is_released && client.is_released);
}

static void test_a_tunnel_cut_behind_still_delivers(void **state)
{
	(void)state;
	ask_upgrade();
	upstreams[0].is_ended = false;
	answer_head(0, 101, "websocket");
	answer_body(0, "exit status");
	fail_upstream(0, PEER_CUT, false, false);
	assert_true(client.is_ended && client.is_released);
}

static void test_another_protocol_is_no_tunnel(void **state)
{
	(void)state;
	ask_upgrade();
	answer_head(0, 101, "SPDY/3.1");
	assert_refused(502, "another protocol");
	assert_true(upstreams[0].is_released);
}

static void test_an_unasked_switch_is_no_tunnel(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	answer_head(0, 101, "websocket");
	assert_refused(502, "nobody asked");
}

static void test_a_refused_upgrade_is_relayed_as_an_answer(void **state)
{
	(void)state;
	ask_upgrade();
	answer_head(0, 403, NULL);
	answer_body(0, "{no}");
	answer_end(0);
	assert_int_equal(client.head.status, 403);
	assert_string_equal(buf_text(&client.body), "{no}");
}

static void test_a_redirected_upgrade_is_refused(void **state)
{
	(void)state;
	ask_upgrade();
	answer_head(0, 302, NULL);
	assert_refused(502, "redirected an upgrade");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_an_upgrade_becomes_a_tunnel),
	    TEST(test_a_tunnel_half_closed_by_the_api_server),
	    TEST(test_the_last_of_a_tunnel_arrives),
	    TEST(test_a_tunnel_cut_behind_still_delivers),
	    TEST(test_another_protocol_is_no_tunnel),
	    TEST(test_an_unasked_switch_is_no_tunnel),
	    TEST(test_a_refused_upgrade_is_relayed_as_an_answer),
	    TEST(test_a_redirected_upgrade_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
