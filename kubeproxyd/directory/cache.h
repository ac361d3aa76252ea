/* The cache file: what the directory knew, so that a restart without discoveryd serves at once.
 * Written by temp file, fsync and rename; checked by SHA-256; 0600. */
#ifndef EKSGATE_CACHE_H
#define EKSGATE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/directory/directory_table.h"
#include "kubeproxyd/directory/renames.h"

struct cache_facts {
	uint64_t epoch;
	int64_t sequence;
	struct unix_time fresh_at; /* when the bus last confirmed it */
};

/* Where the file is, and what it is written as before it takes its name. */
struct cache_place {
	char *path, *temporary;
	char *directory; /* of both */
};

/* All that the file will hold (free()). */
char *cache_make(const char *group, const struct cache_facts *facts,
    const struct directory_table *table, const struct renames *renames, size_t *len) MUST_USE;
/* Two for a thread: they touch nothing but what they are given. 0, or errno: the old file is then
 * untouched. */
int cache_write(const struct cache_place *place, const char *text, size_t len) MUST_USE;
/* Only the time: in place, cheap, without a promise. */
void cache_touch(const char *path, struct unix_time fresh_at);

enum cache_result { CACHE_READ, CACHE_ABSENT, CACHE_BAD };
/* CACHE_READ: *table (items with their clusters), *renames and *facts are the caller's. CACHE_BAD:
 * *error says why the file is of no use (free()). */
enum cache_result cache_read(const char *path, const char *group, struct cache_facts *facts,
    struct directory_table **table, struct renames *renames, char **error) MUST_USE;

#endif
