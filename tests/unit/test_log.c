/* Log lines as they arrive on standard error, which is a file here. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/mono.h"

static int log_file, real_stderr;

static int open_log(void **state)
{
	(void)state;
	FILE *file = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	log_file = file != NULL ? dup(fileno(file)) : -1;
	return file == NULL || fclose(file) != 0 || dup2(log_file, STDERR_FILENO) < 0;
}

static int close_log(void **state)
{
	(void)state;
	log_set_waiting(NULL, NULL);
	return dup2(real_stderr, STDERR_FILENO) < 0 || close(real_stderr) != 0 ||
	       close(log_file) != 0;
}

/* What was written since the last look. */
static const char *seen(void)
{
	static char text[65536];
	ssize_t len = pread(log_file, text, sizeof text - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	assert_int_equal(ftruncate(log_file, 0), 0);
	lseek(log_file, 0, SEEK_SET);
	return text;
}

static void assert_line_is(const char *expected)
{
	const char *line = seen();
	struct unix_time at;
	char stamp[UNIX_TIME_TEXT] = "";
	assert_true(strlen(line) > 25);
	memcpy(stamp, line, 24);
	assert_true(unix_time_parse(stamp, &at));
	int64_t age = unix_now().ms - at.ms;
	assert_true(age >= 0 && age < 10000);
	assert_string_equal(line + 24, expected);
}

static void test_values_cannot_forge_a_line(void **state)
{
	(void)state;
	static const struct {
		const char *value, *written;
	} rows[] = {
	    {NULL, "-"},
	    {"", "\"\""},
	    {"plain/text-1:2", "plain/text-1:2"},
	    {"two words", "\"two words\""},
	    {"a=b", "\"a=b\""},
	    {"say \"no\"", "\"say \\\"no\\\"\""},
	    {"back\\slash", "\"back\\\\slash\""},
	    {"x\nlevel=error", "\"x\\nlevel=error\""},
	    {"\x1b[31m\r\t\x7f", "\"\\x1b[31m\\x0d\\x09\\x7f\""},
	    {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char expected[128];
		snprintf(expected, sizeof expected, " level=warn room=r event=e v=%s\n",
		    rows[i].written);
		log_warn("r", "e", LOG_S("v", rows[i].value));
		assert_line_is(expected);
	}
}

/* A value as it is written, byte by byte. */
static void write_slowly(char *at, const char *value)
{
	bool is_special = *value == '\0';
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++)
		is_special |= *c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c >= 0x7f;
	if (!is_special) {
		strcpy(at, value);
		return;
	}
	*at++ = '"';
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
		if (*c == '\n')
			at += sprintf(at, "\\n");
		else if (*c == '"' || *c == '\\')
			at += sprintf(at, "\\%c", *c);
		else if (*c < ' ' || *c == 0x7f)
			at += sprintf(at, "\\x%02x", *c);
		else
			*at++ = (char)*c;
	}
	strcpy(at, "\"");
}

static void assert_written_as_it_must_be(size_t len, size_t at, char c)
{
	char value[] = "0123456789abcdefghijklmnopqrstuvw", wanted[200] = " v=";
	value[len] = '\0';
	value[at] = c;
	write_slowly(wanted + strlen(wanted), value);
	log_warn("r", "e", LOG_S("v", value));
	const char *written = strstr(seen(), " v=");
	assert_non_null(written);
	assert_string_equal(written, strcat(wanted, "\n"));
}

/* They are looked for sixteen at a time: wherever one stands, the value is written as it must be.
 */
static void test_special_bytes_anywhere(void **state)
{
	(void)state;
	static const size_t lengths[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 33};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		for (size_t at = 0; at < lengths[i]; at++)
			for (unsigned c = 1; c < 256; c++)
				assert_written_as_it_must_be(lengths[i], at, (char)c);
	}
}

static void test_numbers_and_truth(void **state)
{
	(void)state;
	log_info("r", "e", LOG_I("zero", 0), LOG_I("min", INT64_MIN), LOG_I("max", INT64_MAX),
	    LOG_B("yes", true), LOG_B("no", false));
	assert_line_is(" level=info room=r event=e zero=0 min=-9223372036854775808 "
		       "max=9223372036854775807 yes=true no=false\n");
	log_debug("r", "below-the-level");
	assert_string_equal(seen(), "");
}

