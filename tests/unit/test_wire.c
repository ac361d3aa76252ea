/* The bounded reader and writer of headers, and the JSON of bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/json_text.h"
#include "proto/wire.h"

static void test_round_trip(void **state)
{
	(void)state;
	uint8_t bytes[17], three[3];
	struct wire_writer writer = {.data = bytes, .cap = 16};
	wire_write_u8(&writer, 0xfe);
	wire_write_u32(&writer, 0x01020304);
	wire_write_u64(&writer, UINT64_C(0xf0e0d0c0b0a09080));
	assert_false(wire_write_end(&writer));
	wire_write_bytes(&writer, "abc", 3);
	assert_true(wire_write_end(&writer));
	assert_memory_equal(bytes,
	    "\xfe\x01\x02\x03\x04\xf0\xe0\xd0\xc0\xb0\xa0\x90\x80"
	    "abc",
	    16);
	struct wire_reader reader = {.data = bytes, .len = 16};
	assert_int_equal(wire_read_u8(&reader), 0xfe);
	assert_int_equal(wire_read_u32(&reader), 0x01020304);
	assert_true(wire_read_u64(&reader) == UINT64_C(0xf0e0d0c0b0a09080));
	assert_false(wire_read_end(&reader));
	wire_read_bytes(&reader, three, 3);
	assert_memory_equal(three, "abc", 3);
	assert_true(wire_read_end(&reader));
}

static void test_bounds_are_sticky(void **state)
{
	(void)state;
	uint8_t bytes[6] = {1, 2, 3, 4, 5, 6};
	struct wire_reader reader = {.data = bytes, .len = 6};
	assert_true(wire_read_u64(&reader) == 0);
	assert_int_equal(wire_read_u8(&reader), 0);
	assert_false(wire_read_end(&reader));
	struct wire_writer writer = {.data = bytes, .cap = 6};
	wire_write_u32(&writer, 9);
	wire_write_u32(&writer, 9);
	wire_write_u8(&writer, 9);
	assert_int_equal(writer.len, 4);
	assert_int_equal(bytes[4], 5);
	assert_false(wire_write_end(&writer));
}

static char *write_and_read(const char *text, size_t len)
{
	struct json_writer writer = {0};
	json_write_string(&writer, text, len);
	struct json_reader reader = {.text = writer.data, .len = writer.len};
	char *value;
	size_t value_len;
	assert_true(json_read_string(&reader, &value, &value_len, 1000));
	assert_true(json_read_end(&reader));
	free(writer.data);
	return value;
}

static void test_strings_come_back(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "plain", "\"quoted\\ /", "\x01\x1f\x7f\t\r\n\b\f",
	    "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x9a\x80", "\xed\x9f\xbf\xee\x80\x80",
	    "\xf4\x8f\xbf\xbf"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char *back = write_and_read(texts[i], strlen(texts[i]));
		assert_string_equal(back, texts[i]);
		free(back);
	}
	char *back = write_and_read("a\xff"
				    "b\xc3",
	    4);
	assert_string_equal(back, "a?b?");
	free(back);
}

static void test_escapes_are_read(void **state)
{
	(void)state;
	static const char text[] =
	    "\"\\u0041\\u00fc\\u20ac\\ud83d\\ude80\\/\\b\\f\\n\\r\\t\\\\\\\"\"";
	struct json_reader reader = {.text = text, .len = strlen(text)};
	char *value;
	size_t len;
	assert_true(json_read_string(&reader, &value, &len, 100));
	assert_string_equal(value, "A\xc3\xbc\xe2\x82\xac\xf0\x9f\x9a\x80/\b\f\n\r\t\\\"");
	assert_int_equal(len, strlen(value));
	free(value);
}

static void test_good_values(void **state)
{
	(void)state;
	static const char *const texts[] = {"{}", "[]",
	    " { \"a\" : [ 1 , -0 , 1.5e-3 ] , \"b\":null}\n", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
	    "true", "false", "null", "0", "-12.0E+7", "\"\"", "{\"a\":{\"a\":{}},\"b\":[{},{}]}"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct json_reader reader = {.text = texts[i], .len = strlen(texts[i])};
		json_skip(&reader);
		if (!json_read_end(&reader))
			fail_msg("%s: %s", texts[i], reader.error);
	}
}

static void test_bad_values(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} rows[] = {
	    {"", "bad value"},
	    {"{", "string is expected"},
	    {"[1,]", "bad value"},
	    {"{\"a\":1,}", "string is expected"},
	    {"{\"a\" 1}", "':' is expected"},
	    {"{\"a\":1 \"b\":2}", "',' or '}' is expected"},
	    {"[1 2]", "',' or ']' is expected"},
	    {"{'a':1}", "string is expected"},
	    {"NaN", "bad value"},
	    {"Infinity", "bad value"},
	    {"-", "bad value"},
	    {"01", "bad value"},
	    {"+1", "bad value"},
	    {".5", "bad value"},
	    {"1.", "bad value"},
	    {"1e", "bad value"},
	    {"0x10", "more bytes"},
	    {"{} {}", "more bytes"},
	    {"[1]x", "more bytes"},
	    {"tru", "bad value"},
	    {"\"abc", "does not end"},
	    {"\"abc\\", "bad escape"},
	    {"\"\\x\"", "bad escape"},
	    {"\"\\u12\"", "bad \\u escape"},
	    {"\"\\u00zz\"", "bad \\u escape"},
	    {"\"\\u0000\"", "NUL"},
	    {"\"\\ud800\"", "surrogate"},
	    {"\"\\udc00\"", "surrogate"},
	    {"\"\\ud800\\u0041\"", "surrogate"},
	    {"\"a\nb\"", "control character"},
	    {"\"\xff\"", "not UTF-8"},
	    {"\"\xc0\x80\"", "not UTF-8"},
	    {"\"\xed\xa0\x80\"", "not UTF-8"},
	    {"\"\xe0\x80\x80\"", "not UTF-8"},
	    {"\"\xf4\x90\x80\x80\"", "not UTF-8"},
	    {"\"\xe2\x82\"", "not UTF-8"},
	    {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "too deep"},
	    {"// c\n1", "bad value"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct json_reader reader = {.text = rows[i].text, .len = strlen(rows[i].text)};
		json_skip(&reader);
		if (json_read_end(&reader) || strstr(reader.error, rows[i].error) == NULL ||
		    strstr(reader.error, " at byte ") == NULL)
			fail_msg("%s: \"%s\"", rows[i].text, reader.error);
	}
}

static void test_nul_is_no_end(void **state)
{
	(void)state;
	struct json_reader reader = {.text = "{}\0{}", .len = 5};
	json_skip(&reader);
	assert_false(json_read_end(&reader));
	struct json_reader inside = {.text = "[\0]", .len = 3};
	json_skip(&inside);
	assert_false(json_read_end(&inside));
}

static void test_integers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_good;
		int64_t value;
	} rows[] = {{"0", true, 0}, {"-7", true, -7}, {"9007199254740991", true, JSON_TEXT_INT_MAX},
	    {"-9007199254740991", true, -JSON_TEXT_INT_MAX}, {"9007199254740992", false, 0},
	    {"99999999999999999999999", false, 0}, {"1.0", false, 0}, {"1e3", false, 0},
	    {"\"1\"", false, 0}, {"null", false, 0}, {"", false, 0}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct json_reader reader = {.text = rows[i].text, .len = strlen(rows[i].text)};
		int64_t value;
		bool is_good = json_read_int(&reader, &value) && json_read_end(&reader);
		if (is_good != rows[i].is_good || (is_good && value != rows[i].value))
			fail_msg("%s: %s", rows[i].text, reader.error);
	}
}

static void test_string_limit(void **state)
{
	(void)state;
	static const char text[] = "\"abcd\\u20ac\"";
	for (size_t max = 0; max < 9; max++) {
		struct json_reader reader = {.text = text, .len = strlen(text)};
		char *value;
		size_t len;
		bool is_good = json_read_string(&reader, &value, &len, max);
		assert_int_equal(is_good, max >= 7);
		free(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_bounds_are_sticky),
	    cmocka_unit_test(test_strings_come_back),
	    cmocka_unit_test(test_escapes_are_read),
	    cmocka_unit_test(test_good_values),
	    cmocka_unit_test(test_bad_values),
	    cmocka_unit_test(test_nul_is_no_end),
	    cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_string_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
