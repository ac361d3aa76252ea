/* What is left of an Accept when the answer is to be filtered, and whether gzip is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/filter/accept.h"

static void test_reduce(void **state)
{
	(void)state;
	static const struct {
		const char *accept, *left; /* NULL: nothing */
	} rows[] = {
	    {"", "application/json"},
	    {"*/*", "application/json"},
	    {"application/*;q=0.8", "application/json"},
	    {"application/json", "application/json"},
	    {"Application/JSON ;charset=utf-8", "Application/JSON ;charset=utf-8"},
	    {"application/json;stream=watch", "application/json;stream=watch"},
	    {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;"
	     "g=meta.k8s.io,application/json",
		"application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=Table;v=v1beta1;"
		"g=meta.k8s.io, application/json"},
	    {"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
		"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"},
	    {"application/json;as=Other;v=v1, application/json", "application/json"},
	    {"application/json; AS=Other", NULL},
	    {"application/json; as = Table", NULL},
	    {"application/yaml, application/json;q=0.5", "application/json;q=0.5"},
	    {"application/cbor", NULL},
	    {"text/html, application/yaml", NULL},
	    {"application/jsonx", NULL},
	    {",, ,", NULL},
	    {"x/y;a=\",application/json\"", NULL},
	    {"x/y;a=\"\\\",application/json", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf left = {0};
		if (accept_reduce(rows[i].accept, &left) != (rows[i].left != NULL))
			fail_msg("%s: %s", rows[i].accept, buf_text(&left));
		assert_string_equal(buf_text(&left), rows[i].left != NULL ? rows[i].left : "");
		buf_free(&left);
	}
}

static void test_gzip(void **state)
{
	(void)state;
	static const struct {
		const char *encodings;
		bool is_taken;
	} rows[] = {
	    {NULL, false},
	    {"", false},
	    {"gzip", true},
	    {"br, GZIP", true},
	    {"gzip;q=0.5", true},
	    {"gzip ; q=1", true},
	    {"gzip;q=0", false},
	    {"gzip;q=0.000", false},
	    {"gzipped", false},
	    {"x-gzip", false},
	    {"identity", false},
	    {"*", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (accept_has_gzip(rows[i].encodings) != rows[i].is_taken)
			fail_msg("%s", rows[i].encodings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reduce),
	    cmocka_unit_test(test_gzip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
