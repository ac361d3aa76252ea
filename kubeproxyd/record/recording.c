/* One live recording. Lines gather in memory while the thread writes those before them: one job at
 * a time, the next takes all that came meanwhile. They leave when they are FLUSH_BYTES, or a second
 * old, the first ones two. A line that a full disk cut is taken back, so that the file ends with a
 * whole one. What waits has a bound, which whoever records keeps: there are no more lines while it
 * is reached. Called by the exchange, by recordings.c each second, and when a job is done. */
#include "kubeproxyd/record/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/record/recording_files.h"
#include "kubeproxyd/record/recording_queue.h"
#include "kubeproxyd/record/recordings.h"

/* Long writes are cheap: a file system takes 256 KiB for two thirds of what eight of 32 KiB cost.
 */
#define FLUSH_BYTES ((size_t)256 * 1024)
/* Of one recording, in memory. */
#define WAITING_MAX ((size_t)1024 * 1024)
/* What an idle session keeps for its next lines. */
#define IDLE_BYTES ((size_t)4 * 1024)

enum phase {
	PHASE_OPENING, /* its file is made */
	PHASE_LIVE,
	PHASE_ENDING, /* the session is over, and its last line on its way */
	PHASE_DISCARDED,
};

/* What the thread has of it; the loop touches nothing here but while is_busy is false. */
struct task {
	struct recording_job job;
	char id[AUDIT_ID_TEXT];
	const char *path; /* of the directory */
	const char *what; /* is wrong with it, when errno says too little */
	int directory, file; /* -1: not open */
	struct buf lines;
	uint64_t at;
	size_t kept; /* of the lines, in the file */
	int error; /* errno, RECORDING_DELETED, 0: done */
};

struct recording {
	struct task task;
	bool is_busy;
	enum phase phase;
	struct recordings *recordings;
	struct recording_link link;
	const struct recording_events *events; /* NULL: nobody wants to know any more */
	void *arg;
	recording_ended_fn *on_ended; /* NULL: it is told, or the session lasts */
	void *ended_arg;
	struct cast_writer *writer; /* NULL before the tunnel is open */
	struct buf out;
	bool had_second; /* in which its client could tell a size, which stands in the first line */
	uint64_t bytes; /* in the file, whole lines */
	size_t counted; /* of what waits */
	struct mono began;
	char *problem;
	bool is_full; /* on_drain is owed */
	bool is_telling; /* whoever is told may end it: what is next waits until they are done */
	bool has_last_line; /* in its file or on the way there */
	bool says_problem; /* which says why it is not whole */
	bool is_last_try; /* that line is with the thread */
	bool is_broken; /* something could not be written */
};

static void go_on(struct recording *recording);

static struct mono time_of(const struct recording *recording)
{
	return (struct mono){mono_now().ns - recording->began.ns};
}

/* --- what waits ------------------------------------------------------------------------------ */

static size_t waiting(const struct recording *recording)
{
	return recording->out.len + (recording->is_busy ? recording->task.lines.len : 0);
}

static void count_waiting(struct recording *recording)
{
	recording_queue_count(
	    recordings_queue(recording->recordings), &recording->counted, waiting(recording));
}

static void note_full(struct recording *recording)
{
	count_waiting(recording);
	bool is_full = recording->counted >= WAITING_MAX ||
		       recording_queue_is_full(recordings_queue(recording->recordings));
	if (!is_full || recording->is_full)
		return;
	recording->is_full = true;
	recordings_note_full(recording->recordings, &recording->link, true);
}

/* --- failure --------------------------------------------------------------------------------- */

static void tell_ended(struct recording *recording)
{
	recording_ended_fn *on_ended = recording->on_ended;
	recording->on_ended = NULL;
	if (on_ended != NULL)
		on_ended(recording->ended_arg, recording->problem);
}

void recording_fail(struct recording *recording, const char *kind, const char *problem)
{
	if (recording->problem != NULL)
		return;
	recording->problem = xstrdup(problem);
	recordings_tell_failure(recording->recordings, recording->task.id, kind, problem);
}

