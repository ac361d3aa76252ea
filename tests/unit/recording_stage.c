/* Recordings in a directory of their own, and what is told of them. */
#include "tests/unit/recording_stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/mono.h"
#include "common/xmem.h"

char directory[64];
char *path;
struct loop *loop;
struct metrics *metrics;
struct settings settings;
struct recordings *recordings;
char *failure, *refusal, *ending;
bool is_open;
int drains, endings;

int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/eksgate-recording-XXXXXX");
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/kept", directory);
	settings.proxy.recording = (struct recording_settings){.directory = path};
	loop = loop_new();
	metrics = metrics_new();
	struct recordings_options options = {
	    .loop = loop, .metrics = metrics, .settings = &settings, .instance = "main"};
	recordings = recordings_new(&options);
	is_open = false;
	drains = endings = 0;
	return 0;
}

int tear_down(void **state)
{
	(void)state;
	recordings_free(&recordings);
	loop_free(&loop);
	metrics_free(&metrics);
	xfree(&failure);
	xfree(&refusal);
	xfree(&ending);
	char *command = xasprintf("rm -rf %s", directory);
	assert_int_equal(system(command), 0);
	free(command);
	free(path);
	return 0;
}

/* --- helpers --------------------------------------------------------------------------------- */

char *file_of(const char *name)
{
	return xasprintf("%s/%s", path, name);
}

/* NULL: there is none. Borrowed until the next call. */
const char *text_of(const char *name)
{
	static char text[4 * 1024 * 1024];
	char *file = file_of(name);
	FILE *stream = fopen(file, "r");
	free(file);
	if (stream == NULL)
		return NULL;
	text[fread(text, 1, sizeof text - 1, stream)] = '\0';
	fclose(stream);
	return text;
}

void write_file(const char *name, const char *text, int64_t seconds)
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

size_t count_files(void)
{
	size_t count = 0;
	DIR *open = opendir(path);
	for (struct dirent *entry; (entry = readdir(open)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(open);
	return count;
}

static void on_open(void *arg, const char *problem)
{
	(void)arg;
	is_open = problem == NULL;
	free(refusal);
	refusal = xstrdup_or_null(problem);
}

static void on_failed(void *arg, const char *problem)
{
	(void)arg;
	assert_null(failure);
	failure = xstrdup(problem);
}

static void on_drain(void *arg)
{
	(void)arg;
	drains++;
}

static void on_ended(void *arg, const char *problem)
{
	(void)arg;
	endings++;
	free(ending);
	ending = xstrdup_or_null(problem);
}

const struct recording_events events = {on_open, on_failed, on_drain};

/* All jobs are done, and told. */
void wait_for_disk(void)
{
	assert_true(recordings_settle(recordings, duration_seconds(30)));
}

struct recording *begin(const char *id)
{
	is_open = false;
	struct recording *recording = recording_open(recordings, id, &events, NULL);
	assert_false(is_open);
	wait_for_disk();
	if (!is_open)
		fail_msg("%s", refusal);
	struct cast_about about = {.session = id, .kind = "exec", .user = "alice", .started = {1}};
	recording_begin(recording, &about);
	recording_tick(recording); /* the first look leaves all as it is */
	return recording;
}

/* As each second. */
void flush(struct recording *recording)
{
	recording_tick(recording);
	wait_for_disk();
}

void finish(struct recording **recording)
{
	recording_finish(recording, "done", on_ended, NULL);
	assert_null(*recording);
}

bool say(struct recording *recording, const char *text)
{
	return recording_add(recording, REMOTE_STDOUT, (const uint8_t *)text, strlen(text), true);
}

/* Everything is on the disk, however long that takes. */
void settle(void)
{
	wait_for_disk();
	recordings_free(&recordings);
	struct recordings_options options = {
	    .loop = loop, .metrics = metrics, .settings = &settings, .instance = "main"};
	recordings = recordings_new(&options);
}

void assert_failures(int count)
{
	struct buf text = {0};
	metrics_write(metrics, &text);
	char *line = xasprintf("eksgate_recording_failures_total{kind=\"write\"} %d\n", count);
	if (strstr(buf_text(&text), line) == NULL)
		fail_msg("%s", buf_text(&text));
	free(line);
	buf_free(&text);
}

bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

void limit_files(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void assert_no_recording(const char *says)
{
	(void)!recording_open(recordings, ID("1"), &events, NULL);
	wait_for_disk();
	assert_false(is_open);
	if (strstr(refusal, says) == NULL)
		fail_msg("%s", refusal);
}
