/* Decisions: from the roles that a user holds, the labels of a cluster and a request to yes or no,
 * and as whom. Deny comes first; users and groups come only from roles that allow this very
 * request. The way to yes allocates little and compares integers; every no says whom to ask for
 * what. Called by the exchange for each request, and by `can`. */
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/asking.h"
#include "kubeproxyd/policy/field_selector.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/verbs.h"

/* What a restricted answer is filtered by. The rules are the grants'. */
struct object_rules {
	struct wanted wanted;
	bool shows_namespaces; /* a namespace counts when a rule is about what is in it */
	const struct resource_rule **allowing, **denying;
	size_t allowing_count, denying_count;
};

/* --- what rules are not asked about ---------------------------------------------------------- */

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);
	return strncmp(path, directory, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* What clients ask of every cluster before anything else, and what tells them what they may:
 * Kubernetes grants it to everybody who is authenticated (system:discovery, system:basic-user). */
static bool is_basic(const struct request_info *request)
{
	static const char *const paths[] = {
	    "/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz", NULL};
	static const char *const reviews[] = {
	    "selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews", NULL};
	if (request->is_resource && !text_is(request->verb, "create"))
		return false;
	if (request->is_resource) {
		bool is_review = false;
		for (size_t i = 0; reviews[i] != NULL; i++)
			is_review |= text_is(request->resource, reviews[i]);
		return is_review && request->subresource[0] == '\0' &&
		       (text_is(request->api_group, "authorization.k8s.io") ||
			   text_is(request->api_group, "authentication.k8s.io"));
	}
	if (!text_is(request->verb, "get"))
		return false;
	bool is_known = text_is(request->path, "/");
	for (size_t i = 0; paths[i] != NULL; i++)
		is_known |= is_below(request->path, paths[i]);
	return is_known;
}

/* Everything, everywhere: what a path that is no resource needs. */
static bool is_boundless(const struct resource_rule *rule)
{
	return rule->is_everything && rule->group == RULE_ANY && rule->namespaces.is_any &&
	       rule->names.is_any;
}

/* --- deny ------------------------------------------------------------------------------------ */

static enum coverage denies(const struct asking *asking, const struct resource_rule *rule)
{
	if (!asking->request->is_resource)
		return is_boundless(rule) ? COVERS_ALL : COVERS_NONE;
	enum coverage coverage = resource_rule_denies(rule, &asking->wanted);
	if (coverage == COVERS_ALL || !asking->wanted.is_of_namespace)
		return coverage;
	enum coverage guarded = resource_rule_guards_namespace(rule, &asking->wanted);
	return guarded > coverage ? guarded : coverage;
}

/* Whether a rule is worth asking at all. */
static bool may_cover(const struct asking *asking, const struct role_side *side, size_t index)
{
	return !asking->request->is_resource ||
	       rule_key_may_cover(&side->keys[index], &asking->wanted);
}

static bool is_not_denied_by(struct asking *asking, const struct role_side *deny)
{
	for (size_t i = 0; i < deny->rule_count; i++) {
		if (!may_cover(asking, deny, i))
			continue;
		enum coverage coverage = denies(asking, &deny->rules[i]);
		if (coverage == COVERS_PART)
			asking->part_denied_by = &deny->rules[i];
		if (coverage != COVERS_ALL)
			continue;
		deny_by_rule(asking, &deny->rules[i]);
		return false;
	}
	return true;
}

static bool is_not_denied(struct asking *asking)
{
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		const struct role *role = asking->grants->roles[i];
		if (asking->standings[i].denies) {
			deny_by_labels(asking, role);
			return false;
		}
		if (!is_not_denied_by(asking, &role->deny))
			return false;
	}
	return true;
}

/* --- allow ----------------------------------------------------------------------------------- */

static enum coverage allows(const struct asking *asking, const struct resource_rule *rule)
{
	if (!asking->request->is_resource)
		return is_boundless(rule) ? COVERS_ALL : COVERS_NONE;
	enum coverage coverage = resource_rule_allows(rule, &asking->wanted);
	if (coverage == COVERS_ALL || !asking->wanted.reads_namespaces)
		return coverage;
	enum coverage shown = resource_rule_shows_namespace(rule, &asking->wanted);
	return shown > coverage ? shown : coverage;
}

