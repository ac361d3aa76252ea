/* Answers of EKS and Account Management: good ones, every kind of wrong ones, and the calls against
 * a scripted server, pages included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/aws_provider.h"
#include "common/buf.h"
#include "common/fetch.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/aws_eks.h"
#include "tests/unit/fake_http.h"

struct bad_case {
	const char *body, *error;
};

/* --- ListClusters -------------------------------------------------------------------------------
 */

static void test_list(void **state)
{
	(void)state;
	struct eks_cluster_page page;
	char *error = NULL;
	static const char body[] =
	    "{\"clusters\":[\"a\",\"B-1_x\"],\"nextToken\":\"t/+=\",\"new\":{\"x\":[]}}";
	assert_true(eks_parse_list(body, strlen(body), &page, &error));
	assert_int_equal(page.count, 2);
	assert_string_equal(page.names[1], "B-1_x");
	assert_string_equal(page.next_token, "t/+=");
	eks_cluster_page_free(&page);
	static const char *const last[] = {"{\"clusters\":[]}",
	    "{\"clusters\":[],\"nextToken\":null}", "{\"nextToken\":\"\",\"clusters\":[]}"};
	for (size_t i = 0; i < 3; i++) {
		assert_true(eks_parse_list(last[i], strlen(last[i]), &page, &error));
		assert_int_equal(page.count, 0);
		assert_null(page.next_token);
		eks_cluster_page_free(&page);
	}
}

static const struct bad_case bad_lists[] = {
    {"", "the answer to eks:ListClusters is not JSON"},
    {"<html>Hello</html>", "is not JSON"},
    {"{\"clusters\":[\"a\"", "is not JSON"},
    {"{\"clusters\":[]} x", "is not JSON"},
    {"[]", "is not a JSON object"},
    {"{}", "clusters"},
    {"{\"clusters\":null}", "clusters"},
    {"{\"clusters\":{\"a\":1}}", "clusters"},
    {"{\"clusters\":\"a\"}", "clusters"},
    {"{\"clusters\":[\"a\",7]}", "clusters[1] is not a cluster name"},
    {"{\"clusters\":[null]}", "clusters[0]"},
    {"{\"clusters\":[\"\"]}", "clusters[0]"},
    {"{\"clusters\":[\"../x\"]}", "clusters[0]"},
    {"{\"clusters\":[\"-a\"]}", "clusters[0]"},
    {"{\"clusters\":[\"a b\"]}", "clusters[0]"},
    {"{\"clusters\":[\"a\\u0000b\"]}", "clusters[0]"},
    {"{\"clusters\":["
     "\"1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
     "2345678901\"]}",
	"clusters[0]"},
    {"{\"clusters\":[],\"nextToken\":5}", "nextToken"},
};

static void test_bad_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_lists / sizeof bad_lists[0]; i++) {
		struct eks_cluster_page page;
		char *error = NULL;
		assert_false(
		    eks_parse_list(bad_lists[i].body, strlen(bad_lists[i].body), &page, &error));
		if (strstr(error, bad_lists[i].error) == NULL)
			fail_msg("%s: %s", bad_lists[i].body, error);
		xfree(&error);
	}
}

/* --- DescribeCluster ----------------------------------------------------------------------------
 */

#define ARN "arn:aws:eks:us-west-2:123456789012:cluster/prod-1"
#define CLUSTER(more)                                                                              \
	"{\"cluster\":{\"name\":\"prod-1\",\"arn\":\"" ARN "\",\"status\":\"ACTIVE\"" more "}}"

