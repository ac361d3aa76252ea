/* How an exchange ends: with an answer of our own, with the last byte relayed, or because what
 * allowed it was withdrawn. exchange_finish() is the one way out, and writes the records. */
#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/token.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/exchange/reply.h"
#include "kubeproxyd/filter/filter.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_resolve.h"
#include "kubeproxyd/record/access_log.h"

void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
	static const char *const names[] = {"identifying", "holding", "opening-recording",
	    "getting-token", "waiting", "deleting", "relaying", "tunnel", "ended", "done"};
	log_debug("exchange", "state", LOG_S("audit_id", exchange->audit_id),
	    LOG_S("from", names[exchange->state]), LOG_S("to", names[state]));
	exchange->state = state;
}

/* --- the end ------------------------------------------------------------------------------- */

static void free_exchange(void *object)
{
	struct arena arena = ((struct exchange *)object)->arena; /* it stands in its own blocks */
	arena_free(&arena);
}

static void count(const struct exchange *exchange, struct duration took)
{
	char code[DECIMAL_TEXT];
	decimal_write(code, exchange->status);
	struct exchanges *all = exchange->all;
	const struct cluster *cluster = exchange->admission.cluster;
	metric_add(all->metrics.requests, 1, cluster != NULL ? cluster->resource->name : "", code);
	all->bytes_in += exchange->relay.request_bytes;
	all->bytes_out += exchange->relay.answer_bytes;
	if (!exchange_is_long(exchange))
		metric_observe(all->metrics.seconds, (double)took.ms / 1000);
}

static void record(const struct exchange *exchange, const char *reason)
{
	const struct request_info *info = &exchange->admission.info;
	struct access_entry entry = {
	    .audit_id = exchange->audit_id,
	    .client = exchange->caller->address,
	    .user = exchange->identity != NULL ? exchange->identity->user : NULL,
	    .cluster = exchange->admission.route.cluster,
	    .method = exchange->request->method,
	    .path = info->path,
	    .verb = info->verb,
	    .api_group = info->api_group,
	    .resource = info->resource,
	    .subresource = info->subresource,
	    .namespace = info->namespace,
	    .name = info->name,
	    .status = exchange->status,
	    .bytes_in = exchange->relay.request_bytes,
	    .bytes_out = exchange->relay.answer_bytes,
	    .now = unix_now(),
	    .took = mono_since(exchange->started),
	    .rule = exchange->admission.decision.rule,
	    .reason = reason,
	};
	struct filter_result filtered;
	entry.is_filtered = exchange_filter_result(exchange, &filtered);
	if (entry.is_filtered) {
		entry.objects_passed = filtered.passed;
		entry.objects_left_out = filtered.dropped + filtered.unreadable;
	}
	access_log_write(&entry);
	if (entry.is_filtered && filtered.unreadable > 0)
		log_warn("exchange", "objects-unreadable", LOG_S("audit_id", entry.audit_id),
		    LOG_S("cluster", entry.cluster), LOG_S("resource", entry.resource),
		    LOG_I("count", filtered.unreadable));
	exchange_audit_end(exchange, reason, entry.now, entry.took);
	count(exchange, entry.took);
}

void exchange_drop_upstream(struct exchange *exchange)
{
	relay_detach(&exchange->relay);
	if (exchange->upstream.object == NULL)
		return;
	exchange->upstream.verbs->release(exchange->upstream.object);
	exchange->upstream = (struct peer){0};
}

/* What ends it when the client has all of the answer is not its ending. A document of ours may
 * leave although it is taken back before the turn ends, and stays on record as answered. */
static const char *reason_of_ended(const struct exchange *exchange, const char *reason)
{
	if (!exchange->is_answered_here)
		return "done";
	return exchange->is_taken_back ? reason : "answered here";
}

void exchange_finish(struct exchange *exchange, const char *reason)
{
	if (exchange->state == STATE_DONE)
		return;
	if (exchange->state == STATE_ENDED)
		reason = reason_of_ended(exchange, reason);
	exchange_set_state(exchange, STATE_DONE);
	reason = exchange_remote_reason(exchange, reason);
	record(exchange, reason);
	exchange_remote_free(exchange, reason);
	exchanges_remove(exchange->all, &exchange->link);
	identity_query_cancel(&exchange->query);
	token_wait_cancel(&exchange->wait);
	exchange_drop_upstream(exchange);
	delete_each_free(&exchange->each);
	relay_free(&exchange->relay);
	activity_free(&exchange->activity);
	exchange_audit_free(&exchange->audit);
	exchange_filter_free(exchange->all, &exchange->filter);
	buf_free(&exchange->rules);
	admission_free(&exchange->admission);
	identity_unref(&exchange->identity);
	loop_free_later(exchange->all->with.loop, free_exchange, exchange);
	exchange->client.verbs->release(exchange->client.object);
}

