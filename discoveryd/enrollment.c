/* The one place that changes the registry. Each change is logged once, when it is on the disk, with
 * its reason; the passes that end in one turn of the loop wait for the disk together. Orphans are
 * looked for by a timer, and only while every scope has been looked at since the configuration
 * changed. */
#include "discoveryd/enrollment.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access_texts.h"
#include "discoveryd/discovery.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/guard.h"
#include "discoveryd/reconcile.h"
#include "discoveryd/registry.h"
#include "discoveryd/scope.h"

#define ORPHANS_LONGEST_SECONDS 60
#define ORPHANS_SHORTEST_MS	1000
#define SEAL_AGAIN_SECONDS	1
/* Under this name the guard keeps removals of orphans. */
#define ORPHANS_SOURCE "orphans"

struct story;

struct enrollment {
	struct loop *loop;
	struct registry *registry;
	struct discovery *discovery;
	struct discovery_metrics *metrics;
	const struct settings *settings;
	char *group;
	struct guard *guard;
	struct timer *orphans;
	struct deferred seal; /* one wait for the disk for all passes that end in a turn */
	struct timer *seal_again;
	bool is_seal_failing; /* which `error` is about, then */
	struct story *stories; /* committed, not yet on the disk */
	size_t story_count;
	enrollment_hold_fn *hold;
	void *hold_arg;
	struct access_texts texts;
	struct deferred access; /* commits them */
	char *error;
};

/* --- telling ---------------------------------------------------------------------------------- */

/* What a change means, noted before the commit and logged after it. */
struct story {
	const char *kind; /* NULL: nothing that anybody follows */
	char *name, *arn, *reason, *was;
};

static const char *put_kind(const struct kube_cluster *old, const struct kube_cluster *cluster)
{
	if (old == NULL)
		return "created";
	if (!kube_cluster_is_same(old, cluster))
		return "recreated";
	if (strcmp(old->name, cluster->name) != 0)
		return "renamed";
	return kube_cluster_equal(old, cluster) ? NULL : "updated";
}

static struct story story_of(const struct registry *registry, const struct registry_change *change)
{
	bool is_put = change->kind == REGISTRY_PUT;
	const char *arn = is_put ? change->item->cluster->aws.arn : change->arn;
	const struct cluster_item *item = cluster_set_find_arn(registry_set(registry), arn);
	const struct kube_cluster *old = item != NULL ? item->cluster : NULL;
	struct story story = {
	    .arn = xstrdup(arn), .was = xstrdup_or_null(old != NULL ? old->name : NULL)};
	if (is_put) {
		story.kind = put_kind(old, change->item->cluster);
		story.name = xstrdup(change->item->cluster->name);
		story.reason = xstrdup_or_null(change->item->cluster->status.reason);
		return story;
	}
	story.kind = old != NULL ? "removed" : NULL;
	story.name = xstrdup_or_null(story.was);
	story.reason = xasprintf("%s: %s", removal_reason_text(change->reason),
	    change->detail != NULL ? change->detail : "no detail");
	return story;
}

static void tell_story(const struct enrollment *enrollment, const struct story *story)
{
	if (story->kind == NULL)
		return;
	metric_add(enrollment->metrics->changes, 1, story->kind);
	log_info("reconcile", story->kind, LOG_S("name", story->name), LOG_S("arn", story->arn),
	    LOG_S("was",
		story->was != NULL && strcmp(story->was, story->name) != 0 ? story->was : NULL),
	    LOG_S("reason", story->reason));
}

static void free_story(struct story *story)
{
	free(story->name);
	free(story->arn);
	free(story->reason);
	free(story->was);
}

/* --- committing ------------------------------------------------------------------------------- */

/* Their changes are on the disk. */
static void tell_stories(struct enrollment *enrollment)
{
	for (size_t i = 0; i < enrollment->story_count; i++)
		tell_story(enrollment, &enrollment->stories[i]);
}

static void forget_stories(struct enrollment *enrollment)
{
	for (size_t i = 0; i < enrollment->story_count; i++)
		free_story(&enrollment->stories[i]);
	xfree(&enrollment->stories);
	enrollment->story_count = 0;
}

static void keep_error(struct enrollment *enrollment, const char *error)
{
	xfree(&enrollment->error);
	enrollment->error = xstrdup_or_null(error);
	if (error != NULL)
		metric_add(enrollment->metrics->commit_failures, 1);
}

