/* What the API server sees in a request: every vector of Kubernetes' own resolver, what the strict
 * policy refuses, and what it must let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/field_selector.h"
#include "kubeproxyd/policy/request_info.h"

#define VECTORS "tests/vectors/requestinfo.json"

/* A string of the vectors as the resolver writes it: NUL is C0 80. */
static char *expected_text(struct json_object *vector, const char *key)
{
	struct json_object *value;
	struct buf out = {0};
	if (!json_object_object_get_ex(vector, key, &value))
		return xstrdup("");
	const char *text = json_object_get_string(value);
	for (int i = 0; i < json_object_get_string_len(value); i++) {
		if (text[i] == '\0')
			buf_append(&out, "\xc0\x80", 2);
		else
			buf_append_char(&out, text[i]);
	}
	return buf_take(&out);
}

static void expect_key(struct json_object *vector, const char *key, const char *seen)
{
	char *expected = expected_text(vector, key);
	if (strcmp(expected, seen) != 0)
		print_error("%s: %s\n", json_object_to_json_string(vector), key);
	assert_string_equal(seen, expected);
	free(expected);
}

static void expect_vector(struct json_object *vector, const struct request_info *info)
{
	struct json_object *is_resource;
	assert_true(json_object_object_get_ex(vector, "resource_request", &is_resource));
	assert_int_equal(info->is_resource, json_object_get_boolean(is_resource));
	expect_key(vector, "verb", info->verb);
	expect_key(vector, "path", info->path);
	expect_key(vector, "api_group", info->api_group);
	expect_key(vector, "api_version", info->api_version);
	expect_key(vector, "resource", info->resource);
	expect_key(vector, "subresource", info->subresource);
	expect_key(vector, "namespace", info->namespace);
	expect_key(vector, "name", info->name);
	expect_key(vector, "field_selector", info->field_selector);
}

static void run_vector(struct json_object *vector)
{
	char *request = expected_text(vector, "request");
	char *space = strchr(request, ' ');
	assert_non_null(space);
	*space = '\0';
	struct request_info info = {0}, strict = {0};
	const char *reason = NULL;
	unsigned status;
	bool is_resolved = request_info_resolve(request, space + 1, &info, &reason);
	assert_int_equal(is_resolved, !json_object_object_get_ex(vector, "parse_error", NULL) &&
					  !json_object_object_get_ex(vector, "error", NULL));
	if (json_object_object_get_ex(vector, "parse_error", NULL)) {
		expect_key(vector, "parse_error", reason);
	} else {
		expect_vector(vector, &info);
		if (!is_resolved)
			expect_key(vector, "error", reason);
	}
	if (request_info_parse(request, space + 1, &strict, &status, &reason))
		expect_vector(vector, &strict);
	request_info_free(&strict);
	request_info_free(&info);
	free(request);
}

static void test_every_vector(void **state)
{
	(void)state;
	struct json_object *vectors = json_object_from_file(VECTORS);
	assert_non_null(vectors);
	size_t count = json_object_array_length(vectors);
	assert_true(count >= 80);
	for (size_t i = 0; i < count; i++)
		run_vector(json_object_array_get_idx(vectors, i));
	json_object_put(vectors);
}

struct bad {
	const char *method, *target;
	unsigned status;
	const char *reason; /* a part of it */
};

