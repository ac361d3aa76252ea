/* The pools of connections to API servers. A pool is made at a cluster's first request and retired
 * when the cluster goes or moves; the newest idle connection is used first, so that the others age
 * out. */
#include "kubeproxyd/back/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream_h1.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/net/tls.h"

#define ANSWER_HEAD_BYTES	(256u * 1024)
#define ANSWER_FIELDS		1000
#define ANSWER_CHUNK_EXTENSIONS 4096

struct upstreams {
	struct loop *loop;
	struct resolver *resolver;
	const struct settings *settings;
	struct metric *connects, *open;
};

struct upstream {
	struct upstreams *owner;
	char *name;
	char *host;
	struct upstream_h1_pool h1;
	struct tls_client *tls;
	struct upstream_h1 **idle; /* the newest last */
	size_t idle_count, idle_cap;
	size_t live; /* connections, idle ones included */
	bool is_retired;
};

static void free_upstream(void *object)
{
	struct upstream *upstream = object;
	tls_client_free(&upstream->tls);
	free(upstream->idle);
	free(upstream->host);
	free(upstream->name);
	free(upstream);
}

static void on_connected(void *arg)
{
	const struct upstream *upstream = arg;
	metric_add(upstream->owner->connects, 1, upstream->name);
}

static void on_dead(void *arg, struct upstream_h1 *connection)
{
	struct upstream *upstream = arg;
	for (size_t i = 0; i < upstream->idle_count; i++) {
		if (upstream->idle[i] != connection)
			continue;
		upstream->idle_count--;
		memmove(&upstream->idle[i], &upstream->idle[i + 1],
		    (upstream->idle_count - i) * sizeof *upstream->idle);
		break;
	}
	upstream->live--;
	metric_add(upstream->owner->open, -1);
	if (upstream->is_retired && upstream->live == 0)
		loop_free_later(upstream->owner->loop, free_upstream, upstream);
}

static void on_idle(void *arg, struct upstream_h1 *connection)
{
	struct upstream *upstream = arg;
	size_t limit = upstream->owner->settings->proxy.limits.upstream_idle;
	if (upstream->is_retired || limit == 0) {
		upstream_h1_close(connection);
		return;
	}
	while (upstream->idle_count >= limit)
		upstream_h1_close(upstream->idle[0]);
	if (upstream->idle_count == upstream->idle_cap) {
		upstream->idle_cap = upstream->idle_cap > 0 ? upstream->idle_cap * 2 : 4;
		upstream->idle =
		    xreallocarray(upstream->idle, upstream->idle_cap, sizeof(struct upstream_h1 *));
	}
	upstream->idle[upstream->idle_count++] = connection;
}

static struct upstream *new_upstream(struct upstreams *upstreams, const struct cluster *cluster)
{
	static const char *const protocols[] = {"http/1.1", NULL};
	struct upstream *upstream = xcalloc(1, sizeof *upstream);
	upstream->owner = upstreams;
	upstream->name = xstrdup(cluster->resource->name);
	upstream->host = xstrdup(cluster->host);
	upstream->tls = tls_client_new(cluster->host, cluster->store, protocols);
	upstream->h1 = (struct upstream_h1_pool){
	    .loop = upstreams->loop,
	    .resolver = upstreams->resolver,
	    .tls = upstream->tls,
	    .host = upstream->host,
	    .port = cluster->port,
	    .limits = {ANSWER_HEAD_BYTES, ANSWER_FIELDS, ANSWER_CHUNK_EXTENSIONS},
	    .on_connected = on_connected,
	    .on_idle = on_idle,
	    .on_dead = on_dead,
	    .arg = upstream,
	};
	return upstream;
}

static struct upstream_h1 *take_connection(
    struct upstream *upstream, const struct upstream_want *want)
{
	bool may_reuse = !want->is_upgrade && !want->must_be_fresh && upstream->idle_count > 0;
	if (may_reuse)
		return upstream->idle[--upstream->idle_count];
	upstream->live++;
	metric_add(upstream->owner->open, 1);
	return upstream_h1_new(&upstream->h1);
}

struct upstreams *upstreams_new(
    struct loop *loop, struct metrics *metrics, const struct settings *settings)
{
	struct upstreams *upstreams = xcalloc(1, sizeof *upstreams);
	upstreams->loop = loop;
	upstreams->resolver = resolver_new(loop);
	upstreams->settings = settings;
	upstreams->connects = metrics_counter(metrics, "eksgate_proxy_upstream_connects_total",
	    "Connections made to API servers.", "cluster");
	upstreams->open = metrics_gauge(metrics, "eksgate_proxy_upstream_connections",
	    "Connections to API servers, idle ones included.", "");
	return upstreams;
}

void upstreams_free(struct upstreams **upstreams)
{
	if (*upstreams == NULL)
		return;
	resolver_free(&(*upstreams)->resolver);
	xfree(upstreams);
}

void upstreams_set_settings(struct upstreams *upstreams, const struct settings *settings)
{
	upstreams->settings = settings;
}

struct peer upstream_open(struct upstreams *upstreams, struct cluster *cluster,
    const struct upstream_want *want, const struct peer_events *events, void *arg)
{
	if (cluster->upstream == NULL)
		cluster->upstream = new_upstream(upstreams, cluster);
	struct upstream *upstream = cluster->upstream;
	upstream->h1.connect_timeout = upstreams->settings->proxy.limits.connect_timeout;
	return upstream_h1_lend(take_connection(upstream, want), want, events, arg);
}

void upstream_retire(struct upstream **upstream)
{
	struct upstream *retired = *upstream;
	*upstream = NULL;
	if (retired == NULL)
		return;
	retired->is_retired = true;
	if (retired->live == 0)
		loop_free_later(retired->owner->loop, free_upstream, retired);
	while (retired->idle_count > 0)
		upstream_h1_close(retired->idle[retired->idle_count - 1]);
}
