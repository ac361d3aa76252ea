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
/* What OpenSSL allocates for a record, and what is given for it. */
#define RECORD_MIN  (16u * 1024)
#define RECORD_SIZE (17u * 1024 + 24)
#define RECORD_MAX  (18u * 1024)

struct block {
	struct block *next;
};

struct list {
	struct block *first;
	size_t count;
};

static _Thread_local struct list lists[CLASS_COUNT], records;

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

static bool is_record(size_t size)
{
	return size > RECORD_MIN && size <= RECORD_SIZE;
}

void *pool_malloc(struct pool *pool, size_t size)
{
	void *memory = NULL;
	pool->allocations++;
	if (size <= SMALL_MAX)
		memory = take(&lists[class_for(size)]);
	else if (is_record(size))
		memory = take(&records);
	if (memory != NULL)
		return memory;
	return malloc(is_record(size) ? RECORD_SIZE : size);
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

void pool_free(void *memory)
{
	if (memory == NULL)
		return;
	size_t size = malloc_usable_size(memory);
	bool is_kept = false;
	if (size >= SMALLEST && size <= SMALL_MAX)
		is_kept = keep(&lists[(size - STEP / 2) / STEP], memory, POOL_KEPT_BYTES / size);
	else if (size >= RECORD_SIZE && size < RECORD_MAX)
		is_kept = keep(&records, memory, POOL_KEPT_RECORDS);
	if (!is_kept)
		free(memory);
}
