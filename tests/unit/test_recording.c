/* The files of recordings: who may look at them, what a crash, a full disk and limits leave of
 * them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/record/recording.h"
#include "kubeproxyd/record/recording_files.h"
#include "kubeproxyd/record/recordings.h"

#define ID(n) "00000000-0000-4000-8000-00000000000" n

static char directory[64];
static char *path;
static struct loop *loop;
static struct metrics *metrics;
static struct settings settings;
static struct recordings *recordings;
static const char *failure;

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/eksgate-recording-XXXXXX");
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/kept", directory);
	settings.proxy.recording = (struct recording_settings){.directory = path};
	loop = loop_new();
	metrics = metrics_new();
	struct recordings_options options = {loop, metrics, &settings, "main"};
	recordings = recordings_new(&options);
	failure = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	recordings_free(&recordings);
	loop_free(&loop);
	metrics_free(&metrics);
	char *command = xasprintf("rm -rf %s", directory);
	assert_int_equal(system(command), 0);
	free(command);
	free(path);
	return 0;
}

/* --- helpers --------------------------------------------------------------------------------- */

static char *file_of(const char *name)
{
	return xasprintf("%s/%s", path, name);
}

/* NULL: there is none. Borrowed until the next call. */
static const char *text_of(const char *name)
{
	static char text[65536];
	char *file = file_of(name);
	FILE *stream = fopen(file, "r");
	free(file);
	if (stream == NULL)
		return NULL;
	text[fread(text, 1, sizeof text - 1, stream)] = '\0';
	fclose(stream);
	return text;
}

