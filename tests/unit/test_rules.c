/* Decisions by rules: the matrix of tests/vectors/decisions.json, templates and label expressions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"

#define VECTORS "tests/vectors/decisions.json"

static struct policy *parse(const char *text)
{
	char *error = NULL;
	struct policy *policy = policy_parse("roles.yaml", text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%s\n%s", error, text);
	return policy;
}

/* What `user` holds under `policy`. */
static struct grants *grants_of(
    struct policy *policy, const char *user, const struct traits *traits)
{
	char *name = xstrdup(user);
	struct identity identity = {.user = name, .source = "certificate", .references = 1};
	if (traits != NULL)
		identity.traits = *traits;
	struct grants *grants = policy_grants(policy, &identity);
	free(name);
	return grants;
}

static void decide(const struct grants *grants, const struct labels *labels, const char *request,
    struct request_info *info, struct decision *decision)
{
	char *method = xstrdup(request);
	char *target = strchr(method, ' ');
	unsigned status;
	const char *reason;
	*target++ = '\0';
	if (!request_info_parse(method, target, info, &status, &reason))
		fail_msg("%s: %s", request, reason);
	policy_decide(grants, "c1", labels, info, decision);
	free(method);
}

/* '+', '~' or '.' */
static char outcome(
    const struct grants *grants, const struct labels *labels, const char *request, char **why)
{
	struct request_info info = {0};
	struct decision decision = {0};
	decide(grants, labels, request, &info, &decision);
	assert_non_null(decision.rule);
	assert_int_equal(decision_is_whole(&decision), decision.message == NULL);
	assert_int_equal(decision.is_allowed, decision.user != NULL);
	char is = decision_is_whole(&decision)			  ? '+'
		  : decision.is_restricted || decision.needs_name ? '~'
								  : '.';
	*why = xasprintf("%s; %s", decision.rule, decision.message != NULL ? decision.message : "");
	decision_clear(&decision);
	request_info_free(&info);
	return is;
}

/* --- the matrix ------------------------------------------------------------------------------ */

static void add_rules(struct buf *out, struct json_object *role, const char *side)
{
	struct json_object *rules;
	if (!json_object_object_get_ex(role, side, &rules))
		return;
	buf_printf(out, "  %s:\n    kubernetes_resources:\n", side);
	for (size_t i = 0; i < json_object_array_length(rules); i++)
		buf_printf(
		    out, "    - %s\n", json_object_get_string(json_object_array_get_idx(rules, i)));
}

/* The role, bound to a user of the same name. */
static void add_role(struct buf *out, struct json_object *role)
{
	const char *name = json_object_get_string(json_object_object_get(role, "name"));
	const char *version = json_object_get_string(json_object_object_get(role, "version"));
	struct buf rules = {0};
	add_rules(&rules, role, "allow");
	bool has_allow = rules.len > 0;
	add_rules(&rules, role, "deny");
	buf_printf(out,
	    "---\nkind: role\nversion: %s\nmetadata: {name: %s}\nspec:\n%s%s"
	    "---\nkind: role_binding\nversion: v1\nmetadata: {name: %s}\nspec: {roles: [%s, all], "
	    "users: [%s]}\n",
	    version, name, has_allow ? "" : "  allow: {kubernetes_labels: {'*': '*'}}\n",
	    buf_text(&rules), name, name, name);
	buf_free(&rules);
}

static struct policy *matrix_policy(struct json_object *roles)
{
	struct buf text = {0}, out = {0};
	for (size_t i = 0; i < json_object_array_length(roles); i++)
		add_role(&text, json_object_array_get_idx(roles, i));
	/* Every role of the matrix is about every cluster. */
	for (const char *at = buf_text(&text); *at != '\0'; at++) {
		static const char allow[] = "  allow:\n    kubernetes_resources";
		if (strncmp(at, allow, strlen(allow)) == 0) {
			buf_append_text(&out, "  allow:\n    kubernetes_labels: {'*': '*'}\n");
			at += strlen("  allow:\n");
		}
		buf_append_char(&out, *at);
	}
	buf_append_text(&out, "---\nkind: role\nversion: v8\nmetadata: {name: all}\nspec: {}\n");
	struct policy *policy = parse(buf_text(&out));
	buf_free(&text);
	buf_free(&out);
	return policy;
}

