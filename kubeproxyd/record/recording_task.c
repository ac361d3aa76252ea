/* Pieces become lines and lines a file, WRITE_BYTES at a time, so that little memory is needed for
 * them whatever they grow to. A line that a full disk cut is taken back: the file ends with a whole
 * one. Called by recording.c, whose jobs run in a thread. */
#include "kubeproxyd/record/recording_task.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kubeproxyd/record/cast_pieces.h"
#include "kubeproxyd/record/recording_files.h"

/* Long writes are cheap: a file system takes 256 KiB for two thirds of what eight of 32 KiB cost.
 */
#define WRITE_BYTES ((size_t)256 * 1024)

static struct recording_task *task_of(struct recording_job *job)
{
	return (struct recording_task *)job;
}

/* --- writing --------------------------------------------------------------------------------- */

/* The lines that fit stay, the first in any case. */
static void keep_what_fits(struct recording_task *task)
{
	struct buf *lines = &task->lines;
	uint64_t room = task->bytes < task->bytes_max ? task->bytes_max - task->bytes : 0;
	if (task->bytes_max == 0 || lines->len <= room)
		return;
	const char *end = room > 0 ? memrchr(lines->data, '\n', (size_t)room) : NULL;
	if (end == NULL && task->bytes == 0)
		end = memchr(lines->data, '\n', lines->len);
	lines->len = end != NULL ? (size_t)(end - lines->data) + 1 : 0;
	task->is_too_long = true;
}

/* What was not written is lost, but for the first line. */
static void drop_events(struct recording_task *task)
{
	struct buf *lines = &task->lines;
	const char *end =
	    task->bytes == 0 && lines->len > 0 ? memchr(lines->data, '\n', lines->len) : NULL;
	lines->len = end != NULL ? (size_t)(end - lines->data) + 1 : 0;
}

static void write_lines(struct recording_task *task)
{
	size_t kept = 0;
	task->error =
	    recording_file_write(task->file, task->bytes, task->lines.data, task->lines.len, &kept);
	task->bytes += kept;
	if (task->error != 0)
		drop_events(task);
	else
		buf_clear(&task->lines);
}

static bool can_go_on(const struct recording_task *task)
{
	return task->error == 0 && !task->is_too_long;
}

static void write_what_fits(struct recording_task *task)
{
	cast_writer_begin(task->writer);
	keep_what_fits(task);
	write_lines(task);
}

/* --- pieces ---------------------------------------------------------------------------------- */

static void add_piece(struct recording_task *task, const struct cast_piece *piece)
{
	if (piece->kind == CAST_STREAM)
		cast_writer_add(task->writer, piece->stream, (const uint8_t *)piece->data,
		    piece->len, piece->is_last, piece->at);
	else if (piece->kind == CAST_GAP)
		cast_writer_mark(task->writer, piece->data, piece->at);
	else
		cast_writer_end(task->writer, piece->data, piece->at);
	if (task->lines.len >= WRITE_BYTES)
		write_what_fits(task);
}

void recording_task_write(struct recording_job *job)
{
	struct recording_task *task = task_of(job);
	struct cast_piece piece = {0};
	bool is_stopped = false;
	task->error = 0;
	task->is_too_long = false;
	for (size_t at = 0; !is_stopped && cast_pieces_next(&task->pieces, &at, &piece);) {
		is_stopped = piece.kind == CAST_STOPPED;
		if (!is_stopped && can_go_on(task))
			add_piece(task, &piece);
	}
	if (is_stopped && can_go_on(task))
		cast_writer_flush(task->writer, piece.at);
	if (can_go_on(task))
		write_what_fits(task);
	if (!can_go_on(task))
		cast_writer_forget(task->writer);
	/* Beyond the limit, too, as far as the disk takes it. */
	if (is_stopped && task->error == 0) {
		cast_write_event(&task->lines, piece.at, 'm', piece.data, piece.len);
		write_lines(task);
	}
	task->owed = cast_writer_owed(task->writer);
	job->job.is_quiet &= can_go_on(task);
}

/* --- the file -------------------------------------------------------------------------------- */

void recording_task_open(struct recording_job *job)
{
	struct recording_task *task = task_of(job);
	task->directory = recording_directory_open(task->path, &task->what);
	if (task->directory >= 0)
		task->file = recording_file_make(task->directory, task->id);
	task->error = task->file < 0 ? errno : 0;
	if (task->file < 0 && task->directory >= 0)
		close(task->directory);
}

void recording_task_discard(struct recording_job *job)
{
	struct recording_task *task = task_of(job);
	recording_file_discard(task->directory, task->file, task->id);
}

/* --- public ---------------------------------------------------------------------------------- */

void recording_task_begin(struct recording_task *task, const struct cast_about *about)
{
	task->writer = cast_writer_new(about, &task->lines);
	task->owed = cast_writer_owed(task->writer);
}

void recording_task_clear(struct recording_task *task)
{
	buf_free_secret(&task->pieces);
	buf_free_secret(&task->lines);
	cast_writer_free(&task->writer);
}
