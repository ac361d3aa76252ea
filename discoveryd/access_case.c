/* Drives one case: plans, performs one step at a time, and rests until something changes. Few cases
 * work at once (slots), so that hundreds of new clusters queue for AWS's patience instead of
 * testing it; one that has a temporary entry never waits. */
#include "discoveryd/access_case.h"
#include "discoveryd/access_steps.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/account.h"
#include "discoveryd/aws_account.h"
#include "discoveryd/cluster_set.h"

#define SLOTS		16
#define BOOTSTRAPS	8 /* temporary entries at once */
#define JITTER_PERCENT	20
#define BACKOFF_MS	1000
#define BACKOFF_MAX_MS	60000
#define LOOKS_TO_SETTLE 30
#define LOOK_MS_MIN	100
#define LOOK_MS_MAX	2000
#define BUSY_SECONDS	30
#define TURN_SECONDS	1
#define RECHECK_SECONDS 300

/* --- facts ------------------------------------------------------------------------------------ */

static bool is_wanted_principal(const struct access_case *one, const char *principal)
{
	for (size_t i = 0; i < one->wanted.count; i++) {
		if (access_is_same_principal(one->wanted.principals[i], principal))
			return true;
	}
	return false;
}

static struct access_sight sight_of(const struct access_case *one)
{
	const struct cluster_item *item = access_item_of(one);
	struct access_sight sight = {.is_checked = one->is_checked};
	size_t count = 0, foreign = 0;
	if (item == NULL)
		return sight;
	const struct access_report **reports =
	    access_reports_of(one->access->reports, item->cluster, &count);
	for (size_t i = 0; i < count; i++) {
		const struct access_report *report = reports[i];
		sight.serving++;
		sight.reachable += report->reachable == ANSWER_YES;
		sight.authenticated += report->authenticated == ANSWER_YES;
		sight.unknown_there += report->authenticated == ANSWER_NO;
		sight.unasked += case_is_unasked(report);
		sight.permitted += report->permitted == ANSWER_YES;
		foreign +=
		    report->principal != NULL && !is_wanted_principal(one, report->principal);
	}
	sight.is_foreign = count > 0 && foreign == count;
	free(reports);
	return sight;
}

static void mirror_journal(struct access_case *one)
{
	const struct access_journal *journal = one->access->journal;
	const struct access_row *row = access_journal_bootstrap(journal, one->arn);
	one->bootstrap.is_journalled = row != NULL;
	one->bootstrap.stage = row != NULL ? row->stage : ACCESS_CREATING;
	for (size_t i = 0; i < one->wanted.count; i++) {
		row = access_journal_find(
		    journal, one->arn, ACCESS_ROW_ENTRY, one->wanted.principals[i]);
		one->facts[i].is_recorded = row != NULL;
		one->facts[i].is_granted = row != NULL && row->stage == ACCESS_GRANTED;
		one->facts[i].is_bootstrap =
		    one->bootstrap_principal != NULL &&
		    access_is_same_principal(one->bootstrap_principal, one->wanted.principals[i]);
	}
}

struct access_facts case_facts(struct access_case *one)
{
	mirror_journal(one);
	struct access_facts facts = {.wanted = &one->wanted,
	    .has_entries = one->has_entries,
	    .has_mappings = one->has_mappings,
	    .has_account = access_account_of(one) != NULL,
	    .is_proved = one->is_proved,
	    .denied = one->denied,
	    .targets = one->facts,
	    .bootstrap = one->bootstrap,
	    .sight = sight_of(one)};
	facts.bootstrap.is_known = one->bootstrap_principal != NULL;
	facts.bootstrap.may_begin =
	    one->access->bootstraps < BOOTSTRAPS && !one->access->is_stopping;
	return facts;
}

/* --- slots ------------------------------------------------------------------------------------ */

void case_yield(struct access_case *one)
{
	struct access *access = one->access;
	if (one->is_queued)
		TAILQ_REMOVE(&access->queue, one, queue_entry);
	one->is_queued = false;
	if (!one->has_slot)
		return;
	one->has_slot = false;
	access->slots--;
	if (access->slots < SLOTS && !TAILQ_EMPTY(&access->queue))
		loop_defer(access->options.loop, &access->pump);
}

