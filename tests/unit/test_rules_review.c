/* Reviews of rules: what is left of RBAC's rules when roles have their say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/protobuf.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/policy/rules_review.h"

/* A role of these resources and denials, bound to everybody. */
static struct policy *policy_of(const char *allow, const char *deny)
{
	char *error = NULL;
	char *text = xasprintf("kind: role\nversion: v8\nmetadata: {name: r}\nspec: {allow: "
			       "{kubernetes_labels: {'*': '*'}, kubernetes_resources: [%s]}, deny: "
			       "{kubernetes_resources: [%s]}}\n---\nkind: role_binding\nversion: "
			       "v1\nmetadata: {name: b}\nspec: {roles: [r], users: ['*']}\n",
	    allow, deny);
	struct policy *policy = policy_parse("roles.yaml", text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	free(text);
	return policy;
}

static void cut(const char *allow, const char *deny, const char *answer, enum body_format format,
    struct buf *out)
{
	struct policy *policy = policy_of(allow, deny);
	char user[] = "joe";
	struct identity identity = {.user = user, .references = 1};
	struct labels labels = {0};
	struct decision sent = {.user = user};
	struct grants *grants = policy_grants(policy, &identity);
	struct rules_question question = {grants, "c1", &labels, "dev", &sent};
	buf_clear(out);
	assert_true(rules_review_cut(&question, answer, strlen(answer), format, out));
	grants_free(&grants);
	policy_unref(&policy);
}

static void add_words(struct buf *out, struct json_object *rule, const char *key)
{
	struct json_object *list = NULL;
	if (!json_object_object_get_ex(rule, key, &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		buf_printf(out, "%s%s",
		    i > 0	   ? ","
		    : out->len > 0 ? " "
				   : "",
		    json_object_get_string(json_object_array_get_idx(list, i)));
}

/* "GROUP RESOURCE VERBS [NAMES]", a rule a line, then paths, then the note. */
static char *describe(const struct buf *answer)
{
	struct json_object *document = json_tokener_parse(buf_text(answer));
	struct json_object *status = json_object_object_get(document, "status"), *note = NULL;
	struct buf text = {0};
	static const char *const lists[] = {"resourceRules", "nonResourceRules"};
	for (size_t l = 0; l < 2; l++) {
		struct json_object *rules = json_object_object_get(status, lists[l]);
		for (size_t i = 0; i < json_object_array_length(rules); i++) {
			struct json_object *rule = json_object_array_get_idx(rules, i);
			struct buf line = {0};
			add_words(&line, rule, "apiGroups");
			add_words(&line, rule, "resources");
			add_words(&line, rule, "nonResourceURLs");
			add_words(&line, rule, "verbs");
			add_words(&line, rule, "resourceNames");
			buf_printf(&text, "%s\n", buf_text(&line));
			buf_free(&line);
		}
	}
	if (json_object_object_get_ex(status, "evaluationError", &note))
		buf_printf(&text, "(%s)\n", json_object_get_string(note));
	assert_int_equal(
	    json_object_get_boolean(json_object_object_get(status, "incomplete")), note != NULL);
	json_object_put(document);
	return buf_take(&text);
}

#define RULE(groups, resources, verbs)                                                             \
	"{\"apiGroups\":[" groups "],\"resources\":[" resources "],\"verbs\":[" verbs "]}"
#define ANSWER(rules, paths)                                                                       \
	"{\"status\":{\"resourceRules\":[" rules "],\"nonResourceRules\":[" paths "],"             \
	"\"incomplete\":false}}"
#define ADMIN                                                                                      \
	ANSWER(RULE("\"*\"", "\"*\"", "\"*\""), "{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}")

static const struct {
	const char *allow, *deny, *answer, *left;
} rows[] = {
    {"{kind: pods, namespace: dev, name: '*', verbs: [get, exec]}", "",
	ANSWER(RULE("\"\"", "\"pods\",\"pods/exec\",\"secrets\"", "\"get\",\"create\""), ""),
	"pods get\npods/exec get,create\n"},
    {"{kind: pods, namespace: prod, name: '*', verbs: [get]}", "",
	ANSWER(RULE("\"\"", "\"pods\"", "\"get\""), ""), ""},
    {"{kind: pods, namespace: dev, name: 'a*', verbs: [list]}", "",
	ANSWER(RULE("\"\"", "\"pods\"", "\"list\""), ""),
	"(some names are allowed that are not listed here)\n"},
    {"{kind: pods, namespace: dev, name: 'a*', verbs: [get]}", "",
	ANSWER("{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"],"
	       "\"resourceNames\":[\"a1\",\"b1\"]}",
	    ""),
	"pods get a1\n"},
    {"{kind: '*', namespace: '*', name: '*', verbs: ['*']}", "", ADMIN, "* * *\n* *\n"},
    {"{kind: '*', namespace: dev, name: '*', verbs: [get, list]}", "", ADMIN, "* * get,list\n"},
    {"{kind: deployments, api_group: apps, namespace: dev, name: '*', verbs: ['*']}, {kind: pods, "
     "namespace: '*', name: '*', verbs: [portforward]}",
	"", ADMIN,
	"apps deployments get,list,watch,create,update,patch,delete,deletecollection\n"
	"pods/portforward *\n"},
    {"{kind: '*', namespace: '*', name: '*', verbs: ['*']}",
	"{kind: secrets, namespace: '*', name: '*', verbs: ['*']}", ADMIN,
	"* * *\n* *\n(deny rules take away of what is listed for \"*\")\n"},
    {"{kind: '*', namespace: '*', name: '*', verbs: ['*']}",
	"{kind: secrets, namespace: '*', name: '*', verbs: ['*']}",
	ANSWER(RULE("\"\"", "\"secrets\",\"pods\"", "\"get\""), ""), "pods get\n"},
    {"{kind: pods, namespace: dev, name: '*', verbs: [get]}", "",
	ANSWER("", "{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/api\",\"/api/*\",\"/metrics\"]}"),
	"/api get\n/api/* get\n"},
    {"{kind: pods, namespace: dev, name: '*', verbs: [get]}", "", ANSWER("null,1,{}", "7"), ""},
};

static void test_rules_are_cut(void **state)
{
	(void)state;
	struct buf out = {0};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		cut(rows[i].allow, rows[i].deny, rows[i].answer, BODY_JSON, &out);
		char *left = describe(&out);
		/* The core group is written as nothing. */
		if (strcmp(left, rows[i].left) != 0)
			fail_msg("row %zu: %s\nwanted: %s", i, left, rows[i].left);
		free(left);
	}
	buf_free(&out);
}

/* `can-i --list --as bob`: what bob may, of that what may be done as him. */
static void test_rules_of_somebody_else(void **state)
{
	(void)state;
	static const char roles[] =
	    "kind: role\nversion: v8\nmetadata: {name: a}\nspec: {allow: {kubernetes_labels: {'*': "
	    "'*'}, kubernetes_resources: [{kind: pods, namespace: '*', name: '*', verbs: [get]}], "
	    "kubernetes_impersonate: {users: [bob]}}}\n---\nkind: role\nversion: v8\nmetadata: "
	    "{name: b}\nspec: {allow: {kubernetes_labels: {'*': '*'}, kubernetes_resources: "
	    "[{kind: "
	    "secrets, namespace: '*', name: '*', verbs: [get]}]}}\n---\nkind: "
	    "role_binding\nversion: "
	    "v1\nmetadata: {name: b}\nspec: {roles: [a, b], users: ['*']}\n";
	static const char answer[] = ANSWER(RULE("\"\"", "\"pods\",\"secrets\"", "\"get\""), "");
	char *error = NULL, user[] = "joe", other[] = "bob";
	struct policy *policy = policy_parse("roles.yaml", roles, strlen(roles), &error);
	assert_non_null(policy);
	struct identity identity = {.user = user, .references = 1};
	struct labels labels = {0};
	struct act_as as = {.user = other};
	struct decision sent = {.user = other, .as = &as};
	struct buf out = {0};
	struct grants *grants = policy_grants(policy, &identity);
	struct rules_question question = {grants, "c1", &labels, "dev", &sent};
	assert_true(rules_review_cut(&question, answer, strlen(answer), BODY_JSON, &out));
	char *left = describe(&out);
	assert_string_equal(left, "pods get\n");
	free(left);
	buf_free(&out);
	grants_free(&grants);
	policy_unref(&policy);
}

static void test_answers_that_are_none(void **state)
{
	(void)state;
	static const char *const answers[] = {"", "[]", "{}", "{\"status\":1}", "x"};
	struct rules_question question = {.namespace = "dev"};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		assert_false(
		    rules_review_cut(&question, answers[i], strlen(answers[i]), BODY_JSON, &out));
	buf_free(&out);
}

static void test_protobuf(void **state)
{
	(void)state;
	struct buf out = {0};
	struct protobuf kind, raw, status, rule, verb;
	bool is_sound;
	cut("{kind: pods, namespace: dev, name: '*', verbs: [get]}", "",
	    ANSWER(RULE("\"\"", "\"pods\"", "\"get\""), ""), BODY_PROTOBUF, &out);
	assert_true(protobuf_open(out.data, out.len, &kind, &raw));
	assert_memory_equal(kind.at, "SelfSubjectRulesReview", kind.len);
	assert_true(protobuf_get(raw, 3, &status, &is_sound));
	assert_true(protobuf_get(status, 1, &rule, &is_sound));
	assert_true(protobuf_get(rule, 1, &verb, &is_sound));
	assert_memory_equal(verb.at, "get", verb.len);
	buf_free(&out);
}

static void add_list(struct buf *out, const char *key, const char *word, size_t count)
{
	buf_printf(out, "\"%s\":[", key);
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", word);
	buf_append_text(out, "]");
}

/* Lists that multiply, which whoever may write a Role can make: cut short, and that is said. */
static void test_rules_that_cost_too_much(void **state)
{
	(void)state;
	static const struct {
		const char *group, *resource;
		size_t verbs, groups, resources, names;
	} lists[] = {{"", "a", 1, 5000, 5000, 0}, {"*", "*", 1, 5000, 5000, 0},
	    {"", "a", 5000, 5000, 1, 0}, {"", "a", 20, 1, 1, 50000}, {"*", "*", 5000, 1, 5000, 0}};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct buf answer = {0}, out = {0};
		buf_append_text(&answer, "{\"status\":{\"resourceRules\":[{");
		add_list(&answer, "verbs", "get", lists[i].verbs);
		buf_append_text(&answer, ",");
		add_list(&answer, "apiGroups", lists[i].group, lists[i].groups);
		buf_append_text(&answer, ",");
		add_list(&answer, "resources", lists[i].resource, lists[i].resources);
		buf_append_text(&answer, ",");
		add_list(&answer, "resourceNames", "n", lists[i].names);
		buf_append_text(&answer, "}],\"incomplete\":false}}");
		clock_t start = clock();
		cut("{kind: '*', namespace: '*', name: '*', verbs: ['*']}", "", buf_text(&answer),
		    BODY_JSON, &out);
		if ((clock() - start) / CLOCKS_PER_SEC >= 5)
			fail_msg("lists %zu took too long", i);
		assert_non_null(strstr(buf_text(&out), "there are too many rules to list"));
		buf_free(&answer);
		buf_free(&out);
	}
}

