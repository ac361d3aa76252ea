/* Live recordings: who may look at them, what a full disk, a limit and a disk that hangs leave of
 * them. */
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/record/recording_queue.h"
#include "tests/unit/disk_hang.h"
#include "tests/unit/recording_stage.h"

static void test_live_and_kept(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "hello"));
	assert_string_equal(text_of(ID("1") ".cast.part"), "");
	flush(recording);
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
	finish(&recording);
	settle();
	assert_null(text_of(ID("1") ".cast.part"));
	assert_true(ends_with(text_of(ID("1") ".cast"), ",\"m\",\"ended: done\"]\n"));
	assert_int_equal(endings, 1);
	assert_null(ending);
}

static void test_a_silent_session_has_its_first_line(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	flush(recording);
	assert_non_null(strstr(text_of(ID("1") ".cast.part"), "\"width\":80"));
	finish(&recording);
}

/* What was said in the first second may have been said before the client told it. */
static void test_the_first_line_waits_for_a_size(void **state)
{
	(void)state;
	static const char size[] = "{\"Width\":101,\"Height\":33}";
	struct recording *recording = begin(ID("1"));
	assert_string_equal(text_of(ID("1") ".cast.part"), "");
	assert_true(say(recording, "hello"));
	assert_true(
	    recording_add(recording, REMOTE_RESIZE, (const uint8_t *)size, strlen(size), true));
	flush(recording);
	const char *text = text_of(ID("1") ".cast.part");
	assert_non_null(strstr(text, "{\"version\":2,\"width\":101,\"height\":33,"));
	assert_true(ends_with(text, "\"hello\"]\n"));
	assert_true(
	    recording_add(recording, REMOTE_RESIZE, (const uint8_t *)size, strlen(size), true));
	flush(recording);
	assert_true(ends_with(text_of(ID("1") ".cast.part"), "\"r\",\"101x33\"]\n"));
	finish(&recording);
}

/* Of characters. */
static const char *kilobyte(void)
{
	static char text[1025];
	memset(text, 'x', sizeof text - 1);
	return text;
}

static void test_flushed_by_size(void **state)
{
	(void)state;
	const char *text = kilobyte();
	struct recording *recording = begin(ID("1"));
	for (int i = 0; i < 251; i++)
		assert_true(say(recording, text));
	wait_for_disk();
	assert_string_equal(text_of(ID("1") ".cast.part"), "");
	assert_true(say(recording, text));
	wait_for_disk();
	assert_true(ends_with(text_of(ID("1") ".cast.part"), "x\"]\n"));
	finish(&recording);
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
	finish(&recording);
}

/* --- a disk that hangs ----------------------------------------------------------------------- */

/* From here on the disk is silent for longer than may be. */
static void await_timeout(void)
{
	settings.proxy.recording.write_timeout = duration_ms(1);
	while (recording_queue_silence(recordings_queue(recordings)).ms < 1)
		usleep(100);
}

/* What waits has a bound; nothing of it is lost. */
static void test_full_while_the_disk_hangs(void **state)
{
	(void)state;
	const char *text = kilobyte();
	struct recording *recording = begin(ID("1"));
	hang_disk(recordings);
	size_t lines = 0;
	for (; !recording_is_full(recording); lines++)
		assert_true(say(recording, text));
	assert_in_range(lines, 1000, 1030);
	recording_tick(recording);
	assert_int_equal(drains, 0);
	release_disk();
	wait_for_disk();
	assert_int_equal(drains, 1);
	assert_false(recording_is_full(recording));
	assert_true(say(recording, "the last"));
	finish(&recording);
	assert_int_equal(endings, 0);
	settle();
	assert_int_equal(endings, 1);
	assert_null(ending);
	const char *kept = text_of(ID("1") ".cast");
	size_t found = 0;
	for (const char *at = kept; (at = strstr(at, "x\"]\n")) != NULL; at++)
		found++;
	assert_int_equal(found, lines);
	assert_non_null(strstr(kept, "the last"));
}

