/* What recordings have for the disk, on its way to it: a thread of its own, a bound on what waits
 * in memory, and whether the disk still answers. */
#ifndef EKSGATE_RECORDING_QUEUE_H
#define EKSGATE_RECORDING_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"
#include "common/worker.h"

struct loop;
struct metrics;
struct recording_queue;

/* Embedded first in what it is about. */
struct recording_job {
	struct worker_job job;
	struct recording_queue *queue;
	void (*work)(struct recording_job *job); /* in the thread, as worker.h says */
	void (*done)(struct recording_job *job); /* in the loop */
};

/* `directory` is borrowed, for the log. */
struct recording_queue *recording_queue_new(
    struct loop *loop, struct metrics *metrics, const char *directory) MUST_USE;
/* `is_quiet`, and what may be done about it: see worker.h. */
void recording_queue_add(struct recording_queue *queue, struct recording_job *job, bool is_quiet);
bool recording_queue_take(struct recording_queue *queue, struct recording_job *job) MUST_USE;
void recording_queue_listen(struct recording_queue *queue, bool is_waiting);
void recording_queue_collect(struct recording_queue *queue);

/* What one recording has waiting is `now`; `counted` is its own count, 0 before the first call. */
void recording_queue_count(struct recording_queue *queue, size_t *counted, size_t now);
/* All together have as much waiting as may be; or less than half of that. */
bool recording_queue_is_full(const struct recording_queue *queue) MUST_USE;
bool recording_queue_has_room(const struct recording_queue *queue) MUST_USE;

/* For how long nothing was finished although something waits. */
struct duration recording_queue_silence(const struct recording_queue *queue) MUST_USE;
/* Each second: tells once that the disk does not answer. That it does again is told by itself. */
void recording_queue_look(struct recording_queue *queue);

/* As worker_wait() and worker_free(). */
bool recording_queue_wait(struct recording_queue *queue, struct duration patience) MUST_USE;
bool recording_queue_free(struct recording_queue **queue, struct duration patience);

#endif
