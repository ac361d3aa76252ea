/* What waits for the end of the turn: requests that came, requests that may go, answers that are
 * complete; and what happens to them before it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/exchange/exchange_private.h"
#include "tests/unit/exchange_stage.h"

#define PODS "/clusters/prod/api/v1/pods"

static const struct peer_failure gone = {.kind = PEER_CUT, .reason = "gone"};

/* One more request of this turn. */
static struct exchange *arrive(struct side *side)
{
	http_head_set_method(&request, "GET");
	http_head_set_target(&request, PODS, strlen(PODS));
	http_head_set_authority(&request, "proxy.example", strlen("proxy.example"));
	request.body = HTTP_BODY_NONE;
	struct peer peer = {&side_verbs, side};
	struct exchange *arrived = exchange_new(all, peer, &caller, &request);
	exchange_start(arrived);
	return arrived;
}

/* All of the answer, and the turn goes on. */
static void answer_whole(size_t index)
{
	const struct http_head head = {
	    .status = 200, .body = HTTP_BODY_CHUNKED, .keep_alive = true};
	const struct side *side = &upstreams[index];
	side->events->on_head(side->arg, &head);
	side->events->on_body(side->arg, (const uint8_t *)"{}", 2);
	side->events->on_end(side->arg);
}

static void test_all_of_a_turn_go(void **state)
{
	(void)state;
	static struct side sides[3];
	settings.proxy.limits.requests_per_user = settings.proxy.limits.requests_per_cluster = 3;
	for (size_t i = 0; i < 3; i++)
		(void)arrive(&sides[i]);
	assert_int_equal(exchanges_count(all), 3);
	assert_int_equal(upstream_count, 0);
	end_turn();
	assert_int_equal(upstream_count, 3);
	for (size_t i = 0; i < 3; i++)
		answer_whole(i);
	assert_int_equal(exchanges_count(all), 3);
	assert_true(upstreams[0].is_released);
	assert_false(sides[0].is_released);
	end_turn();
	for (size_t i = 0; i < 3; i++) {
		assert_true(upstreams[i].is_released && sides[i].is_released);
		side_clear(&sides[i]);
	}
	count_is("eksgate_proxy_requests_total{cluster=\"prod\",code=\"200\"} 3\n");
}

/* So that what came with their first request finds the connection ended; whom it knows wait. */
static void test_strangers_are_answered_at_once(void **state)
{
	(void)state;
	world.identity_error = "no credential";
	exchange = arrive(&client);
	assert_true(client.is_released);
	assert_int_equal(client.head.status, 401);
	side_clear(&client);
	world.identity_error = NULL;
	exchange = arrive(&client);
	assert_true(caller.is_known);
	exchange_client_events.on_failed(exchange, &gone);
	side_clear(&client);
	world.identity_error = "no credential";
	exchange = arrive(&client);
	assert_false(client.is_released);
	end_turn();
	assert_true(client.is_released);
	assert_int_equal(client.head.status, 401);
}

/* The proxy's own API answers nobody who does not want it any more, and is not on record for it. */
static void test_what_the_proxy_answers_is_taken_back(void **state)
{
	(void)state;
	caller.is_known = true;
	world.own_status = 200;
	exchange = arrive(&client);
	exchange_client_events.on_failed(exchange, &gone);
	assert_true(client.is_released);
	assert_false(client.has_head);
	count_is("eksgate_proxy_requests_total{cluster=\"\",code=\"0\"} 1\n");
	side_clear(&client);
	exchange = arrive(&client);
	end_turn();
	assert_int_equal(client.head.status, 200);
	assert_string_equal(buf_text(&client.body), "of the proxy");
	count_is("eksgate_proxy_requests_total{cluster=\"\",code=\"200\"} 1\n");
	side_clear(&client);
	/* A refusal stays one. */
	world.own_status = 403;
	exchange = arrive(&client);
	exchange_client_events.on_failed(exchange, &gone);
	count_is("eksgate_proxy_requests_total{cluster=\"\",code=\"403\"} 1\n");
}

/* Strangers are answered before it is known that they take it back, in the same read: they may have
 * the answer, and are on record for it. */
