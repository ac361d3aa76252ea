/* The filter on an answer's way: whom to ask about objects, where what passes goes or is held, and
 * how it ends when the answer cannot be read. The head of a list is held until a byte of it leaves,
 * so that what cannot be filtered is answered with a sentence; a watch begins at once. Called by
 * exchange_answer.c and exchange.c. */
#include "kubeproxyd/exchange/exchange_filter.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/exchange/spool.h"
#include "kubeproxyd/filter/filter.h"
#include "kubeproxyd/net/holdings.h"
#include "kubeproxyd/policy/policy.h"

/* What a filter needs for objects as they usually are. */
#define HELD_IN_ANY_CASE ((size_t)256 * 1024)
/* Of a page for the proxy itself, which holds it in memory anyway: what it does needs no disk. */
#define PAGE_HELD_MAX ((size_t)4 * 1024 * 1024 - 1)
/* When clients should ask again for a list that there was no room for. */
#define ROOM_RETRY_SECONDS 5

struct exchange_filter {
	struct filter *filter;
	struct http_head head; /* of a list, while it is held */
	bool is_held;
	bool has_ended; /* the API server has; there may be more to unpack or to send */
	bool is_leaving; /* all is unpacked */
	struct timer *rest; /* what one turn does not bear; NULL: never needed */
	size_t held; /* of all holdings, what is the filter's */
	struct spool *spool; /* of a list whose end must be seen first; NULL: never needed */
	bool awaits_disk; /* nothing goes on until on_disk() */
	struct filter_result counted; /* what the metrics have of it */
};

static bool may_read(void *arg, const char *namespace, const char *name)
{
	const struct exchange *exchange = arg;
	return policy_may_read_object(&exchange->admission.decision, namespace, name);
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	struct exchange *exchange = arg;
	struct exchange_filter *filter = exchange->filter;
	if (filter->is_held) {
		filter->is_held = false;
		exchange_relay_head(exchange, &filter->head);
		http_head_free(&filter->head);
	}
	exchange_relay_body(exchange, data, len);
	if (exchange->relay.is_client_full)
		filter_pause(filter->filter);
}

static void on_disk(void *arg);

static bool put_away(void *arg, const uint8_t *data, size_t len)
{
	struct exchange *exchange = arg;
	struct exchange_filter *filter = exchange->filter;
	if (filter->spool == NULL)
		filter->spool = spool_new(&exchange->all->spools, on_disk, exchange);
	bool is_put = spool_put(filter->spool, data, len);
	if (spool_is_behind(filter->spool))
		filter_pause(filter->filter);
	return is_put;
}

static bool fetch(void *arg, uint8_t *data, size_t len)
{
	const struct exchange *exchange = arg;
	struct exchange_filter *filter = exchange->filter;
	bool is_fetched = spool_fetch(filter->spool, data, len);
	if (!spool_is_ready(filter->spool))
		filter_pause(filter->filter);
	return is_fetched;
}

static const struct filter_events events = {may_read, emit, put_away, fetch};

/* --- how it ends ----------------------------------------------------------------------------- */

static void count(struct exchange *exchange)
{
	struct exchange_filter *filter = exchange->filter;
	const struct filter_result *now = filter_result(filter->filter), *last = &filter->counted;
	struct metric *metric = exchange->all->metrics.filtered;
	if (now->passed > last->passed)
		metric_add(metric, (double)(now->passed - last->passed), "passed");
	if (now->dropped > last->dropped)
		metric_add(metric, (double)(now->dropped - last->dropped), "dropped");
	if (now->unreadable > last->unreadable)
		metric_add(metric, (double)(now->unreadable - last->unreadable), "unreadable");
	filter->counted = *now;
}

/* The metrics, and the memory that is waited in. */
static void keep_counts(struct exchange *exchange)
{
	struct exchange_filter *filter = exchange->filter;
	size_t spooled = filter->spool != NULL ? spool_memory(filter->spool) : 0;
	count(exchange);
	holdings_count(
	    exchange->all->with.holdings, &filter->held, filter_memory(filter->filter) + spooled);
}

