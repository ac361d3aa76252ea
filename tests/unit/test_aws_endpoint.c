/* Partitions, regions, hosts, overrides; and above all which endpoint hosts may get a token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "common/aws_endpoint.h"
#include "common/aws_endpoint_config.h"
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
	char *error = NULL;
	struct aws_endpoint_config *config = aws_endpoint_config_load();
	char *url = aws_endpoint_config_url(config, service, region, &error);
	if (url == NULL)
		fail_msg("%s", error);
	assert_string_equal(url, wanted);
	xfree(&url);
	aws_endpoint_config_free(&config);
}

static void expect_refusal(const char *service, const char *part)
{
	char *error = NULL;
	struct aws_endpoint_config *config = aws_endpoint_config_load();
	assert_null(aws_endpoint_config_url(config, service, "eu-west-1", &error));
	if (strstr(error, part) == NULL)
		fail_msg("%s", error);
	xfree(&error);
	aws_endpoint_config_free(&config);
}

static void forget_overrides(void)
{
	static const char *const names[] = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EKS",
	    "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	    "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_PROFILE",
	    "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "AWS_REGION",
	    "AWS_DEFAULT_REGION"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unsetenv(names[i]);
	setenv("HOME", "/nonexistent", 1);
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

struct variant_case {
	const char *service, *region;
	const char *fips, *dual, *both;
};

static void expect_host(const struct variant_case *c, bool fips, bool dual, const char *wanted)
{
	char *host =
	    aws_endpoint_host(c->service, c->region, (struct aws_endpoint_variant){fips, dual});
	assert_string_equal(host, wanted);
	xfree(&host);
}

static void test_variants(void **state)
{
	(void)state;
	static const struct variant_case table[] = {
	    {"eks", "us-west-2", "fips.eks.us-west-2.amazonaws.com", "eks.us-west-2.api.aws",
		"eks-fips.us-west-2.api.aws"},
	    {"eks", "us-gov-west-1", "eks.us-gov-west-1.amazonaws.com", "eks.us-gov-west-1.api.aws",
		"eks-fips.us-gov-west-1.api.aws"},
	    {"eks", "us-iso-east-1", "eks-fips.us-iso-east-1.c2s.ic.gov",
		"eks.us-iso-east-1.api.aws.ic.gov", "eks-fips.us-iso-east-1.api.aws.ic.gov"},
	    {"sts", "us-east-2", "sts-fips.us-east-2.amazonaws.com", "sts.us-east-2.api.aws",
		"sts-fips.us-east-2.api.aws"},
	    {"sts", "us-gov-east-1", "sts.us-gov-east-1.amazonaws.com", "sts.us-gov-east-1.api.aws",
		"sts-fips.us-gov-east-1.api.aws"},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		expect_host(&table[i], true, false, table[i].fips);
		expect_host(&table[i], false, true, table[i].dual);
		expect_host(&table[i], true, true, table[i].both);
	}
}

static void test_variants_by_environment(void **state)
{
	(void)state;
	forget_overrides();
	setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
	expect_url("eks", "us-east-1", "https://fips.eks.us-east-1.amazonaws.com");
	/* Tokens for clusters are none of its business. */
	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
	char *host = aws_sts_token_host("us-east-1");
	assert_string_equal(host, "sts.us-east-1.amazonaws.com");
	xfree(&host);
	expect_refusal("eks", "FIPS endpoints are asked for, and another endpoint is configured "
			      "for eks (http://127.0.0.1:1)");
	setenv("AWS_USE_FIPS_ENDPOINT", "false", 1);
	setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
	expect_refusal("sts", "dual-stack endpoints are asked for");
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	expect_url("sts", "eu-west-1", "https://sts.eu-west-1.api.aws");
	setenv("AWS_USE_FIPS_ENDPOINT", "yes", 1);
	expect_refusal("sts", "AWS_USE_FIPS_ENDPOINT must be true or false");
	forget_overrides();
	setenv("AWS_ENDPOINT_URL", "127.0.0.1:1", 1);
	expect_refusal("sts", "must begin with https:// or http://: 127.0.0.1:1");
	forget_overrides();
}