static void test_describe(void **state)
{
	(void)state;
	char *error = NULL;
	static const char body[] =
	    CLUSTER(",\"createdAt\":1767323045.123,\"version\":\"1.34\",\"endpoint\":\"https://"
		    "x.gr7.us-west-2.eks.amazonaws.com\","
		    "\"resourcesVpcConfig\":{\"endpointPublicAccess\":true,"
		    "\"endpointPrivateAccess\":false,\"subnetIds\":[]},"
		    "\"certificateAuthority\":{\"data\":\"Q0E=\",\"active\":{\"id\":\"1\"}},"
		    "\"tags\":{\"env\":\"prod\",\"a b\":\"\"},"
		    "\"accessConfig\":{\"authenticationMode\":\"API\"},\"health\":{\"issues\":[]},"
		    "\"deletionProtection\":false");
	struct eks_cluster *cluster = eks_parse_describe(body, strlen(body), &error);
	assert_non_null(cluster);
	assert_string_equal(cluster->name, "prod-1");
	assert_string_equal(cluster->arn, ARN);
	assert_string_equal(cluster->status, "ACTIVE");
	assert_string_equal(cluster->endpoint, "https://x.gr7.us-west-2.eks.amazonaws.com");
	assert_string_equal(cluster->certificate_authority, "Q0E=");
	assert_string_equal(cluster->authentication_mode, "API");
	assert_string_equal(cluster->version, "1.34");
	assert_int_equal(cluster->created_at.ms, INT64_C(1767323045123));
	assert_true(cluster->is_public);
	assert_false(cluster->is_private);
	assert_null(cluster->cluster_id);
	assert_int_equal(cluster->tags.count, 2);
	assert_string_equal(labels_get(&cluster->tags, "a b"), "");
	eks_cluster_free(&cluster);
}

static void test_describe_with_little(void **state)
{
	(void)state;
	char *error = NULL;
	static const char body[] = CLUSTER(
	    ",\"endpoint\":null,\"tags\":null,\"certificateAuthority\":null,\"createdAt\":null,"
	    "\"id\":\"8e7cf8a2-local\",\"resourcesVpcConfig\":{\"endpointPublicAccess\":null}");
	struct eks_cluster *cluster = eks_parse_describe(body, strlen(body), &error);
	assert_non_null(cluster);
	assert_null(cluster->endpoint);
	assert_null(cluster->certificate_authority);
	assert_string_equal(cluster->authentication_mode, "CONFIG_MAP");
	assert_string_equal(cluster->cluster_id, "8e7cf8a2-local");
	assert_int_equal(cluster->created_at.ms, 0);
	assert_int_equal(cluster->tags.count, 0);
	eks_cluster_free(&cluster);
}

static const struct bad_case bad_clusters[] = {
    {"{", "the answer to eks:DescribeCluster is not JSON"},
    {"\"x\"", "is not a JSON object"},
    {"{\"cluster\":[]}", "cluster"},
    {"{\"cluster\":{}}", "cluster: name"},
    {"{\"cluster\":{\"name\":\"a\"}}", "cluster: arn"},
    {"{\"cluster\":{\"name\":\"a/b\",\"arn\":\"x\",\"status\":\"ACTIVE\"}}",
	"cluster.name is not a cluster name"},
    {"{\"cluster\":{\"name\":7,\"arn\":\"x\",\"status\":\"ACTIVE\"}}", "name"},
    {"{\"cluster\":{\"name\":\"a\",\"arn\":\"x\",\"status\":1}}", "status"},
    {CLUSTER(",\"endpoint\":[]"), "endpoint"},
    {CLUSTER(",\"version\":1.34"), "version"},
    {CLUSTER(",\"createdAt\":\"2026-01-02\""), "cluster.createdAt is not a time in seconds"},
    {CLUSTER(",\"createdAt\":-1"), "createdAt"},
    {CLUSTER(",\"createdAt\":1e300"), "createdAt"},
    {CLUSTER(",\"tags\":[]"), "cluster.tags is not an object"},
    {CLUSTER(",\"tags\":{\"k\":1}"), "cluster.tags"},
    {CLUSTER(",\"tags\":{\"k\":\"a\\u0000b\"}"), "cluster.tags"},
    {CLUSTER(",\"certificateAuthority\":\"x\""), "cluster.certificateAuthority is not an object"},
    {CLUSTER(",\"certificateAuthority\":{\"data\":{}}"), "data"},
    {CLUSTER(",\"accessConfig\":{\"authenticationMode\":1}"), "authenticationMode"},
    {CLUSTER(",\"resourcesVpcConfig\":{\"endpointPublicAccess\":\"yes\"}"),
	"endpointPublicAccess is not true or false"},
    {CLUSTER(",\"id\":{}"), "id"},
};

