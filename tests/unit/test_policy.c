/* Roles and bindings: which documents are refused and where they say so, and who may reach what as
 * whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"

/* A role with `allow` in flow style; `deny` may be "". */
#define ROLE(name, allow, deny)                                                                    \
	"---\nkind: role\nversion: v8\nmetadata: {name: " name "}\nspec: {allow: {" allow          \
	"}, deny: {" deny "}}\n"
#define BIND(name, spec)                                                                           \
	"---\nkind: role_binding\nversion: v1\nmetadata: {name: " name "}\nspec: {" spec "}\n"

static struct policy *parse(const char *text)
{
	char *error = NULL;
	struct policy *policy = policy_parse("roles.yaml", text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	return policy;
}

/* --- documents that are refused -------------------------------------------------------------- */

#define HEAD	   "kind: role\nversion: v8\nmetadata:\n  name: a\n"
#define ALLOW(key) HEAD "spec:\n  allow:\n    " key "\n"
#define DENY(key)  HEAD "spec:\n  deny:\n    " key "\n"
#define RULE(rule) ALLOW("kubernetes_resources: [{" rule "}]")
/* Of an old version. */
#define OLD(version, rule)                                                                         \
	"kind: role\nversion: " version                                                            \
	"\nmetadata: {name: a}\nspec: {allow: {kubernetes_labels: "                                \
	"{'*': '*'}, kubernetes_resources: [{" rule "}]}}\n"
#define OPTION(x) HEAD "spec:\n  options:\n    " x "\n"
#define BHEAD	  "kind: role_binding\nversion: v1\nmetadata:\n  name: b\n"

struct bad {
	const char *text;
	const char *where; /* "LINE:COLUMN: " and the beginning of the finding */
};

static const struct bad bad_documents[] = {
    {"a: [", "roles.yaml:"},
    {"- x\n", "1:1: a document must be a map"},
    {"text\n", "1:1: a document must be a map"},
    {"version: v8\n", "1:1: kind is missing"},
    {"kind: rolle\n", "1:7: kind \"rolle\" does not belong here: did you mean \"role\"?"},
    {"kind: user\n", "1:7: kind \"user\" does not belong here"},
    {"kind: [role]\n", "1:7: kind must be a text"},
    {"kind: role\nkind: role\n", "2:1:"},
    {"kind: role\nmetadata: {name: a}\nspec: {}\n", "1:1: version is missing"},
    {"kind: role\nversion: v9\nmetadata: {name: a}\nspec: {}\n", "2:10: version \"v9\""},
    {"kind: role\nversion: v2\nmetadata: {name: a}\nspec: {}\n", "2:10: version \"v2\""},
    {"kind: role\nversion: v81\nmetadata: {name: a}\nspec: {}\n", "2:10: version \"v81\""},
    {"kind: role\nversion: 8\nmetadata: {name: a}\nspec: {}\n", "2:10: version \"8\""},
    {"kind: role\nversion: v8\nspec: {}\n", "1:1: metadata.name is missing"},
    {"kind: role\nversion: v8\nmetadata: {}\nspec: {}\n", "3:11: name is missing"},
    {"kind: role\nversion: v8\nmetadata: {name: ''}\nspec: {}\n", "3:18: name must be a text"},
    {"kind: role\nversion: v8\nmetadata: {name: a b}\nspec: {}\n", "3:18: metadata.name \"a b\""},
    {"kind: role\nversion: v8\nmetadata: {name: [a]}\nspec: {}\n", "3:18: name must be a text"},
    {"kind: role\nversion: v8\nmetadata: a\nspec: {}\n", "3:11: metadata must be a map"},
    {"kind: role\nversion: v8\nmetadata: {name: a, nmae: b}\nspec: {}\n",
	"3:21: unknown key \"nmae\": did you mean \"name\"?"},
    {HEAD, "1:1: spec is missing"},
    {HEAD "spec:\n", "5:1: spec is missing"},
    {HEAD "spec: x\n", "5:7: spec must be a map"},
    {HEAD "spec: {alow: {}}\n", "5:8: unknown key \"alow\": did you mean \"allow\"?"},
    {HEAD "spec: {}\nspecs: {}\n", "6:1: unknown key \"specs\": did you mean \"spec\"?"},
    {HEAD "spec: {allow: []}\n", "5:15: allow must be a map"},
    {HEAD "spec:\n  allow: {kubernetes_lables: {a: b}}\n",
	"6:11: unknown key \"kubernetes_lables\": did you mean \"kubernetes_labels\"?"},
    {HEAD "spec:\n  allow: {zzzzzzzzzzzz: {a: b}}\n", "6:11: unknown key \"zzzzzzzzzzzz\""},
    {ALLOW("kubernetes_labels: [a]"), "7:24: kubernetes_labels must be a map"},
    {ALLOW("kubernetes_labels: {'a b': c}"),
	"7:25: kubernetes_labels: \"a b\" can be no label's key"},
    {ALLOW("kubernetes_labels: {'*': x}"), "7:30: kubernetes_labels: the key \"*\""},
    {ALLOW("kubernetes_labels: {'*': ['*', '*']}"),
	"7:30: kubernetes_labels: the key \"*\" takes the value \"*\" once"},
    {ALLOW("kubernetes_labels: {env: }"), "7:30: kubernetes_labels env: a value is missing"},
    {ALLOW("kubernetes_labels: {env: []}"), "7:30: kubernetes_labels env: a value is missing"},
    {ALLOW("kubernetes_labels: {env: {a: b}}"), "7:30: env must be a list of texts"},
    {ALLOW("kubernetes_labels: {env: [[a]]}"), "7:31: env must be a list of texts"},
    {ALLOW("kubernetes_labels: {env: '^(a$'}"), "7:30: kubernetes_labels env:"},
    {ALLOW("kubernetes_labels: {env: '{{external.env'}"),
	"7:30: kubernetes_labels \"{{external.env\": {{ and }} stand in pairs"},
    {ALLOW("kubernetes_labels: {env: '{{external.a}}{{external.b}}'}"), "one {{…}} stands in a"},
    {ALLOW("kubernetes_labels: {env: '{{external.{{external.a}}}}'}"), "7:30:"},
    {ALLOW("kubernetes_labels: {env: '^{{external.a}}$'}"), "a regular expression has no {{…}}"},
    {ALLOW("kubernetes_labels: {env: '{{external}}'}"), "a member is missing"},
    {ALLOW("kubernetes_labels: {env: '{{nonsense.a}}'}"), "\"nonsense.a\" is not known"},
    {ALLOW("kubernetes_labels: {env: '{{labels.a}}'}"), "a template knows the user, not the"},
    {ALLOW("kubernetes_labels: {env: '{{contains(external.a, \"b\")}}'}"),
	"a template gives texts"},
    {ALLOW("kubernetes_labels: {env: '{{email.global(external.a)}}'}"), "\"email.global\" is not"},
    {ALLOW("kubernetes_labels: {env: '{{regexp.replace(external.a, \"(\", \"b\")}}'}"), "7:30:"},
    {ALLOW("kubernetes_labels: {env: '{{regexp.replace(external.a, \"a\", \"$x\")}}'}"),
	"a replacement has $1 to $9"},
    {ALLOW("kubernetes_labels_expression: 'tru'"),
	"7:35: kubernetes_labels_expression: \"tru\" is not known"},
    {ALLOW("kubernetes_labels_expression: 'labels[\"a\"]'"), "must be true or false"},
    {ALLOW("kubernetes_labels_expression: 'labels[\"a\"] == '"), "ends too early"},
    {ALLOW("kubernetes_labels_expression: 'labels[\"a\"] == external.b'"), "compare two texts"},
    {ALLOW("kubernetes_labels_expression: 'labels[\"a\"] && labels[\"b\"]'"), "stand between what"},
    {ALLOW("kubernetes_labels_expression: '!labels[\"a\"]'"), "stands before what is true"},
    {ALLOW("kubernetes_labels_expression: 'regexp.match(labels[\"a\"], \"(\")'"), "not closed"},
    {ALLOW("kubernetes_labels_expression: 'regexp.match(labels[\"a\"], labels[\"b\"])'"),
	"regexp.match does not take these arguments"},
    {ALLOW("kubernetes_labels_expression: 'contains(labels[\"a\"])'"),
	"contains does not take these arguments"},
    {ALLOW("kubernetes_labels_expression: '((labels.a == \"b\")'"), "')' is missing"},
    {ALLOW("kubernetes_labels_expression: 'labels.a == \"b'"), "a text is not closed"},
    {ALLOW("kubernetes_labels_expression: 'labels.a == \"b\" )'"), "')' does not belong here"},
    {ALLOW("kubernetes_labels_expression: [a]"), "kubernetes_labels_expression must be a text"},
    {ALLOW("require_session_join: [{name: x}]"), "7:5: require_session_join is not supported"},
    {ALLOW("kubernetes_groups: {a: b}"), "7:24: kubernetes_groups must be a list"},
    {ALLOW("kubernetes_groups: ['*']"), "7:25: kubernetes_groups: \"*\" is no group"},
    {ALLOW("kubernetes_groups: ['dev-*']"), "7:25: kubernetes_groups: \"dev-*\" is a pattern"},
    {ALLOW("kubernetes_groups: ['^a$']"), "7:25: kubernetes_groups: \"^a$\" is a pattern"},
    {ALLOW("kubernetes_groups: ['']"), "7:25: kubernetes_groups: a name is empty"},
    {ALLOW("kubernetes_groups: [\"a\\nb\"]"), "7:25: kubernetes_groups: a name holds a control"},
    {ALLOW("kubernetes_groups: [' a']"),
	"7:25: kubernetes_groups: a name begins or ends with a space"},
    {ALLOW("kubernetes_groups: [null]"), "7:25: kubernetes_groups must be a list"},
    {ALLOW("kubernetes_groups: ['{{internal.groups}}*']"), "is a pattern; whom the cluster sees"},
    {ALLOW("kubernetes_users: ['system:*']"), "7:24: kubernetes_users: \"system:*\" is a pattern"},
    {ALLOW("kubernetes_users: [a, [b]]"), "7:27: kubernetes_users must be a list"},
    {"kind: role\nversion: v8\nmetadata: {name: a, expires: 2026-01-01T00:00:00Z}\nspec: {}\n",
	"3:30: metadata.expires is not supported"},
    {ALLOW("kubernetes_resources: x"), "7:27: kubernetes_resources must be a list"},
    {ALLOW("kubernetes_resources: []"), "7:27: kubernetes_resources is empty"},
    {ALLOW("kubernetes_resources:"), "kubernetes_resources is empty"},
    {ALLOW("kubernetes_resources: [x]"), "7:28: a rule of kubernetes_resources must be a map"},
    {RULE("name: a"), "7:28: kind is missing"},
    {RULE("kind: pods, nmae: a"), "7:41: unknown key \"nmae\": did you mean \"name\"?"},
    {RULE("kind: pods, namespace: '*', name: '*'"), "7:28: verbs is missing: [\"*\"] for all"},
    {RULE("kind: pods, namespace: '*', name: '*', verbs: []"), "verbs is missing"},
    {RULE("kind: pods, namespace: '*', name: '*', verbs: [gte]"),
	"7:76: verb \"gte\" is not known: did you mean \"get\"?"},
    {RULE("kind: pods, namespace: '*', name: '*', verbs: [get, '*']"), "\"*\" stands alone"},
    {RULE("kind: pods, namespace: '*', verbs: [get]"), "7:28: name is missing: \"*\" for all"},
    {RULE("kind: pods, name: '*', verbs: [get]"), "7:28: namespace is missing: \"*\" for all"},
    {RULE("kind: pods, name: [a], namespace: '*', verbs: [get]"), "7:47: name must be a text"},
    {RULE("kind: pods, name: '^web|db$', namespace: '*', verbs: [get]"),
	"7:47: name \"^web|db$\": a '|' outside of parentheses"},
    {ALLOW("kubernetes_labels: {env: '^dev|test$'}"), "write ^(dev|test)$"},
    {RULE("kind: pods, name: '^($', namespace: '*', verbs: [get]"), "7:47: name \"^($\": "},
    {RULE("kind: pods, name: '*', namespace: '^[$', verbs: [get]"), "7:63: namespace \"^[$\": "},
    {RULE("kind: pods, name: '{{external.x}', namespace: '*', verbs: [get]"), "7:47: name \"{{ext"},
    {RULE("kind: pods, name: '*', namespace: '{{external}}', verbs: [get]"), "7:63: namespace \""},
    {RULE("kind: pod, name: '*', namespace: '*', verbs: [get]"),
	"7:35: kind \"pod\": v8 roles name kinds in the plural: \"pods\""},
    {RULE("kind: kube_node, name: '*', verbs: [get]"), "in the plural: \"nodes\""},
    {RULE("kind: Pods, name: '*', namespace: '*', verbs: [get]"), "a plural in lower case"},
    {RULE("kind: 'po*', name: '*', namespace: '*', verbs: [get]"), "kind \"po*\" must be \"*\""},
    {RULE("kind: pods/exec/x, name: '*', namespace: '*', verbs: [get]"), "must be \"*\""},
    {RULE("kind: deployments, name: '*', namespace: '*', verbs: [get]"),
	"7:28: api_group is missing: deployments is in \"apps\""},
    {RULE("kind: deployments, api_group: '', name: '*', namespace: '*', verbs: [get]"),
	"api_group: deployments is in \"apps\""},
    {RULE("kind: widgets, name: '*', namespace: '*', verbs: [get]"),
	"api_group is missing: which has widgets?"},
    {RULE("kind: widgets, api_group: '^($', name: '*', namespace: '*', verbs: [get]"),
	"7:55: api_group \"^($\": "},
    {RULE("kind: nodes, namespace: dev, name: '*', verbs: [get]"),
	"7:53: namespace: nodes stand in no namespace"},
    {RULE("kind: pods, name: '*', namespace: '*', verbs: [get], commands: [ls]"),
	"commands goes with the verb exec"},
    {RULE("kind: pods, name: '*', namespace: '*', verbs: [exec], commands: []"),
	"commands is empty: which may be run?"},
    {RULE("kind: pods, name: '*', namespace: '*', verbs: [exec], commands: ['^($']"),
	"commands \"^($\": "},
    {DENY("kubernetes_resources: [{kind: pods, name: '*', namespace: '*', verbs: [exec], commands: "
	  "[ls]}]"),
	"commands belongs into allow"},
    {OLD("v7", "kind: pods, name: '*', namespace: '*', verbs: [get]"),
	"kind \"pods\" is not one of v7 roles: did you mean \"pod\"?"},
    {OLD("v7", "kind: widgets, name: '*', namespace: '*', verbs: [get]"), "is not one of v7 roles"},
    {OLD("v7", "kind: pod, api_group: '', name: '*', namespace: '*', verbs: [get]"),
	"api_group belongs to v8 roles"},
    {OLD("v7", "kind: '*', name: '*', verbs: [get]"), "namespace is missing"},
    {OLD("v7", "kind: clusterrole, namespace: dev, name: '*', verbs: [get]"),
	"stand in no namespace"},
    {OLD("v6", "kind: secret, name: '*', namespace: '*'"),
	"up to v6 have rules for kind pod alone"},
    {DENY("kubernetes_groups: ['a*']"), "7:25: kubernetes_groups: \"a*\" is a pattern"},
    {ALLOW("kubernetes_impersonate: [a]"), "kubernetes_impersonate must be a map"},
    {ALLOW("kubernetes_impersonate: {user: [a]}"), "unknown key \"user\": did you mean \"users\"?"},
    {ALLOW("kubernetes_impersonate: {users: ['^($']}"), "kubernetes_impersonate \"^($\": "},
    {ALLOW("kubernetes_impersonate: {users: ['']}"), "kubernetes_impersonate: a name is empty"},
    {ALLOW("kubernetes_impersonate: {users: ['{{external.a}}']}"), "has no templates"},
    {ALLOW("kubernetes_impersonate: {extra: [a]}"), "extra must be a map"},
    {OPTION("require_session_mfa: true"), "7:26: options.require_session_mfa is not supported"},
    {OPTION("pin_source_ip: yes"), "7:20: options.pin_source_ip is not supported"},
    {OPTION("max_kubernetes_connections: -3"),
	"7:33: options.max_kubernetes_connections must be a number"},
    {OPTION("max_kubernetes_connections: [3]"),
	"7:33: options.max_kubernetes_connections must be a number"},
    {OPTION("client_idle_timeout: 5"), "7:26: options.client_idle_timeout must be a duration"},
    {OPTION("client_idle_timeout: 5m3"), "7:26: options.client_idle_timeout must be a duration"},
    {OPTION("max_session_ttl: {}"), "7:22: options.max_session_ttl must be a duration"},
    {OPTION("max_session_ttl: 99999999h"), "7:22: options.max_session_ttl must be a duration"},
    {OPTION("device_trust_mode: required"), "7:24: options.device_trust_mode is not supported"},
    {OPTION("max_sesion_ttl: 8h"),
	"7:5: unknown key \"max_sesion_ttl\": did you mean \"max_session_ttl\"?"},
    {"kind: role\nversion: v3\nmetadata: {name: a}\nspec: {allow: {kubernetes_groups: [x]}}\n",
	"4:15: a v3 role"},
    {"kind: role\nversion: v6\nmetadata: {name: a}\nspec: {allow: {kubernetes_labels: {'*': "
     "'*'}}}\n",
	"4:15: a v6 role"},
    {ALLOW("kubernetes_impersonate: {extra: {Scopes: ['*']}}"),
	"7:38: kubernetes_impersonate: the key of an extra is of lower case letters"},
    {DENY("kubernetes_impersonate: {extra: {Scopes: ['*']}}"), "7:38: kubernetes_impersonate: "},
    {ROLE("a", "", "") ROLE("a", "", ""),
	"7:1: role \"a\" is defined twice, first at roles.yaml:2"},
    {"kind: role_binding\nversion: v2\nmetadata: {name: b}\nspec: {}\n",
	"2:10: version \"v2\" of a role_binding"},
    {BHEAD, "1:1: spec is missing"},
    {BHEAD "spec: {}\n", "5:7: roles is missing"},
    {BHEAD "spec: {roles: [x], users: [y]}\n", "5:16: there is no role \"x\""},
    {ROLE("dev", "", "") "---\n" BHEAD "spec: {roles: [dv], users: [y]}\n",
	"11:16: there is no role \"dv\": did you mean \"dev\"?"},
    {ROLE("dev", "", "") "---\n" BHEAD "spec: {roles: [dev]}\n",
	"11:7: users and groups are missing"},
    {ROLE("dev", "", "") "---\n" BHEAD "spec: {roles: [dev], users: ['']}\n",
	"11:30: a user or group is empty"},
    {ROLE("dev", "", "") "---\n" BHEAD "spec: {roles: [dev], users: ['^($']}\n", "11:30: \"^($\""},
    {ROLE("dev", "", "") "---\n" BHEAD "spec: {roles: [dev], user: [x]}\n",
	"11:22: unknown key \"user\": did you mean \"users\"?"},
    {ROLE("dev", "", "") "---\n" BHEAD "spec: {roles: [dev], groups: ['{{x}}']}\n",
	"11:31: \"{{x}}\": a binding has no templates"},
    {ROLE("dev", "", "") BIND("b", "roles: [dev], users: [x]")
	    BIND("b", "roles: [dev], users: [x]"),
	"12:1: role_binding \"b\" is defined twice, first at roles.yaml:7"},
};

static void test_refuses_with_line_and_column(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_documents / sizeof bad_documents[0]; i++) {
		const struct bad *bad = &bad_documents[i];
		char *error = NULL;
		struct policy *policy =
		    policy_parse("roles.yaml", bad->text, strlen(bad->text), &error);
		if (policy != NULL)
			fail_msg("accepted:\n%s", bad->text);
		if (strncmp(error, "roles.yaml:", strlen("roles.yaml:")) != 0 ||
		    strstr(error, bad->where) == NULL)
			fail_msg("%s\nsays: %s\nwanted: %s", bad->text, error, bad->where);
		free(error);
	}
}