static const struct bad bad_targets[] = {
    {"GET", "/api/v1/proxy/nodes/n1/metrics", 400, "proxy behind"},
    {"POST", "/api/v1/proxy/namespaces/default/pods/web/x", 400, "proxy behind"},
    {"OPTIONS", "/api", 405, "method"},
    {"POST", "/apis/g.io/v1/namespaces/ns/foos/mine-1", 405, "body"},
    {"POST", "/apis/g.io/v1/foos/mine-1?dryRun=All", 405, "body"},
    {"POST", "/api/v1/namespaces/default", 405, "body"},
    {"TRACE", "/api", 405, "method"},
    {"CONNECT", "h:443", 405, "method"},
    {"get", "/api/v1/pods", 405, "method"},
    {"FOO", "/api/v1/pods", 405, "method"},
    {"", "/api/v1/pods", 405, "method"},
    {"GET", "", 400, "begins with '/'"},
    {"GET", "*", 400, "begins with '/'"},
    {"GET", "api/v1/pods", 400, "begins with '/'"},
    {"GET", "http://evil/api/v1/secrets", 400, "begins with '/'"},
    {"GET", "/api/v1/pods\x01", 400, "control character"},
    {"GET", "/api/v1/po ds", 400, "space"},
    {"GET",
	"/api/v1/p\xc3\xb6"
	"ds",
	400, "outside ASCII"},
    {"GET", "/api/v1/pods\x7f", 400, "control character"},
    {"GET", "/api/v1/pods#frag", 400, "fragment"},
    {"GET", "/api/v1/pods?a#b", 400, "fragment"},
    {"GET", "//", 400, "empty segment"},
    {"GET", "//api/v1/pods", 400, "empty segment"},
    {"GET", "/api//v1/pods", 400, "empty segment"},
    {"GET", "/api/v1/namespaces//pods", 400, "empty segment"},
    {"GET", "/api/v1/namespaces/ns1/pods//log", 400, "empty segment"},
    {"GET", "/api/v1/pods//", 400, "empty segment"},
    {"GET", "/api/v1/./pods", 400, "\"..\" segment"},
    {"GET", "/api/v1/namespaces/ns1/../kube-system/secrets", 400, "\"..\" segment"},
    {"GET", "/..", 400, "\"..\" segment"},
    {"GET", "/api/v1/..?x", 400, "\"..\" segment"},
    {"GET", "/api/v1/namespaces/ns1/%2e%2e/kube-system/secrets", 400, "percent-encoded letter"},
    {"GET", "/api/v1/.%2E/pods", 400, "percent-encoded letter"},
    {"GET", "/%61pi/v1/secrets", 400, "percent-encoded letter"},
    {"GET", "/api/v1/namespaces%2Fns1%2Fsecrets", 400, "encoded '/'"},
    {"GET", "/api/v1/namespaces/ns1/pods/p1%2fexec", 400, "encoded '/'"},
    {"GET", "/api/v1/pods%5c", 400, "encoded '/'"},
    {"GET", "/api/v1/pods%00", 400, "encoded '/'"},
    {"GET", "/api/v1/pods%252f", 400, "encoded '/'"},
    {"GET", "/api/v1/pods%3Fwatch=true", 400, "encoded ';', '#' or '?'"},
    {"GET", "/api/v1/pods%23", 400, "encoded ';', '#' or '?'"},
    {"GET", "/api/v1/pods%3b", 400, "encoded ';', '#' or '?'"},
    {"GET", "/api/v1/pods%0a", 400, "encoded control"},
    {"GET", "/api/v1/pods%C3%B6", 400, "encoded control"},
    {"GET", "/api/v1/pods%zz", 400, "hexadecimal"},
    {"GET", "/api/v1/pods%2", 400, "hexadecimal"},
    {"GET", "/api/v1/pods%", 400, "hexadecimal"},
    {"GET", "/api/v1\\pods", 400, "holds '\\'"},
    {"GET", "/api/v1/pods;a=b", 400, "holds '\\' or ';'"},
    {"GET", "/api/v1/pods?a=b;watch=true", 400, "';'"},
    {"GET", "/api/v1/pods?a\\b", 400, "query holds '\\'"},
    {"GET", "/api/v1/pods?a=%z", 400, "hexadecimal"},
    {"GET", "/api/v1/pods?watch=false&watch=true", 400, "twice"},
    {"GET", "/api/v1/pods?watch=0&w%61tch=1", 400, "twice"},
    {"GET", "/api/v1/pods?watch&watch", 400, "twice"},
    {"GET", "/api/v1/pods?fieldSelector=a%3Db&fieldSelector=a%3Dc", 400, "twice"},
    {"GET", "/api/v1/pods?labelSelector=a&labelSelector", 400, "twice"},
    {"GET", "/api/v1/pods?limit=1&limit=2", 400, "twice"},
    {"GET", "/api/v1/watch", 400, "unable to determine"},
    {"GET", "/apis/apps/v1/watch/", 400, "unable to determine"},
    {"GET", "/api/v1/namespaces/ns/services/web/proxy/../../secrets", 400, "\"..\" segment"},
    {"GET", "/api/v1/namespaces/ns/services/web/proxy/a/%2e%2E/x", 400, "\"..\" segment"},
    {"GET", "/api/v1/nodes/n/proxy/a\\..\\b", 400, "\"..\" segment"},
    {"GET", "/api/v1/nodes/n/proxy/%2", 400, "hexadecimal"},
    {"GET", "/api/v1/namespaces/ns/services/a%2fb/proxy/x", 400, "encoded '/'"},
    {"GET", "/api/v1/namespaces/ns/secrets/web/proxy//x", 400, "empty segment"},
    {"GET", "/apis/v1/v1/namespaces/ns/pods/p/proxy//x", 400, "empty segment"},
};

