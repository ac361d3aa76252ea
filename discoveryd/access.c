/* The cases of all clusters: made and ended as the registry changes, fed with what proxies tell, a
 * few of them working at a time. What one case does is in its other files. */
#include "discoveryd/access.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"
#include "discoveryd/account.h"
#include "discoveryd/candidate.h"
#include "discoveryd/cluster_set.h"
#include "discoveryd/discovery.h"
#include "discoveryd/publisher.h"
#include "discoveryd/registry.h"

#define START_SECONDS 10 /* for proxies to come back and tell */
#define MATCHERS_MAX  64

static int compare(const struct access_case *a, const struct access_case *b)
{
	return strcmp(a->arn, b->arn);
}

RB_GENERATE_INTERNAL(access_cases, access_case, node, compare, __attribute__((__unused__)) static)

struct access_case *access_find_case(const struct access *access, const char *arn)
{
	struct access_case *one = RB_ROOT(&access->cases);
	while (one != NULL) {
		int order = strcmp(arn, one->arn);
		if (order == 0)
			break;
		one = order < 0 ? RB_LEFT(one, node) : RB_RIGHT(one, node);
	}
	return one;
}

struct access_case *access_next_case(struct access *access, struct access_case *one)
{
	return one == NULL ? RB_MIN(access_cases, &access->cases)
			   : RB_NEXT(access_cases, &access->cases, one);
}

const struct cluster_item *access_item_of(const struct access_case *one)
{
	return cluster_set_find_arn(registry_set(one->access->options.registry), one->arn);
}

const struct account *access_account_of(const struct access_case *one)
{
	const struct account *account = NULL;
	while (one->account != NULL &&
	       (account = discovery_next_account(one->access->options.discovery, account)) != NULL)
		if (strcmp(account->id, one->account) == 0)
			return account;
	return NULL;
}

/* --- what is wanted --------------------------------------------------------------------------- */

/* The labels that matchers look at: without those that are given after matching. */
static struct labels matched_labels(const struct kube_cluster *cluster)
{
	static const char *const late[] = {
	    LABEL_ORIGIN, LABEL_DISCOVERY_TYPE, LABEL_DISCOVERY_GROUP, LABEL_DISCOVERED_NAME};
	struct labels labels = {0};
	for (size_t i = 0; i < cluster->labels.count; i++) {
		const struct label *label = &cluster->labels.items[i];
		bool is_late = false;
		for (size_t k = 0; k < sizeof late / sizeof late[0]; k++)
			is_late |= strcmp(label->key, late[k]) == 0;
		if (!is_late)
			labels_set(&labels, label->key, label->value);
	}
	return labels;
}

/* The matchers that want the cluster, one per scope that claims it; the first one's account acts.
 */
static size_t find_matchers(const struct access *access, const struct cluster_item *item,
    const struct aws_matcher *matchers[MATCHERS_MAX], const char **account)
{
	struct labels labels = matched_labels(item->cluster);
	size_t count = 0;
	*account = NULL;
	for (size_t i = 0; i < item->claim_count && count < MATCHERS_MAX; i++) {
		const struct scope *scope =
		    discovery_scope(access->options.discovery, item->claims[i].scope);
		if (scope == NULL)
			continue;
		const struct aws_matcher *matcher =
		    candidate_match(&labels, scope->matchers, scope->matcher_count);
		if (*account == NULL)
			*account = scope->account->id;
		if (matcher != NULL)
			matchers[count++] = matcher;
	}
	labels_free(&labels);
	return count;
}

/* True when something changed that makes everything be looked at anew. */
static bool want(struct access_case *one, const struct cluster_item *item)
{
	const struct access *access = one->access;
	const struct aws_matcher *matchers[MATCHERS_MAX];
	const char *account;
	struct access_wanted wanted;
	size_t count = find_matchers(access, item, matchers, &account);
	access_wanted_of(access->settings, matchers, count, item->cluster, &wanted);
	bool is_same_account = account == NULL
				   ? one->account == NULL
				   : one->account != NULL && strcmp(one->account, account) == 0;
	bool has_entries = access_has_entries(item->cluster);
	bool has_mappings = access_has_mappings(item->cluster);
	if (access_wanted_equal(&wanted, &one->wanted) && is_same_account &&
	    has_entries == one->has_entries && has_mappings == one->has_mappings &&
	    one->facts != NULL) {
		access_wanted_free(&wanted);
		return false;
	}
	case_reset(one); /* with the old count, which it frees */
	access_wanted_free(&one->wanted);
	one->wanted = wanted;
	one->has_entries = has_entries;
	one->has_mappings = has_mappings;
	/* What was begun is ended by the account that began it, as long as there is one. */
	bool is_unfinished = access_journal_bootstrap(access->journal, one->arn) != NULL;
	if (!is_unfinished || (account != NULL && access_account_of(one) == NULL)) {
		free(one->account);
		one->account = xstrdup_or_null(account);
	}
	return true;
}

