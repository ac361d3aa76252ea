/* Decisions: from the roles that a user holds, the labels of a cluster and a request to yes or no,
 * and as whom. Deny comes first; users and groups come only from roles that allow this very
 * request. Every no says whom to ask for what. Called by the exchange for each request, and for
 * lists of clusters. */
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/policy_set.h"
#include "kubeproxyd/policy/request_info.h"

struct grants {
	struct policy *policy;
	const struct role **roles; /* of the policy, in the order of their names */
	size_t role_count;
	const char **role_names; /* NULL-terminated */
	char *user;
	struct texts groups; /* of the identity, for messages */
};

/* One question, and what is known of its answer so far. */
struct asking {
	const struct grants *grants;
	const char *cluster;
	const struct labels *labels;
	const struct request_info *request;
	struct decision *decision;
	const struct role **allowing;
	size_t allowing_count;
};

/* --- grants ---------------------------------------------------------------------------------- */

static bool is_bound(
    const struct policy *policy, const struct role *role, const struct identity *identity)
{
	for (size_t i = 0; i < policy->binding_count; i++) {
		const struct binding *binding = policy->bindings[i];
		if (texts_has(&binding->roles, role->name) && binding_is_for(binding, identity))
			return true;
	}
	return false;
}

struct grants *policy_grants(struct policy *policy, const struct identity *identity)
{
	struct grants *grants = xcalloc(1, sizeof *grants);
	grants->policy = policy_ref(policy);
	grants->roles = xcalloc(policy->role_count + 1, sizeof(const struct role *));
	grants->role_names = xcalloc(policy->role_count + 1, sizeof *grants->role_names);
	grants->user = xstrdup(identity->user);
	for (size_t i = 0; i < identity->group_count; i++)
		texts_add(&grants->groups, identity->groups[i]);
	for (size_t i = 0; i < policy->role_count; i++) {
		if (!is_bound(policy, policy->roles[i], identity))
			continue;
		grants->role_names[grants->role_count] = policy->roles[i]->name;
		grants->roles[grants->role_count++] = policy->roles[i];
	}
	return grants;
}

void grants_free(struct grants **grants)
{
	struct grants *old = *grants;
	*grants = NULL;
	if (old == NULL)
		return;
	policy_unref(&old->policy);
	texts_free(&old->groups);
	free(old->roles);
	free(old->role_names);
	free(old->user);
	free(old);
}

const char *const *grants_roles(const struct grants *grants)
{
	return grants->role_names;
}

/* --- words ----------------------------------------------------------------------------------- */

static char *join(const char *const *words, size_t count)
{
	struct buf out = {0};
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "%s%s", i > 0 ? ", " : "", words[i]);
	return buf_take(&out);
}

/* "cannot list pods in cluster "prod"". */
static char *what_is_refused(const struct asking *asking)
{
	const struct request_info *request = asking->request;
	if (!request->is_resource)
		return xasprintf("user \"%s\" cannot %s %s in cluster \"%s\"", asking->grants->user,
		    request->verb, request->path, asking->cluster);
	return xasprintf("user \"%s\" cannot %s %s%s%s in cluster \"%s\"", asking->grants->user,
	    request->verb, request->resource, request->subresource[0] != '\0' ? "/" : "",
	    request->subresource, asking->cluster);
}

/* Both texts become the decision's. */
static void deny(struct asking *asking, char *rule, char *why)
{
	char *what = what_is_refused(asking);
	asking->decision->is_allowed = false;
	asking->decision->rule = rule;
	asking->decision->message = xasprintf("%s: %s", what, why);
	free(what);
	free(why);
}

/* --- the steps ------------------------------------------------------------------------------- */

static bool holds_roles(struct asking *asking)
{
	const struct grants *grants = asking->grants;
	if (grants->role_count > 0)
		return true;
	char *groups = join((const char *const *)grants->groups.items, grants->groups.count);
	deny(asking, xstrdup("no role is bound"),
	    xasprintf("no role is bound to this user%s%s. Ask an administrator of eksgate for a "
		      "role_binding",
		groups[0] != '\0' ? " or to a group of the certificate: " : "", groups));
	free(groups);
	return false;
}

static bool is_not_denied(struct asking *asking)
{
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		const struct role *role = asking->grants->roles[i];
		if (!role_denies(role, asking->labels))
			continue;
		char *labels = selector_text(role->deny.labels);
		deny(asking, xasprintf("role %s deny: kubernetes_labels %s", role->name, labels),
		    xasprintf("role %s denies clusters with %s. Ask an administrator of eksgate to "
			      "take that role away, "
			      "or to narrow what it denies",
			role->name, labels));
		free(labels);
		return false;
	}
	return true;
}

static bool is_allowed_by_a_role(struct asking *asking)
{
	const struct grants *grants = asking->grants;
	for (size_t i = 0; i < grants->role_count; i++) {
		if (role_allows(grants->roles[i], asking->labels))
			asking->allowing[asking->allowing_count++] = grants->roles[i];
	}
	if (asking->allowing_count > 0)
		return true;
	char *roles = join(grants->role_names, grants->role_count);
	deny(asking, xstrdup("no role allows"),
	    xasprintf("none of the roles of this user (%s) has kubernetes_labels that match the "
		      "cluster. Ask an "
		      "administrator of eksgate for a role that does",
		roles));
	free(roles);
	return false;
}

