/* The life of a request against made-up neighbours: what the client is answered, what the API
 * server gets, what is sent again, and what is never taken for complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "tests/unit/exchange_world.h"

#define KEEP 16

static struct side client;
static struct exchanges *all;
static struct loop *loop;
static struct metrics *metrics;
static struct settings settings;
static struct caller caller;
static struct http_head request;
static struct exchange *exchange;

static int set_up(void **state)
{
	(void)state;
	exchange_world_reset();
	side_clear(&client);
	settings.proxy.limits.body_in_hand = KEEP;
	settings.proxy.limits.bodies_in_hand = 2 * KEEP;
	settings.proxy.limits.response_timeout = duration_seconds(65);
	settings.proxy.limits.requests_per_user = 2;
	settings.proxy.limits.requests_per_cluster = 3;
	settings.proxy.limits.body_rate = 10;
	settings.proxy.limits.body_grace = duration_seconds(2);
	loop = loop_new();
	metrics = metrics_new();
	struct exchanges_options options = {
	    .loop = loop, .metrics = metrics, .settings = &settings};
	all = exchanges_new(&options);
	caller_init(&caller, NULL, NULL, "[2001:db8::1]:443");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(exchanges_count(all), 0);
	caller_clear(&caller);
	assert_int_equal(world.identity.references, 1);
	exchanges_free(&all);
	loop_free(&loop);
	metrics_free(&metrics);
	http_head_free(&request);
	side_clear(&client);
	exchange_world_reset();
	return 0;
}

static void ask(const char *method, const char *target, enum http_body_kind body)
{
	http_head_set_method(&request, method);
	http_head_set_target(&request, target, strlen(target));
	http_head_set_authority(&request, "proxy.example", strlen("proxy.example"));
	request.body = body;
	request.keep_alive = true;
	exchange = exchange_new(all, (struct peer){&side_verbs, &client}, &caller, &request);
	exchange_start(exchange);
}

static void client_body(const char *text)
{
	exchange_client_events.on_body(exchange, (const uint8_t *)text, strlen(text));
}

static void answer_head(size_t index, unsigned status, const char *upgrade)
{
	struct http_head head = {.status = status, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
	if (upgrade != NULL) {
		head.is_upgrade = true;
		head.body = HTTP_BODY_NONE;
		fields_add_text(&head.fields, "Upgrade", upgrade);
	}
	fields_add_text(&head.fields, "WWW-Authenticate", "Bearer");
	upstreams[index].events->on_head(upstreams[index].arg, &head);
	http_head_free(&head);
}

static void answer_body(size_t index, const char *text)
{
	upstreams[index].events->on_body(upstreams[index].arg, (const uint8_t *)text, strlen(text));
}

static void answer_end(size_t index)
{
	upstreams[index].events->on_end(upstreams[index].arg);
}

static void fail_upstream(size_t index, enum peer_failure_kind kind, bool is_reused, bool is_unsent)
{
	struct peer_failure failure = {kind, "because", is_reused, is_unsent};
	upstreams[index].events->on_failed(upstreams[index].arg, &failure);
}

static void assert_refused(unsigned status, const char *says)
{
	assert_int_equal(client.head.status, status);
	assert_non_null(strstr(buf_text(&client.body), "\"Status\""));
	if (strstr(buf_text(&client.body), says) == NULL)
		fail_msg("\"%s\" is not in %s", says, buf_text(&client.body));
	assert_true(client.is_ended && client.is_released);
	assert_int_equal(strlen(fields_get(&client.head.fields, "Audit-Id")), 36);
	assert_null(fields_get(&client.head.fields, "WWW-Authenticate"));
}

static const char *sent(size_t index, const char *name)
{
	return fields_get(&upstreams[index].head.fields, name);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_a_get_goes_through(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/api/v1/pods?limit=5", HTTP_BODY_NONE);
	assert_int_equal(upstream_count, 1);
	assert_string_equal(upstreams[0].head.target, "/api/v1/pods?limit=5");
	assert_string_equal(sent(0, "Authorization"), "Bearer first-token");
	assert_string_equal(sent(0, "Impersonate-User"), "alice");
	assert_string_equal(sent(0, "Impersonate-Group"), "dev");
	assert_string_equal(sent(0, "X-Forwarded-For"), "2001:db8::1");
	assert_true(upstreams[0].is_ended);
	assert_int_equal(upstreams[0].want.response_timeout.ms, 65000);
	answer_head(0, 200, NULL);
	answer_body(0, "pods");
	assert_string_equal(buf_text(&client.body), "pods");
	assert_false(client.is_ended);
	answer_end(0);
	assert_int_equal(client.head.status, 200);
	assert_string_equal(fields_get(&client.head.fields, "Audit-Id"), sent(0, "Audit-ID"));
	assert_true(client.is_ended && client.is_released && upstreams[0].is_released);
}

static void test_refusals(void **state)
{
	(void)state;
	static const struct {
		const char *method, *target;
		unsigned status;
		const char *says;
	} rows[] = {
	    {"GET", "/api/v1/pods", 404, "kubeproxyd ls"},
	    {"GET", "/clusters/other/api", 404, "kubeproxyd ls"},
	    {"GET", "/clusters/prod/api//v1/pods", 400, "refused"},
	    {"OPTIONS", "/clusters/prod/api", 405, "refused"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		side_clear(&client);
		ask(rows[i].method, rows[i].target, HTTP_BODY_NONE);
		assert_refused(rows[i].status, rows[i].says);
	}
	assert_int_equal(upstream_count, 0);
}

static void test_no_identity_is_401(void **state)
{
	(void)state;
	world.identity_error = "no client certificate was sent";
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(401, "no client certificate");
}

static void test_renamed_is_410(void **state)
{
	(void)state;
	world.renamed = "prod";
	ask("GET", "/clusters/old/api", HTTP_BODY_NONE);
	assert_refused(410, "prod");
}

static void test_the_directory_may_be_unknown_or_expired(void **state)
{
	(void)state;
	world.directory.is_known = false;
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(503, "discoveryd");
	side_clear(&client);
	world.directory.is_known = world.directory.is_expired = true;
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(503, "max_stale");
}

static void test_denied_is_403_and_the_body_is_never_asked_for(void **state)
{
	(void)state;
	world.is_denied = true;
	client.is_paused = true;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_LENGTH);
	assert_refused(403, "ask for role dev");
	assert_true(client.is_paused);
}

static void test_identity_headers_of_clients_are_refused(void **state)
{
	(void)state;
	fields_add_text(&request.fields, "Impersonate-User", "root");
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(403, "Impersonate-User");
}

static void test_a_bad_endpoint_gets_no_token(void **state)
{
	(void)state;
	world.unpreparable = "its endpoint host is foreign";
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(502, "foreign");
	assert_int_equal(upstream_count, 0);
}

/* Endpoint or CA changed while the credentials were fetched, and the new ones are not acceptable.
 */
