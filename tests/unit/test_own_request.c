/* The proxy's own requests in a client's name: what is kept of their answers, and that it counts
 * among what is held of all answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/exchange/own_request.h"
#include "tests/unit/exchange_stage.h"

enum { KIB = 1024, PIECE = 100 * KIB, MOST = 1024 * KIB, LEAST = 256 * KIB };

/* What was told. */
static struct {
	unsigned calls, status;
	size_t len;
	bool is_whole, is_too_long;
} told;

static void on_answer(void *arg, const struct own_answer *answer)
{
	(void)arg;
	told.calls++;
	told.status = answer->status;
	told.len = answer->body_len;
	told.is_whole = answer->is_whole;
	told.is_too_long = answer->is_too_long;
	loop_stop(loop);
}

static struct own_request *start(bool needs_whole)
{
	struct own_request_input input = {
	    .client = &request,
	    .method = "GET",
	    .target = "/clusters/prod/api/v1/pods",
	    .accept = "application/json",
	    .answer_max = MOST,
	    .needs_whole = needs_whole,
	};
	memset(&told, 0, sizeof told);
	http_head_set_authority(&request, "proxy.example", strlen("proxy.example"));
	struct own_request *started = own_request_start(all, &caller, &input, on_answer, NULL);
	end_turn();
	answer_head(upstream_count - 1, 200, NULL);
	return started;
}

static void answer_pieces(unsigned count)
{
	static const uint8_t piece[PIECE];
	const struct side *upstream = &upstreams[upstream_count - 1];
	for (unsigned i = 0; i < count && !upstream->is_released; i++)
		upstream->events->on_body(upstream->arg, piece, sizeof piece);
}

/* As much memory as all answers may take. */
static void allow(size_t bytes)
{
	holdings.limit = bytes;
}

static void all_that_is_kept_counts(void **state)
{
	(void)state;
	allow(10 * MOST);
	(void)start(true);
	answer_pieces(5);
	assert_true(holdings.held >= 5 * PIECE && holdings.held <= 10 * PIECE);
	answer_end(upstream_count - 1);
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.status, 200);
	assert_int_equal(told.len, 5 * PIECE);
	assert_true(told.is_whole && !told.is_too_long);
	assert_int_equal(holdings.held, 0);
}

static void too_long_an_answer_is_given_up(void **state)
{
	(void)state;
	allow(10 * MOST);
	(void)start(true);
	answer_pieces(20);
	loop_run(loop);
	assert_int_equal(told.calls, 1);
	assert_true(told.is_too_long && !told.is_whole);
	assert_int_equal(told.len, MOST);
	assert_true(upstreams[upstream_count - 1].is_released);
	assert_int_equal(holdings.held, 0);
}

/* When all answers fill their memory little is enough to be too long. */
static void little_is_kept_when_there_is_no_room(void **state)
{
	(void)state;
	allow(10 * MOST);
	holdings.held = 11 * MOST;
	(void)start(true);
	answer_pieces(2);
	assert_int_equal(exchanges_count(all), 1);
	answer_pieces(1);
	loop_run(loop);
	assert_true(told.is_too_long && !told.is_whole);
	assert_int_equal(told.len, LEAST);
	/* Of others a part is enough. */
	(void)start(false);
	answer_pieces(4);
	answer_end(upstream_count - 1);
	assert_true(told.is_too_long && !told.is_whole);
	assert_int_equal(told.len, LEAST);
	assert_int_equal(holdings.held, 11 * MOST);
}

static void what_is_cancelled_counts_no_more(void **state)
{
	(void)state;
	allow(10 * MOST);
	struct own_request *started = start(true);
	answer_pieces(3);
	own_request_cancel(&started, "enough");
	assert_null(started);
	assert_int_equal(exchanges_count(all), 0);
	run_for(1);
	assert_int_equal(told.calls, 0);
	assert_int_equal(holdings.held, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_that_is_kept_counts),
	    TEST(too_long_an_answer_is_given_up),
	    TEST(little_is_kept_when_there_is_no_room),
	    TEST(what_is_cancelled_counts_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
