/* What is valid in roles and may not do what its author means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/policy.h"

#define ROLE                                                                                       \
	"kind: role\nversion: v8\nmetadata: {name: a}\nspec: {deny: {kubernetes_resources: "       \
	"[%s]}}\n"

static void note_doubt(void *arg, const char *doubt)
{
	buf_printf(arg, "%s\n", doubt);
}

#define EVENTS(group)                                                                              \
	"{kind: events, api_group: " group ", namespace: '*', name: '*', verbs: [list]}"

static void test_doubts(void **state)
{
	(void)state;
	static const struct {
		const char *rules, *doubt;
	} rows[] = {
	    {EVENTS("''"),
		"r.yaml:1: role \"a\" denies events of api_group \"\" alone, and the same "
		"objects are in \"events.k8s.io\": deny them there, too\n"},
	    {EVENTS("events.k8s.io"),
		"r.yaml:1: role \"a\" denies events of api_group \"events.k8s.io\" alone, and the "
		"same objects are in \"\": deny them there, too\n"},
	    {EVENTS("'events*'"),
		"r.yaml:1: role \"a\" denies events of api_group \"events.k8s.io\" alone, and the "
		"same objects are in \"\": deny them there, too\n"},
	    {EVENTS("''") ", " EVENTS("events.k8s.io"), ""},
	    {EVENTS("'*'"), ""},
	    {EVENTS("'^(|events.k8s.io)$'"), ""},
	    {"{kind: '*', namespace: '*', name: '*', verbs: [list]}", ""},
	    {"{kind: pods, namespace: '*', name: '*', verbs: [list]}", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *error = NULL, *text = xasprintf(ROLE, rows[i].rules);
		struct policy *policy = policy_parse("r.yaml", text, strlen(text), &error);
		struct buf doubts = {0};
		if (policy == NULL)
			fail_msg("%s", error);
		policy_each_doubt(policy, note_doubt, &doubts);
		assert_string_equal(buf_text(&doubts), rows[i].doubt);
		buf_free(&doubts);
		policy_unref(&policy);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_doubts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
