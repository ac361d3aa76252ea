/* The parts of a deletecollection that is done object by object: the options of each delete, the
 * targets, the pages of the list, and the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "kubeproxyd/exchange/delete_answer.h"
#include "kubeproxyd/exchange/delete_options.h"
#include "kubeproxyd/exchange/delete_targets.h"
#include "tests/unit/protobuf_reference.h"

/* --- options --------------------------------------------------------------------------------- */

static const struct {
	const char *query, *body, *wanted;
} json_options[] = {
    {"", "",
	"{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{\"uid\":\"u-1\"}}"},
    /* With a body the API server does not look at the query. */
    {"dryRun=All&propagationPolicy=Orphan&gracePeriodSeconds=5&labelSelector=a", "",
	"{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"dryRun\":[\"All\"],"
	"\"propagationPolicy\":\"Orphan\",\"gracePeriodSeconds\":5,"
	"\"preconditions\":{\"uid\":\"u-1\"}}"},
    {"orphanDependents=false&dryRun=All&dryRun=x", "",
	"{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"orphanDependents\":false,"
	"\"dryRun\":[\"All\",\"x\"],\"preconditions\":{\"uid\":\"u-1\"}}"},
    {"dryRun=All", "{\"propagationPolicy\":\"Background\"}",
	"{\"propagationPolicy\":\"Background\",\"preconditions\":{\"uid\":\"u-1\"}}"},
    {"", "{\"preconditions\":null}", "{\"preconditions\":{\"uid\":\"u-1\"}}"},
    {"", "{\"preconditions\":{\"resourceVersion\":\"7\"},\"dryRun\":[\"All\"]}",
	"{\"preconditions\":{\"resourceVersion\":\"7\",\"uid\":\"u-1\"},\"dryRun\":[\"All\"]}"},
    {"", "{\"preconditions\":{\"uid\":\"mine\"}}", "{\"preconditions\":{\"uid\":\"mine\"}}"},
};

static void test_json_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof json_options / sizeof json_options[0]; i++) {
		struct delete_options options = {0};
		struct buf out = {0};
		const char *error = NULL;
		assert_true(delete_options_read(BODY_JSON, json_options[i].body,
		    strlen(json_options[i].body), json_options[i].query, &options, &error));
		assert_string_equal(delete_options_type(&options), "application/json");
		delete_options_write(&options, "u-0", &out);
		buf_clear(&out);
		delete_options_write(&options, "u-1", &out);
		assert_string_equal(buf_text(&out), json_options[i].wanted);
		buf_free(&out);
		delete_options_free(&options);
	}
}

static const struct {
	enum body_format format;
	const char *query, *body, *error;
} bad_options[] = {
    {BODY_JSON, "", "[]", "cannot be read"},
    {BODY_JSON, "", "{", "cannot be read"},
    {BODY_JSON, "", "{\"preconditions\":[]}", "cannot be read"},
    {BODY_JSON, "", "{\"preconditions\":{\"uid\":1}}", "cannot be read"},
    {BODY_JSON, "", "{\"dryRun\":[],\"dryRun\":[\"All\"]}", "cannot be read"},
    {BODY_JSON, "gracePeriodSeconds=soon", "", "gracePeriodSeconds"},
    {BODY_JSON, "propagationPolicy=%ff", "", "UTF-8"},
    {BODY_YAML, "", "dryRun: [All]", "application/json"},
    {BODY_UNKNOWN, "", "x", "application/json"},
    {BODY_PROTOBUF, "", "k8s", "cannot be read"},
};

static void test_bad_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_options / sizeof bad_options[0]; i++) {
		struct delete_options options = {0};
		const char *error = NULL;
		bool is_read = delete_options_read(bad_options[i].format, bad_options[i].body,
		    strlen(bad_options[i].body), bad_options[i].query, &options, &error);
		if (is_read || strstr(error, bad_options[i].error) == NULL)
			fail_msg("%s: %s", bad_options[i].body, error);
		delete_options_free(&options);
	}
}

