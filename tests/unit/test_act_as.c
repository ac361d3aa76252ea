/* Acting as others: how the fields are read and written, and which roles permit whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/act_as.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"

/* "Name: value" lines. */
static void add_fields(struct http_fields *fields, const char *lines)
{
	char *text = xstrdup(lines), *next = text;
	for (char *line; (line = strsep(&next, "\n")) != NULL;) {
		char *value = strstr(line, ": ");
		if (value == NULL)
			continue;
		*value = '\0';
		fields_add_text(fields, line, value + 2);
	}
	free(text);
}

/* "user=… groups=a,b uid=… key=value" */
static void describe(const struct act_as *as, struct buf *out)
{
	buf_clear(out);
	buf_printf(out, "%s [", as->user != NULL ? as->user : "-");
	for (size_t i = 0; i < as->groups.count; i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "", as->groups.items[i]);
	buf_printf(out, "] %s", as->uid != NULL ? as->uid : "-");
	for (size_t i = 0; i < as->extra_count; i++)
		buf_printf(out, " %s=%s", as->extras[i].key, as->extras[i].value);
}

static const struct {
	const char *fields;
	unsigned status; /* 0: read */
	const char *says;
} rows[] = {
    {"Impersonate-User: bob", 0, "bob [] -"},
    {"IMPERSONATE-USER: bob\nimpersonate-group: a, b\nImpersonate-Group: c\nImpersonate-Group: c",
	0, "bob [a, b,c] -"},
    {"Impersonate-Group: a", 0, "- [a] -"},
    {"Impersonate-User: bob\nImpersonate-Uid: 42", 0, "bob [] 42"},
    {"Impersonate-User: bob\nImpersonate-Extra-Acme.com%2Fproject: x\nImpersonate-Extra-scopes: a"
     "\nImpersonate-Extra-scopes: b",
	0, "bob [] - acme.com/project=x scopes=a scopes=b"},
    {"Impersonate-User: bob\nImpersonate-Extra-%41b: x", 400, "the key"},
    {"Impersonate-User: bob\nImpersonate-User: root", 400, "twice"},
    {"Impersonate-User: bob\nImpersonate-Uid: 1\nImpersonate-Uid: 2", 400, "twice"},
    {"Impersonate-User: ", 400, "empty"},
    {"Impersonate-User: bob\nImpersonate-Group: ", 400, "empty"},
    {"Impersonate-Uid: 1", 403, "go with a user"},
    {"Impersonate-Extra-a: b", 403, "go with a user"},
    {"Impersonate-User: bob\nImpersonate-Extra-: b", 400, "the key"},
    {"Impersonate-User: bob\nImpersonate-Extra-%zz: b", 400, "the key"},
    {"Impersonate-User: bob\nImpersonate-Extra-%: b", 400, "the key"},
    {"Impersonate-User: bob\nImpersonate-Extra-a%2zb: b", 400, "the key"},
    {"Impersonate-User: bob\nImpersonate-Extra-a%20b: b", 400, "the key"},
    {"Impersonate-User: bob\nImpersonate-Extra-%00a: b", 400, "the key"},
    {"Impersonate-User: bob\nImpersonate-Extra-a: ", 400, "empty"},
    {"Impersonate-User: bob\nImpersonate-Extra-original-user.eksgate.io: root", 403,
	"this proxy's"},
    {"Impersonate-User: bob\nImpersonate-Extra-original-user%2eEKSGATE%2Eio: root", 403,
	"this proxy's"},
    {"Impersonate: x", 403, "\"Impersonate\" is refused"},
    {"ImpersonateX: x", 403, "refused"},
    {"Impersonate-Anything: x", 403, "refused"},
};

static void test_fields_are_read(void **state)
{
	(void)state;
	struct buf text = {0};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_fields fields = {0};
		struct act_as as = {0};
		unsigned status = 0;
		char *message = NULL;
		add_fields(&fields, rows[i].fields);
		assert_true(act_as_is_asked(&fields));
		bool is_read = act_as_read(&fields, &as, &status, &message);
		if (is_read != (rows[i].status == 0) || status != rows[i].status)
			fail_msg("%s: %u %s", rows[i].fields, status, message);
		describe(&as, &text);
		if (is_read && rows[i].says != NULL)
			assert_string_equal(buf_text(&text), rows[i].says);
		if (!is_read && strstr(message, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].fields, message);
		act_as_free(&as);
		fields_free(&fields);
		free(message);
	}
	buf_free(&text);
}

