/* What is looked at: matchers name identities (roster.c), an identity with "*" asks for its
 * regions, its regions and the named ones become scopes. Everything is rebuilt for an account, or
 * for all, when something of it changes; what stays keeps its outcome. Owned by the daemon, or by
 * `scan`. When each scope is looked at: discovery_passes.c. */
#include "discoveryd/discovery.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/discovery_log.h"
#include "discoveryd/discovery_parts.h"
#include "discoveryd/organization_walk.h"
#include "discoveryd/region_finder.h"
#include "discoveryd/roster.h"

/* Accounts that ask for their regions at a time; the others wait. */
#define MAX_ASKS       64
#define JITTER_PERCENT 10

static int compare_accounts(const struct account *a, const struct account *b)
{
	return strcmp(a->id, b->id);
}

RB_PROTOTYPE(account_tree, account, by_id, compare_accounts);
RB_GENERATE(account_tree, account, by_id, compare_accounts);

static void tell(struct discovery *discovery)
{
	if (discovery->options.on_regions != NULL)
		discovery->options.on_regions(discovery->options.arg);
}

/* --- finding ---------------------------------------------------------------------------------- */

/* Walks by hand: the tree macros want an account as key. */
struct account *discovery_find_account(const struct discovery *discovery, const char *id)
{
	struct account *account = RB_ROOT(&discovery->accounts_by_id);
	while (account != NULL) {
		int order = strcmp(id, account->id);
		if (order == 0)
			return account;
		account = order < 0 ? RB_LEFT(account, by_id) : RB_RIGHT(account, by_id);
	}
	return NULL;
}

struct organization *discovery_organization_of(
    const struct discovery *discovery, const struct aws_matcher *matcher)
{
	char *key = organization_key_of(matcher);
	struct organization *organization = NULL;
	if (key != NULL)
		organization = TAILQ_FIRST(&discovery->organizations);
	while (organization != NULL && strcmp(organization->key, key) != 0)
		organization = TAILQ_NEXT(organization, entry);
	free(key);
	return organization;
}

/* --- scopes of an account --------------------------------------------------------------------- */

static bool is_wildcard(const struct aws_matcher *matcher)
{
	return matcher->region_count == 1 && strcmp(matcher->regions[0], "*") == 0;
}

/* The matcher asks for `region` of the account. */
static void ask_for(struct account *account, const char *region, const struct aws_matcher *matcher)
{
	struct scope *scope = account_find_scope(account, region);
	if (scope == NULL)
		scope = discovery_add_scope(account, region);
	scope->is_configured = true;
	scope->matchers =
	    xreallocarray(scope->matchers, scope->matcher_count + 1, sizeof(struct aws_matcher *));
	scope->matchers[scope->matcher_count++] = matcher;
}

static void ask_for_matcher(struct account *account, const struct aws_matcher *matcher)
{
	if (is_wildcard(matcher)) {
		for (size_t i = 0; i < account->region_count; i++)
			ask_for(account, account->regions[i], matcher);
		return;
	}
	for (size_t i = 0; i < matcher->region_count; i++)
		ask_for(account, matcher->regions[i], matcher);
}

/* Makes its scopes what its matchers and regions say; new ones are due at once. */
static void rebuild_scopes(struct account *account)
{
	struct scope *scope, *next;
	for (scope = TAILQ_FIRST(&account->scopes); scope != NULL;
	     scope = TAILQ_NEXT(scope, entry)) {
		scope->is_configured = false;
		scope->matcher_count = 0;
	}
	for (size_t i = 0; i < account->matcher_count; i++)
		ask_for_matcher(account, account->matchers[i]);
	for (scope = TAILQ_FIRST(&account->scopes); scope != NULL; scope = next) {
		next = TAILQ_NEXT(scope, entry);
		if (!scope->is_configured) {
			discovery_drop_scope(scope);
			continue;
		}
		scope_set_treatment(scope);
		if (!scope->has_outcome && scope->sweep == NULL)
			discovery_make_due(scope);
	}
}

/* --- regions ---------------------------------------------------------------------------------- */

static void ask_more(struct discovery *discovery);

static void on_regions(void *arg, const struct region_answer *answer)
{
	struct account *account = arg;
	struct discovery *discovery = account->discovery;
	account->finder = NULL;
	discovery->asks--;
	bool was_known = account->has_outcome;
	enum account_regions source = account->source;
	enum aws_outcome outcome = account->error.outcome;
	bool is_changed = account_keep_regions(account, answer);
	if (!was_known || source != account->source || outcome != account->error.outcome)
		discovery_log_regions(account);
	struct duration delay = discovery->settings->discovery.poll_interval;
	if (account->source == ACCOUNT_REGIONS_UNKNOWN)
		delay = scope_backoff(account->failures, delay);
	timer_set(account->timer, duration_jitter(delay, JITTER_PERCENT));
	if (is_changed)
		rebuild_scopes(account);
	if (is_changed || !was_known)
		tell(discovery);
	ask_more(discovery);
}

