/* Answers of which a user may see some: which objects of lists and watches, which namespaces, and
 * whether two policies show the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/labels.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"

/* One request of joe's, decided. */
struct question {
	struct policy *policy;
	struct grants *grants;
	struct request_info info;
	struct decision decision;
};

static void ask(struct question *question, const char *allow, const char *deny, const char *method,
    const char *target)
{
	char *error = NULL, user[] = "joe";
	char *text = xasprintf("kind: role\nversion: v8\nmetadata: {name: r}\nspec:\n"
			       "  allow:\n    kubernetes_labels: {'*': '*'}\n"
			       "    kubernetes_resources: [%s]\n"
			       "  deny:\n    kubernetes_resources: [%s]\n"
			       "---\nkind: role_binding\nversion: v1\nmetadata: {name: b}\n"
			       "spec: {roles: [r], users: [joe]}\n",
	    allow, deny);
	struct identity identity = {.user = user, .source = "certificate", .references = 1};
	struct labels labels = {0};
	unsigned status;
	const char *reason;
	*question = (struct question){.policy = policy_parse("r.yaml", text, strlen(text), &error)};
	if (question->policy == NULL)
		fail_msg("%s\n%s", error, text);
	question->grants = policy_grants(question->policy, &identity);
	assert_true(request_info_parse(method, target, &question->info, &status, &reason));
	policy_decide(question->grants, "c1", &labels, &question->info, &question->decision);
	free(text);
}

static void forget(struct question *question)
{
	decision_clear(&question->decision);
	request_info_free(&question->info);
	grants_free(&question->grants);
	policy_unref(&question->policy);
}