/* False: it waits in the queue now. */
static bool take_slot(struct access_case *one)
{
	struct access *access = one->access;
	if (one->has_slot)
		return true;
	if (access->slots >= SLOTS && !one->bootstrap.is_journalled) {
		if (!one->is_queued)
			TAILQ_INSERT_TAIL(&access->queue, one, queue_entry);
		one->is_queued = true;
		return false;
	}
	if (one->is_queued)
		TAILQ_REMOVE(&access->queue, one, queue_entry);
	one->is_queued = false;
	one->has_slot = true;
	access->slots++;
	return true;
}

/* --- resting ---------------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
	struct access_case *one = arg;
	bool was_backing_off = one->is_backing_off;
	one->is_backing_off = false;
	if (!was_backing_off)
		case_reset(one);
	case_go_on(one);
}

static void set_timer(struct access_case *one, struct duration delay)
{
	if (one->timer == NULL)
		one->timer = timer_new(one->access->options.loop, on_timer, one);
	timer_set(one->timer, duration_jitter(delay, JITTER_PERCENT));
}

void case_wait(struct access_case *one, struct duration delay)
{
	one->is_backing_off = true;
	set_timer(one, delay);
	if (!one->bootstrap.is_journalled)
		case_yield(one);
}

/* When to look again although nothing was heard; 0: not at all. */
static int64_t rest_seconds(enum access_reason reason)
{
	switch (reason) {
	case REASON_TURN:
		return TURN_SECONDS;
	case REASON_BUSY:
		return BUSY_SECONDS;
	case REASON_NONE:
	case REASON_READY:
	case REASON_NO_PROXY:
	case REASON_UNREACHABLE:
	case REASON_CONFIG_MAP:
	case REASON_MANUAL:
	case REASON_NOBODY:
	case REASON_FOREIGN:
		return 0;
	default:
		return RECHECK_SECONDS;
	}
}

/* What passes by itself does not take "ready" back: that would be a change of every cluster at each
 * restart. */
static bool is_worth_telling(const struct access_case *one, enum access_reason reason)
{
	bool is_passing = reason > REASON_READY && reason <= REASON_NO_ACCOUNT;
	return !is_passing || one->told == NULL || strncmp(one->told, "ready", 5) != 0;
}

static void tell(struct access_case *one)
{
	const struct access_options *options = &one->access->options;
	if (one->is_gone || one->is_releasing || !is_worth_telling(one, one->plan.reason))
		return;
	char *text = words_status(one);
	bool is_news = one->told == NULL || strcmp(one->told, text) != 0;
	if (is_news) {
		free(one->told);
		one->told = xstrdup(text);
		log_info("access", "state", LOG_S("cluster", one->name),
		    LOG_S("reason", access_reason_text(one->plan.reason)), LOG_S("text", text));
		options->on_status(options->arg, one->arn, text);
	}
	free(text);
}

static void rest(struct access_case *one)
{
	int64_t seconds = rest_seconds(one->plan.reason);
	case_yield(one);
	one->failures = 0;
	if (seconds > 0)
		set_timer(one, duration_seconds(seconds));
	else if (one->timer != NULL)
		timer_cancel(one->timer);
	tell(one);
}

/* --- going on --------------------------------------------------------------------------------- */

static bool is_busy(const struct access_case *one)
{
	return one->call != NULL || one->identity != NULL || one->wait != NULL || one->task != 0 ||
	       one->is_backing_off || one->is_giving;
}

/* At the start, what was well is taken to be well until the proxies had time to tell. */
static bool is_too_early(const struct access_case *one)
{
	return !one->access->is_started && !one->bootstrap.is_journalled && one->told != NULL &&
	       strncmp(one->told, "ready", 5) == 0;
}

void case_go_on(struct access_case *one)
{
	if (one->access->settings == NULL || is_busy(one))
		return;
	struct access_facts facts = case_facts(one);
	if (one->is_releasing && !facts.bootstrap.is_journalled) {
		if (take_slot(one))
			release_go_on(one);
		return;
	}
	if (is_too_early(one) || (one->is_gone && !facts.bootstrap.is_journalled))
		return;
	one->plan = access_plan_next(&facts);
	if (one->plan.action == ACCESS_REST) {
		rest(one);
		return;
	}
	if (!take_slot(one))
		return;
	if (one->timer != NULL)
		timer_cancel(one->timer);
	log_debug("access", "step", LOG_S("cluster", one->name),
	    LOG_S("step", access_action_text(one->plan.action)));
	metric_add(one->access->metrics.steps, 1, access_action_text(one->plan.action));
	if (one->plan.action >= ACCESS_IDENTIFY && one->plan.action <= ACCESS_BOOT_CLEAR)
		bootstrap_perform(one, &one->plan);
	else
		step_perform(one, &one->plan);
}

