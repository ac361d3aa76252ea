/* The pool of connections to an API server that speaks HTTP/1.1 alone, against made-up streams:
 * what is reused and what never is, how failures are told apart, and what comes of an answer that
 * is not what it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/http/head.h"
#include "tests/unit/fake_streams.h"
#include "tests/unit/loop_turn.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* What the request heard. */
static struct {
	struct peer peer;
	unsigned status;
	struct buf body;
	unsigned drains;
	bool has_end, has_failed;
	enum peer_failure_kind kind;
	bool is_reused, is_unsent;
	bool keeps, pauses;
} heard;

static struct loop *loop;
static struct metrics *metrics;
static struct settings settings = {.proxy.limits = {.connect_timeout = {20}, .upstream_idle = 1}};
static struct upstreams *upstreams;
static struct kube_cluster resource = {.name = (char[]){"prod"}};
static struct cluster cluster;

/* --- the request ------------------------------------------------------------------------------ */

static void release(void)
{
	struct peer peer = heard.peer;
	heard.peer = (struct peer){0};
	if (peer.object != NULL)
		peer.verbs->release(peer.object);
}

static void on_head(void *arg, const struct http_head *head)
{
	(void)arg;
	heard.status = head->status;
}

static void on_body(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	buf_append(&heard.body, data, len);
	if (heard.pauses)
		heard.peer.verbs->pause(heard.peer.object);
}

static void on_end(void *arg)
{
	(void)arg;
	heard.has_end = true;
	if (!heard.keeps)
		release();
}

static void on_drain(void *arg)
{
	(void)arg;
	heard.drains++;
}

static void on_failed(void *arg, const struct peer_failure *failure)
{
	(void)arg;
	assert_non_null(failure->reason);
	heard.has_failed = true;
	heard.kind = failure->kind;
	heard.is_reused = failure->is_reused;
	heard.is_unsent = failure->is_unsent;
	release();
	loop_stop(loop);
}

static const struct peer_events events = {on_head, on_body, on_end, on_drain, on_failed, NULL};

static void open_with(struct upstream_want want)
{
	buf_free(&heard.body);
	memset(&heard, 0, sizeof heard);
	heard.peer = upstream_open(upstreams, &cluster, &want, &events, NULL);
}

static bool begin_request(const char *method, enum http_body_kind body)
{
	struct http_head head = {.body = body, .keep_alive = true};
	http_head_set_method(&head, method);
	http_head_set_target(&head, "/api", 4);
	http_head_set_authority(&head, "api.example", strlen("api.example"));
	bool has_room = heard.peer.verbs->send_head(heard.peer.object, &head);
	http_head_free(&head);
	return has_room;
}

static void ask(const char *method)
{
	open_with((struct upstream_want){0});
	(void)begin_request(method, HTTP_BODY_NONE);
	heard.peer.verbs->send_end(heard.peer.object);
}

static void resolve(size_t count)
{
	struct resolver_address addresses[2] = {0};
	on_resolved(resolved_arg, addresses, count, count == 0 ? "no such host" : NULL);
}

static void open_stream(size_t index)
{
	streams[index].events->on_open(streams[index].arg);
}

static size_t receive(size_t index, const char *text)
{
	return streams[index].events->on_data(
	    streams[index].arg, (const uint8_t *)text, strlen(text));
}

static void ask_connected(const char *method)
{
	ask(method);
	resolve(1);
	open_stream(stream_count - 1);
}

/* One answered request: its connection is idle now. */
static void warm_up(void)
{
	ask_connected("GET");
	assert_int_equal(receive(0, OK), strlen(OK));
	assert_true(heard.has_end && !streams[0].is_closed);
}

static void assert_failed(enum peer_failure_kind kind)
{
	assert_true(heard.has_failed);
	assert_int_equal(heard.kind, kind);
}

