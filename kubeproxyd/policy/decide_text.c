/* The words of a no: what was asked, which rule says no, and what to ask an administrator for.
 * Called by decide.c. */
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/policy/asking.h"

#define ASK "Ask an administrator of eksgate "

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
	const char *user = asking->grants->subject.user;
	if (!request->is_resource)
		return xasprintf("user \"%s\" cannot %s %.512s in cluster \"%s\"", user,
		    request->verb, request->path, asking->cluster);
	return xasprintf("user \"%s\" cannot %s %s%s%s in cluster \"%s\"", user, request->verb,
	    request->resource, request->subresource[0] != '\0' ? "/" : "", request->subresource,
	    asking->cluster);
}

static void decision_take_rule(struct decision *decision, char *rule)
{
	size_t len = strlen(rule);
	decision->rule = memcpy(decision_alloc(decision, len + 1), rule, len + 1);
	free(rule);
}

/* Both texts become the decision's. */
static void deny(struct asking *asking, char *rule, char *why)
{
	char *what = what_is_refused(asking);
	asking->decision->is_allowed = false;
	free(asking->decision->message);
	decision_take_rule(asking->decision, rule);
	asking->decision->message = xasprintf("%s: %s", what, why);
	free(what);
	free(why);
}

void deny_unbound(struct asking *asking)
{
	const struct texts *held = &asking->grants->subject.groups;
	char *groups = join((const char *const *)held->items, held->count);
	deny(asking, xstrdup("no role is bound"),
	    xasprintf("no role is bound to this user%s%s. " ASK "for a role_binding",
		groups[0] != '\0' ? " or to a group of the certificate: " : "", groups));
	free(groups);
}

void deny_by_labels(struct asking *asking, const struct role *role)
{
	bool is_labels = selector_match(role->deny.labels, asking->labels);
	char *labels = is_labels ? selector_text(role->deny.labels) : xstrdup("");
	deny(asking,
	    xasprintf("role %s deny: kubernetes_labels%s%s", role->name,
		is_labels ? " " : "_expression", labels),
	    xasprintf("role %s denies clusters %s%s. " ASK
		      "to take that role away, or to narrow what it denies",
		role->name, is_labels ? "with " : "by its kubernetes_labels_expression", labels));
	free(labels);
}

void deny_by_rule(struct asking *asking, const struct resource_rule *rule)
{
	deny(asking, xstrdup(rule->place),
	    xasprintf("it is denied by %s. " ASK
		      "to take that role away, or to narrow what it denies",
		rule->place));
}

void deny_cluster(struct asking *asking)
{
	char *roles = join(asking->grants->role_names, asking->grants->role_count);
	deny(asking, xstrdup("no role allows"),
	    xasprintf("none of the roles of this user (%s) has kubernetes_labels that match the "
		      "cluster. " ASK "for a role that does",
		roles));
	free(roles);
}

/* The rule that would allow it: "kind: pods, api_group: "", namespace: dev, name: "*", verbs:
 * [get]".
 */
static char *wanted_rule(const struct asking *asking)
{
	const struct request_info *request = asking->request;
	const char *subresource = request->subresource;
	const char *verb = request_info_access_verb(request);
	if (!request->is_resource)
		return xstrdup("kind: \"*\", api_group: \"*\", namespace: \"*\", name: \"*\", "
			       "verbs: [\"*\"]");
	if (strcmp(subresource, "exec") == 0 || strcmp(subresource, "attach") == 0)
		verb = "exec";
	else if (strcmp(subresource, "portforward") == 0)
		verb = "portforward";
	bool is_of_object = strcmp(subresource, "log") == 0 || strcmp(subresource, "status") == 0 ||
			    strcmp(verb, "exec") == 0 || strcmp(verb, "portforward") == 0;
	if (is_of_object)
		subresource = "";
	return xasprintf("kind: %s%s%s, api_group: \"%s\", namespace: \"%s\", name: \"%s\", verbs: "
			 "[%s]",
	    request->resource, subresource[0] != '\0' ? "/" : "", subresource, request->api_group,
	    asking->wanted.namespace.text[0] != '\0' ? asking->wanted.namespace.text : "*",
	    request->name[0] != '\0' ? request->name : "*", verb);
}

/* The roles that are about the cluster. */
static char *roles_of_cluster(const struct asking *asking)
{
	struct buf out = {0};
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		const struct role *role = asking->grants->roles[i];
		if (role_allows(role, &asking->grants->subject, asking->labels))
			buf_printf(&out, "%s%s", out.len > 0 ? ", " : "", role->name);
	}
	return buf_take(&out);
}

