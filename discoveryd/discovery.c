/* Discovery's clockwork. An account with "*" asks ListRegions first; its regions and the named ones
 * become scopes; each scope has its own timer, so that their passes spread over the poll interval.
 * Owned by the daemon, or by `scan`. */
#include "discoveryd/discovery.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/aws_tagging.h"
#include "discoveryd/describe_plan.h"
#include "discoveryd/discovery_log.h"
#include "discoveryd/discovery_metrics.h"

/* Passes under way at a time; the others wait in the queue. */
#define MAX_PASSES     64
#define MAX_REFRESHES  32
#define JITTER_PERCENT 10

/* One REFRESH under way. */
struct refresh {
	TAILQ_ENTRY(refresh) entry;
	struct discovery *discovery;
	struct scope *scope;
	char *name;
	struct sweep *sweep;
};

struct discovery {
	struct discovery_options options;
	const struct settings *settings;
	TAILQ_HEAD(account_list, account) accounts;
	TAILQ_HEAD(scope_list, scope) scopes;
	RB_HEAD(scope_tree, scope) by_id;
	TAILQ_HEAD(scope_queue, scope) queue;
	size_t passes;
	struct deferred rebuild; /* once for all accounts whose regions came in a turn */
	TAILQ_HEAD(refresh_list, refresh) refreshes;
	size_t refresh_count;
};

static int compare_ids(const struct scope *a, const struct scope *b)
{
	return strcmp(a->id, b->id);
}

RB_PROTOTYPE(scope_tree, scope, by_id, compare_ids);
RB_GENERATE(scope_tree, scope, by_id, compare_ids);

/* --- passes ----------------------------------------------------------------------------------- */

static void run_queue(struct discovery *discovery);

static void leave_queue(struct scope *scope)
{
	if (scope->is_queued)
		TAILQ_REMOVE(&scope->discovery->queue, scope, queue_entry);
	scope->is_queued = false;
}

static void make_due(struct scope *scope)
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
	make_due(arg);
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
		make_due(scope);
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

static struct scope *find_scope(const struct discovery *discovery, const char *id)
{
	struct scope *scope = RB_ROOT(&discovery->by_id);
	while (scope != NULL) {
		int order = strcmp(id, scope->id);
		if (order == 0)
			return scope;
		scope = order < 0 ? RB_LEFT(scope, by_id) : RB_RIGHT(scope, by_id);
	}
	return NULL;
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
	struct scope *scope = find_scope(discovery, scope_id);
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

static void drop_scope(struct discovery *discovery, struct scope *scope)
{
	struct refresh *refresh, *next;
	for (refresh = TAILQ_FIRST(&discovery->refreshes); refresh != NULL; refresh = next) {
		next = TAILQ_NEXT(refresh, entry);
		if (refresh->scope == scope)
			end_refresh(refresh);
	}
	leave_queue(scope);
	discovery->passes -= scope->sweep != NULL;
	TAILQ_REMOVE(&discovery->scopes, scope, entry);
	RB_REMOVE(scope_tree, &discovery->by_id, scope);
	scope_free(&scope);
}

static struct scope *add_scope(
    struct discovery *discovery, struct account *account, const char *region)
{
	struct scope *scope = scope_new(account, region);
	scope->discovery = discovery;
	scope->timer = timer_new(discovery->options.loop, on_scope_due, scope);
	TAILQ_INSERT_TAIL(&discovery->scopes, scope, entry);
	RB_INSERT(scope_tree, &discovery->by_id, scope);
	return scope;
}

/* The matcher asks for `region` of `account`. */
static void ask_for(struct discovery *discovery, struct account *account, const char *region,
    const struct aws_matcher *matcher)
{
	char *id = scope_id_of(account, region);
	struct scope *scope = find_scope(discovery, id);
	free(id);
	if (scope == NULL)
		scope = add_scope(discovery, account, region);
	scope->is_configured = true;
	for (size_t i = 0; i < scope->matcher_count; i++) {
		if (scope->matchers[i] == matcher)
			return;
	}
	scope->matchers =
	    xreallocarray(scope->matchers, scope->matcher_count + 1, sizeof(struct aws_matcher *));
	scope->matchers[scope->matcher_count++] = matcher;
}

static bool is_wildcard(const struct aws_matcher *matcher)
{
	return matcher->region_count == 1 && strcmp(matcher->regions[0], "*") == 0;
}

static void ask_for_matcher(
    struct discovery *discovery, struct account *account, const struct aws_matcher *matcher)
{
	if (is_wildcard(matcher)) {
		for (size_t i = 0; i < account->region_count; i++)
			ask_for(discovery, account, account->regions[i], matcher);
		return;
	}
	for (size_t i = 0; i < matcher->region_count; i++)
		ask_for(discovery, account, matcher->regions[i], matcher);
}

static struct account *find_account(const struct discovery *discovery, const char *id)
{
	struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (strcmp(account->id, id) == 0)
			return account;
	}
	return NULL;
}