void exchange_end_later(struct exchange *exchange)
{
	exchange_set_state(exchange, STATE_ENDED);
	/* What else comes on that connection is for others. */
	exchange_drop_upstream(exchange);
	exchanges_note_stalled(exchange->all, &exchange->link, false);
	exchanges_step_later(exchange->all, &exchange->link, EXCHANGE_ENDS);
}

void exchange_end(struct exchange *exchange)
{
	exchange_finish(exchange, "done");
}

void exchange_answer_after(
    struct exchange *exchange, unsigned status, const char *message, unsigned retry_after)
{
	struct reply reply = {
	    .status = status,
	    .message = message,
	    .target = exchange->request->target,
	    .audit_id = exchange->audit_id,
	    .retry_after = retry_after,
	};
	exchange_drop_upstream(exchange);
	exchange->status = status;
	exchange->relay.answer_bytes += reply_send(exchange->client, &reply);
	exchange_finish(exchange, message);
}

void exchange_answer_document(struct exchange *exchange, const char *type, const struct buf *body)
{
	exchange->status = 200;
	exchange->is_answered_here = true;
	exchange->relay.answer_bytes += reply_send_document(
	    exchange->client, type, buf_text(body), body->len, exchange->audit_id);
	exchange_end_later(exchange);
}

void exchange_answer(struct exchange *exchange, unsigned status, const char *message)
{
	exchange_answer_after(exchange, status, message, 0);
}

void exchange_answer_refused(struct exchange *exchange)
{
	const struct admission *admission = &exchange->admission;
	struct reply reply = {
	    .status = admission->status,
	    .message = admission->told != NULL ? admission->told : admission->message,
	    .target = exchange->request->target,
	    .audit_id = exchange->audit_id,
	    .retry_after = admission->retry_after,
	    .document = admission->document_type != NULL ? &admission->document : NULL,
	    .document_type = admission->document_type,
	};
	exchange->status = admission->status;
	exchange->relay.answer_bytes += reply_send(exchange->client, &reply);
	exchange_finish(exchange, admission->message);
}

void exchange_answer_for_cluster(struct exchange *exchange, unsigned status, const char *problem)
{
	char *message = xasprintf("cluster \"%s\": %s", exchange->admission.route.cluster, problem);
	cluster_note_error(exchange->admission.cluster, problem);
	exchange_answer(exchange, status, message);
	free(message);
}

void exchange_end_tunnel(struct exchange *exchange)
{
	if (exchange->is_half_closed && exchange->relay.is_end_sent)
		exchange_finish(exchange, "done");
}

/* --- withdrawal ------------------------------------------------------------------------- */

void exchange_cut(struct exchange *exchange, const char *reason)
{
	if (exchange->state == STATE_DONE)
		return;
	if (exchange->status == 0)
		exchange_answer_after(exchange, 503, reason, 1);
	else if (!exchange_end_session(exchange, reason))
		exchange_finish(exchange, reason);
}

bool exchange_end_watch(struct exchange *exchange, const char *reason)
{
	const char *verb = exchange->admission.info.verb;
	bool is_watch = exchange->state == STATE_RELAYING && verb != NULL &&
			strcmp(verb, "watch") == 0 && exchange->status == 200;
	if (!is_watch)
		return false;
	exchange_filter_close(exchange);
	exchange->client.verbs->send_end(exchange->client.object);
	exchange_finish(exchange, reason);
	return true;
}

void exchange_withdraw(struct exchange *exchange, const char *reason)
{
	if (!exchange_end_watch(exchange, reason))
		exchange_cut(exchange, reason);
}

/* The limits of the roles as they are now. Silence in a tunnel is known only when it was followed
 * from the tunnel's begin. */
