/* Bodies that decide about access: the name of what is created, and reviews of one's own access, in
 * each encoding; what could be read in two ways is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/policy/access_review.h"
#include "kubeproxyd/policy/protobuf.h"

static const struct {
	enum body_format format;
	const char *body, *name, *error;
} names[] = {
    {BODY_JSON, "{\"metadata\":{\"name\":\"a\"}}", "a", NULL},
    {BODY_JSON, "{\"metadata\":{\"n\\u0061me\":\"\\u0061\"}}", "a", NULL},
    {BODY_JSON, "{\"Metadata\":{\"name\":\"a\"}}", NULL, "no metadata.name"},
    {BODY_JSON, "{\"metadata\":{\"Name\":\"a\"}}", NULL, "no metadata.name"},
    {BODY_JSON, "{\"metadata\":{\"name\":\"\"}}", NULL, "no metadata.name"},
    {BODY_JSON, "{\"metadata\":{\"name\":null}}", NULL, "no metadata.name"},
    {BODY_JSON, "{\"metadata\":null}", NULL, "no metadata.name"},
    {BODY_JSON, "{\"metadata\":{\"generateName\":\"a-\"}}", NULL, "no metadata.name"},
    {BODY_JSON, "{\"metadata\":{\"name\":1}}", NULL, "cannot be read"},
    {BODY_JSON, "{\"metadata\":[]}", NULL, "cannot be read"},
    {BODY_JSON, "{\"metadata\":{\"name\":\"a\"},\"metadata\":{\"name\":\"b\"}}", NULL, "cannot"},
    {BODY_JSON, "{\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}", NULL, "cannot be read"},
    {BODY_JSON, "{\"metadata\":{\"name\":\"a\\u0000\"}}", NULL, "cannot be read"},
    {BODY_JSON, "{\"metadata\":{\"name\":\"a\"}}{}", NULL, "cannot be read"},
    {BODY_JSON, "", NULL, "cannot be read"},
    {BODY_JSON, "[]", NULL, "cannot be read"},
    {BODY_YAML, "metadata: {name: a}\n", "a", NULL},
    {BODY_YAML, "{\"metadata\":{\"name\":\"a\"}}", "a", NULL},
    {BODY_YAML, "kind: x\n", NULL, "no metadata.name"},
    {BODY_YAML, "metadata: {name: a}\nmetadata: {name: b}\n", NULL, "cannot be read"},
    {BODY_YAML, "metadata: &m {name: a}\n", NULL, "cannot be read"},
    {BODY_YAML, "metadata: {name: !!str a}\n", NULL, "cannot be read"},
    {BODY_YAML, "metadata: {name: a}\n---\nmetadata: {name: b}\n", NULL, "cannot be read"},
    {BODY_YAML, "metadata: {name: [a]}\n", NULL, "cannot be read"},
    {BODY_UNKNOWN, "{\"metadata\":{\"name\":\"a\"}}", NULL, "Content-Type"},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *error = NULL;
		char *name = object_field_read(
		    OBJECT_NAME, names[i].format, names[i].body, strlen(names[i].body), &error);
		if (names[i].name != NULL) {
			if (name == NULL || strcmp(name, names[i].name) != 0)
				fail_msg("%s: %s", names[i].body, error);
		} else if (name != NULL || strstr(error, names[i].error) == NULL) {
			fail_msg("%s: %s", names[i].body, name != NULL ? name : error);
		}
		free(name);
	}
}

static void test_bounds_names(void **state)
{
	(void)state;
	for (int len = 1024; len <= 1025; len++) {
		struct buf body = {0};
		const char *error = NULL;
		buf_printf(&body, "{\"metadata\":{\"name\":\"%0*d\"}}", len, 0);
		char *name =
		    object_field_read(OBJECT_NAME, BODY_JSON, buf_text(&body), body.len, &error);
		assert_int_equal(name != NULL, len == 1024);
		free(name);
		buf_clear(&body);
		struct access_review review = {0};
		buf_printf(
		    &body, "{\"spec\":{\"resourceAttributes\":{\"name\":\"%0*d\"}}}", len, 0);
		assert_int_equal(
		    access_review_read(BODY_JSON, buf_text(&body), body.len, &review, &error),
		    len == 1024);
		access_review_free(&review);
		buf_free(&body);
	}
}

static void test_uids(void **state)
{
	(void)state;
	static const struct {
		enum body_format format;
		const char *body, *uid;
	} rows[] = {
	    {BODY_JSON, "{\"metadata\":{\"name\":\"a\",\"uid\":\"u-1\"}}", "u-1"},
	    {BODY_JSON, "{\"metadata\":{\"name\":\"a\",\"uid\":\"\"}}", NULL},
	    {BODY_JSON, "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}}", NULL},
	    {BODY_JSON, "{\"metadata\":{\"uid\":\"\",\"uid\":\"u-1\"}}", NULL},
	    {BODY_JSON, "{\"uid\":\"u-1\"}", NULL},
	    {BODY_YAML, "metadata: {uid: u-1}\n", "u-1"},
	    {BODY_YAML, "metadata: {uid: null}\n", NULL},
	    {BODY_PROTOBUF, "k8s", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *error = NULL;
		char *uid = object_field_read(
		    OBJECT_UID, rows[i].format, rows[i].body, strlen(rows[i].body), &error);
		if ((uid == NULL) != (rows[i].uid == NULL) ||
		    (uid != NULL && strcmp(uid, rows[i].uid) != 0))
			fail_msg("%s: %s", rows[i].body, uid != NULL ? uid : error);
		free(uid);
	}
}

/* An object whose metadata is `metadata`, with `behind` after it. */
static void write_object(struct buf *out, const struct buf *metadata, const char *behind)
{
	struct buf raw = {0};
	protobuf_add_bytes(&raw, 1, buf_text(metadata), metadata->len);
	if (behind[0] != '\0')
		protobuf_add_text(&raw, 1, behind);
	protobuf_wrap(out, "v1", "ConfigMap", &raw);
	buf_free(&raw);
}

