/* Keeps a state for each served cluster: what was found, whether discoveryd knows, when to look
 * again. A tick walks over them, begins a bounded number of looks and sends a bounded number of
 * reports, so that ten thousand clusters are a trickle. What only a look had opened is closed after
 * it. Made by the proxy. */
#include "kubeproxyd/probe/prober.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/subscriber.h"
#include "kubeproxyd/net/resolver.h"
#include "kubeproxyd/probe/finding.h"
#include "kubeproxyd/probe/look.h"
#include "kubeproxyd/probe/own_principal.h"
#include "kubeproxyd/probe/rights.h"
#include "kubeproxyd/probe/tasks.h"

#define TICK_MS	       500
#define PARALLEL       16
#define REPORTS_A_TICK 250
#define JITTER_PERCENT 20
#define RETRY_MS       5000 /* after something was found wrong; doubles up to the interval */
#define SPREAD_MS      10000 /* over which all are looked at anew after a reload */

struct cluster_probe {
	struct prober *prober;
	struct cluster *cluster;
	struct finding finding;
	struct look *look;
	struct mono due;
	struct duration pause; /* before the next look while something is wrong; 0: nothing is */
	bool had_upstream; /* before the look */
	bool is_told;
};

struct prober {
	struct prober_options with;
	struct rights rights;
	struct resolver *resolver;
	struct own_principal *own;
	struct tasks *tasks;
	struct subscriber_work work;
	struct timer *tick;
	size_t looking;
	struct {
		struct metric *looks, *clusters;
	} metrics;
};

/* --- what is known --------------------------------------------------------------------------- */

const struct finding *prober_finding(const struct cluster *cluster)
{
	return cluster->probe != NULL ? &cluster->probe->finding : NULL;
}

const char *prober_principal(
    const struct prober *prober, const struct cluster *cluster, bool *is_exact)
{
	const char *role = clusters_serving_role(prober->with.clusters, cluster);
	*is_exact = role != NULL;
	return role != NULL ? role : own_principal_arn(prober->own);
}

/* Nothing, and whether that will change by itself. */
static void begin_finding(const struct prober *prober, struct cluster_probe *probe)
{
	finding_clear(&probe->finding);
	if (prober->with.settings->proxy.probe_interval.ms > 0)
		finding_conclude(&probe->finding, probe->cluster->resource->name, NULL);
	else
		finding_unasked(&probe->finding);
	probe->is_told = false;
}

static struct cluster_probe *probe_of(struct prober *prober, struct cluster *cluster)
{
	if (cluster->probe != NULL)
		return cluster->probe;
	struct cluster_probe *probe = xcalloc(1, sizeof *probe);
	probe->prober = prober;
	probe->cluster = cluster;
	begin_finding(prober, probe);
	cluster->probe = probe;
	return probe;
}

/* --- reports --------------------------------------------------------------------------------- */

/* The strings are borrowed. */
static struct message_report make_report(
    const struct prober *prober, const struct cluster_probe *probe)
{
	const struct kube_cluster *resource = probe->cluster->resource;
	const struct finding *finding = &probe->finding;
	bool is_exact;
	const char *principal = prober_principal(prober, probe->cluster, &is_exact);
	return (struct message_report){
	    .name = resource->name,
	    .created_ms = resource->aws.created_at.ms,
	    .is_serving = true,
	    .principal = (char *)(uintptr_t)principal,
	    .is_exact = is_exact,
	    .reachable = finding->reachable,
	    .authenticated = finding->authenticated,
	    .permitted = finding->permitted,
	    .healthy = finding->healthy,
	    .denied = (struct message_permission *)(uintptr_t)finding->denied,
	    .denied_count = finding->denied_count,
	    .code = finding->code,
	    .text = finding->text,
	    .checked_ms = finding->checked.ms,
	};
}

static bool tell(struct prober *prober, struct cluster_probe *probe)
{
	struct message_report report = make_report(prober, probe);
	probe->is_told = subscriber_report(prober->with.subscriber, &report);
	return probe->is_told;
}

static void tell_gone(struct prober *prober, const struct cluster_probe *probe)
{
	const struct kube_cluster *resource = probe->cluster->resource;
	struct message_report report = {
	    .name = resource->name,
	    .created_ms = resource->aws.created_at.ms,
	    .code = (char[]){"pending"},
	    .text = (char[]){""},
	};
	if (probe->is_told)
		(void)!subscriber_report(prober->with.subscriber, &report);
}

