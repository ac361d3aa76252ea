/* Strict reading, typed getters and the canonical form of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/xmem.h"

static struct json_object *parse(const char *text)
{
	char error[JSON_ERROR_TEXT] = "";
	struct json_object *document = json_parse(text, strlen(text), error);
	if (document == NULL)
		fail_msg("%s: %s", text, error);
	return document;
}

static void assert_canonical(const char *text, const char *expected)
{
	struct buf out = {0};
	struct json_object *document = parse(text);
	json_write_canonical(&out, document);
	assert_string_equal(buf_text(&out), expected);
	json_object_put(document);
	struct json_object *again = parse(buf_text(&out));
	struct buf twice = {0};
	json_write_canonical(&twice, again);
	assert_string_equal(buf_text(&twice), expected);
	json_object_put(again);
	buf_free(&out);
	buf_free(&twice);
}

static void test_canonical_form(void **state)
{
	(void)state;
	assert_canonical(
	    " { \"b\" : [ 1 , true , null ] , \"a\" : { } } ", "{\"a\":{},\"b\":[1,true,null]}");
	assert_canonical("{\"ab\":1,\"a\":2,\"B\":3}", "{\"B\":3,\"a\":2,\"ab\":1}");
	assert_canonical(
	    "\"a/b \\/ \\u0041 \\u00e9 \\ud83d\\ude00\"", "\"a/b / A \xc3\xa9 \xf0\x9f\x98\x80\"");
	assert_canonical("\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\"",
	    "\"\\\"\\\\\\u0008\\u000c\\u000a\\u000d\\u0009\\u0000\"");
	assert_canonical("[0,-0,-1,9223372036854775807,-9223372036854775808,18446744073709551615]",
	    "[0,0,-1,9223372036854775807,-9223372036854775808,18446744073709551615]");
	assert_canonical("[1767323045.123,1e3,0.10,-0.0]", "[1767323045.123,1e3,0.10,-0.0]");
	assert_canonical("[]", "[]");
	assert_canonical("false", "false");
}

static void test_depth(void **state)
{
	(void)state;
	char text[2 * JSON_MAX_DEPTH + 3], error[JSON_ERROR_TEXT];
	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	struct json_object *document = json_parse(text, (size_t)2 * JSON_MAX_DEPTH, error);
	assert_non_null(document);
	json_object_put(document);
	memset(text, '[', JSON_MAX_DEPTH + 1);
	memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	assert_null(json_parse(text, (size_t)2 * JSON_MAX_DEPTH + 2, error));
	assert_string_equal(error, "nested too deeply (byte 32 of 66)");
}

static void test_bad_texts(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
	    {"", "the text ends too early (byte 0 of 0)"},
	    {"  ", "the text ends too early (byte 2 of 2)"},
	    {"null", "the document is null (byte 4 of 4)"},
	    {"{}x", "something follows the document (byte 2 of 3)"},
	    {"{} {}", "something follows the document (byte 3 of 5)"},
	    {"{'a':1}", "a string in double quotes was expected (byte 1 of 7)"},
	    {"{a:1}", "a string in double quotes was expected (byte 1 of 5)"},
	    {"{\"a\":1,}", "a string in double quotes was expected (byte 7 of 8)"},
	    {"{\"a\" 1}", "':' was expected (byte 5 of 7)"},
	    {"{\"a\":1 \"b\":2}", "',' or '}' was expected (byte 7 of 13)"},
	    {"{\"a\":}", "a value was expected (byte 5 of 6)"},
	    {"{\"a\":1", "',' or '}' was expected (byte 6 of 6)"},
	    {"{\"a\":1,\"a\":2}", "a key stands twice (byte 7 of 13)"},
	    {"{\"a\":1,\"\\u0061\":2}", "a key stands twice (byte 7 of 18)"},
	    {"{\"a\\u0000b\":1}", "a key holds a NUL (byte 1 of 14)"},
	    {"[1,]", "a value was expected (byte 3 of 4)"},
	    {"[1 2]", "',' or ']' was expected (byte 3 of 5)"},
	    {"[", "the text ends too early (byte 1 of 1)"},
	    {"[NaN]", "a value was expected (byte 1 of 5)"},
	    {"[Infinity]", "a value was expected (byte 1 of 10)"},
	    {"[nul]", "a value was expected (byte 1 of 5)"},
	    {"[TRUE]", "a value was expected (byte 1 of 6)"},
	    {"[truex]", "',' or ']' was expected (byte 5 of 7)"},
	    {"[01]", "a number must not start with 0 (byte 3 of 4)"},
	    {"[-]", "a digit was expected (byte 2 of 3)"},
	    {"[+1]", "a value was expected (byte 1 of 4)"},
	    {"[1.]", "a digit was expected (byte 3 of 4)"},
	    {"[.5]", "a value was expected (byte 1 of 4)"},
	    {"[1e]", "a digit was expected (byte 3 of 4)"},
	    {"[0x10]", "',' or ']' was expected (byte 2 of 6)"},
	    {"[18446744073709551616]", "a number is out of range (byte 1 of 22)"},
	    {"[-9223372036854775809]", "a number is out of range (byte 1 of 22)"},
	    {"[1e999]", "a number is out of range (byte 1 of 7)"},
	    {"[\"a]", "a string does not end (byte 4 of 4)"},
	    {"[\"a\nb\"]", "a control character in a string must be escaped (byte 3 of 7)"},
	    {"[\"\\x\"]", "unknown escape in a string (byte 3 of 6)"},
	    {"[\"\\u12g4\"]", "an escape \\u needs four hexadecimal digits (byte 6 of 10)"},
	    {"[\"\\ud800\"]", "a high surrogate stands alone (byte 8 of 10)"},
	    {"[\"\\ud800\\u0041\"]", "a high surrogate stands alone (byte 14 of 16)"},
	    {"[\"\\udc00\"]", "a low surrogate stands alone (byte 8 of 10)"},
	    {"[\"\xff\"]", "not UTF-8 (byte 2 of 5)"},
	    {"[\"\xc0\xaf\"]", "not UTF-8 (byte 2 of 6)"},
	    {"[\"\xed\xa0\x80\"]", "not UTF-8 (byte 2 of 7)"},
	    {"[\"\xf4\x90\x80\x80\"]", "not UTF-8 (byte 2 of 8)"},
	    {"[\"\xe2\x82\"]", "not UTF-8 (byte 2 of 6)"},
	    {"/* c */ {}", "a value was expected (byte 0 of 10)"},
	    {"\xef\xbb\xbf{}", "a value was expected (byte 0 of 5)"},
	    {"<html>", "a value was expected (byte 0 of 6)"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char error[JSON_ERROR_TEXT] = "";
		/* Exactly as long as the text, so that reading behind it is seen. */
		size_t len = strlen(rows[i].text);
		char *text = xmemdup(rows[i].text, len);
		assert_null(json_parse(text, len, error));
		assert_string_equal(error, rows[i].error);
		free(text);
	}
}

