/* nghttp2 allocates some twenty times a request: streams, frames, copies of fields. Called by
 * session_h2 and upstream_h2. */
#include "kubeproxyd/http/h2_memory.h"

#include "common/pool.h"

static struct pool pool;

static void *take(size_t size, void *arg)
{
	(void)arg;
	return pool_malloc(&pool, size);
}

static void *take_zeroed(size_t count, size_t size, void *arg)
{
	(void)arg;
	return pool_calloc(&pool, count, size);
}

static void *resize(void *old, size_t size, void *arg)
{
	(void)arg;
	return pool_realloc(&pool, old, size);
}

static void give(void *memory, void *arg)
{
	(void)arg;
	pool_free(memory);
}

nghttp2_mem *h2_memory(void)
{
	static nghttp2_mem memory = {
	    .malloc = take, .free = give, .calloc = take_zeroed, .realloc = resize};
	return &memory;
}

uint64_t h2_memory_count(void)
{
	return pool.allocations;
}