/* Before anything was relayed it can be said; what has begun is cut. */
static void say(struct exchange *exchange, unsigned status, const char *message, unsigned retry)
{
	if (exchange->status == 0)
		exchange_answer_after(exchange, status, message, retry);
	else
		exchange_finish(exchange, message);
}

/* A part of a list is never passed for the whole. */
static void give_up_holding(struct exchange *exchange)
{
	static const struct {
		const char *setting; /* in metrics */
		unsigned status, retry;
		const char *text;
	} faults[] = {
	    [SPOOL_TOO_LONG] = {"filtered_list", 507, 0,
		"what the user may see of this list is longer than the proxy may hold "
		"(eksgate.proxy.limits.filtered_list): list less at a time, by namespace or "
		"selector, or as JSON, which is not held"},
	    [SPOOL_NO_ROOM] = {"filtered_lists", 503, ROOM_RETRY_SECONDS,
		"lists fill the disk space that there is for them "
		"(eksgate.proxy.limits.filtered_lists): try again later, or list as JSON, which "
		"needs none"},
	    [SPOOL_BROKEN] = {"cache_dir", 507, 0,
		"this list must be held until its end, and the proxy cannot, below "
		"eksgate.proxy.cache_dir: list as JSON, which is not held, or tell an "
		"administrator of eksgate"},
	};
	const struct spool *spool = exchange->filter->spool;
	enum spool_fault fault = spool_fault(spool);
	const char *cluster = exchange->admission.route.cluster, *error = spool_error(spool);
	if (fault == SPOOL_BROKEN)
		log_error("exchange", "list-not-held", LOG_S("audit_id", exchange->audit_id),
		    LOG_S("directory", exchange->all->spools.directory), LOG_S("error", error));
	metric_add(exchange->all->metrics.refused, 1, faults[fault].setting);
	char *message = xasprintf("cluster \"%s\": %s%s%s", cluster, faults[fault].text,
	    error[0] != '\0' ? ": " : "", error);
	say(exchange, faults[fault].status, message, faults[fault].retry);
	free(message);
}

static void give_up(struct exchange *exchange)
{
	const struct filter_result *result = filter_result(exchange->filter->filter);
	const char *cluster = exchange->admission.route.cluster;
	count(exchange);
	if (result->is_unheld) {
		give_up_holding(exchange);
		return;
	}
	char *message =
	    result->is_forbidden
		? xstrdup(exchange->admission.decision.message)
		: xasprintf("cluster \"%s\": the answer cannot be filtered as the user's roles "
			    "ask for: %s",
		      cluster, result->problem);
	say(exchange, result->is_forbidden ? 403 : 502, message, 0);
	free(message);
}

/* --- the way through ------------------------------------------------------------------------- */

static const char *only_value(const struct http_fields *fields, const char *name)
{
	return fields_count_of(fields, name) == 1 ? fields_get(fields, name) : NULL;
}

static struct filter *new_filter(struct exchange *exchange, const struct http_head *upstream)
{
	const struct http_fields *fields = &upstream->fields;
	const char *type = only_value(fields, "Content-Type");
	bool is_watch = strcmp(exchange->admission.info.verb, "watch") == 0;
	struct filter_limits limits = {
	    .item_max = exchange->all->with.settings->proxy.limits.filtered_object,
	    .held_max = exchange->admission.may_page ? PAGE_HELD_MAX : FILTER_HELD_MAX,
	    .may_be_page = exchange->admission.may_page};
	if (type == NULL || fields_count_of(fields, "Content-Encoding") > 1)
		return NULL;
	return filter_new(is_watch ? FILTER_WATCH : FILTER_LIST, type,
	    fields_get(fields, "Content-Encoding"), &limits, &events, exchange);
}

