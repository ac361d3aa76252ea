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
	STAILQ_ENTRY(worker_job) entry;
};

/* The thread begins with the first job. */
struct worker *worker_new(struct loop *loop) MUST_USE;
void worker_add(struct worker *worker, struct worker_job *job);
/* Stands still until all jobs are done, those too that others bring when they are, and tells of
 * them; not from within a job's `done`. False: it took longer. */
bool worker_wait(struct worker *worker, struct duration patience) MUST_USE;
/* Waits for them. False: it took longer; the thread, its job and what waits behind it are left to
 * themselves until the process ends. */
bool worker_free(struct worker **worker, struct duration patience);

#endif