static void write_file(const char *name, const char *text, int64_t seconds)
{
	char *file = file_of(name);
	FILE *stream = fopen(file, "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
	struct timespec times[] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
	free(file);
}

static size_t count_files(void)
{
	size_t count = 0;
	DIR *open = opendir(path);
	for (struct dirent *entry; (entry = readdir(open)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(open);
	return count;
}

static void on_failed(void *arg, const char *problem)
{
	(void)arg;
	failure = problem;
}

static struct recording *begin(const char *id)
{
	char *problem = NULL;
	struct recording *recording = recording_open(recordings, id, on_failed, NULL, &problem);
	if (recording == NULL)
		fail_msg("%s", problem);
	struct cast_about about = {.session = id, .kind = "exec", .user = "alice", .started = {1}};
	recording_begin(recording, &about);
	return recording;
}

static bool say(struct recording *recording, const char *text)
{
	return recording_add(recording, REMOTE_STDOUT, (const uint8_t *)text, strlen(text), true);
}

/* Everything is on the disk. */
static void settle(void)
{
	recordings_free(&recordings);
	struct recordings_options options = {loop, metrics, &settings, "main"};
	recordings = recordings_new(&options);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* --- one recording --------------------------------------------------------------------------- */

static void test_live_and_kept(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "hello"));
	assert_string_equal(text_of(ID("1") ".cast.part"), "");
	recording_flush(recording);
	assert_non_null(strstr(text_of(ID("1") ".cast.part"), "\"hello\"]\n"));
	char *file = file_of(ID("1") ".cast.part");
	struct stat status;
	assert_int_equal(stat(file, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	int other = open(file, O_RDONLY);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	close(other);
	free(file);
	recording_finish(&recording, "done");
	assert_null(recording);
	settle();
	assert_null(text_of(ID("1") ".cast.part"));
	assert_true(ends_with(text_of(ID("1") ".cast"), ",\"m\",\"ended: done\"]\n"));
}

static void test_a_silent_session_has_its_first_line(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	recording_flush(recording);
	assert_non_null(strstr(text_of(ID("1") ".cast.part"), "\"width\":80"));
	recording_finish(&recording, "done");
}

static void test_flushed_by_size(void **state)
{
	(void)state;
	char text[1025];
	memset(text, 'x', sizeof text);
	text[1024] = '\0';
	struct recording *recording = begin(ID("1"));
	for (int i = 0; i < 31; i++)
		assert_true(say(recording, text));
	assert_string_equal(text_of(ID("1") ".cast.part"), "");
	assert_true(say(recording, text));
	assert_true(ends_with(text_of(ID("1") ".cast.part"), "x\"]\n"));
	recording_finish(&recording, "done");
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void test_flushed_each_second(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "hello"));
	struct timer *timer = timer_new(loop, stop, NULL);
	timer_set(timer, duration_ms(1200));
	loop_run(loop);
	timer_free(&timer);
	assert_non_null(strstr(text_of(ID("1") ".cast.part"), "\"hello\"]\n"));
	recording_finish(&recording, "done");
}

/* Somebody deleted it: what is written would be lost, and a strict session must not go on. */
static void test_a_deleted_file(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	recording_flush(recording);
	assert_null(failure);
	char *file = file_of(ID("1") ".cast.part");
	assert_int_equal(unlink(file), 0);
	free(file);
	recording_flush(recording); /* though nothing waits */
	assert_non_null(failure);
	assert_non_null(strstr(failure, "the file was deleted"));
	assert_false(say(recording, "more"));
	recording_finish(&recording, "done");
	settle();
	assert_int_equal(count_files(), 0);
}

static void test_discarded(void **state)
{
	(void)state;
	char *problem = NULL;
	struct recording *recording =
	    recording_open(recordings, ID("1"), on_failed, NULL, &problem);
	assert_int_equal(count_files(), 1);
	recording_flush(recording);
	recording_discard(&recording);
	assert_int_equal(count_files(), 0);
}

static void test_longer_than_allowed(void **state)
{
	(void)state;
	char text[1025];
	memset(text, 'x', sizeof text);
	text[1024] = '\0';
	settings.proxy.recording.max_session_bytes = 40000;
	struct recording *recording = begin(ID("1"));
	int lines = 0;
	while (lines < 200 && say(recording, text))
		lines++;
	assert_in_range(lines, 30, 70);
	assert_non_null(strstr(recording_problem(recording), "max_session_bytes"));
	assert_false(say(recording, text));
	recording_finish(&recording, "done");
	settle();
	assert_in_range(strlen(text_of(ID("1") ".cast")), 38900, 40200);
	assert_non_null(
	    strstr(text_of(ID("1") ".cast"), ",\"m\",\"ended: its recording is as long as "));
}

/* A limit on files stands for a full disk; what was written stays whole. */
static void test_a_full_disk(void **state)
{
	(void)state;
	char text[1025];
	memset(text, 'x', sizeof text);
	text[1024] = '\0';
	signal(SIGXFSZ, SIG_IGN);
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "before"));
	recording_flush(recording);
	limit_files(5000);
	for (int i = 0; i < 10; i++)
		(void)!say(recording, text);
	assert_null(failure);
	recording_flush(recording);
	assert_non_null(failure);
	assert_non_null(strstr(failure, "File too large"));
	assert_ptr_equal(failure, recording_problem(recording));
	assert_false(say(recording, "behind"));
	recording_finish(&recording, "done");
	limit_files(RLIM_INFINITY);
	settle();
	const char *kept = text_of(ID("1") ".cast");
	assert_non_null(strstr(kept, "\"before\"]\n"));
	assert_true(ends_with(kept, "File too large (eksgate.proxy.recording)\"]\n"));
	assert_null(strstr(kept, "behind"));
}

/* Not even the first line could be written. */
static void test_a_disk_that_was_full_before(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "before"));
	limit_files(10);
	recording_flush(recording);
	limit_files(RLIM_INFINITY);
	assert_non_null(failure);
	recording_finish(&recording, "done");
	settle();
	const char *kept = text_of(ID("1") ".cast");
	assert_int_equal(strncmp(kept, "{\"version\":2,", 13), 0);
	assert_null(strstr(kept, "before"));
	assert_true(ends_with(kept, "(eksgate.proxy.recording)\"]\n"));
}

