/* Lists and watches in JSON, whole and byte by byte: what passes, what is counted, and what ends
 * the answer. Names that begin with "a" may be read, in all namespaces but "hidden". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

#define ITEM_MAX ((size_t)1024 * 1024)

static struct buf out;

static bool may_read(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	return name[0] == 'a' && strcmp(namespace, "hidden") != 0;
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	assert_true(len > 0);
	buf_append(&out, data, len);
}

static const struct filter_events events = {.may_read = may_read, .emit = emit};

/* In pieces of `step` bytes; `out` has what passed. */
static bool run(enum filter_body body, const char *text, size_t len, size_t step, size_t item_max,
    struct filter_result *result)
{
	struct filter_limits limits = {.item_max = item_max};
	struct filter *filter = filter_new(body, "application/json", NULL, &limits, &events, NULL);
	assert_non_null(filter);
	buf_clear(&out);
	bool is_sound = true;
	for (size_t at = 0; is_sound && at < len; at += step)
		is_sound = filter_feed(
		    filter, (const uint8_t *)text + at, len - at < step ? len - at : step);
	is_sound = is_sound && filter_end(filter);
	*result = *filter_result(filter);
	assert_int_equal(is_sound, result->problem == NULL);
	filter_free(&filter);
	return is_sound;
}

struct row {
	const char *in, *out; /* out NULL: it ends, see `problem` */
	unsigned passed, dropped, unreadable;
	const char *problem;
};

static void check(enum filter_body body, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t step = 1; step < 70; step = step < 8 ? step + 1 : step * 2) {
			struct filter_result result;
			bool is_sound =
			    run(body, rows[i].in, strlen(rows[i].in), step, ITEM_MAX, &result);
			if (is_sound != (rows[i].out != NULL))
				fail_msg("%s by %zu: %s", rows[i].in, step,
				    is_sound ? "taken" : result.problem);
			if (rows[i].out != NULL)
				assert_string_equal(buf_text(&out), rows[i].out);
			else if (strstr(result.problem, rows[i].problem) == NULL)
				fail_msg("%s: %s", rows[i].in, result.problem);
			if (rows[i].out == NULL)
				continue;
			assert_int_equal(result.passed, rows[i].passed);
			assert_int_equal(result.dropped, rows[i].dropped);
			assert_int_equal(result.unreadable, rows[i].unreadable);
		}
	}
}

#define CHECK(body, rows) check(body, rows, sizeof(rows) / sizeof((rows)[0]))
#define ITEM(name)	  "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\"},\"spec\":{\"x\":[1]}}"

static void test_lists(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\"},"
	     "\"items\":[" ITEM("a1") "," ITEM("b") "," ITEM("a2") "]}\n",
		"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
		"\"7\"},"
		"\"items\":[" ITEM("a1") "," ITEM("a2") "]}\n",
		2, 1, 0, NULL},
	    {"{\"items\":[" ITEM("b") "," ITEM("a") "," ITEM("c") "],\"kind\":\"XList\"}",
		"{\"items\":[" ITEM("a") "],\"kind\":\"XList\"}", 1, 2, 0, NULL},
	    {"{\"items\":[" ITEM("b") "]}", "{\"items\":[]}", 0, 1, 0, NULL},
	    {"{\"items\":[]}", "{\"items\":[]}", 0, 0, 0, NULL},
	    {"{\"items\":null,\"metadata\":{}}", "{\"items\":null,\"metadata\":{}}", 0, 0, 0, NULL},
	    {"{\"items\":[{\"metadata\":{\"name\":\"a\",\"namespace\":\"hidden\"}}]}",
		"{\"items\":[]}", 0, 1, 0, NULL},
	    {"{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}",
		"{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}", 1, 0, 0, NULL},
	    /* How many are left would tell of others. */
	    {"{\"metadata\":{\"continue\":\"\",\"remainingItemCount\":9},\"items\":[]}",
		"{\"metadata\":{\"continue\":\"\"},\"items\":[]}", 0, 0, 0, NULL},
	    {"{\"metadata\":{\"remainingItemCount\":9,\"continue\":null},\"items\":[]}",
		"{\"metadata\":{\"continue\":null},\"items\":[]}", 0, 0, 0, NULL},
	    {"{\"metadata\":{\"a\":1 , \"remainingItem\\u0043ount\": 9 , \"b\":2},\"items\":[]}",
		"{\"metadata\":{\"a\":1  , \"b\":2},\"items\":[]}", 0, 0, 0, NULL},
	    {"{\"items\":[],\"metadata\":{\"remainingItemCount\":9}}",
		"{\"items\":[],\"metadata\":{}}", 0, 0, 0, NULL},
	    /* White space stays where an item passes. */
	    {" {\n \"items\": [\n  " ITEM("a") ",\n  " ITEM("b") "\n ]\n}\n",
		" {\n \"items\": [\n  " ITEM("a") "\n ]\n}\n", 1, 1, 0, NULL},
	    {"{\"items\\u0000\":1}", NULL, 0, 0, 0, "neither a list"},
	};
	CHECK(FILTER_LIST, rows);
}