/* The first request finds out that the API server speaks no HTTP/2. */
static int set_up(void **state)
{
	(void)state;
	fake_streams_reset();
	loop = loop_new();
	metrics = metrics_new();
	upstreams = upstreams_new(loop, metrics, &settings);
	cluster = (struct cluster){.resource = &resource, .port = 443};
	strcpy(cluster.host, "api.example");
	ask_connected("GET");
	assert_failed(PEER_REFUSED);
	fake_streams_reset();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	release();
	upstream_retire(&cluster.upstream);
	loop_free(&loop);
	upstreams_free(&upstreams);
	metrics_free(&metrics);
	buf_free(&heard.body);
	fake_streams_reset();
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_connects_then_sends(void **state)
{
	(void)state;
	ask("GET");
	resolve(1);
	assert_int_equal(streams[0].written.len, 0);
	open_stream(0);
	assert_string_equal(
	    buf_text(&streams[0].written), "GET /api HTTP/1.1\r\nHost: api.example\r\n\r\n");
	assert_int_equal(heard.drains, 1);
	receive(0, OK);
	assert_int_equal(heard.status, 200);
	assert_string_equal(buf_text(&heard.body), "ok");
	assert_true(heard.has_end);
}

static void test_reuses_an_idle_connection(void **state)
{
	(void)state;
	warm_up();
	ask("GET");
	assert_int_equal(stream_count, 1);
	receive(0, OK);
	assert_true(heard.has_end);
}

static void test_upgrades_and_retries_get_their_own(void **state)
{
	(void)state;
	warm_up();
	open_with((struct upstream_want){.is_upgrade = true});
	resolve(1);
	assert_int_equal(stream_count, 2);
	release();
	open_with((struct upstream_want){.must_be_fresh = true});
	resolve(1);
	assert_int_equal(stream_count, 3);
	release();
	assert_true(streams[2].is_closed && !streams[0].is_closed);
}

static void test_no_more_idle_ones_than_allowed(void **state)
{
	(void)state;
	ask_connected("GET");
	struct peer first = heard.peer;
	heard.peer = (struct peer){0};
	ask_connected("GET");
	receive(1, OK);
	heard.peer = first;
	receive(0, OK);
	assert_true(streams[1].is_closed && !streams[0].is_closed);
}

static void test_what_may_not_be_reused(void **state)
{
	static const char *const rows[] = {
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
	    "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
	    OK "HTTP/1.1 200 OK\r\n",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask_connected("GET");
		receive(0, rows[i]);
		assert_true(heard.has_end);
		assert_string_equal(buf_text(&heard.body), "ok");
		assert_true(streams[0].is_closed);
		tear_down(state);
		set_up(state);
	}
}

static void test_an_early_answer_is_not_reused(void **state)
{
	(void)state;
	open_with((struct upstream_want){0});
	(void)begin_request("POST", HTTP_BODY_CHUNKED);
	resolve(1);
	open_stream(0);
	receive(0, OK);
	assert_true(heard.has_end && streams[0].is_closed);
}

static void test_an_idle_connection_that_speaks_or_ends_is_dropped(void **state)
{
	(void)state;
	warm_up();
	receive(0, "HTTP/1.1 408 Request Timeout\r\n\r\n");
	assert_true(streams[0].is_closed);
	ask_connected("GET");
	receive(1, OK);
	streams[1].events->on_end(streams[1].arg);
	assert_true(streams[1].is_closed);
	assert_false(heard.has_failed);
}

static void test_connect_failures(void **state)
{
	static const struct {
		const char *reason;
		enum peer_failure_kind kind;
	} rows[] = {
	    {"connect to 192.0.2.1:443: Connection refused", PEER_CONNECT},
	    {"connecting timed out after 10 ms", PEER_TIMEOUT},
	    {"tls: certificate verify failed", PEER_TLS},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask("POST");
		resolve(1);
		streams[0].events->on_error(streams[0].arg, rows[i].reason);
		assert_failed(rows[i].kind);
		assert_true(heard.is_unsent && !heard.is_reused);
		tear_down(state);
		set_up(state);
	}
	ask("GET");
	resolve(0);
	assert_failed(PEER_CONNECT);
}

static void test_tries_the_next_address(void **state)
{
	(void)state;
	ask("GET");
	resolve(2);
	streams[0].events->on_error(streams[0].arg, "connect: Connection refused");
	assert_false(heard.has_failed);
	open_stream(1);
	receive(1, OK);
	assert_true(heard.has_end);
}

static void test_an_untrusted_address_is_not_asked_twice(void **state)
{
	(void)state;
	ask("GET");
	resolve(2);
	streams[0].events->on_error(streams[0].arg, "tls: certificate verify failed");
	assert_failed(PEER_TLS);
	assert_int_equal(stream_count, 1);
}

static void test_resolving_is_bounded(void **state)
{
	(void)state;
	ask("GET");
	loop_run(loop);
	assert_failed(PEER_TIMEOUT);
	assert_true(is_lookup_cancelled);
}

static void test_no_answer_in_time(void **state)
{
	(void)state;
	open_with((struct upstream_want){.response_timeout = duration_ms(10)});
	(void)begin_request("GET", HTTP_BODY_NONE);
	heard.peer.verbs->send_end(heard.peer.object);
	resolve(1);
	open_stream(0);
	loop_run(loop);
	assert_failed(PEER_TIMEOUT);
	assert_true(streams[0].is_closed);
}

static void test_cuts(void **state)
{
	static const struct {
		const char *got;
		bool is_clean;
		enum peer_failure_kind kind;
	} rows[] = {
	    {"", true, PEER_CUT_BEFORE_HEAD},
	    {"", false, PEER_CUT_BEFORE_HEAD},
	    {"HTTP/1.1 200 O", true, PEER_CUT},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", true, PEER_CUT},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", true, PEER_CUT},
	    {"HTTP/1.1 200 OK\r\n\r\nok", false, PEER_CUT},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask_connected("GET");
		if (*rows[i].got != '\0')
			receive(0, rows[i].got);
		if (rows[i].is_clean)
			streams[0].events->on_end(streams[0].arg);
		else
			streams[0].events->on_error(streams[0].arg, "connection reset");
		assert_failed(rows[i].kind);
		assert_false(heard.has_end || heard.is_unsent);
		tear_down(state);
		set_up(state);
	}
}

