/* Reconciliation. A cluster stays in the set while some scope claims it. A scope gives its claim up
 * only on positive evidence (its tags, its status, ResourceNotFound, or two complete listings
 * without it), and only in a pass in which everything was answered: a partial view never removes
 * anything. */
#include "discoveryd/reconcile.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/candidate.h"
#include "discoveryd/naming.h"

/* A name that this pass gave away or took: who holds it once the changes are applied. */
struct name_change {
	const char *name;
	const char *arn; /* NULL: nobody does */
	RB_ENTRY(name_change) entry;
};
RB_HEAD(name_changes, name_change);

struct pass {
	const struct reconcile_input *input;
	struct reconcile_output *output;
	struct name_changes names;
	struct name_change *name_space; /* two a sighting: the old name and the new one */
	size_t name_count;
};

static int compare_names(const struct name_change *a, const struct name_change *b)
{
	return strcmp(a->name, b->name);
}

RB_PROTOTYPE(name_changes, name_change, entry, compare_names);
RB_GENERATE(name_changes, name_change, entry, compare_names);

const char *verdict_text(enum verdict verdict)
{
	static const char *const texts[] = {
	    "served", "unmatched", "not-ready", "deleting", "unusable", "gone", "unknown"};
	return texts[verdict];
}

/* --- names ------------------------------------------------------------------------------------ */

static void note_name(struct pass *pass, const char *name, const char *arn)
{
	struct name_change key = {.name = name};
	struct name_change *change = RB_FIND(name_changes, &pass->names, &key);
	if (change == NULL) {
		change = &pass->name_space[pass->name_count++];
		change->name = name;
		RB_INSERT(name_changes, &pass->names, change);
	}
	change->arn = arn;
}

/* Clusters about to be removed still hold their names: the removal may be held back. */
static const char *find_holder(void *arg, const char *name)
{
	struct pass *pass = arg;
	struct name_change key = {.name = name};
	const struct name_change *change = RB_FIND(name_changes, &pass->names, &key);
	if (change != NULL)
		return change->arn;
	const struct cluster_item *item = cluster_set_find_name(pass->input->set, name);
	return item != NULL ? item->cluster->aws.arn : NULL;
}

/* The changes own the texts that are noted here, and outlive the pass. */
static void put(struct pass *pass, const struct cluster_item *old, struct cluster_item *item)
{
	const struct kube_cluster *cluster = item->cluster;
	if (old == NULL || strcmp(old->cluster->name, cluster->name) != 0) {
		if (old != NULL)
			note_name(pass, old->cluster->name, NULL);
		note_name(pass, cluster->name, cluster->aws.arn);
	}
	registry_changes_put(&pass->output->changes, item);
}

/* --- one sighting ----------------------------------------------------------------------------- */

/* The state in which it should be in the set, or NULL with the judgement's verdict and detail. */
static struct cluster_item *build_item(struct pass *pass, const struct eks_cluster *eks,
    const struct eks_arn *parts, const struct aws_matcher *matcher, const struct cluster_item *old,
    struct judgement *judgement)
{
	static const struct labels none = {0};
	const char *current = old != NULL ? old->cluster->name : NULL;
	struct naming naming = naming_choose(eks->arn, parts,
	    matcher->has_name_tags ? &eks->tags : &none, current, find_holder, pass);
	struct kube_cluster *cluster = NULL;
	struct labels labels = candidate_add_labels(&judgement->labels, matcher);
	if (naming.name != NULL)
		cluster = candidate_build(eks, &labels, &naming, pass->input->group,
		    old != NULL ? old->cluster : NULL, &judgement->detail);
	labels_free(&labels);
	if (cluster == NULL) {
		judgement->verdict = VERDICT_UNUSABLE;
		if (judgement->detail == NULL)
			judgement->detail = xstrdup_or_null(naming.conflict);
		naming_free(&naming);
		return NULL;
	}
	judgement->verdict = VERDICT_SERVED;
	judgement->detail = xstrdup_or_null(naming.conflict);
	naming_free(&naming);
	struct cluster_item *item = cluster_item_new(cluster);
	for (size_t i = 0; old != NULL && i < old->claim_count; i++)
		cluster_item_add_claim(item, old->claims[i].scope, old->claims[i].absences);
	cluster_item_add_claim(item, pass->input->scope, 0);
	return item;
}

