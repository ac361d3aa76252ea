/* A scope: one identity in one region, the matchers that ask for it, and what became of looking
 * there. Shared by discovery (which drives it), status and explain (which read it). Not replicated,
 * not stored. */
#ifndef EKSGATE_SCOPE_H
#define EKSGATE_SCOPE_H

#include <bsd/sys/queue.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/mono.h"
#include "discoveryd/account.h"
#include "discoveryd/reconcile.h"
#include "discoveryd/sweep.h"

/* Clusters remembered per scope that were seen and are not served. */
#define SCOPE_MAX_SEEN 1000

enum scope_state {
	SCOPE_WAITING, /* not looked at yet, or in the queue */
	SCOPE_LISTING,
	SCOPE_DESCRIBING,
	SCOPE_SETTLED,
	SCOPE_BACKOFF, /* the last pass failed; the next one comes sooner than the poll interval */
	SCOPE_DISABLED, /* the region is not enabled for the account */
};

struct scope {
	TAILQ_ENTRY(scope) entry;
	TAILQ_ENTRY(scope) queue_entry;
	bool is_queued;
	bool is_wanted_again; /* asked for while a pass was under way */
	bool is_configured; /* mark of discovery while it rebuilds the account's scopes */
	bool is_stale; /* mark of discovery: it was there before the configuration changed */
	char *id; /* "own/us-east-1"; what claims in the registry hold */
	struct account *account;
	char *region;
	const struct aws_matcher **matchers; /* borrowed from the settings */
	size_t matcher_count;
	char *treatment; /* see scope_set_treatment() */
	enum scope_state state;
	struct sweep *sweep;
	struct timer *timer;
	struct discovery *discovery;
	/* The last outcome. */
	bool has_outcome;
	unsigned failures; /* passes in a row that did not settle */
	struct unix_time last_attempt, last_success, next;
	struct aws_error error;
	char *record_error; /* the result could not be recorded; NULL */
	size_t clusters; /* in the last complete listing */
	unsigned lists, tag_pages, describes, throttles; /* of the last pass */
	bool has_tags; /* the last pass used the tagging API */
	struct aws_error
	    tags_error; /* why not; outcome AWS_OK when it did or none has listed yet */
	struct duration took;
	struct judgement *seen; /* not served, or served under another name than wanted */
	size_t seen_count;
	size_t seen_forgotten; /* more than SCOPE_MAX_SEEN */
};

const char *scope_state_text(enum scope_state state);
/* The id of a scope of `account` in `region` (free()). */
char *scope_id_of(const struct account *account, const char *region) MUST_USE;
struct scope *scope_new(struct account *account, const char *region) MUST_USE;
void scope_free(struct scope **scope);
/* The account's scope in `region`, or NULL. */
struct scope *account_find_scope(const struct account *account, const char *region) MUST_USE;
void scope_set_state(struct scope *scope, enum scope_state state);
/* Notes what the matchers make of a cluster besides serving it (its labels, whether tags name it):
 * when that changes, clusters that are known are described again. NULL where they add nothing. */
void scope_set_treatment(struct scope *scope);

/* Takes the outcome of a pass. True when it says something else than the one before: worth a log
 * line. */
bool scope_keep_outcome(struct scope *scope, const struct sweep_result *result) MUST_USE;
/* Takes how a complete listing fared with the tagging API. True when that is news. */
bool scope_keep_tagging(struct scope *scope, const struct sweep_result *result) MUST_USE;
/* Moves the judgements worth remembering into the scope. A pass without a complete listing only
 * replaces what it names. */
void scope_remember(struct scope *scope, const struct sweep_result *result,
    struct judgement *judgements, size_t count);
/* When to look again: the poll interval, or less after a failure; with jitter. */
struct duration scope_next_delay(const struct scope *scope, struct duration poll_interval);
/* Exponential from 2 s, at most `longest`, without jitter. */
struct duration scope_backoff(unsigned failures, struct duration longest);

/* What it means that the tagging API is not used (free()). */
char *scope_tagging_cost(const struct scope *scope) MUST_USE;

struct json_object *scope_to_json(const struct scope *scope) MUST_USE;
/* {operation, code, message, remedy}, or NULL when there is none. */
struct json_object *scope_error_to_json(const struct aws_error *error) MUST_USE;

#endif