/* The most that a rule of the role covers. */
static struct allowing best_of(const struct asking *asking, const struct role *role)
{
	struct allowing best = {.role = role};
	if (asking->is_basic) {
		best.coverage = COVERS_ALL;
		return best;
	}
	for (size_t i = 0; i < role->allow.rule_count && best.coverage != COVERS_ALL; i++) {
		if (!may_cover(asking, &role->allow, i))
			continue;
		enum coverage coverage = allows(asking, &role->allow.rules[i]);
		if (coverage > best.coverage)
			best = (struct allowing){role, &role->allow.rules[i], coverage};
	}
	return best;
}

static void keep_whole(struct asking *asking)
{
	size_t kept = 0;
	for (size_t i = 0; i < asking->allowing_count; i++) {
		if (asking->allowing[i].coverage == COVERS_ALL)
			asking->allowing[kept++] = asking->allowing[i];
	}
	if (kept > 0)
		asking->allowing_count = kept;
}

static bool is_about_cluster(const struct asking *asking)
{
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		if (asking->standings[i].allows)
			return true;
	}
	return false;
}

static bool is_allowed_by_a_role(struct asking *asking)
{
	const struct grants *grants = asking->grants;
	for (size_t i = 0; i < grants->role_count; i++) {
		if (!asking->standings[i].allows)
			continue;
		struct allowing best = best_of(asking, grants->roles[i]);
		if (best.coverage != COVERS_NONE)
			asking->allowing[asking->allowing_count++] = best;
	}
	keep_whole(asking);
	if (asking->allowing_count > 0)
		return true;
	if (is_about_cluster(asking))
		deny_request(asking);
	else
		deny_cluster(asking);
	return false;
}

/* --- in part --------------------------------------------------------------------------------- */

static struct object_rules *collect_objects(const struct asking *asking)
{
	struct object_rules *objects = xcalloc(1, sizeof *objects);
	size_t allow = 0, deny = 0;
	objects->wanted = asking->wanted;
	objects->shows_namespaces = asking->wanted.reads_namespaces;
	for (size_t i = 0; i < asking->allowing_count; i++)
		allow += asking->allowing[i].role->allow.rule_count;
	for (size_t i = 0; i < asking->grants->role_count; i++)
		deny += asking->grants->roles[i]->deny.rule_count;
	objects->allowing = xcalloc(allow + 1, sizeof(const struct resource_rule *));
	objects->denying = xcalloc(deny + 1, sizeof(const struct resource_rule *));
	for (size_t i = 0; i < asking->allowing_count; i++) {
		const struct role_side *side = &asking->allowing[i].role->allow;
		for (size_t j = 0; j < side->rule_count; j++) {
			if (allows(asking, &side->rules[j]) != COVERS_NONE)
				objects->allowing[objects->allowing_count++] = &side->rules[j];
		}
	}
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		const struct role_side *side = &asking->grants->roles[i]->deny;
		for (size_t j = 0; j < side->rule_count; j++) {
			if (denies(asking, &side->rules[j]) != COVERS_NONE)
				objects->denying[objects->denying_count++] = &side->rules[j];
		}
	}
	return objects;
}

/* Whether it can be done for those objects alone: an answer can be filtered, and a collection can
 * be deleted one by one where API servers delete collections (in one namespace, but no namespaces).
 */
static bool is_divisible(const struct asking *asking, uint32_t verb)
{
	const struct request_info *request = asking->request;
	bool is_of_namespaces =
	    request->api_group[0] == '\0' && text_is(request->resource, "namespaces");
	if (request->subresource[0] != '\0')
		return false;
	return (verb & (VERB_LIST | VERB_WATCH)) != 0 ||
	       (verb == VERB_DELETECOLLECTION && !asking->wanted.is_across && !is_of_namespaces);
}

/* The name in a selector is for the API server to honour, and aggregated ones may know no such
 * selector: what is whole only for the sake of it is filtered all the same. What was allowed and
 * not denied by name stays so. */
