/* What clusters exist, as far as this instance serves them (kubernetes_service.resources). Fed by
 * the subscriber and, at start, by the cache file; read by the request path. Silence of the bus
 * makes it stale, never empty. */
#ifndef EKSGATE_DIRECTORY_H
#define EKSGATE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/kube_cluster.h"
#include "common/mono.h"

struct loop;
struct metrics;
struct settings;
struct directory;

enum directory_event { DIRECTORY_ADDED, DIRECTORY_CHANGED, DIRECTORY_REMOVED };
/* DIRECTORY_CHANGED: `old` and `now` are the same cluster (kube_cluster_is_same); a re-created
 * cluster arrives as REMOVED then ADDED. `now` is NULL for REMOVED, `old` for ADDED. Borrowed. */
typedef void directory_fn(void *arg, enum directory_event event, const struct kube_cluster *old,
    const struct kube_cluster *now);

/* Loads the cache file of this instance when it is sound. Never fails: a bad file is told and
 * ignored. */
struct directory *directory_new(struct loop *loop, struct metrics *metrics,
    const struct settings *settings, const char *instance) MUST_USE;
void directory_free(struct directory **directory);
/* Any number of observers; each is first told ADDED for every cluster that is there. */
void directory_observe(struct directory *directory, directory_fn *fn, void *arg);
/* After SIGHUP: selectors may have changed, clusters come or go accordingly. */
void directory_set_settings(struct directory *directory, const struct settings *settings);

/* The cluster that is served under `name`, or NULL. Valid until the next turn of the loop. */
const struct kube_cluster *directory_find(const struct directory *directory, const char *name);
/* The same by its alias (alias.h), in lower case. */
const struct kube_cluster *directory_find_alias(struct directory *directory, const char *alias);
/* Where a name went that was renamed within the last day, or NULL. */
const char *directory_renamed(const struct directory *directory, const char *name);
/* Served clusters sorted by name; *count of them. The array is the directory's, valid until the
 * next turn. */
const struct kube_cluster *const *directory_list(const struct directory *directory, size_t *count);

struct directory_status {
	bool is_stale; /* nothing heard from discoveryd for more than three heartbeats */
	bool is_expired; /* stale for longer than max_stale: requests are refused with 503 */
	bool is_known; /* at least one snapshot or cache was ever applied */
	bool is_from_cache; /* no snapshot yet in this process */
	struct unix_time fresh_at; /* when the bus last confirmed the set; 0 never */
	uint64_t epoch, sequence;
	size_t total, served; /* clusters on the bus, and those that the selectors choose */
	struct duration clock_offset; /* AWS's clock minus ours, learned by discoveryd */
};
struct directory_status directory_status(const struct directory *directory);
/* Known and not expired: every request asks. */
bool directory_is_good(const struct directory *directory) MUST_USE;
/* The last of the status alone, which they ask for, too. */
struct duration directory_clock_offset(const struct directory *directory);

/* --- for the subscriber only (subscriber.c and cache.c) -------------------------------------- */
#include "kubeproxyd/directory/directory_feed.h"

#endif