/* What is written reads as the same, and the closing assertion holds. */
static void test_fields_are_written(void **state)
{
	(void)state;
	struct act_as_extra extras[] = {{xstrdup("acme.com/project"), xstrdup("x y")},
	    {xstrdup("scopes"), xstrdup("a")}, {xstrdup("scopes"), xstrdup("b")}};
	const char *groups[] = {"a, b", "c"};
	struct http_head client = {.keep_alive = true}, upstream = {0};
	http_head_set_method(&client, "GET");
	add_fields(&client.fields, "Impersonate-User: evil\nImpersonate-Extra-scopes: all\n"
				   "Impersonate-Uid: 0\nAccept: */*");
	struct headers_input input = {
	    .client = &client,
	    .target = "/api",
	    .authority = "c1.example",
	    .token = "t",
	    .user = "bob",
	    .groups = groups,
	    .group_count = 2,
	    .uid = "42",
	    .extras = extras,
	    .extra_count = 3,
	    .audit_id = "i",
	};
	assert_true(headers_build_request(&input, &upstream));
	assert_string_equal(
	    fields_get(&upstream.fields, "Impersonate-Extra-acme.com%2Fproject"), "x y");
	struct act_as as = {0};
	struct buf text = {0};
	unsigned status;
	char *message = NULL;
	assert_true(act_as_read(&upstream.fields, &as, &status, &message));
	describe(&as, &text);
	assert_string_equal(
	    buf_text(&text), "bob [a, b,c] 42 acme.com/project=x y scopes=a scopes=b");
	act_as_free(&as);
	buf_free(&text);
	input.uid = "4\n2";
	assert_false(headers_build_request(&input, &upstream));
	http_head_free(&client);
	http_head_free(&upstream);
	for (size_t i = 0; i < 3; i++) {
		free(extras[i].key);
		free(extras[i].value);
	}
}

/* --- who may --------------------------------------------------------------------------------- */

static const char policy_text[] =
    "kind: role\nversion: v8\nmetadata: {name: helpdesk}\nspec:\n  allow:\n"
    "    kubernetes_labels: {'*': '*'}\n    kubernetes_groups: [helpers]\n"
    "    kubernetes_resources: [{kind: pods, namespace: dev, name: '*', verbs: ['*']}]\n"
    "    kubernetes_impersonate:\n"
    "      users: ['*', 'system:kube-sch*']\n      groups: ['team-*', '*']\n"
    "      service_accounts: ['*']\n      uids: ['4*']\n      extra: {scopes: [a, 'b*']}\n"
    "  deny:\n    kubernetes_impersonate: {users: [ceo], groups: ['team-secret*']}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: breakglass}\nspec:\n  allow:\n"
    "    kubernetes_labels: {'*': '*'}\n"
    "    kubernetes_impersonate: {users: ['system:node:*'], groups: [system:masters, "
    "'system:nodes*'], service_accounts: ['kube-system:*']}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: robots}\nspec:\n  allow:\n"
    "    kubernetes_labels: {'*': '*'}\n    kubernetes_users: [bot1, bot2]\n"
    "    kubernetes_groups: [g1, g2]\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: nobody}\nspec:\n  deny:\n"
    "    kubernetes_impersonate: {users: ['*'], groups: ['^.*$']}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: no-robots}\nspec:\n  deny:\n"
    "    kubernetes_impersonate: {service_accounts: ['*'], groups: ['system:m*']}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: d}\nspec: {roles: [breakglass, "
    "nobody], users: [dora]}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: e}\nspec: {roles: [breakglass, "
    "no-robots], users: [emil]}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: a}\nspec: {roles: [helpdesk], users: "
    "[hanna]}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: b}\nspec: {roles: [breakglass], users: "
    "[bruno]}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: c}\nspec: {roles: [robots], users: "
    "[rita]}\n";

