/* One live recording. Lines gather in memory and leave when they are FLUSH_BYTES, or a second old;
 * a line that a full disk cut is taken back, so that the file ends with a whole one. Called by the
 * exchange and, each second, by recordings.c. */
#include "kubeproxyd/record/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/record/recording_files.h"
#include "kubeproxyd/record/recordings.h"

#define FLUSH_BYTES ((size_t)32 * 1024)

struct recording {
	struct recordings *recordings;
	struct recording_link link;
	recording_failed_fn *on_failed;
	void *arg;
	char id[AUDIT_ID_TEXT];
	int directory, file;
	struct cast_writer *writer; /* NULL before the tunnel is open */
	struct buf out;
	uint64_t bytes; /* in the file, whole lines */
	struct mono began;
	char *problem;
	bool is_ended;
};

static struct mono time_of(const struct recording *recording)
{
	return (struct mono){mono_now().ns - recording->began.ns};
}

/* --- failure --------------------------------------------------------------------------------- */

void recording_fail(struct recording *recording, const char *kind, const char *problem)
{
	if (recording->problem != NULL)
		return;
	recording->problem = xstrdup(problem);
	recordings_tell_failure(recording->recordings, recording->id, kind, problem);
}

/* Of what waits, all but a first line that is not in the file yet. */
static void drop_events(struct recording *recording)
{
	const char *end = recording->bytes == 0 && recording->out.len > 0
			      ? memchr(recording->out.data, '\n', recording->out.len)
			      : NULL;
	recording->out.len = end != NULL ? (size_t)(end - recording->out.data) + 1 : 0;
}

static void fail_to_write(struct recording *recording, const char *why)
{
	const char *directory =
	    recordings_settings(recording->recordings)->proxy.recording.directory;
	(void)!ftruncate(recording->file, (off_t)recording->bytes);
	char *problem = xasprintf("its recording cannot be written to %s: %s "
				  "(eksgate.proxy.recording)",
	    directory, why);
	recording_fail(recording, "write", problem);
	free(problem);
}

/* --- writing --------------------------------------------------------------------------------- */

static bool write_out(struct recording *recording)
{
	size_t sent = 0;
	while (sent < recording->out.len) {
		ssize_t written = pwrite(recording->file, recording->out.data + sent,
		    recording->out.len - sent, (off_t)(recording->bytes + sent));
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		sent += (size_t)written;
	}
	recording->bytes += sent;
	buf_clear(&recording->out);
	return true;
}

static bool is_too_long(const struct recording *recording)
{
	size_t max = recordings_settings(recording->recordings)->proxy.recording.max_session_bytes;
	return max > 0 && recording->bytes + recording->out.len > max;
}

/* What is written to a file without a name is lost. */
static bool is_deleted(const struct recording *recording)
{
	struct stat status;
	return fstat(recording->file, &status) == 0 && status.st_nlink == 0;
}

/* The lines that fit go to the file; the others are lost. */
static void write_what_fits(struct recording *recording, size_t max)
{
	size_t room = recording->bytes < max ? max - (size_t)recording->bytes : 0;
	size_t count = recording->out.len < room ? recording->out.len : room;
	const char *end = count > 0 ? memrchr(recording->out.data, '\n', count) : NULL;
	if (end != NULL)
		recording->out.len = (size_t)(end - recording->out.data) + 1;
	if (end != NULL && write_out(recording))
		return;
	(void)!ftruncate(recording->file, (off_t)recording->bytes);
	drop_events(recording);
}

/* False: it failed, now or before. */
static bool flush(struct recording *recording)
{
	if (recording->problem != NULL)
		return false;
	if (is_too_long(recording)) {
		write_what_fits(recording,
		    recordings_settings(recording->recordings)->proxy.recording.max_session_bytes);
		recording_fail(recording, "size",
		    "its recording is as long as eksgate.proxy.recording.max_session_bytes allows");
		return false;
	}
	bool is_gone = is_deleted(recording);
	if (!is_gone && write_out(recording))
		return true;
	fail_to_write(recording, is_gone ? "the file was deleted" : strerror(errno));
	drop_events(recording);
	return false;
}

