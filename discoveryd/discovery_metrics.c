/* Families and how their values come about; gauges that mirror state are set by their owners on
 * collection. */
#include "discoveryd/discovery_metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/sweep.h"

#define ACCOUNT_TEXT 13 /* twelve digits */

static const double SWEEP_SECONDS[] = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 0};

static const double SEAL_SECONDS[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 0};

struct discovery_metrics *discovery_metrics_new(struct metrics *metrics)
{
	struct discovery_metrics *families = xcalloc(1, sizeof *families);
	families->calls = metrics_counter(metrics, "eksgate_discovery_aws_calls_total",
	    "AWS API calls, retries not counted", "operation account region outcome");
	families->throttles = metrics_counter(metrics, "eksgate_discovery_aws_throttles_total",
	    "Answers of AWS that throttle, each attempt counted", "operation account region");
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
	families->registry_sequence = metrics_gauge(metrics, "eksgate_discovery_registry_sequence",
	    "Revision of the last committed change", "");
	families->registry_tombstones = metrics_gauge(metrics,
	    "eksgate_discovery_registry_tombstones", "Removed names that are remembered", "");
	families->registry_looks = metrics_gauge(metrics, "eksgate_discovery_registry_looks",
	    "Clusters whose last description is remembered", "");
	families->seal_seconds =
	    metrics_histogram(metrics, "eksgate_discovery_registry_seal_seconds",
		"How long the disk took to keep the changes of a turn", "", SEAL_SECONDS);
	return families;
}

void discovery_metrics_free(struct discovery_metrics **metrics)
{
	xfree(metrics);
}

/* The account in "role arn:aws:iam::123456789012:role/x (from environment)", or "own". */
static void account_of(const char *identity, char account[ACCOUNT_TEXT])
{
	const char *at = identity != NULL ? strstr(identity, "arn:") : NULL;
	for (unsigned part = 0; part < 4 && at != NULL; part++) {
		at = strchr(at, ':');
		at = at != NULL ? at + 1 : NULL;
	}
	size_t len = at != NULL ? strspn(at, "0123456789") : 0;
	bool is_account = len == ACCOUNT_TEXT - 1 && at[len] == ':';
	snprintf(account, ACCOUNT_TEXT, "%.*s", is_account ? (int)len : 3, is_account ? at : "own");
}

void discovery_metrics_call(struct discovery_metrics *metrics, const char *operation,
    const char *region, const struct aws_reply *reply)
{
	char account[ACCOUNT_TEXT];
	account_of(reply->identity, account);
	metric_add(metrics->calls, 1, operation, account, region, aws_outcome_text(reply->outcome));
	if (reply->throttles > 0)
		metric_add(metrics->throttles, reply->throttles, operation, account, region);
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
