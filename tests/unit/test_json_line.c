/* What is written sixteen bytes at a time is what is written one by one, wherever something that is
 * no plain text stands in them, and is cut. Each text has memory of its own, for the sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/record/json_line.h"

static struct buf fast, slow, text;

static int tear_down(void **state)
{
	(void)state;
	buf_free(&fast);
	buf_free(&slow);
	buf_free(&text);
	return 0;
}

/* The rows of RFC 3629, 4: leads, what may follow at once, and how long it is then. */
static size_t character_at(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t len;
	} rows[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (*at < rows[i].first || *at > rows[i].last)
			continue;
		if (left < rows[i].len || at[1] < rows[i].low || at[1] > rows[i].high)
			return 0;
		for (size_t more = 2; more < rows[i].len; more++)
			if (at[more] < 0x80 || at[more] > 0xbf)
				return 0;
		return rows[i].len;
	}
	return 0;
}

static void write_byte(unsigned char c)
{
	static const char controls[] = "\b\t\n\f\r", letters[] = "btnfr";
	const char *found = c != '\0' ? strchr(controls, c) : NULL;
	if (found != NULL)
		buf_printf(&slow, "\\%c", letters[found - controls]);
	else if (c == '"' || c == '\\')
		buf_printf(&slow, "\\%c", c);
	else if (c < ' ' || c == 0x7f)
		buf_printf(&slow, "\\u%04x", c);
	else
		buf_append_char(&slow, (char)c);
}

static void write_slowly(const unsigned char *from, size_t len)
{
	buf_clear(&slow);
	buf_append_char(&slow, '"');
	for (size_t at = 0, step; at < len; at += step) {
		step = 1;
		if (from[at] < 0x80) {
			write_byte(from[at]);
			continue;
		}
		step = character_at(from + at, len - at);
		if (step > 0)
			buf_append(&slow, from + at, step);
		else
			buf_append_text(&slow, "\\ufffd");
		step += step == 0;
	}
	buf_append_char(&slow, '"');
}

static void assert_same(const char *data, size_t len)
{
	char *own = malloc(len > 0 ? len : 1);
	assert_non_null(own);
	memcpy(own, data, len);
	buf_clear(&fast);
	json_line_string(&fast, own, len);
	write_slowly((const unsigned char *)own, len);
	assert_int_equal(fast.len, slow.len);
	assert_memory_equal(fast.data, slow.data, slow.len);
	free(own);
}

/* `filler` again and again, whole ones, and no more than `len` bytes. */
static void fill(const char *filler, size_t len)
{
	for (size_t step = strlen(filler); len >= step; len -= step)
		buf_append(&text, filler, step);
	for (; len > 0; len--)
		buf_append_char(&text, '.');
}

#define BLOCK  16 /* bytes that are looked at together */
#define AROUND 40 /* enough for some of them, whatever stands before */

/* At each place of a block, behind and before text of one kind, and cut behind each byte. */
static void assert_everywhere(const char *odd, size_t len, const char *filler)
{
	for (size_t before = BLOCK; before <= 2 * BLOCK; before++) {
		for (size_t kept = 1; kept <= len; kept++) {
			buf_clear(&text);
			fill(filler, before);
			buf_append(&text, odd, kept);
			assert_same(text.data, text.len);
			fill(filler, AROUND);
			assert_same(text.data, text.len);
		}
	}
}

static const char *const fillers[] = {"x", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\x1b",
    "x\r\n", "\xed\x95\x9c", "\x1b[1m\xe2\x94\x80\"", "\xff"};

static void test_odd_bytes_everywhere(void **state)
{
	(void)state;
	static const char *const odd[] = {"\r\n", "\x1b[0m", "\"\\", "\x7f", "\xc3\xa9",
	    "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf",
	    "\x80", "\xbf\xbf", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xe0\xa0\x80",
	    "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80", "\xff\xfe", "\xe2\xe2\x82\xac", "\xf0\xf0\x9f\x98\x80",
	    "\xc3\xa9\xa9", "\xe2\x82\"", "\xf0\x9f\x98\x1b"};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		for (size_t kind = 0; kind < sizeof fillers / sizeof fillers[0]; kind++)
			assert_everywhere(odd[i], strlen(odd[i]), fillers[kind]);
}

/* All that a lead and a byte behind it can be, across the end of a block and within one. */
static void test_all_pairs(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 0x8000; pair++) {
		const char odd[] = {(char)(0x80 | pair >> 8), (char)pair, (char)0x80, (char)0x80};
		for (size_t before = 2 * BLOCK - 4; before <= 2 * BLOCK; before++) {
			buf_clear(&text);
			fill(before % 2 == 0 ? "\xc3\xa9" : "x", before);
			buf_append(&text, odd, 2 + pair % 3);
			fill("x", AROUND);
			assert_same(text.data, text.len);
		}
	}
}

/* Around the lengths at which it is written in another way or in pieces. */
static void test_all_lengths(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < sizeof fillers / sizeof fillers[0]; kind++) {
		buf_clear(&text);
		for (size_t step = strlen(fillers[kind]); text.len < 4300;)
			buf_append(&text, fillers[kind], step);
		for (size_t len = 0; len < 4300; len += len < 280 || len % 2048 > 2010 ? 1 : 251)
			assert_same(text.data, len);
		for (size_t begin = 1; begin < BLOCK; begin++)
			assert_same(text.data + begin, 2100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_odd_bytes_everywhere),
	    cmocka_unit_test(test_all_pairs),
	    cmocka_unit_test(test_all_lengths),
	};
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
