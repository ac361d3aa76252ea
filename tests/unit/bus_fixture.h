/* A loop, a directory of its own, and resources, for the tests of the bus. */
#ifndef EKSGATE_TESTS_BUS_FIXTURE_H
#define EKSGATE_TESTS_BUS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "discoveryd/publisher.h"

struct loop;
struct settings;

struct bus_world {
	struct loop *loop;
	char *dir, *socket;
};

void bus_world_open(struct bus_world *world);
/* Removes the directory and what is in it. */
void bus_world_close(struct bus_world *world);

typedef bool bus_condition_fn(void *arg);
/* Runs the loop until the condition holds; false when it does not within `ms`. */
bool bus_wait(struct bus_world *world, bus_condition_fn *condition, void *arg, int64_t ms);
/* Runs the loop for so long. */
void bus_run(struct bus_world *world, int64_t ms);

/* Canonical text of a kube_cluster; `variant` goes into a label (free()). */
char *bus_resource(const char *name, int64_t variant);
/* As above with the identity of another cluster: `arn_name` is what EKS calls it. */
char *bus_resource_of(const char *name, const char *arn_name, int64_t variant);
/* What the subscriber and the directory read: group "test", everything served. */
struct settings *bus_settings(const struct bus_world *world);
void bus_settings_free(struct settings **settings);

/* Fills in one change; `resource` is borrowed, NULL removes. */
struct publisher_change bus_change(const char *name, int64_t revision, const char *resource);

#endif
