/* Audit policies: what Kubernetes' documentation shows must be read and mean the same here, and
 * what is wrong is told with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/record/audit_policy.h"

static const char sample[] = "apiVersion: audit.k8s.io/v1\n"
			     "kind: Policy\n"
			     "omitStages: [RequestReceived]\n"
			     "rules:\n"
			     "- level: None\n"
			     "  users: [\"system:monitor\"]\n"
			     "  verbs: [watch]\n"
			     "  resources:\n"
			     "  - group: \"\"\n"
			     "    resources: [endpoints, services]\n"
			     "- level: None\n"
			     "  userGroups: [probes]\n"
			     "  nonResourceURLs: [/api*, /version]\n"
			     "- level: RequestResponse\n"
			     "  resources:\n"
			     "  - resources: [pods]\n"
			     "- level: Metadata\n"
			     "  resources:\n"
			     "  - resources: [\"pods/log\", \"pods/status\", \"*/scale\"]\n"
			     "- level: Request\n"
			     "  namespaces: [kube-system]\n"
			     "  omitStages: [ResponseStarted]\n"
			     "  resources:\n"
			     "  - resources: [configmaps]\n"
			     "    resourceNames: [controller-leader]\n"
			     "- level: RequestResponse\n"
			     "  resources:\n"
			     "  - group: apps\n"
			     "  - resources: [secrets, serviceaccounts/token]\n"
			     "  - group: authentication.k8s.io\n"
			     "- level: None\n"
			     "  namespaces: [\"\"]\n"
			     "- level: Metadata\n"
			     "  userGroups: [people]\n";