static void test_a_cluster_that_moved_meanwhile_gets_no_token(void **state)
{
	(void)state;
	world.is_token_late = true;
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	assert_false(client.has_head);
	world.unpreparable = "its endpoint is elsewhere";
	exchange_world_give_token();
	assert_refused(502, "elsewhere");
	assert_int_equal(upstream_count, 0);
}

static void test_no_credentials(void **state)
{
	(void)state;
	world.token = NULL;
	world.token_error = "set AWS_PROFILE";
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(503, "set AWS_PROFILE");
}

static void test_a_refused_token_is_renewed_once(void **state)
{
	(void)state;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_LENGTH);
	client_body("{pod}");
	exchange_client_events.on_end(exchange);
	answer_head(0, 401, NULL);
	assert_int_equal(world.token_drops, 1);
	assert_true(upstreams[0].is_released);
	assert_string_equal(sent(1, "Authorization"), "Bearer second-token");
	assert_string_equal(buf_text(&upstreams[1].body), "{pod}");
	assert_true(upstreams[1].is_ended);
	assert_string_equal(sent(0, "Audit-ID"), sent(1, "Audit-ID"));
	answer_head(1, 401, NULL);
	assert_refused(503, "discoveryd explain prod");
}

static void test_a_large_body_is_not_replayed(void **state)
{
	(void)state;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_CHUNKED);
	client_body("more than sixteen bytes");
	answer_head(0, 401, NULL);
	assert_refused(503, "try again");
	assert_string_equal(fields_get(&client.head.fields, "Retry-After"), "1");
	assert_int_equal(upstream_count, 1);
}

static void test_a_stale_connection_is_replaced_once(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	assert_false(upstreams[0].want.must_be_fresh);
	fail_upstream(0, PEER_CUT_BEFORE_HEAD, true, false);
	assert_int_equal(upstream_count, 2);
	assert_true(upstreams[1].want.must_be_fresh);
	fail_upstream(1, PEER_CUT_BEFORE_HEAD, true, false);
	assert_refused(502, "cluster \\\"prod\\\"");
}