static void test_objects(void **state)
{
	(void)state;
	static const char allow[] =
	    "{kind: pods, namespace: dev, name: '*', verbs: ['*']},"
	    "{kind: pods, namespace: prod, name: 'web-*', verbs: [list, watch]},"
	    "{kind: widgets, api_group: example.com, name: '*', verbs: [list]}";
	static const char deny[] = "{kind: pods, namespace: '*', name: secret, verbs: [get]}";
	static const struct {
		const char *target, *namespace, *name;
		bool may_be;
	} rows[] = {
	    {"/api/v1/pods", "dev", "db-1", true},
	    {"/api/v1/pods", "prod", "web-1", true},
	    {"/api/v1/pods", "prod", "db-1", false},
	    {"/api/v1/pods", "dev", "secret", false},
	    {"/api/v1/pods", "", "web-1", false},
	    {"/api/v1/namespaces/prod/pods?watch=1", "prod", "web-2", true},
	    {"/api/v1/namespaces/prod/pods?watch=1", "prod", "db-1", false},
	    {"/api/v1/pods?fieldSelector=metadata.name%3Dweb-1", "prod", "web-1", true},
	    {"/api/v1/pods?fieldSelector=metadata.name%3Dweb-1", "other", "web-1", false},
	    /* An API server may know no such selector: it is not relied on. */
	    {"/api/v1/namespaces/dev/pods?fieldSelector=metadata.name%3Dweb-1", "dev", "web-1",
		true},
	    {"/api/v1/namespaces/dev/pods?fieldSelector=metadata.name%3Dweb-1", "dev", "secret",
		false},
	    {"/api/v1/watch/namespaces/prod/pods/web-1", "prod", "db-1", false},
	    {"/api/v1/namespaces?fieldSelector=metadata.name%3Ddev", "", "other", false},
	    {"/api/v1/namespaces", "", "dev", true},
	    {"/api/v1/namespaces", "", "prod", true},
	    {"/api/v1/namespaces", "", "other", false},
	    {"/apis/example.com/v1/widgets", "", "w", true},
	    {"/apis/example.com/v1/widgets", "dev", "w", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct question question;
		ask(&question, allow, deny, "GET", rows[i].target);
		assert_true(question.decision.is_allowed && question.decision.is_restricted);
		if (policy_may_read_object(&question.decision, rows[i].namespace, rows[i].name) !=
		    rows[i].may_be)
			fail_msg("%s: %s/%s", rows[i].target, rows[i].namespace, rows[i].name);
		forget(&question);
	}
}

/* What may go with a collection. */
static void test_collections(void **state)
{
	(void)state;
	static const char allow[] =
	    "{kind: pods, namespace: dev, name: '*', verbs: ['*']},"
	    "{kind: pods, namespace: prod, name: 'old-*', verbs: [deletecollection]},"
	    "{kind: pods, namespace: prod, name: 'web-*', verbs: [delete, list]},"
	    "{kind: nodes, name: 'spot-*', verbs: [deletecollection]}";
	static const char deny[] = "{kind: pods, namespace: '*', name: old-kept, verbs: [delete]}";
	static const struct {
		const char *target, *namespace, *name;
		bool may_be;
	} rows[] = {
	    {"/api/v1/namespaces/prod/pods", "prod", "old-1", true},
	    {"/api/v1/namespaces/prod/pods", "prod", "old-kept", false},
	    {"/api/v1/namespaces/prod/pods", "prod", "web-1", false},
	    {"/api/v1/namespaces/prod/pods", "dev", "old-1", false},
	    {"/api/v1/namespaces/dev/pods", "dev", "web-1", true},
	    {"/api/v1/namespaces/dev/pods", "dev", "old-kept", false},
	    {"/api/v1/nodes", "", "spot-1", true},
	    {"/api/v1/nodes", "", "other", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct question question;
		ask(&question, allow, deny, "DELETE", rows[i].target);
		assert_true(question.decision.is_allowed && question.decision.is_restricted);
		if (policy_may_read_object(&question.decision, rows[i].namespace, rows[i].name) !=
		    rows[i].may_be)
			fail_msg("%s: %s/%s", rows[i].target, rows[i].namespace, rows[i].name);
		forget(&question);
	}
}

/* Where everything is denied nobody has anything, and the namespace is not shown. */
static void test_hidden_namespaces(void **state)
{
	(void)state;
	static const char all[] =
	    "{kind: '*', api_group: '*', namespace: '*', name: '*', verbs: ['*']}";
	static const char deny[] =
	    "{kind: '*', api_group: '*', namespace: 'kube-*', name: '*', verbs: ['*']},"
	    "{kind: secrets, namespace: vault, name: '*', verbs: ['*']}";
	static const struct {
		const char *method, *target;
		bool is_allowed, is_restricted;
	} rows[] = {
	    {"GET", "/api/v1/namespaces", true, true},
	    {"GET", "/api/v1/namespaces/kube-system", false, false},
	    {"GET", "/api/v1/namespaces/vault", true, false},
	    {"GET", "/api/v1/namespaces/kube-system/pods", false, false},
	    {"DELETE", "/api/v1/namespaces/other", true, false},
	};
	struct question question;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask(&question, all, deny, rows[i].method, rows[i].target);
		if (question.decision.is_allowed != rows[i].is_allowed ||
		    question.decision.is_restricted != rows[i].is_restricted)
			fail_msg("%s %s", rows[i].method, rows[i].target);
		forget(&question);
	}
	ask(&question, all, deny, "GET", "/api/v1/namespaces");
	assert_false(policy_may_read_object(&question.decision, "", "kube-system"));
	assert_true(policy_may_read_object(&question.decision, "", "vault"));
	assert_true(policy_may_read_object(&question.decision, "", "default"));
	forget(&question);
}

/* What no rule could match is no empty list; what one could is filtered as ever. */
static void test_a_namespace_that_is_selected(void **state)
{
	(void)state;
	static const char allow[] = "{kind: pods, namespace: dev, name: '*', verbs: ['*']},"
				    "{kind: pods, namespace: prod, name: 'web-*', verbs: [list]}";
	static const char deny[] = "{kind: pods, namespace: dev-old, name: '*', verbs: ['*']}";
	static const char all[] = "{kind: pods, namespace: '*', name: '*', verbs: ['*']}";
	static const struct {
		const char *allow, *query;
		bool is_allowed;
	} rows[] = {
	    {allow, "metadata.namespace%3Ddev", true},
	    {allow, "metadata.namespace%3Dprod", true},
	    {allow, "metadata.namespace%3Dother", false},
	    {allow, "metadata.namespace%3D%3Dother", false},
	    {allow, "metadata.namespace!%3Dother", true},
	    {allow, "spec.nodeName%3Dn,metadata.namespace%3Dother", false},
	    {allow, "metadata.namespace%3Dprod,metadata.name%3Dweb-1", true},
	    {allow, "metadata.namespace%3Dprod,metadata.name%3Ddb-1", false},
	    {allow, "metadata.namespace%3Ddev&watch=1", true},
	    {allow, "metadata.namespace%3Dprod&watch=1", false},
	    /* Nothing stands in no namespace, for anybody. */
	    {allow, "metadata.namespace%3D", true},
	    /* What is not understood is not relied on. */
	    {allow, "metadata.namespace%3Da%3Db", true},
	    {all, "metadata.namespace%3Ddev", true},
	    {all, "metadata.namespace%3Ddev-old", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct question question;
		char *target = xasprintf("/api/v1/pods?fieldSelector=%s", rows[i].query);
		ask(&question, rows[i].allow, deny, "GET", target);
		const struct decision *decision = &question.decision;
		if (decision->is_allowed != rows[i].is_allowed ||
		    decision->is_restricted != rows[i].is_allowed)
			fail_msg("%s", target);
		if (decision->is_allowed) {
			assert_true(policy_may_read_object(decision, "dev", "db-1"));
			assert_false(policy_may_read_object(decision, "dev-old", "db-1"));
		} else {
			assert_non_null(strstr(decision->message, "cannot"));
		}
		free(target);
		forget(&question);
	}
	struct question question;
	ask(&question, allow, deny, "GET",
	    "/api/v1/watch/pods?fieldSelector=metadata.namespace%3Dother");
	assert_false(question.decision.is_allowed);
	forget(&question);
	/* One namespace is named: the selector leaves nothing of it, for anybody. */
	ask(&question, allow, deny, "GET",
	    "/api/v1/namespaces/prod/pods?fieldSelector=metadata.namespace%3Dother");
	assert_true(question.decision.is_allowed);
	forget(&question);
}

/* It shows none of them, rather than all. */
static void test_what_forgot_its_objects(void **state)
{
	(void)state;
	struct question question;
	ask(&question, "{kind: pods, namespace: dev, name: '*', verbs: [list]}", "", "GET",
	    "/api/v1/pods");
	assert_true(policy_may_read_object(&question.decision, "dev", "web-1"));
	decision_forget_objects(&question.decision);
	decision_forget_objects(&question.decision);
	assert_true(question.decision.is_allowed && question.decision.is_restricted);
	assert_false(policy_may_read_object(&question.decision, "dev", "web-1"));
	forget(&question);
}

static void test_policies_that_show_the_same(void **state)
{
	(void)state;
	static const struct {
		const char *allow, *deny;
		bool is_same;
	} rows[] = {
	    {"{kind: pods, namespace: dev, name: 'web-*', verbs: [list]}", "", true},
	    {"{kind: pods, namespace: dev, name: 'web-*', verbs: ['*']}", "", true},
	    {"{kind: secrets, namespace: x, name: '*', verbs: ['*']},"
	     "{kind: pods, namespace: dev, name: 'web-*', verbs: [list]}",
		"", true},
	    {"{kind: pods, namespace: dev, name: 'db-*', verbs: [list]}", "", false},
	    {"{kind: pods, namespace: 'd*', name: 'web-*', verbs: [list]}", "", false},
	    {"{kind: pods, namespace: dev, name: 'web-*', verbs: [list]}",
		"{kind: pods, namespace: dev, name: web-1, verbs: [list]}", false},
	    {"{kind: pods, namespace: '*', name: '*', verbs: [list]}", "", false},
	};
	struct question first, other;
	ask(&first, rows[0].allow, rows[0].deny, "GET", "/api/v1/pods");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ask(&other, rows[i].allow, rows[i].deny, "GET", "/api/v1/pods");
		if (policy_reads_alike(&first.decision, &other.decision) != rows[i].is_same)
			fail_msg("row %zu", i);
		forget(&other);
	}
	forget(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_objects),
	    cmocka_unit_test(test_collections),
	    cmocka_unit_test(test_hidden_namespaces),
	    cmocka_unit_test(test_a_namespace_that_is_selected),
	    cmocka_unit_test(test_what_forgot_its_objects),
	    cmocka_unit_test(test_policies_that_show_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
