/* Execs and attaches: what of them is recorded, when a role forbids to go on, and how they are
 * ended with a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange_remote.h"
#include "kubeproxyd/record/audit_event.h"
#include "tests/unit/remote_stage.h"
#include "tests/unit/tunnel_bytes.h"

/* --- what is recorded ------------------------------------------------------------------------ */

static void test_recorded(void **state)
{
	(void)state;
	open_exec(RECORD_STRICT);
	assert_null(sent(0, "Sec-WebSocket-Extensions"));
	assert_string_equal(sent(0, "Sec-WebSocket-Protocol"), "v5.channel.k8s.io");
	ws_message(&bytes, true, 4, "{\"Width\":99,\"Height\":9}");
	client_sends();
	ws_message(&bytes, false, 1, "hello");
	ws_message(&bytes, true, 0, "typed");
	server_sends(8);
	client_sends();
	assert_memory_equal(client.body.data, "\x82\x06\x01hello", 8);
	end_by_server();
	KEEPS("\"width\":99,", "\"user\":\"alice\"", "\"kind\":\"exec\"", "\"command\":\"ls\"",
	    "\"client\":\"2001:db8::1\"", "\"mode\":\"strict\"", "\"o\",\"hello\"]", "\"exit 0\"]");
}

static void test_not_recorded_unless_asked(void **state)
{
	(void)state;
	open_exec(RECORD_OFF);
	assert_string_equal(sent(0, "Sec-WebSocket-Extensions"), "permessage-deflate");
	end_by_server();
	assert_kept(NULL);
}

static void test_without_a_terminal(void **state)
{
	(void)state;
	static const char plain[] =
	    "/clusters/prod/api/v1/namespaces/a/pods/p/exec?command=ls&stdout=1&tty=false";
	ask_exec(RECORD_STRICT, plain, "v4.channel.k8s.io");
	switch_to("v4.channel.k8s.io");
	end_by_server();
	assert_kept(NULL);
}

static void test_non_interactive_when_asked(void **state)
{
	(void)state;
	world.options.records_non_interactive = true;
	ask_exec(RECORD_BEST_EFFORT,
	    "/clusters/prod/api/v1/namespaces/a/pods/p/exec?command=ls&stdout=1&container=c",
	    "v4.channel.k8s.io");
	switch_to("v4.channel.k8s.io");
	end_by_server();
	KEEPS("\"kind\":\"exec\"", "\"container\":\"c\"");
}

/* Whether the container has a terminal the request does not say. */
static void test_an_attach_is_recorded(void **state)
{
	(void)state;
	ask_exec(RECORD_STRICT,
	    "/clusters/prod/api/v1/namespaces/a/pods/p/"
	    "attach?stdin=1&stdout=1&tty=false&container=c",
	    "v4.channel.k8s.io");
	switch_to("v4.channel.k8s.io");
	end_by_server();
	KEEPS("\"kind\":\"attach\"", "\"container\":\"c\"", "\"command\":\"\"");
}

static const char on_node[] = "/clusters/prod/api/v1/nodes/n/proxy/exec/a/p/c?command=sh&tty=1";

/* A kubelet's own exec and run are seen by nobody. */
static void test_commands_behind_nodes_proxy(void **state)
{
	(void)state;
	ask_exec(RECORD_STRICT, on_node, "v4.channel.k8s.io");
	assert_refused(403, "through nodes/proxy cannot be recorded");
	assert_int_equal(upstream_count, 0);
	side_clear(&client);
	http_head_clear(&request);
	world.options.records_non_interactive = true;
	ask("POST", "/clusters/prod/api/v1/nodes/n/proxy/run/a/p/c?cmd=ls", HTTP_BODY_NONE);
	assert_refused(403, "through nodes/proxy cannot be recorded");
	assert_int_equal(upstream_count, 0);
	assert_kept(NULL);
}

