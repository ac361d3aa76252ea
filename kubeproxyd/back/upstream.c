/* The connections to API servers, a pool per cluster, made at its first request and retired when it
 * goes or moves. Requests share HTTP/2 connections: short ones on a few that are taken in turn,
 * long-running ones (watches, logs) on others, so that nothing short waits behind them and a
 * connection that is renewed does not cut them. Upgrades get an HTTP/1.1 connection of their own
 * each; so does everything at an API server that speaks no HTTP/2, there with idle connections
 * kept. */
#include "kubeproxyd/back/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream_h1.h"
#include "kubeproxyd/back/upstream_h2.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/net/resolver.h"
#include "kubeproxyd/net/tls.h"

#define ANSWER_HEAD_BYTES	(256u * 1024)
#define ANSWER_FIELDS		1000
#define ANSWER_CHUNK_EXTENSIONS 4096
#define PING_SECONDS		25
#define PING_ANSWER_SECONDS	15
/* Short requests are spread over this many connections before one is filled. */
#define SHORT_CONNECTIONS 2
/* What one answer may have in flight: a list wants it large, a slow watcher holds at most this. */
#define SHORT_WINDOW (1024u * 1024)
#define LONG_WINDOW  (256u * 1024)

/* HTTP/2 connections for one kind of request. */
struct shared {
	struct upstream_h2_pool pool;
	struct upstream_h2 **items;
	size_t count, cap;
	size_t window;
	size_t wanted; /* connections, while there are requests for them */
};

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
	struct tls_client *tls_h1, *tls_h2;
	struct shared brief, lasting;
	struct upstream_h1_pool h1;
	struct upstream_h1 **idle; /* the newest last */
	size_t idle_count, idle_cap;
	size_t live; /* connections, idle ones included */
	bool is_h1_only;
	bool is_retired;
};

static void free_upstream(void *object)
{
	struct upstream *upstream = object;
	tls_client_free(&upstream->tls_h1);
	tls_client_free(&upstream->tls_h2);
	free(upstream->brief.items);
	free(upstream->lasting.items);
	free(upstream->idle);
	free(upstream->host);
	free(upstream->name);
	free(upstream);
}

/* --- counting -----------------------------------------------------------------------------------
 */

static void on_connected(void *arg)
{
	const struct upstream *upstream = arg;
	metric_add(upstream->owner->connects, 1, upstream->name);
}

static void count_new(struct upstream *upstream)
{
	upstream->live++;
	metric_add(upstream->owner->open, 1);
}

static void count_dead(struct upstream *upstream)
{
	upstream->live--;
	metric_add(upstream->owner->open, -1);
	if (upstream->is_retired && upstream->live == 0)
		loop_free_later(upstream->owner->loop, free_upstream, upstream);
}

/* --- HTTP/1.1: one request at a time ------------------------------------------------------------
 */

static void on_h1_dead(void *arg, struct upstream_h1 *connection)
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
	count_dead(upstream);
}

static void on_h1_idle(void *arg, struct upstream_h1 *connection)
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

static struct upstream_h1 *take_h1(struct upstream *upstream, const struct upstream_want *want)
{
	bool may_reuse = !want->is_upgrade && !want->is_alone && !want->must_be_fresh &&
			 upstream->idle_count > 0;
	if (may_reuse)
		return upstream->idle[--upstream->idle_count];
	count_new(upstream);
	return upstream_h1_new(&upstream->h1);
}

/* --- HTTP/2: many requests at a time ------------------------------------------------------------
 */

static bool forget(struct shared *shared, const struct upstream_h2 *connection)
{
	for (size_t i = 0; i < shared->count; i++) {
		if (shared->items[i] != connection)
			continue;
		shared->items[i] = shared->items[--shared->count];
		return true;
	}
	return false;
}

static void on_h2_dead(void *arg, struct upstream_h2 *connection)
{
	struct upstream *upstream = arg;
	if (!forget(&upstream->brief, connection))
		(void)forget(&upstream->lasting, connection);
	count_dead(upstream);
}

static void on_not_h2(void *arg)
{
	struct upstream *upstream = arg;
	if (!upstream->is_h1_only)
		log_info("upstream", "h1-only", LOG_S("cluster", upstream->name),
		    LOG_S("host", upstream->host));
	upstream->is_h1_only = true;
}

/* A fresh one, for what a stale one failed: others that failed with it may share it. */
static bool is_usable(const struct upstream_h2 *connection, const struct upstream_want *want)
{
	return upstream_h2_has_room(connection) &&
	       (!want->must_be_fresh || upstream_h2_is_new(connection));
}