static bool is_unchanged(
    const struct cluster_item *old, const struct cluster_item *item, const char *scope)
{
	const struct claim *claim = old != NULL ? cluster_item_claim(old, scope) : NULL;
	return claim != NULL && claim->absences == 0 && old->orphaned_since.ms == 0 &&
	       kube_cluster_equal(old->cluster, item->cluster);
}

/* The scope does not want it any more. `detail` becomes the callee's. */
static void give_up(
    struct pass *pass, const struct cluster_item *old, enum removal_reason reason, char *detail)
{
	const char *scope = pass->input->scope;
	if (old == NULL || cluster_item_claim(old, scope) == NULL ||
	    !pass->input->result->is_settled) {
		free(detail);
		return;
	}
	if (old->claim_count == 1) {
		registry_changes_remove(
		    &pass->output->changes, old->cluster->aws.arn, reason, detail);
		return;
	}
	free(detail);
	struct cluster_item *item = cluster_item_copy(old);
	cluster_item_remove_claim(item, scope);
	registry_changes_put(&pass->output->changes, item);
}

/* It exists: it was not absent, whatever else is wrong with it. */
static void reset_absences(struct pass *pass, const struct cluster_item *old)
{
	const struct claim *claim =
	    old != NULL ? cluster_item_claim(old, pass->input->scope) : NULL;
	if (claim == NULL || claim->absences == 0)
		return;
	struct cluster_item *item = cluster_item_copy(old);
	cluster_item_add_claim(item, pass->input->scope, 0);
	registry_changes_put(&pass->output->changes, item);
}

/* What stands between a matched cluster and being served: a text (free()), or NULL. */
static char *find_obstacle(const struct eks_cluster *eks)
{
	if (!candidate_is_served_status(eks->status))
		return xasprintf("its status is %s; ACTIVE and UPDATING clusters are served",
		    eks->status != NULL ? eks->status : "not told");
	if (eks->endpoint == NULL || eks->certificate_authority == NULL)
		return xasprintf("it has no %s: connected (external) clusters cannot be proxied",
		    eks->endpoint == NULL ? "endpoint" : "certificate authority");
	return NULL;
}

/* Matched, but not to be served now: what was known stays, unless this is another cluster under the
 * same ARN. */
static void keep_known(
    struct pass *pass, const struct eks_cluster *eks, const struct cluster_item *old)
{
	if (old != NULL && old->cluster->aws.created_at.ms != eks->created_at.ms)
		give_up(
		    pass, old, REMOVAL_GONE, xstrdup("it was created anew and is not served yet"));
	else
		reset_absences(pass, old);
}

static void serve(struct pass *pass, const struct eks_cluster *eks, const struct eks_arn *parts,
    const struct aws_matcher *matcher, const struct cluster_item *old, struct judgement *judgement)
{
	struct cluster_item *item = build_item(pass, eks, parts, matcher, old, judgement);
	if (item == NULL)
		keep_known(pass, eks, old);
	else if (is_unchanged(old, item, pass->input->scope))
		cluster_item_free(&item);
	else
		put(pass, old, item);
}

