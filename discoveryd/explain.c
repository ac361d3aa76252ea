/* Explanations are put together from what is in memory: the registry, the scopes' last outcome, and
 * the clusters that a scope saw and does not serve. Asked over the admin socket. */
#include "discoveryd/explain.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/kube_cluster.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/account.h"
#include "discoveryd/discovery.h"
#include "discoveryd/explain_causes.h"
#include "discoveryd/guard.h"
#include "discoveryd/registry.h"
#include "discoveryd/roster.h"
#include "discoveryd/scope.h"

/* --- matchers --------------------------------------------------------------------------------- */

/* Labels that are given after matching. */
static bool is_late_label(const char *key)
{
	static const char *const late[] = {
	    LABEL_ORIGIN, LABEL_DISCOVERY_TYPE, LABEL_DISCOVERY_GROUP, LABEL_DISCOVERED_NAME};
	for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
		if (strcmp(late[i], key) == 0)
			return true;
	}
	return false;
}

static bool names_region(
    const struct aws_matcher *matcher, const struct account *account, const char *region)
{
	for (size_t i = 0; i < matcher->region_count; i++) {
		if (strcmp(matcher->regions[i], region) == 0)
			return true;
		if (strcmp(matcher->regions[i], "*") == 0 && account_has_region(account, region))
			return true;
	}
	return false;
}

/* The number of the account in which `account` acts, as far as its role or a cluster of it tells
 * (free()); NULL when it is not known. */
static char *account_number(const struct explain_sources *sources, const struct account *account)
{
	if (account->account_id != NULL)
		return xstrdup(account->account_id);
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(sources->discovery, scope)) != NULL) {
		if (scope->account != account)
			continue;
		const struct cluster_item *item =
		    cluster_set_next_of(registry_set(sources->registry), scope->id, NULL);
		if (item != NULL)
			return xstrdup(item->cluster->aws.account_id);
		struct eks_arn parts;
		for (size_t i = 0; i < scope->seen_count; i++) {
			if (scope->seen[i].arn != NULL && eks_arn_parse(scope->seen[i].arn, &parts))
				return xstrdup(parts.account_id);
		}
	}
	return NULL;
}

/* Whether the matcher looks where the cluster is: "yes", or why not: "account", "region", with the
 * words for it in *why (free()). */
static const char *find_coverage(const struct explain_sources *sources,
    const struct aws_matcher *matcher, const struct eks_arn *parts, char **why)
{
	const struct account *account =
	    discovery_account_for(sources->discovery, matcher, parts->account_id);
	if (account == NULL) {
		char *whom = roster_text(matcher);
		*why = xasprintf("does not act in account %s: %s", parts->account_id, whom);
		free(whom);
		return "account";
	}
	char *number = account_number(sources, account);
	bool is_elsewhere = number != NULL && strcmp(number, parts->account_id) != 0;
	if (is_elsewhere)
		*why = xasprintf(
		    "acts in account %s, the cluster is in %s", number, parts->account_id);
	free(number);
	if (is_elsewhere)
		return "account";
	if (names_region(matcher, account, parts->region))
		return "yes";
	*why = xasprintf("does not look at region %s", parts->region);
	return "region";
}

/* One matcher's verdict; `labels` NULL when they are not known. */
static struct json_object *explain_matcher(const struct explain_sources *sources,
    const struct aws_matcher *matcher, const struct eks_arn *parts, const struct labels *labels)
{
	struct json_object *object = json_object_new_object();
	char *selector = selector_text(matcher->tags), *identity = roster_text(matcher),
	     *why = NULL;
	const char *coverage = find_coverage(sources, matcher, parts, &why);
	bool is_match =
	    why == NULL && labels != NULL && selector_explain(matcher->tags, labels, &why);
	json_object_object_add(object, "line", json_object_new_int((int)matcher->line));
	json_add_string(object, "identity", identity);
	json_add_string(object, "tags", selector);
	json_add_string(object, "coverage", coverage);
	json_object_object_add(object, "matches", json_object_new_boolean(is_match));
	if (why == NULL && !is_match)
		why = xstrdup("its tags are not known");
	json_add_string(object, "why", why);
	free(selector);
	free(identity);
	free(why);
	return object;
}

