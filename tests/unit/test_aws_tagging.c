/* GetResources: good pages, empty pages, bad answers, and what goes over the wire. */
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
#include "discoveryd/aws_tagging.h"
#include "tests/unit/fake_http.h"

#define ARN(name) "arn:aws:eks:eu-west-1:111111111111:cluster/" name

static void test_a_page(void **state)
{
	(void)state;
	static const char text[] =
	    "{\"PaginationToken\":\"more\",\"ResourceTagMappingList\":[{\"ResourceARN\":\"" ARN(
		"a") "\",\"Tags\":[{\"Key\":\"env\",\"Value\":\"prod\"},{\"Key\":\"x\","
		     "\"Value\":\"\"}],\"New\":1},{\"ResourceARN\":\"" ARN("b") "\",\"Tags\":[]}]}";
	struct tagging_page page;
	char *error = NULL;
	assert_true(tagging_parse_page(text, sizeof text - 1, &page, &error));
	assert_int_equal(page.count, 2);
	assert_string_equal(page.clusters[0].name, "a");
	assert_string_equal(page.clusters[0].arn, ARN("a"));
	assert_string_equal(labels_get(&page.clusters[0].tags, "env"), "prod");
	assert_int_equal(page.clusters[1].tags.count, 0);
	assert_string_equal(page.next_token, "more");
	tagging_page_free(&page);
}

static void test_the_last_page_may_be_empty(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "{\"PaginationToken\":\"\",\"ResourceTagMappingList\":[]}",
	    "{\"PaginationToken\":null,\"ResourceTagMappingList\":[]}",
	    "{\"ResourceTagMappingList\":[]}"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct tagging_page page;
		char *error = NULL;
		assert_true(tagging_parse_page(texts[i], strlen(texts[i]), &page, &error));
		assert_int_equal(page.count, 0);
		assert_null(page.next_token);
		tagging_page_free(&page);
	}
}

static const char *const bad[][2] = {
    {"", "is not JSON"},
    {"<html>", "is not JSON"},
    {"[]", "not a JSON object"},
    {"{}", "ResourceTagMappingList is missing"},
    {"{\"ResourceTagMappingList\":{}}", "ResourceTagMappingList is not"},
    {"{\"ResourceTagMappingList\":[],\"PaginationToken\":7}", "PaginationToken is not"},
    {"{\"ResourceTagMappingList\":[7]}", "ResourceTagMappingList[0] is not an object"},
    {"{\"ResourceTagMappingList\":[{}]}", "ResourceARN is missing"},
    {"{\"ResourceTagMappingList\":[{\"ResourceARN\":\"arn:aws:s3:::b\",\"Tags\":[]}]}",
	"not the ARN of an EKS cluster"},
    {"{\"ResourceTagMappingList\":[{\"ResourceARN\":\"" ARN("a") "\"}]}", "Tags is missing"},
    {"{\"ResourceTagMappingList\":[{\"ResourceARN\":\"" ARN("a") "\",\"Tags\":[7]}]}",
	"Tags[0] is not an object"},
    {"{\"ResourceTagMappingList\":[{\"ResourceARN\":\"" ARN("a") "\",\"Tags\":[{\"Key\":1}]}]}",
	"Key is not"},
    {"{\"ResourceTagMappingList\":[{\"ResourceARN\":\"" ARN(
	 "a") "\",\"Tags\":[{\"Key\":\"k\",\"Value\":null}]}]}",
	"Value"},
};

static void test_bad_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct tagging_page page;
		char *error = NULL;
		assert_false(tagging_parse_page(bad[i][0], strlen(bad[i][0]), &page, &error));
		if (strstr(error, bad[i][1]) == NULL || strstr(error, "tag:GetResources") == NULL)
			fail_msg("%s: %s", bad[i][0], error);
		free(error);
	}
}

static void test_too_many_tags(void **state)
{
	(void)state;
	struct buf text = {0};
	struct tagging_page page;
	char *error = NULL;
	buf_append_text(
	    &text, "{\"ResourceTagMappingList\":[{\"ResourceARN\":\"" ARN("a") "\",\"Tags\":[");
	for (int i = 0; i < 201; i++)
		buf_printf(&text, "%s{\"Key\":\"k%d\",\"Value\":\"\"}", i > 0 ? "," : "", i);
	buf_append_text(&text, "]}]}");
	assert_false(tagging_parse_page(buf_text(&text), text.len, &page, &error));
	assert_non_null(strstr(error, "more than 200"));
	free(error);
	buf_free(&text);
}

static void on_page(void *arg, const struct aws_reply *reply, struct tagging_page *page)
{
	struct loop *loop = arg;
	assert_int_equal(reply->outcome, AWS_OK);
	assert_int_equal(page->count, 0);
	loop_stop(loop);
}

static void test_the_request(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct fetcher *fetcher = fetcher_new(loop);
	struct fake_http *server = fake_http_new(loop);
	struct aws_credentials keys = {.access_key_id = (char[]){"AKIDEXAMPLE"},
	    .secret_access_key = (char[]){"secret"},
	    .source = (char[]){"environment"}};
	setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1", 1);
	setenv("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", fake_http_url(server), 1);
	struct aws_context *aws = aws_context_new(loop, fetcher);
	struct aws_provider *provider = aws_provider_static(aws, &keys);
	fake_http_answer(server, 200, "", "{\"ResourceTagMappingList\":[]}");
	struct tagging_call *call =
	    tagging_get_page(aws, provider, "eu-west-1", "to\"ken", on_page, loop);
	assert_non_null(call);
	loop_run(loop);
	const char *request = fake_http_request(server, 0);
	assert_non_null(strstr(request, "POST / "));
	assert_non_null(
	    strstr(request, "X-Amz-Target: ResourceGroupsTaggingAPI_20170126.GetResources\r\n"));
	assert_non_null(strstr(request, "Content-Type: application/x-amz-json-1.1\r\n"));
	assert_non_null(strstr(request, "/eu-west-1/tagging/aws4_request"));
	assert_non_null(strstr(request, "SignedHeaders=content-type;host;x-amz-date;x-amz-target"));
	assert_non_null(strstr(request, "\"PaginationToken\":\"to\\\"ken\""));
	assert_non_null(strstr(request, "\"ResourceTypeFilters\":[\"eks:cluster\"]"));
	unsetenv("AWS_ENDPOINT_URL");
	unsetenv("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API");
	aws_provider_unref(&provider);
	aws_context_free(&aws);
	fetcher_free(&fetcher);
	fake_http_free(&server);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_page),
	    cmocka_unit_test(test_the_last_page_may_be_empty),
	    cmocka_unit_test(test_bad_answers),
	    cmocka_unit_test(test_too_many_tags),
	    cmocka_unit_test(test_the_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