/* A cluster that still exists stays, as "removing", while what was made for it is cleaned up. */
static void hold_removals(struct enrollment *enrollment, struct registry_changes *changes)
{
	for (size_t i = 0; i < changes->count && enrollment->hold != NULL; i++) {
		struct registry_change *change = &changes->items[i];
		bool is_orphan = change->reason == REMOVAL_ORPHANED && !change->is_confirmed;
		if (change->kind != REGISTRY_REMOVE ||
		    (change->reason != REMOVAL_UNMATCHED && !is_orphan))
			continue;
		const struct cluster_item *old =
		    cluster_set_find_arn(registry_set(enrollment->registry), change->arn);
		if (old == NULL || !enrollment->hold(enrollment->hold_arg, old))
			continue;
		change->kind = REGISTRY_PUT;
		change->item = cluster_item_copy(old);
		free(change->item->cluster->status.phase);
		free(change->item->cluster->status.reason);
		change->item->cluster->status.phase = xstrdup("removing");
		change->item->cluster->status.reason =
		    xasprintf("%s: %s", removal_reason_text(change->reason),
			change->detail != NULL ? change->detail : "no detail");
	}
}

static bool commit(struct enrollment *enrollment, struct registry_changes *changes, char **error)
{
	if (changes->count == 0)
		return true;
	hold_removals(enrollment, changes);
	size_t before = enrollment->story_count;
	enrollment->stories = xreallocarray(
	    enrollment->stories, before + changes->count, sizeof *enrollment->stories);
	for (size_t i = 0; i < changes->count; i++)
		enrollment->stories[before + i] =
		    story_of(enrollment->registry, &changes->items[i]);
	enrollment->story_count += changes->count;
	bool is_done = registry_commit(enrollment->registry, changes, error);
	keep_error(enrollment, is_done ? NULL : *error);
	while (!is_done && enrollment->story_count > before)
		free_story(&enrollment->stories[--enrollment->story_count]);
	if (is_done)
		loop_defer(enrollment->loop, &enrollment->seal);
	return is_done;
}

static bool seal(struct enrollment *enrollment, char **error)
{
	struct mono begun = mono_now();
	if (!registry_seal(enrollment->registry, error))
		return false;
	metric_observe(enrollment->metrics->seal_seconds, (double)(mono_now().ns - begun.ns) / 1e9);
	tell_stories(enrollment);
	forget_stories(enrollment);
	return true;
}

/* What is committed and not on the disk is told to nobody; the next try may be luckier. */
static void on_seal(void *arg)
{
	struct enrollment *enrollment = arg;
	char *error = NULL;
	bool was_failing = enrollment->is_seal_failing;
	enrollment->is_seal_failing = !seal(enrollment, &error);
	if (was_failing && !enrollment->is_seal_failing)
		keep_error(enrollment, NULL);
	if (!enrollment->is_seal_failing)
		return;
	log_error("registry", "not-sealed", LOG_S("error", error));
	keep_error(enrollment, error);
	free(error);
	timer_set(enrollment->seal_again, duration_seconds(SEAL_AGAIN_SECONDS));
}

/* All that came in a turn, in one transaction. */
static void on_access(void *arg)
{
	struct enrollment *enrollment = arg;
	struct registry_changes changes = {0};
	char *error = NULL;
	access_texts_move(&enrollment->texts, registry_set(enrollment->registry), &changes);
	if (!commit(enrollment, &changes, &error))
		log_error("registry", "not-recorded", LOG_S("error", error));
	free(error);
	registry_changes_free(&changes);
}

/* Commits what the guard lets pass. `is_whole`: `source` looked at everything it has. */
static bool commit_guarded(struct enrollment *enrollment, const char *source, bool is_whole,
    struct registry_changes *changes, char **error)
{
	unsigned percent = enrollment->settings->removal.guard_percent;
	size_t before = guard_held_count(enrollment->guard);
	size_t held = guard_filter(
	    enrollment->guard, source, is_whole, percent, enrollment->registry, changes);
	if (held > 0 && guard_held_count(enrollment->guard) != before)
		log_warn("guard", "held", LOG_S("source", source), LOG_I("removals", held),
		    LOG_I("percent", percent),
		    LOG_S("remedy",
			"discoveryd status shows them, discoveryd confirm-removal lets them go"));
	return commit(enrollment, changes, error);
}

/* A refresh takes a new look at the one cluster that it names. */
static void release_seen(
    struct enrollment *enrollment, const char *source, const struct reconcile_output *output)
{
	for (size_t i = 0; i < output->judgement_count; i++) {
		if (output->judgements[i].arn != NULL)
			guard_release(enrollment->guard, source, output->judgements[i].arn);
	}
}

