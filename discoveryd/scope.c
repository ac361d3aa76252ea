/* Scopes as values: their outcome, their memory of clusters that are not served, their next turn.
 */
#include "discoveryd/scope.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"

#define BACKOFF_FIRST_SECONDS 2
#define JITTER_PERCENT	      10
#define DISABLED_LONGEST_MS   (INT64_C(3600) * 1000)

const char *scope_state_text(enum scope_state state)
{
	static const char *const texts[] = {
	    "waiting", "listing", "describing", "settled", "backoff", "disabled"};
	return texts[state];
}

char *scope_id_of(const struct account *account, const char *region)
{
	return xasprintf("%s/%s", account->id, region);
}

struct scope *scope_new(struct account *account, const char *region)
{
	struct scope *scope = xcalloc(1, sizeof *scope);
	scope->id = scope_id_of(account, region);
	scope->account = account;
	scope->region = xstrdup(region);
	return scope;
}

static void forget_seen(struct scope *scope)
{
	for (size_t i = 0; i < scope->seen_count; i++)
		judgement_free(&scope->seen[i]);
	scope->seen_count = 0;
	scope->seen_forgotten = 0;
}

void scope_free(struct scope **scope)
{
	if (*scope == NULL)
		return;
	sweep_cancel(&(*scope)->sweep);
	timer_free(&(*scope)->timer);
	forget_seen(*scope);
	free((*scope)->seen);
	free((*scope)->matchers);
	free((*scope)->treatment);
	aws_error_free(&(*scope)->error);
	aws_error_free(&(*scope)->tags_error);
	free((*scope)->record_error);
	free((*scope)->id);
	free((*scope)->region);
	xfree(scope);
}

struct scope *account_find_scope(const struct account *account, const char *region)
{
	struct scope *scope;
	for (scope = TAILQ_FIRST(&account->scopes); scope != NULL;
	     scope = TAILQ_NEXT(scope, entry)) {
		if (strcmp(scope->region, region) == 0)
			return scope;
	}
	return NULL;
}

void scope_set_state(struct scope *scope, enum scope_state state)
{
	if (scope->state == state)
		return;
	log_debug("scope", "state", LOG_S("scope", scope->id),
	    LOG_S("from", scope_state_text(scope->state)), LOG_S("to", scope_state_text(state)));
	scope->state = state;
}

static bool is_plain(const struct aws_matcher *matcher)
{
	return matcher->labels.count == 0 && matcher->has_name_tags;
}

static void append_treatment(struct buf *out, const struct aws_matcher *matcher)
{
	char *tags = selector_text(matcher->tags);
	buf_printf(out, "%s|%d", tags, matcher->has_name_tags);
	for (size_t i = 0; i < matcher->labels.count; i++)
		buf_printf(
		    out, "|%s=%s", matcher->labels.items[i].key, matcher->labels.items[i].value);
	buf_append_char(out, '\n');
	free(tags);
}