static void assert_no_recording(const char *says)
{
	char *problem = NULL;
	assert_null(recording_open(recordings, ID("1"), on_failed, NULL, &problem));
	if (strstr(problem, says) == NULL)
		fail_msg("%s", problem);
	free(problem);
}

static void test_where_none_can_be_made(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	assert_no_recording("must be this user's, mode 0700");
	assert_int_equal(chmod(path, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 1, 0), 0);
		assert_no_recording("must be this user's, mode 0700");
		assert_int_equal(chown(path, 0, 0), 0);
	}
	write_file(ID("1") ".cast.part", "", 1);
	assert_no_recording("File exists");
	char *file = file_of(ID("1") ".cast.part");
	unlink(file);
	free(file);
	assert_int_equal(rmdir(path), 0);
	int file_there = open(path, O_WRONLY | O_CREAT, 0600);
	close(file_there);
	assert_no_recording("Not a directory");
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
	assert_no_recording("No such file");
	assert_int_equal(mkdir(directory, 0700), 0);
}

/* --- what a crash left ----------------------------------------------------------------------- */

static struct recording_sweep sweep;

static void run_sweep(uint64_t max_bytes, int64_t max_age_seconds, int64_t now)
{
	sweep = (struct recording_sweep){
	    .path = path, .max_bytes = max_bytes, .max_age_seconds = max_age_seconds, .now = now};
	recording_sweep_run(&sweep);
}

#define HEAD   "{\"version\":2}\n"
#define MARKER "\"m\",\"ended: the proxy stopped\"]\n"

static void test_abandoned_ones_are_ended(void **state)
{
	(void)state;
	static const struct {
		const char *part, *cast;
	} rows[] = {
	    {HEAD "[1.5,\"o\",\"a\"]\n", HEAD "[1.5,\"o\",\"a\"]\n[1.5," MARKER},
	    {HEAD "[1.5,\"o\",\"a\"]\n[2.25,\"o\",\"to", HEAD "[1.5,\"o\",\"a\"]\n[1.5," MARKER},
	    {HEAD, HEAD "[0.0," MARKER},
	    {HEAD "[7.0,\"m\",\"exit 0\"]\n", HEAD "[7.0,\"m\",\"exit 0\"]\n"},
	    {"{\"vers", NULL},
	    {"", NULL},
	};
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		write_file(ID("1") ".cast.part", rows[i].part, 1);
		run_sweep(0, 0, 1000);
		assert_null(text_of(ID("1") ".cast.part"));
		assert_int_equal(sweep.note_count, rows[i].cast != NULL);
		const char *kept = text_of(ID("1") ".cast");
		assert_true((kept == NULL) == (rows[i].cast == NULL));
		if (kept != NULL)
			assert_string_equal(kept, rows[i].cast);
		char *file = file_of(ID("1") ".cast");
		unlink(file);
		free(file);
	}
}

/* Behind more than is looked at. */
static void test_a_long_abandoned_one(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	char *file = file_of(ID("1") ".cast.part");
	FILE *stream = fopen(file, "w");
	for (int i = 0; i < 100000; i++)
		fprintf(stream, "[%d.0,\"o\",\"abc\"]\n", i);
	fputs("[100000.0,\"o\"", stream);
	fclose(stream);
	free(file);
	run_sweep(0, 0, 1000);
	assert_int_equal(sweep.note_count, 1);
	assert_int_equal(sweep.files, 1);
	char *command =
	    xasprintf("tail -2 %s/" ID(
			  "1") ".cast | tr -d '\\n' | grep -qxF '[99999.0,\"o\",\"abc\"][99999.0,"
			       "\"m\",\"ended: the proxy stopped\"]'",
		path);
	assert_int_equal(system(command), 0);
	free(command);
}