#define IN_DEV	"/api/v1/namespaces/dev/pods"
#define IN_PROD "/api/v1/namespaces/prod/pods"

static const struct {
	const char *who, *target, *fields;
	const char *as; /* "USER:GROUP,GROUP"; NULL: denied */
} asks[] = {
    {"hanna", IN_DEV, "Impersonate-User: bob", "bob:"},
    {"hanna", IN_DEV, "Impersonate-User: hanna", "hanna:helpers"},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Group: team-web", "bob:team-web"},
    {"hanna", IN_DEV, "Impersonate-Group: helpers", "hanna:helpers"},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Uid: 42", "bob:"},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Extra-scopes: b1", "bob:"},
    {"hanna", IN_DEV, "Impersonate-User: system:serviceaccount:dev:default",
	"system:serviceaccount:dev:default:"},
    {"hanna", IN_DEV, "Impersonate-User: system:kube-scheduler", "system:kube-scheduler:"},
    {"hanna", IN_PROD, "Impersonate-User: bob", NULL}, /* the request itself is not allowed */
    {"hanna", IN_DEV, "Impersonate-User: ceo", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Group: team-secret-1", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Group: system:masters", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Group: system:authenticated", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Group: eksgate:proxy", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Group: eksgate:proxies",
	"bob:eksgate:proxies"},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Uid: 52", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Extra-scopes: c", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Extra-other: a", NULL},
    {"hanna", IN_DEV, "Impersonate-User: system:admin", NULL},
    {"hanna", IN_DEV, "Impersonate-User: system:node:n1", NULL},
    {"hanna", IN_DEV, "Impersonate-User: eks:addon-manager", NULL},
    {"hanna", IN_DEV, "Impersonate-User: bob\nImpersonate-Group: eks:x", NULL},
    {"hanna", IN_DEV, "Impersonate-User: system:serviceaccount:kube-system:default", NULL},
    {"bruno", IN_PROD, "Impersonate-User: system:node:n1", "system:node:n1:"},
    {"bruno", IN_PROD, "Impersonate-User: system:serviceaccount:kube-system:x",
	"system:serviceaccount:kube-system:x:"},
    {"bruno", IN_PROD, "Impersonate-Group: system:masters", "bruno:system:masters"},
    {"bruno", IN_PROD, "Impersonate-Group: system:nodes", NULL}, /* a glob does not name it */
    {"bruno", IN_PROD, "Impersonate-User: bob", NULL},
    /* A denial is about whatever its patterns match, names of Kubernetes' own among them. */
    {"dora", IN_PROD, "Impersonate-User: system:node:n1", NULL},
    {"dora", IN_PROD, "Impersonate-User: system:serviceaccount:kube-system:x", NULL},
    {"dora", IN_PROD, "Impersonate-Group: system:masters", NULL},
    {"emil", IN_PROD, "Impersonate-User: system:node:n1", "system:node:n1:"},
    {"emil", IN_PROD, "Impersonate-User: system:serviceaccount:kube-system:x", NULL},
    {"emil", IN_PROD, "Impersonate-Group: system:masters", NULL},
    {"rita", IN_DEV, "Impersonate-User: bot2", "bot2:g1,g2"},
    {"rita", IN_DEV, "Impersonate-User: bot1\nImpersonate-Group: g2", "bot1:g2"},
    {"rita", IN_DEV, "Impersonate-User: rita", NULL},
    {"rita", IN_DEV, "Impersonate-User: bot1\nImpersonate-Group: g3", NULL},
};