static void leave_askers(struct account *account)
{
	if (account->is_queued)
		TAILQ_REMOVE(&account->discovery->askers, account, queue_entry);
	account->is_queued = false;
}

static void ask_more(struct discovery *discovery)
{
	struct account *account;
	while (discovery->asks < MAX_ASKS && (account = TAILQ_FIRST(&discovery->askers)) != NULL) {
		const struct region_finder_options options = {.aws = discovery->options.aws,
		    .provider = account->provider,
		    .partition = account->partition,
		    .region = account->region,
		    .metrics = discovery->options.metrics};
		leave_askers(account);
		discovery->asks++;
		account->finder = region_finder_start(&options, on_regions, account);
	}
}

static void ask_regions(void *arg)
{
	struct account *account = arg;
	if (account->finder != NULL || account->is_queued)
		return;
	timer_cancel(account->timer);
	TAILQ_INSERT_TAIL(&account->discovery->askers, account, queue_entry);
	account->is_queued = true;
	ask_more(account->discovery);
}

/* --- accounts --------------------------------------------------------------------------------- */

static struct account *add_account(
    struct discovery *discovery, const struct aws_matcher *matcher, const char *role_arn)
{
	struct account *account = account_new(discovery->options.aws, discovery->options.provider,
	    discovery->options.home_region, matcher, role_arn);
	account->discovery = discovery;
	account->timer = timer_new(discovery->options.loop, ask_regions, account);
	TAILQ_INSERT_TAIL(&discovery->accounts, account, entry);
	RB_INSERT(account_tree, &discovery->accounts_by_id, account);
	return account;
}

static void drop_account(struct account *account)
{
	struct discovery *discovery = account->discovery;
	struct scope *scope;
	while ((scope = TAILQ_FIRST(&account->scopes)) != NULL)
		discovery_drop_scope(scope);
	leave_askers(account);
	discovery->asks -= account->finder != NULL;
	RB_REMOVE(account_tree, &discovery->accounts_by_id, account);
	TAILQ_REMOVE(&discovery->accounts, account, entry);
	account_free(&account);
}

/* The matcher acts as this role. */
static void use_role(
    struct discovery *discovery, const struct aws_matcher *matcher, const char *role_arn)
{
	char *id = account_id_of(role_arn, matcher->external_id);
	struct account *account = discovery_find_account(discovery, id);
	free(id);
	if (account == NULL)
		account = add_account(discovery, matcher, role_arn);
	if (!account->is_configured) {
		account->matcher_count = 0;
		account->is_wildcard = false;
	}
	account->is_configured = true;
	account->is_wildcard |= is_wildcard(matcher);
	account_add_matcher(account, matcher);
}

static void use_matcher(struct discovery *discovery, const struct aws_matcher *matcher)
{
	const struct organization *organization = discovery_organization_of(discovery, matcher);
	size_t count = roster_count(matcher, organization);
	for (size_t i = 0; i < count; i++) {
		char *role = roster_role(
		    matcher, organization, discovery_own_partition(discovery, matcher), i);
		use_role(discovery, matcher, role);
		free(role);
	}
}

static void drop_unused_accounts(struct discovery *discovery)
{
	struct account *account, *next;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL; account = next) {
		next = TAILQ_NEXT(account, entry);
		if (!account->is_configured)
			drop_account(account);
	}
}

/* Makes accounts and scopes what the matchers and the organizations say. */
static void rebuild_accounts(struct discovery *discovery)
{
	struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry))
		account->is_configured = false;
	for (size_t i = 0; i < discovery->settings->discovery.matcher_count; i++)
		use_matcher(discovery, &discovery->settings->discovery.matchers[i]);
	drop_unused_accounts(discovery);
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		rebuild_scopes(account);
		if (account->is_wildcard && !account->has_outcome)
			ask_regions(account);
	}
	tell(discovery);
}

/* --- organizations ---------------------------------------------------------------------------- */

