/* The way back of an exchange: the API server's answer, or that there is none; what may be sent
 * again is sent again. Called by whatever peer the API server's side is. */
#include <stdlib.h>

#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/subscriber.h"
#include "kubeproxyd/directory/token.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/exchange/failure.h"
#include "kubeproxyd/exchange/upgrade.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/http/fields_out.h"
#include "kubeproxyd/net/holdings.h"

/* How often what an API server refused, provably unprocessed, is sent again. */
#define REFUSALS_MAX 6

/* --- when the API server cannot be reached ---------------------------------------------- */

/* A connection that is renewed may refuse what another that is renewed had refused; a cut is not
 * tempted twice. */
static bool may_resend(const struct exchange *exchange, const struct peer_failure *failure)
{
	unsigned limit = failure->kind == PEER_REFUSED ? REFUSALS_MAX : 1;
	return exchange->resent < limit && relay_can_replay(&exchange->relay) &&
	       failure_may_resend(failure, exchange->request->method);
}

static void answer_failure(
    struct exchange *exchange, enum peer_failure_kind kind, const char *reason)
{
	const struct failure_meaning *what = failure_meaning(kind);
	char *problem =
	    xasprintf("%s (%s): %s", what->text, exchange->admission.cluster->authority, reason);
	exchange_answer_for_cluster(exchange, what->status, problem);
	free(problem);
}

/* Not processed, and not sent again. Clients try again by themselves when they are told when: after
 * 429 whatever the request is (client-go, with Retry-After). */
static void answer_unprocessed(struct exchange *exchange, const struct peer_failure *failure)
{
	const struct failure_meaning *what = failure_meaning(failure->kind);
	const struct cluster *cluster = exchange->admission.cluster;
	bool is_large = !relay_can_replay(&exchange->relay);
	char *message = xasprintf("cluster \"%s\": %s (%s): %s%s",
	    exchange->admission.route.cluster, what->text, cluster->authority, failure->reason,
	    is_large ? "; the body of the request is too large to be kept for another try "
		       "(eksgate.proxy.limits.body_in_hand): try again"
		     : "");
	exchange_answer_after(exchange, is_large ? 429 : what->status, message, 1);
	free(message);
}

static void give_up(struct exchange *exchange, const struct peer_failure *failure)
{
	bool may_try_again =
	    failure->kind == PEER_REFUSED ||
	    (failure_is_unprocessed(failure) && !relay_can_replay(&exchange->relay));
	if (may_try_again)
		answer_unprocessed(exchange, failure);
	else
		answer_failure(exchange, failure->kind, failure->reason);
}

static void on_upstream_failed(void *arg, const struct peer_failure *failure)
{
	struct exchange *exchange = arg;
	const char *name = exchange->admission.route.cluster;
	/* It had said all it wanted; that it takes no more is its way to end. */
	if (exchange->is_half_closed) {
		exchange_finish(exchange, "done");
		return;
	}
	metric_add(
	    exchange->all->metrics.upstream_errors, 1, name, failure_meaning(failure->kind)->name);
	if (failure->kind == PEER_TLS)
		subscriber_refresh(exchange->all->with.subscriber, name, failure->reason);
	/* What the tunnel brought before still reaches the client; any other answer is cut, never
	 * ended. */
	if (exchange->state == STATE_TUNNEL)
		exchange->client.verbs->send_end(exchange->client.object);
	if (exchange->status != 0) {
		exchange_finish(exchange, failure->reason);
		return;
	}
	if (!may_resend(exchange, failure)) {
		give_up(exchange, failure);
		return;
	}
	exchange_drop_upstream(exchange);
	exchange->resent++;
	exchange->was_cut |= failure->kind != PEER_REFUSED;
	exchange_get_token(exchange);
}

/* --- the answer ------------------------------------------------------------------------- */

/* An application behind a proxy subresource may answer 401 itself; what may have reached it is not
 * sent again. */
static bool may_be_of_application(const struct exchange *exchange)
{
	return exchange->admission.info.opaque_from > 0 &&
	       (exchange->has_new_token || !failure_is_safe_method(exchange->request->method));
}

/* Its 401 is about our token, never about the user: it is not relayed (kubectl would ask for a
 * password). */
static void on_unauthorized(struct exchange *exchange)
{
	const char *name = exchange->admission.route.cluster;
	token_source_drop(exchange->admission.cluster->tokens);
	if (exchange->has_new_token) {
		char *problem =
		    xasprintf("its API server does not accept the proxy's AWS identity; "
			      "`discoveryd explain %s` says what access it needs",
			name);
		exchange_answer_for_cluster(exchange, 503, problem);
		free(problem);
		return;
	}
	if (!relay_can_replay(&exchange->relay)) {
		exchange_answer_after(
		    exchange, 503, "the proxy's token had expired and was renewed: try again", 1);
		return;
	}
	exchange->has_new_token = true;
	exchange_drop_upstream(exchange);
	exchange_get_token(exchange);
}