static void check(const struct grants *grants, size_t row)
{
	struct http_fields fields = {0};
	struct act_as as = {0};
	struct request_info info = {0};
	struct decision decision = {0};
	struct labels labels = {0};
	struct buf text = {0};
	unsigned status;
	const char *reason;
	char *message = NULL;
	add_fields(&fields, asks[row].fields);
	assert_true(act_as_read(&fields, &as, &status, &message));
	assert_true(request_info_parse("GET", asks[row].target, &info, &status, &reason));
	policy_decide_as(grants, "c1", &labels, &info, &as, &decision);
	buf_printf(&text, "%s:", decision.is_allowed ? decision.user : decision.message);
	for (size_t i = 0; decision.is_allowed && i < decision.group_count; i++)
		buf_printf(&text, "%s%s", i > 0 ? "," : "", decision.groups[i]);
	if (decision.is_allowed != (asks[row].as != NULL))
		fail_msg("%s, %s: %s", asks[row].who, asks[row].fields, buf_text(&text));
	if (decision.is_allowed) {
		assert_string_equal(buf_text(&text), asks[row].as);
		assert_ptr_equal(decision.as, &as);
	} else {
		assert_null(decision.as);
		assert_non_null(decision.message);
	}
	decision_clear(&decision);
	request_info_free(&info);
	act_as_free(&as);
	fields_free(&fields);
	buf_free(&text);
}

static struct policy *parse_policy(void)
{
	char *error = NULL;
	struct policy *policy =
	    policy_parse("roles.yaml", policy_text, strlen(policy_text), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	return policy;
}

static struct grants *grants_of(struct policy *policy, const char *user)
{
	struct identity identity = {
	    .user = (char *)(uintptr_t)user, .source = "certificate", .references = 1};
	return policy_grants(policy, &identity);
}

static void test_roles_permit(void **state)
{
	(void)state;
	struct policy *policy = parse_policy();
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
		struct grants *grants = grants_of(policy, asks[i].who);
		check(grants, i);
		grants_free(&grants);
	}
	policy_unref(&policy);
}

/* As reviews ask. */
struct question {
	const char *who, *group, *resource, *subresource, *namespace, *name;
	const char *by; /* NULL: no */
};

static void put_question(struct policy *policy, const struct question *question)
{
	struct grants *grants = grants_of(policy, question->who);
	struct decision decision = {0};
	struct labels labels = {0};
	const struct request_info info = {
	    .is_resource = true,
	    .verb = "impersonate",
	    .path = "",
	    .api_group = question->group,
	    .api_version = "",
	    .resource = question->resource,
	    .subresource = question->subresource,
	    .namespace = question->namespace,
	    .name = question->name,
	    .field_selector = "",
	    .label_selector = "",
	};
	policy_decide(grants, "c1", &labels, &info, &decision);
	if (decision.is_allowed != (question->by != NULL))
		fail_msg("%s %s/%s: %s", question->who, info.resource, info.name,
		    decision.is_allowed ? decision.rule : decision.message);
	if (decision.is_allowed) {
		assert_string_equal(decision.rule, question->by);
		assert_string_equal(decision.user, question->who);
	} else {
		assert_null(decision.user);
		assert_non_null(strstr(decision.message, "cannot impersonate"));
	}
	decision_clear(&decision);
	grants_free(&grants);
}

#define AUTH "authentication.k8s.io"