/* The one with the fewest requests that has room, unless another connection should be made first.
 */
static struct upstream_h2 *take_h2(
    struct upstream *upstream, struct shared *shared, const struct upstream_want *want)
{
	struct upstream_h2 *best = NULL;
	size_t usable = 0;
	for (size_t i = 0; i < shared->count; i++) {
		struct upstream_h2 *connection = shared->items[i];
		if (!is_usable(connection, want))
			continue;
		usable++;
		if (best == NULL || upstream_h2_requests(connection) < upstream_h2_requests(best))
			best = connection;
	}
	bool is_enough = best != NULL && (want->must_be_fresh || usable >= shared->wanted ||
					     upstream_h2_requests(best) == 0);
	if (is_enough)
		return best;
	if (shared->count == shared->cap) {
		shared->cap = shared->cap > 0 ? shared->cap * 2 : 4;
		shared->items =
		    xreallocarray(shared->items, shared->cap, sizeof(struct upstream_h2 *));
	}
	count_new(upstream);
	struct upstream_h2 *connection = upstream_h2_new(&shared->pool, shared->window);
	shared->items[shared->count++] = connection;
	return connection;
}

static void drain_shared(struct shared *shared)
{
	for (size_t i = shared->count; i > 0; i--)
		upstream_h2_drain(shared->items[i - 1]);
}

/* --- pools --------------------------------------------------------------------------------------
 */

static struct dial_target target_of(
    const struct upstream *upstream, struct tls_client *tls, uint16_t port)
{
	return (struct dial_target){
	    .loop = upstream->owner->loop,
	    .resolver = upstream->owner->resolver,
	    .tls = tls,
	    .host = upstream->host,
	    .port = port,
	};
}

static void init_shared(struct upstream *upstream, struct shared *shared, uint16_t port)
{
	shared->pool = (struct upstream_h2_pool){
	    .target = target_of(upstream, upstream->tls_h2, port),
	    .ping_after = duration_seconds(PING_SECONDS),
	    .ping_timeout = duration_seconds(PING_ANSWER_SECONDS),
	    .idle_after = duration_seconds(UPSTREAM_IDLE_SECONDS),
	    .on_connected = on_connected,
	    .on_not_h2 = on_not_h2,
	    .on_dead = on_h2_dead,
	    .arg = upstream,
	};
}

static struct upstream *new_upstream(struct upstreams *upstreams, const struct cluster *cluster)
{
	static const char *const h1[] = {"http/1.1", NULL}, *const h2[] = {"h2", "http/1.1", NULL};
	struct upstream *upstream = xcalloc(1, sizeof *upstream);
	upstream->owner = upstreams;
	upstream->name = xstrdup(cluster->resource->name);
	upstream->host = xstrdup(cluster->host);
	upstream->tls_h1 = tls_client_new(cluster->host, cluster->store, h1);
	upstream->tls_h2 = tls_client_new(cluster->host, cluster->store, h2);
	upstream->brief.window = SHORT_WINDOW;
	upstream->brief.wanted = SHORT_CONNECTIONS;
	upstream->lasting.window = LONG_WINDOW;
	upstream->lasting.wanted = 1;
	init_shared(upstream, &upstream->brief, cluster->port);
	init_shared(upstream, &upstream->lasting, cluster->port);
	upstream->h1 = (struct upstream_h1_pool){
	    .target = target_of(upstream, upstream->tls_h1, cluster->port),
	    .limits = {ANSWER_HEAD_BYTES, ANSWER_FIELDS, ANSWER_CHUNK_EXTENSIONS},
	    .on_connected = on_connected,
	    .on_idle = on_h1_idle,
	    .on_dead = on_h1_dead,
	    .arg = upstream,
	};
	return upstream;
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
	struct duration timeout = upstreams->settings->proxy.limits.connect_timeout;
	if (want->is_upgrade || want->is_alone || upstream->is_h1_only) {
		upstream->h1.target.timeout = timeout;
		return upstream_h1_lend(take_h1(upstream, want), want, events, arg);
	}
	struct shared *shared = want->is_long_running ? &upstream->lasting : &upstream->brief;
	shared->pool.target.timeout = timeout;
	return upstream_h2_lend(take_h2(upstream, shared, want), want, events, arg);
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
	drain_shared(&retired->brief);
	drain_shared(&retired->lasting);
}
