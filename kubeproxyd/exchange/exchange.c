/* One request's life, top to bottom: who asks, whether it may, the token, the API server, the
 * answer, the end. It owns nothing of a connection: the client is a peer of some session, the API
 * server a peer of some pool. Verbs of peers never call back, so every function here runs to its
 * end undisturbed; finish() is the one way out. */
#include "kubeproxyd/exchange/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/subscriber.h"
#include "kubeproxyd/directory/token.h"
#include "kubeproxyd/exchange/admission.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/exchange/failure.h"
#include "kubeproxyd/exchange/pace.h"
#include "kubeproxyd/exchange/relay.h"
#include "kubeproxyd/exchange/reply.h"
#include "kubeproxyd/exchange/upgrade.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_resolve.h"
#include "kubeproxyd/record/access_log.h"
#include "kubeproxyd/record/audit_id.h"

/* How often what an API server refused, provably unprocessed, is sent again. */
#define REFUSALS_MAX 3

enum state {
	STATE_IDENTIFYING,
	STATE_GETTING_TOKEN,
	STATE_WAITING, /* the request is on its way, the answer has not begun */
	STATE_RELAYING,
	STATE_TUNNEL,
	STATE_DONE,
};

struct exchange {
	struct exchange_link link;
	struct exchanges *all;
	enum state state;
	struct peer client;
	struct peer upstream; /* object NULL: none */
	struct caller *caller;
	const struct http_head *request;
	struct identity *identity;
	struct identity_query *query;
	struct token_wait *wait;
	struct admission admission;
	struct relay relay;
	struct pace pace;
	struct mono started;
	char audit_id[AUDIT_ID_TEXT];
	unsigned status; /* what the client was answered; 0: nothing */
	bool is_upgrade; /* and was sent as one */
	bool has_new_token; /* the API server refused the one before */
	bool was_cut; /* a pooled connection turned out dead: the next must be fresh */
	unsigned resent; /* how often */
};

static void set_state(struct exchange *exchange, enum state state)
{
	static const char *const names[] = {
	    "identifying", "getting-token", "waiting", "relaying", "tunnel", "done"};
	log_debug("exchange", "state", LOG_S("audit_id", exchange->audit_id),
	    LOG_S("from", names[exchange->state]), LOG_S("to", names[state]));
	exchange->state = state;
}

/* --- the end ------------------------------------------------------------------------------- */

static void free_exchange(void *object)
{
	struct exchange *exchange = object;
	free(exchange);
}

static void count(const struct exchange *exchange, struct duration took)
{
	char code[16];
	snprintf(code, sizeof code, "%u", exchange->status);
	const struct exchanges *all = exchange->all;
	const struct cluster *cluster = exchange->admission.cluster;
	metric_add(all->metrics.requests, 1, cluster != NULL ? cluster->resource->name : "", code);
	metric_add(all->metrics.in_flight, -1);
	metric_add(all->metrics.bytes, (double)exchange->relay.request_bytes, "in");
	metric_add(all->metrics.bytes, (double)exchange->relay.answer_bytes, "out");
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
	    .took = mono_since(exchange->started),
	    .rule = exchange->admission.decision.rule,
	    .reason = reason,
	};
	access_log_write(&entry);
	count(exchange, entry.took);
}

static void drop_upstream(struct exchange *exchange)
{
	relay_detach(&exchange->relay);
	if (exchange->upstream.object == NULL)
		return;
	exchange->upstream.verbs->release(exchange->upstream.object);
	exchange->upstream = (struct peer){0};
}

static void finish(struct exchange *exchange, const char *reason)
{
	if (exchange->state == STATE_DONE)
		return;
	set_state(exchange, STATE_DONE);
	record(exchange, reason);
	exchanges_remove(exchange->all, &exchange->link);
	identity_query_cancel(&exchange->query);
	token_wait_cancel(&exchange->wait);
	drop_upstream(exchange);
	relay_free(&exchange->relay);
	admission_free(&exchange->admission);
	identity_unref(&exchange->identity);
	loop_free_later(exchange->all->with.loop, free_exchange, exchange);
	exchange->client.verbs->release(exchange->client.object);
}