static void test_bad_clusters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_clusters / sizeof bad_clusters[0]; i++) {
		char *error = NULL;
		assert_null(
		    eks_parse_describe(bad_clusters[i].body, strlen(bad_clusters[i].body), &error));
		if (strstr(error, bad_clusters[i].error) == NULL)
			fail_msg("%s: %s", bad_clusters[i].body, error);
		xfree(&error);
	}
	struct buf many = {0};
	buf_append_text(&many, "{\"cluster\":{\"name\":\"a\",\"arn\":\"x\",\"status\":\"ACTIVE\","
			       "\"tags\":{\"k\":\"v\"");
	for (int i = 0; i < 300; i++)
		buf_printf(&many, ",\"k%d\":\"v\"", i);
	buf_append_text(&many, "}}}");
	char *error = NULL;
	assert_null(eks_parse_describe(many.data, many.len, &error));
	assert_non_null(strstr(error, "more than 200 entries"));
	xfree(&error);
	buf_free(&many);
}

/* --- ListRegions --------------------------------------------------------------------------------
 */

static const struct bad_case bad_regions[] = {
    {"<html/>", "account:ListRegions"},
    {"{}", "Regions"},
    {"[]", "it is not an object"},
    {"{\"Regions\":[7]}", "Regions[0] is not an object"},
    {"{\"Regions\":[{}]}", "RegionName"},
    {"{\"Regions\":[{\"RegionName\":\"us-east-1\"}]}", "RegionOptStatus"},
    {"{\"Regions\":[{\"RegionName\":\"us-east-1.evil.example/\",\"RegionOptStatus\":\"ENABLED\"}]}",
	"Regions[0].RegionName is not the name of a region"},
    {"{\"Regions\":[],\"NextToken\":[]}", "NextToken"},
};

static void test_bad_regions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_regions / sizeof bad_regions[0]; i++) {
		struct account_region_page page;
		char *error = NULL;
		assert_false(account_parse_regions(
		    bad_regions[i].body, strlen(bad_regions[i].body), &page, &error));
		if (strstr(error, bad_regions[i].error) == NULL)
			fail_msg("%s: %s", bad_regions[i].body, error);
		xfree(&error);
	}
}

/* --- calls --------------------------------------------------------------------------------------
 */

struct fixture {
	struct loop *loop;
	struct fetcher *fetcher;
	struct fake_http *server;
	struct aws_context *aws;
	struct aws_provider *provider;
	enum aws_outcome outcome;
	struct buf seen;
};

static void set_up(struct fixture *fixture)
{
	struct aws_credentials keys = {
	    .access_key_id = (char[]){"AK"}, .secret_access_key = (char[]){"SK"}};
	*fixture = (struct fixture){.loop = loop_new()};
	fixture->fetcher = fetcher_new(fixture->loop);
	fixture->server = fake_http_new(fixture->loop);
	setenv("AWS_ENDPOINT_URL", fake_http_url(fixture->server), 1);
	fixture->aws = aws_context_new(fixture->loop, fixture->fetcher);
	fixture->provider = aws_provider_static(fixture->aws, &keys);
}

static void tear_down(struct fixture *fixture)
{
	aws_provider_unref(&fixture->provider);
	aws_context_free(&fixture->aws);
	fetcher_free(&fixture->fetcher);
	fake_http_free(&fixture->server);
	loop_free(&fixture->loop);
	buf_free(&fixture->seen);
	unsetenv("AWS_ENDPOINT_URL");
}

