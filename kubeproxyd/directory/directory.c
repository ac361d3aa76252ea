/* The set of clusters of this process. The table mirrors the bus; from it the list of served
 * clusters is made anew after every change, and what differs between the old list and the new one
 * is told to the observers. Clusters that are replaced live to the end of the turn. */
#include "kubeproxyd/directory/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/alias_index.h"
#include "kubeproxyd/directory/cache.h"
#include "kubeproxyd/directory/cache_writer.h"
#include "kubeproxyd/directory/renames.h"

#define STALE_HEARTBEATS 3
#define STALE_MS_MIN	 750
#define SAVE_MS_MIN	 1000
#define SAVE_COST	 50 /* saving takes at most one part in so many of the time */
#define SAVE_RETRY_MS	 10000
#define TOUCH_MS	 10000
#define SILENT_MS	 30000 /* a disk is told of that has not answered for so long */
#define STOP_SECONDS	 5 /* for one, at the end */
#define RENAME_PAIRS_MAX 65536
#define CLOCK_OFFSET_MAX INT64_C(86400000)

struct observer {
	directory_fn *fn;
	void *arg;
};

/* Clusters sorted by name; the array is owned, they are not. */
struct served {
	const struct kube_cluster **items;
	size_t count;
};

struct directory {
	struct loop *loop;
	const struct settings *settings;
	char *group, *cache_path; /* as at the start; cache_path NULL: nowhere to write */
	struct directory_table *table;
	struct served served;
	struct alias_index *aliases; /* of `served`; NULL until asked for */
	struct renames renames;
	struct observer *observers;
	size_t observer_count;
	uint64_t epoch;
	int64_t sequence;
	bool is_known, is_from_cache;
	struct unix_time fresh_at;
	struct mono confirmed_at; /* 0: not yet by this process */
	struct duration heartbeat, clock_offset;
	struct cache_writer *writer; /* NULL: nowhere to write */
	struct timer *save;
	struct mono saved_at, touched_at;
	struct duration save_pause; /* least time between two */
	bool is_save_failing;
	struct {
		struct metric *clusters, *age, *stale, *saves;
	} metrics;
};

/* --- what is served, and who is told */

static bool is_wanted(const struct settings *settings, const struct kube_cluster *cluster)
{
	if (!settings->kubernetes.enabled)
		return false;
	for (size_t i = 0; i < settings->kubernetes.resource_count; i++) {
		if (selector_match(settings->kubernetes.resources[i].labels, &cluster->labels))
			return true;
	}
	return false;
}

static struct served list_served(const struct directory *directory)
{
	struct served served = {
	    .items = xcalloc(directory_table_count(directory->table) + 1, sizeof(void *))};
	struct directory_item *item = NULL;
	while ((item = directory_table_next(directory->table, item)) != NULL) {
		if (item->cluster != NULL && is_wanted(directory->settings, item->cluster))
			served.items[served.count++] = item->cluster;
	}
	return served;
}

static void tell(const struct directory *directory, enum directory_event event,
    const struct kube_cluster *old, const struct kube_cluster *now)
{
	static const char *const names[] = {"added", "changed", "removed"};
	const struct kube_cluster *cluster = event == DIRECTORY_REMOVED ? old : now;
	log_info("directory", names[event], LOG_S("name", cluster->name),
	    LOG_S("arn", cluster->aws.arn), LOG_I("revision", cluster->revision));
	for (size_t i = 0; i < directory->observer_count; i++)
		directory->observers[i].fn(directory->observers[i].arg, event, old, now);
}

static void tell_change(const struct directory *directory, const struct kube_cluster *old,
    const struct kube_cluster *now)
{
	if (old == now || kube_cluster_equal(old, now))
		return;
	if (kube_cluster_is_same(old, now)) {
		tell(directory, DIRECTORY_CHANGED, old, now);
		return;
	}
	tell(directory, DIRECTORY_REMOVED, old, NULL);
	tell(directory, DIRECTORY_ADDED, NULL, now);
}

/* <0: `old` has no counterpart; >0: `now` has none. */
static int compare_at(const struct served *old, size_t i, const struct served *now, size_t j)
{
	if (i == old->count)
		return 1;
	if (j == now->count)
		return -1;
	return old->items[i] == now->items[j] ? 0
					      : strcmp(old->items[i]->name, now->items[j]->name);
}

