/* A job that reads from a pipe holds up those behind it. */
#include "tests/unit/worker_hang.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/worker.h"
#include "common/xmem.h"

struct hang {
	struct worker_job job;
	int end; /* of the pipe */
};

static int other_end;

static void work(struct worker_job *job)
{
	char byte;
	(void)!read(((struct hang *)job)->end, &byte, 1);
}

static void on_done(struct worker_job *job)
{
	close(((struct hang *)job)->end);
	free(job);
}

void hang_worker(struct worker *worker)
{
	int ends[2];
	if (pipe(ends) != 0)
		abort();
	other_end = ends[1];
	struct hang *hang = xcalloc(1, sizeof *hang);
	hang->job = (struct worker_job){.work = work, .done = on_done};
	hang->end = ends[0];
	worker_add(worker, &hang->job);
}

void release_worker(struct worker *worker)
{
	close(other_end);
	if (!worker_wait(worker, duration_seconds(30)))
		abort();
}
