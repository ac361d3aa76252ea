/* The life of a request against made-up neighbours: what the client is answered, what the API
 * server gets, what is withdrawn, and what is refused for a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/gate/locks.h"
#include "tests/unit/exchange_stage.h"

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
	    {"GET", "/clusters/other/api", 404, "here, or none of the roles of user"},
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

/* Its command would be another than the one on record. */
static void test_no_form_goes_to_a_kubelet(void **state)
{
	(void)state;
	static const char run[] = "/clusters/prod/api/v1/nodes/n1/proxy/run/a/p/c?cmd=id";
	static const struct {
		const char *target, *type;
		enum http_body_kind body;
		bool is_refused;
	} rows[] = {
	    {run, "application/x-www-form-urlencoded", HTTP_BODY_CHUNKED, true},
	    {run, "Application/X-WWW-Form-Urlencoded; charset=utf-8", HTTP_BODY_CHUNKED, true},
	    {run, "multipart/form-data; boundary=x", HTTP_BODY_CHUNKED, true},
	    {run, "appl\u0130cation/x-www-form-urlencoded", HTTP_BODY_CHUNKED, true},
	    {run, "\u00a0application/x-www-form-urlencoded", HTTP_BODY_CHUNKED, true},
	    {run, "application/x-www-form-urlencoded", HTTP_BODY_NONE, false},
	    {run, "application/json", HTTP_BODY_CHUNKED, false},
	    {"/clusters/prod/api/v1/namespaces/a/pods/p/proxy/run",
		"application/x-www-form-urlencoded", HTTP_BODY_CHUNKED, false},
	};
	static const struct peer_failure left = {.kind = PEER_CUT, .reason = "left"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t before = upstream_count;
		side_clear(&client);
		fields_clear(&request.fields);
		fields_add_text(&request.fields, "Content-Type", "text/plain");
		fields_add_text(&request.fields, "content-type", rows[i].type);
		ask("POST", rows[i].target, rows[i].body);
		if (rows[i].is_refused)
			assert_refused(415, "put it into the query");
		assert_int_equal(upstream_count, before + !rows[i].is_refused);
		if (!rows[i].is_refused)
			exchange_client_events.on_failed(exchange, &left);
	}
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
	side_clear(&client);
	world.identity.cluster = (char *)(uintptr_t) "old";
	ask("GET", "/api", HTTP_BODY_NONE);
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

/* The body is asked for, kept and sent once it is whole and allowed. */
static void test_a_name_in_the_body_decides(void **state)
{
	(void)state;
	static const char target[] = "/clusters/prod/api/v1/namespaces/a/pods";
	settings.proxy.limits.body_in_hand = 64;
	world.needs_name = true;
	client.is_paused = true;
	ask("POST", target, HTTP_BODY_CHUNKED);
	assert_false(client.is_paused);
	client_body("{\"metadata\":{\"na");
	assert_int_equal(upstream_count, 0);
	client_body("me\":\"mine\"}}");
	assert_int_equal(upstream_count, 0);
	client_end();
	assert_int_equal(upstream_count, 1);
	assert_string_equal(buf_text(&upstreams[0].body), "{\"metadata\":{\"name\":\"mine\"}}");
	assert_true(upstreams[0].is_ended);
	answer_head(0, 201, NULL);
	answer_end(0);
	side_clear(&client);
	ask("POST", target, HTTP_BODY_CHUNKED);
	client_body("{\"metadata\":{\"name\":\"yours\"}}");
	client_end();
	assert_refused(403, "ask for role dev");
	side_clear(&client);
	ask("POST", target, HTTP_BODY_CHUNKED);
	client_body(
	    "{\"metadata\":{\"name\":\"mine\"},\"data\":\"0123456789012345678901234567890123");
	assert_refused(413, "body_in_hand");
	side_clear(&client);
	ask("POST", target, HTTP_BODY_NONE);
	assert_refused(403, "cannot be read");
	assert_int_equal(upstream_count, 1);
}

static void test_identity_headers_of_clients_are_refused(void **state)
{
	(void)state;
	fields_add_text(&request.fields, "Impersonate-User", "root");
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(403, "Impersonate-User");
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

/* A plain request that waits for its answer, as watches and tunnels do. */
static void test_what_ends_takes_requests_along(void **state)
{
	(void)state;
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	struct locks *locks = locks_new();
	locks_add(locks, &(const struct lock){.kind = LOCK_USER, .name = world.identity.user});
	const struct locks *none = world.locks;
	exchanges_recheck_locks(all);
	assert_false(client.is_released);
	world.locks = locks;
	exchanges_recheck_locks(all);
	assert_refused(403, "locked for the user");
	assert_true(upstreams[0].is_released);
	world.locks = none;
	locks_free(&locks);
	side_clear(&client);
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	exchange_check_expiry(exchange);
	assert_false(client.is_released);
	/* What lets in no new request any more does not cut what runs. */
	world.identity.expires.ms = 1;
	world.identity.ends = unix_add(unix_now(), duration_seconds(60));
	exchange_check_expiry(exchange);
	assert_false(client.is_released);
	world.identity.ends.ms = 1;
	exchange_check_expiry(exchange);
	assert_refused(503, "the credential has expired");
	assert_true(upstreams[1].is_released);
	side_clear(&client);
	world.identity.expires.ms = 0;
	world.identity.ends.ms = 0;
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	world.identity.expires.ms = 1;
	exchange_check_expiry(exchange);
	assert_refused(503, "the credential has expired");
	assert_true(upstreams[2].is_released);
	world.identity.expires.ms = 0;
	side_clear(&client);
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	exchanges_cut_tokens(all, "the settings of logins were changed");
	assert_false(client.is_released);
	world.identity.source = "oidc";
	exchanges_cut_tokens(all, "the settings of logins were changed");
	assert_refused(503, "logins were changed");
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
	client_end();
	answer_head(1, 201, NULL);
	answer_end(1);
	assert_int_equal(all->in_flight.body_bytes, KEEP);
}

static void release_and_make_room(void *object)
{
	side_verbs.release(object);
	holdings.held -= 50;
}

/* Three readers; the second takes nothing any more, then the third. When there is no room for what
 * the first gets, the one that has waited longest is cut, and no more than need be. */
static void test_the_slowest_reader_makes_room(void **state)
{
	(void)state;
	static struct side sides[3];
	struct peer_verbs verbs = side_verbs;
	verbs.release = release_and_make_room;
	settings.proxy.limits.requests_per_user = 3;
	http_head_set_method(&request, "GET");
	http_head_set_target(&request, "/clusters/prod/api/v1/pods?watch=1", 34);
	http_head_set_authority(&request, "proxy.example", strlen("proxy.example"));
	for (size_t i = 0; i < 3; i++) {
		exchange = exchange_new(all, (struct peer){&verbs, &sides[i]}, &caller, &request);
		set_out();
		assert_true(upstreams[i].want.holdings == &holdings);
		answer_head(i, 200, NULL);
	}
	sides[1].is_full = sides[2].is_full = true;
	answer_body(1, "event");
	answer_body(2, "event");
	assert_true(upstreams[1].is_paused && upstreams[2].is_paused);
	holdings.held = 95;
	answer_body(0, "event");
	assert_int_equal(exchanges_count(all), 3);
	answer_body(0, "one more");
	assert_int_equal(exchanges_count(all), 2);
	assert_true(sides[1].is_released && !sides[1].is_ended && upstreams[1].is_released);
	assert_false(sides[2].is_released || sides[0].is_released);
	for (size_t i = 0; i < 3; i += 2) {
		answer_end(i);
		assert_true(sides[i].is_ended);
	}
	for (size_t i = 0; i < 3; i++)
		side_clear(&sides[i]);
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
	    TEST(test_no_form_goes_to_a_kubelet),
	    TEST(test_no_identity_is_401),
	    TEST(test_renamed_is_410),
	    TEST(test_the_directory_may_be_unknown_or_expired),
	    TEST(test_denied_is_403_and_the_body_is_never_asked_for),
	    TEST(test_a_name_in_the_body_decides),
	    TEST(test_identity_headers_of_clients_are_refused),
	    TEST(test_discovery_is_warned),
	    TEST(test_a_slow_client_pauses_the_upstream),
	    TEST(test_withdrawal),
	    TEST(test_what_ends_takes_requests_along),
	    TEST(test_a_retagged_cluster_is_judged_anew),
	    TEST(test_a_removed_cluster_takes_its_requests_along),
	    TEST(test_caps_are_429),
	    TEST(test_bodies_have_a_budget),
	    TEST(test_the_slowest_reader_makes_room),
	    TEST(test_a_slow_body_is_408),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
