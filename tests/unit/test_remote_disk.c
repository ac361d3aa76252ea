/* Sessions whose recording waits for a disk that hangs: they pause, go on with nothing lost, can be
 * ended, and do not wait for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mono.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/record/audit.h"
#include "kubeproxyd/record/recordings.h"
#include "tests/unit/disk_hang.h"
#include "tests/unit/remote_stage.h"
#include "tests/unit/tunnel_bytes.h"

static void send_much(void)
{
	static char text[60000];
	memset(text, 'x', sizeof text - 1);
	for (int i = 0; i < 40 && !upstreams[0].is_paused; i++) {
		ws_message(&bytes, false, 1, text);
		server_sends(bytes.len);
	}
}

/* Recordings are looked at each second. */
static void await(bool (*is_so)(void))
{
	while (!is_so())
		run_for(10);
}

static bool is_over(void)
{
	return client.is_released;
}

static bool goes_on(void)
{
	return !upstreams[0].is_paused && !client.is_paused;
}

static void test_paused_while_the_disk_hangs(void **state)
{
	(void)state;
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	send_much();
	assert_true(upstreams[0].is_paused && client.is_paused);
	size_t sent = client.body.len;
	assert_in_range(sent, 1000000, 1200000);
	release_disk();
	settle();
	assert_false(upstreams[0].is_paused || client.is_paused);
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	assert_int_equal(client.body.len, sent + 8);
	end_by_server();
	char *text = kept();
	assert_non_null(text);
	free(text);
}

/* It is not their silence that nothing passes. */
static void test_not_idle_while_paused(void **state)
{
	(void)state;
	world.options.client_idle_timeout = duration_ms(60000);
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	send_much();
	exchange->activity.last = (struct mono){mono_now().ns - 61000000000};
	exchange_check_expiry(exchange);
	assert_false(client.is_released);
	release_disk();
	settle();
	exchange_check_expiry(exchange);
	assert_false(client.is_released);
	exchange->activity.last = (struct mono){mono_now().ns - 61000000000};
	exchange_check_expiry(exchange);
	assert_told("client_idle_timeout");
}

/* Whoever waits for the disk can be ended all the same, and is told. */
static void test_ended_while_paused(void **state)
{
	(void)state;
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	send_much();
	assert_true(upstreams[0].is_paused);
	exchange_withdraw(exchange, "somebody said so");
	assert_told("somebody said so");
	release_disk();
	settle();
}

static void test_ended_within_a_message_while_paused(void **state)
{
	(void)state;
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	send_much();
	ws_message(&bytes, false, 1, "the rest");
	server_sends(5);
	exchange_withdraw(exchange, "somebody said so");
	assert_false(client.is_released);
	assert_false(upstreams[0].is_paused);
	server_sends(bytes.len);
	assert_told("somebody said so");
	release_disk();
	settle();
}

static void test_a_disk_that_stays_silent(void **state)
{
	(void)state;
	settings.proxy.recording.write_timeout = duration_ms(100);
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	send_much();
	await(is_over);
	assert_told("(eksgate.proxy.recording.write_timeout)");
	release_disk();
	settle();
}

/* Within a message: nothing that was not recorded passes, and yet the client is told. */
static void test_silent_within_a_message(void **state)
{
	(void)state;
	settings.proxy.recording.write_timeout = duration_ms(100);
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	send_much();
	ws_message(&bytes, false, 1, "seen, never to be seen");
	server_sends(2 + 1 + 4);
	size_t sent = client.body.len;
	await(is_over);
	assert_memory_equal(client.body.data + sent - 4, "seen\0\0\0\0", 8);
	assert_memory_equal(client.body.data + sent + 16, "\0\0\x82", 3);
	assert_null(memmem(client.body.data, client.body.len, "never", 5));
	assert_told("(eksgate.proxy.recording.write_timeout)");
	release_disk();
	settle();
}