/* Both lists are sorted: one walk over both shows what is only in one and what is in both. Fills
 * `gone` and `come` when they are not NULL, else tells the observers. */
static void walk(const struct directory *directory, const struct served *old,
    const struct served *now, struct served *gone, struct served *come)
{
	size_t i = 0, j = 0;
	while (i < old->count || j < now->count) {
		int order = compare_at(old, i, now, j);
		if (order == 0 && gone == NULL)
			tell_change(directory, old->items[i], now->items[j]);
		else if (order < 0 && gone != NULL)
			gone->items[gone->count++] = old->items[i];
		else if (order < 0)
			tell(directory, DIRECTORY_REMOVED, old->items[i], NULL);
		else if (order > 0 && come != NULL)
			come->items[come->count++] = now->items[j];
		else if (order > 0)
			tell(directory, DIRECTORY_ADDED, NULL, now->items[j]);
		i += order <= 0;
		j += order >= 0;
	}
}

/* The same cluster under another name was renamed, whether or not the bus could say so (a snapshot
 * cannot). */
static void note_renames(
    struct directory *directory, const struct served *old, const struct served *now)
{
	struct served gone = {.items = xcalloc(old->count + 1, sizeof(void *))};
	struct served come = {.items = xcalloc(now->count + 1, sizeof(void *))};
	walk(directory, old, now, &gone, &come);
	for (size_t j = 0; j < come.count; j++)
		renames_remove(&directory->renames, come.items[j]->name);
	/* A change of everything is no renaming. */
	bool is_small = come.count == 0 || gone.count <= RENAME_PAIRS_MAX / come.count;
	for (size_t i = 0; is_small && i < gone.count; i++) {
		for (size_t j = 0; j < come.count; j++) {
			if (kube_cluster_is_same(gone.items[i], come.items[j]))
				renames_add(&directory->renames, gone.items[i]->name,
				    come.items[j]->name, unix_now());
		}
	}
	free(gone.items);
	free(come.items);
}

/* After a change of table or settings. `old` clusters must still be valid. */
static void update_served(struct directory *directory)
{
	struct served old = directory->served;
	alias_index_free(&directory->aliases);
	directory->served = list_served(directory);
	note_renames(directory, &old, &directory->served);
	walk(directory, &old, &directory->served, NULL, NULL);
	if (old.items != NULL)
		loop_free_later(directory->loop, free, old.items);
}

static void free_cluster(void *object)
{
	struct kube_cluster *cluster = object;
	kube_cluster_free(&cluster);
}

static void retire(struct directory *directory, struct kube_cluster *cluster)
{
	if (cluster != NULL)
		loop_free_later(directory->loop, free_cluster, cluster);
}

/* --- the cache file */

static struct duration silence_limit(const struct directory *directory)
{
	int64_t ms = directory->heartbeat.ms * STALE_HEARTBEATS;
	return duration_ms(ms > STALE_MS_MIN ? ms : STALE_MS_MIN);
}

static void note_failing(struct directory *directory, const char *why)
{
	if (directory->is_save_failing)
		return;
	char *error = xasprintf("cannot write the cache file %s: %s", directory->cache_path, why);
	log_error("directory", "cache-not-written", LOG_S("error", error));
	free(error);
	directory->is_save_failing = true;
}

static void on_saved(void *arg, int error)
{
	struct directory *directory = arg;
	directory->saved_at = directory->touched_at = mono_now();
	metric_add(directory->metrics.saves, 1, error == 0 ? "ok" : "failed");
	if (error == 0 && directory->is_save_failing)
		log_info("directory", "cache-written-again", LOG_S("path", directory->cache_path));
	if (error == 0)
		directory->is_save_failing = false;
	else
		note_failing(directory, strerror(error));
	if (error != 0)
		timer_set(directory->save, duration_ms(SAVE_RETRY_MS));
}

