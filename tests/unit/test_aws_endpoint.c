/* Partitions, regions, hosts, overrides; and above all which endpoint hosts may get a token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/aws_endpoint.h"
#include "common/xmem.h"

static void test_partition_of_region(void **state)
{
	(void)state;
	static const char *const table[][2] = {
	    {"us-east-1", "aws"},
	    {"ap-southeast-7", "aws"},
	    {"us-gov-west-1", "aws-us-gov"},
	    {"us-iso-east-1", "aws-iso"},
	    {"us-isob-west-1", "aws-iso-b"},
	    {"eu-isoe-west-1", "aws-iso-e"},
	    {"us-isof-south-1", "aws-iso-f"},
	    {"eusc-de-east-1", "aws-eusc"},
	    {"cn-northwest-1", "aws-cn"},
	    {"xx-somewhere-9", "aws"},
	    {"us-gov-", "aws"},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_string_equal(aws_partition_of_region(table[i][0])->id, table[i][1]);
	assert_null(aws_partition_by_id("aws-moon"));
	assert_string_equal(aws_partition_by_id("aws-cn")->dns_suffix, "amazonaws.com.cn");
}

static void test_every_eks_region_is_of_its_partition(void **state)
{
	(void)state;
	static const char *const ids[] = {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b",
	    "aws-iso-e", "aws-iso-f", "aws-eusc"};
	size_t count = 0;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		const struct aws_partition *partition = aws_partition_by_id(ids[i]);
		assert_ptr_equal(aws_partition_of_region(partition->global_region), partition);
		for (const char *const *region = partition->eks_regions; *region != NULL;
		     region++, count++) {
			assert_true(aws_region_is_valid(*region));
			assert_ptr_equal(aws_partition_of_region(*region), partition);
		}
	}
	assert_int_equal(count, 34 + 2 + 2 + 2 + 2 + 1 + 2 + 1);
}

static void test_region_syntax(void **state)
{
	(void)state;
	assert_true(aws_region_is_valid("us-gov-west-1"));
	assert_true(aws_region_is_valid("zz-new-10"));
	static const char *const bad[] = {"", "*", "us-east", "us-east-", "us-1", "US-EAST-1",
	    "us-east-1a", "us--east-1", "us-east-1.evil.example", "us-east-1/", "us east-1",
	    "-us-east-1", "us-east-1234", "abcdefghijklmnop-abcdefghijklmnop-1"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(aws_region_is_valid(bad[i]));
}

static void test_role_arn_syntax(void **state)
{
	(void)state;
	static const char *const good[] = {"arn:aws:iam::123456789012:role/reader",
	    "arn:aws-cn:iam::123456789012:role/a/b/x",
	    "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/"
	    "AWSReservedSSO_Admin_0123456789abcdef",
	    "arn:aws-us-gov:iam::123456789012:role/My+Role=x,y.@-z"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(aws_role_arn_is_valid(good[i]));
	static const char *const bad[] = {"", "arn", "arn:aws:iam::123456789012:user/reader",
	    "arn:aws:iam::12345678901:role/reader", "arn:aws:iam::1234567890123:role/reader",
	    "arn:aws:iam:us-east-1:123456789012:role/reader",
	    "arn:moon:iam::123456789012:role/reader", "arn:aws:iam::123456789012:role/",
	    "arn:aws:iam::123456789012:role/a/", "arn:aws:iam::123456789012:role//a",
	    "arn:aws:iam::123456789012:role/a b", "arn:aws:iam::123456789012:role/a:b",
	    "arn:aws:sts::123456789012:assumed-role/reader/session",
	    "arn:aws:iam::12345678901x:role/reader",
	    "arn:aws:iam::123456789012:role/"
	    "a2345678901234567890123456789012345678901234567890123456789012345",
	    "arn:a-partition-that-is-long:iam::123456789012:role/a"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(aws_role_arn_is_valid(bad[i]));
}

static void expect_url(const char *service, const char *region, const char *wanted)
{
	char *url = aws_endpoint_url(service, region);
	assert_string_equal(url, wanted);
	xfree(&url);
}

static void forget_overrides(void)
{
	unsetenv("AWS_ENDPOINT_URL");
	unsetenv("AWS_ENDPOINT_URL_EKS");
	unsetenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
}

static void test_urls(void **state)
{
	(void)state;
	forget_overrides();
	expect_url("eks", "eu-west-1", "https://eks.eu-west-1.amazonaws.com");
	expect_url("sts", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn");
	expect_url("account", "eu-west-1", "https://account.us-east-1.amazonaws.com");
	expect_url("account", "cn-north-1", "https://account.cn-northwest-1.amazonaws.com.cn");
	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5055/", 1);
	expect_url("eks", "eu-west-1", "http://127.0.0.1:5055");
	setenv("AWS_ENDPOINT_URL_EKS", "https://eks.example.com/base//", 1);
	expect_url("eks", "eu-west-1", "https://eks.example.com/base");
	expect_url("sts", "eu-west-1", "http://127.0.0.1:5055");
	setenv("AWS_ENDPOINT_URL_EKS", "", 1);
	expect_url("eks", "eu-west-1", "http://127.0.0.1:5055");
	char *host = aws_sts_token_host("eusc-de-east-1");
	assert_string_equal(host, "sts.eusc-de-east-1.amazonaws.eu");
	xfree(&host);
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	expect_url("eks", "eu-west-1", "https://eks.eu-west-1.amazonaws.com");
	forget_overrides();
}

struct host_case {
	const char *host, *partition, *region;
};

static void test_hosts_that_may_get_a_token(void **state)
{
	(void)state;
	static const struct host_case good[] = {
	    {"0123456789ABCDEF0123456789ABCDEF.gr7.us-west-2.eks.amazonaws.com", "aws",
		"us-west-2"},
	    {"abc.sk1.us-west-2.EKS.amazonaws.com", "aws", "us-west-2"},
	    {"abc.eks-cluster.eu-west-1.api.aws", "aws", "eu-west-1"},
	    {"abc.yl4.cn-north-1.eks.amazonaws.com.cn", "aws-cn", "cn-north-1"},
	    {"abc.cn-north-1.api.amazonwebservices.com.cn", "aws-cn", "cn-north-1"},
	    {"abc.gr7.us-gov-west-1.eks.amazonaws.com", "aws-us-gov", "us-gov-west-1"},
	    {"abc.eusc-de-east-1.eks.amazonaws.eu", "aws-eusc", "eusc-de-east-1"},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(
		    aws_eks_host_is_of_region(good[i].host, good[i].partition, good[i].region));
	static const struct host_case bad[] = {
	    {"", "aws", "us-west-2"},
	    {"us-west-2.eks.amazonaws.com", "aws", "us-west-2"},
	    {".us-west-2.eks.amazonaws.com", "aws", "us-west-2"},
	    {"abcus-west-2.eks.amazonaws.com", "aws", "us-west-2"},
	    {"abc.gr7.us-west-2.eks.amazonaws.com.evil.example", "aws", "us-west-2"},
	    {"abc.gr7.us-west-2.eks.amazonaws.com.", "aws", "us-west-2"},
	    {"abc.gr7.us-west-2.eks.amazonaws.com:443", "aws", "us-west-2"},
	    {"abc.gr7.us-west-1.eks.amazonaws.com", "aws", "us-west-2"},
	    {"abc.gr7.us-west-2.eks.amazonaws.com", "aws", "us-west-1"},
	    {"abc.gr7.us-west-2.eks.amazonaws.com", "aws-cn", "us-west-2"},
	    {"abc.gr7.us-west-2.eks.amazonaws.com", "nowhere", "us-west-2"},
	    {"abc.gr7.cn-north-1.eks.amazonaws.com", "aws-cn", "cn-north-1"},
	    {"abc.gr7.us-west-2.s3.amazonaws.com", "aws", "us-west-2"},
	    {"abc..us-west-2.eks.amazonaws.com", "aws", "us-west-2"},
	    {"a/b.us-west-2.eks.amazonaws.com", "aws", "us-west-2"},
	    {"user@abc.us-west-2.eks.amazonaws.com", "aws", "us-west-2"},
	    {"evil.example#.us-west-2.eks.amazonaws.com", "aws", "us-west-2"},
	    {"abc.*.eks.amazonaws.com", "aws", "*"},
	    {"127.0.0.1", "aws", "us-west-2"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(
		    aws_eks_host_is_of_region(bad[i].host, bad[i].partition, bad[i].region));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_partition_of_region),
	    cmocka_unit_test(test_every_eks_region_is_of_its_partition),
	    cmocka_unit_test(test_region_syntax),
	    cmocka_unit_test(test_role_arn_syntax),
	    cmocka_unit_test(test_urls),
	    cmocka_unit_test(test_hosts_that_may_get_a_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
