/* What the thread beside the loop has of one recording: its file, and how what its session said
 * becomes lines of it. The loop says what is to be done and touches nothing here until it is. */
#ifndef EKSGATE_RECORDING_TASK_H
#define EKSGATE_RECORDING_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "kubeproxyd/record/audit_id.h"
#include "kubeproxyd/record/cast_writer.h"
#include "kubeproxyd/record/recording_queue.h"

/* Embedded first in what it is about. */
struct recording_task {
	struct recording_job job;
	char id[AUDIT_ID_TEXT];
	const char *path; /* of the directory, borrowed */
	/* To be written: as of cast_pieces.h. */
	struct buf pieces;
	uint64_t bytes_max; /* of the file; 0: no limit */
	/* The thread's. */
	int directory, file; /* -1: not open */
	struct cast_writer *writer; /* NULL before recording_task_begin() */
	struct buf lines;
	uint64_t bytes; /* in the file, whole lines */
	/* How it went. */
	const char *what; /* is wrong with the directory, when errno says too little */
	int error; /* errno, RECORDING_DELETED, 0: done */
	bool is_too_long; /* the lines that fit are written, the others lost */
	size_t owed; /* is at most in the writer, and will be in the file */
};

void recording_task_begin(struct recording_task *task, const struct cast_about *about);
/* Frees what it holds but its descriptors. */
void recording_task_clear(struct recording_task *task);

/* --- jobs, in the thread --------------------------------------------------------------------- */

void recording_task_open(struct recording_job *job);
/* All pieces; without any it is only looked whether the file has its name still. Of what could not
 * be written the first line is kept for another try, since without it no file can be read. */
void recording_task_write(struct recording_job *job); /* quiet only when all went well */
void recording_task_discard(struct recording_job *job);

#endif
