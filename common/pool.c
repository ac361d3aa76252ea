/* Lists of freed blocks. The size of a block is asked of the C library, which knows it, so blocks
 * carry no header of ours and may have come from malloc() itself. Each thread has its own lists.
 * Used for OpenSSL, which allocates and frees for each record and handshake more than the C
 * library's own caches keep. */
#include "common/pool.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The sizes of glibc: multiples of 16, less the 8 bytes that it takes itself. */
#define STEP	    16u
#define SMALLEST    24u
#define SMALL_MAX   1032u
#define CLASS_COUNT (SMALL_MAX / STEP + 1)
/* The large blocks: what is asked for, in between, and what is given for it. */
#define LARGE_COUNT 2
#define LARGE_SLACK 1024u
static const struct {
	size_t min, size, kept;
} larges[LARGE_COUNT] = {
    {16u * 1024 + 1, 17u * 1024 + 24, POOL_KEPT_RECORDS}, /* a TLS record */
    {64u * 1024, 64u * 1024 + 8, POOL_KEPT_READS}, /* several, that are read at once */
};

struct block {
	struct block *next;
};

struct list {
	struct block *first;
	size_t count;
};

static _Thread_local struct list lists[CLASS_COUNT], large_lists[LARGE_COUNT];

/* The list of blocks that all have room for `size` bytes: those of list N for 16 N + 8. */
static size_t class_for(size_t size)
{
	return size <= SMALLEST ? SMALLEST / STEP : (size + STEP / 2 + STEP - 1) / STEP - 1;
}

static void *take(struct list *list)
{
	struct block *block = list->first;
	if (block == NULL)
		return NULL;
	list->first = block->next;
	list->count--;
	return block;
}

static bool keep(struct list *list, void *memory, size_t limit)
{
	if (list->count >= limit)
		return false;
	struct block *block = memory;
	block->next = list->first;
	list->first = block;
	list->count++;
	return true;
}

/* Which of the large ones holds `size` bytes; LARGE_COUNT: none. */
static size_t large_for(size_t size)
{
	size_t i = 0;
	while (i < LARGE_COUNT && (size < larges[i].min || size > larges[i].size))
		i++;
	return i;
}

static void *take_large(size_t size)
{
	size_t i = large_for(size);
	if (i == LARGE_COUNT)
		return malloc(size);
	void *memory = take(&large_lists[i]);
	return memory != NULL ? memory : malloc(larges[i].size);
}

void *pool_malloc(struct pool *pool, size_t size)
{
	pool->allocations++;
	if (size > SMALL_MAX)
		return take_large(size);
	void *memory = take(&lists[class_for(size)]);
	return memory != NULL ? memory : malloc(size);
}

void *pool_realloc(struct pool *pool, void *old, size_t size)
{
	if (old == NULL)
		return pool_malloc(pool, size);
	if (size == 0)
		size = 1;
	if (size <= malloc_usable_size(old))
		return old;
	pool->allocations++;
	return realloc(old, size);
}

static bool keep_large(void *memory, size_t size)
{
	for (size_t i = 0; i < LARGE_COUNT; i++) {
		if (size >= larges[i].size && size < larges[i].size + LARGE_SLACK)
			return keep(&large_lists[i], memory, larges[i].kept);
	}
	return false;
}

void pool_free(void *memory)
{
	if (memory == NULL)
		return;
	size_t size = malloc_usable_size(memory);
	bool is_kept = false;
	if (size > SMALL_MAX)
		is_kept = keep_large(memory, size);
	else if (size >= SMALLEST)
		is_kept = keep(&lists[(size - STEP / 2) / STEP], memory, POOL_KEPT_BYTES / size);
	if (!is_kept)
		free(memory);
}
