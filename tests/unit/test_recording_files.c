/* The directory of recordings: what a crash and limits leave of its files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/record/recording_files.h"
#include "tests/unit/recording_stage.h"

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
	finish(&recording);
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

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void run_loop_for(struct duration time)
{
	struct timer *timer = timer_new(loop, stop_loop, loop);
	timer_set(timer, time);
	loop_run(loop);
	timer_free(&timer);
}

/* Nothing is recorded, and nothing begins or is set anew. */
static void test_what_grows_old_in_a_quiet_instance_goes(void **state)
{
	(void)state;
	settings.proxy.recording.max_age = duration_seconds(60);
	recordings_free(&recordings);
	struct recordings_options options = {.loop = loop,
	    .metrics = metrics,
	    .settings = &settings,
	    .instance = "main",
	    .sweep_every = duration_ms(20)};
	recordings = recordings_new(&options);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		write_file(ID("1") ".cast", "0123456789", 100);
		struct mono begin = mono_now();
		while (count_files() > 0 && mono_since(begin).ms < 5000)
			run_loop_for(duration_ms(5));
		assert_int_equal(count_files(), 0);
	}
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
	    TEST(test_abandoned_ones_are_ended),
	    TEST(test_a_long_abandoned_one),
	    TEST(test_new_ones_are_left_alone),
	    TEST(test_links_are_left_alone),
	    TEST(test_behind_zeros),
	    TEST(test_live_ones_are_left_alone),
	    TEST(test_the_oldest_go),
	    TEST(test_what_grows_old_in_a_quiet_instance_goes),
	    TEST(test_no_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
