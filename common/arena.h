/* Memory that is given back all at once: what belongs to one request. Blocks are kept for the next
 * arena, so that a busy process asks for none. */
#ifndef EKSGATE_ARENA_H
#define EKSGATE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Blocks kept. Builds with a sanitizer keep none. */
#ifndef ARENA_KEPT
#define ARENA_KEPT 512
#endif

struct arena_block;

/* {0} is empty. */
struct arena {
	struct arena_block *blocks; /* the newest first */
	uint8_t *at;
	size_t left;
};

/* Zeroed, aligned for anything. */
void *arena_alloc(struct arena *arena, size_t size) MUST_USE;
/* Copies `len` bytes and adds a NUL. */
char *arena_strndup(struct arena *arena, const char *text, size_t len) MUST_USE;
void arena_free(struct arena *arena);

#endif
