/* One live recording, as the loop sees it: what the session says is copied, and the thread makes
 * lines of it. Pieces gather while it writes those before them: one job at a time, the next takes
 * all that came meanwhile. They leave when they are FLUSH_BYTES, or a second old, the first ones
 * two. What waits has a bound, which whoever records keeps: nothing more comes while it is reached,
 * nor while what waits could make the file too long, so that little is said in vain behind its last
 * line. Called by the exchange, by recordings.c each second, and when a job is done. */
#include "kubeproxyd/record/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/record/cast_pieces.h"
#include "kubeproxyd/record/recording_files.h"
#include "kubeproxyd/record/recording_queue.h"
#include "kubeproxyd/record/recording_task.h"
#include "kubeproxyd/record/recordings.h"

/* Enough that waking the thread, and being woken by it, costs little. */
#define FLUSH_BYTES ((size_t)256 * 1024)
/* Of one recording, in memory. */
#define WAITING_MAX ((size_t)1024 * 1024)
/* What an idle session keeps for its next words. */
#define IDLE_BYTES ((size_t)4 * 1024)

enum phase {
	PHASE_OPENING, /* its file is made */
	PHASE_LIVE,
	PHASE_ENDING, /* the session is over, and its last line on its way */
	PHASE_DISCARDED,
};

struct recording {
	struct recording_task task; /* the loop touches it only while is_busy is false */
	bool is_busy;
	bool is_listening; /* whoever ends it waits for what it is busy with */
	enum phase phase;
	struct recordings *recordings;
	struct recording_link link;
	const struct recording_events *events; /* NULL: nobody wants to know any more */
	void *arg;
	recording_ended_fn *on_ended; /* NULL: it is told, or the session lasts */
	void *ended_arg;
	struct buf pieces; /* that wait for the thread */
	bool has_begun; /* the tunnel is open */
	bool has_input; /* what is typed is recorded, too */
	bool had_second; /* in which its client could tell a size, which stands in the first line */
	uint64_t settled; /* bytes of the file when the thread was done last, and what it owes */
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
	return recording->pieces.len + (recording->is_busy ? recording->task.pieces.len : 0);
}

static void count_waiting(struct recording *recording)
{
	recording_queue_count(
	    recordings_queue(recording->recordings), &recording->counted, waiting(recording));
}

static size_t length_max(const struct recording *recording)
{
	return recordings_settings(recording->recordings)->proxy.recording.max_session_bytes;
}

/* With what waits it could be longer than allowed: the thread will know. */
static bool may_be_too_long(const struct recording *recording)
{
	size_t max = length_max(recording), most = CAST_GROWTH_MAX * waiting(recording);
	return max > 0 && most > 0 && recording->settled + most > max;
}

static bool is_due(const struct recording *recording)
{
	return recording->pieces.len >= FLUSH_BYTES || may_be_too_long(recording);
}