void case_sight_changed(struct access_case *one)
{
	bool was_ready = one->plan.action == ACCESS_REST && one->plan.reason == REASON_READY;
	struct access_sight sight = sight_of(one);
	bool is_lost = was_ready && sight.serving > 0 && sight.permitted == 0;
	/* Somebody may have changed the entry: look at it again, but not all the time. */
	if (is_lost && !is_busy(one) && !case_is_settling(one, one->looked_at))
		case_reset(one);
	case_go_on(one);
}

bool case_is_settling(const struct access_case *one, struct mono since)
{
	return since.ns != 0 && mono_since(since).ms < one->access->settings->access.settle.ms;
}

/* --- outcomes --------------------------------------------------------------------------------- */

static void note_step(struct access_case *one, const char *outcome)
{
	free(one->last_step);
	one->last_step = xasprintf("%s: %s", access_action_text(one->plan.action), outcome);
	one->last_step_at = unix_now();
}

void case_done(struct access_case *one)
{
	note_step(one, "done");
	xfree(&one->error);
	one->failures = 0;
	case_go_on(one);
}

static struct duration backoff(const struct access_case *one, int64_t first_ms)
{
	unsigned shift = one->failures < 8 ? one->failures : 8;
	int64_t ms = first_ms << shift;
	return duration_ms(ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

void case_retry(struct access_case *one)
{
	int64_t ms = one->access->settings->access.settle.ms / LOOKS_TO_SETTLE;
	ms = ms < LOOK_MS_MIN ? LOOK_MS_MIN : ms > LOOK_MS_MAX ? LOOK_MS_MAX : ms;
	case_wait(one, backoff(one, ms));
	one->failures++;
}

void case_note_error(struct access_case *one, const char *what, const char *why)
{
	char *error = xasprintf("%s: %s", what, why);
	bool is_news = one->error == NULL || strcmp(one->error, error) != 0;
	if (is_news)
		log_warn("access", "step-failed", LOG_S("cluster", one->name),
		    LOG_S("step", access_action_text(one->plan.action)), LOG_S("error", error));
	free(one->error);
	one->error = error;
	note_step(one, error);
	case_wait(one, backoff(one, BACKOFF_MS));
	one->failures++;
}

static void note_denial(
    struct access_case *one, enum eks_access_op op, const struct aws_reply *reply)
{
	const char *action = eks_access_denied_action(op, reply);
	for (enum eks_access_op i = 0; i < EKS_ACCESS_OPS; i++) {
		if (strcmp(action, eks_access_action(i)) == 0)
			one->denied |= 1u << i;
	}
	free(one->error);
	one->error = xasprintf("%s: %s", action, reply->message);
	note_step(one, one->error);
	log_warn("access", "denied", LOG_S("cluster", one->name), LOG_S("permission", action),
	    LOG_S("identity", reply->identity));
}

void case_failed(struct access_case *one, enum eks_access_op op, const struct aws_reply *reply)
{
	if (reply->outcome == AWS_DENIED) {
		note_denial(one, op, reply);
		case_go_on(one);
		return;
	}
	case_note_error(one, eks_access_action(op),
	    reply->message != NULL ? reply->message : aws_outcome_text(reply->outcome));
}

/* --- the journal ------------------------------------------------------------------------------ */

static bool note_journal(struct access_case *one, bool is_done, char *error)
{
	if (!is_done) {
		metric_add(one->access->metrics.journal_failures, 1);
		case_note_error(one, "journal", error);
	}
	free(error);
	return is_done;
}

/* A token of its own for each creation: under one that was used EKS makes nothing new. */
static char *new_token(const struct access_case *one)
{
	uint64_t number;
	if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
		abort();
	return xasprintf("eksgate-%s-%016llx", access_journal_owner(one->access->journal),
	    (unsigned long long)number);
}

static bool write_row(struct access_case *one, enum access_row_kind kind, const char *principal,
    enum access_stage stage, char **error)
{
	struct access_journal *journal = one->access->journal;
	const struct access_row *old = access_journal_find(journal, one->arn, kind, principal);
	struct access_row *row = access_row_new(one->arn, kind, principal);
	bool is_anew = old == NULL || (stage == ACCESS_CREATING && old->stage != ACCESS_CREATING);
	row->created_at = one->created_at;
	row->account = xstrdup(one->account);
	row->region = xstrdup(one->region);
	row->cluster = xstrdup(one->eks_name);
	row->token = is_anew ? new_token(one) : xstrdup(old->token);
	bool is_done = access_journal_put(journal, row, stage, error);
	access_row_free(&row);
	return is_done;
}

bool case_journal(struct access_case *one, enum access_row_kind kind, const char *principal,
    enum access_stage stage)
{
	char *error = NULL;
	bool is_done = write_row(one, kind, principal, stage, &error);
	return note_journal(one, is_done, error);
}

void case_journal_if_possible(struct access_case *one, enum access_row_kind kind,
    const char *principal, enum access_stage stage)
{
	char *error = NULL;
	if (write_row(one, kind, principal, stage, &error))
		return;
	metric_add(one->access->metrics.journal_failures, 1);
	log_error("access", "not-recorded", LOG_S("cluster", one->name), LOG_S("error", error));
	free(error);
}

bool case_journal_clear(struct access_case *one, enum access_row_kind kind, const char *principal)
{
	char *error = NULL;
	bool is_done =
	    access_journal_remove(one->access->journal, one->arn, kind, principal, &error);
	return note_journal(one, is_done, error);
}

/* --- calls and tasks -------------------------------------------------------------------------- */

void case_call(struct access_case *one, struct eks_access_request *request, eks_access_fn *fn)
{
	const struct account *account = access_account_of(one);
	request->region = one->region;
	request->cluster = one->eks_name;
	metric_add(one->access->metrics.calls, 1, eks_access_action(request->op));
	one->call = eks_access_start(one->access->options.aws, account->provider, request, fn, one);
}

/* --- life ------------------------------------------------------------------------------------- */

static void free_targets(struct access_case *one)
{
	for (size_t i = 0; one->targets != NULL && i < one->wanted.count; i++) {
		free(one->targets[i].entry_arn);
		for (size_t k = 0; k < one->targets[i].group_count; k++)
			free(one->targets[i].groups[k]);
		free(one->targets[i].groups);
	}
	xfree(&one->targets);
	xfree(&one->facts);
}

/* What is under way is about what was known before. */
static void cancel(struct access_case *one)
{
	eks_access_cancel(&one->call);
	account_call_cancel(&one->identity);
	aws_wait_cancel(&one->wait);
	aws_provider_unref(&one->provider);
	case_drop_task(one);
}

void case_reset(struct access_case *one)
{
	/* A bootstrap goes on: it does not depend on what is looked at anew. */
	if (access_journal_bootstrap(one->access->journal, one->arn) == NULL) {
		cancel(one);
		xfree(&one->bootstrap_principal);
	}
	free_targets(one);
	one->targets = xcalloc(one->wanted.count + 1, sizeof *one->targets);
	one->facts = xcalloc(one->wanted.count + 1, sizeof *one->facts);
	struct access_bootstrap *bootstrap = &one->bootstrap;
	*bootstrap = (struct access_bootstrap){
	    .is_live = bootstrap->is_live, .is_deleted = bootstrap->is_deleted};
	one->denied = one->lost = 0;
	one->is_proved = one->is_checked = false;
	memset(one->refused_by, 0, sizeof one->refused_by);
	one->looked_at = mono_now();
}

void case_free(struct access_case **handle)
{
	struct access_case *one = *handle;
	if (one == NULL)
		return;
	cancel(one);
	case_yield(one);
	if (one->is_counted)
		one->access->bootstraps--;
	timer_free(&one->timer);
	free_targets(one);
	access_wanted_free(&one->wanted);
	free(one->arn);
	free(one->name);
	free(one->eks_name);
	free(one->region);
	free(one->cluster_id);
	free(one->account);
	free(one->bootstrap_principal);
	free(one->error);
	free(one->last_step);
	free(one->told);
	xfree(handle);
}