void recording_flush(struct recording *recording)
{
	if (recording->problem != NULL || recording->writer == NULL)
		return;
	cast_writer_begin(recording->writer);
	if (!flush(recording) && recording->on_failed != NULL)
		recording->on_failed(recording->arg, recording->problem);
}

bool recording_add(struct recording *recording, enum remote_stream stream, const uint8_t *data,
    size_t len, bool is_last)
{
	if (recording->problem != NULL)
		return false;
	cast_writer_add(recording->writer, stream, data, len, is_last, time_of(recording));
	return recording->out.len < FLUSH_BYTES || flush(recording);
}

const char *recording_problem(const struct recording *recording)
{
	return recording->problem;
}

/* --- its life -------------------------------------------------------------------------------- */

static bool make_file(struct recording *recording, const char *path, char **problem)
{
	const char *what;
	recording->directory = recording_directory_open(path, &what);
	if (recording->directory >= 0)
		recording->file = recording_file_make(recording->directory, recording->id);
	if (recording->directory >= 0 && recording->file >= 0)
		return true;
	*problem = xasprintf("a recording cannot be made in %s: %s (eksgate.proxy.recording.dir)",
	    path, what != NULL ? what : strerror(errno));
	if (recording->directory >= 0)
		close(recording->directory);
	return false;
}

static void free_recording(struct recording **recording)
{
	struct recording *old = *recording;
	*recording = NULL;
	recordings_remove(old->recordings, &old->link);
	cast_writer_free(&old->writer);
	buf_free_secret(&old->out);
	free(old->problem);
	free(old);
}

struct recording *recording_open(struct recordings *recordings, const char id[AUDIT_ID_TEXT],
    recording_failed_fn *on_failed, void *arg, char **problem)
{
	struct recording *recording = xcalloc(1, sizeof *recording);
	memcpy(recording->id, id, AUDIT_ID_TEXT);
	recording->recordings = recordings;
	if (!make_file(
		recording, recordings_settings(recordings)->proxy.recording.directory, problem)) {
		recordings_tell_failure(recordings, recording->id, "open", *problem);
		free(recording);
		return NULL;
	}
	recording->on_failed = on_failed;
	recording->arg = arg;
	recording->link.recording = recording;
	recordings_add(recordings, &recording->link);
	return recording;
}

void recording_begin(struct recording *recording, const struct cast_about *about)
{
	recording->began = mono_now();
	recording->writer = cast_writer_new(about, &recording->out);
}

/* What stopped early says so in its last line, as far as there is room for one. */
static void write_end(struct recording *recording, const char *reason)
{
	if (recording->problem == NULL) {
		cast_writer_end(recording->writer, reason, time_of(recording));
		if (flush(recording))
			return;
	}
	char *text = xasprintf("ended: %s", recording->problem);
	cast_writer_begin(recording->writer);
	cast_write_event(&recording->out, time_of(recording), 'm', text, strlen(text));
	if (!write_out(recording))
		(void)!ftruncate(recording->file, (off_t)recording->bytes);
	free(text);
}

void recording_end(struct recording *recording, const char *reason)
{
	if (!recording->is_ended)
		write_end(recording, reason);
	recording->is_ended = true;
}

void recording_finish(struct recording **recording, const char *reason)
{
	struct recording *old = *recording;
	recording_end(old, reason);
	recordings_keep(old->recordings, old->directory, old->file, old->id, old->bytes);
	free_recording(recording);
}

void recording_discard(struct recording **recording)
{
	struct recording *old = *recording;
	char name[RECORDING_NAME];
	recording_live_name(name, old->id);
	(void)unlinkat(old->directory, name, 0);
	close(old->file);
	close(old->directory);
	free_recording(recording);
}