static void test_tells_all_findings_at_once(void **state)
{
	(void)state;
	static const char text[] =
	    ALLOW("kubernetes_groups: ['*', 'a*']\n    zzzzz: 1") "---\nkind: x\n";
	char *error = NULL;
	assert_null(policy_parse("f", text, strlen(text), &error));
	size_t lines = 1;
	for (const char *p = error; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 4);
	free(error);
}

/* --- documents that are accepted ------------------------------------------------------------- */

static const char *const good_documents[] = {
    "",
    "# nothing yet\n",
    HEAD "spec: {}\n",
    HEAD "spec: {allow: , deny: , options: }\n",
    HEAD "sub_kind:\nspec:\n  allow:\n    logins: [root]\n    node_labels: {'*': '*'}\n    rules: "
	 "[{resources: [role]}]\n",
    HEAD "spec:\n  options: {max_session_ttl: 8h, forward_agent: true, require_session_mfa: false, "
	 "lock: strict}\n",
    ALLOW("kubernetes_labels: {'*': '*'}\n    kubernetes_resources: [{kind: '*', name: '*', "
	  "namespace: '*', verbs: ['*']}]"),
    ALLOW("kubernetes_labels: {env: [prod, '^st.*$', 'd*']}\n    kubernetes_resources: [{kind: "
	  "'*', api_group: '*', name: '*', namespace: '*', verbs: '*'}]"),
    ALLOW("kubernetes_groups: system:masters\n    kubernetes_users: ['system:serviceaccount:a:b', "
	  "'*']"),
    DENY("kubernetes_groups: ['*']\n    kubernetes_users: ['*']\n    kubernetes_labels: {env: "
	 "prod}\n    kubernetes_resources: []"),
    "kind: role\nversion: v3\nmetadata: {name: a}\nspec: {allow: {logins: [x]}}\n",
    "kind: role\nversion: v5\nmetadata: {name: a, labels: {x: y}, expires: null, "
    "id: 1}\nspec: {allow: "
    "{kubernetes_labels: {'*': '*'}, kubernetes_resources: [{kind: pod, name: '*', namespace: "
    "'*'}]}}\n",
    "kind: role\nversion: v7\nmetadata: {name: a}\nspec: {allow: {kubernetes_labels: {'*': "
    "'*'}}}\n",
    ROLE("dev", "", "") BIND("b", "roles: dev, groups: 'eng*'"),
    BIND("b", "roles: [dev], users: ['^a.*@example\\.com$', bob]") ROLE("dev", "", ""),
};

