/* The list of live exchanges: counted for the drain, walked when a cluster, a role or a certificate
 * is withdrawn. Made by the proxy, used by sessions through exchange.c. */
#include "kubeproxyd/exchange/exchanges.h"

#include <stdlib.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/worker.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/exchange_filter.h"
#include "kubeproxyd/exchange/exchange_session.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/policy/policy.h"

/* What a credential began ends within 5 s of it. */
#define EXPIRY_CHECK_SECONDS 2
#define PACE_CHECK_SECONDS   1
/* With a disk below the files of lists. */
#define DISK_PATIENCE_SECONDS 30
/* At the end, for a disk that hangs below files that have no name: nothing of them is lost. */
#define CLOSING_SECONDS 5

static void for_each(struct exchanges *exchanges, void (*fn)(struct exchange *exchange))
{
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &exchanges->live, entry, next)
	fn(link->exchange);
}

static void on_expiry_timer(void *arg)
{
	struct exchanges *exchanges = arg;
	for_each(exchanges, exchange_check_expiry);
	for_each(exchanges, exchange_filter_look);
	timer_set(exchanges->expiry, duration_seconds(EXPIRY_CHECK_SECONDS));
}

static void look_later(struct exchanges *exchanges)
{
	exchanges->looked = mono_now();
	timer_set(exchanges->look, duration_seconds(PACE_CHECK_SECONDS));
}

static void stop_receiving(struct exchanges *exchanges, struct exchange_link *link)
{
	if (!link->is_receiving)
		return;
	link->is_receiving = false;
	TAILQ_REMOVE(&exchanges->receiving, link, body_entry);
}

static void on_look(void *arg)
{
	struct exchanges *exchanges = arg;
	struct duration elapsed = mono_since(exchanges->looked);
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &exchanges->receiving, body_entry, next)
	{
		if (!exchange_check_pace(link->exchange, elapsed))
			stop_receiving(exchanges, link);
	}
	if (!TAILQ_EMPTY(&exchanges->receiving))
		look_later(exchanges);
}

/* --- slow readers ------------------------------------------------------------------------- */

void exchanges_note_stalled(
    struct exchanges *exchanges, struct exchange_link *link, bool is_stalled)
{
	if (link->is_stalled == is_stalled)
		return;
	link->is_stalled = is_stalled;
	if (is_stalled)
		TAILQ_INSERT_TAIL(&exchanges->stalled, link, stalled_entry);
	else
		TAILQ_REMOVE(&exchanges->stalled, link, stalled_entry);
}

/* The slowest is who has taken nothing for the longest time. */
static void make_room(void *arg, size_t more)
{
	struct exchanges *exchanges = arg;
	struct exchange_link *slowest;
	while (!holdings_have_room(exchanges->with.holdings, more) &&
	       (slowest = TAILQ_FIRST(&exchanges->stalled)) != NULL) {
		metric_add(exchanges->metrics.refused, 1, "answers_in_hand");
		exchange_cut(slowest->exchange,
		    "the client read too slowly while answers filled the memory that there is for "
		    "them (eksgate.proxy.limits.answers_in_hand)");
	}
}

static struct exchange_link *find_slowest_spooled(struct exchanges *exchanges)
{
	struct exchange_link *link;
	TAILQ_FOREACH(link, &exchanges->stalled, stalled_entry)
	{
		if (exchange_filter_is_spooled(link->exchange))
			return link;
	}
	return NULL;
}

/* Of those whose lists are complete: who is still to get one has nobody to be slow for it. */
static void make_disk_room(void *arg, size_t more)
{
	struct exchanges *exchanges = arg;
	struct exchange_link *slowest;
	while (!holdings_have_room(&exchanges->spools.all, more) &&
	       (slowest = find_slowest_spooled(exchanges)) != NULL) {
		metric_add(exchanges->metrics.refused, 1, "filtered_lists");
		exchange_cut(slowest->exchange,
		    "the client read too slowly while lists filled the disk space that there is "
		    "for them (eksgate.proxy.limits.filtered_lists)");
	}
}

static void limit_spools(struct exchanges *exchanges)
{
	const struct proxy_limits *limits = &exchanges->with.settings->proxy.limits;
	exchanges->spools.each_max = limits->filtered_list;
	exchanges->spools.all.limit = limits->filtered_lists;
	exchanges->spools.all.make_room = make_disk_room;
	exchanges->spools.all.arg = exchanges;
}

static void limit_holdings(struct exchanges *exchanges)
{
	struct holdings *holdings = exchanges->with.holdings;
	if (holdings == NULL)
		return;
	holdings->limit = exchanges->with.settings->proxy.limits.answers_in_hand;
	holdings->make_room = make_room;
	holdings->arg = exchanges;
}

