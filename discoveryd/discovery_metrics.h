/* The metric families of discovery, "eksgate_discovery_…", made once per process. */
#ifndef EKSGATE_DISCOVERY_METRICS_H
#define EKSGATE_DISCOVERY_METRICS_H

#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/mono.h"

struct metrics;
struct metric;
struct sweep_result;

struct discovery_metrics {
	struct metric *calls;
	struct metric *throttles;
	struct metric *sweeps;
	struct metric *sweep_seconds;
	struct metric *changes;
	struct metric *commit_failures;
	struct metric *clusters;
	struct metric *scope_clusters;
	struct metric *scope_age;
	struct metric *held;
	struct metric *registry_sequence, *registry_tombstones, *registry_looks;
	struct metric *seal_seconds;
};

struct discovery_metrics *discovery_metrics_new(struct metrics *metrics) MUST_USE;
void discovery_metrics_free(struct discovery_metrics **metrics);

/* The account is that of the identity that asked, "own" when its text names none. */
void discovery_metrics_call(struct discovery_metrics *metrics, const char *operation,
    const char *region, const struct aws_reply *reply);
void discovery_metrics_sweep(
    struct discovery_metrics *metrics, const char *scope, const struct sweep_result *result);

#endif