static void test_accepts_teleports_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good_documents / sizeof good_documents[0]; i++) {
		struct policy *policy = parse(good_documents[i]);
		policy_unref(&policy);
		assert_null(policy);
	}
}

/* --- decisions ------------------------------------------------------------------------------- */

static const char matrix_policy[] = ROLE("viewer",
    "kubernetes_labels: {env: [dev, staging]}, kubernetes_groups: [view]",
    "") ROLE("admin", "kubernetes_labels: {env: dev}, kubernetes_groups: [system:masters, view]",
    "") ROLE("plain", "kubernetes_labels: {env: plain}", "") ROLE("robot",
    "kubernetes_labels: {env: robot}, kubernetes_users: [bot]",
    "") ROLE("robots", "kubernetes_labels: {env: robot}, kubernetes_users: [bot2, carol]", "")
    ROLE("any", "kubernetes_labels: {env: any}, kubernetes_users: ['*']", "") ROLE(
	"contractor", "", "kubernetes_labels: {env: 'st*'}")
	ROLE("tamed", "", "kubernetes_groups: [system:masters], kubernetes_users: [bot]") ROLE(
	    "mute", "", "kubernetes_groups: ['*']") ROLE("nobody", "", "kubernetes_users: ['*']")
	    BIND("b1", "roles: [viewer, admin, plain], users: [alice]")
		BIND("b2", "roles: [viewer, contractor], groups: ['contract*']")
		    BIND("b3", "roles: [robot], users: [bob]")
			BIND("b4", "roles: [robot, robots], users: [carol, dave]")
			    BIND("b5", "roles: [any], users: ['^e.e$']")
				BIND("b6", "roles: [admin, robot, tamed], users: [frank]")
				    BIND("b7", "roles: [robots, robot, tamed], users: [gina]")
					BIND("b8", "roles: [admin, mute], users: [hal]")
					    BIND("b9", "roles: [admin, nobody], users: [ida]")
						BIND("b10", "roles: [contractor], users: [joe]");

