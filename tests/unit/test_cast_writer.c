/* What a recording says, to the letter: other programs play it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/xmem.h"
#include "kubeproxyd/record/cast_writer.h"

static struct buf out;
static struct cast_writer *writer;
static struct cast_about about = {
    .session = "11111111-2222-4333-8444-555555555555",
    .kind = "exec",
    .user = "al\"ice",
    .cluster = "prod",
    .arn = "arn:aws:eks:eu-west-1:111111111111:cluster/prod",
    .namespace = "web",
    .pod = "p",
    .command = "sh -c x",
    .client = "203.0.113.7",
    .instance = "main",
    .protocol = "websocket v5.channel.k8s.io",
    .mode = "strict",
    .started = {1700000000123},
};

#define HEADER(size)                                                                               \
	"{\"version\":2," size ",\"timestamp\":1700000000,"                                        \
	"\"title\":\"al\\\"ice: exec web/p in prod\",\"command\":\"sh -c x\",\"eksgate\":{"        \
	"\"session\":\"11111111-2222-4333-8444-555555555555\",\"kind\":\"exec\","                  \
	"\"user\":\"al\\\"ice\",\"cluster\":\"prod\","                                             \
	"\"arn\":\"arn:aws:eks:eu-west-1:111111111111:cluster/prod\",\"namespace\":\"web\","       \
	"\"pod\":\"p\",\"container\":\"\",\"client\":\"203.0.113.7\",\"instance\":\"main\","       \
	"\"protocol\":\"websocket v5.channel.k8s.io\",\"mode\":\"strict\"}}\n"
#define USUAL HEADER("\"width\":80,\"height\":24")

static void start(bool has_input)
{
	cast_writer_free(&writer);
	buf_clear(&out);
	about.has_input = has_input;
	writer = cast_writer_new(&about, &out);
}

static int set_up(void **state)
{
	(void)state;
	start(false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cast_writer_free(&writer);
	buf_free(&out);
	return 0;
}

static struct mono at_ms(int64_t ms)
{
	return (struct mono){ms * 1000000};
}

static void say(enum remote_stream stream, const char *text, int64_t ms)
{
	cast_writer_add(writer, stream, (const uint8_t *)text, strlen(text), true, at_ms(ms));
}

static void assert_text(const char *wanted)
{
	assert_string_equal(buf_text(&out), wanted);
}

static void test_a_session(void **state)
{
	(void)state;
	say(REMOTE_RESIZE, "{\"Width\":101,\"Height\":33}\n", 1);
	say(REMOTE_STDOUT, "$ \x1b[1m", 12);
	say(REMOTE_STDIN, "secret", 20);
	say(REMOTE_RESIZE, "{\"Width\":120,\"Height\":40}", 1234567);
	say(REMOTE_STDERR, "a\"b\\\r\n", 1234568);
	say(REMOTE_ERROR, "{\"metadata\":{},\"status\":\"Success\"}", 1234569);
	cast_writer_end(writer, "done", at_ms(1234570));
	assert_text(HEADER("\"width\":101,\"height\":33") //
	    "[0.012000,\"o\",\"$ \\u001b[1m\"]\n"
	    "[1234.567000,\"r\",\"120x40\"]\n"
	    "[1234.568000,\"o\",\"a\\\"b\\\\\\r\\n\"]\n"
	    "[1234.570000,\"m\",\"exit 0\"]\n");
	assert_string_equal(cast_writer_ending(writer), "exit 0");
}

static void test_input_when_asked(void **state)
{
	(void)state;
	start(true);
	say(REMOTE_STDIN, "ls\r", 5);
	cast_writer_end(writer, "the client closed the connection", at_ms(6));
	assert_text(USUAL "[0.005000,\"i\",\"ls\\r\"]\n"
			  "[0.006000,\"m\",\"ended: the client closed the connection\"]\n");
}

/* A terminal that tells no size, and one that tells it late. */
static void test_header_without_a_size(void **state)
{
	(void)state;
	cast_writer_begin(writer);
	cast_writer_begin(writer);
	say(REMOTE_RESIZE, "{\"Width\":100,\"Height\":30}", 7);
	assert_text(USUAL "[0.007000,\"r\",\"100x30\"]\n");
}