/* All together have a bound, too: who has hardly said anything waits as well. */
static void test_full_together(void **state)
{
	(void)state;
	enum { COUNT = 140 };
	static char text[30 * 1024];
	memset(text, 'x', sizeof text - 1);
	struct recording *all[COUNT];
	for (int i = 0; i < COUNT; i++) {
		char *id = xasprintf("00000000-0000-4000-8000-%012d", i);
		all[i] = begin(id);
		free(id);
	}
	hang_disk(recordings);
	size_t said = 0;
	for (int i = 0; i < COUNT; i++)
		for (; !recording_is_full(all[i]); said += sizeof text)
			assert_true(say(all[i], text));
	assert_in_range(said, 64u << 20, 74u << 20);
	release_disk();
	wait_for_disk();
	assert_int_equal(drains, COUNT);
	for (int i = 0; i < COUNT; i++)
		finish(&all[i]);
	wait_for_disk();
	assert_int_equal(endings, COUNT);
}

/* It fails; what was said before reaches the file when the disk comes back. */
static void test_a_disk_that_stays_silent(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	hang_disk(recordings);
	assert_true(say(recording, "before"));
	recording_tick(recording);
	assert_true(say(recording, "then"));
	assert_null(failure);
	await_timeout();
	recording_tick(recording);
	assert_non_null(
	    strstr(failure, "the disk has not answered for 0 s (eksgate.proxy.recording."
			    "write_timeout)"));
	assert_false(say(recording, "behind"));
	finish(&recording);
	assert_int_equal(endings, 1);
	assert_string_equal(ending, failure);
	release_disk();
	settle();
	const char *kept = text_of(ID("1") ".cast");
	assert_non_null(strstr(kept, "\"before\"]\n"));
	assert_non_null(strstr(kept, "\"then\"]\n"));
	assert_null(strstr(kept, "behind"));
	assert_true(ends_with(kept, "(eksgate.proxy.recording.write_timeout)\"]\n"));
}

static void test_silent_at_the_end(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1")), *same = recording;
	hang_disk(recordings);
	assert_true(say(recording, "before"));
	finish(&recording);
	assert_int_equal(endings, 0);
	await_timeout();
	recording_tick(same);
	assert_int_equal(endings, 1);
	assert_non_null(strstr(ending, "has not answered"));
	release_disk();
	settle();
	assert_int_equal(endings, 1);
	/* The file says what was told of it, though the disk came back and took its end. */
	const char *kept = text_of(ID("1") ".cast");
	const char *end = strstr(kept, ",\"m\",\"ended: done\"]\n");
	assert_non_null(end);
	assert_non_null(strstr(end, ",\"m\",\"in part: its recording cannot be written to "));
	assert_true(ends_with(kept, "(eksgate.proxy.recording.write_timeout)\"]\n"));
}

static void test_silent_at_the_begin(void **state)
{
	(void)state;
	hang_disk(recordings);
	struct recording *recording = recording_open(recordings, ID("1"), &events, NULL);
	recording_tick(recording);
	assert_null(refusal);
	await_timeout();
	recording_tick(recording);
	assert_non_null(strstr(refusal, "a recording cannot be made in "));
	assert_non_null(strstr(refusal, "has not answered"));
	release_disk();
	wait_for_disk();
	assert_false(is_open);
	assert_int_equal(count_files(), 0);
}

/* The end does not wait for ever; the file is left as one that a crash left. */
static void test_silent_when_all_ends(void **state)
{
	(void)state;
	settings.proxy.recording.write_timeout = duration_ms(50);
	struct recording *recording = begin(ID("1"));
	hang_disk(recordings);
	assert_true(say(recording, "before"));
	finish(&recording);
	recordings_free(&recordings);
	assert_int_equal(endings, 1);
	assert_non_null(strstr(ending, "it did not answer before the proxy stopped"));
	assert_string_equal(text_of(ID("1") ".cast.part"), "");
	release_disk();
}

static void answer_too_late(void *arg, const char *problem)
{
	(void)arg;
	assert_non_null(strstr(problem, "it did not answer before the proxy stopped"));
	endings++;
	release_disk();
	usleep(50000);
}

/* It answers when it was given up: what the thread does then is told to nobody. */
static void test_answers_while_it_is_left(void **state)
{
	(void)state;
	settings.proxy.recording.write_timeout = duration_ms(50);
	struct recording *recording = begin(ID("1"));
	hang_disk(recordings);
	assert_true(say(recording, "before"));
	recording_finish(&recording, "done", answer_too_late, NULL);
	recordings_free(&recordings);
	assert_int_equal(endings, 1);
	assert_non_null(strstr(text_of(ID("1") ".cast.part"), "before"));
}