static void count_wait(void *arg)
{
	++*(int *)arg;
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;
	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

static void test_lines_wait_in_order(void **state)
{
	(void)state;
	int waits = 0;
	log_set_waiting(count_wait, &waits);
	log_info("r", "first");
	log_info("r", "second");
	assert_string_equal(seen(), "");
	assert_int_equal(waits, 1);
	log_flush();
	assert_int_equal(count_lines(seen()), 2);
	log_flush();
	assert_string_equal(seen(), "");
	log_info("r", "third");
	assert_int_equal(waits, 2);
	log_warn("r", "fourth");
	const char *text = seen();
	assert_int_equal(count_lines(text), 2);
	assert_true(strstr(text, "third") < strstr(text, "fourth"));
	log_info("r", "fifth");
	assert_int_equal(waits, 3);
	log_set_waiting(NULL, NULL);
	assert_int_equal(count_lines(seen()), 1);
}

static void log_a_kilobyte(void)
{
	char value[1001];
	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	log_info("r", "e", LOG_S("v", value));
}

static void test_whole_lines_leave_before_there_are_too_many(void **state)
{
	(void)state;
	int waits = 0;
	log_set_waiting(count_wait, &waits);
	for (int i = 0; i < 40; i++)
		log_a_kilobyte();
	const char *text = seen();
	size_t gone = count_lines(text);
	assert_true(gone >= 28 && gone <= 31);
	assert_int_equal(text[strlen(text) - 1], '\n');
	log_flush();
	assert_int_equal(count_lines(seen()), 40 - gone);
}

/* What others write into the same pipe must not come in between. */
static void test_a_pipe_gets_what_stays_together_there(void **state)
{
	(void)state;
	int waits = 0, ends[2];
	char text[16384];
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log_set_waiting(count_wait, &waits);
	for (int i = 0; i < 5; i++)
		log_a_kilobyte();
	ssize_t len = read(ends[0], text, sizeof text - 1);
	assert_true(len > 0 && len <= PIPE_BUF);
	text[len] = '\0';
	assert_int_equal(count_lines(text), 3);
	assert_int_equal(text[len - 1], '\n');
	log_set_waiting(NULL, NULL);
	assert_true(dup2(log_file, STDERR_FILENO) >= 0);
	assert_int_equal(close(ends[0]) + close(ends[1]), 0);
}

/* Neither does one get much that takes no more than fits. */
static void test_little_at_a_time_where_nothing_waits(void **state)
{
	(void)state;
	int waits = 0;
	assert_int_equal(fcntl(log_file, F_SETFL, O_NONBLOCK), 0);
	log_set_waiting(count_wait, &waits);
	for (int i = 0; i < 5; i++)
		log_a_kilobyte();
	assert_int_equal(count_lines(seen()), 3);
}

/* What a process said is there though it ended so. */
static void assert_last_words(void (*die)(void))
{
	int waits = 0, status = 0;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		log_set_waiting(count_wait, &waits);
		log_info("r", "last-words");
		die();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(seen(), "event=last-words\n"));
}

static void test_nothing_is_lost_when_the_process_aborts(void **state)
{
	(void)state;
	assert_last_words(abort);
}

static void be_killed(void)
{
	(void)kill(getpid(), SIGABRT);
}

/* As systemd does when the watchdog is not fed. */
static void test_a_signal_that_was_sent_ends_the_process(void **state)
{
	(void)state;
	assert_last_words(be_killed);
}

int main(void)
{
	unsetenv("JOURNAL_STREAM");
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_values_cannot_forge_a_line, open_log, close_log),
	    cmocka_unit_test_setup_teardown(test_special_bytes_anywhere, open_log, close_log),
	    cmocka_unit_test_setup_teardown(test_numbers_and_truth, open_log, close_log),
	    cmocka_unit_test_setup_teardown(test_lines_wait_in_order, open_log, close_log),
	    cmocka_unit_test_setup_teardown(
		test_whole_lines_leave_before_there_are_too_many, open_log, close_log),
	    cmocka_unit_test_setup_teardown(
		test_a_pipe_gets_what_stays_together_there, open_log, close_log),
	    cmocka_unit_test_setup_teardown(
		test_little_at_a_time_where_nothing_waits, open_log, close_log),
	    cmocka_unit_test_setup_teardown(
		test_nothing_is_lost_when_the_process_aborts, open_log, close_log),
	    cmocka_unit_test_setup_teardown(
		test_a_signal_that_was_sent_ends_the_process, open_log, close_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