static void test_items_that_cannot_be_read(void **state)
{
	(void)state;
#define ONE(item)                                                                                  \
	{                                                                                          \
		"{\"items\":[" item "," ITEM("a") "]}", "{\"items\":[" ITEM("a") "]}", 1, 0, 1,    \
		    NULL                                                                           \
	}
	static const struct row rows[] = {
	    ONE("{}"),
	    ONE("null"),
	    ONE("7"),
	    ONE("\"a\""),
	    ONE("[]"),
	    ONE(""),
	    ONE("{\"metadata\":null}"),
	    ONE("{\"metadata\":{}}"),
	    ONE("{\"metadata\":{\"name\":\"\"}}"),
	    ONE("{\"metadata\":{\"name\":7}}"),
	    ONE("{\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}"),
	    ONE("{\"metadata\":{\"name\":\"a\",\"n\\u0061me\":\"b\"}}"),
	    ONE("{\"metadata\":{\"name\":\"a\"},\"metadata\":{\"name\":\"b\"}}"),
	    ONE("{\"metadata\":{\"name\":\"a\"},\"metadata\":{\"labels\":{}}}"),
	    ONE("{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"namespace\":\"n\"}}"),
	    ONE("{\"metadata\":{\"name\":\"a\",\"namespace\":null}}"),
	    ONE("{\"metadata\":{\"name\":\"a\\u0000b\"}}"),
	    ONE("{\"metadata\":{\"name\":\"a\\ud800\"}}"),
	    ONE("{\"metadata\":{\"name\":\"a\xff\"}}"),
	    ONE("{\"metadata\":{\"name\":\"a\"},\"x\":\"\xff\"}"),
	    ONE("{\"metadata\":{\"name\":\"a\"},\"x\":\"\t\"}"),
	    ONE("{\"metadata\":{\"name\":\"a\"},\"x\":tru}"),
	    ONE("{\"metadata\":{\"name\":\"a\"},}"),
	    ONE("{\"metadata\":{\"name\":\"a\"},\"x\":[1}}"),
	    ONE("{\"metadata\":{\"name\":\"a\"}\"x\":1}"),
	    ONE("{\"Metadata\":{\"name\":\"a\"}}"),
	    ONE("{'metadata':{'name':'a'}}"),
	    ONE("{\"metadata\":[{\"name\":\"a\"}]}"),
	    ONE("{\"metadata\":{\"metadata\":{\"name\":\"a\"}}}"),
	    ONE("{\"kind\":\"List\",\"metadata\":{},\"items\":[" ITEM("a") "]}"),
	    ONE("{\"spec\":{\"metadata\":{\"name\":\"a\"}}}"),
	};
	CHECK(FILTER_LIST, rows);
#undef ONE
}

static void test_names_behind_escapes(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"{\"items\":[{\"m\\u0065tadata\":{\"name\":\"\\u0061\"}}]}",
		"{\"items\":[{\"m\\u0065tadata\":{\"name\":\"\\u0061\"}}]}", 1, 0, 0, NULL},
	    {"{\"items\":[{\"metadata\":{\"name\":\"\\u0062a\"}}]}", "{\"items\":[]}", 0, 1, 0,
		NULL},
	    /* Only the object's own metadata count, wherever they stand. */
	    {"{\"items\":[{\"spec\":{\"metadata\":{\"name\":\"a\"}},\"metadata\":{\"name\":\"b\"}}]"
	     "}",
		"{\"items\":[]}", 0, 1, 0, NULL},
	    {"{\"items\":[{\"metadata\":{\"labels\":{\"name\":\"b\"},\"name\":\"a\"},"
	     "\"name\":\"b\"}]}",
		"{\"items\":[{\"metadata\":{\"labels\":{\"name\":\"b\"},\"name\":\"a\"},"
		"\"name\":\"b\"}]}",
		1, 0, 0, NULL},
	    {"{\"it\\u0065ms\":[" ITEM("b") "]}", "{\"it\\u0065ms\":[]}", 0, 1, 0, NULL},
	};
	CHECK(FILTER_LIST, rows);
}

