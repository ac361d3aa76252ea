/* One thread beside the loop, for what waits for a disk: jobs are worked on one after the other,
 * and the loop is told of each. A job touches nothing but itself: no log, no metrics, nothing of
 * OpenSSL, whose memory may be a pool of the loop's. */
#ifndef EKSGATE_WORKER_H
#define EKSGATE_WORKER_H

#include <bsd/sys/queue.h>
#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"

struct loop;
struct worker;

/* Embedded first in what the job is about; both functions get it. */
struct worker_job {
	void (*work)(struct worker_job *job); /* in the thread */
	void (*done)(struct worker_job *job); /* in the loop; frees it */
	/* The loop, which has better things to do, is not woken when it is done, but for
	 * worker_listen(): it is told with another's, or takes it. May be changed by `work`. */
	bool is_quiet;
	bool is_finished; /* and may be taken: the worker's */
	TAILQ_ENTRY(worker_job) entry;
};

/* The thread begins with the first job. */
struct worker *worker_new(struct loop *loop) MUST_USE;
void worker_add(struct worker *worker, struct worker_job *job);
/* Takes a quiet one that is done: the loop is not told of it. False: it is not done, or it is told
 * of, since it is no longer quiet or somebody waits. */
bool worker_take(struct worker *worker, struct worker_job *job) MUST_USE;
/* Somebody waits (or does no longer; calls are counted): the loop is woken for quiet ones, too. */
void worker_listen(struct worker *worker, bool is_waiting);
/* Tells of all that are done; not from within a job's `done`. */
void worker_collect(struct worker *worker);
/* Stands still until all jobs are done, those too that others bring when they are, and tells of
 * them; not from within a job's `done`. False: it took longer. */
bool worker_wait(struct worker *worker, struct duration patience) MUST_USE;
/* Waits for them; without patience nothing more is told of. False: not all are done, or told of;
 * the thread, its job and what waits behind it are left to themselves until the process ends. */
bool worker_free(struct worker **worker, struct duration patience);

#endif