static void refuse_format(struct exchange *exchange, const struct http_head *upstream)
{
	const char *type = fields_get(&upstream->fields, "Content-Type");
	const char *encoding = fields_get(&upstream->fields, "Content-Encoding");
	if (encoding == NULL)
		encoding = upstream->status == 206 ? "a part of it" : "not compressed";
	char *message = xasprintf(
	    "cluster \"%s\": its API server answered in a format that cannot be filtered as the "
	    "user's roles ask for (%.100s, %.100s)",
	    exchange->admission.route.cluster, type != NULL ? type : "no Content-Type", encoding);
	exchange_answer(exchange, 502, message);
	free(message);
}

/* An API server that cannot read an object of its store says so of all of the list, and by the
 * object's key ("unable to transform key "/registry/secrets/…""). */
static void refuse_error(struct exchange *exchange)
{
	char *message = xasprintf(
	    "cluster \"%s\": its API server failed (500); what it says of it may name objects that "
	    "the user's roles do not show, and is left out: its audit log has it under the "
	    "Audit-Id of this answer",
	    exchange->admission.route.cluster);
	exchange_answer(exchange, 500, message);
	free(message);
}

static bool hold_head(struct exchange *exchange, const struct http_head *upstream)
{
	struct exchange_filter *filter = exchange->filter;
	char *message = NULL;
	filter->is_held = exchange_build_answer(exchange, upstream, &filter->head, &message);
	if (!filter->is_held)
		exchange_answer(exchange, 502, message);
	free(message);
	return true;
}

bool exchange_filter_begin(struct exchange *exchange, const struct http_head *upstream)
{
	bool is_success = upstream->status >= 200 && upstream->status < 300;
	exchange_filter_free(exchange->all, &exchange->filter);
	if (upstream->status == 500) {
		refuse_error(exchange);
		return true;
	}
	if (!is_success || upstream->body == HTTP_BODY_NONE)
		return false;
	struct filter *filter = new_filter(exchange, upstream);
	if (filter == NULL || upstream->status == 206) {
		filter_free(&filter);
		refuse_format(exchange, upstream);
		return true;
	}
	exchange->filter = xcalloc(1, sizeof *exchange->filter);
	exchange->filter->filter = filter;
	metric_add(exchange->all->metrics.filters, 1);
	if (strcmp(exchange->admission.info.verb, "watch") == 0)
		return false;
	return hold_head(exchange, upstream);
}

static void on_rest(void *arg)
{
	struct exchange *exchange = arg;
	const struct exchange_filter *filter = exchange->filter;
	if (filter_is_paused(filter->filter) && !exchange->relay.is_client_full &&
	    !filter->awaits_disk)
		exchange_filter_drain(exchange);
}

/* What is put away must be on its way to the file before there is more of it; and all of it, before
 * it leaves. */
static bool is_disk_behind(const struct exchange_filter *filter, bool is_leaving)
{
	if (filter->spool == NULL)
		return false;
	return is_leaving ? !spool_is_ready(filter->spool) : spool_is_behind(filter->spool);
}

/* Others have their turn before more is unpacked, unless the client is what is waited for, or the
 * disk. */
static void rest(struct exchange *exchange)
{
	struct exchange_filter *filter = exchange->filter;
	bool is_paused = filter_is_paused(filter->filter);
	filter->awaits_disk = is_disk_behind(filter, filter->is_leaving);
	if (exchange->relay.is_client_full || (!is_paused && !filter->awaits_disk))
		return;
	if (!filter->has_ended)
		exchange->upstream.verbs->pause(exchange->upstream.object);
	if (filter->awaits_disk)
		return;
	if (filter->rest == NULL)
		filter->rest = timer_new(exchange->all->with.loop, on_rest, exchange);
	timer_set(filter->rest, duration_ms(0));
}

/* Objects that have begun are held to their end, in as many answers as there are: when no slow
 * reader is left whose memory could be had, whoever holds a large one gives it up. */
static bool has_room(struct exchange *exchange)
{
	struct holdings *holdings = exchange->all->with.holdings;
	if (exchange->filter->held <= HELD_IN_ANY_CASE)
		return true;
	holdings_make_room(holdings, 0);
	if (exchange->state >= STATE_ENDED)
		return false;
	if (holdings_have_room(holdings, 0))
		return true;
	static const char reason[] = "answers fill the memory that there is for them "
				     "(eksgate.proxy.limits.answers_in_hand): try again later";
	metric_add(exchange->all->metrics.refused, 1, "answers_in_hand");
	say(exchange, 503, reason, 1);
	return false;
}