#define ROW(name)                                                                                  \
	"{\"cells\":[\"x\"],\"object\":{\"kind\":\"P\",\"metadata\":{\"name\":\"" name "\"}}}"
#define COLUMNS "\"columnDefinitions\":[{\"name\":\"Name\"}]"

static void test_tables(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"{\"kind\":\"Table\"," COLUMNS ",\"rows\":[" ROW("b") "," ROW("a") "]}",
		"{\"kind\":\"Table\"," COLUMNS ",\"rows\":[" ROW("a") "]}", 1, 1, 0, NULL},
	    {"{\"rows\":[{\"cells\":[\"a\"]},{\"cells\":[],\"object\":null},"
	     "{\"object\":{\"metadata\":{\"name\":\"a\"}},\"object\":{\"metadata\":{\"name\":\"b\"}"
	     "}},"
	     "{\"metadata\":{\"name\":\"a\"}}]}",
		"{\"rows\":[]}", 0, 0, 4, NULL},
	    {"{\"rows\":null}", "{\"rows\":null}", 0, 0, 0, NULL},
	    {"{\"rows\":[" ROW("b") "],\"items\":[" ITEM("b") "," ITEM("a") "]}",
		"{\"rows\":[],\"items\":[" ITEM("a") "]}", 1, 2, 0, NULL},
	};
	CHECK(FILTER_LIST, rows);
}

static void test_what_is_no_list(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"message\":\"b\"}",
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"message\":\"b\"}", 1, 0, 0, NULL},
	    {ITEM("a") "\n", ITEM("a") "\n", 1, 0, 0, NULL},
	    {ITEM("b"), NULL, 0, 0, 0, "one object"},
	    {"{\"kind\":\"Status\",\"apiVersion\":\"x/v1\"," /* somebody's own kind */
	     "\"metadata\":{\"name\":\"b\"}}",
		NULL, 0, 0, 0, "one object"},
	    {"{}", NULL, 0, 0, 0, "neither a list"},
	};
	CHECK(FILTER_LIST, rows);
	struct filter_result result;
	assert_false(run(FILTER_LIST, ITEM("b"), strlen(ITEM("b")), 9, ITEM_MAX, &result));
	assert_true(result.is_forbidden);
	assert_int_equal(result.dropped, 1);
	assert_int_equal(out.len, 0);
}