static void tell_failed(struct recording *recording)
{
	recording->is_telling = true;
	tell_ended(recording);
	if (recording->events != NULL && recording->phase == PHASE_LIVE)
		recording->events->on_failed(recording->arg, recording->problem);
	recording->is_telling = false;
}

static void fail_to_write(
    struct recording *recording, const char *kind, const char *why, const char *setting)
{
	if (recording->problem != NULL)
		return;
	char *problem = xasprintf(
	    "its recording cannot be written to %s: %s (%s)", recording->task.path, why, setting);
	recording_fail(recording, kind, problem);
	free(problem);
	tell_failed(recording);
}

/* Of what could not be written, all but the first line. */
static void drop_events(struct recording *recording)
{
	struct buf *lines = &recording->task.lines;
	const char *end =
	    recording->bytes == 0 && lines->len > 0 ? memchr(lines->data, '\n', lines->len) : NULL;
	buf_clear(&recording->out);
	if (end != NULL)
		buf_append(&recording->out, lines->data, (size_t)(end - lines->data) + 1);
}

/* --- the thread's part ----------------------------------------------------------------------- */

static void work_open(struct recording_job *job)
{
	struct task *task = (struct task *)job;
	task->directory = recording_directory_open(task->path, &task->what);
	if (task->directory >= 0)
		task->file = recording_file_make(task->directory, task->id);
	task->error = task->file < 0 ? errno : 0;
	if (task->file < 0 && task->directory >= 0)
		close(task->directory);
}

static void work_write(struct recording_job *job)
{
	struct task *task = (struct task *)job;
	task->error = recording_file_write(
	    task->file, task->at, task->lines.data, task->lines.len, &task->kept);
}

static void work_discard(struct recording_job *job)
{
	struct task *task = (struct task *)job;
	recording_file_discard(task->directory, task->file, task->id);
}

static void start_job(struct recording *recording, void (*work)(struct recording_job *job),
    void (*done)(struct recording_job *job))
{
	recording->is_busy = true;
	recording->task.job.work = work;
	recording->task.job.done = done;
	recording_queue_add(recordings_queue(recording->recordings), &recording->task.job);
}

/* --- writing --------------------------------------------------------------------------------- */

/* Tried once more, with nothing but a last line that says why; then it stays as it is. */
static void on_write_failed(struct recording *recording, int error)
{
	const char *why = error == RECORDING_DELETED ? "the file was deleted" : strerror(error);
	drop_events(recording);
	if (recording->is_last_try)
		buf_clear(&recording->out);
	recording->has_last_line = recording->says_problem = recording->is_last_try;
	recording->is_broken = true;
	fail_to_write(recording, "write", why, "eksgate.proxy.recording");
}

static void on_written(struct recording_job *job)
{
	struct recording *recording = (struct recording *)job;
	struct task *task = &recording->task;
	recording->is_busy = false;
	recording->bytes += task->kept;
	if (task->error != 0)
		on_write_failed(recording, task->error);
	buf_clear(&task->lines);
	struct recordings *recordings = recording->recordings;
	recording_wake(recording);
	recordings_wake(recordings);
}

/* All that gathered; without any it is only looked whether the file has its name still. */
static void start_writing(struct recording *recording)
{
	if (recording->out.len > 0)
		cast_writer_begin(recording->writer);
	struct buf written = recording->task.lines;
	recording->task.lines = recording->out;
	recording->task.at = recording->bytes;
	recording->out = written;
	recording->is_last_try = recording->says_problem;
	start_job(recording, work_write, on_written);
}

/* The lines that fit stay; the others are lost. */
static void keep_what_fits(struct recording *recording, size_t max)
{
	uint64_t before = recording->bytes + waiting(recording) - recording->out.len;
	size_t room = before < max ? (size_t)(max - before) : 0;
	struct buf *out = &recording->out;
	size_t count = out->len < room ? out->len : room;
	const char *end = count > 0 ? memrchr(out->data, '\n', count) : NULL;
	/* The first line in any case. */
	if (end == NULL && before == 0 && out->len > 0)
		end = memchr(out->data, '\n', out->len);
	out->len = end != NULL ? (size_t)(end - out->data) + 1 : 0;
}