static void test_a_body_that_runs_to_the_close(void **state)
{
	(void)state;
	ask_connected("GET");
	receive(0, "HTTP/1.1 200 OK\r\n\r\nall of it");
	assert_false(heard.has_end);
	streams[0].events->on_end(streams[0].arg);
	assert_true(heard.has_end && streams[0].is_closed);
	assert_string_equal(buf_text(&heard.body), "all of it");
}

static void test_a_stale_connection_says_so(void **state)
{
	(void)state;
	warm_up();
	uint64_t before = streams[0].bytes_written;
	ask("POST");
	streams[0].bytes_written = before; /* nothing left */
	streams[0].events->on_error(streams[0].arg, "Broken pipe");
	assert_failed(PEER_CUT_BEFORE_HEAD);
	assert_true(heard.is_reused && heard.is_unsent);
}

static void test_answers_that_are_not_http(void **state)
{
	static const char *const rows[] = {
	    "SSH-2.0-OpenSSH\r\n",
	    "HTTP/1.1 200 OK\nX: y\n\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask_connected("GET");
		receive(0, rows[i]);
		assert_failed(PEER_MALFORMED);
		assert_true(streams[0].is_closed);
		tear_down(state);
		set_up(state);
	}
}

static void test_interim_answers_are_passed_over(void **state)
{
	(void)state;
	ask_connected("GET");
	receive(0, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK);
	assert_int_equal(heard.status, 200);
	assert_true(heard.has_end);
}