/* Notes the reply and runs on to the end of the test's turn. */
static void see(struct fixture *fixture, const struct aws_reply *reply, const char *what)
{
	fixture->outcome = reply->outcome;
	buf_clear(&fixture->seen);
	buf_append_text(&fixture->seen, what != NULL ? what : reply->message);
	loop_stop(fixture->loop);
}

static void on_list(void *arg, const struct aws_reply *reply, const struct eks_cluster_page *page)
{
	assert_true((reply->outcome == AWS_OK) == (page != NULL));
	see(arg, reply, page != NULL ? page->names[0] : NULL);
}

static void on_describe(void *arg, const struct aws_reply *reply, const struct eks_cluster *cluster)
{
	assert_true((reply->outcome == AWS_OK) == (cluster != NULL));
	see(arg, reply, cluster != NULL ? cluster->arn : NULL);
}

static void test_eks_calls(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "", "{\"clusters\":[\"one\"]}");
	struct eks_call *call = eks_list_clusters(
	    fixture.aws, fixture.provider, "us-west-2", "a/b+c==", on_list, &fixture);
	assert_non_null(call);
	loop_run(fixture.loop);
	assert_string_equal(buf_text(&fixture.seen), "one");
	assert_non_null(strstr(fake_http_request(fixture.server, 0),
	    "GET /clusters?maxResults=100&nextToken=a%2Fb%2Bc%3D%3D HTTP"));
	fake_http_answer(fixture.server, 200, "", CLUSTER(""));
	call = eks_describe_cluster(
	    fixture.aws, fixture.provider, "us-west-2", "prod-1", on_describe, &fixture);
	loop_run(fixture.loop);
	assert_string_equal(buf_text(&fixture.seen), ARN);
	assert_non_null(strstr(fake_http_request(fixture.server, 1), "GET /clusters/prod-1 HTTP"));
	tear_down(&fixture);
}

static void test_eks_failures(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "", "<html>portal</html>");
	assert_non_null(
	    eks_list_clusters(fixture.aws, fixture.provider, "us-west-2", NULL, on_list, &fixture));
	loop_run(fixture.loop);
	assert_int_equal(fixture.outcome, AWS_BAD_REPLY);
	fake_http_answer(fixture.server, 200, "", "{\"cluster\":{\"name\":5}}");
	assert_non_null(eks_describe_cluster(
	    fixture.aws, fixture.provider, "us-west-2", "x", on_describe, &fixture));
	loop_run(fixture.loop);
	assert_int_equal(fixture.outcome, AWS_BAD_REPLY);
	assert_non_null(strstr(buf_text(&fixture.seen), "the answer to eks:DescribeCluster: "));
	fake_http_answer(fixture.server, 404, "x-amzn-ErrorType: ResourceNotFoundException\r\n",
	    "{\"message\":\"gone\"}");
	assert_non_null(eks_describe_cluster(
	    fixture.aws, fixture.provider, "us-west-2", "x", on_describe, &fixture));
	loop_run(fixture.loop);
	assert_int_equal(fixture.outcome, AWS_NOT_FOUND);
	struct eks_call *call = eks_describe_cluster(
	    fixture.aws, fixture.provider, "us-west-2", "x", on_describe, &fixture);
	eks_call_cancel(&call);
	assert_null(call);
	eks_call_cancel(&call);
	tear_down(&fixture);
}

static void on_regions(
    void *arg, const struct aws_reply *reply, const char *const *regions, size_t count)
{
	struct buf text = {0};
	assert_true((reply->outcome == AWS_OK) == (regions != NULL));
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s ", regions[i]);
	see(arg, reply, regions != NULL ? buf_text(&text) : NULL);
	buf_free(&text);
}

static void on_identity(
    void *arg, const struct aws_reply *reply, const char *account, const char *arn)
{
	assert_true((reply->outcome == AWS_OK) == (arn != NULL));
	see(arg, reply, account);
}