static void judge_found(
    struct pass *pass, const struct eks_cluster *eks, struct judgement *judgement)
{
	const struct reconcile_input *input = pass->input;
	const struct cluster_item *old = cluster_set_find_arn(input->set, eks->arn);
	struct eks_arn parts;
	judgement->arn = xstrdup(eks->arn);
	judgement->status = xstrdup_or_null(eks->status);
	if (!eks_arn_parse(eks->arn, &parts)) {
		judgement->verdict = VERDICT_UNUSABLE;
		judgement->detail = xstrdup("its ARN is not that of an EKS cluster");
		return;
	}
	judgement->labels = candidate_labels(eks, &parts);
	if (eks->status != NULL && strcmp(eks->status, "DELETING") == 0) {
		judgement->verdict = VERDICT_DELETING;
		give_up(pass, old, REMOVAL_GONE, xstrdup("its status is DELETING"));
		return;
	}
	const struct aws_matcher *matcher =
	    candidate_match(&judgement->labels, input->matchers, input->matcher_count);
	if (matcher == NULL) {
		judgement->verdict = VERDICT_UNMATCHED;
		give_up(
		    pass, old, REMOVAL_UNMATCHED, xstrdup("no matcher wants its tags any more"));
		return;
	}
	judgement->detail = find_obstacle(eks);
	if (judgement->detail != NULL) {
		judgement->verdict = VERDICT_STATUS;
		keep_known(pass, eks, old);
		return;
	}
	serve(pass, eks, &parts, matcher, old, judgement);
}

/* It was listed and not described, because nothing new was to be expected: it is no evidence for
 * anything but its existence. */
static void judge_known(
    struct pass *pass, const struct eks_cluster *eks, struct judgement *judgement)
{
	const struct reconcile_input *input = pass->input;
	struct eks_arn parts;
	judgement->arn = xstrdup(eks->arn);
	judgement->status = xstrdup_or_null(eks->status);
	if (eks_arn_parse(eks->arn, &parts))
		judgement->labels = candidate_labels(eks, &parts);
	bool is_match =
	    candidate_match(&judgement->labels, input->matchers, input->matcher_count) != NULL;
	judgement->verdict = is_match ? VERDICT_SERVED : VERDICT_UNMATCHED;
	reset_absences(pass, cluster_set_find_arn(input->set, eks->arn));
}

/* The scope's cluster that EKS calls `name`. */
static const struct cluster_item *find_claimed(const struct pass *pass, const char *name)
{
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next_of(pass->input->set, pass->input->scope, item)) != NULL) {
		if (strcmp(item->cluster->aws.name, name) == 0)
			return item;
	}
	return NULL;
}

static void judge(struct pass *pass, const struct sighting *sighting, struct judgement *judgement)
{
	judgement->name = xstrdup(sighting->name);
	switch (sighting->kind) {
	case SIGHTING_FOUND:
		judge_found(pass, sighting->cluster, judgement);
		return;
	case SIGHTING_KNOWN:
		judge_known(pass, sighting->cluster, judgement);
		return;
	case SIGHTING_GONE:
		judgement->verdict = VERDICT_GONE;
		give_up(pass, find_claimed(pass, sighting->name), REMOVAL_GONE,
		    xstrdup("DescribeCluster answered ResourceNotFoundException"));
		return;
	case SIGHTING_FAILED:
		judgement->verdict = VERDICT_UNKNOWN;
		judgement->detail = xasprintf("%s: %s", sighting->error.operation,
		    sighting->error.message != NULL ? sighting->error.message
						    : aws_outcome_text(sighting->error.outcome));
		return;
	}
}

/* --- absences --------------------------------------------------------------------------------- */

static int compare_sighting(const void *name, const void *sighting)
{
	return strcmp(name, ((const struct sighting *)sighting)->name);
}

static bool is_listed(const struct sweep_result *result, const char *name)
{
	return result->count > 0 && bsearch(name, result->sightings, result->count,
					sizeof *result->sightings, compare_sighting) != NULL;
}

static void count_absence(
    struct pass *pass, const struct cluster_item *item, const struct claim *claim)
{
	if (claim->absences + 1 >= RECONCILE_ABSENCES) {
		give_up(pass, item, REMOVAL_GONE,
		    xasprintf("%d complete listings in a row lack it", RECONCILE_ABSENCES));
		return;
	}
	struct cluster_item *marked = cluster_item_copy(item);
	cluster_item_add_claim(marked, pass->input->scope, claim->absences + 1);
	registry_changes_put(&pass->output->changes, marked);
}

