/* What one user holds: the roles that bindings give, those with templates filled in from the
 * credential. Made once per connection and policy. */
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/policy_set.h"

static bool is_bound(const struct policy *policy, const char *role, const struct identity *identity)
{
	for (size_t i = 0; i < policy->binding_count; i++) {
		const struct binding *binding = policy->bindings[i];
		if (texts_has(&binding->roles, role) && binding_is_for(binding, identity))
			return true;
	}
	return false;
}

static const struct role *role_for(struct grants *grants, size_t index)
{
	const struct policy *policy = grants->policy;
	if (policy->roles[index] != NULL)
		return policy->roles[index];
	struct role *role =
	    role_compile(policy->sources[index], &policy->vocabulary, &grants->subject);
	grants->own[grants->own_count++] = role;
	return role;
}

struct grants *policy_grants(struct policy *policy, const struct identity *identity)
{
	struct grants *grants = xcalloc(1, sizeof *grants);
	grants->policy = policy_ref(policy);
	subject_init(&grants->subject, identity);
	grants->roles = xcalloc(policy->role_count + 1, sizeof(const struct role *));
	grants->own = xcalloc(policy->role_count + 1, sizeof(struct role *));
	grants->role_names = xcalloc(policy->role_count + 1, sizeof *grants->role_names);
	grants->standings = standings_new();
	for (size_t i = 0; i < policy->role_count; i++) {
		if (!is_bound(policy, policy->role_names[i], identity))
			continue;
		grants->role_names[grants->role_count] = policy->role_names[i];
		const struct role *role = role_for(grants, i);
		grants->roles[grants->role_count++] = role;
		grants->denies_names = grants->denies_names || role->denies_names;
		role_options_tighten(&grants->options, &policy->sources[i]->options);
	}
	return grants;
}

void grants_free(struct grants **grants)
{
	struct grants *old = *grants;
	*grants = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->own_count; i++)
		role_free(&old->own[i]);
	standings_free(&old->standings);
	policy_unref(&old->policy);
	subject_free(&old->subject);
	free(old->own);
	free(old->roles);
	free(old->role_names);
	free(old);
}

const char *const *grants_roles(const struct grants *grants)
{
	return grants->role_names;
}

const struct role_options *grants_options(const struct grants *grants)
{
	return &grants->options;
}

bool policy_may_see(const struct grants *grants, const struct labels *cluster_labels)
{
	bool is_allowed = false;
	for (size_t i = 0; i < grants->role_count; i++) {
		const struct role *role = grants->roles[i];
		if (role_denies(role, &grants->subject, cluster_labels))
			return false;
		is_allowed = is_allowed || role_allows(role, &grants->subject, cluster_labels);
	}
	return is_allowed;
}