static void on_accounts(
    void *arg, const struct aws_error *error, const char *const *accounts, size_t count)
{
	struct organization *organization = arg;
	struct discovery *discovery = organization->discovery;
	organization->walk = NULL;
	bool is_first = !organization->has_outcome;
	bool is_news = is_first || organization->error.outcome != error->outcome;
	bool is_changed = organization_keep(organization, error, accounts, count);
	if (is_news || is_changed)
		discovery_log_organization(organization);
	struct duration delay = discovery->settings->discovery.poll_interval;
	if (error->outcome != AWS_OK)
		delay = scope_backoff(organization->failures, delay);
	timer_set(organization->timer, duration_jitter(delay, JITTER_PERCENT));
	if (is_changed)
		rebuild_accounts(discovery);
	else if (is_first)
		tell(discovery);
}

static void ask_accounts(void *arg)
{
	struct organization *organization = arg;
	struct discovery *discovery = organization->discovery;
	if (organization->walk != NULL)
		return;
	timer_cancel(organization->timer);
	const struct organization_walk_options options = {.loop = discovery->options.loop,
	    .aws = discovery->options.aws,
	    .provider = discovery->options.provider,
	    .region = account_home_region(discovery->options.home_region, NULL),
	    .organization = organization->id,
	    .include = (const char *const *)organization->include,
	    .include_count = organization->include_count,
	    .exclude = (const char *const *)organization->exclude,
	    .exclude_count = organization->exclude_count,
	    .metrics = discovery->options.metrics};
	organization->walk = organization_walk_start(&options, on_accounts, organization);
}

static void use_organization(struct discovery *discovery, const struct aws_matcher *matcher)
{
	struct organization *organization = discovery_organization_of(discovery, matcher);
	if (matcher->organization.id == NULL)
		return;
	if (organization == NULL) {
		organization = organization_new(matcher);
		organization->discovery = discovery;
		organization->timer =
		    timer_new(discovery->options.loop, ask_accounts, organization);
		TAILQ_INSERT_TAIL(&discovery->organizations, organization, entry);
	}
	organization->is_configured = true;
}

static void drop_organization(struct discovery *discovery, struct organization *organization)
{
	TAILQ_REMOVE(&discovery->organizations, organization, entry);
	organization_free(&organization);
}

static void rebuild_organizations(struct discovery *discovery)
{
	struct organization *organization, *next;
	for (organization = TAILQ_FIRST(&discovery->organizations); organization != NULL;
	     organization = TAILQ_NEXT(organization, entry))
		organization->is_configured = false;
	for (size_t i = 0; i < discovery->settings->discovery.matcher_count; i++)
		use_organization(discovery, &discovery->settings->discovery.matchers[i]);
	for (organization = TAILQ_FIRST(&discovery->organizations); organization != NULL;
	     organization = next) {
		next = TAILQ_NEXT(organization, entry);
		if (organization->is_configured)
			ask_accounts(organization);
		else
			drop_organization(discovery, organization);
	}
}

/* --- public ----------------------------------------------------------------------------------- */

struct discovery *discovery_new(const struct discovery_options *options)
{
	struct discovery *discovery = xcalloc(1, sizeof *discovery);
	discovery->options = *options;
	discovery->options.provider = aws_provider_ref(options->provider);
	TAILQ_INIT(&discovery->accounts);
	RB_INIT(&discovery->accounts_by_id);
	TAILQ_INIT(&discovery->organizations);
	TAILQ_INIT(&discovery->askers);
	TAILQ_INIT(&discovery->queue);
	TAILQ_INIT(&discovery->refreshes);
	return discovery;
}

void discovery_free(struct discovery **discovery)
{
	if (*discovery == NULL)
		return;
	struct account *account;
	while ((account = TAILQ_FIRST(&(*discovery)->accounts)) != NULL)
		drop_account(account);
	struct organization *organization;
	while ((organization = TAILQ_FIRST(&(*discovery)->organizations)) != NULL)
		drop_organization(*discovery, organization);
	aws_provider_unref(&(*discovery)->options.provider);
	xfree(discovery);
}

void discovery_configure(struct discovery *discovery, const struct settings *settings)
{
	discovery->settings = settings;
	rebuild_organizations(discovery);
	struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		struct scope *scope;
		for (scope = TAILQ_FIRST(&account->scopes); scope != NULL;
		     scope = TAILQ_NEXT(scope, entry))
			scope->is_stale = true;
	}
	rebuild_accounts(discovery);
	struct scope *scope = NULL;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (account->is_wildcard)
			ask_regions(account);
		for (scope = TAILQ_FIRST(&account->scopes); scope != NULL;
		     scope = TAILQ_NEXT(scope, entry)) {
			/* New scopes are due by themselves. */
			if (scope->is_stale)
				discovery_make_due(scope);
			scope->is_stale = false;
		}
	}
}