static void check_row(struct policy *policy, struct json_object *roles, struct json_object *row)
{
	const char *request = json_object_get_string(json_object_array_get_idx(row, 0));
	const char *wanted = json_object_get_string(json_object_array_get_idx(row, 1));
	struct labels labels = {0};
	assert_int_equal(strlen(wanted), json_object_array_length(roles));
	for (size_t i = 0; i < json_object_array_length(roles); i++) {
		struct json_object *role = json_object_array_get_idx(roles, i);
		const char *name = json_object_get_string(json_object_object_get(role, "name"));
		struct grants *grants = grants_of(policy, name, NULL);
		char *why = NULL;
		char got = outcome(grants, &labels, request, &why);
		if (got != wanted[i])
			fail_msg("%s by %s: %c, wanted %c: %s", request, name, got, wanted[i], why);
		free(why);
		grants_free(&grants);
	}
}

static void test_the_matrix(void **state)
{
	(void)state;
	struct json_object *document = json_object_from_file(VECTORS);
	assert_non_null(document);
	struct json_object *roles = json_object_object_get(document, "roles");
	struct json_object *rows = json_object_object_get(document, "rows");
	struct policy *policy = matrix_policy(roles);
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		check_row(policy, roles, json_object_array_get_idx(rows, i));
	policy_unref(&policy);
	json_object_put(document);
}

/* --- templates ------------------------------------------------------------------------------- */

#define ROLE(spec)                                                                                 \
	"kind: role\nversion: v8\nmetadata: {name: r}\nspec:\n" spec                               \
	"---\nkind: role_binding\nversion: v1\nmetadata: {name: b}\nspec: {roles: [r], users: "    \
	"['*']}\n"

static const char template_role[] =
    ROLE("  allow:\n"
	 "    kubernetes_labels: {team: '{{external.team}}', env: [dev, '{{internal.env}}-*']}\n"
	 "    kubernetes_groups: ['{{external.groups}}', 'eksgate:{{user.name}}', "
	 "'{{email.local(external.email)}}']\n"
	 "    kubernetes_users: ['{{regexp.replace(external.email, \"^(.+)@(.+)$\", "
	 "\"$2:${1}\")}}']\n"
	 "    kubernetes_resources:\n"
	 "    - {kind: pods, namespace: '{{external.team}}', name: '{{external.prefix}}-*', verbs: "
	 "[get]}\n");

static void add_trait(struct traits *traits, const char *name, const char *value)
{
	assert_true(traits_add(traits, name, value));
}

static void expect(
    struct grants *grants, const struct labels *labels, const char *request, char wanted)
{
	char *why = NULL;
	char got = outcome(grants, labels, request, &why);
	if (got != wanted)
		fail_msg("%s: %c, wanted %c: %s", request, got, wanted, why);
	free(why);
}

static void test_templates(void **state)
{
	(void)state;
	struct policy *policy = parse(template_role);
	struct traits traits = {0};
	struct labels labels = {0};
	add_trait(&traits, "team", "web");
	add_trait(&traits, "team", "shop");
	add_trait(&traits, "env", "prod");
	add_trait(&traits, "prefix", "a.c");
	add_trait(&traits, "email", "joe@example.com");
	add_trait(&traits, "email", "nonsense");
	add_trait(&traits, "groups", "ops");
	add_trait(&traits, "groups", "system:masters");
	add_trait(&traits, "groups", "eksgate:proxy");
	add_trait(&traits, "groups", "bad\nname");
	labels_set(&labels, "team", "shop");
	labels_set(&labels, "env", "prod-1");
	struct grants *grants = grants_of(policy, "joe", &traits);
	expect(grants, &labels, "GET /api/v1/namespaces/web/pods/a.c-1", '+');
	expect(grants, &labels, "GET /api/v1/namespaces/shop/pods/a.c-1", '+');
	expect(grants, &labels, "GET /api/v1/namespaces/shop/pods/abc-1", '.');
	expect(grants, &labels, "GET /api/v1/namespaces/other/pods/a.c-1", '.');
	struct request_info info = {0};
	struct decision decision = {0};
	decide(grants, &labels, "GET /api/v1/namespaces/web/pods/a.c-1", &info, &decision);
	assert_string_equal(decision.user, "example.com:joe");
	assert_int_equal(decision.group_count, 3);
	assert_string_equal(decision.groups[0], "eksgate:joe");
	assert_string_equal(decision.groups[1], "joe");
	assert_string_equal(decision.groups[2], "ops");
	decision_clear(&decision);
	request_info_free(&info);
	labels_set(&labels, "env", "staging");
	expect(grants, &labels, "GET /api/v1/namespaces/web/pods/a.c-1", '.');
	grants_free(&grants);
	/* Somebody without the claims reaches nothing. */
	labels_set(&labels, "env", "dev");
	grants = grants_of(policy, "kim", NULL);
	expect(grants, &labels, "GET /version", '.');
	grants_free(&grants);
	traits_free(&traits);
	labels_free(&labels);
	policy_unref(&policy);
}

