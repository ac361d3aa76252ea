/* The counts of allocations, by who asks: kubeproxyd's own code, and each library that allocates
 * while requests are served; their rate beside that of requests shows what a request costs. And
 * the one thing that is done about memory besides freeing it: a burst (thousands of watches that
 * begin) leaves pages between what lasts, which the C library does not give back by itself; when it
 * is over, they are. Made by proxy.c. */
#include "kubeproxyd/proxy_memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/net/stream_queue.h"
#include "kubeproxyd/net/tls_memory.h"

#define LOOK_MS	      2000
#define LOOK_AGAIN_MS 500 /* during a burst */
/* Between two looks: so many allocations are a burst, so few are its end. */
#define BURST_MIN 20000u
#define QUIET_MAX 500u

struct proxy_memory {
	struct timer *timer;
	struct metric *allocations;
	uint64_t seen;
	bool is_after_burst;
};

static uint64_t count_all(void)
{
	struct xmem_counts counts = xmem_counts();
	return counts.ours + counts.libevent + tls_memory_count();
}

static void look(void *arg)
{
	struct proxy_memory *memory = arg;
	uint64_t now = count_all(), more = now - memory->seen;
	memory->seen = now;
	if (more >= BURST_MIN)
		memory->is_after_burst = true;
	if (memory->is_after_burst && more <= QUIET_MAX) {
		memory->is_after_burst = false;
		stream_queue_trim();
		(void)malloc_trim(0);
	}
	timer_set(memory->timer, duration_ms(memory->is_after_burst ? LOOK_AGAIN_MS : LOOK_MS));
}

static void collect(void *arg)
{
	struct metric *allocations = arg;
	struct xmem_counts counts = xmem_counts();
	metric_set(allocations, (double)counts.ours, "kubeproxyd");
	metric_set(allocations, (double)counts.libevent, "libevent");
	metric_set(allocations, (double)tls_memory_count(), "openssl");
}

struct proxy_memory *proxy_memory_new(struct loop *loop, struct metrics *metrics)
{
	struct proxy_memory *memory = xcalloc(1, sizeof *memory);
	memory->allocations = metrics_counter(
	    metrics, "eksgate_proxy_allocations_total", "How often memory was asked for.", "by");
	metrics_on_collect(metrics, collect, memory->allocations);
	memory->timer = timer_new(loop, look, memory);
	look(memory);
	return memory;
}

void proxy_memory_free(struct proxy_memory **memory)
{
	if (*memory == NULL)
		return;
	timer_free(&(*memory)->timer);
	xfree(memory);
}
