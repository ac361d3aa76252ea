/* Families and how their values come about; gauges that mirror state are set by their owners on
 * collection. */
#include "discoveryd/discovery_metrics.h"

#include <stdlib.h>

#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/sweep.h"

static const double SWEEP_SECONDS[] = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 0};

struct discovery_metrics *discovery_metrics_new(struct metrics *metrics)
{
	struct discovery_metrics *families = xcalloc(1, sizeof *families);
	families->calls = metrics_counter(metrics, "eksgate_discovery_aws_calls_total",
	    "AWS API calls, retries not counted", "operation region outcome");
	families->sweeps = metrics_counter(metrics, "eksgate_discovery_sweeps_total",
	    "Passes over a scope: settled, partial or failed", "scope outcome");
	families->sweep_seconds = metrics_histogram(
	    metrics, "eksgate_discovery_sweep_seconds", "How long a pass took", "", SWEEP_SECONDS);
	families->changes = metrics_counter(metrics, "eksgate_discovery_changes_total",
	    "Committed changes: created, updated, recreated, renamed, removed", "kind");
	families->commit_failures = metrics_counter(metrics,
	    "eksgate_discovery_commit_failures_total", "Changes that could not be recorded", "");
	families->clusters = metrics_gauge(
	    metrics, "eksgate_discovery_clusters", "Clusters in the registry", "phase");
	families->scope_clusters = metrics_gauge(metrics, "eksgate_discovery_scope_clusters",
	    "Clusters that the last complete listing of a scope saw", "scope");
	families->scope_age =
	    metrics_gauge(metrics, "eksgate_discovery_scope_last_success_age_seconds",
		"Time since a scope last settled; -1 when it never did", "scope");
	families->held = metrics_gauge(metrics, "eksgate_discovery_removals_held",
	    "Removals that wait for discoveryd confirm-removal", "");
	return families;
}

void discovery_metrics_free(struct discovery_metrics **metrics)
{
	xfree(metrics);
}

void discovery_metrics_call(struct discovery_metrics *metrics, const char *operation,
    const char *region, const struct aws_reply *reply)
{
	metric_add(metrics->calls, 1, operation, region, aws_outcome_text(reply->outcome));
}

static const char *outcome_of(const struct sweep_result *result)
{
	if (result->is_settled)
		return "settled";
	return result->is_listed ? "partial" : "failed";
}

void discovery_metrics_sweep(
    struct discovery_metrics *metrics, const char *scope, const struct sweep_result *result)
{
	metric_add(metrics->sweeps, 1, scope, outcome_of(result));
	metric_observe(metrics->sweep_seconds, (double)result->took.ms / 1000.0);
}