struct row {
	const char *user, *group, *env;
	const char *as; /* "USER:GROUP,GROUP", or NULL: denied */
	const char *rule; /* a part of it */
	const char *message; /* a part of it */
};

static const struct row matrix[] = {
    {"alice", NULL, "dev", "alice:system:masters,view", "role admin allow, role viewer allow",
	NULL},
    {"alice", NULL, "staging", "alice:view", "role viewer allow", NULL},
    {"alice", NULL, "plain", "alice:", "role plain allow", NULL},
    {"alice", NULL, "prod", NULL, "no role allows",
	"none of the roles of this user (admin, plain, viewer)"},
    {"Alice", NULL, "dev", NULL, "no role is bound", "no role is bound to this user. Ask"},
    {"zed", "sales", "dev", NULL, "no role is bound", "a group of the certificate: sales. Ask"},
    {"zed", "contractors", "dev", "zed:view", "role viewer allow", NULL},
    {"zed", "contractors", "staging", NULL, "role contractor deny: kubernetes_labels env=st*",
	"role contractor denies"},
    {"alice", "contractors", "staging", NULL, "role contractor deny",
	"role contractor denies clusters with env=st*"},
    {"bob", NULL, "robot", "bot:", "role robot allow", NULL},
    {"carol", NULL, "robot", "carol:", "role robot allow, role robots allow", NULL},
    {"dave", NULL, "robot", NULL, "several kubernetes_users", "(bot, bot2, carol)"},
    {"eve", NULL, "any", "eve:", "role any allow", NULL},
    {"frank", NULL, "dev", "frank:view", "role admin allow", NULL},
    {"frank", NULL, "robot", NULL, "role tamed deny: kubernetes_users",
	"role tamed denies every user"},
    {"gina", NULL, "robot", NULL, "several kubernetes_users", "(bot2, carol)"},
    {"hal", NULL, "dev", "hal:", "role admin allow", NULL},
    {"ida", NULL, "dev", NULL, "role nobody deny: kubernetes_users",
	"role nobody denies every user"},
    {"joe", NULL, "dev", NULL, "no role allows", "(contractor)"},
};