static void forget_selected_name(struct asking *asking)
{
	asking->wanted.name = word_of("");
	(void)is_not_denied(asking);
	for (size_t i = 0; i < asking->allowing_count; i++)
		asking->allowing[i].coverage = best_of(asking, asking->allowing[i].role).coverage;
}

static bool is_whole(const struct asking *asking)
{
	bool is_covered = false;
	for (size_t i = 0; i < asking->allowing_count; i++)
		is_covered |= asking->allowing[i].coverage == COVERS_ALL;
	return is_covered && asking->part_denied_by == NULL;
}

static bool is_covered_at_all(const struct asking *asking)
{
	for (size_t i = 0; i < asking->allowing_count; i++) {
		if (best_of(asking, asking->allowing[i].role).coverage != COVERS_NONE)
			return true;
	}
	return false;
}

/* As if the request named the namespace that its selector leaves of all. False: a denial. */
static bool may_look_into(struct asking *asking, const char *namespace)
{
	const struct wanted all = asking->wanted;
	const struct resource_rule *part_denied_by = asking->part_denied_by;
	asking->wanted.namespace = word_of(namespace);
	asking->wanted.name = word_of(asking->request->name);
	asking->wanted.is_in_namespace = true;
	asking->wanted.is_across = false;
	bool may_look = is_not_denied(asking);
	if (may_look && !is_covered_at_all(asking)) {
		deny_request(asking);
		may_look = false;
	}
	asking->wanted = all;
	asking->part_denied_by = part_denied_by;
	return may_look;
}

/* Like the name, a namespace in a selector is for the API server to honour, and takes nothing from
 * the filter; but where no rule could match what it leaves, nobody shall take that for nothing
 * there. */
static bool may_look_where_selected(struct asking *asking)
{
	const char *selector = asking->request->field_selector, *namespace = NULL;
	if (!asking->wanted.is_across || selector[0] == '\0')
		return true;
	char *room = xmalloc(strlen(selector) + 1);
	bool is_selected = field_selector_value(selector, "metadata.namespace", room, &namespace) &&
			   namespace != NULL && namespace[0] != '\0';
	bool may_look = !is_selected || may_look_into(asking, namespace);
	free(room);
	return may_look;
}

/* What covers only some of what the request touches: a name that is not known yet can be asked for,
 * what is not divisible is too much. */
