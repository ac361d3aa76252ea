/* `discoveryd scan`: the daemon's own discovery and reconciliation against an empty set that is
 * thrown away. Shows what a first pass would enrol, what it would leave and why, and which scopes
 * failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_call.h"
#include "common/fetch.h"
#include "common/json.h"
#include "common/kube_cluster.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/cluster_set.h"
#include "discoveryd/commands.h"
#include "discoveryd/discovery.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/reconcile.h"
#include "discoveryd/scope.h"
#include "discoveryd/status_text.h"

struct scan {
	struct loop *loop;
	const struct settings *settings;
	struct discovery *discovery;
	struct cluster_set *set;
};

/* --- settings --------------------------------------------------------------------------------- */

/* A configuration that looks at `regions` with the own identity and takes every cluster. */
static struct settings *settings_for_regions(const char *regions, char **error)
{
	struct buf text = {0};
	buf_append_text(&text, "version: v3\n"
			       "discovery_service:\n"
			       "  enabled: true\n"
			       "  aws:\n"
			       "  - types: [\"eks\"]\n"
			       "    tags: {\"*\": \"*\"}\n"
			       "    regions:\n");
	while (*regions != '\0') {
		size_t len = strcspn(regions, ",");
		buf_printf(&text, "    - '%.*s'\n", (int)len, regions);
		regions += len + (regions[len] == ',');
	}
	struct settings *settings = settings_parse("--regions", buf_text(&text), text.len, error);
	buf_free(&text);
	return settings;
}

static struct settings *load(const struct cli *cli, char **error)
{
	struct settings *settings = cli->regions != NULL ? settings_for_regions(cli->regions, error)
							 : settings_load(cli->config, error);
	if (settings == NULL || settings->discovery.matcher_count > 0)
		return settings;
	*error =
	    xasprintf("%s: discovery_service has no aws: list, so there is nothing to look for",
		settings->path);
	settings_free(&settings);
	return NULL;
}

/* --- the pass --------------------------------------------------------------------------------- */

static bool on_swept(
    void *arg, struct scope *scope, const struct sweep_result *result, char **error)
{
	(void)error;
	struct scan *scan = arg;
	struct reconcile_input input = {.set = scan->set,
	    .scope = scope->id,
	    .matchers = scope->matchers,
	    .matcher_count = scope->matcher_count,
	    .group = scan->settings->discovery.group,
	    .result = result};
	struct reconcile_output output;
	reconcile_scope(&input, &output);
	for (size_t i = 0; i < output.changes.count; i++) {
		struct registry_change *change = &output.changes.items[i];
		if (change->kind != REGISTRY_PUT)
			continue;
		cluster_set_put(scan->set, change->item);
		change->item = NULL;
	}
	scope_remember(scope, result, output.judgements, output.judgement_count);
	reconcile_output_free(&output);
	if (discovery_is_complete(scan->discovery))
		loop_stop(scan->loop);
	return true;
}

/* No scope may come of an account whose regions cannot be told. */
static void on_scopes(void *arg)
{
	struct scan *scan = arg;
	if (scan->discovery != NULL && discovery_is_complete(scan->discovery))
		loop_stop(scan->loop);
}

/* --- printing --------------------------------------------------------------------------------- */

static struct json_object *clusters_to_json(const struct scan *scan)
{
	struct json_object *array = json_object_new_array();
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(scan->set, item)) != NULL)
		json_object_array_add(array, kube_cluster_to_json(item->cluster));
	return array;
}

/* Why no matcher wants it: what each misses (free()). */
static char *missed_by_matchers(const struct scope *scope, const struct labels *labels)
{
	struct buf text = {0};
	for (size_t i = 0; i < scope->matcher_count; i++) {
		char *why = NULL;
		if (!selector_explain(scope->matchers[i]->tags, labels, &why))
			buf_printf(&text, "%sline %u: %s", text.len > 0 ? "; " : "",
			    scope->matchers[i]->line, why);
		free(why);
	}
	return buf_take(&text);
}