static void test_documents_that_cannot_be_read(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"", NULL, 0, 0, 0, "not complete"},
	    {"[]", NULL, 0, 0, 0, "begin"},
	    {"k8s", NULL, 0, 0, 0, "begin"},
	    {"{\"items\":[", NULL, 0, 0, 0, "not complete"},
	    {"{\"items\":[" ITEM("a"), NULL, 0, 0, 0, "not complete"},
	    {"{\"items\":[]", NULL, 0, 0, 0, "not complete"},
	    {"{\"items\":[]}x", NULL, 0, 0, 0, "follows"},
	    {"{\"items\":[]}{}", NULL, 0, 0, 0, "follows"},
	    {"{\"items\":[" ITEM("a") " " ITEM("a") "]}", NULL, 0, 0, 0, "comma"},
	    {"{\"items\":[" ITEM("a") "}", NULL, 0, 0, 0, "comma"},
	    {"{\"items\":[\xef\xbb\xbf" ITEM("a") "]}", NULL, 0, 0, 0, "comma"},
	    {"{\"items\":[" ITEM("a") "\xff]}", NULL, 0, 0, 0, "comma"},
	    {"\xef\xbb\xbf{\"items\":[]}", NULL, 0, 0, 0, "begin"},
	    {"{\"items\":{}}", NULL, 0, 0, 0, "no list"},
	    {"{\"items\":nix}", NULL, 0, 0, 0, "cannot be read"},
	    {"{\"items\":[],\"items\":[]}", NULL, 0, 0, 0, "twice"},
	    {"{\"items\":[],\"it\\u0065ms\":[]}", NULL, 0, 0, 0, "twice"},
	    {"{\"kind\":\"a\",\"kind\":\"b\",\"items\":[]}", NULL, 0, 0, 0, "twice"},
	    {"{\"more\":[],\"items\":[]}", NULL, 0, 0, 0, "more than items"},
	    {"{\"items\":[],\"Items\":[]}", NULL, 0, 0, 0, "more than items"},
	    {"{\"metadata\":{\"a\":},\"items\":[]}", NULL, 0, 0, 0, "cannot be read"},
	    {"{\"metadata\":[],\"items\":[]}", NULL, 0, 0, 0, "cannot be read"},
	    {"{\"items\":[],\"metadata\":{\"remainingItemCount\":1,\"remainingItemCount\":2}}",
		NULL, 0, 0, 0, "cannot be read"},
	    /* A token names an object. */
	    {"{\"metadata\":{\"continue\":\"x\"},\"items\":[]}", NULL, 0, 0, 0, "one page"},
	    {"{\"metadata\":{\"contin\\u0075e\":\"\\u0000\"},\"rows\":[]}", NULL, 0, 0, 0,
		"one page"},
	    {"{\"items\":[],\"metadata\":{\"continue\":\"\",\"continue\":\"x\"}}", NULL, 0, 0, 0,
		"one page"},
	    {"{\"kind\" \"a\"}", NULL, 0, 0, 0, "colon"},
	    {"{\"kind\":\"a\" \"items\":[]}", NULL, 0, 0, 0, "comma"},
	    {"{kind:1}", NULL, 0, 0, 0, "key"},
	    {"{\"a\xff\":1}", NULL, 0, 0, 0, "key"},
	    {"{\"kind\":\"a\",}", NULL, 0, 0, 0, "key"},
	};
	CHECK(FILTER_LIST, rows);
}

#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}"
#define TABLE(api, rows)    "{\"kind\":\"Table\",\"apiVersion\":\"" api "\",\"rows\":[" rows "]}"
#define META		    "meta.k8s.io/v1"