/* Nor is there any rest that it could be waited for: what is too long to be completed is cut. */
static void test_silent_within_a_long_message(void **state)
{
	(void)state;
	settings.proxy.recording.write_timeout = duration_ms(100);
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	send_much();
	buf_append(&bytes, "\x82\x7f\x00\x00\x00\x00\x10\x00\x00\x00\x01seen", 15);
	server_sends(bytes.len);
	size_t sent = client.body.len;
	await(is_over);
	assert_int_equal(client.body.len, sent);
	assert_false(client.is_ended);
	release_disk();
	settle();
}

static void test_a_disk_that_stays_silent_best_effort(void **state)
{
	(void)state;
	struct audit_policy *policy;
	open_audit(&policy);
	settings.proxy.recording.write_timeout = duration_ms(100);
	open_exec(RECORD_BEST_EFFORT);
	hang_disk(recordings);
	send_much();
	size_t sent = client.body.len;
	await(goes_on);
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	assert_int_equal(client.body.len, sent + 8);
	end_by_server();
	release_disk();
	settle();
	char *text = close_audit(&policy);
	assert_non_null(strstr(text, "\"eksgate.io/recorded\":\"in part\""));
	assert_non_null(strstr(text, "the disk has not answered"));
	free(text);
	text = kept();
	assert_null(strstr(text, "hello"));
	free(text);
}

/* The audit waits for the disk, and then tells the truth. */
static void test_the_last_event_waits(void **state)
{
	(void)state;
	struct audit_policy *policy;
	open_audit(&policy);
	open_exec(RECORD_STRICT);
	hang_disk(recordings);
	ws_message(&bytes, false, 1, "hello");
	server_sends(bytes.len);
	end_by_server();
	assert_true(client.is_released && upstreams[0].is_released);
	audit_flush(all->with.audit);
	char *command = xasprintf("! grep -q ResponseComplete %s/main.jsonl", directory);
	assert_int_equal(system(command), 0);
	free(command);
	release_disk();
	settle();
	char *text = close_audit(&policy);
	const char *last = strstr(text, "\"stage\":\"ResponseComplete\"");
	assert_non_null(last);
	assert_non_null(strstr(last, "\"eksgate.io/recorded\":\"yes\"}}\n"));
	assert_non_null(strstr(last, "\"eksgate.io/recording\":\""));
	free(text);
}

/* No file, no session; and nobody who left waits for one. */
static void test_a_begin_that_hangs(void **state)
{
	(void)state;
	settings.proxy.recording.write_timeout = duration_ms(100);
	world.options.record = RECORD_STRICT;
	hang_disk(recordings);
	request.is_upgrade = true;
	fields_add_text(&request.fields, "Upgrade", "websocket");
	fields_add_text(&request.fields, "Sec-WebSocket-Protocol", "v5.channel.k8s.io");
	ask("GET", EXEC, HTTP_BODY_NONE);
	assert_int_equal(client.head.status, 0);
	await(is_over);
	assert_refused(503, "the disk has not answered");
	assert_int_equal(upstream_count, 0);
	side_clear(&client);
	ask("GET", EXEC, HTTP_BODY_NONE);
	struct peer_failure failure = {.kind = PEER_CUT, .reason = "the client left"};
	exchange_client_events.on_failed(exchange, &failure);
	assert_true(client.is_released);
	release_disk();
	settle();
	assert_int_equal(upstream_count, 0);
	assert_kept(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_recordings, tear_down_recordings)
	const struct CMUnitTest tests[] = {
	    TEST(test_paused_while_the_disk_hangs),
	    TEST(test_not_idle_while_paused),
	    TEST(test_ended_while_paused),
	    TEST(test_ended_within_a_message_while_paused),
	    TEST(test_a_disk_that_stays_silent),
	    TEST(test_silent_within_a_message),
	    TEST(test_silent_within_a_long_message),
	    TEST(test_a_disk_that_stays_silent_best_effort),
	    TEST(test_the_last_event_waits),
	    TEST(test_a_begin_that_hangs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
