/* Names of clusters: Teleport's scheme, override tags, collisions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "discoveryd/naming.h"

static void test_default_names(void **state)
{
	(void)state;
	static const struct {
		struct eks_arn parts;
		const char *name;
	} cases[] = {
	    {{"aws", "us-west-2", "123456789012", "prod"}, "prod-eks-us-west-2-123456789012"},
	    {{"aws", "us-west-1", "824489454832", "eks-cluster-eksCluster-85868e8"},
		"eks-cluster-eksCluster-85868e8-us-west-1-824489454832"},
	    {{"aws", "us-west-1", "824489454832", "MyEKS"}, "MyEKS-us-west-1-824489454832"},
	    {{"aws", "us-west-1", "824489454832", "a-us-west-1"}, "a-us-west-1-eks-824489454832"},
	    {{"aws", "us-west-1", "824489454832", "eks-us-west-1-824489454832"},
		"eks-us-west-1-824489454832"},
	    {{"aws-cn", "cn-north-1", "824489454832", "a_b"}, "a_b-eks-cn-north-1-824489454832"},
	    {{"aws", "", "", "a"}, "a-eks"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *name = naming_default(&cases[i].parts);
		assert_string_equal(name, cases[i].name);
		xfree(&name);
	}
}

/* Who holds which name. */
struct held {
	const char *name, *arn;
};

static const char *find_holder(void *arg, const char *name)
{
	for (const struct held *held = arg; held->name != NULL; held++) {
		if (strcmp(held->name, name) == 0)
			return held->arn;
	}
	return NULL;
}

#define MINE  "arn:aws:eks:us-west-2:123456789012:cluster/prod"
#define OTHER "arn:aws:eks:eu-west-1:123456789012:cluster/other"
static const struct eks_arn PARTS = {"aws", "us-west-2", "123456789012", "prod"};
#define DEFAULT_NAME "prod-eks-us-west-2-123456789012"

static struct naming choose(
    const char *tag, const char *value, const char *current, struct held *held)
{
	struct labels tags = {0};
	if (tag != NULL)
		labels_set(&tags, tag, value);
	struct naming naming = naming_choose(MINE, &PARTS, &tags, current, find_holder, held);
	labels_free(&tags);
	return naming;
}

static void test_override_tags(void **state)
{
	(void)state;
	static const char *const names[] = {NAMING_TAG_OWN, NAMING_TAG, NAMING_TAG_OLD};
	for (size_t i = 0; i < 3; i++) {
		struct naming naming = choose(names[i], "web", NULL, (struct held[]){{0}});
		assert_string_equal(naming.name, "web");
		assert_null(naming.conflict);
		assert_false(naming.is_suffixed);
		naming_free(&naming);
	}
	struct labels both = {0};
	labels_set(&both, NAMING_TAG, "new");
	labels_set(&both, NAMING_TAG_OLD, "old");
	struct naming naming =
	    naming_choose(MINE, &PARTS, &both, NULL, find_holder, (struct held[]){{0}});
	assert_string_equal(naming.name, "new");
	naming_free(&naming);
	labels_set(&both, NAMING_TAG_OWN, "own");
	naming = naming_choose(MINE, &PARTS, &both, NULL, find_holder, (struct held[]){{0}});
	assert_string_equal(naming.name, "own");
	naming_free(&naming);
	labels_set(&both, NAMING_TAG_OWN, "");
	labels_set(&both, NAMING_TAG, "");
	naming = naming_choose(MINE, &PARTS, &both, NULL, find_holder, (struct held[]){{0}});
	assert_string_equal(naming.name, "old");
	naming_free(&naming);
	labels_free(&both);
}

static void test_bad_override_falls_back_and_says_so(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "my cluster", "../x", "..", ".", "-x", "a/b", "x\ny", "\xc3\xa9"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct naming naming = choose(NAMING_TAG, bad[i], NULL, (struct held[]){{0}});
		assert_string_equal(naming.name, DEFAULT_NAME);
		assert_non_null(strstr(naming.conflict, NAMING_TAG));
		assert_true(naming.is_suffixed);
		naming_free(&naming);
	}
}

static void test_the_holder_keeps_the_name(void **state)
{
	(void)state;
	struct held held[] = {{"web", OTHER}, {0}};
	struct naming naming = choose(NAMING_TAG, "web", NULL, held);
	assert_string_equal(naming.name, DEFAULT_NAME);
	assert_non_null(strstr(naming.conflict, OTHER));
	assert_non_null(strstr(naming.conflict, "web"));
	naming_free(&naming);
	struct held mine[] = {{"web", MINE}, {0}};
	naming = choose(NAMING_TAG, "web", "web", mine);
	assert_string_equal(naming.name, "web");
	assert_null(naming.conflict);
	naming_free(&naming);
}

static void test_a_taken_default_gets_a_hash_and_keeps_it(void **state)
{
	(void)state;
	struct held held[] = {{DEFAULT_NAME, OTHER}, {0}, {0}};
	struct naming first = choose(NULL, NULL, NULL, held);
	assert_memory_equal(first.name, DEFAULT_NAME "-", strlen(DEFAULT_NAME) + 1);
	assert_true(kube_cluster_name_is_valid(first.name));
	assert_non_null(strstr(first.conflict, OTHER));
	/* The default name is free again: names stay as they are. */
	struct naming later = choose(NULL, NULL, first.name, (struct held[]){{0}});
	assert_string_equal(later.name, first.name);
	/* A tag is somebody's wish, and obeyed. */
	struct naming tagged = choose(NAMING_TAG, "web", first.name, (struct held[]){{0}});
	assert_string_equal(tagged.name, "web");
	/* The hashed name is taken as well: another hash. */
	held[1] = (struct held){first.name, OTHER};
	struct naming second = choose(NULL, NULL, NULL, held);
	assert_string_not_equal(second.name, first.name);
	naming_free(&first);
	naming_free(&later);
	naming_free(&tagged);
	naming_free(&second);
}

static const char *everybody(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return OTHER;
}

static void test_no_name_left(void **state)
{
	(void)state;
	struct naming naming =
	    naming_choose(MINE, &PARTS, &(struct labels){0}, NULL, everybody, NULL);
	assert_null(naming.name);
	assert_non_null(naming.conflict);
	naming_free(&naming);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_default_names),
	    cmocka_unit_test(test_override_tags),
	    cmocka_unit_test(test_bad_override_falls_back_and_says_so),
	    cmocka_unit_test(test_the_holder_keeps_the_name),
	    cmocka_unit_test(test_a_taken_default_gets_a_hash_and_keeps_it),
	    cmocka_unit_test(test_no_name_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