static void test_a_write_is_not_sent_twice(void **state)
{
	(void)state;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_NONE);
	fail_upstream(0, PEER_CUT_BEFORE_HEAD, true, false);
	assert_refused(502, "without an answer");
	assert_int_equal(upstream_count, 1);
}

static void test_an_unsent_write_is_sent_again(void **state)
{
	(void)state;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_NONE);
	fail_upstream(0, PEER_CUT_BEFORE_HEAD, true, true);
	answer_head(1, 201, NULL);
	answer_end(1);
	assert_int_equal(client.head.status, 201);
}

static void test_failures_name_cluster_and_reason(void **state)
{
	(void)state;
	static const struct {
		enum peer_failure_kind kind;
		unsigned status;
	} rows[] = {
	    {PEER_CONNECT, 502}, {PEER_TLS, 503}, {PEER_TIMEOUT, 504}, {PEER_MALFORMED, 502}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		side_clear(&client);
		ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
		fail_upstream(i, rows[i].kind, false, false);
		assert_refused(rows[i].status, "because");
		assert_non_null(strstr(buf_text(&client.body), "prod"));
	}
	assert_int_equal(world.refreshes, 1);
	assert_int_equal(world.cluster_errors, 4);
}

static void test_a_cut_answer_is_never_ended(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/api/v1/pods?watch=1", HTTP_BODY_NONE);
	assert_int_equal(upstreams[0].want.response_timeout.ms, 0);
	answer_head(0, 200, NULL);
	answer_body(0, "{event}");
	fail_upstream(0, PEER_CUT, false, false);
	assert_false(client.is_ended);
	assert_true(client.is_released && upstreams[0].is_released);
}

static void test_a_gone_client_frees_the_upstream(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/api/v1/pods?watch=1", HTTP_BODY_NONE);
	answer_head(0, 200, NULL);
	struct peer_failure failure = {.kind = PEER_CUT, .reason = "gone"};
	exchange_client_events.on_failed(exchange, &failure);
	assert_true(upstreams[0].is_released && client.is_released);
}

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
	exchange_client_events.on_end(exchange);
	assert_true(upstreams[0].is_ended);
	answer_body(0, " bye");
	answer_end(0);
	assert_string_equal(buf_text(&client.body), "hello bye");
	assert_true(client.is_ended && client.is_released);
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

static void test_discovery_is_warned(void **state)
{
	(void)state;
	world.identity_error = "ask \"somebody\"\nfor a certificate";
	ask("GET", "/clusters/prod/api?timeout=32s", HTTP_BODY_NONE);
	assert_string_equal(fields_get(&client.head.fields, "Warning"),
	    "299 - \"ask \\\"somebody\\\" for a certificate\"");
	side_clear(&client);
	ask("GET", "/clusters/prod/apis", HTTP_BODY_NONE);
	assert_non_null(fields_get(&client.head.fields, "Warning"));
	side_clear(&client);
	ask("GET", "/clusters/prod/api/v1/pods", HTTP_BODY_NONE);
	assert_null(fields_get(&client.head.fields, "Warning"));
}

static void test_a_slow_client_pauses_the_upstream(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	client.is_full = true;
	answer_head(0, 200, NULL);
	assert_true(upstreams[0].is_paused);
	exchange_client_events.on_drain(exchange);
	assert_false(upstreams[0].is_paused);
	answer_end(0);
}

static void test_withdrawal(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/api/v1/pods?watch=1", HTTP_BODY_NONE);
	answer_head(0, 200, NULL);
	exchanges_set(all, &settings, NULL);
	assert_false(client.is_released);
	world.is_denied = true;
	exchanges_set(all, &settings, NULL);
	assert_true(client.is_released && upstreams[0].is_released);
	assert_false(client.is_ended);
}

static void test_a_retagged_cluster_is_judged_anew(void **state)
{
	(void)state;
	struct cluster other = {0};
	ask("GET", "/clusters/prod/api/v1/pods?watch=1", HTTP_BODY_NONE);
	answer_head(0, 200, NULL);
	exchanges_recheck_cluster(all, &world.cluster);
	assert_false(client.is_released);
	world.is_denied = true;
	exchanges_recheck_cluster(all, &other);
	assert_false(client.is_released);
	exchanges_recheck_cluster(all, &world.cluster);
	assert_true(client.is_released && upstreams[0].is_released);
}