static void test_an_answer_to_head_has_no_body(void **state)
{
	(void)state;
	ask_connected("HEAD");
	receive(0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	assert_true(heard.has_end && !streams[0].is_closed);
}

static void test_bodies_of_unknown_length_are_chunked(void **state)
{
	(void)state;
	open_with((struct upstream_want){0});
	assert_false(begin_request("POST", HTTP_BODY_CHUNKED));
	resolve(1);
	open_stream(0);
	buf_clear(&streams[0].written);
	assert_true(heard.peer.verbs->send_body(heard.peer.object, (const uint8_t *)"hello", 5));
	heard.peer.verbs->send_end(heard.peer.object);
	assert_string_equal(buf_text(&streams[0].written), "5\r\nhello\r\n0\r\n\r\n");
}

static void test_back_pressure(void **state)
{
	(void)state;
	ask_connected("GET");
	heard.peer.verbs->pause(heard.peer.object);
	assert_true(streams[0].is_paused);
	assert_int_equal(receive(0, OK), 0);
	heard.peer.verbs->resume(heard.peer.object);
	assert_false(streams[0].is_paused);
	receive(0, OK);
	assert_true(heard.has_end);
}

/* The client is full at the last byte: the end comes when it has room again, without a byte more.
 */
static void test_an_end_without_bytes_is_told(void **state)
{
	(void)state;
	ask_connected("GET");
	heard.pauses = true;
	assert_int_equal(receive(0, OK), strlen(OK));
	assert_false(heard.has_end);
	heard.peer.verbs->resume(heard.peer.object);
	loop_run_for(loop, duration_ms(0));
	assert_true(heard.has_end);
	assert_false(streams[0].is_closed);
}

static void tunnel(void)
{
	open_with((struct upstream_want){.is_upgrade = true});
	heard.keeps = true;
	struct http_head head = {.keep_alive = true, .is_upgrade = true};
	http_head_set_method(&head, "GET");
	http_head_set_target(&head, "/exec", 5);
	http_head_set_authority(&head, "api.example", strlen("api.example"));
	fields_add_text(&head.fields, "Upgrade", "websocket");
	(void)!heard.peer.verbs->send_head(heard.peer.object, &head);
	http_head_free(&head);
	heard.peer.verbs->send_end(heard.peer.object);
	resolve(1);
	open_stream(0);
	buf_clear(&streams[0].written);
	receive(0, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
		   "websocket\r\n\r\nfirst");
	assert_int_equal(heard.status, 101);
	assert_string_equal(buf_text(&heard.body), "first");
}

static void test_tunnels(void **state)
{
	(void)state;
	tunnel();
	(void)!heard.peer.verbs->send_body(heard.peer.object, (const uint8_t *)"raw", 3);
	assert_string_equal(buf_text(&streams[0].written), "raw");
	receive(0, "HTTP/1.1 is only bytes\n\n");
	assert_non_null(strstr(buf_text(&heard.body), "only bytes"));
	heard.peer.verbs->send_end(heard.peer.object);
	assert_true(streams[0].has_end);
	receive(0, " last");
	streams[0].events->on_end(streams[0].arg);
	assert_true(heard.has_end);
	assert_non_null(strstr(buf_text(&heard.body), " last"));
	release();
	assert_true(streams[0].is_finished);
}

static void test_a_refused_upgrade_ends_its_connection(void **state)
{
	(void)state;
	open_with((struct upstream_want){.is_upgrade = true});
	(void)begin_request("GET", HTTP_BODY_NONE);
	heard.peer.verbs->send_end(heard.peer.object);
	resolve(1);
	open_stream(0);
	receive(0, OK);
	assert_true(heard.has_end && streams[0].is_closed);
}

static void test_a_retired_pool_keeps_nothing(void **state)
{
	(void)state;
	warm_up();
	ask("GET");
	upstream_retire(&cluster.upstream);
	assert_null(cluster.upstream);
	receive(0, OK);
	assert_true(heard.has_end && streams[0].is_closed);
	ask_connected("GET");
	assert_int_equal(stream_count, 2);
}

static void test_released_while_connecting(void **state)
{
	(void)state;
	ask("GET");
	release();
	assert_true(is_lookup_cancelled);
	ask("GET");
	resolve(1);
	release();
	assert_true(streams[0].is_closed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_connects_then_sends),
	    TEST(test_reuses_an_idle_connection),
	    TEST(test_upgrades_and_retries_get_their_own),
	    TEST(test_no_more_idle_ones_than_allowed),
	    TEST(test_what_may_not_be_reused),
	    TEST(test_an_early_answer_is_not_reused),
	    TEST(test_an_idle_connection_that_speaks_or_ends_is_dropped),
	    TEST(test_connect_failures),
	    TEST(test_tries_the_next_address),
	    TEST(test_an_untrusted_address_is_not_asked_twice),
	    TEST(test_resolving_is_bounded),
	    TEST(test_no_answer_in_time),
	    TEST(test_cuts),
	    TEST(test_a_body_that_runs_to_the_close),
	    TEST(test_a_stale_connection_says_so),
	    TEST(test_answers_that_are_not_http),
	    TEST(test_interim_answers_are_passed_over),
	    TEST(test_an_answer_to_head_has_no_body),
	    TEST(test_bodies_of_unknown_length_are_chunked),
	    TEST(test_back_pressure),
	    TEST(test_an_end_without_bytes_is_told),
	    TEST(test_tunnels),
	    TEST(test_a_refused_upgrade_ends_its_connection),
	    TEST(test_a_retired_pool_keeps_nothing),
	    TEST(test_released_while_connecting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