static void follow_options(struct exchange *exchange)
{
	struct role_options *options = &exchange->options;
	struct caller_grants *grants =
	    caller_grants(exchange->caller, exchange->all->with.policy, exchange->identity);
	const struct role_options *now = grants_options(grants->grants);
	bool is_followed = options->client_idle_timeout.ms > 0;
	options->max_session_ttl = now->max_session_ttl;
	if (is_followed || exchange->state != STATE_TUNNEL)
		options->client_idle_timeout = now->client_idle_timeout;
	if (!is_followed && exchange->state != STATE_TUNNEL)
		activity_start(&exchange->activity, NULL);
	caller_grants_unref(&grants);
}

void exchange_recheck(struct exchange *exchange)
{
	if (exchange->state <= STATE_HOLDING || exchange->state >= STATE_ENDED)
		return;
	static const char withdrawn[] = "the role that allowed this was withdrawn";
	static const char changed[] = "the roles show other objects now: list anew";
	switch (admission_recheck(
	    &exchange->admission, exchange->all, exchange->caller, exchange->identity)) {
	case ADMISSION_HOLDS:
		follow_options(exchange);
		return;
	case ADMISSION_DIFFERS:
		if (!exchange_filter_expire(exchange, changed))
			exchange_cut(exchange, changed);
		return;
	case ADMISSION_IS_GONE:
		exchange_cut(exchange, withdrawn);
	}
}

void exchange_check_locks(struct exchange *exchange)
{
	if (exchange->state <= STATE_IDENTIFYING || exchange->state >= STATE_ENDED)
		return;
	char *sentence = admission_find_lock(exchange->all, exchange->caller, exchange->identity);
	if (sentence != NULL && exchange->status == 0)
		exchange_answer(exchange, 403, sentence);
	else if (sentence != NULL)
		exchange_withdraw(exchange, sentence);
	free(sentence);
}

/* The limits of the user's roles on what runs for long. */
static void check_session(struct exchange *exchange)
{
	const struct role_options *options = &exchange->options;
	if (exchange->state == STATE_DONE || !exchange_is_long(exchange))
		return;
	/* Whoever waits for the disk of a recording is not idle. */
	if (exchange->relay.is_held)
		exchange->activity.last = mono_now();
	if (options->max_session_ttl.ms > 0 &&
	    mono_since(exchange->started).ms >= options->max_session_ttl.ms)
		exchange_withdraw(
		    exchange, "it ran for as long as a role allows (max_session_ttl)");
	else if (options->client_idle_timeout.ms > 0 &&
		 mono_since(exchange->activity.last).ms >= options->client_idle_timeout.ms)
		exchange_withdraw(exchange,
		    "nothing was sent for longer than a role allows (client_idle_timeout)");
}

void exchange_check_expiry(struct exchange *exchange)
{
	if (exchange->identity == NULL)
		return;
	struct unix_time end = identity_end(exchange->identity);
	if (end.ms != 0 && unix_now().ms > end.ms)
		exchange_withdraw(exchange, "the credential has expired");
	else
		check_session(exchange);
}

bool exchange_is_tunnel_of(const struct exchange *exchange, const char *user)
{
	return exchange->state > STATE_IDENTIFYING && exchange->state != STATE_DONE &&
	       exchange->request->is_upgrade && exchange->identity != NULL &&
	       strcmp(exchange->identity->user, user) == 0;
}

bool exchange_check_pace(struct exchange *exchange, struct duration elapsed)
{
	struct relay *relay = &exchange->relay;
	if (relay->is_request_ended || exchange->state >= STATE_TUNNEL)
		return false;
	const struct settings *settings = exchange->all->with.settings;
	if (pace_keeps(&exchange->pace, settings->proxy.limits.body_rate,
		settings->proxy.limits.body_grace, relay->request_bytes,
		relay_awaited_client(relay), elapsed))
		return true;
	const char *reason = "the body of the request came too slowly "
			     "(eksgate.proxy.limits.body_rate, body_grace)";
	metric_add(exchange->all->metrics.refused, 1, "body_rate");
	if (exchange->status == 0)
		exchange_answer(exchange, 408, reason);
	else
		exchange_finish(exchange, reason);
	return false;
}

bool exchange_is_for(const struct exchange *exchange, const struct cluster *cluster)
{
	return exchange->admission.cluster == cluster;
}

bool exchange_is_by_token(const struct exchange *exchange)
{
	return exchange->identity != NULL && strcmp(exchange->identity->source, "certificate") != 0;
}

bool exchange_is_long(const struct exchange *exchange)
{
	return exchange->state == STATE_TUNNEL || exchange->admission.info.is_long_running;
}
