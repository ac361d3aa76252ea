/* Sees to the files of recordings: live ones are written, finished ones brought to the disk, old
 * ones deleted. What waits for a disk does so in threads: one writes lines, and another does what
 * takes longer, so that no session waits for the fsync of one that is over. Made by the proxy. */
#include "kubeproxyd/record/recordings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/worker.h"
#include "common/xmem.h"
#include "kubeproxyd/record/recording.h"
#include "kubeproxyd/record/recording_files.h"
#include "kubeproxyd/record/recording_queue.h"

#define TICK_MS	      1000
#define SWEEP_MINUTES 10
/* Behind a recording that was kept: many that end together are looked at together. */
#define SWEEP_SOON_SECONDS 5
/* For a disk that does not answer, when the proxy stops; or write_timeout, when that is less. */
#define STOP_SECONDS 10

TAILQ_HEAD(link_list, recording_link);
TAILQ_HEAD(keep_list, keep_job);

struct recordings {
	struct recordings_options with;
	char *directory;
	struct recording_queue *queue;
	struct worker *worker; /* for finished ones, and sweeps */
	struct link_list live, full;
	struct keep_list finished; /* on their way to the disk */
	struct timer *tick; /* set while any is live */
	struct timer *sweep;
	bool is_sweeping, sweeps_again, sweeps_soon;
	bool is_ending;
	struct {
		struct metric *live, *kept, *failures, *deleted, *bytes, *held, *pauses;
	} metrics;
};

/* --- finished files -------------------------------------------------------------------------- */

struct keep_job {
	struct worker_job job;
	TAILQ_ENTRY(keep_job) entry;
	struct recordings *recordings;
	int directory, file;
	char id[AUDIT_ID_TEXT];
	uint64_t bytes;
	bool is_told; /* it has a problem, which was counted */
	int error;
};

static void sweep_soon(struct recordings *recordings);

static void keep_file(struct worker_job *job)
{
	struct keep_job *keep = (struct keep_job *)job;
	keep->error = recording_file_keep(keep->directory, keep->file, keep->id);
	close(keep->file);
	close(keep->directory);
}

/* The session's last audit event is written, and says that all is recorded. */
static void tell_not_kept(
    struct recordings *recordings, const struct keep_job *keep, const char *why)
{
	char *problem = xasprintf("its recording may not be on the disk below %s: %s; it is tried "
				  "again (eksgate.proxy.recording)",
	    recordings->directory, why);
	recordings_tell_failure(recordings, keep->id, "write", problem);
	if (recordings->with.on_not_kept != NULL)
		recordings->with.on_not_kept(recordings->with.arg, keep->id, problem);
	free(problem);
}

static void on_kept(struct worker_job *job)
{
	struct keep_job *keep = (struct keep_job *)job;
	struct recordings *recordings = keep->recordings;
	TAILQ_REMOVE(&recordings->finished, keep, entry);
	/* Nothing could be written, which was told: nothing is kept. */
	if (keep->error == 0 && keep->bytes == 0) {
		log_info("recording", "empty-deleted", LOG_S("session", keep->id));
	} else if (keep->error == 0) {
		metric_add(recordings->metrics.kept, 1);
		metric_add(recordings->metrics.bytes, (double)keep->bytes);
		log_info("recording", "kept", LOG_S("session", keep->id),
		    LOG_I("bytes", (int64_t)keep->bytes));
	} else if (keep->is_told) {
		log_warn("recording", "not-kept", LOG_S("session", keep->id),
		    LOG_S("error", strerror(keep->error)));
	} else {
		tell_not_kept(recordings, keep, strerror(keep->error));
	}
	free(keep);
	sweep_soon(recordings);
}

void recordings_keep(struct recordings *recordings, int directory, int file,
    const char id[AUDIT_ID_TEXT], uint64_t bytes, bool is_told)
{
	struct keep_job *keep = xcalloc(1, sizeof *keep);
	keep->job.work = keep_file;
	keep->job.done = on_kept;
	keep->recordings = recordings;
	keep->directory = directory;
	keep->file = file;
	keep->bytes = bytes;
	keep->is_told = is_told;
	memcpy(keep->id, id, AUDIT_ID_TEXT);
	TAILQ_INSERT_TAIL(&recordings->finished, keep, entry);
	worker_add(recordings->worker, &keep->job);
}

/* --- sweeps ---------------------------------------------------------------------------------- */

struct sweep_job {
	struct worker_job job;
	struct recordings *recordings;
	struct recording_sweep sweep;
};

