/* Expressions are compiled once per role set, never for a request. The linker puts a counter before
 * regex_compile() (Makefile). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/attr.h"
#include "common/labels.h"
#include "common/regex_program.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"

#define DECISIONS 1000

static unsigned compiled;

bool __real_regex_compile(
    struct regex *regex, const char *text, bool is_capturing, char **error) MUST_USE;
bool __wrap_regex_compile(
    struct regex *regex, const char *text, bool is_capturing, char **error) MUST_USE;

bool __wrap_regex_compile(struct regex *regex, const char *text, bool is_capturing, char **error)
{
	compiled++;
	return __real_regex_compile(regex, text, is_capturing, error);
}

/* An expression in each place that takes one; `groups` is the place of a template, or of none. */
#define ROLE(groups)                                                                               \
	"kind: role\n"                                                                             \
	"version: v8\n"                                                                            \
	"metadata: {name: r}\n"                                                                    \
	"spec:\n"                                                                                  \
	"  allow:\n"                                                                               \
	"    kubernetes_labels: {env: '^p.+d$', tier: '^t[0-9]$'}\n"                               \
	"    kubernetes_labels_expression: 'regexp.match(labels.env, \"^pr\") && "                 \
	"contains(regexp.replace(external.envs, \"^(.)rod$\", \"$1\"), \"p\")'\n"                  \
	"    kubernetes_groups: ['" groups "']\n"                                                  \
	"    kubernetes_resources:\n"                                                              \
	"    - {kind: pods, namespace: '^dev-[0-9]$', name: '^web-[0-9]+$', verbs: [get, list]}\n" \
	"  deny:\n"                                                                                \
	"    kubernetes_resources:\n"                                                              \
	"    - {kind: pods, namespace: '*', name: '^web-0[0-9]*$', verbs: ['*']}\n"                \
	"---\n"                                                                                    \
	"kind: role_binding\n"                                                                     \
	"version: v1\n"                                                                            \
	"metadata: {name: b}\n"                                                                    \
	"spec: {roles: [r], users: ['^jo.$']}\n"

static const struct {
	const char *target;
	bool is_allowed, is_whole;
} rows[] = {
    {"/api/v1/namespaces/dev-1/pods/web-7", true, true},
    {"/api/v1/namespaces/dev-1/pods/web-x", false, false},
    {"/api/v1/namespaces/dev-1/pods/web-07", false, false},
    {"/api/v1/namespaces/prod-1/pods/web-7", false, false},
    {"/api/v1/namespaces/dev-1/pods", true, false},
};
#define ROWS (sizeof rows / sizeof rows[0])

static void check(const struct grants *grants, const struct labels *labels, size_t i)
{
	struct request_info info = {0};
	struct decision decision = {0};
	unsigned status;
	const char *reason;
	assert_true(request_info_parse("GET", rows[i].target, &info, &status, &reason));
	policy_decide(grants, "c1", labels, &info, &decision);
	assert_int_equal(decision.is_allowed, rows[i].is_allowed);
	assert_int_equal(decision_is_whole(&decision), rows[i].is_whole);
	if (decision.is_allowed) {
		assert_int_equal(decision.group_count, 1);
		assert_string_equal(decision.groups[0], "rod");
	}
	decision_clear(&decision);
	request_info_free(&info);
}

/* Many decisions about joe under `role`, who is made anew for each one if `is_stranger`. */
static void check_all(const char *role, bool is_stranger)
{
	char *error = NULL;
	char name[] = "joe";
	struct identity joe = {.user = name, .source = "certificate", .references = 1};
	struct labels labels = {0};
	assert_true(traits_add(&joe.traits, "envs", "prod"));
	labels_set(&labels, "env", "prod");
	labels_set(&labels, "tier", "t1");
	compiled = 0;
	struct policy *policy = policy_parse("roles.yaml", role, strlen(role), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	assert_true(compiled > 0);
	struct grants *grants = policy_grants(policy, &joe);
	unsigned before = compiled;
	for (size_t i = 0; i < DECISIONS; i++) {
		if (is_stranger) {
			grants_free(&grants);
			grants = policy_grants(policy, &joe);
		}
		check(grants, &labels, i % ROWS);
	}
	assert_int_equal(compiled, before);
	grants_free(&grants);
	policy_unref(&policy);
	traits_free(&joe.traits);
	labels_free(&labels);
}

static void test_a_role_is_compiled_once_for_all(void **state)
{
	(void)state;
	check_all(ROLE("rod"), true);
}

/* It is each person's own. */
static void test_a_role_with_templates_is_compiled_once_a_person(void **state)
{
	(void)state;
	check_all(ROLE("{{regexp.replace(external.envs, \"^p(.+)$\", \"$1\")}}"), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_role_is_compiled_once_for_all),
	    cmocka_unit_test(test_a_role_with_templates_is_compiled_once_a_person),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