static void test_refuses_what_is_ambiguous(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_targets / sizeof bad_targets[0]; i++) {
		const struct bad *bad = &bad_targets[i];
		struct request_info info = {0};
		unsigned status = 0;
		const char *reason = NULL;
		if (request_info_parse(bad->method, bad->target, &info, &status, &reason))
			fail_msg("accepted: %s %s", bad->method, bad->target);
		assert_int_equal(status, bad->status);
		if (strstr(reason, bad->reason) == NULL)
			fail_msg("%s %s: %s", bad->method, bad->target, reason);
		request_info_free(&info);
	}
}

/* Each of Kubernetes' parameters that have one value, as path_policy.c has them. */
static void test_no_parameter_is_given_twice(void **state)
{
	static const char *const names[] = {"allowWatchBookmarks", "container", "continue",
	    "fieldManager", "fieldSelector", "fieldValidation", "follow", "force",
	    "gracePeriodSeconds", "labelSelector", "limit", "limitBytes", "orphanDependents",
	    "pretty", "previous", "propagationPolicy", "resourceVersion", "resourceVersionMatch",
	    "sendInitialEvents", "sinceSeconds", "sinceTime", "stderr", "stdin", "stdout", "stream",
	    "tailLines", "timeout", "timeoutSeconds", "timestamps", "tty", "watch"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct request_info info = {0};
		unsigned status;
		const char *reason = "";
		char *twice = xasprintf("/api/v1/pods?%s=1&x=y&%s=1", names[i], names[i]);
		char *once = xasprintf("/api/v1/pods?%s=1&x=y&%sx=1", names[i], names[i]);
		if (request_info_parse("GET", twice, &info, &status, &reason))
			fail_msg("accepted: %s", twice);
		assert_non_null(strstr(reason, "twice"));
		request_info_free(&info);
		if (!request_info_parse("GET", once, &info, &status, &reason))
			fail_msg("refused: %s: %s", once, reason);
		request_info_free(&info);
		free(twice);
		free(once);
	}
}

struct good {
	const char *method, *target;
	const char *seen; /* "VERB RESOURCE/SUBRESOURCE NAMESPACE/NAME", or "VERB PATH" */
	const char *opaque;
	bool is_long_running;
};

static const struct good good_targets[] = {
    {"GET", "/", "get /", NULL, false},
    {"GET", "/version?timeout=32s", "get /version", NULL, false},
    {"GET", "/openapi/v3/apis/apps/v1?hash=A%3D%3D", "get /openapi/v3/apis/apps/v1", NULL, false},
    {"GET", "/a/b/c/d/e/f/g/h/i/j/k/l/", "get /a/b/c/d/e/f/g/h/i/j/k/l/", NULL, false},
    {"GET", "/apis/g/v1/watch/namespaces/a/pods/p/log/x/y", "watch pods/log a/p", NULL, true},
    {"GET", "/api", "get /api", NULL, false},
    {"GET", "/api/v1/", "get /api/v1/", NULL, false},
    {"GET", "/apis/v1/pods", "get /apis/v1/pods", NULL, false},
    {"GET", "/api/v1/namespaces", "list namespaces/ /", NULL, false},
    {"GET", "/api/v1/namespaces/a/finalize", "get namespaces/finalize a/a", NULL, false},
    {"GET", "/api/v1/namespaces/a/finalizers", "list finalizers/ a/", NULL, false},
    {"GET", "/api/v1/pods?limit=500", "list pods/ /", NULL, false},
    {"GET", "/api/v1/namespaces/a/pods/?limit=500", "list pods/ a/", NULL, false},
    {"GET", "/api/v1/pods?watch=true&labelSelector=a%3Db", "watch pods/ /", NULL, true},
    {"GET", "/api/v1/pods?watch=true&allowWatchBookmarks=true", "watch pods/ /", NULL, true},
    {"GET", "/api/v1/namespaces/a/pods/p/log?follow=true", "get pods/log a/p", NULL, true},
    {"GET", "/api/v1/namespaces/a/pods/p/log?follow=false", "get pods/log a/p", NULL, false},
    {"GET", "/api/v1/namespaces/a/pods/p/exec?command=sh&command=-c&command=a%3Bb%5C",
	"get pods/exec a/p", NULL, true},
    {"POST", "/api/v1/namespaces/a/pods/p/portforward?ports=1&ports=2",
	"create pods/portforward a/p", NULL, true},
    {"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
	"get clusterroles/ /system:node", NULL, false},
    {"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
	"get clusterroles/ /system:node", NULL, false},
    {"GET", "/api/v1/namespaces/a/services/https:web:443/proxy",
	"get services/proxy a/https:web:443", "", true},
    {"GET", "/api/v1/namespaces/a/services/web/proxy?watch=1&watch=2", "get services/proxy a/web",
	"?watch=1&watch=2", true},
    {"GET", "/api/v1/namespaces/a/services/web/proxy//a%2Fb/;x/%61?y;z", "get services/proxy a/web",
	"//a%2Fb/;x/%61?y;z", true},
    {"GET", "/api/v1/namespaces/a/pods/p/proxy/b/c/d/e", "get pods/proxy a/p", "/b/c/d/e", true},
    {"GET", "/api/v1/nodes/n1/proxy/metrics", "get nodes/proxy /n1", "/metrics", true},
    {"POST", "/api/v1/namespaces/a/pods/p/proxy/", "create pods/proxy a/p", "/", true},
    {"DELETE", "/api/v1/namespaces/a/pods?dryRun=All&dryRun=All", "deletecollection pods/ a/", NULL,
	false},
    {"PATCH", "/apis/apps/v1/namespaces/a/deployments/d?fieldManager=x&force=true",
	"patch deployments/ a/d", NULL, false},
};

