/* The durable set of clusters. A change is in memory only after it was committed, and told to the
 * observer only after it is on the disk; each change of a resource has the next revision, which is
 * the bus sequence, allotted in the transaction that records it. What only discoveryd needs
 * (claims, absences, orphan times, looks) is durable too and has no revision. */
#ifndef EKSGATE_REGISTRY_H
#define EKSGATE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "discoveryd/cluster_set.h"
#include "discoveryd/look_set.h"

struct registry;
struct sqlite3;

enum removal_reason {
	REMOVAL_GONE, /* it does not exist any more */
	REMOVAL_UNMATCHED, /* no matcher wants its tags */
	REMOVAL_ORPHANED, /* no scope covers it, and the grace time is over */
	REMOVAL_RENAMED, /* lives on under another name */
	REMOVAL_RECREATED, /* another cluster has its ARN */
};
/* "gone", "unmatched", "orphaned", "renamed", "re-created". */
const char *removal_reason_text(enum removal_reason reason);

enum registry_change_kind { REGISTRY_PUT, REGISTRY_REMOVE };

struct registry_change {
	enum registry_change_kind kind;
	struct cluster_item *item; /* PUT: the whole new state */
	char *arn; /* REMOVE */
	enum removal_reason reason; /* REMOVE */
	char *detail; /* REMOVE: the evidence, for people; may be NULL */
	bool is_confirmed; /* REMOVE: somebody confirmed it; the guard does not count it */
};
/* A growing list that owns what it holds. */
struct registry_changes {
	struct registry_change *items;
	size_t count;
};
/* `item` becomes the list's. */
void registry_changes_put(struct registry_changes *changes, struct cluster_item *item);
/* `detail` becomes the list's. */
void registry_changes_remove(
    struct registry_changes *changes, const char *arn, enum removal_reason reason, char *detail);
void registry_changes_free(struct registry_changes *changes);

/* What a commit means to those who follow the resources. `resource` is canonical JSON, NULL for a
 * removal. */
struct registry_event {
	const char *name;
	int64_t revision;
	const char *resource;
	size_t resource_len;
};
typedef void registry_observer_fn(void *arg, const struct registry_event *events, size_t count);

/* What is remembered of a name that is no more. */
struct tombstone {
	char *arn, *name;
	enum removal_reason reason;
	char *detail; /* may be NULL */
	char *renamed_to; /* REMOVAL_RENAMED */
	int64_t revision;
	struct unix_time removed_at;
	bool is_confirmed;
};

/* Opens DIR/registry.db (made when missing, with DIR 0700), takes DIR/lock, and makes a new epoch
 * durable. NULL with *error: what is wrong with which file and what to do (free()). */
struct registry *registry_open(const char *dir, const char *group, char **error) MUST_USE;
void registry_close(struct registry **registry);

/* For access_journal.c, whose table stands in the same file. */
struct sqlite3 *registry_database(struct registry *registry);

/* As committed. Pointers into it die with the next commit. */
const struct cluster_set *registry_set(const struct registry *registry);
/* There was no file: nothing is known of what there was before. */
bool registry_is_new(const struct registry *registry) MUST_USE;
uint64_t registry_epoch(const struct registry *registry);
int64_t registry_sequence(const struct registry *registry);
/* The whole set as events, in order of revision; the array is the caller's (free()), the texts die
 * with it: they stand in *texts, as many as events (free() each and the array). */
struct registry_event *registry_snapshot(
    const struct registry *registry, size_t *count, char ***texts) MUST_USE;

void registry_observe(struct registry *registry, registry_observer_fn *fn, void *arg);
/* All or nothing, in order. False: nothing changed, *error says why (free()). The observer is told
 * by registry_seal(). */
bool registry_commit(
    struct registry *registry, const struct registry_changes *changes, char **error) MUST_USE;
/* Waits for the disk, once for all commits since the last time, and tells the observer. False: it
 * is not told yet, *error says why (free()). */
bool registry_seal(struct registry *registry, char **error) MUST_USE;

const struct look_set *registry_looks(const struct registry *registry);
/* Takes the looks, which become the registry's one way or the other and are nulled: one with
 * described_at 0 forgets its key. All or nothing. False: nothing changed, *error says why (free()).
 */
bool registry_commit_looks(
    struct registry *registry, struct look **looks, size_t count, char **error) MUST_USE;

size_t registry_tombstone_count(const struct registry *registry);
/* Removals since `since` that nobody confirmed: what the guard counts. */
size_t registry_removed_since(const struct registry *registry, struct unix_time since);
/* The latest tombstone whose name, ARN or EKS name is `text`; NULL when there is none. Borrowed
 * until the next commit. */
const struct tombstone *registry_find_tombstone(const struct registry *registry, const char *text);

#endif