static void untell_all(struct prober *prober)
{
	struct cluster *cluster = NULL;
	while ((cluster = clusters_next(prober->with.clusters, cluster)) != NULL) {
		if (cluster->probe != NULL)
			cluster->probe->is_told = false;
	}
}

/* --- looks ----------------------------------------------------------------------------------- */

static struct duration interval_of(const struct prober *prober)
{
	return prober->with.settings->proxy.probe_interval;
}

static void plan(struct prober *prober, struct cluster_probe *probe)
{
	struct duration interval = interval_of(prober), pause = interval;
	bool is_well = strcmp(probe->finding.code, "ok") == 0;
	if (is_well) {
		probe->pause = duration_ms(0);
	} else {
		int64_t next = probe->pause.ms == 0 ? RETRY_MS : probe->pause.ms * 2;
		pause = duration_ms(next < interval.ms ? next : interval.ms);
		probe->pause = pause;
	}
	probe->due = mono_add(mono_now(), duration_jitter(pause, JITTER_PERCENT));
}

static void log_change(const struct cluster *cluster, const struct finding *finding)
{
	bool is_well = strcmp(finding->code, "ok") == 0;
	log_write(is_well ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
	    LOG_FIELDS("probe", "found", LOG_S("cluster", cluster->resource->name),
		LOG_S("code", finding->code), LOG_S("text", finding->text)));
}

void prober_take(struct prober *prober, struct cluster *cluster, struct finding *finding)
{
	struct cluster_probe *probe = probe_of(prober, cluster);
	metric_add(prober->metrics.looks, 1, finding->code);
	if (!finding_is_equal(&probe->finding, finding)) {
		log_change(cluster, finding);
		probe->is_told = false;
	}
	finding_clear(&probe->finding);
	probe->finding = *finding;
	*finding = (struct finding){0};
	plan(prober, probe);
	if (!probe->is_told)
		(void)tell(prober, probe);
}

static void on_looked(void *arg, struct finding *finding)
{
	struct cluster_probe *probe = arg;
	struct prober *prober = probe->prober;
	probe->look = NULL;
	prober->looking--;
	prober_take(prober, probe->cluster, finding);
	/* Nobody uses it: its connections and its certificates are not kept for us. */
	if (probe->had_upstream || probe->cluster->in_flight > 0)
		return;
	upstream_retire(&probe->cluster->upstream);
	cluster_rest(probe->cluster);
}

struct look_options prober_look_options(const struct prober *prober, const struct cluster *cluster)
{
	bool is_exact;
	return (struct look_options){
	    .loop = prober->with.loop,
	    .clusters = prober->with.clusters,
	    .upstreams = prober->with.upstreams,
	    .resolver = prober->resolver,
	    .rights = &prober->rights,
	    .principal = prober_principal(prober, cluster, &is_exact),
	};
}

static void look_at(struct prober *prober, struct cluster_probe *probe)
{
	struct look_options options = prober_look_options(prober, probe->cluster);
	probe->had_upstream = probe->cluster->upstream != NULL;
	probe->look = look_start(&options, probe->cluster, on_looked, probe);
	prober->looking++;
}

/* Remedies name the principal: it is asked for first. */
static bool knows_itself(struct prober *prober)
{
	const struct cluster *first = clusters_next(prober->with.clusters, NULL);
	if (first != NULL)
		own_principal_ask(prober->own, first->resource->aws.region);
	return own_principal_is_settled(prober->own);
}

static void on_tick(void *arg)
{
	struct prober *prober = arg;
	struct cluster *cluster = NULL;
	size_t reports = 0;
	bool may_look = interval_of(prober).ms > 0 && knows_itself(prober), may_tell = true;
	while ((cluster = clusters_next(prober->with.clusters, cluster)) != NULL) {
		struct cluster_probe *probe = probe_of(prober, cluster);
		bool is_due = probe->look == NULL && mono_is_past(probe->due);
		if (may_look && is_due && prober->looking < PARALLEL)
			look_at(prober, probe);
		if (probe->is_told || !may_tell || reports == REPORTS_A_TICK)
			continue;
		may_tell = tell(prober, probe);
		reports++;
	}
	timer_set(prober->tick, duration_ms(TICK_MS));
}

/* --- news ------------------------------------------------------------------------------------ */

static void drop_look(struct prober *prober, struct cluster_probe *probe)
{
	if (probe->look == NULL)
		return;
	look_cancel(&probe->look);
	prober->looking--;
}

void prober_moved(struct prober *prober, struct cluster *cluster)
{
	if (cluster->probe == NULL)
		return;
	drop_look(prober, cluster->probe);
	cluster->probe->due = mono_now();
}