static char *reason_of(const struct scope *scope, const struct judgement *judgement)
{
	if (judgement->detail != NULL || judgement->verdict != VERDICT_UNMATCHED)
		return xstrdup_or_null(judgement->detail);
	return missed_by_matchers(scope, &judgement->labels);
}

static struct json_object *left_to_json(const struct scan *scan)
{
	struct json_object *array = json_object_new_array();
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(scan->discovery, scope)) != NULL) {
		for (size_t i = 0; i < scope->seen_count; i++) {
			const struct judgement *judgement = &scope->seen[i];
			if (judgement->verdict == VERDICT_SERVED)
				continue;
			struct json_object *object = json_object_new_object();
			char *why = reason_of(scope, judgement);
			json_add_string(object, "eks_name", judgement->name);
			json_add_string(object, "arn", judgement->arn);
			json_add_string(object, "scope", scope->id);
			json_add_string(object, "verdict", verdict_text(judgement->verdict));
			json_add_string(object, "status", judgement->status);
			json_add_string(object, "reason", why);
			json_object_array_add(array, object);
			free(why);
		}
	}
	return array;
}

/* Some matcher names the region; "*" passes over regions that are not enabled. */
static bool is_named(const struct scope *scope)
{
	for (size_t i = 0; i < scope->matcher_count; i++) {
		if (strcmp(scope->matchers[i]->regions[0], "*") != 0)
			return true;
	}
	return false;
}

static bool is_failed(const struct scope *scope)
{
	return scope->state == SCOPE_BACKOFF || (scope->state == SCOPE_DISABLED && is_named(scope));
}

static struct json_object *scopes_to_json(const struct scan *scan, bool only_failed)
{
	struct json_object *array = json_object_new_array();
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(scan->discovery, scope)) != NULL) {
		if (!only_failed || is_failed(scope))
			json_object_array_add(array, scope_to_json(scope));
	}
	return array;
}

static void append_table(struct buf *out, const char *heading, struct json_object *items,
    const struct render_column *columns, size_t count)
{
	if (json_object_array_length(items) > 0) {
		buf_printf(out, "\n%s\n", heading);
		render_table(out, items, columns, count);
	}
	json_object_put(items);
}

static void append_problems(struct buf *out, const struct scan *scan)
{
	struct json_object *problems = json_object_new_object();
	json_object_object_add(problems, "scopes", scopes_to_json(scan, true));
	json_object_object_add(problems, "wildcards", discovery_wildcards_to_json(scan->discovery));
	json_object_object_add(
	    problems, "organizations", discovery_organizations_to_json(scan->discovery));
	status_write_problems(out, problems);
	json_object_put(problems);
}

static void append_tables(struct buf *out, const struct scan *scan)
{
	static const struct render_column clusters[] = {{"NAME", "metadata.name"},
	    {"EKS NAME", "spec.aws.name"}, {"REGION", "spec.aws.region"},
	    {"ACCOUNT", "spec.aws.account_id"}, {"REASON", "status.reason"}};
	static const struct render_column left[] = {{"EKS NAME", "eks_name"}, {"SCOPE", "scope"},
	    {"VERDICT", "verdict"}, {"STATUS", "status"}, {"REASON", "reason"}};
	static const struct render_column wildcards[] = {{"REGIONS OF", "identity"},
	    {"FROM", "regions_from"}, {"COUNT", "regions"}, {"PROBLEM", "error.outcome"}};
	static const struct render_column organizations[] = {{"ACCOUNTS OF", "organization"},
	    {"STATE", "state"}, {"COUNT", "accounts"}, {"PROBLEM", "error.outcome"}};
	buf_printf(out, "%zu clusters would be enrolled\n", cluster_set_count(scan->set));
	append_table(out, "Clusters:", clusters_to_json(scan), clusters,
	    sizeof clusters / sizeof clusters[0]);
	append_table(out, "Not enrolled:", left_to_json(scan), left, sizeof left / sizeof left[0]);
	append_table(out, "Organizations:", discovery_organizations_to_json(scan->discovery),
	    organizations, sizeof organizations / sizeof organizations[0]);
	append_table(out, "Regions:", discovery_wildcards_to_json(scan->discovery), wildcards,
	    sizeof wildcards / sizeof wildcards[0]);
	append_problems(out, scan);
}