/* --- cases ------------------------------------------------------------------------------------ */

static void set_text(char **field, const char *text)
{
	free(*field);
	*field = xstrdup_or_null(text);
}

/* What an earlier run of the program, or an earlier configuration, began. */
static void take_bootstrap(struct access_case *one)
{
	const struct access_row *row = access_journal_bootstrap(one->access->journal, one->arn);
	if (row == NULL)
		return;
	log_warn("access", "bootstrap-unfinished", LOG_S("arn", one->arn),
	    LOG_S("principal", row->principal), LOG_S("stage", access_stage_text(row->stage)),
	    LOG_S("now", "its entry is deleted first"));
	char *claims = one->account; /* who would act now; NULL: nobody */
	one->account = xstrdup(row->account);
	if (claims != NULL && access_account_of(one) == NULL)
		set_text(&one->account, claims);
	free(claims);
	set_text(&one->bootstrap_principal, row->principal);
	one->bootstrap.is_live = false;
	/* A creation just before the end of the last run may not be visible yet. */
	one->created = mono_now();
}

static struct access_case *add_case(struct access *access, const char *arn)
{
	struct access_case *one = xcalloc(1, sizeof *one);
	one->access = access;
	one->arn = xstrdup(arn);
	RB_INSERT(access_cases, &access->cases, one);
	return one;
}

static void drop_case(struct access_case *one)
{
	RB_REMOVE(access_cases, &one->access->cases, one);
	case_free(&one);
}

static struct access_case *replace_case(struct access_case *one)
{
	struct access *access = one->access;
	char *arn = xstrdup(one->arn);
	drop_case(one);
	one = add_case(access, arn);
	free(arn);
	return one;
}

/* What stays when a cluster that still exists leaves without being cleaned up after. */
static void tell_rows(const struct access *access, const char *arn)
{
	const struct tombstone *tombstone = registry_find_tombstone(access->options.registry, arn);
	const struct access_row *row = NULL;
	if (tombstone == NULL || tombstone->reason == REMOVAL_GONE ||
	    tombstone->reason == REMOVAL_RECREATED)
		return;
	while ((row = access_journal_next_of(access->journal, arn, row)) != NULL) {
		if (row->stage != ACCESS_SEEN)
			log_warn("access", "left-behind", LOG_S("cluster", row->cluster),
			    LOG_S("arn", arn), LOG_S("principal", row->principal),
			    LOG_S("what", "the access entry, or our group on it"),
			    LOG_S("why", "nobody could look at the cluster any more"));
	}
}

/* All but a temporary entry's, whose end is not known. */
static void forget_rows(struct access *access, const char *arn)
{
	const struct access_row *row, *next;
	char *error = NULL;
	for (row = access_journal_next_of(access->journal, arn, NULL); row != NULL; row = next) {
		next = access_journal_next_of(access->journal, arn, row);
		if (row->kind == ACCESS_ROW_BOOTSTRAP)
			continue;
		if (!access_journal_remove(
			access->journal, row->arn, row->kind, row->principal, &error))
			log_error("access", "not-recorded", LOG_S("error", error));
		xfree(&error);
	}
}

static void take_item(struct access_case *one, const struct cluster_item *item)
{
	const struct kube_cluster *cluster = item->cluster;
	one->created_at = cluster->aws.created_at;
	one->is_gone = false;
	set_text(&one->name, cluster->name);
	set_text(&one->eks_name, cluster->aws.name);
	set_text(&one->region, cluster->aws.region);
	set_text(&one->cluster_id, cluster->aws.cluster_id);
	set_text(&one->told, cluster->status.access);
}

/* One cluster as the registry has it now. */
static void update_case(struct access *access, const struct cluster_item *item)
{
	const char *arn = item->cluster->aws.arn;
	struct access_case *one = access_find_case(access, arn);
	bool is_removing = strcmp(item->cluster->status.phase, "removing") == 0;
	/* Entries end with their cluster: what is made anew begins anew. But that it was another
	 * cluster by then is known only now: a temporary entry may have been made in the new one.
	 */
	if (one != NULL && one->created_at.ms != item->cluster->aws.created_at.ms) {
		forget_rows(access, arn);
		one = replace_case(one);
	}
	bool is_new = one == NULL || one->facts == NULL;
	if (one == NULL)
		one = add_case(access, arn);
	take_item(one, item);
	bool is_changed = want(one, item);
	if (is_new)
		take_bootstrap(one);
	bool was_releasing = one->is_releasing;
	one->is_releasing = is_removing;
	if (was_releasing && !is_removing)
		case_reset(one);
	if (is_changed || is_new || was_releasing != is_removing)
		case_go_on(one);
}

