/* The resolver, as far as it goes without a name server: literals, /etc/hosts, names that cannot
 * be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/net/address.h"
#include "kubeproxyd/net/resolver.h"

struct world {
	struct loop *loop;
	struct timer *stop;
	struct resolver *resolver;
	unsigned answers;
	size_t count;
	char first[ADDRESS_TEXT_MAX];
	char *error;
};

static void on_stop(void *arg)
{
	loop_stop(arg);
}

static void on_answer(
    void *arg, const struct resolver_address *addresses, size_t count, const char *error)
{
	struct world *world = arg;
	world->answers++;
	world->count = count;
	if (count > 0)
		address_text((const struct sockaddr *)&addresses[0].address, world->first);
	assert_int_equal(count == 0, error != NULL);
	free(world->error);
	world->error = xstrdup_or_null(error);
	loop_stop(world->loop);
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	world->loop = loop_new();
	world->stop = timer_new(world->loop, on_stop, world->loop);
	world->resolver = resolver_new(world->loop);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	resolver_free(&world->resolver);
	timer_free(&world->stop);
	loop_free(&world->loop);
	free(world->error);
	free(world);
	return 0;
}

static void run(struct world *world, int64_t ms)
{
	timer_set(world->stop, duration_ms(ms));
	loop_run(world->loop);
}

static void look_up(struct world *world, const char *host)
{
	world->answers = 0;
	(void)resolver_lookup(world->resolver, host, 443, on_answer, world);
	assert_int_equal(world->answers, 0);
	run(world, 2000);
	if (world->answers != 1)
		fail_msg("%s: %u answers", host, world->answers);
}

static void answers_literals(void **state)
{
	static const struct {
		const char *host, *wanted;
	} rows[] = {
	    {"127.0.0.1", "127.0.0.1:443"},
	    {"::1", "[::1]:443"},
	    {"[2001:db8::7]", "[2001:db8::7]:443"},
	};
	struct world *world = *state;
	for (size_t i = 0; i < 3; i++) {
		look_up(world, rows[i].host);
		assert_int_equal(world->count, 1);
		assert_string_equal(world->first, rows[i].wanted);
	}
}

static void knows_the_hosts_file(void **state)
{
	struct world *world = *state;
	look_up(world, "localhost");
	assert_true(world->count > 0);
	assert_true(
	    strcmp(world->first, "127.0.0.1:443") == 0 || strcmp(world->first, "[::1]:443") == 0);
}

static void says_what_cannot_be_resolved(void **state)
{
	struct world *world = *state;
	char long_label[80] = "", long_name[400] = "";
	memset(long_label, 'a', 70);
	for (unsigned i = 0; i < 39; i++)
		strcat(long_name, "abcdefghi.");
	const char *const rows[] = {long_label, long_name};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		look_up(world, rows[i]);
		assert_int_equal(world->count, 0);
		assert_int_equal(strncmp(world->error, "resolve a", 9), 0);
		assert_non_null(strstr(world->error, ": "));
	}
}

static void answers_no_cancelled_query(void **state)
{
	static const char *const rows[] = {"127.0.0.1", "localhost"};
	struct world *world = *state;
	for (size_t i = 0; i < 2; i++) {
		struct resolver_query *query =
		    resolver_lookup(world->resolver, rows[i], 443, on_answer, world);
		resolver_cancel(&query);
		assert_null(query);
		resolver_cancel(&query);
		run(world, 10);
		assert_int_equal(world->answers, 0);
	}
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_WORLD(answers_literals),
	    WITH_WORLD(knows_the_hosts_file),
	    WITH_WORLD(says_what_cannot_be_resolved),
	    WITH_WORLD(answers_no_cancelled_query),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