/* A role that would allow it if the command were another. */
static bool is_about_command(const struct asking *asking)
{
	struct wanted other = asking->wanted;
	other.is_session = false;
	for (size_t i = 0; asking->wanted.is_session && i < asking->grants->role_count; i++) {
		const struct role *role = asking->grants->roles[i];
		for (size_t j = 0; j < role->allow.rule_count; j++) {
			if (role->allow.rules[j].has_commands &&
			    resource_rule_allows(&role->allow.rules[j], &other) == COVERS_ALL)
				return true;
		}
	}
	return false;
}

void deny_request(struct asking *asking)
{
	char *roles = roles_of_cluster(asking), *rule = wanted_rule(asking);
	if (is_about_command(asking))
		deny(asking, xstrdup("no role allows the command"),
		    xasprintf("the roles that are about the cluster (%s) allow other commands "
			      "than this one, each word of it by itself. " ASK
			      "for one with this command in commands",
			roles));
	else
		deny(asking, xstrdup("no rule allows"),
		    xasprintf("none of the roles that are about the cluster (%s) allows it. " ASK
			      "for one with a rule {%s} in kubernetes_resources",
			roles, rule));
	free(roles);
	free(rule);
}

static char *part_reason(const struct asking *asking)
{
	if (asking->part_denied_by != NULL)
		return xasprintf("%s takes some of it away", asking->part_denied_by->place);
	return xasprintf(
	    "%s is for some names or namespaces alone", asking->allowing[0].rule->place);
}

void deny_part(struct asking *asking)
{
	char *reason = part_reason(asking), *rule = wanted_rule(asking);
	bool is_create = strcmp(asking->request->verb, "create") == 0;
	deny(asking,
	    xstrdup(asking->part_denied_by != NULL ? asking->part_denied_by->place
						   : asking->allowing[0].rule->place),
	    is_create
		? xasprintf("%s, and what is to be created has no name that is known before "
			    "(metadata.name): give it one, or ask an administrator of eksgate for "
			    "a rule {%s} in kubernetes_resources",
		      reason, rule)
		: xasprintf("%s: name one object, or ask an administrator of eksgate for a rule "
			    "{%s} in kubernetes_resources",
		      reason, rule));
	free(reason);
	free(rule);
}

void explain_restriction(struct asking *asking)
{
	char *what = what_is_refused(asking), *reason = part_reason(asking);
	char *rule = wanted_rule(asking);
	asking->decision->message =
	    xasprintf("%s: %s: name one namespace or object that is allowed (-n NAMESPACE, or its "
		      "name), or ask an administrator of eksgate for a rule {%s} in "
		      "kubernetes_resources",
		what, reason, rule);
	free(what);
	free(reason);
	free(rule);
}

/* --- as whom --------------------------------------------------------------------------------- */

void deny_users(struct asking *asking, const struct role *denier)
{
	deny(asking, xasprintf("role %s deny: kubernetes_users", denier->name),
	    xasprintf("role %s denies every user that this request could be made as. " ASK
		      "to narrow its kubernetes_users",
		denier->name));
}

void deny_several_users(struct asking *asking, const char *const *users, size_t count)
{
	char *names = join(users, count);
	deny(asking, xstrdup("several kubernetes_users"),
	    xasprintf("the roles that allow it name several users to act as (%s) and this user is "
		      "none of them: choose one (--as). Ask an administrator of eksgate to leave "
		      "one in kubernetes_users",
		names));
	free(names);
}

void deny_no_user(struct asking *asking)
{
	deny(asking, xstrdup("no kubernetes_users"),
	    xasprintf("the kubernetes_users of the roles that allow it are templates, for which "
		      "this user's credential has no value. " ASK "which claims it must have"));
}

void deny_impersonation(struct asking *asking, const char *what, const char *name)
{
	static const char *const keys[][2] = {
	    {"user", "users"}, {"group", "groups"}, {"uid", "uids"}, {"extra", "extra"}};
	const char *key = "users";
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (strcmp(keys[i][0], what) == 0)
			key = keys[i][1];
	}
	deny(asking, xasprintf("no role allows acting as %s %s", what, name),
	    xasprintf("no role that allows it permits acting as %s \"%s\" (the header fields "
		      "Impersonate-*): leave out --as, --as-group and --as-uid (as, as-groups, "
		      "as-uid and as-user-extra in the kubeconfig), or ask an administrator of "
		      "eksgate for a role with that in kubernetes_impersonate.%s",
		what, name, key));
}

void deny_acting_as(struct asking *asking, const char *key)
{
	const struct request_info *request = asking->request;
	if (key == NULL) {
		deny(asking, xstrdup("no role allows"),
		    xstrdup("that is asked by somebody who acts as nobody else, about one user, "
			    "service account (with its namespace), group, uid or extra"));
		return;
	}
	deny(asking, xstrdup("no role allows"),
	    xasprintf("no role that is about the cluster permits acting as \"%s\". " ASK
		      "for a role with that in kubernetes_impersonate.%s",
		request->name, key));
}