/* Somebody deleted it: what is written would be lost, and a strict session must not go on. */
static void test_a_deleted_file(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	flush(recording);
	assert_null(failure);
	char *file = file_of(ID("1") ".cast.part");
	assert_int_equal(unlink(file), 0);
	free(file);
	flush(recording); /* though nothing waits */
	assert_non_null(failure);
	assert_non_null(strstr(failure, "the file was deleted"));
	assert_false(say(recording, "more"));
	finish(&recording);
	assert_string_equal(ending, failure);
	settle();
	assert_int_equal(count_files(), 0);
	assert_failures(1);
}

static void test_discarded(void **state)
{
	(void)state;
	struct recording *recording = recording_open(recordings, ID("1"), &events, NULL);
	wait_for_disk();
	assert_int_equal(count_files(), 1);
	flush(recording);
	recording_discard(&recording);
	wait_for_disk();
	assert_int_equal(count_files(), 0);
	/* Nor does one that is given up before its file is there leave it. */
	recording = recording_open(recordings, ID("1"), &events, NULL);
	is_open = false;
	recording_discard(&recording);
	wait_for_disk();
	assert_false(is_open);
	assert_int_equal(count_files(), 0);
}

static void test_longer_than_allowed(void **state)
{
	(void)state;
	const char *text = kilobyte();
	settings.proxy.recording.max_session_bytes = 40000;
	struct recording *recording = begin(ID("1"));
	/* Whoever records waits where it could be too long, and knows of it before more is said. */
	int lines = 0;
	while (lines < 200 && say(recording, text)) {
		lines++;
		if (recording_is_full(recording))
			wait_for_disk();
		assert_false(recording_is_full(recording));
	}
	assert_in_range(lines, 37, 39);
	assert_non_null(strstr(failure, "max_session_bytes"));
	assert_string_equal(failure, recording_problem(recording));
	/* Though its session may last. */
	assert_in_range(strlen(text_of(ID("1") ".cast.part")), 38900, 40000);
	flush(recording);
	assert_false(say(recording, text));
	finish(&recording);
	settle();
	assert_in_range(strlen(text_of(ID("1") ".cast")), 38900, 40200);
	assert_non_null(
	    strstr(text_of(ID("1") ".cast"), ",\"m\",\"ended: its recording is as long as "));
}

/* What was said before its end is not kept in memory for as long as its session lasts. */
static void test_what_stopped_is_written(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "before"));
	recording_fail(recording, "protocol", "it cannot be read");
	assert_false(say(recording, "behind"));
	flush(recording);
	assert_true(ends_with(text_of(ID("1") ".cast.part"), "\"before\"]\n"));
	flush(recording);
	finish(&recording);
	settle();
	assert_true(ends_with(text_of(ID("1") ".cast"), ",\"m\",\"ended: it cannot be read\"]\n"));
}

/* Of a message that was not completed, too; none of it stands behind what could not be written. */
static void test_what_stopped_within_a_message(void **state)
{
	(void)state;
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "before"));
	assert_true(recording_add(recording, REMOTE_STDOUT, (const uint8_t *)"seen", 4, false));
	recording_fail(recording, "protocol", "it cannot be read");
	finish(&recording);
	wait_for_disk();
	recording = begin(ID("2"));
	assert_true(say(recording, "before"));
	flush(recording);
	assert_true(say(recording, kilobyte()));
	assert_true(recording_add(recording, REMOTE_STDOUT, (const uint8_t *)"lost", 4, false));
	signal(SIGXFSZ, SIG_IGN);
	limit_files(1000);
	flush(recording);
	assert_non_null(failure);
	limit_files(RLIM_INFINITY);
	finish(&recording);
	settle();
	const char *kept = strstr(text_of(ID("1") ".cast"), ",\"o\",\"seen\"]\n");
	assert_non_null(kept);
	assert_true(ends_with(kept, ",\"m\",\"ended: it cannot be read\"]\n"));
	kept = strstr(text_of(ID("2") ".cast"), "before");
	assert_non_null(kept);
	assert_null(strstr(kept, "lost"));
	assert_true(ends_with(kept, "File too large (eksgate.proxy.recording)\"]\n"));
}

