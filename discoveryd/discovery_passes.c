/* Discovery's clockwork: each scope has a timer of its own, so that passes spread over the poll
 * interval; a queue bounds how many run at a time; a refresh looks at one cluster out of turn.
 * Called by discovery.c, which decides what scopes there are. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/aws_tagging.h"
#include "discoveryd/describe_plan.h"
#include "discoveryd/discovery_log.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/discovery_parts.h"

/* Passes under way at a time; the others wait in the queue. */
#define MAX_PASSES    64
#define MAX_REFRESHES 32

/* One REFRESH under way. */
struct refresh {
	TAILQ_ENTRY(refresh) entry;
	struct discovery *discovery;
	struct scope *scope;
	char *name;
	struct sweep *sweep;
};

/* --- passes ----------------------------------------------------------------------------------- */

static void run_queue(struct discovery *discovery);

static void leave_queue(struct scope *scope)
{
	if (scope->is_queued)
		TAILQ_REMOVE(&scope->discovery->queue, scope, queue_entry);
	scope->is_queued = false;
}

void discovery_make_due(struct scope *scope)
{
	if (scope->sweep != NULL) {
		scope->is_wanted_again = true;
		return;
	}
	timer_cancel(scope->timer);
	if (!scope->is_queued)
		TAILQ_INSERT_TAIL(&scope->discovery->queue, scope, queue_entry);
	scope->is_queued = true;
	run_queue(scope->discovery);
}

static void on_scope_due(void *arg)
{
	discovery_make_due(arg);
}

/* The outcome could not be recorded: told once, until it changes. */
static void keep_record_error(struct scope *scope, char *error)
{
	if (error != NULL &&
	    (scope->record_error == NULL || strcmp(scope->record_error, error) != 0))
		log_error(
		    "sweep", "not-recorded", LOG_S("scope", scope->id), LOG_S("error", error));
	free(scope->record_error);
	scope->record_error = error;
}

static void set_next(struct scope *scope)
{
	struct duration delay =
	    scope_next_delay(scope, scope->discovery->settings->discovery.poll_interval);
	scope->next = unix_add(unix_now(), delay);
	timer_set(scope->timer, delay);
}

static void on_swept(void *arg, const struct sweep_result *result)
{
	struct scope *scope = arg;
	struct discovery *discovery = scope->discovery;
	scope->sweep = NULL;
	discovery->passes--;
	bool is_news = scope_keep_outcome(scope, result);
	discovery_metrics_sweep(discovery->options.metrics, scope->id, result);
	discovery_log_outcome(scope, result, is_news);
	if (scope_keep_tagging(scope, result))
		discovery_log_tagging(scope);
	char *error = NULL;
	if (discovery->options.on_swept(discovery->options.arg, scope, result, &error))
		keep_record_error(scope, NULL);
	else
		keep_record_error(scope, error);
	set_next(scope);
	if (scope->is_wanted_again) {
		scope->is_wanted_again = false;
		discovery_make_due(scope);
	}
	run_queue(discovery);
}

static void on_listed(void *arg)
{
	scope_set_state(arg, SCOPE_DESCRIBING);
}

static struct eks_cluster *known_cluster(
    const struct look *look, const struct tagged_cluster *tagged)
{
	struct eks_cluster *cluster = xcalloc(1, sizeof *cluster);
	cluster->name = xstrdup(look->name);
	cluster->arn = xstrdup(look->arn);
	cluster->status = xstrdup(look->status);
	if (tagged != NULL)
		labels_copy(&cluster->tags, &tagged->tags);
	return cluster;
}

static struct eks_cluster *recall(void *arg, const char *name, const struct tagged_cluster *tagged)
{
	const struct scope *scope = arg;
	const struct discovery *discovery = scope->discovery;
	const struct discovery_options *options = &discovery->options;
	struct describe_question question = {.look = options->recall(options->arg, scope, name),
	    .tagged = tagged,
	    .matchers = scope->matchers,
	    .matcher_count = scope->matcher_count,
	    .treatment = scope->treatment,
	    .now = unix_now(),
	    .age = discovery->settings->discovery.describe_age};
	enum describe_reason reason = describe_plan(&question);
	return reason == DESCRIBE_NOT ? known_cluster(question.look, tagged) : NULL;
}

