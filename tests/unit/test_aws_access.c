/* Access entries on the wire: requests byte for byte, answers good and bad, denials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "discoveryd/aws_access.h"

#define ROLE	"arn:aws:iam::111111111111:role/team/serve"
#define ENCODED "arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fteam%2Fserve"

static void check(
    struct eks_access_request request, const char *method, const char *path, const char *body)
{
	struct eks_access_wire wire;
	request.cluster = "prod-1";
	request.principal = ROLE;
	eks_access_build(&request, &wire);
	assert_string_equal(wire.method, method);
	assert_string_equal(wire.path, path);
	if (body == NULL)
		assert_null(wire.body);
	else
		assert_string_equal(wire.body, body);
	free(wire.path);
	free(wire.body);
}

static void test_requests(void **state)
{
	(void)state;
	const char *const groups[] = {"a", "eksgate:proxy"};
	struct labels tags = {0};
	labels_set(&tags, "k", "v");
	check((struct eks_access_request){.op = EKS_DESCRIBE_ENTRY}, "GET",
	    "/clusters/prod-1/access-entries/" ENCODED, NULL);
	check((struct eks_access_request){.op = EKS_DELETE_ENTRY}, "DELETE",
	    "/clusters/prod-1/access-entries/" ENCODED, NULL);
	check((struct eks_access_request){.op = EKS_CREATE_ENTRY,
		  .groups = groups,
		  .group_count = 1,
		  .tags = &tags,
		  .token = "t"},
	    "POST", "/clusters/prod-1/access-entries",
	    "{\"clientRequestToken\":\"t\",\"kubernetesGroups\":[\"a\"],\"principalArn\":\"" ROLE
	    "\",\"tags\":{\"k\":\"v\"},\"type\":\"STANDARD\"}");
	check(
	    (struct eks_access_request){.op = EKS_UPDATE_ENTRY, .groups = groups, .group_count = 2},
	    "POST", "/clusters/prod-1/access-entries/" ENCODED,
	    "{\"kubernetesGroups\":[\"a\",\"eksgate:proxy\"]}");
	check((struct eks_access_request){.op = EKS_ASSOCIATE_POLICY, .policy = "arn:p"}, "POST",
	    "/clusters/prod-1/access-entries/" ENCODED "/access-policies",
	    "{\"accessScope\":{\"type\":\"cluster\"},\"policyArn\":\"arn:p\"}");
	check((struct eks_access_request){.op = EKS_TAG_RESOURCE,
		  .tags = &tags,
		  .resource = "arn:aws:eks:r:1:access-entry/x"},
	    "POST", "/tags/arn%3Aaws%3Aeks%3Ar%3A1%3Aaccess-entry%2Fx", "{\"tags\":{\"k\":\"v\"}}");
	labels_free(&tags);
	char *policy = eks_admin_policy("arn:aws-cn:eks:cn-north-1:111111111111:cluster/c");
	assert_string_equal(
	    policy, "arn:aws-cn:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy");
	free(policy);
}

static void test_answers(void **state)
{
	(void)state;
	static const char good[] =
	    "{\"accessEntry\":{\"clusterName\":\"prod-1\",\"principalArn\":\"" ROLE
	    "\",\"kubernetesGroups\":[\"a\",\"b\"],\"accessEntryArn\":\"arn:e\",\"tags\":{\"k\":"
	    "\"v\"},"
	    "\"type\":\"STANDARD\",\"username\":\"u\",\"createdAt\":1.5,\"new\":{}}}";
	char *error = NULL;
	struct eks_access_entry *entry =
	    eks_access_parse(EKS_DESCRIBE_ENTRY, good, strlen(good), &error);
	assert_non_null(entry);
	assert_string_equal(entry->principal, ROLE);
	assert_int_equal(entry->group_count, 2);
	assert_true(eks_access_entry_has_group(entry, "b"));
	assert_false(eks_access_entry_has_group(entry, "c"));
	assert_string_equal(labels_get(&entry->tags, "k"), "v");
	eks_access_entry_free(&entry);
	static const char *const bad[] = {"", "[]", "{}", "{\"accessEntry\":[]}",
	    "{\"accessEntry\":{}}", "{\"accessEntry\":{\"principalArn\":7}}",
	    "{\"accessEntry\":{\"principalArn\":\"a\",\"kubernetesGroups\":\"x\"}}",
	    "{\"accessEntry\":{\"principalArn\":\"a\",\"kubernetesGroups\":[7]}}",
	    "{\"accessEntry\":{\"principalArn\":\"a\",\"tags\":[]}}",
	    "{\"accessEntry\":{\"principalArn\":\"a\",\"tags\":{\"k\":7}}}",
	    "{\"accessEntry\":{\"principalArn\":\"a\",\"type\":{}}}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_null(eks_access_parse(EKS_CREATE_ENTRY, bad[i], strlen(bad[i]), &error));
		assert_non_null(strstr(error, "eks:CreateAccessEntry"));
		xfree(&error);
	}
}

static void test_denials(void **state)
{
	(void)state;
	static const struct {
		const char *message, *action;
	} denials[] = {
	    {"User: x is not authorized to perform: eks:TagResource on resource: y",
		"eks:TagResource"},
	    {"User: x is not authorized to perform: eks:CreateAccessEntry on resource: y",
		"eks:CreateAccessEntry"},
	    {"no", "eks:CreateAccessEntry"},
	    {"User: x is not authorized to perform: iam:PassRole", "eks:CreateAccessEntry"},
	};
	for (size_t i = 0; i < sizeof denials / sizeof denials[0]; i++) {
		const struct aws_reply reply = {
		    .outcome = AWS_DENIED, .message = denials[i].message};
		assert_string_equal(
		    eks_access_denied_action(EKS_CREATE_ENTRY, &reply), denials[i].action);
	}
	struct aws_reply reply = {
	    .outcome = AWS_NOT_FOUND, .message = "No cluster found for name: x."};
	assert_true(eks_access_is_no_cluster(&reply));
	reply.message = "The specified principalArn could not be found.";
	assert_false(eks_access_is_no_cluster(&reply));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_denials),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
