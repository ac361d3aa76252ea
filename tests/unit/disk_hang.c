/* A job that reads from a pipe holds up those behind it. */
#include "tests/unit/disk_hang.h"

#include <stdlib.h>
#include <unistd.h>

#include "kubeproxyd/record/recording_queue.h"
#include "kubeproxyd/record/recordings.h"

static struct hang {
	struct recording_job job;
	int pipe[2];
} hang;

static void work(struct recording_job *job)
{
	char byte;
	(void)!read(((struct hang *)job)->pipe[0], &byte, 1);
}

static void on_done(struct recording_job *job)
{
	close(((struct hang *)job)->pipe[0]);
}

void hang_disk(struct recordings *recordings)
{
	hang = (struct hang){.job = {.work = work, .done = on_done}};
	if (pipe(hang.pipe) != 0)
		abort();
	recording_queue_add(recordings_queue(recordings), &hang.job);
}

void release_disk(void)
{
	close(hang.pipe[1]);
}