static void test_watches(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"", "", 0, 0, 0, NULL},
	    {EVENT("ADDED", ITEM("a")) "\n" EVENT("MODIFIED", ITEM("b")) "\n" EVENT(
		 "DELETED", ITEM("a")) "\n",
		EVENT("ADDED", ITEM("a")) "\n" EVENT("DELETED", ITEM("a")) "\n", 2, 1, 0, NULL},
	    {EVENT("ADDED", ITEM("a")) EVENT("ADDED", ITEM("a2")),
		EVENT("ADDED", ITEM("a")) "\n" EVENT("ADDED", ITEM("a2")) "\n", 2, 0, 0, NULL},
	    {EVENT("BOOKMARK",
		 "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"9\",\"annotations\":"
		 "{\"k8s.io/initial-events-end\":\"true\"}}}") "\n",
		EVENT("BOOKMARK",
		    "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"9\",\"annotations\":"
		    "{\"k8s.io/initial-events-end\":\"true\"}}}") "\n",
		1, 0, 0, NULL},
	    {EVENT("BOOKMARK", ITEM("b")), "", 0, 1, 0, NULL},
	    {EVENT("ERROR", "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":410}") "\n",
		EVENT("ERROR", "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":410}") "\n", 1,
		0, 0, NULL},
	    /* Such a one may be about an object by its key. */
	    {EVENT("ERROR",
		 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\": 500 }") "\n" EVENT("ERROR",
		 "{\"code\":5e2,\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":1}"),
		"", 0, 0, 2, NULL},
	    {EVENT("ERROR", ITEM("a")) EVENT("OTHER", ITEM("a")) EVENT("ADDED", "{}")
		    EVENT("ADDED", "null") "{\"type\":\"ADDED\"}{\"object\":" ITEM(
			"a") "}"
			     "{\"type\":\"BOOKMARK\",\"type\":\"ADDED\",\"object\":" ITEM(
				 "a") "}"
				      "{\"type\":\"ADDED\",\"object\":" ITEM(
					  "a") ",\"object\":" ITEM("b") "}",
		"", 0, 0, 8, NULL},
	    {EVENT("ADDED", "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{}}"), "", 0,
		0, 1, NULL},
	    /* Tables; a kind of somebody's own that is called so, too. */
	    {EVENT("ADDED", TABLE(META, ROW("a"))), EVENT("ADDED", TABLE(META, ROW("a"))) "\n", 1,
		0, 0, NULL},
	    {EVENT("ADDED", TABLE(META, ROW("a") "," ROW("b"))), "", 0, 1, 0, NULL},
	    {EVENT("ADDED", TABLE(META, "")), "", 0, 0, 1, NULL},
	    {EVENT("ADDED", TABLE(META, ROW("a") ",{\"object\":{\"metadata\":{}}}")), "", 0, 0, 1,
		NULL},
	    {EVENT("ADDED", TABLE(META, "{\"cells\":[\"a\"]}")), "", 0, 0, 1, NULL},
	    {EVENT("BOOKMARK",
		 TABLE(META, "{\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}")),
		EVENT("BOOKMARK",
		    TABLE(META, "{\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}")) "\n",
		1, 0, 0, NULL},
	    {EVENT("BOOKMARK", TABLE(META, ROW("b"))), "", 0, 1, 0, NULL},
	    {EVENT("ADDED", TABLE("x.example/v1", ROW("a"))), "", 0, 0, 1, NULL},
	    {EVENT("ADDED", "{\"rows\":[1],\"kind\":\"Table\",\"apiVersion\":\"x/"
			    "v1\",\"metadata\":{\"name\":\"a\"}}"),
		EVENT("ADDED",
		    "{\"rows\":[1],\"kind\":\"Table\",\"apiVersion\":\"x/v1\",\"metadata\":"
		    "{\"name\":\"a\"}}") "\n",
		1, 0, 0, NULL},
	    {"\n \r\n", "", 0, 0, 0, NULL},
	    {"[]", NULL, 0, 0, 0, "begin"},
	    {EVENT("ADDED", ITEM("a")) ",", NULL, 0, 0, 0, "begin"},
	    {"{\"type\":\"ADDED\"", NULL, 0, 0, 0, "not complete"},
	};
	CHECK(FILTER_WATCH, rows);
}

/* An item that is too large is passed over as it comes, and the next is read. */
static void test_too_large(void **state)
{
	(void)state;
	struct buf in = {0};
	struct filter_result result;
	buf_append_text(&in, "{\"items\":[{\"metadata\":{\"name\":\"a\"},\"x\":\"");
	for (size_t i = 0; i < 100000; i++)
		buf_append_text(&in, "\\\"{[");
	buf_append_text(&in, "\"}," ITEM("a") "]}");
	for (size_t step = 1000; step < 100000; step *= 10) {
		assert_true(run(FILTER_LIST, in.data, in.len, step, 4096, &result));
		assert_string_equal(buf_text(&out), "{\"items\":[" ITEM("a") "]}");
		assert_int_equal(result.unreadable, 1);
	}
	assert_false(run(FILTER_LIST, in.data + 10, in.len - 12, 1000, 4096, &result));
	assert_non_null(strstr(result.problem, "filtered_object"));
	buf_free(&in);
}