/* Another instance may be about to lock it. */
static void test_new_ones_are_left_alone(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(ID("1") ".cast.part", "", 1000);
	run_sweep(0, 0, 1030);
	assert_non_null(text_of(ID("1") ".cast.part"));
	run_sweep(0, 0, 1090);
	assert_null(text_of(ID("1") ".cast.part"));
	assert_int_equal(sweep.note_count, 0);
}

/* What lies elsewhere is neither cut nor counted. */
static void test_links_are_left_alone(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	write_file("target", "a line\nand more", 1);
	char *part = file_of(ID("1") ".cast.part"), *cast = file_of(ID("2") ".cast");
	assert_int_equal(symlink("target", part), 0);
	assert_int_equal(symlink("target", cast), 0);
	run_sweep(1, 1, 1000);
	assert_int_equal(sweep.note_count, 0);
	assert_int_equal(sweep.bytes, 0);
	assert_int_equal(count_files(), 3);
	assert_string_equal(text_of("target"), "a line\nand more");
	assert_no_recording("File exists"); /* nor written to */
	free(part);
	free(cast);
}

/* A loss of power can leave more zeros than are looked at at once. */
static void test_behind_zeros(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(ID("1") ".cast.part", HEAD "[1.5,\"o\",\"a\"]\n[2.25,\"o", 1);
	char *file = file_of(ID("1") ".cast.part");
	assert_int_equal(truncate(file, 1000000), 0);
	free(file);
	run_sweep(0, 0, 1000);
	assert_int_equal(sweep.note_count, 1);
	assert_string_equal(text_of(ID("1") ".cast"), HEAD "[1.5,\"o\",\"a\"]\n[1.5," MARKER);
}

static void test_live_ones_are_left_alone(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	run_sweep(1, 1, 4000000000);
	assert_int_equal(sweep.note_count, 0);
	assert_true(say(recording, "on"));
	recording_finish(&recording, "done");
	settle();
	assert_non_null(text_of(ID("1") ".cast"));
}

/* --- limits ---------------------------------------------------------------------------------- */

static void test_the_oldest_go(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(ID("1") ".cast", "0123456789", 100);
	write_file(ID("2") ".cast", "0123456789", 300);
	write_file(ID("3") ".cast", "0123456789", 200);
	write_file("other.cast", "0123456789", 1);
	write_file(ID("4") ".cast~", "0123456789", 1);
	run_sweep(30, 1000, 1000);
	assert_int_equal(sweep.note_count, 0);
	assert_int_equal(sweep.bytes, 30);
	run_sweep(25, 850, 1000);
	assert_int_equal(sweep.note_count, 1);
	assert_string_equal(sweep.notes[0].id, ID("1"));
	assert_int_equal(sweep.notes[0].deed, RECORDING_TOO_OLD);
	run_sweep(10, 0, 1000);
	assert_int_equal(sweep.note_count, 1);
	assert_string_equal(sweep.notes[0].id, ID("3"));
	assert_int_equal(sweep.notes[0].deed, RECORDING_TOO_MANY);
	assert_int_equal(sweep.files, 1);
	assert_int_equal(count_files(), 3);
}

static void test_no_directory(void **state)
{
	(void)state;
	run_sweep(1, 1, 1);
	assert_int_equal(sweep.error, ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_live_and_kept),
	    TEST(test_a_silent_session_has_its_first_line),
	    TEST(test_flushed_by_size),
	    TEST(test_flushed_each_second),
	    TEST(test_a_deleted_file),
	    TEST(test_discarded),
	    TEST(test_longer_than_allowed),
	    TEST(test_a_full_disk),
	    TEST(test_a_disk_that_was_full_before),
	    TEST(test_where_none_can_be_made),
	    TEST(test_abandoned_ones_are_ended),
	    TEST(test_a_long_abandoned_one),
	    TEST(test_new_ones_are_left_alone),
	    TEST(test_links_are_left_alone),
	    TEST(test_behind_zeros),
	    TEST(test_live_ones_are_left_alone),
	    TEST(test_the_oldest_go),
	    TEST(test_no_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