static void test_protobuf_options(void **state)
{
	(void)state;
	struct buf preconditions = {0}, raw = {0}, body = {0}, out = {0}, wanted = {0};
	struct delete_options options = {0};
	const char *error = NULL;
	put_text(&preconditions, 2, "7");
	put_bytes(&raw, 2, &preconditions);
	put_text(&raw, 5, "All");
	put_envelope(&body, "v1", "DeleteOptions", &raw);
	assert_true(delete_options_read(BODY_PROTOBUF, body.data, body.len, "", &options, &error));
	assert_string_equal(delete_options_type(&options), "application/vnd.kubernetes.protobuf");
	delete_options_write(&options, "u-1", &out);
	buf_clear(&raw);
	put_text(&raw, 5, "All");
	put_text(&preconditions, 1, "u-1");
	put_bytes(&raw, 2, &preconditions);
	put_envelope(&wanted, "v1", "DeleteOptions", &raw);
	assert_int_equal(out.len, wanted.len);
	assert_memory_equal(out.data, wanted.data, out.len);
	delete_options_free(&options);
	/* The client's own uid stays. */
	buf_clear(&raw);
	buf_clear(&body);
	buf_clear(&out);
	put_bytes(&raw, 2, &preconditions);
	put_envelope(&body, "v1", "DeleteOptions", &raw);
	assert_true(delete_options_read(BODY_PROTOBUF, body.data, body.len, "", &options, &error));
	delete_options_write(&options, "u-2", &out);
	assert_int_equal(out.len, body.len);
	delete_options_free(&options);
	buf_clear(&body);
	put_envelope(&body, "v1", "Pod", &raw);
	assert_false(delete_options_read(BODY_PROTOBUF, body.data, body.len, "", &options, &error));
	delete_options_free(&options);
	buf_free(&preconditions);
	buf_free(&raw);
	buf_free(&body);
	buf_free(&out);
	buf_free(&wanted);
}

/* --- targets --------------------------------------------------------------------------------- */

static const struct {
	const char *target, *next, *list, *one;
} targets[] = {
    {"/clusters/c/api/v1/namespaces/n/pods", NULL, "/clusters/c/api/v1/namespaces/n/pods?limit=200",
	"/clusters/c/api/v1/namespaces/n/pods/a:b"},
    {"/api/v1/nodes/?", NULL, "/api/v1/nodes?limit=200", "/api/v1/nodes/a:b"},
    {"/p?labelSelector=a%3Db&dryRun=All&fieldSelector=x&pretty=1", NULL,
	"/p?labelSelector=a%3Db&fieldSelector=x&limit=200", "/p/a:b?dryRun=All"},
    {"/p?resourceVersion=5&resourceVersionMatch=Exact&&propagationPolicy=Orphan", NULL,
	"/p?resourceVersion=5&resourceVersionMatch=Exact&limit=200",
	"/p/a:b?propagationPolicy=Orphan"},
    {"/p?resourceVersion=5&labelSelector=x",
	"t+/=", "/p?labelSelector=x&limit=200&continue=t%2B%2F%3D", "/p/a:b"},
    /* What part of it is the client's, and no page of the API server's. */
    {"/p?limit=3&continue=abc&gracePeriodSeconds=0", NULL, "/p?limit=200",
	"/p/a:b?gracePeriodSeconds=0"},
    /* What Go does not read is not there. */
    {"/p?labelSelector=%zz&label%53elector=y", NULL, "/p?label%53elector=y&limit=200", "/p/a:b"},
};

static void test_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		struct buf out = {0};
		delete_list_target(&out, targets[i].target, 200, targets[i].next);
		assert_string_equal(buf_text(&out), targets[i].list);
		buf_clear(&out);
		delete_object_target(&out, targets[i].target, "a:b");
		assert_string_equal(buf_text(&out), targets[i].one);
		buf_free(&out);
	}
}

static void test_parts(void **state)
{
	(void)state;
	static const struct {
		const char *target;
		size_t limit;
		const char *after; /* NULL: refused, with `status` */
		unsigned status;
	} rows[] = {
	    {"/p", 0, "", 0},
	    {"/p?limit=3&labelSelector=a", 3, "", 0},
	    {"/p?limit=0&continue=", 0, "", 0},
	    {"/p?limit=-1&continue=after%3aweb-1", 0, "web-1", 0},
	    {"/p?continue=after:a%2Fb&limit=9223372036854775807", INT64_MAX, "a/b", 0},
	    {"/p?limit=x", 0, NULL, 400},
	    {"/p?limit=9223372036854775808", 0, NULL, 400},
	    {"/p?limit=2&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", 0, NULL, 410},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct delete_part part = {0};
		unsigned status = 0;
		const char *error = NULL;
		bool is_read = delete_part_read(rows[i].target, &part, &status, &error);
		assert_int_equal(is_read, rows[i].after != NULL);
		if (is_read) {
			assert_int_equal(part.limit, rows[i].limit);
			assert_string_equal(part.after, rows[i].after);
		} else {
			assert_int_equal(status, rows[i].status);
			assert_non_null(error);
		}
		delete_part_free(&part);
	}
	struct buf token = {0};
	delete_part_token(&token, "web-1");
	assert_string_equal(buf_text(&token), "after:web-1");
	buf_free(&token);
}

/* --- pages ----------------------------------------------------------------------------------- */

static void put_listed(struct buf *list, const char *namespace, const char *name, const char *uid)
{
	struct buf metadata = {0}, item = {0};
	put_text(&metadata, 1, name);
	put_text(&metadata, 3, namespace);
	put_text(&metadata, 5, uid);
	put_bytes(&item, 1, &metadata);
	put_bytes(list, 2, &item);
	buf_free(&metadata);
	buf_free(&item);
}

