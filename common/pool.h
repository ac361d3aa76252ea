/* malloc() and free() for libraries that allocate and free the same few sizes at every request:
 * what is freed waits in lists by size, a bounded amount of it, and is handed out again. What each
 * library asks for is counted. */
#ifndef EKSGATE_POOL_H
#define EKSGATE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Of each size. Builds with a sanitizer keep nothing, so that each use after free is seen. */
#ifndef POOL_KEPT_BYTES
#define POOL_KEPT_BYTES (32 * 1024)
#endif
/* Buffers of about one TLS record. */
#ifndef POOL_KEPT_RECORDS
#define POOL_KEPT_RECORDS 16
#endif

/* Who asks. Memory of one may be freed by way of another. */
struct pool {
	uint64_t allocations;
};

/* NULL when there is no memory, as malloc(). */
void *pool_malloc(struct pool *pool, size_t size) MUST_USE;
void *pool_realloc(struct pool *pool, void *old, size_t size) MUST_USE;
void pool_free(void *memory);

#endif