/* Answers with a Status of our own and ends. */
static void answer_after(
    struct exchange *exchange, unsigned status, const char *message, unsigned retry_after)
{
	struct reply reply = {
	    .status = status,
	    .message = message,
	    .target = exchange->request->target,
	    .audit_id = exchange->audit_id,
	    .retry_after = retry_after,
	};
	drop_upstream(exchange);
	exchange->status = status;
	exchange->relay.answer_bytes += reply_send(exchange->client, &reply);
	finish(exchange, message);
}

static void answer(struct exchange *exchange, unsigned status, const char *message)
{
	answer_after(exchange, status, message, 0);
}

/* The same, about the cluster: "cluster "prod": …"; remembered for `kubeproxyd ls`. */
static void answer_for_cluster(struct exchange *exchange, unsigned status, const char *problem)
{
	char *message = xasprintf("cluster \"%s\": %s", exchange->admission.route.cluster, problem);
	cluster_note_error(exchange->admission.cluster, problem);
	answer(exchange, status, message);
	free(message);
}

/* --- 1. who asks --------------------------------------------------------------------------- */

static void get_token(struct exchange *exchange);

static void on_identity(void *arg, struct identity *identity, const char *message)
{
	struct exchange *exchange = arg;
	exchange->query = NULL;
	if (identity == NULL) {
		answer(exchange, 401, message);
		return;
	}
	exchange->identity = identity;
	struct admission *admission = &exchange->admission;
	if (!admission_decide(admission, exchange->all, exchange->caller, exchange->identity,
		exchange->request)) {
		answer_after(
		    exchange, admission->status, admission->message, admission->retry_after);
		return;
	}
	relay_open(&exchange->relay);
	get_token(exchange);
}

struct exchange *exchange_new(
    struct exchanges *all, struct peer client, struct caller *caller, const struct http_head *head)
{
	struct exchange *exchange = xcalloc(1, sizeof *exchange);
	exchange->all = all;
	exchange->client = client;
	exchange->caller = caller;
	exchange->request = head;
	exchange->started = mono_now();
	exchange->link.exchange = exchange;
	audit_id_make(exchange->audit_id);
	size_t keep_max = all->with.settings->proxy.limits.body_in_hand;
	relay_start(&exchange->relay, client, keep_max, head->body != HTTP_BODY_NONE);
	exchanges_add(all, &exchange->link, head->body != HTTP_BODY_NONE);
	metric_add(all->metrics.in_flight, 1);
	return exchange;
}

void exchange_start(struct exchange *exchange)
{
	struct caller *caller = exchange->caller;
	struct identity_evidence evidence = {
	    .certificate = caller->certificate,
	    .certificate_error = caller->certificate_error,
	    .fields = &exchange->request->fields,
	};
	struct identity_query *query =
	    identity_resolve(caller->identity, &evidence, on_identity, exchange);
	if (query != NULL)
		exchange->query = query;
}

/* --- 2. the token -------------------------------------------------------------------------- */

static void send_request(struct exchange *exchange, const char *token);

/* While credentials were on their way the cluster may have moved: what was checked about its
 * endpoint before is checked anew, or nothing is sent. */
static void send_to_prepared(struct exchange *exchange, const char *token)
{
	char *error = NULL;
	if (cluster_prepare(exchange->all->with.clusters, exchange->admission.cluster, &error))
		send_request(exchange, token);
	else
		answer_for_cluster(exchange, 502, error);
	free(error);
}

static void on_token(void *arg, const char *token, const char *error)
{
	struct exchange *exchange = arg;
	exchange->wait = NULL;
	if (token != NULL) {
		send_to_prepared(exchange, token);
		return;
	}
	char *problem = xasprintf("the proxy has no AWS credentials for it: %s", error);
	answer_for_cluster(exchange, 503, problem);
	free(problem);
}

static void get_token(struct exchange *exchange)
{
	set_state(exchange, STATE_GETTING_TOKEN);
	struct token_wait *wait =
	    token_source_get(exchange->admission.cluster->tokens, on_token, exchange);
	if (wait != NULL)
		exchange->wait = wait;
}

