/* Recordings as they are read: header, events, what is passed over and how that is told, and that
 * the pieces in which bytes come do not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/record/cast_reader.h"

#define HEADER "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1700000000}\n"

/* What is read, a line for each item. */
static void describe(const struct cast_item *item, enum cast_kind kind, struct buf *out)
{
	if (kind == CAST_HEADER)
		buf_printf(out, "%zu header %dx%d %ld\n", item->line, (int)item->header.width,
		    (int)item->header.height, (long)item->header.timestamp);
	else if (kind == CAST_EVENT)
		buf_printf(out, "%zu %c %ld %zu:%.10s\n", item->line, item->event.code,
		    (long)item->event.at_us, item->event.len, item->event.text);
	else if (kind == CAST_FAULT)
		buf_printf(out, "%zu:%zu %s%s\n", item->line, item->column,
		    item->is_torn ? "torn: " : "", item->fault);
}

static char *read_in_pieces(const char *text, size_t len, size_t piece)
{
	struct cast_reader *reader = cast_reader_new();
	struct buf out = {0};
	struct cast_item item;
	size_t at = 0;
	enum cast_kind kind;
	while ((kind = cast_reader_next(reader, &item)) != CAST_END) {
		describe(&item, kind, &out);
		if (kind != CAST_NEEDS_MORE)
			continue;
		size_t count = len - at < piece ? len - at : piece;
		cast_reader_add(reader, text + at, count);
		at += count;
		if (at == len)
			cast_reader_end(reader);
	}
	cast_reader_free(&reader);
	return buf_take(&out);
}

static void check(const char *text, size_t len, const char *expected)
{
	static const size_t pieces[] = {1, 2, 7, 64, 4096, CAST_LINE_MAX};
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		if (pieces[i] < 64 && len > CAST_LINE_MAX / 2)
			continue;
		char *got = read_in_pieces(text, len, pieces[i]);
		assert_string_equal(got, expected);
		free(got);
	}
}

static void test_reads(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} rows[] = {
	    {HEADER "[0.5,\"o\",\"a\\u001b[1m\"]\n[1,\"r\",\"100x40\"]\n\n[1.000001,\"m\",\"exit "
		    "0\"]\n",
		"1 header 80x24 1700000000\n2 o 500000 5:a\x1b[1m\n3 r 1000000 6:100x40\n"
		"5 m 1000001 6:exit 0\n"},
	    /* Whole, but for its end. */
	    {HEADER "[0,\"o\",\"é\"]", "1 header 80x24 1700000000\n2 o 0 2:é\n"},
	    {HEADER "[0,\"o\",\"tor",
		"1 header 80x24 1700000000\n2:12 torn: a string does not end\n"},
	    {"", "1:1 the file is empty\n"},
	    {"[0,\"o\",\"x\"]\n[1,\"o\",\"y\"]\n",
		"1:1 no header of asciicast v2: {\"version\": 2, ...} was expected\n"},
	    {"{\"version\":1,\"width\":80,\"height\":24}\n",
		"1:1 a version of asciicast that is not 2\n"},
	    {"{\"version\":2,\"width\":0,\"height\":24}\n",
		"1:1 width and height must be from 1 to 65535\n"},
	    {"{\"version\":2,\"height\":24}\n", "1:1 width is missing\n"},
	    /* One bad line hides no other. */
	    {HEADER "[0,\"o\",\"a\"]\n[1,\"o\",}\n[2,\"o\",\"b\"]\n",
		"1 header 80x24 1700000000\n2 o 0 1:a\n3:8 a value was expected\n4 o 2000000 "
		"1:b\n"},
	    {HEADER "[-1,\"o\",\"a\"]\n[1e300,\"o\",\"a\"]\n[\"1\",\"o\",\"a\"]\n[1,\"oo\",\"a\"]"
		    "\n[1,\"o\"]\n{}\n",
		"1 header 80x24 1700000000\n"
		"2:2 the time must be seconds since the beginning\n"
		"3:2 the time must be seconds since the beginning\n"
		"4:2 the time must be seconds since the beginning\n"
		"5:1 code and text of an event must be strings, the code of one letter\n"
		"6:1 no event: [seconds, \"o\", \"text\"] was expected\n"
		"7:1 no event: [seconds, \"o\", \"text\"] was expected\n"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(rows[i].text, strlen(rows[i].text), rows[i].expected);
}

static void test_long_lines(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_append_text(&text, HEADER "[0,\"o\",\"");
	memset(buf_reserve(&text, CAST_LINE_MAX), 'x', CAST_LINE_MAX);
	buf_commit(&text, CAST_LINE_MAX);
	buf_append_text(&text, "\"]\n[1,\"o\",\"b\"]\n");
	check(buf_text(&text), text.len,
	    "1 header 80x24 1700000000\n2:1048576 the line is longer than 1 MiB\n3 o 1000000 "
	    "1:b\n");
	/* And without its end. */
	check(buf_text(&text), text.len - strlen("\n[1,\"o\",\"b\"]\n"),
	    "1 header 80x24 1700000000\n2:1048576 the line is longer than 1 MiB\n");
	buf_free(&text);
}

static void test_sizes(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "x", "80x", "x24", "80x24x", "80 x24", "0x24", "80x0",
	    "80x65536", "-1x2", "+80x24", "80X24", "99999999x1", "80x24 "};
	int64_t width, height;
	assert_true(cast_size_parse("101x33", 6, &width, &height));
	assert_int_equal(width, 101);
	assert_int_equal(height, 33);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (cast_size_parse(bad[i], strlen(bad[i]), &width, &height))
			fail_msg("\"%s\" is no size", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
