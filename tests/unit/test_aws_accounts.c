/* What Organizations and EC2 answer about accounts and regions, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "discoveryd/aws_ec2.h"
#include "discoveryd/aws_organizations.h"

#define ORGANIZATION "o-abcdefghij"
#define ACCOUNT_ARN  "\"Arn\":\"arn:aws:organizations::999999999999:account/o-abcdefghij/"

static void expect_ids(enum organizations_operation operation, const char *body, const char *wanted,
    const char *next_token)
{
	struct organizations_page page;
	char *error = NULL, got[256] = "";
	if (!organizations_parse_page(operation, ORGANIZATION, body, strlen(body), &page, &error))
		fail_msg("%s: %s", body, error);
	for (size_t i = 0; i < page.count; i++) {
		strcat(got, i > 0 ? " " : "");
		strcat(got, page.ids[i]);
	}
	assert_string_equal(got, wanted);
	if (next_token == NULL)
		assert_null(page.next_token);
	else
		assert_string_equal(page.next_token, next_token);
	organizations_page_free(&page);
}

static void test_pages(void **state)
{
	(void)state;
	expect_ids(ORGANIZATIONS_LIST_ACCOUNTS,
	    "{\"Accounts\":[{\"Id\":\"111111111111\"," ACCOUNT_ARN
	    "111111111111\",\"Status\":\"ACTIVE\",\"Email\":\"a@b\"},"
	    "{\"Id\":\"222222222222\"," ACCOUNT_ARN "222222222222\",\"Status\":\"SUSPENDED\"},"
	    "{\"Id\":\"333333333333\"," ACCOUNT_ARN
	    "333333333333\",\"State\":\"PENDING_CLOSURE\",\"Status\":\"ACTIVE\"},"
	    "{\"Id\":\"444444444444\"," ACCOUNT_ARN
	    "444444444444\",\"State\":\"ACTIVE\",\"Status\":\"SUSPENDED\"}],\"NextToken\":\"n\"}",
	    "111111111111 444444444444", "n");
	expect_ids(
	    ORGANIZATIONS_LIST_ACCOUNTS_OF, "{\"Accounts\":[],\"NextToken\":\"n\"}", "", "n");
	expect_ids(ORGANIZATIONS_LIST_UNITS,
	    "{\"OrganizationalUnits\":[{\"Id\":\"ou-ab12-11111111\",\"Arn\":"
	    "\"arn:aws:organizations::999999999999:ou/o-abcdefghij/ou-ab12-11111111\",\"Name\":"
	    "\"x\"}]}",
	    "ou-ab12-11111111", NULL);
	expect_ids(ORGANIZATIONS_LIST_ROOTS,
	    "{\"Roots\":[{\"Id\":\"r-ab12\",\"Arn\":"
	    "\"arn:aws:organizations::999999999999:root/o-abcdefghij/r-ab12\"}]}",
	    "r-ab12", NULL);
}

static void test_bad_pages(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "<html>",
	    "[]",
	    "{}",
	    "{\"Accounts\":{}}",
	    "{\"Accounts\":[1]}",
	    "{\"Accounts\":[{\"Id\":\"111111111111\"}]}",
	    "{\"Accounts\":[{\"Id\":1," ACCOUNT_ARN "111111111111\"}]}",
	    "{\"Accounts\":[{\"Id\":\"11111111111x\"," ACCOUNT_ARN "111111111111\"}]}",
	    "{\"Accounts\":[{\"Id\":\"111111111111\",\"Arn\":"
	    "\"arn:aws:organizations::999999999999:account/o-other/111111111111\"}]}",
	    "{\"Accounts\":[{\"Id\":\"111111111111\",\"Arn\":"
	    "\"arn:aws:organizations::999999999999:account/o-abcdefghijk/111111111111\"}]}",
	    "{\"Accounts\":[],\"NextToken\":1}",
	    "{\"Roots\":[]}",
	    "{\"Accounts\":[]",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct organizations_page page;
		char *error = NULL;
		if (organizations_parse_page(ORGANIZATIONS_LIST_ACCOUNTS, ORGANIZATION, bad[i],
			strlen(bad[i]), &page, &error))
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(error, "organizations:ListAccounts"));
		xfree(&error);
	}
}

#define RESPONSE(items)                                                                            \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeRegionsResponse "                    \
	"xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</"                        \
	"requestId><regionInfo>" items "</regionInfo></DescribeRegionsResponse>"
#define REGION_ITEM(name)                                                                          \
	"<item><regionName>" name "</regionName><regionEndpoint>ec2." name                         \
	".amazonaws.com</regionEndpoint><optInStatus>opted-in</optInStatus><geographySet><item>"   \
	"<name>x</name></item></geographySet></item>"

static void test_regions(void **state)
{
	(void)state;
	static const char body[] =
	    RESPONSE(REGION_ITEM("us-east-1") REGION_ITEM("eu-west-1") REGION_ITEM("me-south-1"));
	struct ec2_regions regions;
	char *error = NULL;
	assert_true(ec2_parse_regions(body, strlen(body), &regions, &error));
	assert_int_equal(regions.count, 3);
	assert_string_equal(regions.names[0], "eu-west-1");
	assert_string_equal(regions.names[2], "us-east-1");
	ec2_regions_free(&regions);
}

static void test_bad_regions(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "{}", RESPONSE(""), "<Response><Errors/></Response>",
	    RESPONSE(REGION_ITEM("us east")), RESPONSE(REGION_ITEM("../x-1")),
	    RESPONSE(REGION_ITEM("")),
	    "<DescribeRegionsResponse><regionInfo>" REGION_ITEM("us-east-1")};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct ec2_regions regions;
		char *error = NULL;
		if (ec2_parse_regions(bad[i], strlen(bad[i]), &regions, &error))
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(error, "ec2:DescribeRegions"));
		xfree(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pages),
	    cmocka_unit_test(test_bad_pages),
	    cmocka_unit_test(test_regions),
	    cmocka_unit_test(test_bad_regions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