/* A claim gives nobody a name of Kubernetes' own, but it may take one away. */
static void test_claims_deny_any_name(void **state)
{
	(void)state;
	struct policy *policy =
	    parse(ROLE("  allow:\n    kubernetes_labels: {'*': '*'}\n"
		       "    kubernetes_groups: ['system:masters', dev]\n"
		       "  deny:\n    kubernetes_groups: ['{{external.banned}}']\n"));
	struct traits traits = {0};
	struct labels labels = {0};
	struct request_info info = {0};
	struct decision decision = {0};
	add_trait(&traits, "banned", "system:masters");
	add_trait(&traits, "banned", "*");
	struct grants *grants = grants_of(policy, "joe", &traits);
	decide(grants, &labels, "GET /api/v1/namespaces/web/pods/a", &info, &decision);
	assert_true(decision.is_allowed);
	assert_int_equal(decision.group_count, 1);
	assert_string_equal(decision.groups[0], "dev");
	decision_clear(&decision);
	request_info_free(&info);
	grants_free(&grants);
	traits_free(&traits);
	policy_unref(&policy);
}

/* What looks like a pattern or a template in a claim is a text like any other: nothing is filled in
 * twice, so that no cycle can be. */
static void test_claims_are_texts(void **state)
{
	(void)state;
	static const char *const claims[] = {"*", "^.*$", "w*", "{{external.team}}"};
	struct policy *policy = parse(
	    ROLE("  allow:\n    kubernetes_labels: {team: '{{external.team}}'}\n"
		 "    kubernetes_users: ['{{external.team}}', x]\n    kubernetes_resources:\n"
		 "    - {kind: pods, namespace: '{{external.team}}', name: '{{external.team}}*', "
		 "verbs: [get]}\n"));
	for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
		struct traits traits = {0};
		struct labels labels = {0};
		add_trait(&traits, "team", claims[i]);
		labels_set(&labels, "team", "web");
		struct grants *grants = grants_of(policy, "joe", &traits);
		assert_false(policy_may_see(grants, &labels));
		labels_set(&labels, "team", claims[i]);
		assert_true(policy_may_see(grants, &labels));
		expect(grants, &labels, "GET /api/v1/namespaces/web/pods/web-1", '.');
		grants_free(&grants);
		traits_free(&traits);
		labels_free(&labels);
	}
	policy_unref(&policy);
}

static void test_a_template_without_a_user_is_a_no(void **state)
{
	(void)state;
	struct policy *policy = parse(ROLE("  allow:\n    kubernetes_labels: {'*': '*'}\n"
					   "    kubernetes_users: ['{{external.login}}']\n"));
	struct labels labels = {0};
	struct grants *grants = grants_of(policy, "joe", NULL);
	char *why = NULL;
	assert_int_equal(outcome(grants, &labels, "GET /version", &why), '.');
	assert_non_null(strstr(why, "which claims it must have"));
	free(why);
	grants_free(&grants);
	policy_unref(&policy);
}

/* --- label expressions ----------------------------------------------------------------------- */