static const struct question questions[] = {
    {"hanna", "", "users", "", "", "bob", "role helpdesk allow"},
    {"hanna", "", "users", "", "", "hanna", "role helpdesk allow"},
    {"hanna", "", "users", "", "", "ceo", NULL},
    {"hanna", "", "users", "", "", "system:admin", NULL},
    {"hanna", "", "users", "", "", "", NULL},
    {"hanna", "", "groups", "", "", "team-web", "role helpdesk allow"},
    {"hanna", "", "groups", "", "", "helpers", "role helpdesk allow"},
    {"hanna", "", "groups", "", "", "team-secret-1", NULL},
    {"hanna", "", "groups", "", "", "system:masters", NULL},
    {"hanna", "", "serviceaccounts", "", "dev", "ci", "role helpdesk allow"},
    {"hanna", "", "serviceaccounts", "", "kube-system", "ci", NULL},
    {"hanna", AUTH, "uids", "", "", "42", "role helpdesk allow"},
    {"hanna", AUTH, "uids", "", "", "52", NULL},
    {"hanna", AUTH, "userextras", "scopes", "", "b1", "role helpdesk allow"},
    {"hanna", AUTH, "userextras", "scopes", "", "c", NULL},
    {"hanna", AUTH, "userextras", "other", "", "a", NULL},
    {"hanna", AUTH, "userextras", "", "", "b1", NULL},
    /* kubectl sends a namespace with all of them, and a part of one is not one. */
    {"hanna", "", "users", "", "dev", "bob", "role helpdesk allow"},
    {"hanna", "", "users", "status", "", "bob", NULL},
    {"hanna", "", "serviceaccounts", "token", "dev", "ci", NULL},
    {"hanna", "", "serviceaccounts", "", "", "ci", NULL},
    {"hanna", "", "serviceaccounts", "", "", "dev:ci", NULL},
    {"hanna", "", "serviceaccounts", "", "a:b", "ci", NULL},
    /* Others of that verb are none of these. */
    {"hanna", "*", "users", "", "", "bob", NULL},
    {"hanna", "", "*", "", "", "bob", NULL},
    {"hanna", AUTH, "users", "", "", "bob", NULL},
    {"hanna", "", "uids", "", "", "42", NULL},
    {"hanna", "", "pods", "", "dev", "web", NULL},
    {"bruno", "", "groups", "", "", "system:masters", "role breakglass allow"},
    {"bruno", "", "users", "", "", "bob", NULL},
    {"emil", "", "groups", "", "", "system:masters", NULL},
    {"rita", "", "users", "", "", "bot1", "role robots allow"},
    {"rita", "", "users", "", "", "rita", NULL},
    {"stranger", "", "users", "", "", "stranger", NULL},
};

static void test_whether_roles_would_permit(void **state)
{
	(void)state;
	struct policy *policy = parse_policy();
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
		put_question(policy, &questions[i]);
	policy_unref(&policy);
}

/* --- the proxy's own group ------------------------------------------------------------------- */

static const char own_group_text[] =
    "kind: role\nversion: v8\nmetadata: {name: team}\nspec:\n  allow:\n"
    "    kubernetes_labels: {'*': '*'}\n"
    "    kubernetes_groups: ['platform:{{external.team}}']\n"
    "    kubernetes_impersonate: {groups: ['*', 'platform:*', '^platform:gate$']}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: spelled}\nspec:\n  allow:\n"
    "    kubernetes_labels: {'*': '*'}\n"
    "    kubernetes_impersonate: {groups: ['platform:gate']}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: a}\nspec: {roles: [team], users: "
    "[hanna]}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: b}\nspec: {roles: [spelled], users: "
    "[bruno]}\n";

/* The groups, comma-separated, that a user of this team gets, or "-": denied. */
static char *groups_of(struct policy *policy, char *user, const char *team, const char *asked)
{
	struct identity identity = {.user = user, .source = "oidc", .references = 1};
	struct http_fields fields = {0};
	struct act_as as = {0};
	struct request_info info = {0};
	struct decision decision = {0};
	struct labels labels = {0};
	struct buf text = {0};
	unsigned status;
	const char *reason;
	char *message = NULL;
	add_fields(&fields, asked);
	assert_true(traits_add(&identity.traits, "team", team));
	assert_true(act_as_read(&fields, &as, &status, &message));
	assert_true(request_info_parse("GET", IN_DEV, &info, &status, &reason));
	struct grants *grants = policy_grants(policy, &identity);
	policy_decide_as(grants, "c1", &labels, &info, &as, &decision);
	for (size_t i = 0; decision.is_allowed && i < decision.group_count; i++)
		buf_printf(&text, "%s%s", i > 0 ? "," : "", decision.groups[i]);
	if (!decision.is_allowed)
		buf_append_char(&text, '-');
	decision_clear(&decision);
	grants_free(&grants);
	request_info_free(&info);
	act_as_free(&as);
	fields_free(&fields);
	traits_free(&identity.traits);
	buf_append_char(&text, '\0');
	return buf_take(&text);
}

static void expect_groups(struct policy *policy, const char *user, const char *team,
    const char *asked, const char *wanted)
{
	char *name = xstrdup(user);
	char *groups = groups_of(policy, name, team, asked);
	assert_string_equal(groups, wanted);
	free(groups);
	free(name);
}

