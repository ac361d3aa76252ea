/* What people and programs see of a daemon's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/render.h"

static struct json_object *parse(const char *text)
{
	struct json_object *document = json_tokener_parse(text);
	assert_non_null(document);
	return document;
}

static void test_table(void **state)
{
	(void)state;
	static const struct render_column columns[] = {{"NAME", "metadata.name"},
	    {"ORIGIN", "metadata.labels.teleport.dev/origin"}, {"N", "n"}};
	struct json_object *items = parse(
	    "[{\"metadata\":{\"name\":\"prod\",\"labels\":{\"teleport.dev/origin\":\"cloud\"}},"
	    "\"n\":12},{\"metadata\":{\"name\":\"a\\u001b[31mé\"}}]");
	struct buf out = {0};
	render_table(&out, items, columns, 3);
	assert_string_equal(buf_text(&out), "NAME        ORIGIN  N\n"
					    "prod        cloud   12\n"
					    "a\\x1b[31mé  -       -\n");
	buf_free(&out);
	json_object_put(items);
}

/* C0, DEL and C1, which a terminal obeys in UTF-8 too; other characters stay. */
static void test_controls_are_harmless(void **state)
{
	(void)state;
	struct buf out = {0};
	render_text(&out, "a\x1b]0;b\a\x7f\xc2\x9b"
			  "2J\xc2\x85\xc2\xa0\xc3\x9b\n");
	assert_string_equal(
	    buf_text(&out), "a\\x1b]0;b\\x07\\x7f\\x9b2J\\x85\xc2\xa0\xc3\x9b\\x0a");
	buf_clear(&out);
	render_text(&out, "\x9b\xff\xc0\x80\xc3\xa9\xc2");
	assert_string_equal(buf_text(&out), "\\x9b\\xff\\xc0\\x80\xc3\xa9\\xc2");
	buf_clear(&out);
	render_lines(&out, "a\x1b\n\nb\r\n\xc2\x9b");
	assert_string_equal(buf_text(&out), "a\\x1b\n\nb\\x0d\n\\x9b");
	buf_free(&out);
}

static void test_controls_in_documents(void **state)
{
	(void)state;
	static const char raw[] = "{\"a\":\"b\\u001b\x7f\xc2\x9b\xc3\x9b\"}";
	struct json_object *document = parse(raw);
	struct buf json = {0}, yaml = {0};
	render_document(&json, document, RENDER_JSON);
	assert_string_equal(buf_text(&json), "{\n  \"a\":\"b\\u001b\\u007f\\u009b\xc3\x9b\"\n}\n");
	struct json_object *again = parse(buf_text(&json));
	assert_true(json_object_equal(document, again));
	render_document(&yaml, document, RENDER_YAML);
	assert_string_equal(buf_text(&yaml), "a: \"b\\u001b\\u007f\\u009b\xc3\x9b\"\n");
	/* What is not UTF-8, as the names of files may be, makes no document that others refuse. */
	json_object_object_add(document, "a", json_object_new_string("c\xff\xc2"));
	buf_clear(&json);
	buf_clear(&yaml);
	render_document(&json, document, RENDER_JSON);
	assert_string_equal(buf_text(&json), "{\n  \"a\":\"c\\ufffd\\ufffd\"\n}\n");
	render_document(&yaml, document, RENDER_YAML);
	assert_string_equal(buf_text(&yaml), "a: \"c\\ufffd\\ufffd\"\n");
	json_object_put(again);
	json_object_put(document);
	buf_free(&json);
	buf_free(&yaml);
}

static void test_yaml_keeps_types(void **state)
{
	(void)state;
	struct json_object *document =
	    parse("{\"a\":{\"yes\":\"yes\",\"n\":1,\"t\":true,\"e\":{},\"l\":[]},"
		  "\"items\":[{\"x\":\"1\",\"y\":null},[1,2],\"plain-text\",\"a: b\"]}");
	struct buf out = {0};
	render_document(&out, document, RENDER_YAML);
	assert_string_equal(buf_text(&out),
	    "a:\n  \"yes\": \"yes\"\n  \"n\": 1\n  t: true\n  e: { }\n  l: [ ]\n"
	    "items:\n  - x: \"1\"\n    \"y\": null\n  -\n    - 1\n    - 2\n"
	    "  - plain-text\n  - \"a: b\"\n");
	buf_free(&out);
	json_object_put(document);
}

static void test_formats(void **state)
{
	(void)state;
	enum render_format format = RENDER_JSON;
	assert_true(render_format_parse("text", &format));
	assert_int_equal(format, RENDER_TABLE);
	assert_true(render_format_parse("yaml", &format));
	assert_false(render_format_parse("xml", &format));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_controls_are_harmless),
	    cmocka_unit_test(test_controls_in_documents),
	    cmocka_unit_test(test_yaml_keeps_types),
	    cmocka_unit_test(test_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