static struct identity *identity_of(
    const char *user, const char *group, struct identity *identity, char **groups)
{
	groups[0] = group != NULL ? xstrdup(group) : NULL;
	*identity = (struct identity){.user = xstrdup(user),
	    .groups = groups,
	    .group_count = group != NULL,
	    .source = "certificate",
	    .references = 1};
	return identity;
}

static char *as_text(const struct decision *decision)
{
	struct buf out = {0};
	buf_printf(&out, "%s:", decision->user);
	for (size_t i = 0; i < decision->group_count; i++)
		buf_printf(&out, "%s%s", i > 0 ? "," : "", decision->groups[i]);
	return buf_take(&out);
}

static void expect_row(const struct row *row, const struct decision *decision)
{
	if (strstr(decision->rule, row->rule) == NULL)
		fail_msg("%s in %s: %s", row->user, row->env, decision->rule);
	assert_int_equal(decision->is_allowed, row->as != NULL);
	if (row->as != NULL) {
		char *as = as_text(decision);
		assert_string_equal(as, row->as);
		free(as);
		assert_null(decision->message);
		return;
	}
	assert_null(decision->user);
	char *begin =
	    xasprintf("user \"%s\" cannot list pods/log in cluster \"prod-eu\": ", row->user);
	if (strstr(decision->message, row->message) == NULL ||
	    strncmp(decision->message, begin, strlen(begin)) != 0 ||
	    strstr(decision->message, "Ask an administrator") == NULL)
		fail_msg("%s in %s: %s", row->user, row->env, decision->message);
	free(begin);
}