/* It has left the registry. What is only ours to end goes on without it. */
static void lose_case(struct access_case *one)
{
	struct access *access = one->access;
	if (access_journal_bootstrap(access->journal, one->arn) != NULL) {
		one->is_gone = true;
		case_drop_task(one);
		one->bootstrap.is_live = false;
		case_go_on(one);
		return;
	}
	tell_rows(access, one->arn);
	forget_rows(access, one->arn);
	drop_case(one);
}

static void update_all(struct access *access)
{
	const struct cluster_set *set = registry_set(access->options.registry);
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(set, item)) != NULL)
		update_case(access, item);
}

/* Temporary entries of clusters that are not in the registry any more. */
static void take_leftovers(struct access *access)
{
	const struct access_row *row = NULL;
	while ((row = access_journal_next(access->journal, row)) != NULL) {
		if (row->kind != ACCESS_ROW_BOOTSTRAP || access_find_case(access, row->arn) != NULL)
			continue;
		struct access_case *one = add_case(access, row->arn);
		set_text(&one->name, row->cluster);
		set_text(&one->eks_name, row->cluster);
		set_text(&one->region, row->region);
		one->created_at = row->created_at;
		one->is_gone = true;
		case_reset(one);
		take_bootstrap(one);
	}
}

static void go_on_all(struct access *access)
{
	struct access_case *one, *next;
	RB_FOREACH_SAFE(one, access_cases, &access->cases, next)
	case_go_on(one);
}

static void on_start(void *arg)
{
	struct access *access = arg;
	access->is_started = true;
	go_on_all(access);
}

static void on_pump(void *arg)
{
	struct access *access = arg;
	struct access_case *one;
	size_t rounds = access->slots + 64;
	while (rounds-- > 0 && (one = TAILQ_FIRST(&access->queue)) != NULL) {
		size_t before = access->slots;
		TAILQ_REMOVE(&access->queue, one, queue_entry);
		one->is_queued = false;
		case_go_on(one);
		if (one->is_queued && access->slots >= before)
			break;
	}
}

/* --- news from proxies ------------------------------------------------------------------------ */

static void sight_changed(void *arg, const char *name)
{
	struct access *access = arg;
	const struct cluster_item *item =
	    cluster_set_find_name(registry_set(access->options.registry), name);
	struct access_case *one =
	    item != NULL ? access_find_case(access, item->cluster->aws.arn) : NULL;
	if (one != NULL)
		case_sight_changed(one);
}

static void on_report(
    void *arg, uint64_t proxy, const char *instance, const struct message_report *report)
{
	struct access *access = arg;
	if (access_reports_take(access->reports, proxy, instance, report))
		sight_changed(access, report->name);
}

static void on_proxy_gone(void *arg, uint64_t proxy)
{
	struct access *access = arg;
	access_reports_forget(access->reports, proxy, sight_changed, access);
}

static void on_result(void *arg, uint64_t task, bool is_ok, const char *code, const char *text)
{
	struct access *access = arg;
	struct access_case *one;
	RB_FOREACH(one, access_cases, &access->cases)
	{
		if (one->task == task)
			break;
	}
	if (one == NULL)
		return;
	one->task = 0;
	if (one->plan.action == ACCESS_BOOT_APPLY)
		bootstrap_task_done(one, is_ok, code, text);
	else
		step_task_done(one, is_ok, code, text);
}

/* --- metrics ---------------------------------------------------------------------------------- */

static void on_collect(void *arg)
{
	struct access *access = arg;
	struct access_case *one;
	const struct access_row *row = NULL;
	double temporary = 0;
	metric_clear(access->metrics.cases);
	RB_FOREACH(one, access_cases, &access->cases)
	metric_add(access->metrics.cases, 1, access_reason_text(one->plan.reason));
	while ((row = access_journal_next(access->journal, row)) != NULL)
		temporary += row->kind == ACCESS_ROW_BOOTSTRAP;
	metric_set(access->metrics.temporary, temporary);
	size_t far[ACCESS_STAGES];
	show_count_stages(access, far);
	for (size_t i = 0; i < ACCESS_STAGES; i++)
		metric_set(access->metrics.reached, (double)far[i], show_stage_text(i));
	metric_set(access->metrics.reports, (double)access_reports_count(access->reports));
}