/* --- 3. to the API server ------------------------------------------------------------------ */

static const struct peer_events upstream_events;

static bool build_head(const struct exchange *exchange, const char *token, struct http_head *head)
{
	const struct decision *decision = &exchange->admission.decision;
	struct headers_input input = {
	    .client = exchange->request,
	    .target = exchange->admission.route.target,
	    .authority = exchange->admission.cluster->authority,
	    .token = token,
	    .user = decision->user,
	    .groups = decision->groups,
	    .group_count = decision->group_count,
	    .audit_id = exchange->audit_id,
	    .client_address = exchange->caller->host,
	    .is_proxy_subresource = exchange->admission.info.opaque_from > 0,
	};
	return headers_build_request(&input, head);
}

static struct upstream_want what_is_wanted(const struct exchange *exchange)
{
	struct upstream_want want = {
	    .is_upgrade = exchange->is_upgrade,
	    .is_long_running = exchange->admission.info.is_long_running,
	    .must_be_fresh = exchange->was_cut,
	};
	if (!exchange->admission.info.is_long_running && !want.is_upgrade)
		want.response_timeout = exchange->all->with.settings->proxy.limits.response_timeout;
	return want;
}

static void send_request(struct exchange *exchange, const char *token)
{
	struct http_head *head = &exchange->all->scratch;
	if (!build_head(exchange, token, head)) {
		log_error(
		    "exchange", "header-assertion-failed", LOG_S("audit_id", exchange->audit_id));
		http_head_clear(head);
		answer(exchange, 500,
		    "the request could not be turned into a safe one; nothing was sent");
		return;
	}
	set_state(exchange, STATE_WAITING);
	exchange->is_upgrade = head->is_upgrade;
	struct upstream_want want = what_is_wanted(exchange);
	exchange->upstream = upstream_open(exchange->all->with.upstreams,
	    exchange->admission.cluster, &want, &upstream_events, exchange);
	bool may_send = exchange->upstream.verbs->send_head(exchange->upstream.object, head);
	http_head_clear(head);
	relay_attach(&exchange->relay, exchange->upstream, may_send);
}

static void on_client_body(void *arg, const uint8_t *data, size_t len)
{
	struct exchange *exchange = arg;
	relay_on_request_body(&exchange->relay, data, len);
}

static void on_client_end(void *arg)
{
	struct exchange *exchange = arg;
	relay_on_request_end(&exchange->relay);
}

static void on_upstream_drain(void *arg)
{
	struct exchange *exchange = arg;
	relay_on_upstream_drain(&exchange->relay);
}

/* --- 4. when the API server cannot be reached ---------------------------------------------- */

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
	answer_for_cluster(exchange, what->status, problem);
	free(problem);
}

static void on_upstream_failed(void *arg, const struct peer_failure *failure)
{
	struct exchange *exchange = arg;
	const char *name = exchange->admission.route.cluster;
	metric_add(
	    exchange->all->metrics.upstream_errors, 1, name, failure_meaning(failure->kind)->name);
	if (failure->kind == PEER_TLS)
		subscriber_refresh(exchange->all->with.subscriber, name, failure->reason);
	/* What the tunnel brought before still reaches the client; any other answer is cut, never
	 * ended. */
	if (exchange->state == STATE_TUNNEL)
		exchange->client.verbs->send_end(exchange->client.object);
	if (exchange->status != 0) {
		finish(exchange, failure->reason);
		return;
	}
	if (!may_resend(exchange, failure)) {
		answer_failure(exchange, failure->kind, failure->reason);
		return;
	}
	drop_upstream(exchange);
	exchange->resent++;
	exchange->was_cut |= failure->kind != PEER_REFUSED;
	get_token(exchange);
}

/* --- 5. the answer ------------------------------------------------------------------------- */

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
		answer_for_cluster(exchange, 503, problem);
		free(problem);
		return;
	}
	if (!relay_can_replay(&exchange->relay)) {
		answer_after(
		    exchange, 503, "the proxy's token had expired and was renewed: try again", 1);
		return;
	}
	exchange->has_new_token = true;
	drop_upstream(exchange);
	get_token(exchange);
}