/* Whether the scope's last pass said the same of that cluster. */
static bool was_told(const struct scope *scope, const struct judgement *judgement)
{
	for (size_t i = 0; i < scope->seen_count; i++) {
		const struct judgement *before = &scope->seen[i];
		if (before->verdict == judgement->verdict && before->arn != NULL &&
		    strcmp(before->arn, judgement->arn) == 0)
			return true;
	}
	return false;
}

/* Clusters that match and cannot be served, such as one whose CA bundle is no PEM: told once. */
static void tell_unusable(const struct scope *scope, const struct reconcile_output *output)
{
	for (size_t i = 0; i < output->judgement_count; i++) {
		const struct judgement *judgement = &output->judgements[i];
		if (judgement->verdict != VERDICT_UNUSABLE || was_told(scope, judgement))
			continue;
		log_warn("reconcile", "unusable", LOG_S("arn", judgement->arn),
		    LOG_S("scope", scope->id), LOG_S("reason", judgement->detail));
	}
}

/* --- looks ------------------------------------------------------------------------------------ */

static bool is_claimed(
    const struct enrollment *enrollment, const struct scope *scope, const char *arn)
{
	const struct cluster_item *item =
	    cluster_set_find_arn(registry_set(enrollment->registry), arn);
	return item != NULL && cluster_item_claim(item, scope->id) != NULL;
}

/* What to remember of a sighting once the changes are committed: only an outcome that is settled,
 * so that a removal that is held back or waits for a complete pass is looked at again. */
static bool is_worth_a_look(const struct enrollment *enrollment, const struct scope *scope,
    const struct judgement *judgement)
{
	if (judgement->verdict == VERDICT_SERVED)
		return is_claimed(enrollment, scope, judgement->arn);
	return judgement->verdict == VERDICT_UNMATCHED &&
	       !is_claimed(enrollment, scope, judgement->arn);
}

static struct look *look_at(const struct enrollment *enrollment, const struct scope *scope,
    const struct sighting *sighting, const struct judgement *judgement)
{
	struct look *look = look_new(scope->id, sighting->name);
	if (sighting->kind != SIGHTING_FOUND || !is_worth_a_look(enrollment, scope, judgement))
		return look;
	look->arn = xstrdup(judgement->arn);
	look->status = xstrdup(judgement->status);
	look->is_served = judgement->verdict == VERDICT_SERVED;
	look->described_at = unix_now();
	memcpy(look->tags, sighting->tags, sizeof look->tags);
	return look;
}

struct looks {
	struct look **items;
	size_t count;
};

static void add_look(struct looks *looks, struct look *look)
{
	looks->items = xreallocarray(looks->items, looks->count + 1, sizeof(struct look *));
	looks->items[looks->count++] = look;
}

static int compare_sighting(const void *name, const void *sighting)
{
	return strcmp(name, ((const struct sighting *)sighting)->name);
}

/* What a complete listing does not have is forgotten. */
static void forget_unlisted(const struct look_set *set, const struct scope *scope,
    const struct sweep_result *result, struct looks *looks)
{
	const struct look *look = look_set_first_of(set, scope->id);
	for (; look != NULL && strcmp(look->scope, scope->id) == 0;
	     look = look_set_next(set, look)) {
		if (result->count == 0 || bsearch(look->name, result->sightings, result->count,
					      sizeof *result->sightings, compare_sighting) == NULL)
			add_look(looks, look_new(look->scope, look->name));
	}
}

static bool commit_looks(struct enrollment *enrollment, struct looks *looks, char **error)
{
	bool is_done =
	    registry_commit_looks(enrollment->registry, looks->items, looks->count, error);
	free(looks->items);
	return is_done;
}

/* A pass that could not use the tagging API describes everything anyway. */
static bool keep_looks(struct enrollment *enrollment, const struct scope *scope,
    const struct sweep_result *result, const struct reconcile_output *output, char **error)
{
	const struct look_set *set = registry_looks(enrollment->registry);
	struct looks looks = {0};
	if (!result->has_tags)
		return true;
	for (size_t i = 0; i < result->count; i++) {
		const struct sighting *sighting = &result->sightings[i];
		if (sighting->kind == SIGHTING_KNOWN)
			continue;
		struct look *look = look_at(enrollment, scope, sighting, &output->judgements[i]);
		bool is_nothing = look->described_at.ms == 0 &&
				  look_set_find(set, scope->id, sighting->name) == NULL;
		if (is_nothing)
			look_free(&look);
		else
			add_look(&looks, look);
	}
	forget_unlisted(set, scope, result, &looks);
	return commit_looks(enrollment, &looks, error);
}