static void on_save(void *arg)
{
	struct directory *directory = arg;
	if (cache_writer_is_busy(directory->writer)) {
		timer_set(directory->save, duration_ms(SAVE_MS_MIN));
		return;
	}
	const struct cache_facts facts = {
	    directory->epoch, directory->sequence, directory->fresh_at};
	size_t len;
	struct mono begin = mono_now();
	char *text =
	    cache_make(directory->group, &facts, directory->table, &directory->renames, &len);
	int64_t cost = mono_since(begin).ms * SAVE_COST;
	directory->save_pause = duration_ms(cost > SAVE_MS_MIN ? cost : SAVE_MS_MIN);
	cache_writer_save(directory->writer, text, len);
}

static void save_soon(struct directory *directory)
{
	if (directory->cache_path == NULL || timer_is_set(directory->save))
		return;
	int64_t passed = mono_since(directory->saved_at).ms;
	timer_set(directory->save, duration_ms(directory->save_pause.ms - passed));
}

static const char *too_old(const struct directory *directory, const struct cache_facts *facts)
{
	int64_t age = unix_now().ms - facts->fresh_at.ms;
	return age > directory->settings->proxy.max_stale.ms
		   ? "is older than eksgate.proxy.max_stale"
		   : NULL;
}

static void load_cache(struct directory *directory)
{
	struct cache_facts facts = {0};
	struct directory_table *table = NULL;
	char *error = NULL;
	enum cache_result result = cache_read(
	    directory->cache_path, directory->group, &facts, &table, &directory->renames, &error);
	const char *reason = result == CACHE_READ ? too_old(directory, &facts) : error;
	if (result == CACHE_READ && reason == NULL) {
		directory_table_free(&directory->table);
		directory->table = table;
		directory->epoch = facts.epoch;
		directory->sequence = facts.sequence;
		directory->fresh_at = facts.fresh_at;
		directory->is_known = directory->is_from_cache = true;
		update_served(directory);
		log_info("directory", "cache-loaded", LOG_S("path", directory->cache_path),
		    LOG_I("clusters", directory_table_count(table)),
		    LOG_I("sequence", facts.sequence));
	} else if (result != CACHE_ABSENT) {
		log_warn("directory", "cache-ignored", LOG_S("path", directory->cache_path),
		    LOG_S("why", reason));
		directory_table_free(&table);
		renames_free(&directory->renames);
	}
	free(error);
}

static void open_cache(struct directory *directory, const char *instance)
{
	const char *dir = directory->settings->proxy.cache_dir;
	if (dir == NULL)
		return;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		log_error("directory", "no-cache-directory", LOG_S("path", dir),
		    LOG_S("error", strerror(errno)));
	directory->cache_path = xasprintf("%s/%s.cache", dir, instance);
	directory->writer =
	    cache_writer_new(directory->loop, directory->cache_path, on_saved, directory);
	load_cache(directory);
}

/* --- metrics */

static void on_collect(void *arg)
{
	const struct directory *directory = arg;
	struct directory_status status = directory_status(directory);
	metric_set(directory->metrics.clusters, (double)status.total, "known");
	metric_set(directory->metrics.clusters, (double)status.served, "served");
	metric_set(directory->metrics.stale, status.is_stale ? 1 : 0);
	double age = status.is_stale ? (double)(unix_now().ms - status.fresh_at.ms) / 1000 : 0;
	metric_set(directory->metrics.age, status.is_known ? age : -1);
}

static void add_metrics(struct directory *directory, struct metrics *metrics)
{
	directory->metrics.clusters =
	    metrics_gauge(metrics, "eksgate_directory_clusters", "Clusters, by use.", "use");
	directory->metrics.stale = metrics_gauge(
	    metrics, "eksgate_directory_stale", "1 while discoveryd is not heard.", "");
	directory->metrics.age = metrics_gauge(metrics, "eksgate_directory_age_seconds",
	    "Since discoveryd last confirmed the clusters; -1: never.", "");
	directory->metrics.saves = metrics_counter(
	    metrics, "eksgate_directory_cache_writes_total", "Cache files written.", "outcome");
	metrics_on_collect(metrics, on_collect, directory);
}

/* --- life */

struct directory *directory_new(struct loop *loop, struct metrics *metrics,
    const struct settings *settings, const char *instance)
{
	struct directory *directory = xcalloc(1, sizeof *directory);
	directory->loop = loop;
	directory->settings = settings;
	directory->group = xstrdup(settings->discovery.group);
	directory->table = directory_table_new();
	directory->heartbeat = settings->bus.heartbeat;
	directory->save = timer_new(loop, on_save, directory);
	directory->save_pause = duration_ms(0);
	add_metrics(directory, metrics);
	open_cache(directory, instance);
	return directory;
}