/* What is refused is on record: it must not be long. */
static void test_bounds_segments(void **state)
{
	(void)state;
	static const struct {
		int len;
		bool is_opaque, is_good;
	} rows[] = {{1024, false, true}, {1025, false, false}, {5000, true, true}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct request_info info = {0};
		unsigned status;
		const char *reason = "";
		char *target = xasprintf("/api/v1/namespaces/a/pods/%s%0*d",
		    rows[i].is_opaque ? "p/proxy/" : "", rows[i].len, 0);
		if (request_info_parse("GET", target, &info, &status, &reason) != rows[i].is_good)
			fail_msg("%zu: %s", i, reason);
		request_info_free(&info);
		free(target);
	}
}

static void test_accepts_what_clients_send(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good_targets / sizeof good_targets[0]; i++) {
		const struct good *good = &good_targets[i];
		struct request_info info = {0};
		unsigned status;
		const char *reason;
		if (!request_info_parse(good->method, good->target, &info, &status, &reason))
			fail_msg("refused: %s %s: %s", good->method, good->target, reason);
		char *seen = info.is_resource
				 ? xasprintf("%s %s/%s %s/%s", info.verb, info.resource,
				       info.subresource, info.namespace, info.name)
				 : xasprintf("%s %s", info.verb, info.path);
		assert_string_equal(seen, good->seen);
		free(seen);
		assert_int_equal(info.is_long_running, good->is_long_running);
		assert_int_equal(info.opaque_from != 0, good->opaque != NULL);
		if (good->opaque != NULL)
			assert_string_equal(good->target + info.opaque_from, good->opaque);
		request_info_free(&info);
	}
}

static void test_access_verb_of_sessions_is_create(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
	    {"/api/v1/namespaces/a/pods/p/exec", "create"},
	    {"/api/v1/namespaces/a/pods/p/attach", "create"},
	    {"/api/v1/namespaces/a/pods/p/portforward", "create"},
	    {"/api/v1/namespaces/a/pods/p/log", "get"},
	    {"/api/v1/namespaces/a/pods", "list"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct request_info info = {0};
		unsigned status;
		const char *reason;
		assert_true(request_info_parse("GET", rows[i][0], &info, &status, &reason));
		assert_string_equal(request_info_access_verb(&info), rows[i][1]);
		request_info_free(&info);
	}
}