static struct account *account_of(
    const struct discovery *discovery, const struct aws_matcher *matcher)
{
	char *id = account_id_of(matcher);
	struct account *account = find_account(discovery, id);
	free(id);
	return account;
}

/* Makes the scopes what the matchers and the accounts' regions say; new ones are due at once. */
static void rebuild_scopes(void *arg)
{
	struct discovery *discovery = arg;
	struct scope *scope, *next;
	for (scope = TAILQ_FIRST(&discovery->scopes); scope != NULL;
	     scope = TAILQ_NEXT(scope, entry)) {
		scope->is_configured = false;
		scope->matcher_count = 0;
	}
	for (size_t i = 0; i < discovery->settings->discovery.matcher_count; i++) {
		const struct aws_matcher *matcher = &discovery->settings->discovery.matchers[i];
		ask_for_matcher(discovery, account_of(discovery, matcher), matcher);
	}
	for (scope = TAILQ_FIRST(&discovery->scopes); scope != NULL; scope = next) {
		next = TAILQ_NEXT(scope, entry);
		if (!scope->is_configured) {
			drop_scope(discovery, scope);
			continue;
		}
		scope_set_treatment(scope);
		if (!scope->has_outcome && scope->sweep == NULL)
			make_due(scope);
	}
	if (discovery->options.on_regions != NULL)
		discovery->options.on_regions(discovery->options.arg);
}

/* --- accounts --------------------------------------------------------------------------------- */

static void on_regions(
    void *arg, const struct aws_reply *reply, const char *const *regions, size_t count)
{
	struct account *account = arg;
	struct discovery *discovery = account->discovery;
	account->call = NULL;
	discovery_metrics_call(discovery->options.metrics, "account:ListRegions",
	    account->partition->global_region, reply);
	enum aws_outcome before = account->error.outcome;
	bool is_news = !account->has_outcome || before != reply->outcome;
	account_keep_regions(account, reply, regions, count);
	if (is_news)
		discovery_log_regions(account);
	struct duration delay = discovery->settings->discovery.poll_interval;
	if (account->source == ACCOUNT_REGIONS_UNKNOWN)
		delay = scope_backoff(account->failures, delay);
	timer_set(account->timer, duration_jitter(delay, JITTER_PERCENT));
	loop_defer(discovery->options.loop, &discovery->rebuild);
}

static void ask_regions(void *arg)
{
	struct account *account = arg;
	if (account->call != NULL)
		return;
	timer_cancel(account->timer);
	account->call = account_list_regions(account->discovery->options.aws, account->provider,
	    account->partition->id, on_regions, account);
}

static void use_account(struct discovery *discovery, const struct aws_matcher *matcher)
{
	struct account *account = account_of(discovery, matcher);
	if (account == NULL) {
		account = account_new(discovery->options.aws, discovery->options.provider, matcher);
		account->discovery = discovery;
		account->timer = timer_new(discovery->options.loop, ask_regions, account);
		TAILQ_INSERT_TAIL(&discovery->accounts, account, entry);
	}
	if (!account->is_configured)
		account->is_wildcard = false;
	account->is_configured = true;
	account->is_wildcard |= is_wildcard(matcher);
}

/* Makes the accounts that the matchers need, and marks those in use. */
static void mark_accounts(struct discovery *discovery)
{
	struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		account->is_configured = false;
	}
	for (size_t i = 0; i < discovery->settings->discovery.matcher_count; i++)
		use_account(discovery, &discovery->settings->discovery.matchers[i]);
}

/* Scopes of accounts that are no more were dropped before. */
static void drop_unused_accounts(struct discovery *discovery)
{
	struct account *account, *next;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL; account = next) {
		next = TAILQ_NEXT(account, entry);
		if (account->is_configured)
			continue;
		TAILQ_REMOVE(&discovery->accounts, account, entry);
		account_free(&account);
	}
}

/* --- public ----------------------------------------------------------------------------------- */