/* What is told when somebody asks. */
static void on_collect(void *arg)
{
	const struct exchanges *exchanges = arg;
	const struct holdings *holdings = exchanges->with.holdings;
	metric_set(exchanges->metrics.in_flight, (double)exchanges->count);
	metric_set(exchanges->metrics.bytes, (double)exchanges->bytes_in, "in");
	metric_set(exchanges->metrics.bytes, (double)exchanges->bytes_out, "out");
	metric_set(exchanges->metrics.held, holdings != NULL ? (double)holdings->held : 0);
	metric_set(exchanges->metrics.spooled, (double)exchanges->spools.all.held);
}

/* --- steps ---------------------------------------------------------------------------------- */

void exchanges_step_later(
    struct exchanges *exchanges, struct exchange_link *link, enum exchange_step step)
{
	link->step = step;
	TAILQ_INSERT_TAIL(&exchanges->steps[step], link, step_entry);
	/* What the steps write goes out with what waits to be flushed, and records are made before
	 * the last of an answer leaves. */
	loop_defer_first(exchanges->with.loop, &exchanges->stepping);
}

static void forget_step(struct exchanges *exchanges, struct exchange_link *link)
{
	if (link->step == EXCHANGE_STEPS)
		return;
	TAILQ_REMOVE(&exchanges->steps[link->step], link, step_entry);
	link->step = EXCHANGE_STEPS;
}

void exchanges_arrive_now(struct exchanges *exchanges, struct exchange_link *link)
{
	if (link->step != EXCHANGE_ARRIVES)
		return;
	forget_step(exchanges, link);
	exchange_arrive(link->exchange);
}

static void step_all(void *arg)
{
	static void (*const takes[EXCHANGE_STEPS])(struct exchange * exchange) = {
	    [EXCHANGE_ENDS] = exchange_end,
	    [EXCHANGE_ARRIVES] = exchange_arrive,
	    [EXCHANGE_LEAVES] = exchange_leave,
	};
	struct exchanges *exchanges = arg;
	struct exchange_link *link;
	for (size_t step = 0; step < EXCHANGE_STEPS; step++) {
		while ((link = TAILQ_FIRST(&exchanges->steps[step])) != NULL) {
			forget_step(exchanges, link);
			takes[step](link->exchange);
		}
	}
}

/* --- the set ------------------------------------------------------------------------------ */

static void make_metrics(struct exchanges *exchanges, struct metrics *metrics)
{
	static const double buckets[] = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600, 0};
	exchanges->metrics.requests = metrics_counter(
	    metrics, "eksgate_proxy_requests_total", "Requests that ended.", "cluster code");
	exchanges->metrics.in_flight =
	    metrics_gauge(metrics, "eksgate_proxy_requests_in_flight", "Requests under way.", "");
	exchanges->metrics.seconds = metrics_histogram(metrics, "eksgate_proxy_request_seconds",
	    "From the head of a request to the end of its answer, long-running ones apart.", "",
	    buckets);
	exchanges->metrics.bytes = metrics_counter(
	    metrics, "eksgate_proxy_body_bytes_total", "Bytes of bodies and tunnels.", "direction");
	exchanges->metrics.upstream_errors =
	    metrics_counter(metrics, "eksgate_proxy_upstream_errors_total",
		"Requests that API servers failed.", "cluster kind");
	exchanges->metrics.sessions = metrics_gauge(metrics, "eksgate_sessions",
	    "Sessions in containers that are open: exec, attach, port-forward.", "kind");
	metrics_on_collect(metrics, exchange_sessions_collect, exchanges);
	exchanges->metrics.refused = metrics_counter(metrics, "eksgate_proxy_refused_total",
	    "Requests refused for a limit, by its setting.", "reason");
	exchanges->metrics.filters = metrics_counter(metrics, "eksgate_filtered_answers_total",
	    "Answers that passed a filter, whatever it left out.", "");
	exchanges->metrics.filtered = metrics_counter(metrics, "eksgate_filtered_objects_total",
	    "Objects in answers that hold more than their reader may see.", "verdict");
	exchanges->metrics.held = metrics_gauge(metrics, "eksgate_proxy_answer_bytes_held",
	    "Memory that answers take since their readers are slower than API servers.", "");
	exchanges->metrics.spooled = metrics_gauge(metrics, "eksgate_proxy_list_bytes_spooled",
	    "Disk space that filtered lists take whose end must be seen before they leave.", "");
	metrics_on_collect(metrics, on_collect, exchanges);
}