static const struct {
	const char *expression;
	bool holds;
} expressions[] = {
    {"labels[\"env\"] == \"prod\"", true},
    {"labels.env == `prod`", true},
    {"labels.env != \"prod\"", false},
    {"labels.none == \"\"", true},
    {"!(labels.env == \"dev\") && labels.tier == \"1\"", true},
    {"labels.env == \"dev\" || labels.tier == \"1\" && labels.env == \"prod\"", true},
    {"labels.tier == \"1\" && labels.env == \"x\" || labels.env == \"y\"", false},
    {"contains(user.spec.traits[\"envs\"], labels[\"env\"])", true},
    {"contains(external.envs, \"x\")", false},
    {"contains(external.missing, labels.env)", false},
    {"contains(set(\"a\", labels.env), \"prod\")", true},
    {"contains_any(external.envs, set(\"x\", \"dev\"))", true},
    {"contains_all(external.envs, set(\"x\", \"dev\"))", false},
    {"contains_all(external.envs, set(\"prod\", \"dev\"))", true},
    {"contains_all(external.envs, external.missing)", false},
    {"regexp.match(labels.env, \"^p.*d$\")", true},
    {"regexp.match(external.envs, \"^q\")", false},
    {"regexp.match(labels_matching(\"t*\"), \"^1$\")", true},
    {"contains(regexp.replace(external.envs, \"^(.)rod$\", \"$1\"), \"p\")", true},
    {"contains(strings.upper(external.envs), \"DEV\")", true},
    {"contains(strings.lower(set(\"ProD\")), labels.env)", true},
    {"contains(email.local(external.mail), user.metadata.name)", true},
    {"user.name == \"joe\" && !contains(internal.envs, \"qa\")", true},
    {"labels[\"a\\\"b\"] == \"\"", true},
};

static void test_label_expressions(void **state)
{
	(void)state;
	struct traits traits = {0};
	struct labels labels = {0};
	add_trait(&traits, "envs", "prod");
	add_trait(&traits, "envs", "dev");
	add_trait(&traits, "mail", "joe@example.com");
	labels_set(&labels, "env", "prod");
	labels_set(&labels, "tier", "1");
	for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
		char *text = xasprintf(ROLE("  allow: {kubernetes_labels_expression: '%s'}\n"),
		    expressions[i].expression);
		struct policy *policy = parse(text);
		struct grants *grants = grants_of(policy, "joe", &traits);
		if (policy_may_see(grants, &labels) != expressions[i].holds)
			fail_msg("%s", expressions[i].expression);
		grants_free(&grants);
		policy_unref(&policy);
		free(text);
	}
	traits_free(&traits);
	labels_free(&labels);
}

/* In allow both must hold, in deny one is enough. */
static void test_labels_and_expression(void **state)
{
	(void)state;
	static const struct {
		const char *env, *tier;
		bool is_seen;
	} rows[] = {{"prod", "1", true}, {"prod", "2", false}, {"dev", "1", false},
	    {"prod", "x", false}, {"bad", "1", false}};
	struct policy *policy =
	    parse(ROLE("  allow:\n    kubernetes_labels: {env: [prod, bad]}\n"
		       "    kubernetes_labels_expression: 'labels.tier == \"1\" || labels.tier == "
		       "\"x\"'\n"
		       "  deny:\n    kubernetes_labels: {env: bad}\n"
		       "    kubernetes_labels_expression: 'labels.tier == \"x\"'\n"));
	struct grants *grants = grants_of(policy, "joe", NULL);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct labels labels = {0};
		labels_set(&labels, "env", rows[i].env);
		labels_set(&labels, "tier", rows[i].tier);
		assert_int_equal(policy_may_see(grants, &labels), rows[i].is_seen);
		expect(grants, &labels, "GET /version", rows[i].is_seen ? '+' : '.');
		labels_free(&labels);
	}
	grants_free(&grants);
	policy_unref(&policy);
}