static struct sweep_options sweep_options_of(const struct scope *scope)
{
	const struct discovery *discovery = scope->discovery;
	return (struct sweep_options){.aws = discovery->options.aws,
	    .provider = scope->account->provider,
	    .region = scope->region,
	    .account_id = scope->account->account_id,
	    .parallel = discovery->settings->discovery.describe_parallel,
	    .treatment = scope->treatment,
	    .metrics = discovery->options.metrics};
}

static void run_queue(struct discovery *discovery)
{
	struct scope *scope;
	while (discovery->passes < MAX_PASSES && (scope = TAILQ_FIRST(&discovery->queue)) != NULL) {
		leave_queue(scope);
		struct sweep_options options = sweep_options_of(scope);
		options.on_listed = on_listed;
		options.recall = discovery->options.recall != NULL ? recall : NULL;
		discovery->passes++;
		scope_set_state(scope, SCOPE_LISTING);
		scope->sweep = sweep_start(discovery->options.loop, &options, on_swept, scope);
	}
}

/* --- refreshes -------------------------------------------------------------------------------- */

static void end_refresh(struct refresh *refresh)
{
	struct discovery *discovery = refresh->discovery;
	TAILQ_REMOVE(&discovery->refreshes, refresh, entry);
	discovery->refresh_count--;
	sweep_cancel(&refresh->sweep);
	free(refresh->name);
	free(refresh);
}

static void on_refreshed(void *arg, const struct sweep_result *result)
{
	struct refresh *refresh = arg;
	struct discovery *discovery = refresh->discovery;
	struct scope *scope = refresh->scope;
	refresh->sweep = NULL;
	char *error = NULL;
	if (!discovery->options.on_swept(discovery->options.arg, scope, result, &error))
		keep_record_error(scope, error);
	log_info("sweep", "refreshed", LOG_S("scope", scope->id), LOG_S("cluster", refresh->name),
	    LOG_B("settled", result->is_settled));
	end_refresh(refresh);
}

static bool is_refreshing(
    const struct discovery *discovery, const struct scope *scope, const char *name)
{
	const struct refresh *refresh;
	for (refresh = TAILQ_FIRST(&discovery->refreshes); refresh != NULL;
	     refresh = TAILQ_NEXT(refresh, entry)) {
		if (refresh->scope == scope && strcmp(refresh->name, name) == 0)
			return true;
	}
	return false;
}

void discovery_refresh(struct discovery *discovery, const char *scope_id, const char *eks_name)
{
	struct scope *scope = discovery_find_scope(discovery, scope_id);
	if (scope == NULL || discovery->refresh_count == MAX_REFRESHES ||
	    is_refreshing(discovery, scope, eks_name))
		return;
	struct refresh *refresh = xcalloc(1, sizeof *refresh);
	refresh->discovery = discovery;
	refresh->scope = scope;
	refresh->name = xstrdup(eks_name);
	TAILQ_INSERT_TAIL(&discovery->refreshes, refresh, entry);
	discovery->refresh_count++;
	struct sweep_options options = sweep_options_of(scope);
	refresh->sweep =
	    sweep_start_one(discovery->options.loop, &options, eks_name, on_refreshed, refresh);
}

/* --- scopes ----------------------------------------------------------------------------------- */

struct scope *discovery_add_scope(struct account *account, const char *region)
{
	struct discovery *discovery = account->discovery;
	struct scope *scope = scope_new(account, region);
	scope->discovery = discovery;
	scope->timer = timer_new(discovery->options.loop, on_scope_due, scope);
	TAILQ_INSERT_TAIL(&account->scopes, scope, entry);
	return scope;
}

void discovery_drop_scope(struct scope *scope)
{
	struct discovery *discovery = scope->discovery;
	struct refresh *refresh, *next;
	for (refresh = TAILQ_FIRST(&discovery->refreshes); refresh != NULL; refresh = next) {
		next = TAILQ_NEXT(refresh, entry);
		if (refresh->scope == scope)
			end_refresh(refresh);
	}
	leave_queue(scope);
	discovery->passes -= scope->sweep != NULL;
	TAILQ_REMOVE(&scope->account->scopes, scope, entry);
	scope_free(&scope);
}