static void tell_note(struct recordings *recordings, const struct recording_note *note)
{
	static const char *const events[] = {"ended-abandoned", "deleted", "deleted"};
	static const char *const reasons[] = {
	    "nobody writes it any more", "max_age", "max_total_bytes"};
	if (note->error != 0) {
		log_error("recording",
		    note->deed == RECORDING_ENDED ? "end-failed" : "delete-failed",
		    LOG_S("session", note->id), LOG_S("error", strerror(note->error)));
		return;
	}
	if (note->deed != RECORDING_ENDED)
		metric_add(recordings->metrics.deleted, 1, reasons[note->deed]);
	log_info("recording", events[note->deed], LOG_S("session", note->id),
	    LOG_S("reason", reasons[note->deed]));
}

static void work_sweep(struct worker_job *job)
{
	recording_sweep_run(&((struct sweep_job *)job)->sweep);
}

static void start_sweep(struct recordings *recordings);

static void on_swept(struct worker_job *job)
{
	struct sweep_job *done = (struct sweep_job *)job;
	struct recordings *recordings = done->recordings;
	const struct recording_sweep *sweep = &done->sweep;
	for (size_t i = 0; i < sweep->note_count; i++)
		tell_note(recordings, &sweep->notes[i]);
	if (sweep->error != 0 && sweep->error != ENOENT)
		log_error("recording", "sweep-failed", LOG_S("directory", sweep->path),
		    LOG_S("error", strerror(sweep->error)));
	metric_set(recordings->metrics.held, (double)sweep->bytes);
	recordings->is_sweeping = false;
	bool has_more = sweep->note_count == RECORDING_NOTES_MAX || recordings->sweeps_again;
	recordings->sweeps_again = false;
	free(done->sweep.path);
	free(done);
	if (has_more)
		start_sweep(recordings);
}

static void start_sweep(struct recordings *recordings)
{
	if (recordings->is_ending)
		return;
	recordings->sweeps_again = recordings->is_sweeping;
	if (recordings->is_sweeping)
		return;
	const struct recording_settings *settings = &recordings->with.settings->proxy.recording;
	struct sweep_job *job = xcalloc(1, sizeof *job);
	job->job.work = work_sweep;
	job->job.done = on_swept;
	job->recordings = recordings;
	job->sweep.path = xstrdup(recordings->directory);
	job->sweep.max_bytes = settings->max_total_bytes;
	job->sweep.max_age_seconds = settings->max_age.ms / 1000;
	job->sweep.now = unix_now().ms / 1000;
	recordings->is_sweeping = true;
	worker_add(recordings->worker, &job->job);
}

static void sweep_soon(struct recordings *recordings)
{
	if (recordings->sweeps_soon || recordings->is_ending)
		return;
	recordings->sweeps_soon = true;
	timer_set(recordings->sweep, duration_seconds(SWEEP_SOON_SECONDS));
}

static void on_sweep_timer(void *arg)
{
	struct recordings *recordings = arg;
	recordings->sweeps_soon = false;
	start_sweep(recordings);
	timer_set(recordings->sweep, recordings->with.sweep_every);
}

/* --- live ones ------------------------------------------------------------------------------- */

static void on_tick(void *arg)
{
	struct recordings *recordings = arg;
	struct recording_link *link, *next;
	if (!TAILQ_EMPTY(&recordings->live))
		timer_set(recordings->tick, duration_ms(TICK_MS));
	recording_queue_collect(recordings->queue);
	recording_queue_look(recordings->queue);
	TAILQ_FOREACH_SAFE(link, &recordings->live, entry, next)
	recording_tick(link->recording);
}

void recordings_add(struct recordings *recordings, struct recording_link *link)
{
	TAILQ_INSERT_TAIL(&recordings->live, link, entry);
	metric_add(recordings->metrics.live, 1);
	if (!timer_is_set(recordings->tick))
		timer_set(recordings->tick, duration_ms(TICK_MS));
}

void recordings_remove(struct recordings *recordings, struct recording_link *link)
{
	TAILQ_REMOVE(&recordings->live, link, entry);
	metric_add(recordings->metrics.live, -1);
}

void recordings_tell_failure(
    struct recordings *recordings, const char *session, const char *kind, const char *problem)
{
	if (recordings != NULL)
		metric_add(recordings->metrics.failures, 1, kind);
	log_error("recording", "failed", LOG_S("session", session), LOG_S("kind", kind),
	    LOG_S("error", problem));
}

void recordings_wake(struct recordings *recordings)
{
	struct recording_link *link, *next;
	if (!recording_queue_has_room(recordings->queue))
		return;
	TAILQ_FOREACH_SAFE(link, &recordings->full, full_entry, next)
	recording_wake(link->recording);
}

void recordings_note_full(struct recordings *recordings, struct recording_link *link, bool is_full)
{
	recording_queue_listen(recordings->queue, is_full);
	if (!is_full) {
		TAILQ_REMOVE(&recordings->full, link, full_entry);
		return;
	}
	TAILQ_INSERT_TAIL(&recordings->full, link, full_entry);
	metric_add(recordings->metrics.pauses, 1);
}