static const struct {
	const char *user, *group, *method, *target;
	enum audit_level level;
	unsigned omitted;
} rows[] = {
    {"system:monitor", "x", "GET", "/api/v1/services?watch=1", AUDIT_NONE, 1},
    {"system:monitor", "x", "GET", "/api/v1/namespaces/a/services", AUDIT_NONE, 1},
    {"alice", "probes", "GET", "/version", AUDIT_NONE, 1},
    {"alice", "probes", "GET", "/apis", AUDIT_NONE, 1},
    {"alice", "people", "GET", "/version", AUDIT_METADATA, 1},
    {"alice", "people", "GET", "/api/v1/namespaces/a/pods", AUDIT_REQUEST_RESPONSE, 1},
    {"alice", "people", "GET", "/api/v1/namespaces/a/pods/p/log", AUDIT_METADATA, 1},
    {"alice", "x", "GET", "/api/v1/namespaces/a/pods/p/log", AUDIT_METADATA, 1},
    {"alice", "x", "GET", "/api/v1/namespaces/a/pods/p/status", AUDIT_METADATA, 1},
    {"alice", "x", "GET", "/api/v1/namespaces/a/pods/p/attach", AUDIT_NONE, 1},
    {"alice", "x", "GET", "/api/v1/namespaces/a/replicationcontrollers/r/scale", AUDIT_METADATA, 1},
    {"alice", "x", "PUT", "/api/v1/namespaces/kube-system/configmaps/controller-leader",
	AUDIT_REQUEST, 1u << AUDIT_REQUEST_RECEIVED | 1u << AUDIT_RESPONSE_STARTED},
    {"alice", "x", "PUT", "/api/v1/namespaces/kube-system/configmaps/other", AUDIT_NONE, 1},
    {"alice", "x", "PUT", "/api/v1/namespaces/web/configmaps/controller-leader", AUDIT_NONE, 1},
    {"alice", "x", "GET", "/apis/apps/v1/deployments", AUDIT_REQUEST_RESPONSE, 1},
    {"alice", "x", "GET", "/api/v1/namespaces/web/secrets/s", AUDIT_METADATA, 1},
    {"alice", "x", "POST", "/api/v1/namespaces/web/serviceaccounts/s/token", AUDIT_METADATA, 1},
    {"alice", "x", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", AUDIT_METADATA, 1},
    {"alice", "people", "GET", "/api/v1/nodes", AUDIT_NONE, 1},
    {"alice", "people", "GET", "/api/v1/namespaces/web/events", AUDIT_METADATA, 1},
    {"alice", "x", "GET", "/api/v1/namespaces/web/events", AUDIT_NONE, 1},
};

static void judge(const struct audit_policy *policy, size_t row)
{
	char *group = (char *)(uintptr_t)rows[row].group;
	struct identity identity = {
	    .user = (char *)(uintptr_t)rows[row].user, .groups = &group, .group_count = 1};
	struct request_info info = {0};
	unsigned status;
	const char *reason;
	assert_true(
	    request_info_parse(rows[row].method, rows[row].target, &info, &status, &reason));
	struct audit_verdict verdict = audit_policy_judge(policy, &identity, &info);
	if (verdict.level != rows[row].level || verdict.omitted != rows[row].omitted)
		fail_msg("%s %s: level %d omitted %u", rows[row].method, rows[row].target,
		    (int)verdict.level, verdict.omitted);
	request_info_free(&info);
}

static void test_rules(void **state)
{
	(void)state;
	char *error = NULL;
	struct audit_policy *policy = audit_policy_parse("p", sample, strlen(sample), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		judge(policy, i);
	audit_policy_free(&policy);
}

static void test_default(void **state)
{
	(void)state;
	struct audit_policy *policy = audit_policy_default();
	struct identity identity = {.user = (char *)(uintptr_t) "alice"};
	struct request_info info = {0};
	unsigned status;
	const char *reason;
	assert_true(request_info_parse("GET", "/version", &info, &status, &reason));
	assert_int_equal(audit_policy_judge(policy, &identity, &info).level, AUDIT_METADATA);
	request_info_free(&info);
	audit_policy_free(&policy);
}

#define HEAD "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

/* What one policy says of alice, who is in no group, and of one request. */
static struct audit_verdict judge_alone(const char *text, const char *target)
{
	char *error = NULL;
	struct audit_policy *policy = audit_policy_parse("p", text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	struct identity identity = {.user = (char *)(uintptr_t) "alice"};
	struct request_info info = {0};
	unsigned status;
	const char *reason;
	assert_true(request_info_parse("GET", target, &info, &status, &reason));
	struct audit_verdict verdict = audit_policy_judge(policy, &identity, &info);
	request_info_free(&info);
	audit_policy_free(&policy);
	return verdict;
}

/* Whoever is known is in the group that an API server gives all of them. */
static void test_everybody_is_authenticated(void **state)
{
	(void)state;
	static const char text[] =
	    HEAD "rules:\n"
		 "- level: None\n"
		 "  userGroups: [\"system:authenticated\"]\n"
		 "  nonResourceURLs: [/api*, /version]\n"
		 "- {level: None, userGroups: [\"system:unauthenticated\"]}\n"
		 "- {level: Request, userGroups: [\"system:authenticated\"]}\n";
	assert_int_equal(judge_alone(text, "/version").level, AUDIT_NONE);
	assert_int_equal(judge_alone(text, "/healthz").level, AUDIT_REQUEST);
	assert_int_equal(judge_alone(text, "/api/v1/pods").level, AUDIT_REQUEST);
}

/* As kube-apiserver has it, "pods" + "/" + "*" is about pods, too. */
static void test_all_of_a_resource(void **state)
{
	(void)state;
	static const char text[] =
	    HEAD "rules: [{level: Metadata, resources: [{resources: [\"pods/*\"]}]}]\n";
	assert_int_equal(judge_alone(text, "/api/v1/namespaces/a/pods/p").level, AUDIT_METADATA);
	assert_int_equal(
	    judge_alone(text, "/api/v1/namespaces/a/pods/p/log").level, AUDIT_METADATA);
	assert_int_equal(
	    judge_alone(text, "/api/v1/namespaces/a/podtemplates/p").level, AUDIT_NONE);
}

static void test_managed_fields(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_omitted;
	} each[] = {
	    {HEAD "rules: [{level: Request}]\n", false},
	    {HEAD "omitManagedFields: true\nrules: [{level: Request}]\n", true},
	    {HEAD "omitManagedFields: false\nrules: [{level: Request}]\n", false},
	    {HEAD "rules: [{level: Request, omitManagedFields: true}]\n", true},
	    {HEAD "omitManagedFields: true\n"
		  "rules: [{level: Request, omitManagedFields: false}]\n",
		false},
	};
	for (size_t i = 0; i < sizeof each / sizeof each[0]; i++)
		assert_int_equal(judge_alone(each[i].text, "/api/v1/pods").omits_managed_fields,
		    each[i].is_omitted);
}

static void test_findings(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"apiVersion: audit.k8s.io/v2\nkind: Policy\nrules: [{level: None}]",
		"p:1:1: apiVersion"},
	    {"apiVersion: audit.k8s.io/v1\nkind: Role\nrules: [{level: None}]",
		"p:2:1: kind \"Role\""},
	    {HEAD, "p:1:1: rules is missing or empty"},
	    {HEAD "rules: []", "p:3:1: rules is missing or empty"},
	    {HEAD "rules:\n- {}\n", "p:4:3: level is missing"},
	    {HEAD "rules:\n- level: Everything\n", "p:4:3: \"Everything\" is no level"},
	    {HEAD "rules:\n- level: None\n  user: [x]\n",
		"p:5:3: unknown key \"user\": did you mean \"users\"?"},
	    {HEAD "rules:\n- level: None\n  omitStages: [Later]\n",
		"p:5:16: \"Later\" is no stage"},
	    {HEAD "rules:\n- level: None\n  nonResourceURLs: [\"a*b\"]\n", "p:5:3: \"a*b\": a URL"},
	    {HEAD "rules:\n- level: None\n  nonResourceURLs: [/a]\n  namespaces: [x]\n",
		"p:5:3: a rule has either"},
	    {HEAD "rules:\n- level: None\n  resources: [pods]\n", "p:5:15: an entry of resources"},
	    {HEAD "rules:\n- level: None\n  resources:\n  - resourceNames: [x]\n",
		"p:6:5: resourceNames need resources"},
	    {HEAD "rules:\n- level: Request\n  omitManagedFields: sure\n",
		"p:5:3: omitManagedFields: \"sure\" is neither true nor false"},
	    {HEAD "omitManagedFields: [true]\nrules: [{level: None}]\n", "omitManagedFields"},
	    {HEAD "rules: [{level: A}, {level: B}]", "p:3:22: \"B\" is no level"},
	    {"[]", "p:1:1: an audit policy is a map"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char *error = NULL;
		assert_null(audit_policy_parse("p", bad[i].text, strlen(bad[i].text), &error));
		if (strstr(error, bad[i].says) == NULL)
			fail_msg("row %zu: \"%s\" is not in %s", i, bad[i].says, error);
		free(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_default),
	    cmocka_unit_test(test_everybody_is_authenticated),
	    cmocka_unit_test(test_all_of_a_resource),
	    cmocka_unit_test(test_managed_fields),
	    cmocka_unit_test(test_findings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