/* What is known now is on the disk then, unless that hangs. */
static void end_saving(struct directory *directory)
{
	struct duration patience = duration_seconds(STOP_SECONDS);
	bool is_due = timer_is_set(directory->save);
	bool is_done = directory->writer == NULL || cache_writer_wait(directory->writer, patience);
	if (is_done && is_due)
		on_save(directory);
	if (!cache_writer_free(&directory->writer, is_done ? patience : duration_ms(0)))
		log_warn("directory", "cache-left", LOG_S("path", directory->cache_path),
		    LOG_S("error", "the disk does not answer"));
}

void directory_free(struct directory **directory_at)
{
	struct directory *directory = *directory_at;
	if (directory == NULL)
		return;
	end_saving(directory);
	timer_free(&directory->save);
	directory_table_free(&directory->table);
	renames_free(&directory->renames);
	alias_index_free(&directory->aliases);
	free(directory->served.items);
	free(directory->observers);
	free(directory->group);
	free(directory->cache_path);
	xfree(directory_at);
}

void directory_observe(struct directory *directory, directory_fn *fn, void *arg)
{
	directory->observers = xreallocarray(
	    directory->observers, directory->observer_count + 1, sizeof *directory->observers);
	directory->observers[directory->observer_count++] = (struct observer){fn, arg};
	for (size_t i = 0; i < directory->served.count; i++)
		fn(arg, DIRECTORY_ADDED, NULL, directory->served.items[i]);
}

void directory_set_settings(struct directory *directory, const struct settings *settings)
{
	directory->settings = settings;
	update_served(directory);
}

/* --- reading */

static int compare_name(const void *name, const void *member)
{
	const struct kube_cluster *const *cluster = member;
	return strcmp(name, (*cluster)->name);
}

const struct kube_cluster *directory_find(const struct directory *directory, const char *name)
{
	const struct kube_cluster *const *found = bsearch(
	    name, directory->served.items, directory->served.count, sizeof(void *), compare_name);
	return found != NULL ? *found : NULL;
}

const struct kube_cluster *directory_find_alias(struct directory *directory, const char *alias)
{
	if (directory->aliases == NULL)
		directory->aliases =
		    alias_index_new(directory->served.items, directory->served.count);
	return alias_index_find(directory->aliases, alias);
}

const char *directory_renamed(const struct directory *directory, const char *name)
{
	const char *to = renames_find(&directory->renames, name);
	return to != NULL && directory_find(directory, to) != NULL ? to : NULL;
}

const struct kube_cluster *const *directory_list(const struct directory *directory, size_t *count)
{
	*count = directory->served.count;
	return directory->served.items;
}

static bool is_stale(const struct directory *directory, int64_t silence_ms)
{
	return directory->confirmed_at.ns == 0 || silence_ms > silence_limit(directory).ms;
}

static bool is_expired(const struct directory *directory, int64_t silence_ms)
{
	return silence_ms > directory->settings->proxy.max_stale.ms &&
	       is_stale(directory, silence_ms);
}

bool directory_is_good(const struct directory *directory)
{
	if (!directory->is_known)
		return false;
	int64_t silence = directory->confirmed_at.ns != 0
			      ? mono_between(directory->confirmed_at, mono_now_coarse()).ms
			      : unix_now_coarse().ms - directory->fresh_at.ms;
	return !is_expired(directory, silence);
}

struct directory_status directory_status(const struct directory *directory)
{
	bool is_heard = directory->confirmed_at.ns != 0;
	int64_t silence = is_heard ? mono_since(directory->confirmed_at).ms
				   : unix_now().ms - directory->fresh_at.ms;
	return (struct directory_status){.is_stale = is_stale(directory, silence),
	    .is_expired = directory->is_known && is_expired(directory, silence),
	    .is_known = directory->is_known,
	    .is_from_cache = directory->is_from_cache,
	    .fresh_at = directory->fresh_at,
	    .epoch = directory->epoch,
	    .sequence = (uint64_t)directory->sequence,
	    .total = directory_table_count(directory->table),
	    .served = directory->served.count,
	    .clock_offset = directory->clock_offset};
}