static void free_probe(struct prober *prober, struct cluster *cluster)
{
	drop_look(prober, cluster->probe);
	finding_clear(&cluster->probe->finding);
	free(cluster->probe);
	cluster->probe = NULL;
}

void prober_forget(struct prober *prober, struct cluster *cluster)
{
	tasks_forget(prober->tasks, cluster);
	if (cluster->probe == NULL)
		return;
	tell_gone(prober, cluster->probe);
	free_probe(prober, cluster);
}

/* Once for each set of roles. */
static void take_rights(struct prober *prober, const struct policy *policy)
{
	rights_clear(&prober->rights);
	rights_of_policy(policy, &prober->rights);
	const char *warning = rights_warning(&prober->rights);
	if (warning != NULL)
		log_warn("probe", "any-group", LOG_S("warning", warning));
}

void prober_set(struct prober *prober, const struct settings *settings, const struct policy *policy)
{
	prober->with.settings = settings;
	prober->with.policy = policy;
	tasks_end_all(prober->tasks, "the proxy was given other roles meanwhile: try again");
	take_rights(prober, policy);
	struct cluster *cluster = NULL;
	while ((cluster = clusters_next(prober->with.clusters, cluster)) != NULL) {
		struct cluster_probe *probe = probe_of(prober, cluster);
		drop_look(prober, probe);
		if (probe->finding.checked.ms == 0)
			begin_finding(prober, probe);
		probe->due =
		    mono_add(mono_now(), duration_ms((int64_t)arc4random_uniform(SPREAD_MS)));
	}
}

/* The principal stands in every report. */
static void on_principal(void *arg)
{
	untell_all(arg);
}

static void on_task(void *arg, const struct message_task *task)
{
	struct prober *prober = arg;
	(void)knows_itself(prober); /* it would not be asked, were nothing looked at by itself */
	tasks_take(prober->tasks, task);
}

static void on_session_end(void *arg)
{
	struct prober *prober = arg;
	tasks_break_off(prober->tasks);
	untell_all(prober);
}

static void on_collect(void *arg)
{
	struct prober *prober = arg;
	struct cluster *cluster = NULL;
	metric_clear(prober->metrics.clusters);
	while ((cluster = clusters_next(prober->with.clusters, cluster)) != NULL) {
		const struct finding *finding = prober_finding(cluster);
		metric_add(
		    prober->metrics.clusters, 1, finding != NULL ? finding->code : "pending");
	}
}

static void make_metrics(struct prober *prober, struct metrics *metrics)
{
	prober->metrics.looks = metrics_counter(metrics, "eksgate_probe_looks_total",
	    "Looks at clusters with the proxy's own credentials, by what they found.", "code");
	prober->metrics.clusters = metrics_gauge(metrics, "eksgate_probe_clusters",
	    "Served clusters by what the latest look found.", "code");
	metrics_on_collect(metrics, on_collect, prober);
}

struct prober *prober_new(const struct prober_options *options)
{
	struct prober *prober = xcalloc(1, sizeof *prober);
	prober->with = *options;
	take_rights(prober, options->policy);
	prober->resolver = resolver_new(options->loop);
	prober->own = own_principal_new(options->aws, on_principal, prober);
	struct tasks_options for_tasks = {
	    .prober = prober,
	    .loop = options->loop,
	    .clusters = options->clusters,
	    .upstreams = options->upstreams,
	    .subscriber = options->subscriber,
	    .rights = &prober->rights,
	};
	prober->tasks = tasks_new(&for_tasks);
	make_metrics(prober, options->metrics);
	prober->tick = timer_new(options->loop, on_tick, prober);
	timer_set(prober->tick, duration_ms(TICK_MS));
	prober->work = (struct subscriber_work){
	    .on_task = on_task, .on_session_end = on_session_end, .arg = prober};
	subscriber_set_work(options->subscriber, &prober->work);
	return prober;
}

void prober_free(struct prober **prober)
{
	struct prober *old = *prober;
	*prober = NULL;
	if (old == NULL)
		return;
	subscriber_set_work(old->with.subscriber, NULL);
	tasks_free(&old->tasks);
	struct cluster *cluster = NULL;
	while ((cluster = clusters_next(old->with.clusters, cluster)) != NULL) {
		if (cluster->probe != NULL)
			free_probe(old, cluster);
	}
	own_principal_free(&old->own);
	resolver_free(&old->resolver);
	timer_free(&old->tick);
	rights_clear(&old->rights);
	free(old);
}