static void add_metrics(struct access *access, struct metrics *metrics)
{
	access->metrics.calls = metrics_counter(metrics, "eksgate_access_aws_calls_total",
	    "AWS API calls about access entries, retries not counted", "operation");
	access->metrics.steps = metrics_counter(metrics, "eksgate_access_steps_total",
	    "Steps of arranging access that were begun", "step");
	access->metrics.journal_failures = metrics_counter(metrics,
	    "eksgate_access_journal_failures_total", "Steps that could not be recorded", "");
	access->metrics.cases = metrics_gauge(
	    metrics, "eksgate_access_clusters", "Clusters by how their access stands", "reason");
	access->metrics.temporary = metrics_gauge(metrics, "eksgate_access_temporary_entries",
	    "Access entries that are, or may be, cluster-admin for a while", "");
	access->metrics.reached = metrics_gauge(metrics, "eksgate_access_reached_clusters",
	    "Clusters by the last stage that they reached, discovered to healthy", "stage");
	access->metrics.reports = metrics_gauge(
	    metrics, "eksgate_access_reports", "Clusters that proxies tell about, per proxy", "");
	metrics_on_collect(metrics, on_collect, access);
}

/* --- public ----------------------------------------------------------------------------------- */

struct access *access_new(const struct access_options *options, char **error)
{
	struct access_journal *journal = access_journal_open(options->registry, error);
	if (journal == NULL)
		return NULL;
	struct access *access = xcalloc(1, sizeof *access);
	access->options = *options;
	access->journal = journal;
	access->reports = access_reports_new();
	RB_INIT(&access->cases);
	TAILQ_INIT(&access->queue);
	access->pump = (struct deferred){.fn = on_pump, .arg = access};
	access->start = timer_new(options->loop, on_start, access);
	timer_set(access->start, duration_seconds(START_SECONDS));
	add_metrics(access, options->metrics);
	const struct publisher_listener listener = {.on_report = on_report,
	    .on_gone = on_proxy_gone,
	    .on_result = on_result,
	    .arg = access};
	publisher_listen(options->publisher, &listener);
	return access;
}

void access_free(struct access **handle)
{
	struct access *access = *handle;
	struct access_case *one;
	if (access == NULL)
		return;
	publisher_listen(access->options.publisher, &(const struct publisher_listener){0});
	while ((one = RB_MIN(access_cases, &access->cases)) != NULL)
		drop_case(one);
	loop_undefer(access->options.loop, &access->pump);
	timer_free(&access->start);
	access_reports_free(&access->reports);
	access_journal_close(&access->journal);
	free(access->own_principal);
	xfree(handle);
}

void access_configure(struct access *access, const struct settings *settings)
{
	access->settings = settings;
	xfree(&access->own_principal); /* the credentials may be others by now */
	update_all(access);
	take_leftovers(access);
	go_on_all(access);
}

void access_scopes_changed(struct access *access)
{
	if (access->settings == NULL)
		return;
	update_all(access);
	go_on_all(access);
}

bool access_stop(struct access *access)
{
	struct access_case *one, *next;
	bool is_pending = false, was_stopping = access->is_stopping;
	access->is_stopping = true;
	RB_FOREACH_SAFE(one, access_cases, &access->cases, next)
	{
		if (access_journal_bootstrap(access->journal, one->arn) == NULL)
			continue;
		if (!was_stopping)
			bootstrap_break_off(one);
		is_pending |= access_journal_bootstrap(access->journal, one->arn) != NULL &&
			      !one->bootstrap.is_deleted;
	}
	return is_pending;
}

void access_clusters_changed(struct access *access, const char *const *names, size_t count)
{
	const struct cluster_set *set = registry_set(access->options.registry);
	struct access_case *one, *next;
	bool is_any_gone = false;
	if (access->settings == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct cluster_item *item = cluster_set_find_name(set, names[i]);
		if (item != NULL)
			update_case(access, item);
		is_any_gone |= item == NULL;
	}
	if (!is_any_gone)
		return;
	RB_FOREACH_SAFE(one, access_cases, &access->cases, next)
	{
		bool is_ended = one->is_gone && one->call == NULL &&
				access_journal_bootstrap(access->journal, one->arn) == NULL;
		if (is_ended)
			drop_case(one);
		else if (!one->is_gone && access_item_of(one) == NULL)
			lose_case(one);
	}
}

bool access_hold(struct access *access, const struct cluster_item *item)
{
	const char *arn = item->cluster->aws.arn;
	struct access_case *one = access_find_case(access, arn);
	if (one == NULL || access_journal_next_of(access->journal, arn, NULL) == NULL)
		return false;
	return true;
}

bool access_retry(struct access *access, const char *name)
{
	const struct cluster_item *item =
	    cluster_set_find_name(registry_set(access->options.registry), name);
	struct access_case *one =
	    item != NULL ? access_find_case(access, item->cluster->aws.arn) : NULL;
	if (one == NULL)
		return false;
	if (one->call == NULL && one->task == 0 && one->wait == NULL && one->identity == NULL) {
		one->is_backing_off = false;
		case_reset(one);
		case_go_on(one);
	}
	return true;
}