void exchange_filter_add(struct exchange *exchange, const uint8_t *data, size_t len)
{
	if (!filter_feed(exchange->filter->filter, data, len)) {
		give_up(exchange);
		return;
	}
	keep_counts(exchange);
	if (has_room(exchange))
		rest(exchange);
}

/* The API server's connection is free for others, however slow the client is. */
void exchange_filter_end(struct exchange *exchange)
{
	struct exchange_filter *filter = exchange->filter;
	filter->has_ended = true;
	exchange_drop_upstream(exchange);
	if (filter_is_paused(filter->filter))
		return;
	filter->is_leaving = true;
	filter->awaits_disk = is_disk_behind(filter, true);
	if (filter->awaits_disk)
		return;
	if (!filter_end(filter->filter)) {
		give_up(exchange);
		return;
	}
	keep_counts(exchange);
	if (filter_is_done(filter->filter))
		exchange_relay_end(exchange);
	else
		rest(exchange);
}

void exchange_filter_drain(struct exchange *exchange)
{
	struct exchange_filter *filter = exchange->filter;
	exchange->relay.is_client_full = false;
	if (!filter_resume(filter->filter)) {
		give_up(exchange);
		return;
	}
	keep_counts(exchange);
	if (!has_room(exchange))
		return;
	rest(exchange);
	if (filter_is_paused(filter->filter) || filter->awaits_disk)
		return;
	if (filter->has_ended)
		exchange_filter_end(exchange);
	else
		relay_on_client_drain(&exchange->relay);
}

/* A step of the spool. */
static void on_disk(void *arg)
{
	struct exchange *exchange = arg;
	struct exchange_filter *filter = exchange->filter;
	if (exchange->state == STATE_ENDED)
		return;
	keep_counts(exchange);
	if (spool_fault(filter->spool) != SPOOL_SOUND)
		give_up_holding(exchange);
	else if (filter->awaits_disk && !exchange->relay.is_client_full)
		exchange_filter_drain(exchange);
}

void exchange_filter_look(struct exchange *exchange)
{
	struct exchange_filter *filter = exchange->filter;
	if (filter == NULL || filter->spool == NULL || exchange->state >= STATE_ENDED)
		return;
	spool_look(filter->spool);
	if (spool_fault(filter->spool) != SPOOL_SOUND)
		give_up_holding(exchange);
}

/* --- when it is ended from here -------------------------------------------------------------- */

void exchange_filter_close(struct exchange *exchange)
{
	if (exchange->filter != NULL)
		filter_close(exchange->filter->filter);
}

bool exchange_filter_expire(struct exchange *exchange, const char *reason)
{
	bool is_watch = exchange->filter != NULL && exchange->state == STATE_RELAYING &&
			strcmp(exchange->admission.info.verb, "watch") == 0;
	if (is_watch)
		filter_expire(exchange->filter->filter);
	return is_watch && exchange_end_watch(exchange, reason);
}

bool exchange_filter_is_spooled(const struct exchange *exchange)
{
	return exchange->filter != NULL && exchange->filter->spool != NULL;
}

bool exchange_filter_result(const struct exchange *exchange, struct filter_result *result)
{
	const struct exchange_filter *filter = exchange->filter;
	if (filter == NULL)
		return false;
	*result = *filter_result(filter->filter);
	if (filter->is_held)
		result->passed = 0;
	return true;
}

void exchange_filter_free(struct exchanges *all, struct exchange_filter **filter)
{
	if (*filter == NULL)
		return;
	holdings_count(all->with.holdings, &(*filter)->held, 0);
	timer_free(&(*filter)->rest);
	filter_free(&(*filter)->filter);
	spool_free(&(*filter)->spool);
	http_head_free(&(*filter)->head);
	xfree(filter);
}