static void test_selectors_are_kept(void **state)
{
	(void)state;
	struct request_info info = {0};
	unsigned status;
	const char *reason;
	assert_true(request_info_parse("GET",
	    "/api/v1/"
	    "pods?labelSelector=app%3Dweb%2Ctier+in+%28a%29&fieldSelector=spec.nodeName%3Dn",
	    &info, &status, &reason));
	assert_string_equal(info.label_selector, "app=web,tier in (a)");
	assert_string_equal(info.field_selector, "spec.nodeName=n");
	assert_string_equal(info.name, "");
	request_info_free(&info);
	/* A number that does not decode makes the server forget the name. */
	assert_true(request_info_parse("GET",
	    "/api/v1/pods?limit=abc&fieldSelector=metadata.name%3Dp", &info, &status, &reason));
	assert_string_equal(info.name, "");
	assert_string_equal(info.verb, "list");
	request_info_free(&info);
}

/* In any order, with values or without, among pairs that do not exist for the server, and only the
 * first of each. */
static void test_parameters_are_found(void **state)
{
	static const struct {
		const char *query, *verb, *name, *fields, *labels;
	} rows[] = {
	    {"", "list", "", "", ""},
	    {"watch", "watch", "", "", ""},
	    {"watch&fieldSelector&labelSelector", "watch", "", "", ""},
	    {"watch=0&watch=1", "list", "", "", ""},
	    {"x=1&watch=%zz&watch=False&watch=1", "list", "", "", ""},
	    {"&&labelSelector=a&&fieldSelector=metadata.name=p&watch&", "watch", "p",
		"metadata.name=p", "a"},
	    {"label%53elector=a+b%26c%3Dd&labelSelector=e", "list", "", "", "a b&c=d"},
	    {"labelSelector=a;b&labelSelector=%00", "list", "", "", "\xc0\x80"},
	    {"labelSelector=one-that-is-longer-than-sixteen-bytes&fieldSelector=a%3Db", "list", "",
		"a=b", "one-that-is-longer-than-sixteen-bytes"},
	    {"fieldSelector=metadata.name=p&limit=1&timeoutSeconds=-2", "list", "p",
		"metadata.name=p", ""},
	    {"fieldSelector=metadata.name=p&limit=1&timeoutSeconds=x", "list", "",
		"metadata.name=p", ""},
	    {"limit&fieldSelector=metadata.name=p", "list", "", "metadata.name=p", ""},
	    {"follow=1&timeoutSeconds=1&limit=1&labelSelector=l&fieldSelector=f&watch=1", "watch",
		"", "f", "l"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct request_info info = {0};
		const char *reason;
		char *target = xasprintf("/api/v1/pods?%s", rows[i].query);
		assert_true(request_info_resolve("GET", target, &info, &reason));
		assert_string_equal(info.verb, rows[i].verb);
		assert_string_equal(info.name, rows[i].name);
		assert_string_equal(info.field_selector, rows[i].fields);
		assert_string_equal(info.label_selector, rows[i].labels);
		request_info_free(&info);
		free(target);
	}
}

static void test_field_selector_names(void **state)
{
	(void)state;
	static const struct {
		const char *selector, *name;
		bool is_bad;
	} rows[] = {
	    {"", NULL, false},
	    {"metadata.name=a", "a", false},
	    {"metadata.name==a", "a", false},
	    {"metadata.name!=a", NULL, false},
	    {",,metadata.name=a,", "a", false},
	    {"metadata.name=b,metadata.name=a", "a", false},
	    {"metadata.name=a,metadata.name==z", "z", false},
	    {"metadata.name=a\\,b", "a,b", false},
	    {"metadata.name=", "", false},
	    {"metadata.name", NULL, true},
	    {"a=b=c", NULL, true},
	    {"a=b\\", NULL, true},
	    {"a=b\\x", NULL, true},
	    {"a=b,c", NULL, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[64];
		const char *name = NULL;
		assert_int_equal(
		    field_selector_value(rows[i].selector, "metadata.name", out, &name),
		    !rows[i].is_bad);
		if (rows[i].is_bad)
			continue;
		if (rows[i].name == NULL)
			assert_null(name);
		else
			assert_string_equal(name, rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_vector),
	    cmocka_unit_test(test_refuses_what_is_ambiguous),
	    cmocka_unit_test(test_no_parameter_is_given_twice),
	    cmocka_unit_test(test_accepts_what_clients_send),
	    cmocka_unit_test(test_bounds_segments),
	    cmocka_unit_test(test_access_verb_of_sessions_is_create),
	    cmocka_unit_test(test_selectors_are_kept),
	    cmocka_unit_test(test_parameters_are_found),
	    cmocka_unit_test(test_field_selector_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
