/* The proxy's own questions, with an upstream that answers whatever the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/probe/call.h"

static const struct peer_events *events;
static void *events_arg;
static unsigned answers;

/* --- the upstream ----------------------------------------------------------------------------- */

static bool send_head(void *object, const struct http_head *head)
{
	(void)object;
	(void)head;
	return true;
}

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	(void)object;
	(void)data;
	(void)len;
	return true;
}

static void nothing(void *object)
{
	(void)object;
}

static const struct peer_verbs verbs = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = nothing,
    .pause = nothing,
    .resume = nothing,
    .release = nothing,
};

struct peer upstream_open(struct upstreams *upstreams, struct cluster *cluster,
    const struct upstream_want *want, const struct peer_events *given, void *arg)
{
	(void)upstreams;
	(void)cluster;
	(void)want;
	events = given;
	events_arg = arg;
	return (struct peer){&verbs, &answers};
}

/* --- the test --------------------------------------------------------------------------------- */

static void on_answer(void *arg, const struct call_answer *answer)
{
	(void)arg;
	assert_int_equal(answer->status, 200);
	assert_string_equal(answer->body, "ok");
	answers++;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Every event of a peer may come, whatever the call thinks of it. */
static void test_trailers_are_passed_over(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct cluster cluster = {.authority = "api.example"};
	struct call_request request = {
	    .method = "GET", .target = "/readyz", .token = "t", .timeout = duration_seconds(20)};
	struct http_head head = {.status = 200};
	struct call *call = call_start(loop, NULL, &cluster, &request, on_answer, NULL);
	assert_non_null(call);
	fields_add_text(&head.fields, "X-Trailer", "1");
	events->on_head(events_arg, &head);
	events->on_body(events_arg, (const uint8_t *)"ok", 2);
	assert_non_null(events->on_trailers);
	events->on_trailers(events_arg, &head.fields);
	events->on_end(events_arg);
	assert_int_equal(answers, 1);
	http_head_free(&head);
	struct timer *timer = timer_new(loop, stop, loop);
	timer_set(timer, duration_ms(1));
	loop_run(loop);
	timer_free(&timer);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trailers_are_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