/* How long something may be does not depend on the pieces in which it comes. */
static void test_limits_are_exact(void **state)
{
	(void)state;
	static const struct {
		enum filter_body body;
		const char *begin, *what, *end; /* `what` is as long as may be */
		bool is_part; /* without it all ends */
	} rows[] = {
	    {FILTER_LIST, "{\"items\":[", ITEM("a"), "," ITEM("ab") "]}", false},
	    {FILTER_LIST, "{\"items\":[   ", ITEM("a"), "]}", false},
	    {FILTER_WATCH, "", EVENT("ADDED", ITEM("a")), "\n", false},
	    {FILTER_LIST, "{\"items\":[],", "\"apiVersion\"", ":1}", true},
	    {FILTER_LIST, "{\"items\":[],\"metadata\":", "{\"selfLink\":\"aaaaaaaaaa\"}", "}",
		true},
	    {FILTER_LIST, "", ITEM("a"), "", true},
	    {FILTER_LIST, "", "{\"kind\":\"PodList\",\"items\":", "[]}", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf in = {0};
		struct filter_result result;
		size_t len = strlen(rows[i].what);
		buf_printf(&in, "%s%s%s", rows[i].begin, rows[i].what, rows[i].end);
		for (size_t step = 1; step <= in.len; step++) {
			assert_true(run(rows[i].body, in.data, in.len, step, len, &result));
			assert_true(
			    rows[i].is_part || strstr(buf_text(&out), rows[i].what) != NULL);
			bool is_sound = run(rows[i].body, in.data, in.len, step, len - 2, &result);
			assert_int_equal(is_sound, !rows[i].is_part);
			assert_null(strstr(buf_text(&out), rows[i].what));
			assert_true(rows[i].is_part || result.unreadable >= 1);
		}
		buf_free(&in);
	}
}

/* An item that is nested deeper than API servers take is left out alone. */
static void test_too_deep(void **state)
{
	(void)state;
	struct buf in = {0};
	struct filter_result result;
	for (size_t depth = 9000; depth <= 11000; depth += 2000) {
		buf_clear(&in);
		buf_append_text(&in, "{\"items\":[{\"metadata\":{\"name\":\"a\"},\"x\":");
		for (size_t i = 0; i < depth; i++)
			buf_append_text(&in, "{\"y\":");
		buf_append_text(&in, "1");
		for (size_t i = 0; i < depth; i++)
			buf_append_char(&in, '}');
		buf_append_text(&in, "}," ITEM("a") "]}");
		assert_true(run(FILTER_LIST, in.data, in.len, 1000, ITEM_MAX, &result));
		bool is_deep = depth > 10000;
		assert_int_equal(result.passed, is_deep ? 1 : 2);
		assert_int_equal(result.unreadable, is_deep ? 1 : 0);
	}
	buf_free(&in);
}

/* The most that the filter held at any time. */
static size_t most_memory;

static void feed(struct filter *filter, const char *text, size_t len)
{
	const size_t read_bytes = 16384; /* as TLS and HTTP/2 bring them */
	for (size_t at = 0; at < len; at += read_bytes) {
		size_t piece = len - at < read_bytes ? len - at : read_bytes;
		assert_true(filter_feed(filter, (const uint8_t *)text + at, piece));
		if (filter_memory(filter) > most_memory)
			most_memory = filter_memory(filter);
		buf_clear(&out);
	}
}

static void test_memory(void **state)
{
	(void)state;
	const size_t largest = (size_t)1536 * 1024; /* what etcd takes */
	size_t total = (getenv("EKSGATE_LONG") != NULL ? 100u : 20u) * 1000 * 1000;
	struct filter_limits limits = {.item_max = 2 * largest};
	struct filter *filter =
	    filter_new(FILTER_LIST, "application/json", NULL, &limits, &events, NULL);
	struct buf item = {0};
	most_memory = 0;
	feed(filter, "{\"items\":[", 10);
	size_t fed = 0;
	for (size_t i = 0; fed < total; fed += item.len, i++) {
		buf_clear(&item);
		buf_printf(&item, "%s{\"metadata\":{\"name\":\"%s\"},\"data\":\"", i > 0 ? "," : "",
		    i % 3 == 0 ? "b" : "a");
		size_t len = i % 100 == 99 ? largest - 64 : 3000 + i % 7 * 1000;
		memset(buf_reserve(&item, len), 'x', len);
		buf_commit(&item, len);
		buf_append_text(&item, "\"}");
		feed(filter, item.data, item.len);
	}
	feed(filter, "]}", 2);
	assert_true(filter_end(filter));
	assert_int_equal(filter_result(filter)->unreadable, 0);
	assert_true(filter_result(filter)->dropped > 100);
	if (most_memory > largest + (size_t)256 * 1024)
		fail_msg("%zu bytes were held", most_memory);
	filter_free(&filter);
	buf_free(&item);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_items_that_cannot_be_read),
	    cmocka_unit_test(test_names_behind_escapes),
	    cmocka_unit_test(test_tables),
	    cmocka_unit_test(test_what_is_no_list),
	    cmocka_unit_test(test_documents_that_cannot_be_read),
	    cmocka_unit_test(test_watches),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_limits_are_exact),
	    cmocka_unit_test(test_too_deep),
	    cmocka_unit_test(test_memory),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_free(&out);
	return failed;
}