static void put_page(struct buf *out, const char *next, const struct buf *items)
{
	struct buf list = {0}, meta = {0};
	put_text(&meta, 2, "5");
	put_text(&meta, 3, next);
	put_bytes(&list, 1, &meta);
	buf_append(&list, items->data, items->len);
	put_envelope(out, "meta.k8s.io/v1", "PartialObjectMetadataList", &list);
	buf_free(&list);
	buf_free(&meta);
}

static void on_listed(void *arg, const struct delete_object *object)
{
	buf_printf(arg, "%s/%s=%s ", object->namespace, object->name, object->uid);
}

static void test_pages(void **state)
{
	(void)state;
	struct buf items = {0}, page = {0}, seen = {0}, next = {0};
	put_listed(&items, "n", "a", "1");
	put_listed(&items, "", "b", "2");
	put_page(&page, "token", &items);
	assert_true(delete_page_read(page.data, page.len, on_listed, &seen, &next));
	assert_string_equal(buf_text(&seen), "n/a=1 /b=2 ");
	assert_string_equal(buf_text(&next), "token");
	for (size_t len = 0; len + 4 < page.len; len++)
		assert_false(delete_page_read(page.data, len, on_listed, &seen, &next));
	buf_clear(&page);
	buf_clear(&items);
	put_page(&page, "", &items);
	assert_true(delete_page_read(page.data, page.len, on_listed, &seen, &next));
	assert_int_equal(next.len, 0);
	/* Without a uid it could be another object by the time. */
	buf_clear(&page);
	put_listed(&items, "n", "a", "");
	put_page(&page, "", &items);
	assert_false(delete_page_read(page.data, page.len, on_listed, &seen, &next));
	buf_free(&items);
	buf_free(&page);
	buf_free(&seen);
	buf_free(&next);
}

/* --- answers --------------------------------------------------------------------------------- */

static void test_list(void **state)
{
	(void)state;
	struct buf out = {0};
	delete_list_begin(&out, "");
	delete_list_end(&out);
	assert_string_equal(buf_text(&out),
	    "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\","
	    "\"metadata\":{},\"items\":[]}\n");
	buf_clear(&out);
	delete_list_begin(&out, "next");
	delete_list_add(&out, &(struct delete_object){"n", "a", "1"});
	delete_list_add(&out, &(struct delete_object){"", "b", "2"});
	delete_list_end(&out);
	assert_string_equal(buf_text(&out),
	    "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\","
	    "\"metadata\":{\"continue\":\"next\"},\"items\":["
	    "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"1\"}},"
	    "{\"metadata\":{\"name\":\"b\",\"uid\":\"2\"}}]}\n");
	buf_free(&out);
}

static void test_failures(void **state)
{
	(void)state;
	struct delete_failures failures = {0};
	struct delete_object a = {"n", "a", "1"};
	struct buf out = {0};
	const char *told = "{\"kind\":\"Status\",\"message\":\"not now\"}";
	char error[JSON_ERROR_TEXT];
	delete_failures_add(&failures, "pods", &a, 409, told, strlen(told));
	for (int i = 0; i < 200; i++)
		delete_failures_add(&failures, "pods", &a, 500, "no JSON", 7);
	struct delete_tally tally = {.deleted = 7, .total = 300};
	char *sentence = delete_failures_sentence(&failures, "pods", &tally);
	assert_string_equal(sentence,
	    "7 of 300 pods were deleted, 201 could not be "
	    "(details.causes has the reason for each): pods \"a\": not now");
	free(sentence);
	tally.untried = 92;
	sentence = delete_failures_sentence(&failures, "pods", &tally);
	assert_non_null(strstr(sentence, "201 could not be, and 92 were not tried after that ("));
	delete_failures_write(&out, &failures, "", "pods", sentence);
	struct json_object *status = json_parse(out.data, out.len, error), *details, *causes;
	assert_int_equal(json_object_get_int(json_object_object_get(status, "code")), 409);
	assert_string_equal(
	    json_object_get_string(json_object_object_get(status, "reason")), "Conflict");
	details = json_object_object_get(status, "details");
	causes = json_object_object_get(details, "causes");
	assert_int_equal(json_object_array_length(causes), DELETE_CAUSES_MAX);
	assert_string_equal(json_object_to_json_string_ext(
				json_object_array_get_idx(causes, 1), JSON_C_TO_STRING_PLAIN),
	    "{\"reason\":\"InternalError\",\"message\":\"the answer was 500 InternalError\","
	    "\"field\":\"a\"}");
	json_object_put(status);
	free(sentence);
	delete_failures_free(&failures);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json_options),
	    cmocka_unit_test(test_bad_options),
	    cmocka_unit_test(test_protobuf_options),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_pages),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
