/* Both ends of the bus together: many subscribers, restarts, and a publisher that is killed at any
 * moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/publisher.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/directory/subscriber.h"
#include "tests/unit/bus_chaos.h"
#include "tests/unit/bus_fixture.h"

#define WAIT_MS	    60000
#define NODES_MAX   30
#define CHAOS_NODES 4

/* One kubeproxyd, as far as the bus goes. */
struct node {
	struct metrics *metrics;
	struct directory *directory;
	struct subscriber *subscriber;
};

struct party {
	struct bus_world world;
	struct settings *settings;
	struct node nodes[NODES_MAX];
	size_t count;
	int64_t sequence;
	struct message_digest digest; /* that all must have */
};

static void start_node(struct party *party, size_t i)
{
	char instance[16];
	struct node *node = &party->nodes[i];
	snprintf(instance, sizeof instance, "i%zu", i);
	node->metrics = metrics_new();
	node->directory =
	    directory_new(party->world.loop, node->metrics, party->settings, instance);
	node->subscriber = subscriber_new(
	    party->world.loop, node->metrics, party->settings, instance, node->directory);
}

static void stop_node(struct party *party, size_t i)
{
	subscriber_free(&party->nodes[i].subscriber);
	directory_free(&party->nodes[i].directory);
	metrics_free(&party->nodes[i].metrics);
}

static void open_party(struct party *party, size_t count)
{
	memset(party, 0, sizeof *party);
	log_set_level(LOG_LEVEL_ERROR);
	bus_world_open(&party->world);
	party->settings = bus_settings(&party->world);
	party->count = count;
	for (size_t i = 0; i < count; i++)
		start_node(party, i);
}

static void close_party(struct party *party)
{
	for (size_t i = 0; i < party->count; i++)
		stop_node(party, i);
	bus_settings_free(&party->settings);
	bus_world_close(&party->world);
}

static bool have_all(void *arg)
{
	const struct party *party = arg;
	for (size_t i = 0; i < party->count; i++) {
		struct directory_status status = directory_status(party->nodes[i].directory);
		if (status.is_stale || (int64_t)status.sequence != party->sequence ||
		    !message_digest_equal(
			directory_digest(party->nodes[i].directory), &party->digest))
			return false;
	}
	return true;
}

/* How long it took, in ms. */
static int64_t assert_all_have(struct party *party, const char *when)
{
	struct mono begin = mono_now();
	if (bus_wait(&party->world, have_all, party, WAIT_MS))
		return mono_since(begin).ms;
	for (size_t i = 0; i < party->count; i++) {
		struct directory_status status = directory_status(party->nodes[i].directory);
		if (status.is_stale || (int64_t)status.sequence != party->sequence)
			print_message("node %zu: sequence %llu, wanted %lld, stale %d\n", i,
			    (unsigned long long)status.sequence, (long long)party->sequence,
			    status.is_stale);
	}
	fail_msg("not all have converged %s", when);
	return 0;
}

/* --- one process */

static void change(struct party *party, struct publisher *publisher, size_t i, int64_t variant)
{
	char name[24];
	snprintf(name, sizeof name, "c%05zu", i);
	char *resource = bus_resource(name, variant);
	const struct publisher_change one = bus_change(name, ++party->sequence, resource);
	message_digest_toggle(&party->digest, name, one.revision, one.resource, one.resource_len);
	publisher_publish(publisher, &one, 1);
	free(resource);
}

static struct publisher *publish_empty(struct party *party, struct metrics *metrics, uint64_t epoch)
{
	char *error = NULL;
	const struct publisher_options options = {.socket_path = party->world.socket,
	    .group = "test",
	    .epoch = epoch,
	    .heartbeat = duration_seconds(5)}; /* thirty nodes share one busy thread */
	memset(&party->digest, 0, sizeof party->digest);
	struct publisher *publisher = publisher_new(
	    party->world.loop, metrics, &options, NULL, 0, party->sequence, NULL, NULL, &error);
	if (publisher == NULL)
		fail_msg("%s", error);
	return publisher;
}

static void test_thirty_subscribers(void **state)
{
	(void)state;
	struct party party;
	struct metrics *metrics = metrics_new();
	open_party(&party, NODES_MAX);
	struct publisher *publisher = publish_empty(&party, metrics, 1);
	for (size_t i = 0; i < 300; i++)
		change(&party, publisher, i, 0);
	print_message("300 clusters at 30 subscribers: %lld ms\n",
	    (long long)assert_all_have(&party, "at the beginning"));
	for (size_t i = 300; i < 1000; i++)
		change(&party, publisher, i, 1);
	print_message(
	    "700 more: %lld ms\n", (long long)assert_all_have(&party, "after 700 changes"));
	/* Its successor begins with less. */
	publisher_free(&publisher);
	metrics_free(&metrics);
	metrics = metrics_new();
	publisher = publish_empty(&party, metrics, 2);
	for (size_t i = 500; i < 600; i++)
		change(&party, publisher, i, 2);
	print_message(
	    "a restart: %lld ms\n", (long long)assert_all_have(&party, "after a restart"));
	assert_int_equal(directory_status(party.nodes[7].directory).served, 100);
	publisher_free(&publisher);
	metrics_free(&metrics);
	close_party(&party);
}

/* --- killed at any moment */

static unsigned long rounds(void)
{
	const char *text = getenv("EKSGATE_ROUNDS");
	return text != NULL ? strtoul(text, NULL, 10) : 8;
}

static void test_killed_publishers(void **state)
{
	(void)state;
	struct party party;
	int64_t worst = 0;
	open_party(&party, CHAOS_NODES);
	for (unsigned long round = 0; round < rounds(); round++) {
		/* Some busy publishers, each killed; meanwhile a subscriber starts anew. */
		for (unsigned i = 0; i < 3; i++) {
			pid_t pid = chaos_start(&party.world, round * 10 + i + 1, false);
			bus_run(&party.world, 20 + random() % 200);
			if (i == round % 3) {
				stop_node(&party, round % CHAOS_NODES);
				start_node(&party, round % CHAOS_NODES);
			}
			chaos_kill(pid);
		}
		chaos_expected(&party.world, &party.sequence, &party.digest);
		pid_t pid = chaos_start(&party.world, round * 10 + 9, true);
		int64_t took = assert_all_have(&party, "after the kills");
		worst = took > worst ? took : worst;
		chaos_kill(pid);
	}
	print_message("%lu rounds, %lu kills, %lld changes; worst convergence %lld ms\n", rounds(),
	    rounds() * 4, (long long)party.sequence, (long long)worst);
	close_party(&party);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], CHAOS_ARGUMENT) == 0)
		chaos_publish(argv + 2);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_thirty_subscribers),
	    cmocka_unit_test(test_killed_publishers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