static void test_a_removed_cluster_takes_its_requests_along(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	exchanges_cut_cluster(all, &world.cluster, "the cluster was removed");
	assert_refused(503, "the cluster was removed");
	assert_true(upstreams[0].is_released);
}

static void hold(size_t in_flight, size_t per_user, size_t per_cluster)
{
	world.cluster.in_flight = in_flight;
	settings.proxy.limits.requests_per_user = per_user;
	settings.proxy.limits.requests_per_cluster = per_cluster;
}

static void test_caps_are_429(void **state)
{
	(void)state;
	hold(0, 0, 3);
	ask("GET", "/clusters/prod/api/v1/pods?watch=1", HTTP_BODY_NONE);
	assert_refused(429, "requests_per_user");
	assert_string_equal(fields_get(&client.head.fields, "Retry-After"), "1");
	side_clear(&client);
	hold(3, 2, 3);
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	assert_refused(429, "requests_per_cluster");
	assert_int_equal(world.cluster.in_flight, 3);
	side_clear(&client);
	hold(2, 1, 3);
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	assert_int_equal(world.cluster.in_flight, 3);
	answer_head(0, 200, NULL);
	answer_end(0);
	assert_int_equal(world.cluster.in_flight, 2);
}

/* Set aside before the body is asked for, and given back at the end. */
static void test_bodies_have_a_budget(void **state)
{
	(void)state;
	client.is_paused = true;
	all->in_flight.body_bytes = KEEP + 1;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_CHUNKED);
	assert_refused(429, "bodies_in_hand");
	assert_string_equal(fields_get(&client.head.fields, "Retry-After"), "1");
	assert_true(client.is_paused);
	assert_int_equal(world.cluster.in_flight, 0);
	side_clear(&client);
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	answer_head(0, 200, NULL);
	answer_end(0);
	side_clear(&client);
	all->in_flight.body_bytes = KEEP;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_CHUNKED);
	assert_int_equal(all->in_flight.body_bytes, 2 * KEEP);
	exchange_client_events.on_end(exchange);
	answer_head(1, 201, NULL);
	answer_end(1);
	assert_int_equal(all->in_flight.body_bytes, KEEP);
}

static void test_a_slow_body_is_408(void **state)
{
	(void)state;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_LENGTH);
	assert_true(
	    exchange_check_pace(exchange, duration_seconds(9))); /* not asked all the time */
	assert_true(exchange_check_pace(exchange, duration_seconds(1)));
	assert_false(exchange_check_pace(exchange, duration_seconds(1)));
	assert_refused(408, "body_rate");
	assert_true(upstreams[0].is_released);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_get_goes_through),
	    TEST(test_refusals),
	    TEST(test_no_identity_is_401),
	    TEST(test_renamed_is_410),
	    TEST(test_the_directory_may_be_unknown_or_expired),
	    TEST(test_denied_is_403_and_the_body_is_never_asked_for),
	    TEST(test_identity_headers_of_clients_are_refused),
	    TEST(test_a_bad_endpoint_gets_no_token),
	    TEST(test_a_cluster_that_moved_meanwhile_gets_no_token),
	    TEST(test_no_credentials),
	    TEST(test_a_refused_token_is_renewed_once),
	    TEST(test_a_large_body_is_not_replayed),
	    TEST(test_a_stale_connection_is_replaced_once),
	    TEST(test_a_write_is_not_sent_twice),
	    TEST(test_an_unsent_write_is_sent_again),
	    TEST(test_failures_name_cluster_and_reason),
	    TEST(test_a_cut_answer_is_never_ended),
	    TEST(test_a_gone_client_frees_the_upstream),
	    TEST(test_an_upgrade_becomes_a_tunnel),
	    TEST(test_a_tunnel_cut_behind_still_delivers),
	    TEST(test_another_protocol_is_no_tunnel),
	    TEST(test_an_unasked_switch_is_no_tunnel),
	    TEST(test_a_refused_upgrade_is_relayed_as_an_answer),
	    TEST(test_a_redirected_upgrade_is_refused),
	    TEST(test_discovery_is_warned),
	    TEST(test_a_slow_client_pauses_the_upstream),
	    TEST(test_withdrawal),
	    TEST(test_a_retagged_cluster_is_judged_anew),
	    TEST(test_a_removed_cluster_takes_its_requests_along),
	    TEST(test_caps_are_429),
	    TEST(test_bodies_have_a_budget),
	    TEST(test_a_slow_body_is_408),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