/* False: it is longer than allowed, and stopped. */
static bool check_length(struct recording *recording)
{
	size_t max = recordings_settings(recording->recordings)->proxy.recording.max_session_bytes;
	if (max == 0 || recording->bytes + waiting(recording) <= max)
		return true;
	keep_what_fits(recording, max);
	recording_fail(recording, "size",
	    "its recording is as long as eksgate.proxy.recording.max_session_bytes allows");
	return false;
}

bool recording_add(struct recording *recording, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last)
{
	if (recording->problem != NULL)
		return false;
	cast_writer_add(recording->writer, stream, data, len, is_last, time_of(recording));
	bool goes_on = check_length(recording);
	if (!recording->is_busy && recording->out.len >= FLUSH_BYTES)
		start_writing(recording);
	note_full(recording);
	return goes_on;
}

bool recording_is_full(const struct recording *recording)
{
	return recording->is_full;
}

const char *recording_problem(const struct recording *recording)
{
	return recording->problem;
}

/* --- its life -------------------------------------------------------------------------------- */

static void free_recording(struct recording *recording)
{
	recording->is_busy = false;
	buf_free_secret(&recording->out);
	buf_free_secret(&recording->task.lines);
	count_waiting(recording);
	if (recording->is_full)
		recordings_note_full(recording->recordings, &recording->link, false);
	recordings_remove(recording->recordings, &recording->link);
	cast_writer_free(&recording->writer);
	free(recording->problem);
	free(recording);
}

static void on_discarded(struct recording_job *job)
{
	free_recording((struct recording *)job);
}

static void keep(struct recording *recording)
{
	const struct task *task = &recording->task;
	tell_ended(recording);
	recordings_keep(recording->recordings, task->directory, task->file, task->id,
	    recording->bytes, recording->problem != NULL);
	free_recording(recording);
}

/* What stopped early says so, as far as the disk takes that. */
static void add_last_line(struct recording *recording, const char *reason)
{
	recording->has_last_line = true;
	if (recording->problem == NULL) {
		cast_writer_end(recording->writer, reason, time_of(recording));
		if (check_length(recording))
			return;
	}
	char *text = xasprintf("ended: %s", recording->problem);
	cast_writer_begin(recording->writer);
	cast_write_event(&recording->out, time_of(recording), 'm', text, strlen(text));
	recording->says_problem = true;
	free(text);
}

static void go_on(struct recording *recording)
{
	if (recording->is_busy || recording->is_telling || recording->phase == PHASE_OPENING)
		return;
	if (recording->phase == PHASE_DISCARDED) {
		start_job(recording, work_discard, on_discarded);
		return;
	}
	bool is_ending = recording->phase == PHASE_ENDING;
	if (is_ending && !recording->has_last_line)
		add_last_line(recording, NULL);
	if (recording->out.len >= (is_ending ? 1 : FLUSH_BYTES))
		start_writing(recording);
	else if (is_ending)
		keep(recording);
}

void recording_wake(struct recording *recording)
{
	count_waiting(recording);
	bool has_room = recording->counted < WAITING_MAX / 2 &&
			recording_queue_has_room(recordings_queue(recording->recordings));
	if (recording->is_full && (has_room || recording->problem != NULL)) {
		recording->is_full = false;
		recordings_note_full(recording->recordings, &recording->link, false);
		recording->is_telling = true;
		if (recording->events != NULL)
			recording->events->on_drain(recording->arg);
		recording->is_telling = false;
	}
	go_on(recording);
}

/* --- its begin ------------------------------------------------------------------------------- */

/* Whoever asked is told, and knows it no more. */
static void refuse(
    struct recording *recording, const char *kind, const char *why, const char *setting)
{
	const struct recording_events *events = recording->events;
	char *problem = xasprintf(
	    "a recording cannot be made in %s: %s (%s)", recording->task.path, why, setting);
	recordings_tell_failure(recording->recordings, recording->task.id, kind, problem);
	recording->phase = PHASE_DISCARDED;
	recording->events = NULL;
	events->on_open(recording->arg, problem);
	free(problem);
}

