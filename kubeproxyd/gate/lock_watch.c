/* Looks at the file of locks once a second: a stat() costs less than to be wrong about which of a
 * file's names, directories and mounts to be notified of. A file that cannot be read, or is gone,
 * keeps the locks that were in force, and is tried again at every look: what is missing may be a
 * descriptor or a mount, and no lock may be lost to that. Owned by the proxy. */
#include "kubeproxyd/gate/lock_watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/locks.h"

#define LOOK_MS 1000

/* What tells one state of the file from another; zeros when it is not there. */
struct state {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct lock_watch {
	struct loop *loop;
	const char *path;
	struct locks *locks;
	struct state state;
	bool has_failed; /* to be read, in this state: told already */
	struct timer *timer;
	struct metric *count;
	lock_watch_fn *fn;
	void *arg;
};

static struct state state_of(const char *path)
{
	struct stat status;
	struct state state;
	memset(&state, 0, sizeof state);
	if (stat(path, &status) != 0)
		return state;
	state.device = status.st_dev;
	state.inode = status.st_ino;
	state.size = status.st_size;
	state.changed = status.st_ctim;
	return state;
}

static bool is_same(const struct state *a, const struct state *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Locks are lifted by a list without them, never by a list that is missing. */
static struct locks *read_file(const struct lock_watch *watch, char **error)
{
	struct locks *locks = locks_load(watch->path, error);
	bool is_there = locks == NULL || watch->state.inode != 0;
	if (is_there || locks_count(watch->locks) == 0)
		return locks;
	locks_free(&locks);
	*error = xasprintf("%s is gone; its locks stay in force: put it back, or an empty one "
			   "({\"version\":1,\"locks\":[]})",
	    watch->path);
	return NULL;
}

/* False: what was in force stays. */
static bool load(struct lock_watch *watch)
{
	char *error = NULL;
	struct locks *locks = read_file(watch, &error);
	if (locks == NULL) {
		if (!watch->has_failed)
			log_error("locks", "not-read", LOG_S("reason", error),
			    LOG_I("in_force", locks_count(watch->locks)));
		watch->has_failed = true;
		free(error);
		return false;
	}
	watch->has_failed = false;
	locks_free(&watch->locks);
	watch->locks = locks;
	metric_set(watch->count, (double)locks_count(locks));
	log_info("locks", "read", LOG_S("file", watch->path), LOG_I("count", locks_count(locks)));
	return true;
}

static void on_timer(void *arg)
{
	struct lock_watch *watch = arg;
	struct state now = state_of(watch->path);
	timer_set(watch->timer, duration_ms(LOOK_MS));
	bool has_changed = !is_same(&now, &watch->state);
	if (!has_changed && !watch->has_failed)
		return;
	if (has_changed)
		watch->has_failed = false;
	watch->state = now;
	if (load(watch))
		watch->fn(watch->arg);
}

struct lock_watch *lock_watch_new(
    struct loop *loop, struct metrics *metrics, const char *path, lock_watch_fn *fn, void *arg)
{
	struct lock_watch *watch = xcalloc(1, sizeof *watch);
	watch->loop = loop;
	watch->path = path;
	watch->fn = fn;
	watch->arg = arg;
	watch->locks = locks_new();
	watch->count =
	    metrics_gauge(metrics, "eksgate_proxy_locks", "Locks that are in force.", "");
	watch->state = state_of(path);
	(void)load(watch);
	watch->timer = timer_new(loop, on_timer, watch);
	timer_set(watch->timer, duration_ms(LOOK_MS));
	return watch;
}

void lock_watch_free(struct lock_watch **watch)
{
	if (*watch == NULL)
		return;
	timer_free(&(*watch)->timer);
	locks_free(&(*watch)->locks);
	xfree(watch);
}

void lock_watch_set(struct lock_watch *watch, const char *path)
{
	watch->path = path;
	/* Looked at anew by the timer, which is due at once. */
	memset(&watch->state, 0, sizeof watch->state);
	watch->state.size = -1;
	timer_set(watch->timer, duration_ms(0));
}

const struct locks *lock_watch_now(const struct lock_watch *watch)
{
	return watch->locks;
}