static void test_decides(void **state)
{
	(void)state;
	struct policy *policy = parse(matrix_policy);
	assert_int_equal(policy_role_count(policy), 10);
	assert_int_equal(policy_binding_count(policy), 10);
	struct request_info request = {.is_resource = true,
	    .verb = "list",
	    .path = "",
	    .api_group = "",
	    .resource = "pods",
	    .subresource = "log",
	    .namespace = "",
	    .name = ""};
	for (size_t i = 0; i < sizeof matrix / sizeof matrix[0]; i++) {
		struct identity identity;
		char *groups[1];
		struct labels labels = {0};
		struct decision decision = {0};
		labels_set(&labels, "env", matrix[i].env);
		identity_of(matrix[i].user, matrix[i].group, &identity, groups);
		struct grants *grants = policy_grants(policy, &identity);
		policy_decide(grants, "prod-eu", &labels, &request, &decision);
		expect_row(&matrix[i], &decision);
		bool is_labels_matter = strstr(matrix[i].rule, "kubernetes_users") == NULL;
		if (is_labels_matter)
			assert_int_equal(policy_may_see(grants, &labels), matrix[i].as != NULL);
		decision_clear(&decision);
		assert_null(decision.rule);
		grants_free(&grants);
		labels_free(&labels);
		free(identity.user);
		free(groups[0]);
	}
	policy_unref(&policy);
}