/* Whether a served cluster is registered as it would be if it were described now. */
static bool is_as_it_should_be(const struct enrollment *enrollment, const struct cluster_item *item)
{
	const struct kube_cluster *cluster = item->cluster;
	const char *group = labels_get(&cluster->labels, LABEL_DISCOVERY_GROUP);
	return item->orphaned_since.ms == 0 && strcmp(cluster->status.phase, "ready") == 0 &&
	       cluster->status.reason == NULL && group != NULL &&
	       strcmp(group, enrollment->group) == 0;
}

const struct look *enrollment_recall(
    const struct enrollment *enrollment, const struct scope *scope, const char *name)
{
	const struct look *look =
	    look_set_find(registry_looks(enrollment->registry), scope->id, name);
	if (look == NULL || look->is_served != is_claimed(enrollment, scope, look->arn))
		return NULL;
	if (!look->is_served)
		return look;
	const struct cluster_item *item =
	    cluster_set_find_arn(registry_set(enrollment->registry), look->arn);
	return is_as_it_should_be(enrollment, item) ? look : NULL;
}

/* --- passes ----------------------------------------------------------------------------------- */

bool enrollment_take(struct enrollment *enrollment, struct scope *scope,
    const struct sweep_result *result, char **error)
{
	struct reconcile_input input = {.set = registry_set(enrollment->registry),
	    .scope = scope->id,
	    .matchers = scope->matchers,
	    .matcher_count = scope->matcher_count,
	    .group = enrollment->group,
	    .result = result};
	struct reconcile_output output;
	reconcile_scope(&input, &output);
	bool is_whole = result->is_settled && result->is_listed;
	if (result->is_settled && !result->is_listed)
		release_seen(enrollment, scope->id, &output);
	bool is_done = commit_guarded(enrollment, scope->id, is_whole, &output.changes, error);
	is_done = is_done && keep_looks(enrollment, scope, result, &output, error);
	tell_unusable(scope, &output);
	scope_remember(scope, result, output.judgements, output.judgement_count);
	reconcile_output_free(&output);
	return is_done;
}

/* --- orphans ---------------------------------------------------------------------------------- */

static struct duration shorter(struct duration a, struct duration b)
{
	return a.ms < b.ms ? a : b;
}

static void arm_orphans(struct enrollment *enrollment)
{
	struct duration delay = duration_seconds(ORPHANS_LONGEST_SECONDS);
	delay = shorter(delay, enrollment->settings->removal.grace);
	delay = shorter(delay, enrollment->settings->discovery.poll_interval);
	if (delay.ms < ORPHANS_SHORTEST_MS)
		delay.ms = ORPHANS_SHORTEST_MS;
	timer_set(enrollment->orphans, delay);
}

static bool is_source(void *arg, const char *source)
{
	const struct enrollment *enrollment = arg;
	return strcmp(source, ORPHANS_SOURCE) == 0 ||
	       discovery_coverage(enrollment->discovery, source) != COVERAGE_NO;
}

/* Looks of scopes that are no more. */
static bool forget_scopes(struct enrollment *enrollment, char **error)
{
	const struct look_set *set = registry_looks(enrollment->registry);
	struct looks looks = {0};
	const char *scope = NULL;
	bool is_covered = true;
	for (const struct look *look = look_set_next(set, NULL); look != NULL;
	     look = look_set_next(set, look)) {
		if (scope == NULL || strcmp(scope, look->scope) != 0)
			is_covered =
			    discovery_coverage(enrollment->discovery, look->scope) != COVERAGE_NO;
		scope = look->scope;
		if (!is_covered)
			add_look(&looks, look_new(look->scope, look->name));
	}
	return commit_looks(enrollment, &looks, error);
}

static void on_orphans(void *arg)
{
	struct enrollment *enrollment = arg;
	if (enrollment->discovery == NULL || !discovery_is_complete(enrollment->discovery)) {
		timer_set(enrollment->orphans, duration_ms(ORPHANS_SHORTEST_MS));
		return;
	}
	struct registry_changes changes = {0};
	char *error = NULL;
	reconcile_orphans(registry_set(enrollment->registry), discovery_coverage,
	    enrollment->discovery, unix_now(), enrollment->settings->removal.grace, &changes);
	guard_keep_sources(enrollment->guard, is_source, enrollment);
	if (!commit_guarded(enrollment, ORPHANS_SOURCE, true, &changes, &error) ||
	    !forget_scopes(enrollment, &error))
		log_error("registry", "not-recorded", LOG_S("error", error));
	free(error);
	registry_changes_free(&changes);
	arm_orphans(enrollment);
}

