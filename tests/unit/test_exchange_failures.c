/* API servers that fail: what is sent again, what the client is told, and what is never taken for
 * complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/exchange_stage.h"

static void test_a_bad_endpoint_gets_no_token(void **state)
{
	(void)state;
	world.unpreparable = "its endpoint host is foreign";
	ask("GET", "/clusters/prod/api", HTTP_BODY_NONE);
	assert_refused(502, "foreign");
	assert_int_equal(upstream_count, 0);
}

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
	client_end();
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
	} rows[] = {{PEER_TIMEOUT, 504}, {PEER_MALFORMED, 502}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		side_clear(&client);
		ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
		fail_upstream(i, rows[i].kind, false, false);
		assert_refused(rows[i].status, "because");
		assert_non_null(strstr(buf_text(&client.body), "prod"));
	}
	assert_int_equal(world.cluster_errors, 2);
}

static void test_what_cannot_be_reached_is_tried_twice(void **state)
{
	(void)state;
	static const struct {
		enum peer_failure_kind kind;
		unsigned status;
	} rows[] = {{PEER_CONNECT, 502}, {PEER_TLS, 503}};
	for (size_t i = 0; i < 2; i++) {
		side_clear(&client);
		ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_NONE);
		fail_upstream(2 * i, rows[i].kind, false, true);
		assert_int_equal(upstream_count, 2 * i + 2);
		fail_upstream(2 * i + 1, rows[i].kind, false, true);
		assert_refused(rows[i].status, "because");
		assert_null(fields_get(&client.head.fields, "Retry-After"));
	}
	assert_int_equal(world.refreshes, 2);
}

static void test_what_was_refused_may_be_tried_again(void **state)
{
	(void)state;
	ask("POST", "/clusters/prod/api/v1/namespaces/a/pods", HTTP_BODY_CHUNKED);
	client_body("more than sixteen bytes");
	fail_upstream(0, PEER_REFUSED, false, true);
	assert_refused(429, "too large to be kept");
	assert_string_equal(fields_get(&client.head.fields, "Retry-After"), "1");
	assert_int_equal(upstream_count, 1);
	side_clear(&client);
	ask("GET", "/clusters/prod/version", HTTP_BODY_NONE);
	for (size_t i = 1; i <= 7; i++)
		fail_upstream(i, PEER_REFUSED, false, true);
	assert_refused(503, "because");
	assert_string_equal(fields_get(&client.head.fields, "Retry-After"), "1");
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_bad_endpoint_gets_no_token),
	    TEST(test_a_cluster_that_moved_meanwhile_gets_no_token),
	    TEST(test_no_credentials),
	    TEST(test_a_refused_token_is_renewed_once),
	    TEST(test_a_large_body_is_not_replayed),
	    TEST(test_a_stale_connection_is_replaced_once),
	    TEST(test_a_write_is_not_sent_twice),
	    TEST(test_an_unsent_write_is_sent_again),
	    TEST(test_failures_name_cluster_and_reason),
	    TEST(test_what_cannot_be_reached_is_tried_twice),
	    TEST(test_what_was_refused_may_be_tried_again),
	    TEST(test_a_cut_answer_is_never_ended),
	    TEST(test_a_gone_client_frees_the_upstream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
