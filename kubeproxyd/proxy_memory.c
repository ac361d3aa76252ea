/* The counts of allocations, by who asks: kubeproxyd's own code, and each library that allocates
 * while requests are served. Their rate beside that of requests shows what a request costs. Called
 * by proxy.c when it starts. */
#include "kubeproxyd/proxy_memory.h"

#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/http/h2_memory.h"
#include "kubeproxyd/net/tls_memory.h"

static void collect(void *arg)
{
	struct metric *allocations = arg;
	struct xmem_counts counts = xmem_counts();
	metric_set(allocations, (double)counts.ours, "kubeproxyd");
	metric_set(allocations, (double)counts.libevent, "libevent");
	metric_set(allocations, (double)h2_memory_count(), "nghttp2");
	metric_set(allocations, (double)tls_memory_count(), "openssl");
}

void proxy_memory_count(struct metrics *metrics)
{
	struct metric *allocations = metrics_counter(
	    metrics, "eksgate_proxy_allocations_total", "How often memory was asked for.", "by");
	metrics_on_collect(metrics, collect, allocations);
}