static void add_matchers(struct json_object *object, const struct explain_sources *sources,
    const char *arn, const struct labels *labels)
{
	struct eks_arn parts;
	if (!eks_arn_parse(arn, &parts))
		return;
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < sources->settings->discovery.matcher_count; i++) {
		const struct aws_matcher *matcher = &sources->settings->discovery.matchers[i];
		json_object_array_add(array, explain_matcher(sources, matcher, &parts, labels));
	}
	json_object_object_add(object, "matchers", array);
}

/* --- clusters that are served ---------------------------------------------------------------- */

static void add_claims(struct json_object *object, const struct cluster_item *item)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < item->claim_count; i++) {
		struct json_object *claim = json_object_new_object();
		json_add_string(claim, "scope", item->claims[i].scope);
		json_object_object_add(
		    claim, "absences", json_object_new_int((int)item->claims[i].absences));
		json_object_array_add(array, claim);
	}
	json_object_object_add(object, "wanted_by", array);
}

/* What the scopes saw last, when it is not plainly well. */
static void add_last_seen(
    struct json_object *object, const struct discovery *discovery, const char *arn)
{
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(discovery, scope)) != NULL) {
		for (size_t i = 0; i < scope->seen_count; i++) {
			const struct judgement *judgement = &scope->seen[i];
			if (judgement->verdict == VERDICT_SERVED || judgement->arn == NULL ||
			    strcmp(judgement->arn, arn) != 0)
				continue;
			json_add_string(object, "verdict", verdict_text(judgement->verdict));
			json_add_string(object, "status", judgement->status);
			json_add_string(object, "last_seen", judgement->detail);
		}
	}
}

static struct json_object *explain_item(
    const struct explain_sources *sources, const struct cluster_item *item)
{
	const struct kube_cluster *cluster = item->cluster;
	struct json_object *object = json_object_new_object();
	struct labels labels = {0};
	for (size_t i = 0; i < cluster->labels.count; i++) {
		if (!is_late_label(cluster->labels.items[i].key))
			labels_set(
			    &labels, cluster->labels.items[i].key, cluster->labels.items[i].value);
	}
	json_object_object_add(object, "served", json_object_new_boolean(true));
	json_add_string(object, "name", cluster->name);
	json_add_string(object, "eks_name", cluster->aws.name);
	json_add_string(object, "arn", cluster->aws.arn);
	json_add_string(object, "phase", cluster->status.phase);
	json_add_string(object, "reason", cluster->status.reason);
	json_object_object_add(object, "revision", json_object_new_int64(cluster->revision));
	char *held = guard_held_text(sources->guard, cluster->aws.arn);
	json_add_string(object, "removal_held", held);
	free(held);
	if (sources->state != NULL)
		json_object_object_add(object, "state", sources->state(sources->arg, item));
	add_last_seen(object, sources->discovery, cluster->aws.arn);
	add_claims(object, item);
	add_matchers(object, sources, cluster->aws.arn, &labels);
	labels_free(&labels);
	return object;
}

static bool is_about(const char *query, const char *name, const char *eks_name, const char *arn)
{
	return (name != NULL && strcmp(query, name) == 0) ||
	       (eks_name != NULL && strcmp(query, eks_name) == 0) ||
	       (arn != NULL && strcmp(query, arn) == 0);
}

static void add_items(
    struct json_object *clusters, const struct explain_sources *sources, const char *query)
{
	const struct cluster_set *set = registry_set(sources->registry);
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(set, item)) != NULL) {
		const struct kube_cluster *cluster = item->cluster;
		if (is_about(query, cluster->name, cluster->aws.name, cluster->aws.arn))
			json_object_array_add(clusters, explain_item(sources, item));
	}
}

/* --- clusters that were seen and are not served ---------------------------------------------- */

static struct json_object *explain_judgement(const struct explain_sources *sources,
    const struct scope *scope, const struct judgement *judgement)
{
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, "served", json_object_new_boolean(false));
	json_add_string(object, "eks_name", judgement->name);
	json_add_string(object, "arn", judgement->arn);
	json_add_string(object, "scope", scope->id);
	json_add_string(object, "verdict", verdict_text(judgement->verdict));
	json_add_string(object, "status", judgement->status);
	json_add_string(object, "reason", judgement->detail);
	if (judgement->arn != NULL)
		add_matchers(object, sources, judgement->arn, &judgement->labels);
	return object;
}