static void use_config(char path[], const char *text)
{
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("AWS_CONFIG_FILE", path, 1);
}

static void test_profiles_with_endpoints(void **state)
{
	(void)state;
	char path[] = "/tmp/eksgate-test-XXXXXX";
	forget_overrides();
	use_config(path,
	    "[default]\nendpoint_url=http://127.0.0.1:1/\nservices=mine\nca_bundle=/ca.pem\n"
	    "[services mine]\neks =\n  endpoint_url = http://127.0.0.1:2\n"
	    "sso_oidc =\n  other = x\n  ENDPOINT_URL=http://127.0.0.1:3 # c\n"
	    "[profile lost]\nservices=none\n"
	    "[profile bad]\nuse_fips_endpoint=1\n"
	    "[profile fips]\nuse_fips_endpoint=true\nuse_dualstack_endpoint=TRUE\n"
	    "[profile off]\nignore_configured_endpoint_urls=true\nservices=none\n"
	    "endpoint_url=http://127.0.0.1:1\n");
	expect_url("eks", "eu-west-1", "http://127.0.0.1:2");
	expect_url("oidc", "eu-west-1", "http://127.0.0.1:3");
	expect_url("sts", "eu-west-1", "http://127.0.0.1:1");
	struct aws_endpoint_config *config = aws_endpoint_config_load();
	assert_string_equal(aws_endpoint_config_ca_file(config), "/ca.pem");
	aws_endpoint_config_free(&config);
	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4", 1);
	expect_url("eks", "eu-west-1", "http://127.0.0.1:4");
	unsetenv("AWS_ENDPOINT_URL");
	setenv("AWS_PROFILE", "lost", 1);
	expect_refusal("eks", ":12: profile lost: there is no section [services none]");
	setenv("AWS_PROFILE", "bad", 1);
	expect_refusal("eks", ":14: profile bad: use_fips_endpoint must be true or false");
	setenv("AWS_PROFILE", "fips", 1);
	expect_url("eks", "eu-west-1", "https://eks-fips.eu-west-1.api.aws");
	setenv("AWS_PROFILE", "off", 1);
	expect_url("eks", "eu-west-1", "https://eks.eu-west-1.amazonaws.com");
	unlink(path);
	forget_overrides();
}

static void expect_region(const char *wanted)
{
	struct aws_endpoint_config *config = aws_endpoint_config_load();
	const char *region = aws_endpoint_config_region(config);
	if (wanted == NULL)
		assert_null(region);
	else
		assert_string_equal(region, wanted);
	aws_endpoint_config_free(&config);
}

static void test_the_region_in_use(void **state)
{
	(void)state;
	char path[] = "/tmp/eksgate-test-XXXXXX";
	forget_overrides();
	expect_region(NULL);
	use_config(path, "[default]\nregion=eu-west-1\n[profile china]\nregion=cn-north-1\n"
			 "[profile bad]\nregion=../x\n");
	expect_region("eu-west-1");
	setenv("AWS_PROFILE", "china", 1);
	expect_region("cn-north-1");
	setenv("AWS_DEFAULT_REGION", "us-west-2", 1);
	expect_region("us-west-2");
	setenv("AWS_REGION", "us-west-1", 1);
	expect_region("us-west-1");
	setenv("AWS_REGION", "..", 1);
	expect_region("us-west-2");
	unsetenv("AWS_DEFAULT_REGION");
	setenv("AWS_PROFILE", "bad", 1);
	expect_region(NULL);
	unlink(path);
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
	    cmocka_unit_test(test_variants),
	    cmocka_unit_test(test_variants_by_environment),
	    cmocka_unit_test(test_profiles_with_endpoints),
	    cmocka_unit_test(test_the_region_in_use),
	    cmocka_unit_test(test_hosts_that_may_get_a_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
