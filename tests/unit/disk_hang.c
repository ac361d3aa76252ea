/* A job that reads from a pipe holds up those behind it. */
#include "tests/unit/disk_hang.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/xmem.h"
#include "kubeproxyd/record/recording_queue.h"
#include "kubeproxyd/record/recordings.h"

/* A thread that was left to itself may have it longer than a test lasts. */
struct hang {
	struct recording_job job;
	int end; /* of the pipe */
};

static int other_end;

static void work(struct recording_job *job)
{
	char byte;
	(void)!read(((struct hang *)job)->end, &byte, 1);
}

static void on_done(struct recording_job *job)
{
	close(((struct hang *)job)->end);
	free(job);
}

void hang_disk(struct recordings *recordings)
{
	int ends[2];
	if (pipe(ends) != 0)
		abort();
	other_end = ends[1];
	struct hang *hang = xcalloc(1, sizeof *hang);
	hang->job = (struct recording_job){.work = work, .done = on_done};
	hang->end = ends[0];
	recording_queue_add(recordings_queue(recordings), &hang->job, false);
}

void release_disk(void)
{
	close(other_end);
}