static void test_grants_outlive_the_policys_owner(void **state)
{
	(void)state;
	struct policy *policy = parse(matrix_policy);
	struct identity identity;
	char *groups[1];
	struct grants *grants =
	    policy_grants(policy, identity_of("alice", NULL, &identity, groups));
	policy_unref(&policy);
	assert_string_equal(grants_roles(grants)[0], "admin");
	assert_string_equal(grants_roles(grants)[2], "viewer");
	assert_null(grants_roles(grants)[3]);
	grants_free(&grants);
	grants_free(&grants);
	free(identity.user);
}

static void test_message_of_a_path(void **state)
{
	(void)state;
	struct policy *policy = parse("");
	struct identity identity;
	char *groups[1];
	struct labels labels = {0};
	struct decision decision = {0};
	struct request_info request = {.verb = "get", .path = "/version"};
	struct grants *grants =
	    policy_grants(policy, identity_of("alice", NULL, &identity, groups));
	policy_decide(grants, "c", &labels, &request, &decision);
	assert_false(decision.is_allowed);
	assert_string_equal(decision.message,
	    "user \"alice\" cannot get /version in cluster \"c\": no role is bound to this user. "
	    "Ask an administrator "
	    "of eksgate for a role_binding");
	decision_clear(&decision);
	grants_free(&grants);
	policy_unref(&policy);
	free(identity.user);
}