struct discovery *discovery_new(const struct discovery_options *options)
{
	struct discovery *discovery = xcalloc(1, sizeof *discovery);
	discovery->options = *options;
	discovery->options.provider = aws_provider_ref(options->provider);
	TAILQ_INIT(&discovery->accounts);
	TAILQ_INIT(&discovery->scopes);
	RB_INIT(&discovery->by_id);
	TAILQ_INIT(&discovery->queue);
	TAILQ_INIT(&discovery->refreshes);
	discovery->rebuild = (struct deferred){.fn = rebuild_scopes, .arg = discovery};
	return discovery;
}

void discovery_free(struct discovery **discovery)
{
	if (*discovery == NULL)
		return;
	struct scope *scope, *next_scope;
	for (scope = TAILQ_FIRST(&(*discovery)->scopes); scope != NULL; scope = next_scope) {
		next_scope = TAILQ_NEXT(scope, entry);
		drop_scope(*discovery, scope);
	}
	struct account *account, *next_account;
	for (account = TAILQ_FIRST(&(*discovery)->accounts); account != NULL;
	     account = next_account) {
		next_account = TAILQ_NEXT(account, entry);
		TAILQ_REMOVE(&(*discovery)->accounts, account, entry);
		account_free(&account);
	}
	loop_undefer((*discovery)->options.loop, &(*discovery)->rebuild);
	aws_provider_unref(&(*discovery)->options.provider);
	xfree(discovery);
}

void discovery_configure(struct discovery *discovery, const struct settings *settings)
{
	discovery->settings = settings;
	/* New scopes are due by themselves. */
	struct scope *scope;
	for (scope = TAILQ_FIRST(&discovery->scopes); scope != NULL;
	     scope = TAILQ_NEXT(scope, entry)) {
		scope->is_stale = true;
	}
	mark_accounts(discovery);
	rebuild_scopes(discovery);
	drop_unused_accounts(discovery);
	struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (account->is_wildcard)
			ask_regions(account);
	}
	for (scope = TAILQ_FIRST(&discovery->scopes); scope != NULL;
	     scope = TAILQ_NEXT(scope, entry)) {
		if (scope->is_stale)
			make_due(scope);
		scope->is_stale = false;
	}
}

bool discovery_is_complete(const struct discovery *discovery)
{
	if (discovery->rebuild.is_queued)
		return false;
	const struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (account->is_wildcard && !account->has_outcome)
			return false;
	}
	const struct scope *scope;
	for (scope = TAILQ_FIRST(&discovery->scopes); scope != NULL;
	     scope = TAILQ_NEXT(scope, entry)) {
		if (!scope->has_outcome)
			return false;
	}
	return true;
}

/* Whether the scope is one of this account, whatever its region. */
static bool is_scope_of(const struct account *account, const char *scope)
{
	size_t len = strlen(account->id);
	const char *region = strrchr(scope, '/');
	return region == scope + len && strncmp(scope, account->id, len) == 0;
}

enum coverage discovery_coverage(void *arg, const char *scope)
{
	const struct discovery *discovery = arg;
	if (find_scope(discovery, scope) != NULL)
		return COVERAGE_YES;
	const struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (account->is_wildcard && account->source == ACCOUNT_REGIONS_UNKNOWN &&
		    is_scope_of(account, scope))
			return COVERAGE_UNKNOWN;
	}
	return COVERAGE_NO;
}

const struct scope *discovery_next_scope(
    const struct discovery *discovery, const struct scope *scope)
{
	return scope == NULL ? TAILQ_FIRST(&discovery->scopes) : TAILQ_NEXT(scope, entry);
}

const struct account *discovery_next_account(
    const struct discovery *discovery, const struct account *account)
{
	return account == NULL ? TAILQ_FIRST(&discovery->accounts) : TAILQ_NEXT(account, entry);
}

static const char *source_text(enum account_regions source)
{
	static const char *const texts[] = {"unknown", "listed", "partition"};
	return texts[source];
}

struct json_object *discovery_wildcards_to_json(const struct discovery *discovery)
{
	struct json_object *array = json_object_new_array();
	const struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (!account->is_wildcard)
			continue;
		struct json_object *object = json_object_new_object();
		json_add_string(object, "identity", aws_provider_text(account->provider));
		json_add_string(object, "regions_from", source_text(account->source));
		json_object_object_add(
		    object, "regions", json_object_new_int64((int64_t)account->region_count));
		if (account->error.outcome != AWS_OK)
			json_object_object_add(
			    object, "error", scope_error_to_json(&account->error));
		json_object_array_add(array, object);
	}
	return array;
}