static void test_commands_behind_nodes_proxy_best_effort(void **state)
{
	(void)state;
	ask_exec(RECORD_BEST_EFFORT, on_node, "v4.channel.k8s.io");
	switch_to("v4.channel.k8s.io");
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	assert_memory_equal(client.body.data, "\x82\x06\x01hello", 8);
	struct audit_event event = {.stage = AUDIT_RESPONSE_COMPLETE};
	exchange_remote_tell(exchange, &event);
	assert_string_equal(event.recorded, "no");
	assert_non_null(strstr(event.recording_problem, "nodes/proxy"));
	end_by_server();
	assert_kept(NULL);
}

/* What only looks is not refused, nor is anything to a user whose roles record nothing. */
static void test_other_requests_to_nodes(void **state)
{
	(void)state;
	world.options.record = RECORD_STRICT;
	world.options.records_non_interactive = true;
	ask("GET", "/clusters/prod/api/v1/nodes/n/proxy/metrics", HTTP_BODY_NONE);
	assert_int_equal(upstream_count, 1);
	exchange_withdraw(exchange, "enough");
	side_clear(&client);
	http_head_clear(&request);
	world.options.record = RECORD_UNSAID;
	ask("POST", "/clusters/prod/api/v1/nodes/n/proxy/run/a/p/c?cmd=ls", HTTP_BODY_NONE);
	assert_int_equal(upstream_count, 2);
	exchange_withdraw(exchange, "enough");
}

/* What waited could not be written any more: the audit knows. */
static void test_an_end_that_cannot_be_written(void **state)
{
	(void)state;
	struct audit_policy *policy;
	open_audit(&policy);
	open_exec(RECORD_BEST_EFFORT);
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	char *command = xasprintf("rm %s/*.part", path);
	assert_int_equal(system(command), 0);
	free(command);
	end_by_server();
	char *text = close_audit(&policy);
	assert_non_null(strstr(text, "\"eksgate.io/recorded\":\"in part\""));
	assert_non_null(strstr(text, "the file was deleted"));
	free(text);
	assert_kept(NULL);
}

/* No session came of it: nothing is kept. */
static void test_a_refusal_of_the_cluster(void **state)
{
	(void)state;
	ask_exec(RECORD_STRICT, EXEC, "v5.channel.k8s.io");
	answer_head(0, 403, NULL);
	answer_body(0, "{no}");
	answer_end(0);
	assert_int_equal(client.head.status, 403);
	assert_kept(NULL);
}

/* --- what cannot be recorded ----------------------------------------------------------------- */

static void test_a_protocol_that_cannot_be_read(void **state)
{
	(void)state;
	ask_exec(RECORD_STRICT, EXEC, "v9.channel.k8s.io");
	assert_refused(403, "must be recorded");
	assert_int_equal(upstream_count, 0);
	side_clear(&client);
	http_head_clear(&request);
	ask_exec(RECORD_BEST_EFFORT, EXEC, "v9.channel.k8s.io");
	switch_to("v9.channel.k8s.io");
	bytes.len = 0;
	buf_append_text(&bytes, "whatever");
	server_sends(8);
	assert_string_equal(buf_text(&client.body), "whatever");
	answer_end(0);
	client_end();
	assert_kept(NULL);
}

/* Offered among others that can: what counts is what the server takes. */
static void test_a_choice_that_cannot_be_read(void **state)
{
	(void)state;
	ask_exec(RECORD_STRICT, EXEC, "v9.channel.k8s.io, v5.channel.k8s.io");
	switch_to("v9.channel.k8s.io");
	assert_refused(403, "cannot be recorded");
	assert_kept(NULL);
}

static void test_nowhere_to_write(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	ask_exec(RECORD_STRICT, EXEC, "v5.channel.k8s.io");
	assert_refused(503, "must be recorded");
	assert_int_equal(upstream_count, 0);
	side_clear(&client);
	http_head_clear(&request);
	open_exec(RECORD_BEST_EFFORT);
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	assert_memory_equal(client.body.data, "\x82\x06\x01hello", 8);
	end_by_server();
	assert_kept(NULL);
}