bool exchange_build_answer(const struct exchange *exchange, const struct http_head *upstream,
    struct http_head *head, char **message)
{
	static struct field_name audit_id = FIELD_NAME("Audit-Id");
	const struct admission *admission = &exchange->admission;
	struct headers_answer given = {
	    .upstream = upstream,
	    .authority = admission->cluster->authority,
	    .prefix = admission->route.prefix,
	    .target = admission->route.target,
	    .opaque_from = admission->info.opaque_from,
	    .is_filtered = admission->is_filtered && upstream->status / 100 == 2,
	};
	if (!headers_build_response(&given, head, message))
		return false;
	if (fields_find(&head->fields, FIELD_AUDIT_ID) == NULL)
		fields_out_add_text(&head->fields, &audit_id, exchange->audit_id);
	return true;
}

static void start_tunnel(struct exchange *exchange)
{
	relay_tunnel(&exchange->relay);
	activity_start(&exchange->activity, fields_get(&exchange->request->fields, "Upgrade"));
}

/* The reader is slower than the API server. */
static void stall(struct exchange *exchange)
{
	relay_pause_answer(&exchange->relay);
	exchanges_note_stalled(exchange->all, &exchange->link, true);
}

void exchange_relay_head(struct exchange *exchange, const struct http_head *head)
{
	bool is_tunnel = head->status == 101;
	exchange->status = head->status;
	exchange_set_state(exchange, is_tunnel ? STATE_TUNNEL : STATE_RELAYING);
	exchange_audit_answer(exchange, head);
	if (!exchange->client.verbs->send_head(exchange->client.object, head))
		stall(exchange);
	if (is_tunnel)
		start_tunnel(exchange);
	else
		relay_forget(&exchange->relay);
}

static void on_head(void *arg, const struct http_head *upstream)
{
	struct exchange *exchange = arg;
	if (upstream->status == 401 && !may_be_of_application(exchange)) {
		on_unauthorized(exchange);
		return;
	}
	const char *refusal = upgrade_refuse(exchange->request, exchange->is_upgrade, upstream);
	if (refusal != NULL) {
		answer_failure(exchange, PEER_MALFORMED, refusal);
		return;
	}
	cluster_note_error(exchange->admission.cluster, NULL);
	char *unrecorded = exchange_remote_open(exchange, upstream);
	if (unrecorded != NULL) {
		exchange_answer(exchange, 403, unrecorded);
		free(unrecorded);
		return;
	}
	if (exchange_rules_begin(exchange, upstream))
		return;
	if (exchange->admission.is_filtered && exchange_filter_begin(exchange, upstream))
		return;
	struct http_head *head = &exchange->all->scratch;
	char *message = NULL;
	if (exchange_build_answer(exchange, upstream, head, &message))
		exchange_relay_head(exchange, head);
	else
		exchange_answer(exchange, 502, message);
	http_head_clear(head);
	free(message);
}

void exchange_relay_body(struct exchange *exchange, const uint8_t *data, size_t len)
{
	exchange_audit_answer_body(exchange, data, len);
	if (exchange->options.client_idle_timeout.ms > 0)
		activity_feed(&exchange->activity, ACTIVITY_OF_SERVER, data, len);
	if (exchange->remote != NULL &&
	    !exchange_remote_passes(exchange, REMOTE_SERVER, data, &len))
		return;
	relay_on_answer_body(&exchange->relay, data, len);
	if (exchange->relay.is_client_full)
		exchanges_note_stalled(exchange->all, &exchange->link, true);
	if (exchange->remote != NULL)
		exchange_remote_passed(exchange);
}

static void on_answer_body(void *arg, const uint8_t *data, size_t len)
{
	struct exchange *exchange = arg;
	holdings_make_room(exchange->all->with.holdings, len);
	if (exchange->state >= STATE_ENDED) /* for want of it */
		return;
	if (exchange->holds_rules)
		exchange_rules_add(exchange, data, len);
	else if (exchange->filter != NULL)
		exchange_filter_add(exchange, data, len);
	else
		exchange_relay_body(exchange, data, len);
}

static void on_answer_trailers(void *arg, const struct http_fields *fields)
{
	struct exchange *exchange = arg;
	struct http_head *scratch = &exchange->all->scratch;
	/* They are about the answer as it was. */
	if (exchange->filter != NULL)
		return;
	headers_build_trailers(fields, &scratch->fields);
	exchange->client.verbs->send_trailers(exchange->client.object, &scratch->fields);
	http_head_clear(scratch);
}

void exchange_relay_end(struct exchange *exchange)
{
	exchange->client.verbs->send_end(exchange->client.object);
	/* What the client said last may wait for room still, and its end behind that. */
	exchange->is_half_closed = exchange->state == STATE_TUNNEL && !exchange->relay.is_end_sent;
	if (!exchange->is_half_closed)
		exchange_end_later(exchange);
}

static void on_answer_end(void *arg)
{
	struct exchange *exchange = arg;
	if (exchange->holds_rules)
		exchange_rules_end(exchange);
	else if (exchange->filter != NULL)
		exchange_filter_end(exchange);
	else
		exchange_relay_end(exchange);
}

static void on_upstream_drain(void *arg)
{
	struct exchange *exchange = arg;
	relay_on_upstream_drain(&exchange->relay);
	exchange_end_tunnel(exchange);
}

const struct peer_events exchange_upstream_events = {
    .on_head = on_head,
    .on_body = on_answer_body,
    .on_end = on_answer_end,
    .on_drain = on_upstream_drain,
    .on_failed = on_upstream_failed,
    .on_trailers = on_answer_trailers,
};
