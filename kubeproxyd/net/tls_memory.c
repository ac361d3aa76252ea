/* OpenSSL allocates a buffer of a record for each read and each write, and gives it back when it is
 * empty (SSL_MODE_RELEASE_BUFFERS): from a pool that costs next to nothing, and all connections
 * together hold as many as are busy at a time. Called by the proxy when it starts. */
#include "kubeproxyd/net/tls_memory.h"

#include <openssl/crypto.h>

#include "common/log.h"
#include "common/pool.h"

static struct pool pool;

static void *take(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size > 0 ? pool_malloc(&pool, size) : NULL;
}

static void *resize(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return pool_realloc(&pool, old, size);
}

static void give(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	pool_free(memory);
}

void tls_memory_use_pool(void)
{
	if (CRYPTO_set_mem_functions(take, resize, give) != 1)
		log_debug("tls", "no-pool", LOG_S("reason", "OpenSSL has memory already"));
}

uint64_t tls_memory_count(void)
{
	return pool.allocations;
}