static void test_namespaces(void **state)
{
	(void)state;
	static const struct {
		enum body_format format;
		const char *body, *namespace;
	} bodies[] = {
	    {BODY_JSON, "{\"spec\":{\"namespace\":\"dev\"}}", "dev"},
	    {BODY_JSON, "{\"spec\":{}}", ""},
	    {BODY_JSON, "{}", NULL},
	    {BODY_JSON, "{\"spec\":{\"namespace\":1}}", NULL},
	    {BODY_YAML, "spec: {namespace: dev}\n", "dev"},
	    {BODY_YAML, "spec: {namespace: [dev]}\n", NULL},
	    {BODY_PROTOBUF, "k8s", NULL},
	    {BODY_UNKNOWN, "{\"spec\":{\"namespace\":\"dev\"}}", NULL},
	};
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		const char *error = NULL;
		char *namespace = rules_review_namespace(
		    bodies[i].format, bodies[i].body, strlen(bodies[i].body), &error);
		assert_int_equal(namespace != NULL, bodies[i].namespace != NULL);
		if (namespace != NULL)
			assert_string_equal(namespace, bodies[i].namespace);
		else
			assert_non_null(error);
		free(namespace);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules_are_cut),
	    cmocka_unit_test(test_rules_of_somebody_else),
	    cmocka_unit_test(test_answers_that_are_none),
	    cmocka_unit_test(test_protobuf),
	    cmocka_unit_test(test_rules_that_cost_too_much),
	    cmocka_unit_test(test_namespaces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