/* Users and groups come only from roles that allow the request itself, and wholly if one does. */
static void test_principals_are_not_merged(void **state)
{
	(void)state;
	static const struct {
		const char *request, *groups;
	} rows[] = {
	    {"GET /api/v1/namespaces/dev/pods/a", "devs"},
	    {"GET /api/v1/namespaces/prod/pods/a", "admins"},
	    {"GET /api/v1/namespaces/dev/pods", "devs"},
	    {"GET /version", "admins,devs"},
	};
	struct policy *policy = parse(
	    "kind: role\nversion: v8\nmetadata: {name: a}\nspec: {allow: {kubernetes_labels: {'*': "
	    "'*'}, kubernetes_groups: [devs], kubernetes_resources: [{kind: pods, namespace: dev, "
	    "name: '*', verbs: ['*']}]}}\n---\n"
	    "kind: role\nversion: v8\nmetadata: {name: b}\nspec: {allow: {kubernetes_labels: {'*': "
	    "'*'}, kubernetes_groups: [admins], kubernetes_resources: [{kind: pods, namespace: "
	    "prod, name: '*', verbs: [get]}, {kind: pods, namespace: dev, name: b, verbs: "
	    "[list]}]}}\n---\n"
	    "kind: role_binding\nversion: v1\nmetadata: {name: b}\nspec: {roles: [a, b], users: "
	    "[joe]}\n");
	struct grants *grants = grants_of(policy, "joe", NULL);
	struct labels labels = {0};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct request_info info = {0};
		struct decision decision = {0};
		struct buf groups = {0};
		decide(grants, &labels, rows[i].request, &info, &decision);
		assert_true(decision_is_whole(&decision));
		for (size_t j = 0; j < decision.group_count; j++)
			buf_printf(&groups, "%s%s", j > 0 ? "," : "", decision.groups[j]);
		assert_string_equal(buf_text(&groups), rows[i].groups);
		buf_free(&groups);
		decision_clear(&decision);
		request_info_free(&info);
	}
	grants_free(&grants);
	policy_unref(&policy);
}

/* Roles that act as different users go together: what all of them allow is asked as the first. */
static void test_roles_of_different_users(void **state)
{
	(void)state;
	static const struct {
		const char *request, *user; /* NULL: denied */
	} rows[] = {
	    {"GET /api/v1/namespaces/dev/pods", "a"},
	    {"GET /api/v1/namespaces/dev/secrets", "b"},
	    {"GET /api/v1/namespaces/dev/services", NULL},
	    {"GET /apis", "a"},
	    {"POST /apis/authentication.k8s.io/v1/selfsubjectreviews", "a"},
	};
	struct policy *policy = parse(
	    "kind: role\nversion: v8\nmetadata: {name: a}\nspec: {allow: {kubernetes_labels: {'*': "
	    "'*'}, kubernetes_users: [a], kubernetes_resources: [{kind: pods, namespace: dev, "
	    "name: "
	    "'*', verbs: ['*']}, {kind: services, namespace: dev, name: '*', verbs: "
	    "['*']}]}}\n---\n"
	    "kind: role\nversion: v8\nmetadata: {name: b}\nspec: {allow: {kubernetes_labels: {'*': "
	    "'*'}, kubernetes_users: [b], kubernetes_resources: [{kind: secrets, namespace: dev, "
	    "name: '*', verbs: ['*']}, {kind: services, namespace: dev, name: '*', verbs: "
	    "['*']}]}}\n---\n"
	    "kind: role_binding\nversion: v1\nmetadata: {name: b}\nspec: {roles: [a, b], users: "
	    "[joe]}\n");
	struct grants *grants = grants_of(policy, "joe", NULL);
	struct labels labels = {0};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct request_info info = {0};
		struct decision decision = {0};
		decide(grants, &labels, rows[i].request, &info, &decision);
		if (rows[i].user == NULL)
			assert_null(decision.user);
		else
			assert_string_equal(decision.user, rows[i].user);
		decision_clear(&decision);
		request_info_free(&info);
	}
	grants_free(&grants);
	policy_unref(&policy);
}

/* --- words ----------------------------------------------------------------------------------- */

