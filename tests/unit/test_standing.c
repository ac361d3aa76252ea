/* What is kept of roles and clusters is never the answer for another cluster, for labels that have
 * changed or for somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/labels.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/policy/standing.h"

#define SETS (3 * STANDINGS_MAX)

static const char roles[] =
    "---\nkind: role\nversion: v8\nmetadata: {name: even}\nspec: {allow: {kubernetes_labels: "
    "{env: '^env-[0-9]*[02468]$'}}}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: none}\nspec: {deny: {kubernetes_labels: "
    "{team: closed}}}\n"
    "---\nkind: role\nversion: v8\nmetadata: {name: own}\nspec: {allow: "
    "{kubernetes_labels_expression: 'labels.owner == user.metadata.name'}}\n"
    "---\nkind: role_binding\nversion: v1\nmetadata: {name: all}\nspec: "
    "{users: ['*'], roles: [even, none, own]}\n";

static struct policy *policy;

static int load(void **state)
{
	char *error = NULL;
	(void)state;
	policy = policy_parse("roles.yaml", roles, strlen(roles), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	policy_unref(&policy);
	return 0;
}

static struct grants *grants_of(const char *name)
{
	char user[16];
	snprintf(user, sizeof user, "%s", name);
	struct identity identity = {.user = user, .references = 1};
	return policy_grants(policy, &identity);
}

static bool may(const struct grants *grants, const struct labels *labels)
{
	struct request_info request = {0};
	struct decision decision = {0};
	unsigned status;
	const char *reason;
	assert_true(request_info_parse("GET", "/api/v1/pods", &request, &status, &reason));
	policy_decide(grants, "a", labels, &request, &decision);
	bool is_allowed = decision.is_allowed;
	assert_int_equal(is_allowed, policy_may_see(grants, labels));
	decision_clear(&decision);
	request_info_free(&request);
	return is_allowed;
}

static void test_labels_change_in_place(void **state)
{
	struct grants *alice = grants_of("alice");
	struct labels labels = {0};
	(void)state;
	assert_false(may(alice, &labels));
	labels_set(&labels, "env", "env-2");
	assert_true(may(alice, &labels));
	labels_set(&labels, "env", "env-3");
	assert_false(may(alice, &labels));
	labels_set(&labels, "env", "env-4");
	assert_true(may(alice, &labels));
	labels_set(&labels, "team", "closed");
	assert_false(may(alice, &labels));
	labels_set(&labels, "team", "open");
	assert_true(may(alice, &labels));
	labels_free(&labels);
	grants_free(&alice);
}

/* A copy is known at sight, and no more than that: neither what it becomes, nor what another one
 * was that stood where it stands. */
static void test_copies_go_their_own_way(void **state)
{
	struct grants *alice = grants_of("alice");
	struct labels labels = {0}, copy = {0}, equal = {0};
	(void)state;
	labels_set(&labels, "env", "env-2");
	assert_true(may(alice, &labels));
	labels_copy(&copy, &labels);
	assert_true(may(alice, &copy));
	labels_set(&copy, "env", "env-3");
	assert_false(may(alice, &copy));
	assert_true(may(alice, &labels));
	labels_set(&equal, "env", "env-2");
	assert_true(may(alice, &equal));
	labels_set(&labels, "team", "closed");
	assert_false(may(alice, &labels));
	assert_true(may(alice, &equal));
	labels_copy(&equal, &copy);
	assert_false(may(alice, &equal));
	labels_free(&equal);
	labels_free(&copy);
	assert_false(may(alice, &copy));
	labels_free(&labels);
	grants_free(&alice);
}

static void test_more_sets_than_are_kept(void **state)
{
	struct grants *alice = grants_of("alice");
	struct labels labels[SETS] = {0};
	(void)state;
	for (unsigned i = 0; i < SETS; i++) {
		char value[16];
		snprintf(value, sizeof value, "env-%u", i);
		labels_set(&labels[i], "env", value);
		labels_set(&labels[i], "team", i % 3 == 0 ? "closed" : "open");
	}
	for (unsigned step = 1; step < SETS; step += 2) {
		for (unsigned i = 0, at = 0; i < SETS; i++, at = (at + step) % SETS)
			assert_int_equal(may(alice, &labels[at]), at % 2 == 0 && at % 3 != 0);
	}
	for (unsigned i = 0; i < SETS; i++)
		labels_free(&labels[i]);
	grants_free(&alice);
}

static void test_people_have_their_own(void **state)
{
	struct grants *alice = grants_of("alice"), *bob = grants_of("bob");
	struct labels labels = {0};
	(void)state;
	labels_set(&labels, "owner", "alice");
	for (int i = 0; i < 2; i++) {
		assert_true(may(alice, &labels));
		assert_false(may(bob, &labels));
	}
	labels_set(&labels, "owner", "bob");
	assert_false(may(alice, &labels));
	assert_true(may(bob, &labels));
	labels_free(&labels);
	grants_free(&alice);
	grants_free(&bob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_labels_change_in_place),
	    cmocka_unit_test(test_copies_go_their_own_way),
	    cmocka_unit_test(test_more_sets_than_are_kept),
	    cmocka_unit_test(test_people_have_their_own),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