static char *name_of(const struct buf *body)
{
	const char *error = NULL;
	return object_field_read(OBJECT_NAME, BODY_PROTOBUF, buf_text(body), body->len, &error);
}

static void test_names_in_protobuf(void **state)
{
	(void)state;
	struct buf metadata = {0}, body = {0};
	protobuf_add_text(&metadata, 3, "default");
	protobuf_add_text(&metadata, 1, "a");
	protobuf_add_number(&metadata, 9, 300);
	write_object(&body, &metadata, "");
	char *name = name_of(&body);
	assert_string_equal(name, "a");
	free(name);
	/* Cut anywhere it is never another name. */
	for (size_t len = 0; len < body.len; len++) {
		const char *error = NULL;
		name = object_field_read(OBJECT_NAME, BODY_PROTOBUF, body.data, len, &error);
		assert_true(name == NULL || strcmp(name, "a") == 0);
		free(name);
	}
	buf_clear(&body);
	write_object(&body, &metadata, "x");
	assert_null(name_of(&body));
	protobuf_add_text(&metadata, 1, "b");
	buf_clear(&body);
	write_object(&body, &metadata, "");
	assert_null(name_of(&body));
	buf_free(&metadata);
	buf_free(&body);
}

static void test_envelopes(void **state)
{
	(void)state;
	struct protobuf kind, raw;
	struct buf body = {0}, object = {0};
	protobuf_wrap(&body, "v1", "Pod", &object);
	assert_true(protobuf_open(body.data, body.len, &kind, &raw));
	assert_int_equal(kind.len, 3);
	assert_memory_equal(kind.at, "Pod", 3);
	assert_int_equal(raw.len, 0);
	protobuf_add_text(&body, 2, "again");
	assert_false(protobuf_open(body.data, body.len, &kind, &raw));
	assert_false(protobuf_open("k8s", 3, &kind, &raw));
	buf_clear(&body);
	buf_append(&body, "k8s\0", 4);
	protobuf_add_text(&body, 3, "gzip");
	assert_false(protobuf_open(body.data, body.len, &kind, &raw));
	buf_clear(&body);
	buf_append(&body, "k8s\0", 4);
	protobuf_add_text(&body, 4, "application/json");
	assert_false(protobuf_open(body.data, body.len, &kind, &raw));
	buf_free(&body);
}

static const struct {
	enum body_format format;
	const char *body, *asks;
} reviews[] = {
    {BODY_JSON,
	"{\"spec\":{\"resourceAttributes\":{\"verb\":\"get\",\"resource\":\"pods\",\"subresource\":"
	"\"log\",\"namespace\":\"n\",\"name\":\"p\",\"group\":\"g\",\"version\":\"v1\"}}}",
	"get g/pods/log n/p"},
    {BODY_JSON, "{\"spec\":{\"nonResourceAttributes\":{\"verb\":\"get\",\"path\":\"/x\"}}}",
	"get /x"},
    {BODY_YAML, "spec: {resourceAttributes: {verb: list, resource: pods}}\n", "list /pods/ /"},
    {BODY_YAML, "spec: {nonResourceAttributes: {verb: get, path: /x}}\n", "get /x"},
    {BODY_JSON, "{\"spec\":{}}", NULL},
    {BODY_JSON, "{\"spec\":{\"resourceAttributes\":{},\"nonResourceAttributes\":{}}}", NULL},
    {BODY_JSON, "{\"spec\":{\"resourceAttributes\":{\"verb\":1}}}", NULL},
    {BODY_JSON, "{\"spec\":{\"resourceAttributes\":{\"verb\":\"a\",\"verb\":\"b\"}}}", NULL},
    {BODY_JSON, "{}", NULL},
    {BODY_JSON, "x", NULL},
    {BODY_YAML, "spec: {resourceAttributes: {verb: [list]}}\n", NULL},
    {BODY_YAML, "spec: x\n", NULL},
    {BODY_PROTOBUF, "k8s", NULL},
    {BODY_UNKNOWN, "{}", NULL},
};