static void append_document(struct buf *out, const struct scan *scan, enum render_format format)
{
	struct json_object *document = json_object_new_object();
	json_object_object_add(document, "clusters", clusters_to_json(scan));
	json_object_object_add(document, "not_enrolled", left_to_json(scan));
	json_object_object_add(
	    document, "organizations", discovery_organizations_to_json(scan->discovery));
	json_object_object_add(document, "wildcards", discovery_wildcards_to_json(scan->discovery));
	json_object_object_add(document, "scopes", scopes_to_json(scan, false));
	render_document(out, document, format);
	json_object_put(document);
}

static bool is_whole(const struct scan *scan)
{
	struct json_object *failed = scopes_to_json(scan, true);
	bool is_whole = json_object_array_length(failed) == 0;
	json_object_put(failed);
	const struct account *account = NULL;
	while ((account = discovery_next_account(scan->discovery, account)) != NULL)
		is_whole &= !account->is_wildcard || account->source != ACCOUNT_REGIONS_UNKNOWN;
	return is_whole && discovery_knows_accounts(scan->discovery);
}

static void print_scan(const struct scan *scan, enum render_format format)
{
	struct buf out = {0};
	if (format == RENDER_TABLE)
		append_tables(&out, scan);
	else
		append_document(&out, scan, format);
	fputs(buf_text(&out), stdout);
	buf_free(&out);
}

/* --- public ----------------------------------------------------------------------------------- */

static int scan_with(const struct settings *settings, enum render_format format)
{
	struct scan scan = {.loop = loop_new(), .settings = settings, .set = cluster_set_new()};
	struct metrics *metrics = metrics_new();
	struct discovery_metrics *families = discovery_metrics_new(metrics);
	struct fetcher *fetcher = fetcher_new(scan.loop);
	struct aws_context *aws = aws_context_new(scan.loop, fetcher);
	struct aws_provider *provider = aws_provider_default(aws);
	struct discovery_options options = {.loop = scan.loop,
	    .aws = aws,
	    .home_region = aws_home_region(aws),
	    .provider = provider,
	    .metrics = families,
	    .on_swept = on_swept,
	    .on_regions = on_scopes,
	    .arg = &scan};
	scan.discovery = discovery_new(&options);
	discovery_configure(scan.discovery, settings);
	loop_run(scan.loop);
	print_scan(&scan, format);
	int status = is_whole(&scan) ? EXIT_DONE : EXIT_NO;
	discovery_free(&scan.discovery);
	cluster_set_free(&scan.set);
	aws_provider_unref(&provider);
	aws_context_free(&aws);
	fetcher_free(&fetcher);
	discovery_metrics_free(&families);
	metrics_free(&metrics);
	loop_free(&scan.loop);
	return status;
}

int command_scan(const struct cli *cli)
{
	if (cli->regions != NULL && cli->has_config) {
		fprintf(stderr, "discoveryd: scan takes --regions or --config, not both\n");
		return EXIT_USAGE;
	}
	char *error = NULL;
	struct settings *settings = load(cli, &error);
	if (settings == NULL) {
		fprintf(stderr, "%s\n", error);
		free(error);
		return cli->regions != NULL ? EXIT_USAGE : EXIT_NO;
	}
	xmem_use_for_libevent();
	log_set_level(LOG_LEVEL_ERROR);
	int status = scan_with(settings, cli->format);
	settings_free(&settings);
	return status;
}