static void test_regions_of_all_pages(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "",
	    "{\"Regions\":[{\"RegionName\":\"us-west-2\",\"RegionOptStatus\":\"ENABLED_BY_"
	    "DEFAULT\"},"
	    "{\"RegionName\":\"me-south-1\",\"RegionOptStatus\":\"DISABLED\"}],\"NextToken\":"
	    "\"more\"}");
	fake_http_answer(fixture.server, 200, "", "{\"Regions\":[],\"NextToken\":\"yet more\"}");
	fake_http_answer(fixture.server, 200, "",
	    "{\"Regions\":[{\"RegionName\":\"ap-east-1\",\"RegionOptStatus\":\"ENABLED\"}]}");
	assert_non_null(
	    account_list_regions(fixture.aws, fixture.provider, "aws", on_regions, &fixture));
	loop_run(fixture.loop);
	assert_string_equal(buf_text(&fixture.seen), "ap-east-1 us-west-2 ");
	const char *sent = fake_http_request(fixture.server, 1);
	assert_non_null(strstr(sent, "POST /listRegions HTTP"));
	assert_non_null(strstr(sent, "/us-east-1/account/aws4_request"));
	assert_non_null(strstr(sent, "{\"MaxResults\":50,\"RegionOptStatusContains\":[\"ENABLED\","
				     "\"ENABLED_BY_DEFAULT\"],\"NextToken\":\"more\"}"));
	tear_down(&fixture);
}

static void test_regions_fail(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	for (int i = 0; i < 20; i++)
		fake_http_answer(
		    fixture.server, 200, "", "{\"Regions\":[],\"NextToken\":\"again\"}");
	assert_non_null(
	    account_list_regions(fixture.aws, fixture.provider, "aws-cn", on_regions, &fixture));
	loop_run(fixture.loop);
	assert_int_equal(fixture.outcome, AWS_BAD_REPLY);
	assert_string_equal(buf_text(&fixture.seen), "account:ListRegions does not come to an end");
	assert_non_null(strstr(fake_http_request(fixture.server, 0), "/cn-northwest-1/account/"));
	fake_http_answer(fixture.server, 403, "x-amzn-ErrorType: AccessDeniedException\r\n",
	    "{\"message\":\"no\"}");
	assert_non_null(
	    account_list_regions(fixture.aws, fixture.provider, "aws", on_regions, &fixture));
	loop_run(fixture.loop);
	assert_int_equal(fixture.outcome, AWS_DENIED);
	tear_down(&fixture);
}

static void test_identity(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "",
	    "{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":"
	    "\"123456789012\",\"Arn\":\"a\",\"UserId\":"
	    "\"u\"}}}");
	assert_non_null(account_get_identity(
	    fixture.aws, fixture.provider, "eu-west-1", on_identity, &fixture));
	loop_run(fixture.loop);
	assert_string_equal(buf_text(&fixture.seen), "123456789012");
	fake_http_answer(fixture.server, 200, "", "{}");
	assert_non_null(account_get_identity(
	    fixture.aws, fixture.provider, "eu-west-1", on_identity, &fixture));
	loop_run(fixture.loop);
	assert_int_equal(fixture.outcome, AWS_BAD_REPLY);
	struct account_call *call =
	    account_get_identity(fixture.aws, fixture.provider, "eu-west-1", on_identity, &fixture);
	account_call_cancel(&call);
	assert_null(call);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_bad_lists),
	    cmocka_unit_test(test_describe),
	    cmocka_unit_test(test_describe_with_little),
	    cmocka_unit_test(test_bad_clusters),
	    cmocka_unit_test(test_bad_regions),
	    cmocka_unit_test(test_eks_calls),
	    cmocka_unit_test(test_eks_failures),
	    cmocka_unit_test(test_regions_of_all_pages),
	    cmocka_unit_test(test_regions_fail),
	    cmocka_unit_test(test_identity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