static void test_what_strangers_take_back(void **state)
{
	(void)state;
	world.own_status = 200;
	exchange = arrive(&client);
	assert_int_equal(client.head.status, 200);
	exchanges_set(all, &settings, NULL);
	exchanges_recheck_locks(all);
	exchange_client_events.on_failed(exchange, &gone);
	assert_true(client.is_released);
	count_is("eksgate_proxy_requests_total{cluster=\"\",code=\"200\"} 1\n");
	count_is("eksgate_proxy_body_bytes_total{direction=\"out\"} 12\n");
	side_clear(&client);
	caller.is_known = false;
	exchange = arrive(&client);
	end_turn();
	assert_true(client.is_released);
	count_is("eksgate_proxy_requests_total{cluster=\"\",code=\"200\"} 2\n");
}

static void note_released(void *arg)
{
	assert_true(((struct side *)arg)->is_released);
}

/* What flushes to the client was queued before: the record is made all the same when it runs. */
static void test_an_end_comes_before_its_flush(void **state)
{
	(void)state;
	struct deferred flush = {.fn = note_released, .arg = &client};
	ask("GET", PODS, HTTP_BODY_NONE);
	loop_defer(loop, &flush);
	answer_whole(0);
	assert_false(client.is_released);
	end_turn();
	assert_false(flush.is_queued);
}

/* Whom the end of an answer makes room for is let in by the turn that brings it. */
static void test_an_end_makes_room_for_who_arrives(void **state)
{
	(void)state;
	static struct side second;
	settings.proxy.limits.requests_per_user = 1;
	ask("GET", PODS, HTTP_BODY_NONE);
	(void)arrive(&second);
	answer_head(0, 200, NULL);
	assert_int_equal(second.head.status, 429);
	side_clear(&second);
	(void)arrive(&second);
	upstreams[0].events->on_end(upstreams[0].arg);
	end_turn();
	assert_int_equal(upstream_count, 2);
	answer_head(1, 200, NULL);
	answer_end(1);
	assert_int_equal(second.head.status, 200);
	side_clear(&second);
}

/* Nothing is sent for them, and the records say who they were and what for. */
static void test_who_leaves_before(void **state)
{
	(void)state;
	exchange = arrive(&client);
	exchange_client_events.on_failed(exchange, &gone);
	assert_true(client.is_released);
	count_is("eksgate_proxy_requests_total{cluster=\"prod\",code=\"0\"} 1\n");
	end_turn();
	assert_int_equal(upstream_count, 0);
	/* Or are refused, when it is too late to tell them. */
	side_clear(&client);
	world.is_denied = true;
	exchange = arrive(&client);
	exchange_client_events.on_failed(exchange, &gone);
	assert_true(client.is_released);
	count_is("eksgate_proxy_requests_total{cluster=\"prod\",code=\"403\"} 1\n");
}

static void test_what_is_withdrawn_before_it_leaves(void **state)
{
	(void)state;
	ask("GET", PODS, HTTP_BODY_NONE);
	/* The API server refuses the token: it is about to be sent anew. */
	struct http_head head = {.status = 401, .body = HTTP_BODY_NONE};
	upstreams[0].events->on_head(upstreams[0].arg, &head);
	assert_int_equal(upstream_count, 1);
	world.is_denied = true;
	exchanges_set(all, &settings, NULL);
	assert_int_equal(client.head.status, 503);
	assert_true(client.is_released);
	end_turn();
	assert_int_equal(upstream_count, 1);
	world.is_denied = false;
	/* Locked out between. */
	side_clear(&client);
	ask("GET", PODS, HTTP_BODY_NONE);
	upstreams[1].events->on_head(upstreams[1].arg, &head);
	exchanges_cut_cluster(all, &world.cluster, "the cluster was removed");
	assert_int_equal(client.head.status, 503);
	end_turn();
	assert_int_equal(upstream_count, 2);
}