/* The role that denies a name; NULL when none does. */
static const struct role *denier_of(const struct asking *asking, const char *name, bool is_group)
{
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		const struct role_side *side = &asking->grants->roles[i]->deny;
		const struct texts *names = is_group ? &side->groups : &side->users;
		if (texts_has(names, "*") || texts_has(names, name))
			return asking->grants->roles[i];
	}
	return NULL;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;
	return strcmp(*left, *right);
}

/* Users or groups of the allowing roles without those that any held role denies; sorted, each once;
 * *denier is who took one away. The array is the caller's, the names are the roles'. */
static const char **collect(
    const struct asking *asking, bool is_group, size_t *count, const struct role **denier)
{
	const char **names = xcalloc(1, sizeof *names);
	*count = 0;
	for (size_t i = 0; i < asking->allowing_count; i++) {
		const struct role_side *side = &asking->allowing[i]->allow;
		const struct texts *more = is_group ? &side->groups : &side->users;
		names = xreallocarray(names, *count + more->count + 1, sizeof *names);
		for (size_t j = 0; j < more->count; j++) {
			bool is_own = !is_group && strcmp(more->items[j], "*") == 0;
			const char *name = is_own ? asking->grants->user : more->items[j];
			const struct role *by = denier_of(asking, name, is_group);
			if (by != NULL)
				*denier = by;
			else if (!has_name(names, *count, name))
				names[(*count)++] = name;
		}
	}
	qsort(names, *count, sizeof *names, by_text);
	return names;
}

static bool lists_users(const struct asking *asking)
{
	for (size_t i = 0; i < asking->allowing_count; i++) {
		if (asking->allowing[i]->allow.users.count > 0)
			return true;
	}
	return false;
}

static void deny_users(struct asking *asking, const struct role *denier)
{
	deny(asking, xasprintf("role %s deny: kubernetes_users", denier->name),
	    xasprintf("role %s denies every user that this request could be made as. Ask an "
		      "administrator of eksgate "
		      "to narrow its kubernetes_users",
		denier->name));
}

/* Exactly one user: the only one listed, the own name among several, the own name when none is
 * listed. */
static bool choose_user(struct asking *asking)
{
	const char *own = asking->grants->user;
	const struct role *denier = NULL;
	if (!lists_users(asking)) {
		denier = denier_of(asking, own, false);
		asking->decision->user = own;
		if (denier != NULL)
			deny_users(asking, denier);
		return denier == NULL;
	}
	size_t count;
	const char **users = collect(asking, false, &count, &denier);
	if (count == 1) {
		asking->decision->user = users[0];
	} else if (has_name(users, count, own)) {
		asking->decision->user = own;
	} else if (count == 0 && denier != NULL) {
		deny_users(asking, denier);
	} else {
		char *names = join(users, count);
		deny(asking, xstrdup("several kubernetes_users"),
		    xasprintf(
			"the roles that allow it name several users to act as (%s) and this user "
			"is none of "
			"them. Ask an administrator of eksgate to leave one in kubernetes_users",
			names));
		free(names);
	}
	free(users);
	return asking->decision->user != NULL;
}

static void allow(struct asking *asking)
{
	struct decision *decision = asking->decision;
	const struct role *denier = NULL;
	struct buf rule = {0};
	decision->is_allowed = true;
	decision->groups = collect(asking, true, &decision->group_count, &denier);
	for (size_t i = 0; i < asking->allowing_count; i++)
		buf_printf(&rule, "%srole %s allow", i > 0 ? ", " : "", asking->allowing[i]->name);
	decision->rule = buf_take(&rule);
}

/* --- public ---------------------------------------------------------------------------------- */

bool policy_may_see(const struct grants *grants, const struct labels *cluster_labels)
{
	bool is_allowed = false;
	for (size_t i = 0; i < grants->role_count; i++) {
		if (role_denies(grants->roles[i], cluster_labels))
			return false;
		is_allowed = is_allowed || role_allows(grants->roles[i], cluster_labels);
	}
	return is_allowed;
}

void policy_decide(const struct grants *grants, const char *cluster,
    const struct labels *cluster_labels, const struct request_info *request,
    struct decision *decision)
{
	struct asking asking = {grants, cluster, cluster_labels, request, decision, NULL, 0};
	asking.allowing = xcalloc(grants->role_count + 1, sizeof(const struct role *));
	if (holds_roles(&asking) && is_not_denied(&asking) && is_allowed_by_a_role(&asking) &&
	    choose_user(&asking))
		allow(&asking);
	else
		decision->user = NULL;
	free(asking.allowing);
}

void decision_clear(struct decision *decision)
{
	free(decision->groups);
	free(decision->rule);
	free(decision->message);
	*decision = (struct decision){0};
}