static void judge_absent(struct pass *pass)
{
	const struct sweep_result *result = pass->input->result;
	if (!result->is_listed || !result->is_settled)
		return;
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next_of(pass->input->set, pass->input->scope, item)) != NULL) {
		if (!is_listed(result, item->cluster->aws.name))
			count_absence(pass, item, cluster_item_claim(item, pass->input->scope));
	}
}

/* --- public ----------------------------------------------------------------------------------- */

void reconcile_scope(const struct reconcile_input *input, struct reconcile_output *output)
{
	*output = (struct reconcile_output){0};
	struct pass pass = {.input = input, .output = output};
	RB_INIT(&pass.names);
	pass.name_space = xcalloc(2 * input->result->count + 1, sizeof *pass.name_space);
	output->judgements = xcalloc(input->result->count + 1, sizeof *output->judgements);
	for (size_t i = 0; i < input->result->count; i++)
		judge(&pass, &input->result->sightings[i],
		    &output->judgements[output->judgement_count++]);
	judge_absent(&pass);
	free(pass.name_space);
}

void judgement_free(struct judgement *judgement)
{
	xfree(&judgement->name);
	xfree(&judgement->arn);
	xfree(&judgement->status);
	xfree(&judgement->detail);
	labels_free(&judgement->labels);
}

void reconcile_output_free(struct reconcile_output *output)
{
	registry_changes_free(&output->changes);
	for (size_t i = 0; i < output->judgement_count; i++)
		judgement_free(&output->judgements[i]);
	free(output->judgements);
	*output = (struct reconcile_output){0};
}

static void set_phase(struct cluster_item *item, const char *phase, char *reason)
{
	free(item->cluster->status.phase);
	free(item->cluster->status.reason);
	item->cluster->status.phase = xstrdup(phase);
	item->cluster->status.reason = reason;
}

static void mark_orphan(const struct cluster_item *item, struct unix_time now,
    struct duration grace, struct registry_changes *changes)
{
	struct cluster_item *orphan = cluster_item_copy(item);
	char until[UNIX_TIME_TEXT];
	orphan->orphaned_since = now;
	set_phase(orphan, "orphaned",
	    xasprintf("no configured scope covers it any more (it came from %s); removed after %s",
		item->claims[0].scope, unix_time_text(unix_add(now, grace), until)));
	registry_changes_put(changes, orphan);
}

/* Some scope covers it, again or still: the claims of scopes that are no more go. */
static void adopt(const struct cluster_item *item, reconcile_coverage_fn *coverage, void *arg,
    struct registry_changes *changes)
{
	bool is_orphan = item->orphaned_since.ms != 0, is_changed = is_orphan;
	struct cluster_item *kept = cluster_item_copy(item);
	for (size_t i = 0; i < item->claim_count; i++) {
		if (coverage(arg, item->claims[i].scope) == COVERAGE_NO) {
			cluster_item_remove_claim(kept, item->claims[i].scope);
			is_changed = true;
		}
	}
	if (is_orphan) {
		kept->orphaned_since = (struct unix_time){0};
		set_phase(kept, "ready", NULL);
	}
	if (is_changed)
		registry_changes_put(changes, kept);
	else
		cluster_item_free(&kept);
}

void reconcile_orphans(const struct cluster_set *set, reconcile_coverage_fn *coverage, void *arg,
    struct unix_time now, struct duration grace, struct registry_changes *changes)
{
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(set, item)) != NULL) {
		bool is_covered = false, is_unknown = false;
		for (size_t i = 0; i < item->claim_count; i++) {
			enum coverage answer = coverage(arg, item->claims[i].scope);
			is_covered |= answer == COVERAGE_YES;
			is_unknown |= answer == COVERAGE_UNKNOWN;
		}
		if (is_covered)
			adopt(item, coverage, arg, changes);
		else if (is_unknown)
			continue;
		else if (item->orphaned_since.ms == 0)
			mark_orphan(item, now, grace, changes);
		else if (now.ms >= item->orphaned_since.ms + grace.ms)
			registry_changes_remove(changes, item->cluster->aws.arn, REMOVAL_ORPHANED,
			    xstrdup("no configured scope covered it for the whole grace time"));
	}
}