/* A limit on files stands for a full disk; what was written stays whole. */
static void test_a_full_disk(void **state)
{
	(void)state;
	const char *text = kilobyte();
	signal(SIGXFSZ, SIG_IGN);
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "before"));
	flush(recording);
	limit_files(5000);
	for (int i = 0; i < 10; i++)
		(void)!say(recording, text);
	wait_for_disk();
	assert_null(failure);
	flush(recording);
	assert_non_null(failure);
	assert_non_null(strstr(failure, "File too large"));
	assert_string_equal(failure, recording_problem(recording));
	assert_false(say(recording, "behind"));
	finish(&recording);
	limit_files(RLIM_INFINITY);
	settle();
	const char *kept = text_of(ID("1") ".cast");
	assert_non_null(strstr(kept, "\"before\"]\n"));
	assert_true(ends_with(kept, "File too large (eksgate.proxy.recording)\"]\n"));
	assert_null(strstr(kept, "behind"));
}

/* Of many lines that are written together those that fit stay. */
static void test_a_disk_that_fills_up(void **state)
{
	(void)state;
	const char *text = kilobyte();
	signal(SIGXFSZ, SIG_IGN);
	struct recording *recording = begin(ID("1"));
	for (int i = 0; i < 100; i++)
		assert_true(say(recording, text));
	limit_files(50000);
	flush(recording);
	assert_non_null(failure);
	finish(&recording);
	wait_for_disk();
	limit_files(RLIM_INFINITY);
	settle();
	const char *kept = text_of(ID("1") ".cast");
	assert_in_range(strlen(kept), 40000, 43000);
	assert_true(ends_with(kept, "File too large (eksgate.proxy.recording)\"]\n"));
	assert_failures(1);
}

/* What is on its way when it ends fails, too: why it is not whole is said all the same. */
static void test_a_failure_behind_another(void **state)
{
	(void)state;
	const char *text = kilobyte();
	signal(SIGXFSZ, SIG_IGN);
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "before"));
	flush(recording);
	hang_disk(recordings);
	for (int i = 0; i < 10; i++)
		assert_true(say(recording, text));
	recording_tick(recording);
	recording_fail(recording, "protocol", "it cannot be read");
	finish(&recording);
	assert_string_equal(ending, "it cannot be read");
	limit_files(5000);
	release_disk();
	wait_for_disk();
	limit_files(RLIM_INFINITY);
	settle();
	assert_true(ends_with(text_of(ID("1") ".cast"), ",\"m\",\"ended: it cannot be read\"]\n"));
	assert_null(strstr(text_of(ID("1") ".cast"), "xxx"));
}

/* Not even the first line could be written. */
static void test_a_disk_that_was_full_before(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	struct recording *recording = begin(ID("1"));
	assert_true(say(recording, "before"));
	limit_files(10);
	flush(recording);
	limit_files(RLIM_INFINITY);
	assert_non_null(failure);
	finish(&recording);
	settle();
	const char *kept = text_of(ID("1") ".cast");
	assert_int_equal(strncmp(kept, "{\"version\":2,", 13), 0);
	assert_null(strstr(kept, "before"));
	assert_true(ends_with(kept, "(eksgate.proxy.recording)\"]\n"));
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_live_and_kept),
	    TEST(test_a_silent_session_has_its_first_line),
	    TEST(test_the_first_line_waits_for_a_size),
	    TEST(test_flushed_by_size),
	    TEST(test_flushed_each_second),
	    TEST(test_full_while_the_disk_hangs),
	    TEST(test_full_together),
	    TEST(test_a_disk_that_stays_silent),
	    TEST(test_silent_at_the_end),
	    TEST(test_silent_at_the_begin),
	    TEST(test_silent_when_all_ends),
	    TEST(test_answers_while_it_is_left),
	    TEST(test_a_deleted_file),
	    TEST(test_discarded),
	    TEST(test_longer_than_allowed),
	    TEST(test_what_stopped_is_written),
	    TEST(test_what_stopped_within_a_message),
	    TEST(test_a_full_disk),
	    TEST(test_a_disk_that_fills_up),
	    TEST(test_a_failure_behind_another),
	    TEST(test_a_disk_that_was_full_before),
	    TEST(test_where_none_can_be_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
