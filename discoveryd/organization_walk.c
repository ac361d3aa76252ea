/* The walk as a queue of listings, one call at a time: Organizations allows few a second. Where
 * everything is included and only accounts are excluded, ListAccounts alone answers; else the tree
 * is walked from the roots or from the units that are included. Owned by organization.c. */
#include "discoveryd/organization_walk.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "discoveryd/aws_organizations.h"
#include "discoveryd/discovery_metrics.h"

/* More than AWS allows, so that an answer without end ends. */
#define MAX_LISTINGS 10000
#define MAX_PAGES    2000
#define MAX_ACCOUNTS 50000

struct listing {
	enum organizations_operation operation;
	char *parent; /* NULL: the whole organization */
};

struct organization_walk {
	struct organization_walk_options options;
	organization_walk_fn *fn;
	void *arg;
	struct organizations_call *call;
	struct listing *listings; /* those before `next` are done */
	size_t listing_count, next;
	char *token; /* of the page to ask for */
	unsigned pages; /* of the listing under way */
	char **accounts;
	size_t account_count;
	struct aws_error error;
	struct deferred finish;
};

static bool is_in(const char *const *list, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i], id) == 0)
			return true;
	}
	return false;
}

static bool is_excluded(const struct organization_walk *walk, const char *id)
{
	return is_in(walk->options.exclude, walk->options.exclude_count, id);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void free_walk(struct organization_walk *walk)
{
	for (size_t i = 0; i < walk->listing_count; i++)
		free(walk->listings[i].parent);
	for (size_t i = 0; i < walk->account_count; i++)
		free(walk->accounts[i]);
	free(walk->listings);
	free(walk->accounts);
	free(walk->token);
	aws_error_free(&walk->error);
	free(walk);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Units that overlap, and pages that shifted while they were read, name accounts twice. */
static void sort_accounts(struct organization_walk *walk)
{
	size_t kept = 0;
	if (walk->account_count > 0)
		qsort(walk->accounts, walk->account_count, sizeof *walk->accounts, compare_ids);
	for (size_t i = 0; i < walk->account_count; i++) {
		if (kept > 0 && strcmp(walk->accounts[kept - 1], walk->accounts[i]) == 0)
			free(walk->accounts[i]);
		else
			walk->accounts[kept++] = walk->accounts[i];
	}
	walk->account_count = kept;
}

static void on_finish(void *arg)
{
	struct organization_walk *walk = arg;
	static const char *const none[1];
	bool is_whole = walk->error.outcome == AWS_OK;
	sort_accounts(walk);
	const char *const *accounts =
	    walk->account_count > 0 ? (const char *const *)walk->accounts : none;
	walk->fn(walk->arg, &walk->error, is_whole ? accounts : NULL,
	    is_whole ? walk->account_count : 0);
	free_walk(walk);
}

static void end(struct organization_walk *walk)
{
	loop_defer(walk->options.loop, &walk->finish);
}

static void fail(struct organization_walk *walk, const struct aws_reply *reply)
{
	const struct listing *listing = &walk->listings[walk->next];
	aws_error_set(&walk->error, organizations_operation_text(listing->operation), reply);
	end(walk);
}

static void fail_endless(struct organization_walk *walk)
{
	fail(walk, &(struct aws_reply){.outcome = AWS_BAD_REPLY,
		       .message = "the organization does not come to an end",
		       .body = ""});
}

/* --- listings --------------------------------------------------------------------------------- */

static void ask(struct organization_walk *walk);

static void add_listing(
    struct organization_walk *walk, enum organizations_operation operation, const char *parent)
{
	walk->listings =
	    xreallocarray(walk->listings, walk->listing_count + 1, sizeof *walk->listings);
	walk->listings[walk->listing_count++] =
	    (struct listing){.operation = operation, .parent = xstrdup_or_null(parent)};
}

/* A unit stands below one parent; it may be included by itself besides. */
static void add_parent(struct organization_walk *walk, const char *parent)
{
	if (is_excluded(walk, parent))
		return;
	for (size_t i = 0; i < walk->listing_count; i++) {
		if (walk->listings[i].parent != NULL &&
		    strcmp(walk->listings[i].parent, parent) == 0)
			return;
	}
	add_listing(walk, ORGANIZATIONS_LIST_ACCOUNTS_OF, parent);
	add_listing(walk, ORGANIZATIONS_LIST_UNITS, parent);
}

static void add_account(struct organization_walk *walk, const char *id)
{
	if (is_excluded(walk, id))
		return;
	walk->accounts =
	    xreallocarray(walk->accounts, walk->account_count + 1, sizeof *walk->accounts);
	walk->accounts[walk->account_count++] = xstrdup(id);
}

static void take_page(struct organization_walk *walk, const struct organizations_page *page)
{
	enum organizations_operation operation = walk->listings[walk->next].operation;
	bool are_accounts =
	    operation == ORGANIZATIONS_LIST_ACCOUNTS || operation == ORGANIZATIONS_LIST_ACCOUNTS_OF;
	for (size_t i = 0; i < page->count; i++) {
		if (are_accounts)
			add_account(walk, page->ids[i]);
		else
			add_parent(walk, page->ids[i]);
	}
}

static void on_page(void *arg, const struct aws_reply *reply, const struct organizations_page *page)
{
	struct organization_walk *walk = arg;
	walk->call = NULL;
	discovery_metrics_call(walk->options.metrics,
	    organizations_operation_text(walk->listings[walk->next].operation), reply->region,
	    reply);
	if (reply->outcome != AWS_OK) {
		fail(walk, reply);
		return;
	}
	take_page(walk, page);
	bool is_stuck = walk->token != NULL && page->next_token != NULL &&
			strcmp(walk->token, page->next_token) == 0;
	xfree(&walk->token);
	walk->token = xstrdup_or_null(page->next_token);
	if (is_stuck || walk->listing_count > MAX_LISTINGS || walk->account_count > MAX_ACCOUNTS ||
	    ++walk->pages > MAX_PAGES) {
		fail_endless(walk);
		return;
	}
	if (walk->token == NULL) {
		walk->next++;
		walk->pages = 0;
	}
	ask(walk);
}

static void ask(struct organization_walk *walk)
{
	if (walk->next == walk->listing_count) {
		end(walk);
		return;
	}
	const struct listing *listing = &walk->listings[walk->next];
	const struct organizations_request request = {.operation = listing->operation,
	    .organization = walk->options.organization,
	    .parent = listing->parent,
	    .next_token = walk->token};
	walk->call = organizations_get_page(walk->options.aws, walk->options.provider,
	    walk->options.region, &request, on_page, walk);
}

/* --- public ----------------------------------------------------------------------------------- */

/* Roots and units, which only the tree tells; the other excludes are accounts. */
static bool excludes_units(const struct organization_walk_options *options)
{
	for (size_t i = 0; i < options->exclude_count; i++) {
		if (strchr(options->exclude[i], '-') != NULL)
			return true;
	}
	return false;
}

static void plan(struct organization_walk *walk)
{
	const struct organization_walk_options *options = &walk->options;
	if (is_in(options->include, options->include_count, "*")) {
		add_listing(walk,
		    excludes_units(options) ? ORGANIZATIONS_LIST_ROOTS
					    : ORGANIZATIONS_LIST_ACCOUNTS,
		    NULL);
		return;
	}
	for (size_t i = 0; i < options->include_count; i++)
		add_parent(walk, options->include[i]);
}

struct organization_walk *organization_walk_start(
    const struct organization_walk_options *options, organization_walk_fn *fn, void *arg)
{
	struct organization_walk *walk = xcalloc(1, sizeof *walk);
	walk->options = *options;
	walk->fn = fn;
	walk->arg = arg;
	walk->finish = (struct deferred){.fn = on_finish, .arg = walk};
	plan(walk);
	ask(walk);
	return walk;
}

void organization_walk_cancel(struct organization_walk **handle)
{
	struct organization_walk *walk = *handle;
	*handle = NULL;
	if (walk == NULL)
		return;
	organizations_call_cancel(&walk->call);
	loop_undefer(walk->options.loop, &walk->finish);
	free_walk(walk);
}
