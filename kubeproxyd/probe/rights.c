/* Says what the proxy needs, once for the check (SelfSubjectAccessReviews), once for the grant (a
 * ClusterRole), so that the two cannot differ. Users are not narrowed: their names are whatever
 * certificates and tokens say. Called by the prober, apply.c and `kubeproxyd rbac`; pure. */
#include "kubeproxyd/probe/rights.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/policy.h"

#define AUTHENTICATION "authentication.k8s.io"
#define AUTHORIZATION  "authorization.k8s.io"
#define RBAC	       "rbac.authorization.k8s.io"
/* What eksgate.proxy.original_user adds. */
#define ORIGINAL_USER "original-user.eksgate.io"

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_group(void *arg, const char *group)
{
	struct rights *rights = arg;
	if (group == NULL) {
		rights->is_any_group = true;
		return;
	}
	rights->groups =
	    xreallocarray(rights->groups, rights->group_count + 1, sizeof *rights->groups);
	rights->groups[rights->group_count++] = xstrdup(group);
}

static void add_extra(void *arg, const char *key)
{
	struct rights *rights = arg;
	rights->extras =
	    xreallocarray(rights->extras, rights->extra_count + 1, sizeof *rights->extras);
	rights->extras[rights->extra_count++] = xstrdup(key);
}

static void drop_names(char ***names, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		free((*names)[i]);
	xfree(names);
	*count = 0;
}

static void sort_names(char **names, size_t *count)
{
	size_t kept = 0;
	if (*count == 0)
		return;
	qsort(names, *count, sizeof *names, compare);
	for (size_t i = 0; i < *count; i++) {
		if (kept > 0 && strcmp(names[i], names[kept - 1]) == 0)
			free(names[i]);
		else
			names[kept++] = names[i];
	}
	*count = kept;
}

void rights_of_policy(const struct policy *policy, struct rights *rights)
{
	*rights = (struct rights){0};
	policy_each_group(policy, add_group, rights);
	if (rights->is_any_group)
		drop_names(&rights->groups, &rights->group_count);
	sort_names(rights->groups, &rights->group_count);
	add_extra(rights, ORIGINAL_USER);
	policy_each_extra(policy, add_extra, rights);
	sort_names(rights->extras, &rights->extra_count);
}

void rights_clear(struct rights *rights)
{
	drop_names(&rights->groups, &rights->group_count);
	drop_names(&rights->extras, &rights->extra_count);
	*rights = (struct rights){0};
}

const char *rights_warning(const struct rights *rights)
{
	return rights->is_any_group
		   ? "a role takes kubernetes_groups from a template: the ClusterRole lets the "
		     "proxy impersonate any group, system:masters included; name the groups in "
		     "the roles, or narrow the ClusterRole by hand (resourceNames)"
		   : NULL;
}

size_t rights_list(const struct rights *rights, struct right list[RIGHTS_MAX])
{
	size_t count = 0;
	list[count++] = (struct right){.verb = "impersonate", .group = "", .resource = "users"};
	list[count++] =
	    (struct right){.verb = "impersonate", .group = "", .resource = "serviceaccounts"};
	list[count++] = (struct right){.verb = "get", .group = "", .resource = "pods"};
	if (rights->is_any_group)
		list[count++] =
		    (struct right){.verb = "impersonate", .group = "", .resource = "groups"};
	for (size_t i = 0; i < rights->group_count && count < RIGHTS_MAX; i++)
		list[count++] = (struct right){.verb = "impersonate",
		    .group = "",
		    .resource = "groups",
		    .name = rights->groups[i]};
	return count;
}

/* --- objects --------------------------------------------------------------------------------- */

static struct json_object *texts(const char *const *items, size_t count)
{
	struct json_object *list = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(items[i]));
	return list;
}

static struct json_object *text(const char *item)
{
	return texts(&item, 1);
}

static struct json_object *add_rule(
    struct json_object *rules, const char *group, const char *verb, struct json_object *resources)
{
	struct json_object *rule = json_object_new_object();
	json_object_object_add(rule, "apiGroups", text(group));
	json_object_object_add(rule, "resources", resources);
	json_object_object_add(rule, "verbs", text(verb));
	json_object_array_add(rules, rule);
	return rule;
}

static struct json_object *extra_resources(const struct rights *rights)
{
	struct json_object *list = text("uids");
	for (size_t i = 0; i < rights->extra_count; i++) {
		char *resource = xasprintf("userextras/%s", rights->extras[i]);
		json_object_array_add(list, json_object_new_string(resource));
		free(resource);
	}
	return list;
}

static struct json_object *make_rules(const struct rights *rights)
{
	static const char *const reviews[] = {
	    "selfsubjectaccessreviews", "selfsubjectrulesreviews"};
	static const char *const people[] = {"users", "serviceaccounts"};
	struct json_object *rules = json_object_new_array();
	(void)add_rule(rules, "", "impersonate", texts(people, 2));
	if (rights->is_any_group || rights->group_count > 0) {
		struct json_object *rule = add_rule(rules, "", "impersonate", text("groups"));
		if (!rights->is_any_group)
			json_object_object_add(rule, "resourceNames",
			    texts((const char *const *)rights->groups, rights->group_count));
	}
	if (rights->has_extras)
		(void)add_rule(rules, AUTHENTICATION, "impersonate", extra_resources(rights));
	(void)add_rule(rules, "", "get", text("pods"));
	(void)add_rule(rules, AUTHORIZATION, "create", texts(reviews, 2));
	return rules;
}

static struct json_object *new_object(const char *kind, const char *name)
{
	struct json_object *object = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *labels = json_object_new_object();
	json_object_object_add(object, "apiVersion", json_object_new_string(RBAC "/v1"));
	json_object_object_add(object, "kind", json_object_new_string(kind));
	json_object_object_add(metadata, "name", json_object_new_string(name));
	json_object_object_add(
	    labels, "app.kubernetes.io/managed-by", json_object_new_string("eksgate"));
	json_object_object_add(metadata, "labels", labels);
	json_object_object_add(object, "metadata", metadata);
	return object;
}

struct json_object *rights_cluster_role(const struct rights *rights, const char *name)
{
	struct json_object *role = new_object("ClusterRole", name);
	json_object_object_add(role, "rules", make_rules(rights));
	return role;
}

struct json_object *rights_cluster_role_binding(const char *name, const char *group)
{
	struct json_object *binding = new_object("ClusterRoleBinding", name);
	struct json_object *role = json_object_new_object();
	struct json_object *subject = json_object_new_object();
	struct json_object *subjects = json_object_new_array();
	json_object_object_add(role, "apiGroup", json_object_new_string(RBAC));
	json_object_object_add(role, "kind", json_object_new_string("ClusterRole"));
	json_object_object_add(role, "name", json_object_new_string(name));
	json_object_object_add(binding, "roleRef", role);
	json_object_object_add(subject, "apiGroup", json_object_new_string(RBAC));
	json_object_object_add(subject, "kind", json_object_new_string("Group"));
	json_object_object_add(subject, "name", json_object_new_string(group));
	json_object_array_add(subjects, subject);
	json_object_object_add(binding, "subjects", subjects);
	return binding;
}