static bool build_answer(const struct exchange *exchange, const struct http_head *upstream,
    struct http_head *head, char **message)
{
	const struct admission *admission = &exchange->admission;
	struct headers_answer given = {
	    .upstream = upstream,
	    .authority = admission->cluster->authority,
	    .prefix = admission->route.prefix,
	    .target = admission->route.target,
	    .opaque_from = admission->info.opaque_from,
	};
	if (!headers_build_response(&given, head, message))
		return false;
	if (fields_get(&head->fields, "Audit-Id") == NULL)
		fields_add_text(&head->fields, "Audit-Id", exchange->audit_id);
	return true;
}

static void relay_head(struct exchange *exchange, const struct http_head *head)
{
	bool is_tunnel = head->status == 101;
	exchange->status = head->status;
	set_state(exchange, is_tunnel ? STATE_TUNNEL : STATE_RELAYING);
	if (!exchange->client.verbs->send_head(exchange->client.object, head))
		exchange->upstream.verbs->pause(exchange->upstream.object);
	if (is_tunnel)
		relay_tunnel(&exchange->relay);
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
	struct http_head *head = &exchange->all->scratch;
	char *message = NULL;
	if (build_answer(exchange, upstream, head, &message))
		relay_head(exchange, head);
	else
		answer(exchange, 502, message);
	http_head_clear(head);
	free(message);
}

static void on_answer_body(void *arg, const uint8_t *data, size_t len)
{
	struct exchange *exchange = arg;
	relay_on_answer_body(&exchange->relay, data, len);
}

static void on_answer_end(void *arg)
{
	struct exchange *exchange = arg;
	exchange->client.verbs->send_end(exchange->client.object);
	finish(exchange, "done");
}

static void on_client_drain(void *arg)
{
	struct exchange *exchange = arg;
	relay_on_client_drain(&exchange->relay);
}

static void on_client_failed(void *arg, const struct peer_failure *failure)
{
	finish(arg, failure->reason);
}

static const struct peer_events upstream_events = {
    .on_head = on_head,
    .on_body = on_answer_body,
    .on_end = on_answer_end,
    .on_drain = on_upstream_drain,
    .on_failed = on_upstream_failed,
};

const struct peer_events exchange_client_events = {
    .on_body = on_client_body,
    .on_end = on_client_end,
    .on_drain = on_client_drain,
    .on_failed = on_client_failed,
};

/* --- 6. withdrawal ------------------------------------------------------------------------- */

void exchange_cut(struct exchange *exchange, const char *reason)
{
	if (exchange->state == STATE_DONE)
		return;
	if (exchange->status == 0)
		answer_after(exchange, 503, reason, 1);
	else
		finish(exchange, reason);
}

void exchange_end_long(struct exchange *exchange, const char *reason)
{
	const char *verb = exchange->admission.info.verb;
	bool is_watch = exchange->state == STATE_RELAYING && verb != NULL &&
			strcmp(verb, "watch") == 0 && exchange->status == 200;
	if (!is_watch) {
		exchange_cut(exchange, reason);
		return;
	}
	exchange->client.verbs->send_end(exchange->client.object);
	finish(exchange, reason);
}

void exchange_recheck(struct exchange *exchange)
{
	if (exchange->state <= STATE_IDENTIFYING || exchange->state == STATE_DONE)
		return;
	if (!admission_holds(
		&exchange->admission, exchange->all, exchange->caller, exchange->identity))
		exchange_cut(exchange, "the role that allowed this was withdrawn");
}

void exchange_check_expiry(struct exchange *exchange)
{
	if (exchange->identity != NULL && identity_is_expired(exchange->identity, unix_now()))
		exchange_cut(exchange, "the credential has expired");
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
		answer(exchange, 408, reason);
	else
		finish(exchange, reason);
	return false;
}

bool exchange_is_for(const struct exchange *exchange, const struct cluster *cluster)
{
	return exchange->admission.cluster == cluster;
}

bool exchange_is_long(const struct exchange *exchange)
{
	return exchange->state == STATE_TUNNEL || exchange->admission.info.is_long_running;
}