/* Whether the cluster of the judgement is in the registry: then the registry tells about it. */
static bool is_item(const struct explain_sources *sources, const struct judgement *judgement)
{
	return judgement->arn != NULL &&
	       cluster_set_find_arn(registry_set(sources->registry), judgement->arn) != NULL;
}

static void add_judgements(
    struct json_object *clusters, const struct explain_sources *sources, const char *query)
{
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(sources->discovery, scope)) != NULL) {
		for (size_t i = 0; i < scope->seen_count; i++) {
			const struct judgement *judgement = &scope->seen[i];
			if (is_about(query, NULL, judgement->name, judgement->arn) &&
			    !is_item(sources, judgement))
				json_object_array_add(
				    clusters, explain_judgement(sources, scope, judgement));
		}
	}
}

/* --- clusters that were not seen ------------------------------------------------------------- */

/* An ARN tells where to look, even when nobody did. */
static void add_unseen(
    struct json_object *clusters, const struct explain_sources *sources, const char *query)
{
	struct eks_arn parts;
	if (json_object_array_length(clusters) > 0 || !eks_arn_parse(query, &parts))
		return;
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, "served", json_object_new_boolean(false));
	json_add_string(object, "eks_name", parts.name);
	json_add_string(object, "arn", query);
	json_add_string(object, "verdict", "unseen");
	add_matchers(object, sources, query, NULL);
	json_object_array_add(clusters, object);
}

static void add_removed(
    struct json_object *object, const struct registry *registry, const char *query)
{
	const struct tombstone *tombstone = registry_find_tombstone(registry, query);
	if (tombstone == NULL)
		return;
	struct json_object *removed = json_object_new_object();
	char at[UNIX_TIME_TEXT];
	json_add_string(removed, "name", tombstone->name);
	json_add_string(removed, "arn", tombstone->arn);
	json_add_string(removed, "reason", removal_reason_text(tombstone->reason));
	json_add_string(removed, "detail", tombstone->detail);
	json_add_string(removed, "renamed_to", tombstone->renamed_to);
	json_add_string(removed, "at", unix_time_text(tombstone->removed_at, at));
	json_object_object_add(object, "removed", removed);
}

/* Scopes in which it could be without our knowing: of its region when that is known. */
static struct json_object *blind_scopes(const struct discovery *discovery, const char *query)
{
	struct json_object *array = json_object_new_array();
	struct eks_arn parts;
	bool is_arn = eks_arn_parse(query, &parts);
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(discovery, scope)) != NULL) {
		bool is_blind = !scope->has_outcome || scope->error.outcome != AWS_OK ||
				scope->seen_forgotten > 0;
		if (is_blind && (!is_arn || strcmp(parts.region, scope->region) == 0))
			json_object_array_add(array, scope_to_json(scope));
	}
	return array;
}

/* --- public ----------------------------------------------------------------------------------- */

static bool is_any_served(struct json_object *clusters)
{
	for (size_t i = 0; i < json_object_array_length(clusters); i++) {
		struct json_object *served = NULL;
		json_object_object_get_ex(
		    json_object_array_get_idx(clusters, i), "served", &served);
		if (json_object_get_boolean(served))
			return true;
	}
	return false;
}

struct json_object *explain(const struct explain_sources *sources, const char *query)
{
	struct json_object *object = json_object_new_object(), *clusters = json_object_new_array();
	add_items(clusters, sources, query);
	add_judgements(clusters, sources, query);
	add_unseen(clusters, sources, query);
	bool is_served = is_any_served(clusters);
	json_add_string(object, "query", query);
	json_object_object_add(object, "served", json_object_new_boolean(is_served));
	json_object_object_add(object, "clusters", clusters);
	if (!is_served)
		add_removed(object, sources->registry, query);
	json_object_object_add(object, "scopes",
	    is_served ? json_object_new_array() : blind_scopes(sources->discovery, query));
	if (!is_served) {
		json_object_object_add(
		    object, "wildcards", discovery_wildcards_to_json(sources->discovery));
		json_object_object_add(
		    object, "organizations", discovery_organizations_to_json(sources->discovery));
	}
	json_add_string(object, "registry_error", sources->registry_error);
	json_add_string(object, "reload_error", sources->reload_error);
	json_object_object_add(object, "causes", explain_causes(object));
	return object;
}