void scope_set_treatment(struct scope *scope)
{
	bool are_plain = true;
	struct buf text = {0};
	for (size_t i = 0; i < scope->matcher_count; i++) {
		are_plain &= is_plain(scope->matchers[i]);
		append_treatment(&text, scope->matchers[i]);
	}
	xfree(&scope->treatment);
	if (!are_plain)
		scope->treatment = xstrdup(buf_text(&text));
	buf_free(&text);
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same_error(const struct aws_error *a, const struct aws_error *b)
{
	return a->outcome == b->outcome && is_same_text(a->operation, b->operation) &&
	       is_same_text(a->code, b->code);
}

static enum scope_state state_after(const struct sweep_result *result)
{
	if (result->is_settled)
		return SCOPE_SETTLED;
	return result->error.outcome == AWS_REGION_OFF ? SCOPE_DISABLED : SCOPE_BACKOFF;
}

bool scope_keep_outcome(struct scope *scope, const struct sweep_result *result)
{
	bool is_news = !scope->has_outcome || !is_same_error(&scope->error, &result->error);
	struct unix_time now = unix_now();
	scope->has_outcome = true;
	scope->last_attempt = now;
	scope->lists = result->lists;
	scope->tag_pages = result->tag_pages;
	scope->describes = result->describes;
	scope->throttles = result->throttles;
	scope->took = result->took;
	aws_error_free(&scope->error);
	scope->error = (struct aws_error){0};
	if (result->is_listed)
		scope->clusters = result->count;
	if (result->is_settled) {
		scope->last_success = now;
		scope->failures = 0;
	} else {
		aws_error_copy(&scope->error, &result->error);
		scope->failures++;
	}
	scope_set_state(scope, state_after(result));
	return is_news;
}

bool scope_keep_tagging(struct scope *scope, const struct sweep_result *result)
{
	if (!result->is_listed || (!result->has_tags && result->tags_error.outcome == AWS_OK))
		return false;
	bool is_news = !is_same_error(&scope->tags_error, &result->tags_error);
	scope->has_tags = result->has_tags;
	aws_error_copy(&scope->tags_error, &result->tags_error);
	return is_news;
}

/* --- memory of what is not served ------------------------------------------------------------ */

static void forget_one(struct scope *scope, const char *name)
{
	for (size_t i = 0; i < scope->seen_count; i++) {
		if (strcmp(scope->seen[i].name, name) != 0)
			continue;
		judgement_free(&scope->seen[i]);
		scope->seen[i] = scope->seen[--scope->seen_count];
		return;
	}
}

static bool is_worth_remembering(const struct judgement *judgement)
{
	return (judgement->verdict != VERDICT_SERVED && judgement->verdict != VERDICT_GONE) ||
	       judgement->detail != NULL;
}

void scope_remember(struct scope *scope, const struct sweep_result *result,
    struct judgement *judgements, size_t count)
{
	if (result->is_listed)
		forget_seen(scope);
	for (size_t i = 0; i < count; i++) {
		if (!result->is_listed)
			forget_one(scope, judgements[i].name);
		if (!is_worth_remembering(&judgements[i]))
			continue;
		if (scope->seen_count == SCOPE_MAX_SEEN) {
			scope->seen_forgotten++;
			continue;
		}
		scope->seen =
		    xreallocarray(scope->seen, scope->seen_count + 1, sizeof *scope->seen);
		scope->seen[scope->seen_count++] = judgements[i];
		judgements[i] = (struct judgement){0};
	}
}

/* --- the next turn ---------------------------------------------------------------------------- */

struct duration scope_backoff(unsigned failures, struct duration longest)
{
	struct duration delay = duration_seconds(BACKOFF_FIRST_SECONDS);
	for (unsigned i = 1; i < failures && delay.ms < longest.ms; i++)
		delay.ms *= 2;
	return delay.ms < longest.ms ? delay : longest;
}

/* A region that is off is asked less and less, and still often enough to notice when it is on. */
static struct duration disabled_delay(unsigned failures, struct duration poll_interval)
{
	struct duration delay = poll_interval;
	for (unsigned i = 1; i < failures && delay.ms < DISABLED_LONGEST_MS; i++)
		delay.ms *= 2;
	if (delay.ms > DISABLED_LONGEST_MS && poll_interval.ms < DISABLED_LONGEST_MS)
		delay.ms = DISABLED_LONGEST_MS;
	return delay;
}

struct duration scope_next_delay(const struct scope *scope, struct duration poll_interval)
{
	bool is_failing = scope->state == SCOPE_BACKOFF || scope->record_error != NULL;
	unsigned failures = scope->failures > 0 ? scope->failures : 1;
	if (scope->state == SCOPE_DISABLED)
		return duration_jitter(disabled_delay(failures, poll_interval), JITTER_PERCENT);
	return duration_jitter(
	    is_failing ? scope_backoff(failures, poll_interval) : poll_interval, JITTER_PERCENT);
}

/* --- for people ------------------------------------------------------------------------------- */

struct json_object *scope_error_to_json(const struct aws_error *error)
{
	if (error->outcome == AWS_OK)
		return NULL;
	struct json_object *object = json_object_new_object();
	json_add_string(object, "operation", error->operation);
	json_add_string(object, "outcome", aws_outcome_text(error->outcome));
	json_add_string(object, "code", error->code);
	json_add_string(object, "message", error->message);
	/* Errors of credentials say in their message what to do. */
	json_add_string(object, "remedy", error->remedy != NULL ? error->remedy : error->message);
	return object;
}

static void add_time(struct json_object *object, const char *key, struct unix_time at)
{
	char text[UNIX_TIME_TEXT];
	if (at.ms != 0)
		json_add_string(object, key, unix_time_text(at, text));
}

static void add_number(struct json_object *object, const char *key, unsigned number)
{
	json_object_object_add(object, key, json_object_new_int64(number));
}

/* Of the last pass. */
static void add_calls(struct json_object *object, const struct scope *scope)
{
	struct json_object *calls = json_object_new_object();
	add_number(calls, "eks:ListClusters", scope->lists);
	add_number(calls, "tag:GetResources", scope->tag_pages);
	add_number(calls, "eks:DescribeCluster", scope->describes);
	add_number(object, "calls", scope->lists + scope->tag_pages + scope->describes);
	json_object_object_add(object, "calls_by_operation", calls);
	add_number(object, "throttles", scope->throttles);
}

static const char *tagging_text(const struct scope *scope)
{
	if (scope->has_tags)
		return "used";
	return scope->tags_error.outcome == AWS_OK ? "unknown" : "failed";
}

static void add_tagging(struct json_object *object, const struct scope *scope)
{
	struct json_object *tagging = json_object_new_object();
	json_add_string(tagging, "state", tagging_text(scope));
	if (scope->tags_error.outcome != AWS_OK) {
		char *cost = scope_tagging_cost(scope);
		json_object_object_add(tagging, "error", scope_error_to_json(&scope->tags_error));
		json_add_string(tagging, "cost", cost);
		free(cost);
	}
	json_object_object_add(object, "tagging", tagging);
}

char *scope_tagging_cost(const struct scope *scope)
{
	return xasprintf("every cluster is described at every poll: %zu calls here instead of few",
	    scope->clusters);
}

struct json_object *scope_to_json(const struct scope *scope)
{
	struct json_object *object = json_object_new_object(), *lines = json_object_new_array();
	for (size_t i = 0; i < scope->matcher_count; i++)
		json_object_array_add(lines, json_object_new_int((int)scope->matchers[i]->line));
	json_add_string(object, "id", scope->id);
	json_add_string(object, "identity", aws_provider_text(scope->account->provider));
	json_add_string(object, "region", scope->region);
	json_object_object_add(object, "matcher_lines", lines);
	json_add_string(object, "state", scope_state_text(scope->state));
	json_object_object_add(object, "clusters", json_object_new_int64((int64_t)scope->clusters));
	add_calls(object, scope);
	add_tagging(object, scope);
	json_object_object_add(object, "milliseconds", json_object_new_int64(scope->took.ms));
	add_time(object, "last_attempt", scope->last_attempt);
	add_time(object, "last_success", scope->last_success);
	add_time(object, "next", scope->next);
	if (scope->error.outcome != AWS_OK)
		json_object_object_add(object, "error", scope_error_to_json(&scope->error));
	json_add_string(object, "record_error", scope->record_error);
	return object;
}
