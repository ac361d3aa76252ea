/* Which access is wanted, whose principals are the same, and what tags of entries say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access_policy.h"
#include "discoveryd/access_tags.h"

#define ME    "0123456789abcdef"
#define OTHER "fedcba9876543210"

static struct settings make_settings(struct resource_selector *resource)
{
	char *error = NULL;
	struct settings settings = {0};
	*resource = (struct resource_selector){
	    .labels = selector_new(), .assume_role_arn = xstrdup("arn:aws:iam::1:role/serve")};
	assert_true(selector_add(resource->labels, "env", "prod", &error));
	settings.kubernetes.resources = resource;
	settings.kubernetes.resource_count = 1;
	return settings;
}

static void test_whom_access_is_for(void **state)
{
	(void)state;
	struct resource_selector resource;
	struct settings settings = make_settings(&resource);
	settings.access.group = xstrdup("eksgate:proxy");
	settings.access.cluster_role = xstrdup("eksgate");
	settings.access.mode = xstrdup("rbac");
	struct kube_cluster cluster = {0};
	struct aws_matcher plain = {0},
			   configured = {.setup_access_for_arn = xstrdup("arn:b"),
			       .access_mode = xstrdup("cluster-admin")},
			   second = {.setup_access_for_arn = xstrdup("arn:a")};
	const struct aws_matcher *matchers[] = {&plain, &configured, &second, &configured};
	struct access_wanted wanted, again;

	/* Nothing says for whom. */
	access_wanted_of(&settings, matchers, 1, &cluster, &wanted);
	assert_int_equal(wanted.count, 0);
	assert_int_equal(wanted.mode, ACCESS_RBAC);
	assert_string_equal(wanted.group, "eksgate:proxy");
	/* The serving role of what matches. */
	labels_set(&cluster.labels, "env", "prod");
	access_wanted_of(&settings, matchers, 1, &cluster, &again);
	assert_int_equal(again.count, 1);
	assert_string_equal(again.principals[0], "arn:aws:iam::1:role/serve");
	assert_false(again.is_configured);
	assert_false(access_wanted_equal(&wanted, &again));
	access_wanted_free(&again);
	/* What is configured goes before it, as a set; the matcher's mode before the general one.
	 */
	access_wanted_of(&settings, matchers, 4, &cluster, &again);
	assert_int_equal(again.count, 2);
	assert_string_equal(again.principals[0], "arn:a");
	assert_string_equal(again.principals[1], "arn:b");
	assert_int_equal(again.mode, ACCESS_CLUSTER_ADMIN);
	assert_true(again.is_configured);
	assert_true(access_wanted_equal(&again, &again));
	access_wanted_free(&again);
	access_wanted_free(&wanted);
	free(configured.setup_access_for_arn);
	free(configured.access_mode);
	free(second.setup_access_for_arn);
	free(settings.access.group);
	free(settings.access.cluster_role);
	free(settings.access.mode);
	labels_free(&cluster.labels);
	selector_free(&resource.labels);
	free(resource.assume_role_arn);
}

static void test_principals(void **state)
{
	(void)state;
	static const struct {
		const char *sts, *principal;
	} identities[] = {
	    {"arn:aws:sts::111111111111:assumed-role/serve/main",
		"arn:aws:iam::111111111111:role/serve"},
	    {"arn:aws-cn:sts::111111111111:assumed-role/a/b@c",
		"arn:aws-cn:iam::111111111111:role/a"},
	    {"arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/jane",
		"arn:aws:iam::111111111111:role/AWSReservedSSO_Admin_0123456789abcdef"},
	    {"arn:aws:iam::111111111111:user/team/x", "arn:aws:iam::111111111111:user/team/x"},
	    {"arn:aws:iam::111111111111:root", NULL},
	    {"arn:aws:sts::111111111111:federated-user/x", NULL},
	    {"nonsense", NULL},
	};
	for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++) {
		char *principal = access_principal_of(identities[i].sts);
		if (identities[i].principal == NULL)
			assert_null(principal);
		else
			assert_string_equal(principal, identities[i].principal);
		free(principal);
	}
	static const char sso[] = "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/eu-west-1/"
				  "AWSReservedSSO_A_0";
	assert_true(access_is_same_principal(sso, "arn:aws:iam::1:role/AWSReservedSSO_A_0"));
	assert_true(access_is_same_principal("arn:aws:iam::1:role/p/q/r", "arn:aws:iam::1:role/r"));
	assert_false(access_is_same_principal("arn:aws:iam::1:role/r", "arn:aws:iam::2:role/r"));
	assert_false(access_is_same_principal("arn:aws:iam::1:role/r", "arn:aws:iam::1:user/r"));
	assert_false(access_is_same_principal("arn:aws:iam::1:role/r", "arn:aws:iam::1:role/rr"));
	assert_true(access_is_same_principal("x", "x"));
	assert_false(access_is_same_principal("x", "arn:aws:iam::1:role/r"));
}

static void test_tags(void **state)
{
	(void)state;
	struct unix_time now = unix_now();
	struct labels tags = access_tags_lasting(ME);
	struct access_marks marks = access_tags_read(&tags, ME, now);
	assert_true(marks.is_managed && marks.is_mine && marks.is_used);
	assert_false(marks.is_shared || marks.is_temporary || marks.is_over);
	marks = access_tags_read(&tags, OTHER, now);
	assert_true(marks.is_managed && marks.is_shared);
	assert_false(marks.is_mine || marks.is_used);
	/* Released, it is nobody's any more. */
	struct labels released = access_tags_use(ME, false);
	for (size_t i = 0; i < released.count; i++)
		labels_set(&tags, released.items[i].key, released.items[i].value);
	marks = access_tags_read(&tags, OTHER, now);
	assert_true(marks.is_managed);
	assert_false(marks.is_shared);
	labels_free(&released);
	labels_free(&tags);

	tags = access_tags_temporary(ME, now);
	marks = access_tags_read(&tags, ME, now);
	assert_true(marks.is_temporary && marks.is_mine);
	assert_false(marks.is_over || marks.is_used);
	marks = access_tags_read(
	    &tags, OTHER, (struct unix_time){now.ms + ACCESS_ORPHAN_GRACE_MS + 1000});
	assert_true(marks.is_over);
	/* Who only writes our purpose on his entry has not made it ours to delete. */
	struct labels foreign = {0};
	labels_set(&foreign, ACCESS_TAG_PURPOSE, "bootstrap");
	labels_set(&foreign, ACCESS_TAG_CREATOR, ME);
	labels_set(&foreign, ACCESS_TAG_EXPIRES, "2020-01-01T00:00:00Z");
	marks = access_tags_read(&foreign, ME, now);
	assert_false(marks.is_managed || marks.is_mine || marks.is_temporary || marks.is_over);
	labels_free(&foreign);
	labels_free(&tags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whom_access_is_for),
	    cmocka_unit_test(test_principals),
	    cmocka_unit_test(test_tags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