const struct settings *recordings_settings(const struct recordings *recordings)
{
	return recordings->with.settings;
}

const char *recordings_directory(const struct recordings *recordings)
{
	return recordings->directory;
}

struct recording_queue *recordings_queue(const struct recordings *recordings)
{
	return recordings->queue;
}

const char *recordings_instance(const struct recordings *recordings)
{
	return recordings->with.instance;
}

/* --- public ---------------------------------------------------------------------------------- */

static void make_metrics(struct recordings *recordings, struct metrics *metrics)
{
	recordings->metrics.live = metrics_gauge(
	    metrics, "eksgate_recordings_live", "Sessions that are being recorded.", "");
	recordings->metrics.kept = metrics_counter(
	    metrics, "eksgate_recordings_total", "Recordings that were completed and kept.", "");
	recordings->metrics.bytes = metrics_counter(
	    metrics, "eksgate_recording_bytes_total", "Bytes of completed recordings.", "");
	recordings->metrics.failures = metrics_counter(metrics, "eksgate_recording_failures_total",
	    "Sessions that could not be recorded, or not to their end.", "kind");
	recordings->metrics.deleted = metrics_counter(metrics, "eksgate_recordings_deleted_total",
	    "Recordings that were deleted, by the limit that they were beyond.", "reason");
	recordings->metrics.held = metrics_gauge(metrics, "eksgate_recordings_bytes",
	    "Bytes in the directory of recordings, at the last look.", "");
	recordings->metrics.pauses = metrics_counter(metrics, "eksgate_recording_pauses_total",
	    "How often a session had to wait until the disk had taken more of its recording.", "");
}

struct recordings *recordings_new(const struct recordings_options *options)
{
	struct recordings *recordings = xcalloc(1, sizeof *recordings);
	recordings->with = *options;
	if (recordings->with.sweep_every.ms == 0)
		recordings->with.sweep_every = duration_seconds(SWEEP_MINUTES * 60);
	TAILQ_INIT(&recordings->live);
	TAILQ_INIT(&recordings->full);
	TAILQ_INIT(&recordings->finished);
	recordings->directory = xstrdup(options->settings->proxy.recording.directory);
	recordings->queue =
	    recording_queue_new(options->loop, options->metrics, recordings->directory);
	recordings->worker = worker_new(options->loop);
	recordings->tick = timer_new(options->loop, on_tick, recordings);
	recordings->sweep = timer_new(options->loop, on_sweep_timer, recordings);
	make_metrics(recordings, options->metrics);
	timer_set(recordings->sweep, duration_ms(0));
	return recordings;
}

bool recordings_settle(struct recordings *recordings, struct duration patience)
{
	struct mono until = mono_add(mono_now(), patience);
	bool is_written = recording_queue_wait(recordings->queue, patience);
	/* Though it is too late: who is done is done. */
	return worker_wait(recordings->worker, mono_between(mono_now(), until)) && is_written;
}

/* Their threads have what they have; a next start finds the files and ends them. */
static void leave(struct recordings *recordings)
{
	struct recording_link *link, *next;
	const struct keep_job *keep;
	size_t count = 0;
	TAILQ_FOREACH_SAFE(link, &recordings->live, entry, next)
	{
		recording_abandon(link->recording);
		count++;
	}
	TAILQ_FOREACH(keep, &recordings->finished, entry)
	{
		if (!keep->is_told)
			tell_not_kept(
			    recordings, keep, "it did not answer before the proxy stopped");
		count++;
	}
	log_error("recording", "left", LOG_S("directory", recordings->directory),
	    LOG_I("unfinished", (int64_t)count),
	    LOG_S("error", "the disk does not answer, and the proxy stops"));
}

static struct duration patience_at_end(const struct recordings *recordings)
{
	struct duration timeout = recordings->with.settings->proxy.recording.write_timeout;
	struct duration most = duration_seconds(STOP_SECONDS);
	return timeout.ms > 0 && timeout.ms < most.ms ? timeout : most;
}

void recordings_free(struct recordings **recordings)
{
	struct recordings *old = *recordings;
	*recordings = NULL;
	if (old == NULL)
		return;
	old->is_ending = true;
	if (!recordings_settle(old, patience_at_end(old)))
		leave(old);
	timer_free(&old->tick);
	timer_free(&old->sweep);
	(void)worker_free(&old->worker, duration_ms(0));
	/* A thread that hangs may still read the path. */
	if (recording_queue_free(&old->queue, duration_ms(0)))
		free(old->directory);
	free(old);
}

void recordings_set(struct recordings *recordings, const struct settings *settings)
{
	recordings->with.settings = settings;
	start_sweep(recordings);
}
