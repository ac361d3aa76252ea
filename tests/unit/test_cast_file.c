/* Recordings in a directory: which there are, which one a beginning means, and what the two ends of
 * a file tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/record/cast_file.h"
#include "kubeproxyd/record/cast_reader.h"

#define HEADER "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1700000000}\n"

static char directory[] = "/tmp/test_cast_file.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static void remove_file(void *arg, const char *id, const char *path, bool is_part)
{
	(void)arg;
	(void)id;
	(void)is_part;
	(void)remove(path);
}

static int tear_down(void **state)
{
	char *error = NULL;
	(void)state;
	if (!cast_directory_each(directory, remove_file, NULL, &error))
		return -1;
	return rmdir(directory);
}

static char *write_file(const char *name, const char *text, size_t len)
{
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
	return path;
}

static void put(const char *name, const char *text)
{
	free(write_file(name, text, strlen(text)));
}

static void list(void *arg, const char *id, const char *path, bool is_part)
{
	assert_non_null(strstr(path, id));
	buf_printf(arg, "%s%s ", id, is_part ? "+" : "");
}

static void test_directory(void **state)
{
	(void)state;
	char *error = NULL;
	struct buf out = {0};
	put("aa11.cast", HEADER);
	put("aa22.cast.part", HEADER);
	put("bb.cast", HEADER);
	char *stray = write_file("cc.json", "x", 1);
	assert_true(cast_directory_each(directory, list, &out, &error));
	assert_int_equal(out.len, strlen("aa11 aa22+ bb "));
	assert_non_null(strstr(buf_text(&out), "aa22+ "));
	buf_free(&out);
	unlink(stray);
	free(stray);

	char *path = cast_directory_find(directory, "b", &error);
	assert_string_equal(path + strlen(directory), "/bb.cast");
	free(path);
	path = cast_directory_find(directory, "aa22", &error);
	assert_string_equal(path + strlen(directory), "/aa22.cast.part");
	free(path);
	assert_null(cast_directory_find(directory, "aa", &error));
	assert_non_null(strstr(error, "\"aa\" is the beginning of 2 recordings: aa"));
	xfree(&error);
	assert_null(cast_directory_find(directory, "zz", &error));
	assert_non_null(strstr(error, "no recording in"));
	xfree(&error);
	assert_true(cast_directory_each("/nonexistent", list, NULL, &error));
	assert_false(cast_directory_each("/dev/null", list, NULL, &error));
	free(error);
}

static void test_summaries(void **state)
{
	(void)state;
	static const struct {
		const char *text, *ending, *problem; /* behind the path */
		int64_t duration_us;
	} rows[] = {
	    {HEADER "[0.5,\"o\",\"a\"]\n[2,\"m\",\"exit 3\"]\n", "exit 3", NULL, 2000000},
	    {HEADER "[0.5,\"o\",\"a\"]\n[2,\"m\",\"ex", NULL, NULL, 500000},
	    {HEADER, NULL, NULL, 0},
	    {"", NULL, ":1:1: the file is empty", 0},
	    {HEADER "[1,\"o\",\"a\"]\n[1,\"o\"\n", NULL,
		": in its last line, at column 7: ',' or ']' was expected", 0},
	    {"{\"version\":2", NULL, ":1:13: ',' or '}' was expected", 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cast_summary summary;
		char *path = write_file("one.cast", rows[i].text, strlen(rows[i].text));
		cast_summary_read(path, &summary);
		assert_int_equal(summary.duration_us, rows[i].duration_us);
		assert_int_equal(summary.size, strlen(rows[i].text));
		if (rows[i].problem == NULL) {
			assert_null(summary.problem);
			assert_int_equal(summary.timestamp, 1700000000);
		} else {
			assert_string_equal(summary.problem + strlen(path), rows[i].problem);
		}
		if (rows[i].ending == NULL)
			assert_null(summary.ending);
		else
			assert_string_equal(summary.ending, rows[i].ending);
		cast_summary_free(&summary);
		free(path);
	}
}

/* Last lines longer than what is looked at first, and longer than any may be. */
static void test_long_last_lines(void **state)
{
	(void)state;
	static const size_t lengths[] = {4000, 5000, 100000, CAST_LINE_MAX - 100, CAST_LINE_MAX};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct cast_summary summary;
		struct buf text = {0};
		buf_append_text(&text, HEADER "[1,\"o\",\"a\"]\n[7,\"o\",\"");
		memset(buf_reserve(&text, lengths[i]), 'x', lengths[i]);
		buf_commit(&text, lengths[i]);
		buf_append_text(&text, "\"]\n");
		char *path = write_file("long.cast", buf_text(&text), text.len);
		cast_summary_read(path, &summary);
		if (lengths[i] == CAST_LINE_MAX) {
			assert_non_null(strstr(summary.problem, "longer than 1 MiB"));
		} else {
			assert_null(summary.problem);
			assert_int_equal(summary.duration_us, 7000000);
		}
		cast_summary_free(&summary);
		buf_free(&text);
		free(path);
	}
}

static void test_no_files(void **state)
{
	(void)state;
	struct cast_summary summary;
	char *fifo = xasprintf("%s/f.cast", directory);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	cast_summary_read(fifo, &summary);
	assert_string_equal(summary.problem + strlen(fifo), ": it is no file");
	cast_summary_free(&summary);
	cast_summary_read("/nonexistent.cast", &summary);
	assert_string_equal(summary.problem, "/nonexistent.cast: No such file or directory");
	cast_summary_free(&summary);
	free(fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_directory, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_summaries, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_long_last_lines, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_no_files, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