/* --- the directory --------------------------------------------------------------------------- */

static void write_file(const char *directory, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static void remove_file(const char *directory, const char *name)
{
	char *path = xasprintf("%s/%s", directory, name);
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void test_loads_a_directory(void **state)
{
	(void)state;
	char directory[] = "/tmp/eksgate-roles-XXXXXX";
	char *error = NULL;
	assert_non_null(mkdtemp(directory));
	struct policy *policy = policy_load(directory, NULL, &error);
	assert_non_null(policy);
	assert_int_equal(policy_role_count(policy), 0);
	policy_unref(&policy);
	write_file(directory, "10-bindings.yaml", BIND("b", "roles: [dev], users: [x]"));
	write_file(directory, "20-roles.yaml", ROLE("dev", "", ""));
	write_file(directory, ".hidden.yaml", "kind: [");
	write_file(directory, "README", "text");
	policy = policy_load(directory, NULL, &error);
	assert_non_null(policy);
	assert_int_equal(policy_role_count(policy), 1);
	assert_int_equal(policy_binding_count(policy), 1);
	policy_unref(&policy);
	write_file(directory, "30-bad.yaml", "kind: [");
	write_file(directory, "40-other.yml", "");
	assert_null(policy_load(directory, NULL, &error));
	assert_non_null(strstr(error, "/30-bad.yaml:"));
	assert_non_null(strstr(error, "/40-other.yml: only *.yaml is read here"));
	free(error);
	static const char *const names[] = {"10-bindings.yaml", "20-roles.yaml", ".hidden.yaml",
	    "README", "30-bad.yaml", "40-other.yml"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		remove_file(directory, names[i]);
	assert_int_equal(rmdir(directory), 0);
	policy = policy_load(directory, NULL, &error);
	assert_non_null(policy);
	policy_unref(&policy);
	assert_null(policy_load("/dev/null", NULL, &error));
	assert_non_null(strstr(error, "/dev/null: "));
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refuses_with_line_and_column),
	    cmocka_unit_test(test_tells_all_findings_at_once),
	    cmocka_unit_test(test_accepts_teleports_documents),
	    cmocka_unit_test(test_decides),
	    cmocka_unit_test(test_grants_outlive_the_policys_owner),
	    cmocka_unit_test(test_message_of_a_path),
	    cmocka_unit_test(test_loads_a_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