/* A shell says something before a client that is far away tells the size. */
static void test_output_before_the_size(void **state)
{
	(void)state;
	say(REMOTE_STDOUT, "$ ", 3);
	assert_text(USUAL "[0.003000,\"o\",\"$ \"]\n");
	say(REMOTE_RESIZE, "{\"Width\":100,\"Height\":30}{\"Width\":7,\"Height\":6}", 7);
	assert_text(HEADER("\"width\":100,\"height\":30") //
	    "[0.003000,\"o\",\"$ \"]\n"
	    "[0.007000,\"r\",\"7x6\"]\n");
}

static void test_bad_sizes(void **state)
{
	(void)state;
	static const char *const bad[] = {"{}", "{\"Width\":0,\"Height\":1}",
	    "{\"Width\":1,\"Height\":99999999}", "{\"Width\":\"1\",\"Height\":1}", "}}}}", "[1]}",
	    "{\"Width\":-1,\"Height\":-1}"};
	/* Sixteen times what is kept of one that does not end. */
	char *padding = xmalloc(4097);
	memset(padding, 'x', 4096);
	padding[4096] = '\0';
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		say(REMOTE_RESIZE, bad[i], 1);
	say(REMOTE_RESIZE, padding, 1);
	assert_text("");
	say(REMOTE_RESIZE, "{\"Width\":9,\"Height\":8}{\"Width\":7,\"Height\":6}", 2);
	assert_text(HEADER("\"width\":9,\"height\":8") "[0.002000,\"r\",\"7x6\"]\n");
	free(padding);
}

