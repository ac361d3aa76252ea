/* What the tests of the bus share. */
#include "tests/unit/bus_fixture.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/kube_cluster.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"

#define CHECK_MS 2
/* Base64 of a certificate's frame: nothing here looks inside. */
#define AUTHORITY "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

struct waiting {
	struct loop *loop;
	struct timer *timer;
	bus_condition_fn *condition;
	void *arg;
	struct mono until;
	bool is_met;
};

void bus_world_open(struct bus_world *world)
{
	world->loop = loop_new();
	world->dir = xstrdup("/tmp/eksgate-bus-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		abort();
	world->socket = xasprintf("%s/bus.sock", world->dir);
}

static void remove_tree(const char *path)
{
	DIR *directory = opendir(path);
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *file = xasprintf("%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			remove_tree(file);
		else
			unlink(file);
		free(file);
	}
	if (directory != NULL)
		closedir(directory);
	rmdir(path);
}

void bus_world_close(struct bus_world *world)
{
	loop_free(&world->loop);
	remove_tree(world->dir);
	free(world->dir);
	free(world->socket);
}

static void on_check(void *arg)
{
	struct waiting *waiting = arg;
	waiting->is_met = waiting->condition != NULL && waiting->condition(waiting->arg);
	if (waiting->is_met || mono_is_past(waiting->until))
		loop_stop(waiting->loop);
	else
		timer_set(waiting->timer, duration_ms(CHECK_MS));
}

bool bus_wait(struct bus_world *world, bus_condition_fn *condition, void *arg, int64_t ms)
{
	struct waiting waiting = {.loop = world->loop,
	    .condition = condition,
	    .arg = arg,
	    .until = mono_add(mono_now(), duration_ms(ms))};
	waiting.timer = timer_new(world->loop, on_check, &waiting);
	timer_set(waiting.timer, duration_ms(0));
	loop_run(world->loop);
	timer_free(&waiting.timer);
	return waiting.is_met;
}

void bus_run(struct bus_world *world, int64_t ms)
{
	(void)bus_wait(world, NULL, NULL, ms);
}

char *bus_resource_of(const char *name, const char *arn_name, int64_t variant)
{
	char text[32];
	struct kube_cluster cluster = {.name = (char *)(uintptr_t)name,
	    .aws = {.name = (char *)(uintptr_t)arn_name,
		.account_id = (char[]){"123456789012"},
		.region = (char[]){"eu-west-1"},
		.created_at = {1700000000000}},
	    .endpoint = (char[]){"https://abc.gr7.eu-west-1.eks.amazonaws.com"},
	    .certificate_authority = (char[]){AUTHORITY},
	    .authentication_mode = (char[]){"API"},
	    .status = {.phase = (char[]){"ready"}}};
	cluster.aws.arn = xasprintf("arn:aws:eks:eu-west-1:123456789012:cluster/%s", arn_name);
	snprintf(text, sizeof text, "v%" PRId64, variant);
	labels_set(&cluster.labels, "variant", text);
	char *resource = kube_cluster_to_text(&cluster);
	labels_free(&cluster.labels);
	free(cluster.aws.arn);
	return resource;
}

char *bus_resource(const char *name, int64_t variant)
{
	return bus_resource_of(name, name, variant);
}

struct settings *bus_settings(const struct bus_world *world)
{
	struct settings *settings = xcalloc(1, sizeof *settings);
	settings->bus.socket = xstrdup(world->socket);
	settings->bus.heartbeat = duration_ms(50);
	settings->discovery.group = xstrdup("test");
	settings->kubernetes.enabled = true;
	settings->kubernetes.resource_count = 1;
	settings->kubernetes.resources = xcalloc(1, sizeof *settings->kubernetes.resources);
	settings->kubernetes.resources[0].labels = selector_new();
	char *error;
	if (!selector_add(settings->kubernetes.resources[0].labels, "*", "*", &error))
		abort();
	settings->proxy.cache_dir = xasprintf("%s/cache", world->dir);
	settings->proxy.max_stale = duration_seconds(3600);
	return settings;
}

void bus_settings_free(struct settings **settings)
{
	free((*settings)->bus.socket);
	free((*settings)->discovery.group);
	selector_free(&(*settings)->kubernetes.resources[0].labels);
	free((*settings)->kubernetes.resources);
	free((*settings)->proxy.cache_dir);
	xfree(settings);
}

struct publisher_change bus_change(const char *name, int64_t revision, const char *resource)
{
	return (struct publisher_change){.name = name,
	    .revision = revision,
	    .resource = resource,
	    .resource_len = resource != NULL ? strlen(resource) : 0};
}