/* What comes when the client has all of the answer changes nothing of it. */
static void test_a_complete_answer_stays_complete(void **state)
{
	(void)state;
	enum { CLIENT_FAILS, CLUSTER_GOES, ROLE_GOES, DRAINS, CASES };
	for (int which = 0; which < CASES; which++) {
		size_t index = upstream_count;
		side_clear(&client);
		client.is_full = which == DRAINS;
		ask("GET", PODS "?watch=1", HTTP_BODY_NONE);
		answer_whole(index);
		assert_true(client.is_ended);
		client.is_ended = false;
		if (which == CLIENT_FAILS)
			exchange_client_events.on_failed(exchange, &gone);
		else if (which == CLUSTER_GOES)
			exchanges_cut_cluster(all, &world.cluster, "the cluster was removed");
		else if (which == DRAINS)
			exchange_client_events.on_drain(exchange);
		world.is_denied = which == ROLE_GOES;
		exchanges_set(all, &settings, NULL);
		world.is_denied = false;
		end_turn();
		assert_true(client.is_released && upstreams[index].is_released);
		assert_false(client.is_ended); /* once is enough */
		assert_int_equal(client.head.status, 200);
		assert_string_equal(buf_text(&client.body), "{}");
		assert_int_equal(exchanges_count(all), 0);
	}
	count_is("eksgate_proxy_requests_total{cluster=\"prod\",code=\"200\"} 4\n");
}

/* Its reader is not among those that make room for others. */
static void test_a_complete_answer_is_not_slow(void **state)
{
	(void)state;
	client.is_full = true;
	ask("GET", PODS, HTTP_BODY_NONE);
	answer_head(0, 200, NULL);
	answer_body(0, "{}");
	assert_false(TAILQ_EMPTY(&all->stalled));
	upstreams[0].events->on_end(upstreams[0].arg);
	assert_true(TAILQ_EMPTY(&all->stalled));
	end_turn();
}

static void test_a_body_behind_its_answer(void **state)
{
	(void)state;
	ask("POST", PODS, HTTP_BODY_CHUNKED);
	client_body("first");
	answer_whole(0);
	exchange_client_events.on_body(exchange, (const uint8_t *)"second", 6);
	exchange_client_events.on_end(exchange);
	assert_string_equal(buf_text(&upstreams[0].body), "first");
	assert_false(upstreams[0].is_ended);
	end_turn();
	assert_true(client.is_released);
}

/* It was refused, and goes again at the end of the turn: more of its body than is kept comes
 * before. */
static void test_a_body_that_grows_before_it_goes_again(void **state)
{
	(void)state;
	const struct peer_failure refused = {
	    .kind = PEER_REFUSED, .reason = "refused", .is_unsent = true};
	ask("POST", PODS, HTTP_BODY_CHUNKED);
	client_body("0123456789abcde");
	assert_string_equal(buf_text(&upstreams[0].body), "0123456789abcde");
	upstreams[0].events->on_failed(upstreams[0].arg, &refused);
	exchange_client_events.on_body(exchange, (const uint8_t *)"fghi", 4);
	exchange_client_events.on_end(exchange);
	end_turn();
	assert_int_equal(upstream_count, 2);
	assert_string_equal(buf_text(&upstreams[1].body), "0123456789abcdefghi");
	assert_true(upstreams[1].is_ended);
	answer_head(1, 201, NULL);
	answer_end(1);
	assert_true(client.is_released);
}

/* The proxy ends in the middle of a turn. */
static void test_the_end_of_all(void **state)
{
	(void)state;
	static struct side second;
	ask("GET", PODS, HTTP_BODY_NONE);
	answer_whole(0);
	(void)arrive(&second);
	exchanges_free(&all);
	assert_true(client.is_released && second.is_released);
	assert_int_equal(second.head.status, 503);
	side_clear(&second);
	struct exchanges_options options = {
	    .loop = loop, .metrics = metrics, .settings = &settings, .holdings = &holdings};
	all = exchanges_new(&options);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_all_of_a_turn_go),
	    TEST(test_strangers_are_answered_at_once),
	    TEST(test_what_the_proxy_answers_is_taken_back),
	    TEST(test_what_strangers_take_back),
	    TEST(test_an_end_comes_before_its_flush),
	    TEST(test_an_end_makes_room_for_who_arrives),
	    TEST(test_who_leaves_before),
	    TEST(test_what_is_withdrawn_before_it_leaves),
	    TEST(test_a_complete_answer_stays_complete),
	    TEST(test_a_complete_answer_is_not_slow),
	    TEST(test_a_body_behind_its_answer),
	    TEST(test_a_body_that_grows_before_it_goes_again),
	    TEST(test_the_end_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
