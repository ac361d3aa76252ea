/* Which cluster a request is for: the prefix on raw bytes, and the scope of a credential as a
 * restriction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/route.h"

static void test_good_targets(void **state)
{
	(void)state;
	static const struct {
		const char *target, *scope, *cluster, *prefix, *rest;
	} rows[] = {
	    {"/clusters/prod/api/v1/pods?limit=5", NULL, "prod", "/clusters/prod",
		"/api/v1/pods?limit=5"},
	    {"/clusters/prod", NULL, "prod", "/clusters/prod", "/"},
	    {"/clusters/prod/", NULL, "prod", "/clusters/prod", "/"},
	    {"/clusters/prod?x=1", NULL, "prod", "/clusters/prod", "/?x=1"},
	    {"/clusters/a.b_c-D/version", NULL, "a.b_c-D", "/clusters/a.b_c-D", "/version"},
	    {"/clusters/prod/version", "prod", "prod", "/clusters/prod", "/version"},
	    {"/api/v1/pods", "prod", "prod", "", "/api/v1/pods"},
	    /* Behind the prefix everything is the API server's business. */
	    {"/clusters/prod/clusters/dev/api", NULL, "prod", "/clusters/prod",
		"/clusters/dev/api"},
	    {"/clusters/prod//api", NULL, "prod", "/clusters/prod", "//api"},
	    {"/apis/clusters/prod/api", "dev", "dev", "", "/apis/clusters/prod/api"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena arena = {0};
		struct route route;
		unsigned status;
		char *message = NULL;
		if (!route_find(&arena, rows[i].target, rows[i].scope, &route, &status, &message))
			fail_msg("%s: %s", rows[i].target, message);
		assert_string_equal(route.cluster, rows[i].cluster);
		assert_string_equal(route.prefix, rows[i].prefix);
		assert_string_equal(route.target, rows[i].rest);
		arena_free(&arena);
	}
}

static void test_bad_targets(void **state)
{
	(void)state;
	static const struct {
		const char *target, *scope;
		unsigned status;
		const char *says;
	} rows[] = {
	    {"/api/v1/pods", NULL, 404, "kubeproxyd ls"},
	    {"/", NULL, 404, "/clusters/NAME"},
	    {"/clusters/", NULL, 404, "kubeproxyd ls"},
	    {"/clusters//api", NULL, 404, "kubeproxyd ls"},
	    {"/clusters/?x", NULL, 404, "kubeproxyd ls"},
	    {"/clusters", NULL, 404, "/clusters/NAME"},
	    {"/Clusters/prod/api", NULL, 404, "/clusters/NAME"},
	    {"//clusters/prod/api", NULL, 404, "/clusters/NAME"},
	    {"/clusters/pr%6fd/api", NULL, 400, "percent"},
	    {"/clusters/../api", NULL, 400, "not a cluster name"},
	    {"/clusters/./api", NULL, 400, "not a cluster name"},
	    {"/clusters/-prod/api", NULL, 400, "not a cluster name"},
	    {"/clusters/prod;x/api", NULL, 400, "not a cluster name"},
	    {"/clusters/pr\\od/api", NULL, 400, "not a cluster name"},
	    {"/clusters/dev/api", "prod", 403, "only for cluster \"prod\""},
	    {"/clusters/PROD/api", "prod", 403, "only for cluster \"prod\""},
	    {"/api", "../x", 403, "not valid"},
	    {"*", NULL, 400, "begins with '/'"},
	    {"https://evil/clusters/prod/api", NULL, 400, "begins with '/'"},
	    {"", NULL, 400, "begins with '/'"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena arena = {0};
		struct route route;
		unsigned status = 0;
		char *message = NULL;
		assert_false(
		    route_find(&arena, rows[i].target, rows[i].scope, &route, &status, &message));
		assert_int_equal(status, rows[i].status);
		assert_non_null(strstr(message, rows[i].says));
		free(message);
		arena_free(&arena);
	}
}

static void test_name_length(void **state)
{
	(void)state;
	char target[sizeof ROUTE_PREFIX + KUBE_CLUSTER_NAME_MAX + 8] = ROUTE_PREFIX;
	struct arena arena = {0};
	struct route route;
	unsigned status;
	char *message = NULL;
	memset(target + strlen(ROUTE_PREFIX), 'a', KUBE_CLUSTER_NAME_MAX);
	assert_true(route_find(&arena, target, NULL, &route, &status, &message));
	assert_int_equal(strlen(route.cluster), KUBE_CLUSTER_NAME_MAX);
	arena_free(&arena);
	strcat(target, "a");
	assert_false(route_find(&arena, target, NULL, &route, &status, &message));
	assert_int_equal(status, 404);
	xfree(&message);
}

static void test_alias_of_host(void **state)
{
	(void)state;
	static const struct {
		const char *host, *suffix, *alias; /* alias NULL: not under the suffix */
	} rows[] = {
	    {"prod.k.example", "k.example", "prod"},
	    {"PROD.K.Example:443", "k.example", "prod"},
	    {"prod.k.example.", "*.k.example", "prod"},
	    {"a.b.k.example", "k.example", ""},
	    {"k.example", "k.example", NULL},
	    {".k.example", "k.example", NULL},
	    {"prodk.example", "k.example", NULL},
	    {"prod.k.example.org", "k.example", NULL},
	    {"", "k.example", NULL},
	    {":443", "k.example", NULL},
	    {"[::1]:443", "k.example", NULL},
	    {NULL, "k.example", NULL},
	    {"prod.k.example", NULL, NULL},
	    {"prod.k.example", "", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char alias[ALIAS_MAX + 1];
		bool is_under = route_alias(rows[i].host, rows[i].suffix, alias);
		assert_int_equal(is_under, rows[i].alias != NULL);
		assert_string_equal(alias, is_under ? rows[i].alias : "");
	}
}

static void test_in_cluster(void **state)
{
	(void)state;
	struct arena arena = {0};
	struct route route;
	unsigned status;
	char *message = NULL;
	assert_true(route_in_cluster(&arena, "/api?x", "prod", "prod", &route, &status, &message));
	assert_string_equal(route.cluster, "prod");
	assert_string_equal(route.prefix, "");
	assert_string_equal(route.target, "/api?x");
	arena_free(&arena);
	static const struct {
		const char *target, *scope;
		unsigned status;
	} rows[] = {
	    {"/clusters/prod/api", NULL, 404},
	    {"/clusters/dev/api", NULL, 404},
	    {"/api", "dev", 403},
	    {"*", NULL, 400},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(route_in_cluster(
		    &arena, rows[i].target, "prod", rows[i].scope, &route, &status, &message));
		assert_int_equal(status, rows[i].status);
		xfree(&message);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_targets),
	    cmocka_unit_test(test_bad_targets),
	    cmocka_unit_test(test_name_length),
	    cmocka_unit_test(test_alias_of_host),
	    cmocka_unit_test(test_in_cluster),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
