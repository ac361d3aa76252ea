/* Arenas: a list of blocks, of which the newest is filled from its beginning. What does not fit a
 * block gets one of its own. */
#include "common/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define ALIGNMENT (alignof(max_align_t))
/* What most requests take, and a watch for hours. */
#define BLOCK_SIZE 1528u

struct arena_block {
	alignas(max_align_t) struct arena_block *next;
	bool is_own; /* of one large object: not kept */
};

/* Of a block, in whole units of ALIGNMENT: what fits still does when it is rounded up. */
#define ROOM ((BLOCK_SIZE - sizeof(struct arena_block)) / ALIGNMENT * ALIGNMENT)

static struct arena_block *kept;
static size_t kept_count;

static struct arena_block *take_block(void)
{
	struct arena_block *block = kept;
	if (block == NULL)
		return xmalloc(BLOCK_SIZE);
	kept = block->next;
	kept_count--;
	return block;
}

static uint8_t *bytes_of(struct arena_block *block)
{
	return (uint8_t *)(block + 1);
}

static void *alloc_own(struct arena *arena, size_t size)
{
	struct arena_block *block = xcalloc(1, sizeof *block + size);
	block->is_own = true;
	/* Behind the newest, which goes on being filled. */
	struct arena_block **place = arena->blocks != NULL ? &arena->blocks->next : &arena->blocks;
	block->next = *place;
	*place = block;
	return bytes_of(block);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > ROOM)
		return alloc_own(arena, size);
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (size > arena->left || arena->at == NULL) {
		struct arena_block *block = take_block();
		*block = (struct arena_block){.next = arena->blocks};
		arena->blocks = block;
		arena->at = bytes_of(block);
		arena->left = ROOM;
	}
	void *memory = arena->at;
	arena->at += size;
	arena->left -= size;
	return memset(memory, 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	return memcpy(arena_alloc(arena, len + 1), text, len);
}

void arena_free(struct arena *arena)
{
	struct arena_block *next;
	for (struct arena_block *block = arena->blocks; block != NULL; block = next) {
		next = block->next;
		if (block->is_own || kept_count + 1 > ARENA_KEPT) {
			free(block);
			continue;
		}
		block->next = kept;
		kept = block;
		kept_count++;
	}
	*arena = (struct arena){0};
}