static void on_opened(struct recording_job *job)
{
	struct recording *recording = (struct recording *)job;
	const struct task *task = &recording->task;
	recording->is_busy = false;
	if (task->error != 0) {
		if (recording->events != NULL)
			refuse(recording, "open",
			    task->what != NULL ? task->what : strerror(task->error),
			    "eksgate.proxy.recording.dir");
		free_recording(recording);
		return;
	}
	if (recording->phase == PHASE_OPENING) {
		recording->phase = PHASE_LIVE;
		recording->is_telling = true;
		recording->events->on_open(recording->arg, NULL);
		recording->is_telling = false;
	}
	go_on(recording);
}

struct recording *recording_open(struct recordings *recordings, const char id[AUDIT_ID_TEXT],
    const struct recording_events *events, void *arg)
{
	struct recording *recording = xcalloc(1, sizeof *recording);
	recording->task.directory = recording->task.file = -1;
	recording->task.path = recordings_directory(recordings);
	memcpy(recording->task.id, id, AUDIT_ID_TEXT);
	recording->recordings = recordings;
	recording->events = events;
	recording->arg = arg;
	recording->link.recording = recording;
	recordings_add(recordings, &recording->link);
	start_job(recording, work_open, on_opened);
	return recording;
}

void recording_begin(struct recording *recording, const struct cast_about *about)
{
	recording->began = mono_now();
	recording->writer = cast_writer_new(about, &recording->out);
}

/* --- each second ----------------------------------------------------------------------------- */

/* What it has written by then may still reach the file. */
static void give_up(struct recording *recording, struct duration silence)
{
	static const char setting[] = "eksgate.proxy.recording.write_timeout";
	char *why = xasprintf("the disk has not answered for %" PRId64 " s", silence.ms / 1000);
	if (recording->phase == PHASE_OPENING)
		refuse(recording, "stalled", why, setting);
	else
		fail_to_write(recording, "stalled", why, setting);
	free(why);
}

/* What was said before it stopped is written, too. */
static void write_each_second(struct recording *recording)
{
	/* Its client may still tell the size of a terminal. */
	if (!recording->had_second) {
		recording->had_second = true;
		return;
	}
	/* An idle session holds little. */
	if (recording->out.len == 0 && recording->out.cap > IDLE_BYTES)
		buf_free_secret(&recording->out);
	if (recording->task.lines.cap > IDLE_BYTES)
		buf_free_secret(&recording->task.lines);
	if (recording->problem == NULL) {
		cast_writer_begin(recording->writer);
		if (!check_length(recording))
			tell_failed(recording);
	}
	if (recording->phase == PHASE_LIVE &&
	    (recording->problem == NULL || recording->out.len > 0))
		start_writing(recording);
}

void recording_tick(struct recording *recording)
{
	struct duration silence = recording_queue_silence(recordings_queue(recording->recordings));
	struct duration timeout =
	    recordings_settings(recording->recordings)->proxy.recording.write_timeout;
	bool is_waiting =
	    recording->is_busy && recording->problem == NULL && recording->phase != PHASE_DISCARDED;
	bool is_written = recording->phase == PHASE_LIVE && recording->writer != NULL &&
			  !recording->is_busy && !recording->is_broken;
	if (is_waiting && timeout.ms > 0 && silence.ms >= timeout.ms)
		give_up(recording, silence);
	else if (is_written)
		write_each_second(recording);
	if (!recording->is_busy)
		go_on(recording);
}

/* --- the end --------------------------------------------------------------------------------- */

void recording_finish(
    struct recording **recording, const char *reason, recording_ended_fn *on_ended, void *arg)
{
	struct recording *old = *recording;
	*recording = NULL;
	old->events = NULL;
	old->phase = PHASE_ENDING;
	old->on_ended = on_ended;
	old->ended_arg = arg;
	add_last_line(old, reason);
	if (old->problem != NULL)
		tell_ended(old);
	count_waiting(old);
	go_on(old);
}

void recording_discard(struct recording **recording)
{
	struct recording *old = *recording;
	*recording = NULL;
	old->events = NULL;
	old->phase = PHASE_DISCARDED;
	go_on(old);
}

void recording_abandon(struct recording *recording)
{
	if (recording->phase == PHASE_ENDING)
		fail_to_write(recording, "stalled", "it did not answer before the proxy stopped",
		    "eksgate.proxy.recording");
	recordings_remove(recording->recordings, &recording->link);
}
