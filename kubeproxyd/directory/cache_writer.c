/* The thread below the cache file. A disk that hangs keeps one job, and the directory goes on
 * without its file. Owned by directory.c. */
#include "kubeproxyd/directory/cache_writer.h"

#include <stdlib.h>
#include <string.h>

#include "common/worker.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cache.h"

struct cache_writer {
	struct worker_job job;
	struct worker *worker;
	struct cache_place place;
	cache_writer_fn *on_saved;
	void *arg;
	bool is_busy;
	struct mono since;
	/* The thread's while it is busy: */
	struct unix_time fresh_at;
	char *text;
	size_t len;
	int error;
};

static void work_save(struct worker_job *job)
{
	struct cache_writer *writer = (struct cache_writer *)job;
	writer->error = cache_write(&writer->place, writer->text, writer->len);
}

static void work_touch(struct worker_job *job)
{
	const struct cache_writer *writer = (const struct cache_writer *)job;
	cache_touch(writer->place.path, writer->fresh_at);
}

static void on_saved(struct worker_job *job)
{
	struct cache_writer *writer = (struct cache_writer *)job;
	writer->is_busy = false;
	xfree(&writer->text);
	writer->on_saved(writer->arg, writer->error);
}

static void on_touched(struct worker_job *job)
{
	((struct cache_writer *)job)->is_busy = false;
}

static void start(struct cache_writer *writer, void (*work)(struct worker_job *job),
    void (*done)(struct worker_job *job))
{
	writer->is_busy = true;
	writer->since = mono_now();
	writer->job = (struct worker_job){.work = work, .done = done};
	worker_add(writer->worker, &writer->job);
}

struct cache_writer *cache_writer_new(
    struct loop *loop, const char *path, cache_writer_fn *on_saved_fn, void *arg)
{
	struct cache_writer *writer = xcalloc(1, sizeof *writer);
	const char *slash = strrchr(path, '/');
	writer->worker = worker_new(loop);
	writer->place.path = xstrdup(path);
	writer->place.temporary = xasprintf("%s.new", path);
	writer->place.directory =
	    slash != NULL ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	writer->on_saved = on_saved_fn;
	writer->arg = arg;
	return writer;
}

bool cache_writer_is_busy(const struct cache_writer *writer)
{
	return writer->is_busy;
}

struct duration cache_writer_silence(const struct cache_writer *writer)
{
	return writer->is_busy ? mono_since(writer->since) : duration_ms(0);
}

void cache_writer_save(struct cache_writer *writer, char *text, size_t len)
{
	writer->text = text;
	writer->len = len;
	start(writer, work_save, on_saved);
}

void cache_writer_touch(struct cache_writer *writer, struct unix_time fresh_at)
{
	if (writer->is_busy)
		return;
	writer->fresh_at = fresh_at;
	start(writer, work_touch, on_touched);
}

bool cache_writer_wait(struct cache_writer *writer, struct duration patience)
{
	return worker_wait(writer->worker, patience);
}

bool cache_writer_free(struct cache_writer **writer, struct duration patience)
{
	struct cache_writer *old = *writer;
	*writer = NULL;
	if (old == NULL)
		return true;
	if (!worker_free(&old->worker, patience))
		return false;
	free(old->place.path);
	free(old->place.temporary);
	free(old->place.directory);
	free(old);
	return true;
}
