/* What roles say about recording, and what of it whoever holds several is held to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/options.h"
#include "kubeproxyd/policy/policy.h"

#define ROLE(name, options)                                                                        \
	"kind: role\nversion: v8\nmetadata: {name: " name "}\nspec:\n  options:\n    " options "\n"
#define BINDING(roles)                                                                             \
	"---\nkind: role_binding\nversion: v1\nmetadata: {name: b}\n"                              \
	"spec: {roles: [" roles "], users: [alice]}\n"

static struct role_options options_of(const char *text)
{
	char *error = NULL;
	struct policy *policy = policy_parse("roles.yaml", text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	struct identity alice = {.user = (char *)(uintptr_t) "alice", .references = 1};
	struct grants *grants = policy_grants(policy, &alice);
	struct role_options options = *grants_options(grants);
	grants_free(&grants);
	policy_unref(&policy);
	return options;
}

static void test_modes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum record_mode mode;
	} rows[] = {
	    {"max_session_ttl: 8h", RECORD_UNSAID},
	    {"record_session: {}", RECORD_UNSAID},
	    {"record_session:", RECORD_UNSAID},
	    {"record_session: {default: strict}", RECORD_STRICT},
	    {"record_session: {default: best_effort}", RECORD_BEST_EFFORT},
	    {"record_session: {default: 'off'}", RECORD_OFF},
	    {"record_session: {default: strict, k8s: best_effort}", RECORD_BEST_EFFORT},
	    {"record_session: {default: best_effort, k8s: off}", RECORD_OFF},
	    {"record_session: {default: off, k8s: strict}", RECORD_STRICT},
	    {"record_session: {k8s: strict}", RECORD_STRICT},
	    {"record_session: {ssh: strict, desktop: true}", RECORD_UNSAID},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = xasprintf(ROLE("a", "%s") BINDING("a"), rows[i].text);
		if (options_of(text).record != rows[i].mode)
			fail_msg("%s", rows[i].text);
		free(text);
	}
}

static void test_the_strictest_counts(void **state)
{
	(void)state;
	struct role_options options = options_of(ROLE("a", "record_session: {k8s: off}") "---\n" //
	    ROLE("b", "record_session: {k8s: best_effort, input: true}") "---\n" //
	    ROLE("c", "record_session: {k8s: strict}") "---\n" //
	    ROLE("d", "record_session: {default: best_effort, non_interactive: yes}") //
	    BINDING("a, b, c, d"));
	assert_int_equal(options.record, RECORD_STRICT);
	assert_true(options.records_input && options.records_non_interactive);
	options = options_of(ROLE("a", "record_session: {k8s: off}") "---\n" //
	    ROLE("b", "max_session_ttl: 1h") BINDING("a, b"));
	assert_int_equal(options.record, RECORD_OFF);
	assert_false(options.records_input || options.records_non_interactive);
	static const char loose[] = "{client_idle_timeout: 8h, max_session_ttl: 9h, "
				    "max_kubernetes_connections: 7}";
	static const char tight[] = "{client_idle_timeout: 5m, max_session_ttl: 1h, "
				    "max_kubernetes_connections: 2}";
	for (size_t i = 0; i < 2; i++) {
		char *text = xasprintf(ROLE("a", "%s") "---\n" ROLE("b", "%s") "---\n" ROLE(
					   "c", "client_idle_timeout: never") BINDING("a, b, c"),
		    i == 0 ? loose : tight, i == 0 ? tight : loose);
		options = options_of(text);
		assert_int_equal(options.client_idle_timeout.ms, 5 * 60 * 1000);
		assert_int_equal(options.max_session_ttl.ms, 60 * 60 * 1000);
		assert_int_equal(options.max_kubernetes_connections, 2);
		free(text);
	}
}

static void test_mistakes(void **state)
{
	(void)state;
	static const struct {
		const char *text, *finding;
	} rows[] = {
	    {"record_session: strict", "6:21: record_session must be a map"},
	    {"record_session: {k8s: always}",
		"6:27: options.record_session.k8s must be best_effort, strict or off"},
	    {"record_session: {default: [strict]}", "6:31: options.record_session.default must be"},
	    {"record_session: {k8: strict}", "6:22: unknown key \"k8\": did you mean \"k8s\"?"},
	    {"record_session: {k8s: strict, input: maybe}",
		"6:42: options.record_session.input must be true or false"},
	    {"record_session: {input: true}",
		"6:21: options.record_session: non_interactive and input record nothing"},
	    {"record_session: {k8s: off, non_interactive: true}",
		"6:21: options.record_session: non_interactive and input record nothing"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = xasprintf(ROLE("a", "%s"), rows[i].text), *error = NULL;
		assert_null(policy_parse("roles.yaml", text, strlen(text), &error));
		char *wanted = xasprintf("roles.yaml:%s", rows[i].finding);
		if (strstr(error, wanted) == NULL)
			fail_msg("%s is not in %s", wanted, error);
		free(wanted);
		free(error);
		free(text);
	}
}

static void test_the_samples(void **state)
{
	(void)state;
	char *error = NULL;
	struct policy *policy = policy_load("etc/roles.d", NULL, &error);
	if (policy == NULL)
		fail_msg("%s", error);
	policy_unref(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_modes),
	    cmocka_unit_test(test_the_strictest_counts),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_the_samples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
