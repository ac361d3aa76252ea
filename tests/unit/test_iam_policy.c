/* IAM policies: who a caller is, and what each configuration needs and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/policy.h"

#define OWN "arn:aws:iam::111111111111:role/own"

static void test_who_a_caller_is(void **state)
{
	(void)state;
	static const struct {
		const char *arn, *principal;
	} rows[] = {
	    {"arn:aws:sts::111111111111:assumed-role/r/session",
		"arn:aws:iam::111111111111:role/r"},
	    {"arn:aws-cn:sts::111111111111:assumed-role/r/s/t",
		"arn:aws-cn:iam::111111111111:role/r"},
	    {"arn:aws:iam::111111111111:user/a/b", "arn:aws:iam::111111111111:user/a/b"},
	    {"arn:aws:iam::111111111111:role/x", "arn:aws:iam::111111111111:role/x"},
	    {"arn:aws:iam::111111111111:root", NULL},
	    {"arn:aws:sts::111111111111:federated-user/x", NULL},
	    {"arn:aws:iam::1:role/x", NULL},
	    {"arn:aws:iam::11111111111x:role/x", NULL},
	    {"arn:aws:s3:::bucket", NULL},
	    {"arn:", NULL},
	    {"", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *principal = policy_principal_of(rows[i].arn);
		if (rows[i].principal == NULL && principal != NULL)
			fail_msg("%s gives %s", rows[i].arn, principal);
		if (rows[i].principal != NULL)
			assert_string_equal(principal, rows[i].principal);
		free(principal);
	}
}

/* All documents as one text, for a configuration whose aws: list and eksgate: are these. */
static char *documents_for(
    const char *matchers, const char *own, const struct policy_principals *principals)
{
	char *error = NULL;
	char *text = xasprintf("version: v3\n"
			       "discovery_service: {enabled: true, discovery_group: g, aws: %s}\n"
			       "eksgate: %s\n",
	    matchers, own);
	struct settings *settings = settings_parse("test", text, strlen(text), &error);
	if (settings == NULL)
		fail_msg("%s", error);
	free(text);
	struct json_object *documents = policy_documents(settings, principals);
	char *shown = xstrdup(json_object_to_json_string_ext(
	    documents, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(documents);
	settings_free(&settings);
	return shown;
}

/* Frees `text`. */
static void expect_in(char *text, const char *const *parts, const char *const *absent)
{
	for (; *parts != NULL; parts++) {
		if (strstr(text, *parts) == NULL)
			fail_msg("\"%s\" is not in %s", *parts, text);
	}
	for (; *absent != NULL; absent++) {
		if (strstr(text, *absent) != NULL)
			fail_msg("\"%s\" is in %s", *absent, text);
	}
	free(text);
}

static void expect(
    const char *matchers, const char *own, const char *const *parts, const char *const *absent)
{
	static const struct policy_principals principals = {.discovery = OWN};
	expect_in(documents_for(matchers, own, &principals), parts, absent);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_only_what_is_configured(void **state)
{
	(void)state;
	expect("[{types: [eks], regions: [eu-west-1, us-east-1]}]", "{}",
	    LIST("\"aws:RequestedRegion\":[\"eu-west-1\",\"us-east-1\"]", "EKSManageAccess",
		"arn:aws:eks:*:111111111111:access-entry/*", OWN),
	    LIST("ListRegions", "AssumeRole", "organizations:"));
	expect("[{types: [eks], regions: ['*']}]", "{}", LIST("account:ListRegions"),
	    LIST("aws:RequestedRegion", "AssumeRole"));
}

static void test_roles_are_assumed_and_trusted(void **state)
{
	(void)state;
	expect("[{types: [eks], regions: [eu-west-1], external_id: one-id,"
	       " assume_role_arn: 'arn:aws:iam::222222222222:role/r'},"
	       " {types: [eks], regions: [us-east-1], external_id: two-id,"
	       " assume_role_arn: 'arn:aws:iam::222222222222:role/r'}]",
	    "{}",
	    LIST("\"sts:ExternalId\":[\"one-id\",\"two-id\"]",
		"\"aws:RequestedRegion\":[\"eu-west-1\",\"us-east-1\"]",
		"\"Principal\":{\"AWS\":\"" OWN "\"}",
		"\"Resource\":[\"arn:aws:iam::222222222222:role/r\"]",
		"arn:aws:eks:*:222222222222:cluster/*"),
	    LIST("arn:aws:eks:*:111111111111"));
}

#define SHARED "arn:aws:iam::222222222222:role/r"

/* EKS access is a matter of each matcher; one that manages is enough for an identity. */
static void test_access_modes_of_matchers(void **state)
{
	(void)state;
	static const char two[] =
	    "[{types: [eks], regions: [eu-west-1], eksgate: {access: %s}},"
	    " {types: [eks], regions: [eu-west-1], assume_role_arn: '" SHARED "',"
	    " eksgate: {access: %s}}]";
	static const struct {
		const char *own, *shared, *all;
	} rows[] = {{"manual", "rbac", "rbac"}, {"rbac", "manual", "manual"},
	    {"cluster-admin", "manual", "rbac"}, {"manual", "manual", "rbac"},
	    {"rbac", "rbac", "manual"}};
	static const char *const entries[] = {"arn:aws:eks:*:111111111111:access-entry/*",
	    "arn:aws:eks:*:222222222222:access-entry/*"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *matchers = xasprintf(two, rows[i].own, rows[i].shared);
		char *own = xasprintf("{access: {mode: %s}}", rows[i].all);
		bool is_own = strcmp(rows[i].own, "manual") != 0,
		     is_shared = strcmp(rows[i].shared, "manual") != 0;
		expect(matchers, own,
		    LIST(
			"EKSDiscovery", is_own ? entries[0] : OWN, is_shared ? entries[1] : SHARED),
		    LIST(is_own ? "nothing" : entries[0], is_shared ? "nothing" : entries[1]));
		free(matchers);
		free(own);
	}
	expect("[{types: [eks], regions: [eu-west-1]}]", "{access: {mode: manual}}",
	    LIST("EKSDiscovery"), LIST("access-entry"));
}

static void test_the_bootstrap_role(void **state)
{
	(void)state;
#define BOOTSTRAP "arn:aws:iam::111111111111:role/bootstrap"
	static const char own[] = "{access: {bootstrap_role_arn: '" BOOTSTRAP "'}}";
	expect("[{types: [eks], regions: [eu-west-1]}]", own,
	    LIST("\"Action\":[\"sts:AssumeRole\"],\"Resource\":[\"" BOOTSTRAP "\"]",
		"\"identity\":\"" BOOTSTRAP "\",\"kind\":\"trust\""),
	    LIST("\"identity\":\"" BOOTSTRAP "\",\"kind\":\"permissions\""));
	expect("[{types: [eks], regions: [eu-west-1], eksgate: {access: manual}},"
	       " {types: [eks], regions: [eu-west-1], eksgate: {access: cluster-admin}}]",
	    own, LIST("EKSManageAccess"), LIST(BOOTSTRAP));
}

/* An instance role that may assume two roles, which trust it; nobody else does. */
static void test_an_instance_of_two_roles(void **state)
{
	(void)state;
#define SERVE	 "arn:aws:iam::111111111111:role/serve"
#define INSTANCE "arn:aws:iam::111111111111:role/host"
	static const struct policy_principals principals = {
	    .discovery = OWN, .serving = SERVE, .instance = INSTANCE};
	static const char matchers[] = "[{types: [eks], regions: [eu-west-1]}]";
	expect_in(documents_for(matchers, "{}", &principals),
	    LIST("\"identity\":\"" INSTANCE "\",\"kind\":\"permissions\"",
		"\"Action\":[\"sts:AssumeRole\"],\"Resource\":[\"" OWN "\",\"" SERVE "\"]}]",
		"\"Principal\":{\"Service\":\"ec2.amazonaws.com\"}",
		"\"identity\":\"" OWN "\",\"kind\":\"trust\"",
		"\"identity\":\"" SERVE "\",\"kind\":\"trust\"",
		"\"Principal\":{\"AWS\":\"" INSTANCE "\"}"),
	    LIST(":root", "\"AWS\":\"" OWN "\""));
	expect(matchers, "{}", LIST(OWN), LIST("AssumeRole", "ec2."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_who_a_caller_is),
	    cmocka_unit_test(test_only_what_is_configured),
	    cmocka_unit_test(test_roles_are_assumed_and_trusted),
	    cmocka_unit_test(test_access_modes_of_matchers),
	    cmocka_unit_test(test_the_bootstrap_role),
	    cmocka_unit_test(test_an_instance_of_two_roles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