/* A character that two messages share stands in the second's event; what is none is U+FFFD. */
static void test_characters(void **state)
{
	(void)state;
	static const struct {
		const char *first, *second, *wanted;
	} rows[] = {{"a\xe2\x82", "\xac!", "[0.001000,\"o\",\"a\"]\n[0.002000,\"o\",\"€!\"]\n"},
	    {"\xf0\x9f\x98", "\x80", "[0.002000,\"o\",\"😀\"]\n"},
	    {"a\xe2\x82", "b", "[0.001000,\"o\",\"a\"]\n[0.002000,\"o\",\"\\ufffd\\ufffdb\"]\n"},
	    {"a\xff", "b", "[0.001000,\"o\",\"a\\ufffd\"]\n[0.002000,\"o\",\"b\"]\n"},
	    {"a\xe0\x80", "b", "[0.001000,\"o\",\"a\\ufffd\\ufffd\"]\n[0.002000,\"o\",\"b\"]\n"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(false);
		cast_writer_begin(writer);
		buf_clear(&out);
		say(REMOTE_STDOUT, rows[i].first, 1);
		say(REMOTE_STDOUT, rows[i].second, 2);
		assert_text(rows[i].wanted);
	}
	/* Each stream has its own. */
	start(false);
	say(REMOTE_STDOUT, "\xc3", 1);
	say(REMOTE_STDERR, "\xc3\xa4", 2);
	say(REMOTE_STDOUT, "\xbc", 3);
	say(REMOTE_STDOUT, "\xc3", 4);
	cast_writer_end(writer, "done", at_ms(5));
	assert_text(USUAL "[0.002000,\"o\",\"ä\"]\n[0.003000,\"o\",\"ü\"]\n"
			  "[0.005000,\"o\",\"\\ufffd\"]\n[0.005000,\"m\",\"ended: done\"]\n");
}

static void test_partial_tails(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t tail;
	} rows[] = {{"", 0}, {"a", 0}, {"\xc3", 1}, {"\xc3\xbc", 0}, {"\xe2\x82", 2},
	    {"\xe2\x82\xac", 0}, {"\xf0\x9f\x98", 3}, {"\xf0", 1}, {"\x80", 0}, {"\x80\x80\x80", 0},
	    {"\xed\xa0", 0}, {"\xf4\x90", 0}, {"\xf5", 0}, {"\xc1", 0}, {"\xe0\x9f", 0},
	    {"\xe0\xa0", 2}, {"\xc3\xbc\x80", 0}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (cast_partial_tail((const uint8_t *)rows[i].text, strlen(rows[i].text)) !=
		    rows[i].tail)
			fail_msg("row %zu", i);
}

static void test_endings(void **state)
{
	(void)state;
	static const struct {
		const char *status, *wanted;
	} rows[] = {
	    {"", "ended: client gone"},
	    {"{\"status\":\"Success\"}", "exit 0"},
	    {"{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"m\","
	     "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"137\"}]}}",
		"exit 137"},
	    {"{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"m\","
	     "\"details\":{\"causes\":[{\"message\":\"1\\n\"}]}}",
		"ended: m"},
	    {"{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"message\":\"m\","
	     "\"details\":{\"causes\":[]}}",
		"ended: m"},
	    {"{\"status\":\"Failure\",\"message\":\"not found\"}", "ended: not found"},
	    {"{\"status\":7}", "ended: {\"status\":7}"},
	    {"{\"status\":\"Failure\",\"details\":[]}",
		"ended: {\"status\":\"Failure\",\"details\":[]}"},
	    {"command terminated", "ended: command terminated"},
	    {"[]", "ended: []"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(false);
		say(REMOTE_ERROR, rows[i].status, 1);
		cast_writer_end(writer, "client gone", at_ms(2));
		assert_string_equal(cast_writer_ending(writer), rows[i].wanted);
	}
}

static size_t count_lines(void)
{
	size_t count = 0;
	for (size_t i = 0; i < out.len; i++)
		count += out.data[i] == '\n';
	return count;
}

/* Long messages become several events, and a Status without an end is no Status. */
static void test_long_messages(void **state)
{
	(void)state;
	char *text = xmalloc(100001);
	memset(text, 'x', 100000);
	text[100000] = '\0';
	for (size_t piece = 1; piece < 100000; piece = piece * 7 + 1) {
		start(false);
		for (size_t at = 0; at < 100000; at += piece)
			cast_writer_add(writer, REMOTE_STDOUT, (const uint8_t *)text + at,
			    100000 - at < piece ? 100000 - at : piece, at + piece >= 100000,
			    at_ms(1));
		assert_int_equal(count_lines(), 5);
	}
	say(REMOTE_ERROR, text, 1);
	cast_writer_end(writer, "done", at_ms(1));
	assert_string_equal(cast_writer_ending(writer), "ended: done");
	free(text);
}

static void test_time_does_not_run_backwards(void **state)
{
	(void)state;
	say(REMOTE_STDOUT, "a", 5);
	say(REMOTE_STDOUT, "b", 3);
	assert_text(USUAL "[0.005000,\"o\",\"a\"]\n[0.005000,\"o\",\"b\"]\n");
}

static void test_times(void **state)
{
	(void)state;
	static const struct {
		int64_t ns;
		const char *line;
	} rows[] = {
	    {0, "[0.000000,\"o\",\"x\"]\n"},
	    {999, "[0.000000,\"o\",\"x\"]\n"},
	    {1000, "[0.000001,\"o\",\"x\"]\n"},
	    {999999999, "[0.999999,\"o\",\"x\"]\n"},
	    {1000000000, "[1.000000,\"o\",\"x\"]\n"},
	    {86400012345678, "[86400.012345,\"o\",\"x\"]\n"},
	    {INT64_MAX, "[9223372036.854775,\"o\",\"x\"]\n"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_clear(&out);
		cast_write_event(&out, (struct mono){rows[i].ns}, 'o', "x", 1);
		assert_text(rows[i].line);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_session),
	    TEST(test_times),
	    TEST(test_input_when_asked),
	    TEST(test_header_without_a_size),
	    TEST(test_output_before_the_size),
	    TEST(test_bad_sizes),
	    TEST(test_characters),
	    TEST(test_partial_tails),
	    TEST(test_endings),
	    TEST(test_long_messages),
	    TEST(test_time_does_not_run_backwards),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
