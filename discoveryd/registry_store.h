/* What the registry needs of durable storage; registry_sqlite.c is the one implementation. */
#ifndef EKSGATE_REGISTRY_STORE_H
#define EKSGATE_REGISTRY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "discoveryd/registry.h"

struct registry_store;
struct sqlite3;

enum registry_write_kind {
	REGISTRY_WRITE_CLUSTER, /* the item, all of it */
	REGISTRY_WRITE_REMOVAL, /* arn */
	REGISTRY_WRITE_TOMBSTONE,
};

/* One row to write; everything is borrowed. */
struct registry_write {
	enum registry_write_kind kind;
	const struct cluster_item *item;
	const char *resource; /* with the item: its canonical text */
	const char *arn;
	const struct tombstone *tombstone;
};

/* What is stored, handed out by registry_store_load(). */
struct registry_meta {
	uint64_t epoch;
	int64_t sequence;
	char *group; /* NULL in a new file */
};

/* Opens or makes the file and brings it to this version's format. NULL with *error (free()). */
struct registry_store *registry_store_open(const char *path, char **error) MUST_USE;
void registry_store_close(struct registry_store **store);
/* The open database; it stays the store's. */
struct sqlite3 *registry_store_database(struct registry_store *store);

typedef void registry_load_fn(void *arg, struct tombstone *tombstone);
/* Reads everything: items go into `set`, looks into `looks`, tombstones (oldest first) to `fn`,
 * which owns them. */
bool registry_store_load(struct registry_store *store, struct registry_meta *meta,
    struct cluster_set *set, struct look_set *looks, registry_load_fn *fn, void *arg,
    char **error) MUST_USE;
bool registry_store_set_epoch(
    struct registry_store *store, uint64_t epoch, const char *group, char **error) MUST_USE;
/* One transaction; drops tombstones removed before `forget_before`. Survives the end of the process
 * at once, and the end of the machine after registry_store_seal(). */
bool registry_store_commit(struct registry_store *store, const struct registry_write *writes,
    size_t count, int64_t sequence, struct unix_time forget_before, char **error) MUST_USE;

/* Waits until everything that was committed so far is on the disk. */
bool registry_store_seal(struct registry_store *store, char **error) MUST_USE;

/* As registry_store_commit(); a look with described_at 0 removes its row. */
bool registry_store_commit_looks(
    struct registry_store *store, struct look *const *looks, size_t count, char **error) MUST_USE;

#endif