static bool is_whole_or_filtered(struct asking *asking)
{
	const struct request_info *request = asking->request;
	const uint32_t verb = asking->wanted.verb;
	/* Reviews have a name and no path: nothing is answered to them that could be filtered. */
	if ((verb & (VERB_LIST | VERB_WATCH)) != 0 && request->name[0] != '\0' &&
	    request->path[0] == '/')
		forget_selected_name(asking);
	if (is_whole(asking))
		return true;
	if (is_divisible(asking, verb)) {
		if (!may_look_where_selected(asking))
			return false;
		asking->decision->is_restricted = true;
		asking->decision->objects = collect_objects(asking);
		explain_restriction(asking);
		return true;
	}
	deny_part(asking);
	asking->decision->needs_name =
	    verb == VERB_CREATE && request->name[0] == '\0' && request->subresource[0] == '\0';
	return false;
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool is_permitted(struct asking *asking)
{
	if (request_info_is_impersonation(asking->request))
		return decide_acting_as(asking);
	return is_not_denied(asking) && is_allowed_by_a_role(asking) &&
	       is_whole_or_filtered(asking) && choose_as(asking);
}

static const char *name_of(const struct allowing *by)
{
	return by->rule != NULL ? by->rule->place : by->role->text;
}

static void allow(struct asking *asking)
{
	struct decision *decision = asking->decision;
	size_t len = 1;
	decision->is_allowed = true;
	for (size_t i = 0; i < asking->allowing_count; i++)
		len += strlen(name_of(&asking->allowing[i])) + strlen(", ");
	char *at = decision_alloc(decision, len);
	decision->rule = at;
	for (size_t i = 0; i < asking->allowing_count; i++) {
		if (i > 0)
			at = stpcpy(at, ", ");
		at = stpcpy(at, name_of(&asking->allowing[i]));
	}
}

/* --- public ---------------------------------------------------------------------------------- */

void *decision_alloc(struct decision *decision, size_t size)
{
	return decision->arena != NULL ? arena_alloc(decision->arena, size) : xcalloc(1, size);
}

/* Room for few roles is not worth being cleared each time. */
static void asking_init(struct asking *asking, const struct grants *grants,
    const struct request_info *request, struct decision *decision)
{
	asking->grants = grants;
	asking->request = request;
	asking->decision = decision;
	asking->standings = NULL;
	asking->is_basic = false;
	asking->allowing = asking->few;
	asking->allowing_count = 0;
	asking->part_denied_by = NULL;
}

void policy_decide(const struct grants *grants, const char *cluster,
    const struct labels *cluster_labels, const struct request_info *request,
    struct decision *decision)
{
	policy_decide_as(grants, cluster, cluster_labels, request, NULL, decision);
}

void policy_decide_as(const struct grants *grants, const char *cluster,
    const struct labels *cluster_labels, const struct request_info *request,
    const struct act_as *as, struct decision *decision)
{
	struct asking asking;
	asking_init(&asking, grants, request, decision);
	asking.as = as;
	asking.cluster = cluster;
	asking.labels = cluster_labels;
	if (grants->role_count == 0) {
		deny_unbound(&asking);
		return;
	}
	if (request->is_resource)
		wanted_init(&asking.wanted, &grants->policy->vocabulary, request, asking.name_room);
	else
		asking.wanted = (struct wanted){0};
	asking.is_basic = is_basic(request);
	asking.standings = standings_find(grants, cluster_labels);
	if (grants->role_count > ASKING_FEW)
		asking.allowing = xcalloc(grants->role_count, sizeof *asking.allowing);
	if (is_permitted(&asking))
		allow(&asking);
	else
		decision->user = NULL;
	if (!decision->is_allowed)
		decision->is_restricted = false;
	if (asking.allowing != asking.few)
		free(asking.allowing);
}

bool policy_may_read_object(
    const struct decision *decision, const char *namespace, const char *name)
{
	const struct object_rules *objects = decision->objects;
	struct word in = word_of(namespace), called = word_of(name);
	bool is_allowed = false;
	if (objects == NULL)
		return decision_is_whole(decision);
	for (size_t i = 0; i < objects->denying_count; i++) {
		const struct resource_rule *rule = objects->denying[i];
		bool is_hidden =
		    objects->shows_namespaces &&
		    resource_rule_guards_namespace(rule, &objects->wanted) != COVERS_NONE &&
		    matchers_take(&rule->namespaces, &called);
		if (is_hidden || resource_rule_has_object(rule, &objects->wanted, &in, &called))
			return false;
	}
	for (size_t i = 0; !is_allowed && i < objects->allowing_count; i++) {
		const struct resource_rule *rule = objects->allowing[i];
		is_allowed = (resource_rule_allows(rule, &objects->wanted) != COVERS_NONE &&
				 resource_rule_has_object(rule, &objects->wanted, &in, &called)) ||
			     (objects->shows_namespaces && !rule->is_cluster_wide &&
				 matchers_take(&rule->namespaces, &called));
	}
	return is_allowed;
}

static bool is_same_list(
    const struct resource_rule **a, size_t a_count, const struct resource_rule **b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++) {
		if (!resource_rule_has_same_objects(a[i], b[i]))
			return false;
	}
	return true;
}

bool policy_reads_alike(const struct decision *a, const struct decision *b)
{
	const struct object_rules *one = a->objects, *other = b->objects;
	if (one == NULL || other == NULL)
		return one == other;
	return is_same_list(
		   one->allowing, one->allowing_count, other->allowing, other->allowing_count) &&
	       is_same_list(one->denying, one->denying_count, other->denying, other->denying_count);
}

void decision_forget_objects(struct decision *decision)
{
	if (decision->objects == NULL)
		return;
	free(decision->objects->allowing);
	free(decision->objects->denying);
	xfree(&decision->objects);
}

void decision_clear(struct decision *decision)
{
	decision_forget_objects(decision);
	if (decision->arena == NULL) {
		free(decision->groups);
		free(decision->rule);
	}
	free(decision->message);
	*decision = (struct decision){0};
}