/* The client hides what it does: told before it reaches the cluster. */
static void test_frames_that_cannot_be_read(void **state)
{
	(void)state;
	open_exec(RECORD_STRICT);
	ws_message(&bytes, false, 0, "unmasked");
	client_sends();
	assert_int_equal(upstreams[0].body.len, 0);
	assert_told("what its client sends cannot be read any more");
	KEEPS("\"m\",\"ended: what its client sends cannot be read any more\"]");
}

/* The recording is over then: nor does the rest of a message pass that the server had begun. */
static void test_unreadable_within_a_message(void **state)
{
	(void)state;
	open_exec(RECORD_STRICT);
	ws_message(&bytes, false, 1, "seen, never to be seen");
	server_sends(7);
	struct buf server = bytes;
	bytes = (struct buf){0};
	ws_message(&bytes, false, 0, "unmasked");
	client_sends();
	buf_free(&server);
	assert_memory_equal(client.body.data + 3, "seen\0\0", 6);
	assert_null(memmem(client.body.data, client.body.len, "never", 5));
	assert_told("what its client sends cannot be read any more");
	KEEPS("\"o\",\"seen\"]", "\"m\",\"ended: what its client sends cannot be read any more\"]");
}

/* What the server sends is recorded all the same: a client cannot switch that off. */
static void test_frames_that_cannot_be_read_best_effort(void **state)
{
	(void)state;
	open_exec(RECORD_BEST_EFFORT);
	for (int i = 0; i < 2; i++) {
		ws_message(&bytes, false, 0, "unmasked");
		client_sends();
	}
	assert_int_equal(upstreams[0].body.len, 22);
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	struct audit_event event = {.stage = AUDIT_RESPONSE_COMPLETE};
	exchange_remote_tell(exchange, &event);
	assert_string_equal(event.recorded, "in part");
	assert_string_equal(
	    event.recording_problem, "what its client sends cannot be read any more");
	struct buf text = {0};
	metrics_write(metrics, &text);
	assert_non_null(strstr(buf_text(&text), "failures_total{kind=\"protocol\"} 1\n"));
	buf_free(&text);
	end_by_server();
	KEEPS("\"m\",\"in part: what its client sends cannot be read any more\"]",
	    "\"o\",\"hello\"]", "\"m\",\"exit 0\"]");
}

/* What the server sends has no frames any more in which something could be said. */
static void test_a_server_that_cannot_be_read(void **state)
{
	(void)state;
	open_exec(RECORD_STRICT);
	ws_frame(&bytes, 0xc2, false, "\x01squeezed", 9);
	server_sends(bytes.len);
	assert_int_equal(client.body.len, 0);
	assert_true(client.is_released && upstreams[0].is_released && !client.is_ended);
	KEEPS("\"m\",\"ended: what the API server sends cannot be read any more\"]");
}

static void test_a_recording_that_is_full(void **state)
{
	(void)state;
	static char text[30000];
	memset(text, 'x', sizeof text - 1);
	settings.proxy.recording.max_session_bytes = 40000;
	open_exec(RECORD_STRICT);
	for (int i = 0; i < 3 && !client.is_released; i++) {
		ws_message(&bytes, false, 1, text);
		server_sends(bytes.len);
		assert_true(upstreams[0].is_paused); /* it could be too long */
		settle();
		assert_true(client.is_released || !upstreams[0].is_paused);
	}
	assert_told("max_session_bytes allows");
}

/* --- the last word --------------------------------------------------------------------------- */

static void test_told_at_once(void **state)
{
	(void)state;
	open_exec(RECORD_BEST_EFFORT);
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	exchange_withdraw(exchange, "somebody said so");
	assert_told("somebody said so");
	KEEPS("\"o\",\"\\r\\nsomebody said so\\r\\n\"]", "\"m\",\"ended: somebody said so\"]");
}