struct duration directory_clock_offset(const struct directory *directory)
{
	return directory->clock_offset;
}

/* --- feeding */

static void read_item(struct directory *directory, struct directory_item *item,
    directory_reject_fn *reject, void *arg)
{
	char *error = NULL;
	struct kube_cluster *old = NULL;
	if (directory_item_read(item, &old, &error)) {
		retire(directory, old);
		return;
	}
	log_warn("directory", "item-rejected", LOG_S("name", item->name),
	    LOG_I("revision", item->revision), LOG_S("why", error),
	    LOG_B("keeps-old-version", item->cluster != NULL));
	reject(arg, item->name, item->revision, error);
	free(error);
}

static bool is_unchanged(const struct directory_item *a, const struct directory_item *b)
{
	return a->revision == b->revision && a->resource_len == b->resource_len &&
	       memcmp(a->resource, b->resource, a->resource_len) == 0;
}

static void remove_item(struct directory *directory, struct directory_item *item)
{
	retire(directory, item->cluster);
	item->cluster = NULL;
	directory_table_remove(directory->table, item);
}

static void finish(struct directory *directory, int64_t sequence)
{
	directory->sequence = sequence;
	update_served(directory);
	renames_expire(&directory->renames, unix_now());
	save_soon(directory);
}

void directory_replace(struct directory *directory, struct directory_table **table, uint64_t epoch,
    int64_t sequence, directory_reject_fn *reject, void *arg)
{
	struct directory_table *old = directory->table;
	struct directory_item *item = NULL;
	while ((item = directory_table_next(*table, item)) != NULL) {
		struct directory_item *before = directory_table_find(old, item->name);
		bool is_known = before != NULL && before->cluster != NULL &&
				before->readable == NULL && is_unchanged(before, item);
		if (before != NULL)
			directory_item_inherit(item, before);
		if (!is_known)
			read_item(directory, item, reject, arg);
	}
	directory->table = *table;
	*table = NULL;
	item = NULL;
	while ((item = directory_table_next(old, item)) != NULL) {
		retire(directory, item->cluster);
		item->cluster = NULL;
	}
	directory_table_free(&old);
	directory->epoch = epoch;
	directory->is_known = true;
	directory->is_from_cache = false;
	finish(directory, sequence);
}

static void apply_item(struct directory *directory, const struct message_item *change,
    directory_reject_fn *reject, void *arg)
{
	struct directory_item *item;
	if (change->resource != NULL) {
		item = directory_table_put(directory->table, change->name, change->revision,
		    change->resource, change->resource_len);
		read_item(directory, item, reject, arg);
		renames_remove(&directory->renames, change->name);
		return;
	}
	item = directory_table_find(directory->table, change->name);
	if (item != NULL)
		remove_item(directory, item);
	if (change->renamed_to != NULL)
		renames_add(&directory->renames, change->name, change->renamed_to, unix_now());
}

void directory_apply(struct directory *directory, const struct message_item *items, size_t count,
    int64_t sequence, directory_reject_fn *reject, void *arg)
{
	for (size_t i = 0; i < count; i++)
		apply_item(directory, &items[i], reject, arg);
	finish(directory, sequence);
}

void directory_confirm(struct directory *directory, struct duration heartbeat)
{
	directory->confirmed_at = mono_now();
	directory->fresh_at = unix_now();
	directory->heartbeat = heartbeat;
	if (directory->writer == NULL)
		return;
	if (cache_writer_silence(directory->writer).ms >= SILENT_MS)
		note_failing(directory, "the disk does not answer");
	if (timer_is_set(directory->save) || mono_since(directory->touched_at).ms < TOUCH_MS)
		return;
	directory->touched_at = mono_now();
	cache_writer_touch(directory->writer, directory->fresh_at);
}

void directory_set_clock_offset(struct directory *directory, struct duration offset)
{
	/* A clock that is further off is no clock: with such an offset tokens would be made for a
	 * time of the publisher's choosing. */
	bool is_sane = offset.ms >= -CLOCK_OFFSET_MAX && offset.ms <= CLOCK_OFFSET_MAX;
	directory->clock_offset = is_sane ? offset : duration_ms(0);
}

const struct message_digest *directory_digest(const struct directory *directory)
{
	return directory_table_digest(directory->table);
}