static void note_full(struct recording *recording)
{
	count_waiting(recording);
	bool is_full = recording->counted >= WAITING_MAX || may_be_too_long(recording) ||
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

/* --- writing --------------------------------------------------------------------------------- */

static void start_job(struct recording *recording, void (*work)(struct recording_job *job),
    void (*done)(struct recording_job *job))
{
	recording->is_busy = true;
	recording->task.job.work = work;
	recording->task.job.done = done;
	/* While a session lasts, what was written is soon enough known when it says more. */
	bool is_quiet = work == recording_task_write && recording->phase == PHASE_LIVE;
	recording_queue_add(
	    recordings_queue(recording->recordings), &recording->task.job, is_quiet);
}

static void note_done(struct recording *recording)
{
	struct recording_task *task = &recording->task;
	recording->is_busy = false;
	recording->settled = task->bytes + task->owed;
	buf_clear(&task->pieces);
	if (recording->is_listening)
		recording_queue_listen(recordings_queue(recording->recordings), false);
	recording->is_listening = false;
}

/* What follows must not wait for more to be said. */
static void listen_for_end(struct recording *recording)
{
	recording->is_listening = recording->is_busy;
	if (recording->is_busy)
		recording_queue_listen(recordings_queue(recording->recordings), true);
}

/* The file takes no more, but for a last line that says why: that is tried once more. A session
 * that goes on without it holds nothing of it. */
static void stop(struct recording *recording)
{
	buf_free_secret(&recording->pieces);
	buf_free_secret(&recording->task.pieces);
	if (recording->task.lines.len == 0)
		buf_free_secret(&recording->task.lines);
	recording->has_last_line = recording->says_problem = recording->is_last_try;
}

/* What it stopped at is tried once more, with nothing but that line; then it stays as it is. */
static void on_write_failed(struct recording *recording, int error)
{
	const char *why = error == RECORDING_DELETED ? "the file was deleted" : strerror(error);
	stop(recording);
	if (recording->is_last_try)
		buf_clear(&recording->task.lines);
	recording->is_broken = true;
	fail_to_write(recording, "write", why, "eksgate.proxy.recording");
}

static void on_too_long(struct recording *recording)
{
	stop(recording);
	if (recording->problem != NULL)
		return;
	recording_fail(recording, "size",
	    "its recording is as long as eksgate.proxy.recording.max_session_bytes allows");
	tell_failed(recording);
}

static void on_written(struct recording_job *job)
{
	struct recording *recording = (struct recording *)job;
	const struct recording_task *task = &recording->task;
	note_done(recording);
	if (task->error != 0)
		on_write_failed(recording, task->error);
	else if (task->is_too_long)
		on_too_long(recording);
	struct recordings *recordings = recording->recordings;
	recording_wake(recording);
	recordings_wake(recordings);
}

/* All that gathered; without any it is only looked whether the file has its name still. */
static void start_writing(struct recording *recording)
{
	struct buf written = recording->task.pieces;
	recording->task.pieces = recording->pieces;
	recording->task.bytes_max = length_max(recording);
	recording->pieces = written;
	recording->is_last_try = recording->says_problem;
	start_job(recording, recording_task_write, on_written);
}

/* Or is now: nobody waits for what it did. */
static bool is_idle(struct recording *recording)
{
	struct recording_queue *queue = recordings_queue(recording->recordings);
	if (recording->is_busy && recording_queue_take(queue, &recording->task.job))
		note_done(recording);
	return !recording->is_busy;
}

bool recording_add(struct recording *recording, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last)
{
	if (recording->problem != NULL)
		return false;
	if (stream == REMOTE_STDIN && !recording->has_input)
		return true;
	struct cast_piece piece = {.stream = stream,
	    .is_last = is_last,
	    .at = time_of(recording),
	    .data = (const char *)data,
	    .len = len};
	cast_pieces_add(&recording->pieces, &piece);
	bool is_worth_a_look = is_due(recording) || waiting(recording) >= WAITING_MAX;
	if (is_worth_a_look && is_idle(recording) && is_due(recording))
		start_writing(recording);
	note_full(recording);
	return true;
}

static void add_reason(struct recording *recording, enum cast_piece_kind kind, const char *reason)
{
	struct cast_piece piece = {
	    .kind = kind, .at = time_of(recording), .data = reason, .len = strlen(reason)};
	cast_pieces_add(&recording->pieces, &piece);
}

void recording_note_gap(struct recording *recording, const char *gap)
{
	if (recording->problem != NULL)
		return;
	char *text = xasprintf("in part: %s", gap);
	add_reason(recording, CAST_GAP, text);
	free(text);
	note_full(recording);
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
	note_done(recording);
	buf_free_secret(&recording->pieces);
	recording_task_clear(&recording->task);
	count_waiting(recording);
	if (recording->is_full)
		recordings_note_full(recording->recordings, &recording->link, false);
	recordings_remove(recording->recordings, &recording->link);
	free(recording->problem);
	free(recording);
}

static void on_discarded(struct recording_job *job)
{
	free_recording((struct recording *)job);
}

static void keep(struct recording *recording)
{
	const struct recording_task *task = &recording->task;
	tell_ended(recording);
	recordings_keep(recording->recordings, task->directory, task->file, task->id, task->bytes,
	    recording->problem != NULL);
	free_recording(recording);
}

/* What stopped early says so, and so does one of which that was told although its end was on the
 * way to a disk that came back. */
static void add_last_line(struct recording *recording, const char *reason)
{
	bool has_end = recording->has_last_line;
	recording->has_last_line = true;
	if (recording->problem == NULL) {
		add_reason(recording, CAST_OVER, reason);
		return;
	}
	char *text = xasprintf("%s: %s", has_end ? "in part" : "ended", recording->problem);
	add_reason(recording, CAST_STOPPED, text);
	recording->says_problem = true;
	free(text);
}

/* What was told of a recording its file tells, too. */
static bool has_its_end(const struct recording *recording)
{
	return recording->has_last_line && (recording->problem == NULL || recording->says_problem);
}

static void go_on(struct recording *recording)
{
	if (recording->is_busy || recording->is_telling || recording->phase == PHASE_OPENING)
		return;
	if (recording->phase == PHASE_DISCARDED) {
		start_job(recording, recording_task_discard, on_discarded);
		return;
	}
	bool is_ending = recording->phase == PHASE_ENDING;
	if (is_ending && !has_its_end(recording))
		add_last_line(recording, "the session ended");
	if (is_due(recording) || (is_ending && recording->pieces.len > 0))
		start_writing(recording);
	else if (is_ending)
		keep(recording);
}

void recording_wake(struct recording *recording)
{
	count_waiting(recording);
	bool has_room = recording->counted < WAITING_MAX - FLUSH_BYTES / 2 &&
			!may_be_too_long(recording) &&
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
	const struct recording_task *task = &recording->task;
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
	start_job(recording, recording_task_open, on_opened);
	return recording;
}

void recording_begin(struct recording *recording, const struct cast_about *about)
{
	recording->began = mono_now();
	recording->has_begun = true;
	recording->has_input = about->has_input;
	recording_task_begin(&recording->task, about);
	recording->settled = recording->task.owed;
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

static void trim(struct buf *idle)
{
	if (idle->cap > IDLE_BYTES)
		buf_free_secret(idle);
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
	if (recording->pieces.len == 0)
		trim(&recording->pieces);
	trim(&recording->task.pieces);
	trim(&recording->task.lines);
	if (recording->problem == NULL || recording->pieces.len > 0)
		start_writing(recording);
}

void recording_tick(struct recording *recording)
{
	struct duration silence = recording_queue_silence(recordings_queue(recording->recordings));
	struct duration timeout =
	    recordings_settings(recording->recordings)->proxy.recording.write_timeout;
	bool is_waiting =
	    recording->is_busy && recording->problem == NULL && recording->phase != PHASE_DISCARDED;
	bool is_written = recording->phase == PHASE_LIVE && recording->has_begun &&
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
	listen_for_end(old);
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
	listen_for_end(old);
	go_on(old);
}

void recording_abandon(struct recording *recording)
{
	if (recording->phase == PHASE_ENDING)
		fail_to_write(recording, "stalled", "it did not answer before the proxy stopped",
		    "eksgate.proxy.recording");
	recordings_remove(recording->recordings, &recording->link);
}
