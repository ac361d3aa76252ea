/* Strict JSON: what is a value and what is none, words behind escapes, and that a frame ends where
 * a value ends, in whatever pieces it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/filter/json_cursor.h"
#include "kubeproxyd/filter/json_frame.h"

static bool is_value(const char *text, size_t len)
{
	struct json_cursor cursor = {(const uint8_t *)text, (const uint8_t *)text + len};
	return cursor_read_value(&cursor) && cursor_is_at_end(&cursor);
}

static void test_values(void **state)
{
	(void)state;
	static const char *const good[] = {"0", "-0", "12.5e+3", "1E9", "true", "false", "null",
	    "\"\"", "\"a\\n\\u00e9\\\"\"", "[]", "{}", "[1,[2,{}],{\"a\":[]}]", " { \"a\" : 1 } ",
	    "{\"a\":{\"b\":{\"c\":[1,2]}},\"d\":null}", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
	    "\"\xed\x9f\xbf\xf4\x8f\xbf\xbf\"", "\"0123456789abcdef\\\\\"", "\"\\ud83d\"",
	    "{\"a\":1,\"a\":2}"};
	static const char *const bad[] = {"", " ", "01", "-", "1.", "1e", "+1", ".5", "tru", "nul",
	    "NaN", "True", "'a'", "\"", "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\\u123", "\"\n\"",
	    "\"\t\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"}", "{\"a\":}",
	    "{\"a\":1,}", "{,}", "{1:2}", "{\"a\":1]", "[1}", "{} {}", "1 2", "\"\x80\"",
	    "\"\xc0\x80\"", "\"\xe0\x80\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
	    "\"\xf5\x80\x80\x80\"", "\"\xc3\"", "\"\xe2\x82\"", "\"aaaaaaaaaaaaaaa\x01\"", "\v1",
	    "{\"a\" 1}", "\"\xc3(\"", "\"\xc1\xbf\"", "\"\xe2(\x82\"", "\"\xe2\x82(\"",
	    "\"\xf0(\x98\x80\"", "\"\xf0\x9f(\x80\"", "\"\xf0\x9f\x98(\"", "\"\xf0\x80\x80\x80\"",
	    "\"\xf0\x9f\x98\""};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (!is_value(good[i], strlen(good[i])))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (is_value(bad[i], strlen(bad[i])))
			fail_msg("taken: %s", bad[i]);
	}
	assert_false(is_value("\"a\0b\"", 5));
	assert_false(is_value("\0", 1));
}

static void test_depth(void **state)
{
	(void)state;
	size_t most = JSON_DEPTH_MAX;
	char *text = malloc(2 * most + 2);
	assert_non_null(text);
	for (size_t depth = most; depth <= most + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		/* The innermost is empty, and needs no room of its own. */
		assert_int_equal(is_value(text, 2 * depth), depth <= most + 1);
	}
	memset(text, '[', most + 1);
	text[most + 1] = '1';
	memset(text + most + 2, ']', most);
	assert_false(is_value(text, 2 * most + 2));
	free(text);
}

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *json, *text; /* NULL: it is no word */
	} rows[] = {
	    {"\"name\"", "name"},
	    {"\"n\\u0061me\"", "name"},
	    {"\"\\u006e\\u0061\\u006D\\u0065\"", "name"},
	    {"\"a\\/b\\\\c\\\"\\b\\f\\n\\r\\t\"", "a/b\\c\"\b\f\n\r\t"},
	    {"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
	    {"\"\\ud83d\"", NULL},
	    {"\"\\ude00\"", NULL},
	    {"\"\\ud83d\\u0041\"", NULL},
	    {"\"\\ud83dxxxxxx\"", NULL},
	    {"\"name\\u0000\"", NULL},
	    {"\"0123456789abcdefx\"", NULL},
	    {"\"0123456789abcde\\u0066x\"", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const uint8_t *bytes = (const uint8_t *)rows[i].json;
		struct json_cursor cursor = {bytes, bytes + strlen(rows[i].json)};
		struct cursor_text text;
		char copy[17];
		assert_true(cursor_read_string(&cursor, &text));
		assert_int_equal(cursor_text_copy(&text, copy, sizeof copy), rows[i].text != NULL);
		if (rows[i].text != NULL)
			assert_string_equal(copy, rows[i].text);
		assert_int_equal(cursor_text_is(&text, "name"),
		    rows[i].text != NULL && strcmp(rows[i].text, "name") == 0);
	}
}

/* Where the first value ends when it comes in two pieces. */
static size_t frame_in_two(const char *text, size_t cut)
{
	struct json_frame frame = {0};
	const uint8_t *bytes = (const uint8_t *)text;
	size_t used, more;
	if (json_frame_feed(&frame, bytes, cut, &used))
		return used;
	assert_int_equal(used, cut);
	if (json_frame_feed(&frame, bytes + cut, strlen(text) - cut, &more))
		return cut + more;
	return SIZE_MAX;
}

static void test_frames(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t end; /* SIZE_MAX: it goes on */
	} rows[] = {
	    {"{} ", 2},
	    {"{\"a\":\"}\\\"]\",\"b\":[{}]},{", 21},
	    {"\"0123456789abcdefghij\\\\\"x", 24},
	    {"\"\\\"\",", 4},
	    {"12,", 2},
	    {"true]", 4},
	    {"null}", 4},
	    {"1 ", 1},
	    {"12", SIZE_MAX},
	    {"[[]", SIZE_MAX},
	    {"{\"a", SIZE_MAX},
	    {"\"a\\\"", SIZE_MAX},
	    {"[}x", 2},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t cut = 0; cut <= strlen(rows[i].text); cut++) {
			if (frame_in_two(rows[i].text, cut) != rows[i].end)
				fail_msg("%s, cut at %zu: %zu", rows[i].text, cut,
				    frame_in_two(rows[i].text, cut));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