/* What clusters know the proxy by may have any name: no claim makes it, no pattern gives it. */
static void test_the_proxys_group_by_another_name(void **state)
{
	(void)state;
	char directory[] = "/tmp/eksgate-group-XXXXXX", *error = NULL;
	assert_non_null(mkdtemp(directory));
	char *path = xasprintf("%s/roles.yaml", directory);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(own_group_text, file);
	fclose(file);
	struct policy *policy = policy_load(directory, "platform:gate", &error);
	assert_non_null(policy);
	expect_groups(policy, "hanna", "web", "", "platform:web");
	expect_groups(policy, "hanna", "gate", "", "");
	expect_groups(policy, "hanna", "web", "Impersonate-Group: platform:x", "platform:x");
	expect_groups(policy, "hanna", "web", "Impersonate-Group: platform:gate", "-");
	expect_groups(policy, "hanna", "web", "Impersonate-Group: eksgate:proxy", "-");
	expect_groups(policy, "bruno", "web", "Impersonate-Group: platform:gate", "platform:gate");
	policy_unref(&policy);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	free(path);
}

static const char several_text[] =
    "kind: role\nversion: v8\nmetadata: {name: elsewhere}\nspec:\n  allow:\n"
    "    kubernetes_labels: {env: prod}\n    kubernetes_impersonate: {users: ['*']}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: one}\nspec:\n  allow:\n"
    "    kubernetes_labels: {'*': '*'}\n    kubernetes_groups: [own]\n"
    "    kubernetes_resources: [{kind: pods, namespace: dev, name: '*', verbs: ['*']}]\n"
    "    kubernetes_impersonate: {users: [bob, carl], groups: [a, b], uids: ['*'], "
    "service_accounts: ['dev:*']}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: two}\nspec:\n  allow:\n"
    "    kubernetes_labels: {'*': '*'}\n    kubernetes_impersonate: {users: [bob]}\n"
    "    kubernetes_resources: [{kind: pods, namespace: dev, name: '*', verbs: ['*']}]\n"
    "  deny:\n    kubernetes_users: [carl]\n    kubernetes_groups: [b]\n"
    "    kubernetes_resources: [{kind: serviceaccounts, namespace: '*', name: '*', verbs: ['*']}]\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: away}\nspec:\n  deny:\n"
    "    kubernetes_labels: {'*': '*'}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: b}\nspec: {roles: [one, away], "
    "users: [alva]}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: a}\nspec: {roles: [elsewhere, one, "
    "two], users: [hanna]}\n";

static void test_several_roles_would_permit(void **state)
{
	(void)state;
	static const struct question several[] = {
	    {"hanna", "", "users", "", "", "bob", "role one allow, role two allow"},
	    {"hanna", "", "users", "", "", "eve", NULL}, /* a role about other clusters */
	    {"hanna", "", "users", "", "", "carl", NULL},
	    {"hanna", "", "groups", "", "", "a", "role one allow"},
	    {"hanna", "", "groups", "", "", "b", NULL},
	    {"hanna", "", "groups", "", "", "own", "role one allow"},
	    {"hanna", "example.com", "uids", "", "", "1", NULL},
	    /* What a rule denies of a kind is not this; a cluster that is denied is. */
	    {"hanna", "", "serviceaccounts", "", "dev", "ci", "role one allow"},
	    {"alva", "", "users", "", "", "bob", NULL},
	};
	char *error = NULL;
	struct policy *policy =
	    policy_parse("roles.yaml", several_text, strlen(several_text), &error);
	assert_non_null(policy);
	for (size_t i = 0; i < sizeof several / sizeof several[0]; i++)
		put_question(policy, &several[i]);
	policy_unref(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fields_are_read),
	    cmocka_unit_test(test_fields_are_written),
	    cmocka_unit_test(test_roles_permit),
	    cmocka_unit_test(test_whether_roles_would_permit),
	    cmocka_unit_test(test_several_roles_would_permit),
	    cmocka_unit_test(test_the_proxys_group_by_another_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