void enrollment_scopes_changed(struct enrollment *enrollment)
{
	timer_set(enrollment->orphans, duration_ms(ORPHANS_SHORTEST_MS));
}

/* --- public ----------------------------------------------------------------------------------- */

struct enrollment *enrollment_new(struct loop *loop, struct registry *registry,
    struct discovery_metrics *metrics, const char *group)
{
	struct enrollment *enrollment = xcalloc(1, sizeof *enrollment);
	enrollment->loop = loop;
	enrollment->registry = registry;
	enrollment->metrics = metrics;
	enrollment->group = xstrdup(group);
	enrollment->guard = guard_new();
	enrollment->orphans = timer_new(loop, on_orphans, enrollment);
	enrollment->seal = (struct deferred){.fn = on_seal, .arg = enrollment};
	enrollment->seal_again = timer_new(loop, on_seal, enrollment);
	enrollment->access = (struct deferred){.fn = on_access, .arg = enrollment};
	return enrollment;
}

void enrollment_on_removal(struct enrollment *enrollment, enrollment_hold_fn *fn, void *arg)
{
	enrollment->hold = fn;
	enrollment->hold_arg = arg;
}

void enrollment_set_access(struct enrollment *enrollment, const char *arn, const char *text)
{
	access_texts_add(&enrollment->texts, arn, text);
	loop_defer(enrollment->loop, &enrollment->access);
}

void enrollment_free(struct enrollment **enrollment)
{
	if (*enrollment == NULL)
		return;
	timer_free(&(*enrollment)->orphans);
	timer_free(&(*enrollment)->seal_again);
	loop_undefer((*enrollment)->loop, &(*enrollment)->seal);
	loop_undefer((*enrollment)->loop, &(*enrollment)->access);
	forget_stories(*enrollment);
	access_texts_free(&(*enrollment)->texts);
	guard_free(&(*enrollment)->guard);
	free((*enrollment)->group);
	free((*enrollment)->error);
	xfree(enrollment);
}

void enrollment_configure(
    struct enrollment *enrollment, struct discovery *discovery, const struct settings *settings)
{
	enrollment->discovery = discovery;
	enrollment->settings = settings;
}

bool enrollment_confirm(struct enrollment *enrollment, size_t *removed, char **error)
{
	struct registry_changes changes = {0};
	guard_confirm(enrollment->guard, enrollment->registry, &changes);
	*removed = changes.count;
	bool is_done = commit(enrollment, &changes, error) && seal(enrollment, error);
	if (is_done)
		guard_clear(enrollment->guard);
	registry_changes_free(&changes);
	return is_done;
}

/* The id of a scope that would enrol the cluster again, NULL when there is none. A scope that has
 * not looked yet may be one. */
static const char *find_viewer(const struct enrollment *enrollment, const struct cluster_item *item)
{
	for (size_t i = 0; i < item->claim_count; i++) {
		const struct scope *scope =
		    discovery_scope(enrollment->discovery, item->claims[i].scope);
		if (scope != NULL && (!scope->has_outcome || scope->failures == 0))
			return scope->id;
	}
	return NULL;
}

bool enrollment_forget(
    struct enrollment *enrollment, const char *name, bool *is_known, char **error)
{
	const struct cluster_item *item =
	    cluster_set_find_name(registry_set(enrollment->registry), name);
	*is_known = item != NULL;
	if (item == NULL) {
		*error = xasprintf("kube_cluster \"%s\" does not exist", name);
		return false;
	}
	const char *viewer = find_viewer(enrollment, item);
	if (viewer != NULL) {
		*error = xasprintf("scope %s looks at \"%s\" and would enrol it again: change its "
				   "tags, or the matchers",
		    viewer, name);
		return false;
	}
	struct registry_changes changes = {0};
	registry_changes_remove(
	    &changes, item->cluster->aws.arn, REMOVAL_ORPHANED, xstrdup("discoveryd forget"));
	changes.items[0].is_confirmed = true;
	bool is_done = commit(enrollment, &changes, error) && seal(enrollment, error);
	registry_changes_free(&changes);
	return is_done;
}

const struct guard *enrollment_guard(const struct enrollment *enrollment)
{
	return enrollment->guard;
}

const char *enrollment_error(const struct enrollment *enrollment)
{
	return enrollment->error;
}