struct exchanges *exchanges_new(const struct exchanges_options *options)
{
	struct exchanges *exchanges = xcalloc(1, sizeof *exchanges);
	exchanges->with = *options;
	exchanges->with.policy = policy_ref(options->policy);
	TAILQ_INIT(&exchanges->live);
	TAILQ_INIT(&exchanges->receiving);
	TAILQ_INIT(&exchanges->stalled);
	for (size_t step = 0; step < EXCHANGE_STEPS; step++)
		TAILQ_INIT(&exchanges->steps[step]);
	exchanges->stepping = (struct deferred){.fn = step_all, .arg = exchanges};
	limit_holdings(exchanges);
	exchanges->spools.directory = xstrdup_or_null(options->settings->proxy.cache_dir);
	exchanges->spools.worker = worker_new(options->loop);
	exchanges->spools.patience = duration_seconds(DISK_PATIENCE_SECONDS);
	limit_spools(exchanges);
	exchanges->look = timer_new(options->loop, on_look, exchanges);
	make_metrics(exchanges, options->metrics);
	exchanges->expiry = timer_new(options->loop, on_expiry_timer, exchanges);
	timer_set(exchanges->expiry, duration_seconds(EXPIRY_CHECK_SECONDS));
	return exchanges;
}

static void cut_at_exit(struct exchange *exchange)
{
	static const char reason[] = "kubeproxyd is stopping";
	exchange_cut(exchange, reason);
	exchange_cut(exchange, reason);
}

void exchanges_free(struct exchanges **exchanges)
{
	if (*exchanges == NULL)
		return;
	for_each(*exchanges, cut_at_exit);
	loop_undefer((*exchanges)->with.loop, &(*exchanges)->stepping);
	timer_free(&(*exchanges)->expiry);
	timer_free(&(*exchanges)->look);
	policy_unref(&(*exchanges)->with.policy);
	http_head_free(&(*exchanges)->scratch);
	(void)worker_free(&(*exchanges)->spools.worker, duration_seconds(CLOSING_SECONDS));
	free((*exchanges)->spools.directory);
	if ((*exchanges)->with.holdings != NULL)
		(*exchanges)->with.holdings->make_room = NULL;
	xfree(exchanges);
}

void exchanges_add(struct exchanges *exchanges, struct exchange_link *link, bool has_body)
{
	link->step = EXCHANGE_STEPS;
	TAILQ_INSERT_TAIL(&exchanges->live, link, entry);
	exchanges->count++;
	if (!has_body)
		return;
	link->is_receiving = true;
	TAILQ_INSERT_TAIL(&exchanges->receiving, link, body_entry);
	if (!timer_is_set(exchanges->look))
		look_later(exchanges);
}

void exchanges_remove(struct exchanges *exchanges, struct exchange_link *link)
{
	stop_receiving(exchanges, link);
	forget_step(exchanges, link);
	exchanges_note_stalled(exchanges, link, false);
	TAILQ_REMOVE(&exchanges->live, link, entry);
	exchanges->count--;
}

size_t exchanges_count_tunnels(const struct exchanges *exchanges, const char *user)
{
	const struct exchange_link *link;
	size_t count = 0;
	TAILQ_FOREACH(link, &exchanges->live, entry)
	count += exchange_is_tunnel_of(link->exchange, user);
	return count;
}

size_t exchanges_count(const struct exchanges *exchanges)
{
	return exchanges->count;
}

void exchanges_set(
    struct exchanges *exchanges, const struct settings *settings, struct policy *policy)
{
	struct policy *old = exchanges->with.policy;
	exchanges->with.settings = settings;
	limit_holdings(exchanges);
	limit_spools(exchanges);
	exchanges->with.policy = policy_ref(policy);
	for_each(exchanges, exchange_recheck);
	policy_unref(&old);
}

void exchanges_recheck_cluster(struct exchanges *exchanges, const struct cluster *cluster)
{
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &exchanges->live, entry, next)
	{
		if (exchange_is_for(link->exchange, cluster))
			exchange_recheck(link->exchange);
	}
}

void exchanges_set_authority(struct exchanges *exchanges, const char *authority)
{
	exchanges->with.authority = authority;
}

void exchanges_recheck_locks(struct exchanges *exchanges)
{
	for_each(exchanges, exchange_check_locks);
}

void exchanges_cut_tokens(struct exchanges *exchanges, const char *reason)
{
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &exchanges->live, entry, next)
	{
		if (exchange_is_by_token(link->exchange))
			exchange_withdraw(link->exchange, reason);
	}
}

void exchanges_cut_cluster(
    struct exchanges *exchanges, const struct cluster *cluster, const char *reason)
{
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &exchanges->live, entry, next)
	{
		if (exchange_is_for(link->exchange, cluster))
			exchange_cut(link->exchange, reason);
	}
}

void exchanges_end_watches(struct exchanges *exchanges, const char *reason, size_t at_most)
{
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &exchanges->live, entry, next)
	{
		if (at_most == 0)
			return;
		at_most -= exchange_end_watch(link->exchange, reason);
	}
}

void exchanges_cut_long(struct exchanges *exchanges, const char *reason)
{
	struct exchange_link *link, *next;
	TAILQ_FOREACH_SAFE(link, &exchanges->live, entry, next)
	{
		if (exchange_is_long(link->exchange))
			exchange_cut(link->exchange, reason);
	}
}