static void test_getters(void **state)
{
	(void)state;
	char error[JSON_ERROR_TEXT] = "";
	const char *text;
	int64_t number;
	struct json_object *found;
	struct json_object *object =
	    parse("{\"s\":\"text\",\"e\":\"\",\"n\":null,\"i\":-5,\"o\":{},"
		  "\"a\":[],\"z\":\"a\\u0000b\",\"big\":"
		  "18446744073709551615,\"d\":1.0}");
	assert_true(json_get_string(object, "spec", "s", &text, error));
	assert_string_equal(text, "text");
	assert_true(json_get_string(object, "spec", "e", &text, error));
	assert_string_equal(text, "");
	assert_true(json_get_optional_string(object, "spec", "n", &text, error));
	assert_null(text);
	assert_true(json_get_optional_string(object, "spec", "absent", &text, error));
	assert_null(text);
	assert_true(json_get_int(object, "", "i", &number, error));
	assert_int_equal(number, -5);
	assert_true(json_get_object(object, "", "o", &found, error));
	assert_true(json_get_array(object, "", "a", &found, error));
	json_add_string(object, "new", "x");
	json_add_string(object, "none", NULL);
	assert_true(json_get_string(object, "", "new", &text, error));
	assert_false(json_object_object_get_ex(object, "none", NULL));
	json_object_put(object);
}

static void test_getters_complain(void **state)
{
	(void)state;
	char error[JSON_ERROR_TEXT] = "";
	const char *text;
	int64_t number;
	struct json_object *found;
	struct json_object *object =
	    parse("{\"s\":\"text\",\"n\":null,\"i\":1,\"z\":\"a\\u0000b\",\"d\":1.5,"
		  "\"big\":18446744073709551615,\"list\":[]}");
	assert_false(json_get_string(object, "spec.aws", "region", &text, error));
	assert_string_equal(error, "spec.aws: region is missing");
	assert_false(json_get_string(object, "", "n", &text, error));
	assert_string_equal(error, "n is missing");
	assert_false(json_get_string(object, "spec", "i", &text, error));
	assert_string_equal(error, "spec: i is not a string");
	assert_false(json_get_optional_string(object, "spec", "list", &text, error));
	assert_string_equal(error, "spec: list is not a string");
	assert_false(json_get_string(object, "spec", "z", &text, error));
	assert_string_equal(error, "spec: z holds a NUL");
	assert_false(json_get_int(object, "spec", "d", &number, error));
	assert_string_equal(error, "spec: d is not an integer");
	assert_false(json_get_int(object, "spec", "s", &number, error));
	assert_false(json_get_int(object, "spec", "big", &number, error));
	assert_string_equal(error, "spec: big is out of range");
	assert_false(json_get_object(object, "spec", "list", &found, error));
	assert_string_equal(error, "spec: list is not an object");
	assert_false(json_get_array(object, "spec", "s", &found, error));
	assert_string_equal(error, "spec: s is not a list");
	assert_false(json_get_string(NULL, "spec", "s", &text, error));
	assert_string_equal(error, "spec is not an object");
	assert_false(json_get_string(NULL, "", "s", &text, error));
	assert_string_equal(error, "the document is not an object");
	json_object_put(object);
}

static void test_long_keys_do_not_overflow_messages(void **state)
{
	(void)state;
	char key[1000], error[JSON_ERROR_TEXT];
	const char *text;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	struct json_object *object = parse("{}");
	assert_false(json_get_string(object, "spec", key, &text, error));
	assert_int_equal(strlen(error), JSON_ERROR_TEXT - 1);
	json_object_put(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_canonical_form),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_bad_texts),
	    cmocka_unit_test(test_getters),
	    cmocka_unit_test(test_getters_complain),
	    cmocka_unit_test(test_long_keys_do_not_overflow_messages),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