static void test_a_no_says_what_to_ask_for(void **state)
{
	(void)state;
	static const struct {
		const char *request, *says;
	} rows[] = {
	    {"POST /api/v1/namespaces/dev/pods/a/eviction",
		"kind: pods/eviction, api_group: \"\", namespace: \"dev\", name: \"a\", verbs: "
		"[create]"},
	    {"GET /api/v1/namespaces/prod/pods/a/log",
		"kind: pods, api_group: \"\", namespace: \"prod\", name: \"a\", verbs: [get]"},
	    {"GET /api/v1/namespaces/prod/pods/a/portforward", "verbs: [portforward]"},
	    {"GET /apis/apps/v1/deployments",
		"kind: deployments, api_group: \"apps\", namespace: \"*\", name: \"*\", verbs: "
		"[list]"},
	    {"GET /metrics", "kind: \"*\", api_group: \"*\""},
	    {"POST /api/v1/namespaces/dev/pods/a/exec?command=rm",
		"allow other commands than this"},
	    {"GET /api/v1/namespaces/dev/secrets/a", "role r deny: kubernetes_resources[0]"},
	    {"GET /api/v1/pods", "is for some names or namespaces alone: name one namespace"},
	    {"POST /api/v1/namespaces/dev/configmaps", "has no name that is known before"},
	    {"DELETE /api/v1/configmaps", "name one object"},
	};
	struct policy *policy = parse(
	    ROLE("  allow:\n    kubernetes_labels: {'*': '*'}\n    kubernetes_resources:\n"
		 "    - {kind: pods, namespace: dev, name: '*', verbs: [get, list]}\n"
		 "    - {kind: pods, namespace: dev, name: '*', verbs: [exec], commands: [ls]}\n"
		 "    - {kind: configmaps, namespace: dev, name: 'a*', verbs: ['*']}\n"
		 "  deny:\n    kubernetes_resources:\n"
		 "    - {kind: secrets, namespace: '*', name: '*', verbs: ['*']}\n"));
	struct grants *grants = grants_of(policy, "joe", NULL);
	struct labels labels = {0};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *why = NULL;
		assert_int_not_equal(outcome(grants, &labels, rows[i].request, &why), '+');
		if (strstr(why, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].request, why);
		free(why);
	}
	grants_free(&grants);
	policy_unref(&policy);
}

/* What `kubectl auth can-i VERB RESOURCE` asks, which may say "*": it is no when any of it is. */
static bool may(const struct grants *grants, const char *verb, const char *group,
    const char *resource, const char *namespace)
{
	struct labels labels = {0};
	struct decision decision = {0};
	struct request_info info = {.is_resource = true,
	    .verb = verb,
	    .path = "",
	    .api_group = group,
	    .api_version = "",
	    .resource = resource,
	    .subresource = "",
	    .namespace = namespace,
	    .name = "",
	    .field_selector = "",
	    .label_selector = ""};
	policy_decide(grants, "c1", &labels, &info, &decision);
	bool is_allowed = decision.is_allowed;
	decision_clear(&decision);
	return is_allowed;
}

static void test_reviews_of_everything(void **state)
{
	(void)state;
	struct policy *policy =
	    parse(ROLE("  allow: {kubernetes_labels: {'*': '*'}}\n"
		       "  deny:\n    kubernetes_resources:\n"
		       "    - {kind: secrets, namespace: prod, name: '*', verbs: [get]}\n"
		       "    - {kind: services/proxy, namespace: qa, name: '*', verbs: [get]}\n"
		       "    - {kind: '*', namespace: old, name: '*', verbs: [delete]}\n"));
	struct grants *grants = grants_of(policy, "joe", NULL);
	assert_false(may(grants, "*", "*", "*", ""));
	assert_false(may(grants, "*", "*", "*", "prod"));
	assert_false(may(grants, "get", "*", "*", "prod"));
	assert_false(may(grants, "get", "", "*", ""));
	assert_false(may(grants, "*", "", "secrets", "prod"));
	assert_false(may(grants, "*", "*", "*", "qa"));
	assert_true(may(grants, "*", "", "services", "qa"));
	assert_false(may(grants, "*", "", "namespaces", ""));
	assert_true(may(grants, "update", "", "namespaces", ""));
	assert_true(may(grants, "*", "*", "*", "dev"));
	assert_true(may(grants, "create", "*", "*", "prod"));
	assert_true(may(grants, "get", "apps", "*", "prod"));
	assert_true(may(grants, "*", "", "pods", "prod"));
	grants_free(&grants);
	policy_unref(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_matrix),
	    cmocka_unit_test(test_templates),
	    cmocka_unit_test(test_claims_deny_any_name),
	    cmocka_unit_test(test_claims_are_texts),
	    cmocka_unit_test(test_a_template_without_a_user_is_a_no),
	    cmocka_unit_test(test_label_expressions),
	    cmocka_unit_test(test_labels_and_expression),
	    cmocka_unit_test(test_principals_are_not_merged),
	    cmocka_unit_test(test_roles_of_different_users),
	    cmocka_unit_test(test_a_no_says_what_to_ask_for),
	    cmocka_unit_test(test_reviews_of_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