/* The rest of the message passes, nothing of the client's does, and nothing behind it. */
static void test_told_behind_a_message(void **state)
{
	(void)state;
	open_exec(RECORD_OFF);
	ws_message(&bytes, false, 1, "hello");
	ws_message(&bytes, false, 1, "unsaid");
	server_sends(3);
	exchange_withdraw(exchange, "somebody said so");
	assert_false(client.is_released);
	buf_append_text(&upstreams[0].body, "|");
	struct buf server = bytes;
	bytes = (struct buf){0};
	ws_message(&bytes, true, 0, "rm -rf");
	client_sends();
	assert_string_equal(buf_text(&upstreams[0].body), "|");
	buf_free(&bytes);
	bytes = server;
	server_sends(bytes.len);
	assert_memory_equal(client.body.data, "\x82\x06\x01hello", 8);
	assert_null(memmem(client.body.data, client.body.len, "unsaid", 6));
	assert_told("somebody said so");
}

/* An API server that does not complete it is not waited for. */
static void test_a_message_without_an_end(void **state)
{
	(void)state;
	open_exec(RECORD_OFF);
	ws_message(&bytes, false, 1, "hello");
	server_sends(3);
	exchange_withdraw(exchange, "somebody said so");
	run_for(2300);
	assert_true(client.is_released);
	assert_int_equal(client.body.len, 3);
}

static void test_a_second_call_does_not_wait(void **state)
{
	(void)state;
	open_exec(RECORD_OFF);
	ws_message(&bytes, false, 1, "hello");
	server_sends(3);
	exchange_cut(exchange, "somebody said so");
	assert_false(client.is_released);
	exchange_cut(exchange, "somebody said so");
	assert_true(client.is_released);
}

/* The server said goodbye, or ended its side: nothing may follow. */
static void test_nothing_behind_the_end(void **state)
{
	(void)state;
	open_exec(RECORD_OFF);
	ws_frame(&bytes, 0x88, false, "\x03\xe8", 2);
	server_sends(bytes.len);
	exchange_withdraw(exchange, "somebody said so");
	assert_true(client.is_released);
	assert_int_equal(client.body.len, 4);
}

/* Who does not read is not told, and keeps nothing waiting. */
static void test_a_client_that_does_not_read(void **state)
{
	(void)state;
	open_exec(RECORD_OFF);
	client.is_full = true;
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	exchange_withdraw(exchange, "somebody said so");
	assert_int_equal(client.body.len, 8);
	assert_true(client.is_released && !client.is_ended);
}

static void test_without_stderr_only_a_status(void **state)
{
	(void)state;
	ask_exec(RECORD_OFF, "/clusters/prod/api/v1/namespaces/a/pods/p/exec?command=tar&stdout=1",
	    "v5.channel.k8s.io");
	switch_to("v5.channel.k8s.io");
	exchange_withdraw(exchange, "so");
	assert_memory_equal(client.body.data + 2, "\x03{\"kind\":\"Status\"", 17);
	assert_true(client.is_ended && client.is_released);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_recordings, tear_down_recordings)
	const struct CMUnitTest tests[] = {
	    TEST(test_recorded),
	    TEST(test_not_recorded_unless_asked),
	    TEST(test_without_a_terminal),
	    TEST(test_non_interactive_when_asked),
	    TEST(test_an_attach_is_recorded),
	    TEST(test_commands_behind_nodes_proxy),
	    TEST(test_commands_behind_nodes_proxy_best_effort),
	    TEST(test_other_requests_to_nodes),
	    TEST(test_an_end_that_cannot_be_written),
	    TEST(test_a_refusal_of_the_cluster),
	    TEST(test_a_protocol_that_cannot_be_read),
	    TEST(test_a_choice_that_cannot_be_read),
	    TEST(test_nowhere_to_write),
	    TEST(test_frames_that_cannot_be_read),
	    TEST(test_unreadable_within_a_message),
	    TEST(test_frames_that_cannot_be_read_best_effort),
	    TEST(test_a_server_that_cannot_be_read),
	    TEST(test_a_recording_that_is_full),
	    TEST(test_told_at_once),
	    TEST(test_told_behind_a_message),
	    TEST(test_a_message_without_an_end),
	    TEST(test_a_second_call_does_not_wait),
	    TEST(test_nothing_behind_the_end),
	    TEST(test_a_client_that_does_not_read),
	    TEST(test_without_stderr_only_a_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
