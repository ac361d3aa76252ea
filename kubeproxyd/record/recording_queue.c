/* One thread makes and writes the files of all recordings, one job after the other: they lie in one
 * directory, and a disk that does not answer one answers none. What takes its time (fsync, sweeps)
 * is not for here. Made by recordings.c. */
#include "kubeproxyd/record/recording_queue.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/xmem.h"

/* Of all recordings of an instance. */
#define BYTES_MAX ((size_t)64 * 1024 * 1024)
/* When a disk that does not answer is told of. */
#define SILENCE_SECONDS 5

struct recording_queue {
	struct worker *worker;
	const char *directory;
	size_t bytes, job_count;
	struct mono last; /* when a job was finished, or added while there was none */
	bool is_told;
	struct metric *waiting, *is_silent;
};

struct recording_queue *recording_queue_new(
    struct loop *loop, struct metrics *metrics, const char *directory)
{
	struct recording_queue *queue = xcalloc(1, sizeof *queue);
	queue->worker = worker_new(loop);
	queue->directory = directory;
	queue->waiting = metrics_gauge(metrics, "eksgate_recording_waiting_bytes",
	    "Of recordings, on their way to the disk.", "");
	queue->is_silent = metrics_gauge(metrics, "eksgate_recording_disk_silent",
	    "1 while the disk of recordings has not answered for five seconds.", "");
	metric_set(queue->is_silent, 0);
	return queue;
}

/* --- jobs ------------------------------------------------------------------------------------ */

static void work(struct worker_job *job)
{
	struct recording_job *ours = (struct recording_job *)job;
	ours->work(ours);
}

static void tell_answer(struct recording_queue *queue)
{
	log_info("recording", "disk-answers", LOG_S("directory", queue->directory),
	    LOG_I("after_ms", mono_since(queue->last).ms));
	metric_set(queue->is_silent, 0);
	queue->is_told = false;
}

static void note_answer(struct recording_queue *queue)
{
	if (queue->is_told)
		tell_answer(queue);
	queue->job_count--;
	queue->last = mono_now();
}

static void on_done(struct worker_job *job)
{
	struct recording_job *ours = (struct recording_job *)job;
	struct recording_queue *queue = ours->queue;
	note_answer(queue);
	ours->done(ours);
	metric_set(queue->waiting, (double)queue->bytes);
}

void recording_queue_add(struct recording_queue *queue, struct recording_job *job, bool is_quiet)
{
	if (queue->job_count++ == 0)
		queue->last = mono_now();
	job->job = (struct worker_job){.work = work, .done = on_done, .is_quiet = is_quiet};
	job->queue = queue;
	worker_add(queue->worker, &job->job);
}

bool recording_queue_take(struct recording_queue *queue, struct recording_job *job)
{
	bool is_taken = worker_take(queue->worker, &job->job);
	if (is_taken)
		note_answer(queue);
	return is_taken;
}

void recording_queue_listen(struct recording_queue *queue, bool is_waiting)
{
	worker_listen(queue->worker, is_waiting);
}

void recording_queue_collect(struct recording_queue *queue)
{
	worker_collect(queue->worker);
}

/* --- the bound ------------------------------------------------------------------------------- */

void recording_queue_count(struct recording_queue *queue, size_t *counted, size_t now)
{
	queue->bytes += now - *counted;
	*counted = now;
}

bool recording_queue_is_full(const struct recording_queue *queue)
{
	return queue->bytes >= BYTES_MAX;
}

bool recording_queue_has_room(const struct recording_queue *queue)
{
	return queue->bytes < BYTES_MAX / 2;
}

/* --- silence --------------------------------------------------------------------------------- */

struct duration recording_queue_silence(const struct recording_queue *queue)
{
	return queue->job_count > 0 ? mono_since(queue->last) : duration_ms(0);
}

void recording_queue_look(struct recording_queue *queue)
{
	struct duration silence = recording_queue_silence(queue);
	metric_set(queue->waiting, (double)queue->bytes);
	if (queue->is_told || silence.ms < SILENCE_SECONDS * 1000)
		return;
	log_error("recording", "disk-silent", LOG_S("directory", queue->directory),
	    LOG_I("ms", silence.ms),
	    LOG_S("effect", "sessions that are recorded wait as soon as they have said much"));
	metric_set(queue->is_silent, 1);
	queue->is_told = true;
}

/* --- the end --------------------------------------------------------------------------------- */

bool recording_queue_wait(struct recording_queue *queue, struct duration patience)
{
	return worker_wait(queue->worker, patience);
}

bool recording_queue_free(struct recording_queue **queue, struct duration patience)
{
	struct recording_queue *old = *queue;
	*queue = NULL;
	bool is_done = worker_free(&old->worker, patience);
	free(old);
	return is_done;
}
