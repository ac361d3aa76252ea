/* How much a stream queues, and how its owner learns of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/net/holdings.h"
#include "tests/unit/stream_ends.h"

static void tells_full_and_drained(void **state)
{
	static const struct stream_options options = {.high_mark = 100000};
	struct world *world = *state;
	world_open(world, true, &options);
	stream_pause(world->accepted.stream);
	char *piece = xcalloc(1, 50000);
	size_t sent = 0;
	while (sent < (size_t)64 * 1024 * 1024) {
		while (!stream_is_full(world->client.stream)) {
			stream_write(world->client.stream, piece, 50000);
			sent += 50000;
		}
		assert_true(stream_queued(world->client.stream) <= 150000);
		unsigned drains = world->client.drains;
		world_wait(world, 10);
		if (world->client.drains == drains)
			break;
		assert_true(stream_queued(world->client.stream) <= 50000);
	}
	assert_true(stream_is_full(world->client.stream));
	world->client.drains = 0;
	stream_resume(world->accepted.stream);
	world_run(world, has_drained, &world->client);
	stream_end(world->client.stream);
	world_run(world, has_ended, &world->accepted);
	assert_int_equal(world->client.drains, 1);
	assert_int_equal(world->accepted.received.len, sent);
	free(piece);
}

/* While all holdings together are tight, much less is queued; what is queued is counted. */
static void holds_little_when_tight(void **state)
{
	static struct holdings holdings;
	static const struct stream_options options = {.high_mark = 100000, .holdings = &holdings};
	static const char piece[5000];
	struct world *world = *state;
	holdings = (struct holdings){.limit = 1000000};
	world_open(world, true, &options);
	for (size_t written = 0; written <= 100000; written += sizeof piece) {
		assert_false(stream_is_full(world->client.stream));
		stream_write(world->client.stream, piece, sizeof piece);
	}
	assert_true(stream_is_full(world->client.stream));
	assert_true(holdings.held >= 100000 && holdings.held < 300000);
	world_run(world, has_drained, &world->client);
	world_wait(world, 10);
	assert_int_equal(holdings.held, 0);
	holdings.held = 600000;
	for (size_t written = 0; written <= 16384; written += sizeof piece) {
		assert_false(stream_is_full(world->client.stream));
		stream_write(world->client.stream, piece, sizeof piece);
	}
	assert_true(stream_is_full(world->client.stream));
	stream_close(&world->client.stream);
	assert_int_equal(holdings.held, 600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tells_full_and_drained, world_set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(holds_little_when_tight, world_set_up, world_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