static void describe(const struct access_review *review, struct buf *out)
{
	struct request_info info = access_review_request(review);
	buf_clear(out);
	if (info.is_resource)
		buf_printf(out, "%s %s/%s/%s %s/%s", info.verb, info.api_group, info.resource,
		    info.subresource, info.namespace, info.name);
	else
		buf_printf(out, "%s %s", info.verb, info.path);
}

static void test_reviews(void **state)
{
	(void)state;
	struct buf asks = {0};
	for (size_t i = 0; i < sizeof reviews / sizeof reviews[0]; i++) {
		struct access_review review = {0};
		const char *error = NULL;
		bool is_read = access_review_read(
		    reviews[i].format, reviews[i].body, strlen(reviews[i].body), &review, &error);
		if (is_read != (reviews[i].asks != NULL))
			fail_msg("%s: %s", reviews[i].body, error);
		if (is_read) {
			describe(&review, &asks);
			assert_string_equal(buf_text(&asks), reviews[i].asks);
		}
		access_review_free(&review);
	}
	buf_free(&asks);
}

static bool says(const struct buf *answer, enum body_format format, bool is_allowed)
{
	const char *json =
	    is_allowed ? "\"allowed\":true,\"denied\":false" : "\"allowed\":false,\"denied\":true";
	/* The fields of SubjectAccessReviewStatus: 1, 2 (13 letters), 4. */
	const char *protobuf = is_allowed ? "\x08\x01\x12\x0b"
					    "because \"x\""
					  : "\x12\x0b"
					    "because \"x\"\x20\x01";
	const char *text = format == BODY_JSON ? json : protobuf;
	return memmem(answer->data, answer->len, text, strlen(text)) != NULL;
}

/* What is written as a no, or as a yes, reads as the same question. */
static void test_answers_to_reviews(void **state)
{
	(void)state;
	static const enum body_format formats[] = {BODY_JSON, BODY_PROTOBUF};
	struct buf asks = {0}, again = {0};
	for (size_t i = 0; i < 4; i++) {
		struct access_review review = {0};
		const char *error = NULL;
		assert_true(access_review_read(
		    reviews[i].format, reviews[i].body, strlen(reviews[i].body), &review, &error));
		describe(&review, &asks);
		for (size_t j = 0; j < 4; j++) {
			const bool is_allowed = j >= 2;
			const enum body_format format = formats[j % 2];
			struct access_review copy = {0};
			struct buf answer = {0};
			access_review_answer(&review, is_allowed, "because \"x\"", format, &answer);
			assert_true(says(&answer, format, is_allowed));
			assert_false(says(&answer, format, !is_allowed));
			assert_true(
			    access_review_read(format, answer.data, answer.len, &copy, &error));
			describe(&copy, &again);
			assert_string_equal(buf_text(&again), buf_text(&asks));
			assert_non_null(memmem(answer.data, answer.len, "because", 7));
			access_review_free(&copy);
			buf_free(&answer);
		}
		access_review_free(&review);
	}
	buf_free(&asks);
	buf_free(&again);
}

static void test_formats(void **state)
{
	(void)state;
	assert_int_equal(body_format_of(NULL), BODY_JSON);
	assert_int_equal(body_format_of("Application/JSON; charset=utf-8"), BODY_JSON);
	assert_int_equal(body_format_of("application/yaml"), BODY_YAML);
	assert_int_equal(body_format_of("application/cbor"), BODY_UNKNOWN);
	assert_int_equal(body_format_of("application/jsonx"), BODY_UNKNOWN);
	assert_int_equal(body_format_wanted(NULL), BODY_JSON);
	assert_int_equal(body_format_wanted("*/*"), BODY_JSON);
	assert_int_equal(
	    body_format_wanted("application/vnd.kubernetes.protobuf, application/json"),
	    BODY_PROTOBUF);
	assert_int_equal(
	    body_format_wanted("application/json,application/vnd.kubernetes.protobuf"), BODY_JSON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_bounds_names),
	    cmocka_unit_test(test_uids),
	    cmocka_unit_test(test_names_in_protobuf),
	    cmocka_unit_test(test_envelopes),
	    cmocka_unit_test(test_reviews),
	    cmocka_unit_test(test_answers_to_reviews),
	    cmocka_unit_test(test_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
