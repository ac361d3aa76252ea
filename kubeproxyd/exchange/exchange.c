/* One request's way to its API server: who asks, whether it may, the token, the request. It owns
 * nothing of a connection: the client is a peer of some session, the API server a peer of some
 * pool. Verbs of peers never call back, so every function here runs to its end undisturbed. The way
 * back: exchange_answer.c; the end: exchange_end.c. */
#include "kubeproxyd/exchange/exchange.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/token.h"
#include "kubeproxyd/exchange/admission_body.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/exchange/exchange_private.h"
#include "kubeproxyd/exchange/user_api.h"
#include "kubeproxyd/gate/act_as.h"
#include "kubeproxyd/gate/headers.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_resolve.h"

/* When clients should try again what could not be recorded. */
#define AUDIT_RETRY_SECONDS 5

static char original_user[] = ACT_AS_ORIGINAL_USER;

/* --- 1. who asks --------------------------------------------------------------------------- */

/* False: it was answered, or goes on later. */
static bool admit_remote(struct exchange *exchange)
{
	unsigned status = 0;
	char *message = NULL;
	enum remote_admission admission = exchange_remote_admit(exchange, &status, &message);
	if (admission == REMOTE_REFUSED)
		exchange_answer(exchange, status, message);
	else if (admission == REMOTE_WAITS)
		exchange_set_state(exchange, STATE_OPENING_RECORDING);
	free(message);
	return admission == REMOTE_ADMITTED;
}

void exchange_go_on(struct exchange *exchange)
{
	if (exchange->relay.kept.len > 0)
		exchange_audit_request_body(
		    exchange, (const uint8_t *)exchange->relay.kept.data, exchange->relay.kept.len);
	if (exchange->admission.deletes_each) {
		exchange_set_state(exchange, STATE_DELETING);
		delete_each_start(exchange);
		return;
	}
	relay_open(&exchange->relay);
	exchange_get_token(exchange);
}

/* Everything is decided. */
static void prepare(struct exchange *exchange)
{
	exchange->options = *grants_options(exchange->admission.grants->grants);
	if (exchange->options.client_idle_timeout.ms > 0)
		activity_start(&exchange->activity, NULL);
	const char *refusal = NULL;
	if (!exchange_audit_admit(exchange, &refusal))
		exchange_answer_after(exchange, 503, refusal, AUDIT_RETRY_SECONDS);
	else if (admit_remote(exchange))
		exchange_go_on(exchange);
}

/* A review that is answered from here is no denial: it is recorded as one that goes on. */
static void answer_from_here(struct exchange *exchange)
{
	const struct buf *body = &exchange->relay.kept;
	const char *refusal = NULL;
	if (exchange->admission.status == 201 && !exchange_audit_admit(exchange, &refusal)) {
		exchange_answer_after(exchange, 503, refusal, AUDIT_RETRY_SECONDS);
		return;
	}
	exchange_audit_request_body(exchange, (const uint8_t *)body->data, body->len);
	exchange_answer_refused(exchange);
}

/* The body is what the decision waited for. */
static void decide_with_body(struct exchange *exchange)
{
	const struct buf *body = &exchange->relay.kept;
	if (admission_decide_body(&exchange->admission, exchange->all, exchange->caller,
		exchange->identity, exchange->request, buf_text(body), body->len))
		prepare(exchange);
	else
		answer_from_here(exchange);
}

/* Until the body is complete, or longer than what is kept of bodies. */
static void hold(struct exchange *exchange)
{
	exchange_set_state(exchange, STATE_HOLDING);
	if (exchange->relay.is_request_ended)
		decide_with_body(exchange);
	else
		relay_open(&exchange->relay);
}

static void look_at_held(struct exchange *exchange)
{
	if (exchange->relay.is_request_ended)
		decide_with_body(exchange);
	else if (exchange->relay.kept.len >= exchange->relay.keep_max)
		exchange_answer(exchange, 413,
		    "the body decides about access and is longer than "
		    "eksgate.proxy.limits.body_in_hand: send less, or ask an administrator of "
		    "eksgate for a rule with name \"*\" that allows to create");
}

/* What the proxy itself answers. */
static void answer_user(struct exchange *exchange)
{
	struct user_api_answer answer = {0};
	char *locked = exchange->identity != NULL ? admission_find_lock(exchange->all,
							exchange->caller, exchange->identity)
						  : NULL;
	if (locked == NULL)
		user_api_answer(exchange->all, exchange->caller, exchange->identity,
		    exchange->request, &answer);
	if (locked != NULL)
		exchange_answer(exchange, 403, locked);
	else if (answer.status != 200)
		exchange_answer(exchange, answer.status, answer.message);
	else if (!exchange->is_taken_back)
		exchange_answer_document(exchange, answer.type, &answer.body);
	user_api_answer_free(&answer);
	free(locked);
}

static void on_identity(void *arg, struct identity *identity, const struct refusal *refusal)
{
	struct exchange *exchange = arg;
	exchange->query = NULL;
	if (identity == NULL) {
		exchange_answer_after(
		    exchange, refusal->status, refusal->message, refusal->retry_after);
		return;
	}
	exchange->identity = identity;
	caller_note_known(exchange->caller);
	if (user_api_is_asked(exchange->all, exchange->caller, exchange->request)) {
		answer_user(exchange);
		return;
	}
	if (!admission_decide(&exchange->admission, exchange->all, exchange->caller,
		exchange->identity, exchange->request)) {
		exchange_answer_refused(exchange);
		return;
	}
	if (exchange->admission.needs_body)
		hold(exchange);
	else
		prepare(exchange);
}

struct exchange *exchange_new(
    struct exchanges *all, struct peer client, struct caller *caller, const struct http_head *head)
{
	struct arena arena = {0};
	struct exchange *exchange = arena_alloc(&arena, sizeof *exchange);
	exchange->arena = arena;
	exchange->admission.arena = &exchange->arena;
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
	return exchange;
}

void exchange_let_page(struct exchange *exchange)
{
	exchange->admission.may_page = true;
}

/* A stranger gets one answer a connection, which the first request has: what came with it must find
 * the connection ended. */
void exchange_start(struct exchange *exchange)
{
	if (exchange->caller->is_known)
		exchanges_step_later(exchange->all, &exchange->link, EXCHANGE_ARRIVES);
	else
		exchange_arrive(exchange);
}

void exchange_arrive(struct exchange *exchange)
{
	struct caller *caller = exchange->caller;
	if (user_api_is_asked(exchange->all, caller, exchange->request) &&
	    user_api_is_public(exchange->request)) {
		answer_user(exchange);
		return;
	}
	struct identity_evidence evidence = {
	    .certificate = caller->certificate,
	    .certificate_error = caller->certificate_error,
	    .fields = &exchange->request->fields,
	    .address = caller->host,
	};
	struct identity_query *query = identity_resolve(
	    exchange->all->with.providers, caller->identity, &evidence, on_identity, exchange);
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
		exchange_answer_for_cluster(exchange, 502, error);
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
	exchange_answer_for_cluster(exchange, 503, problem);
	free(problem);
}

void exchange_get_token(struct exchange *exchange)
{
	exchange_set_state(exchange, STATE_GETTING_TOKEN);
	exchanges_step_later(exchange->all, &exchange->link, EXCHANGE_LEAVES);
}

void exchange_leave(struct exchange *exchange)
{
	struct token_wait *wait =
	    token_source_get(exchange->admission.cluster->tokens, on_token, exchange);
	if (wait != NULL)
		exchange->wait = wait;
}

/* --- 3. to the API server ------------------------------------------------------------------ */

/* Extras that go along: the client's, where roles allow them, and on whose behalf they are. The
 * array is the caller's; NULL: none. */
static struct act_as_extra *collect_extras(const struct exchange *exchange, size_t *count)
{
	const struct act_as *as = exchange->admission.decision.as;
	*count = 0;
	if (as == NULL)
		return NULL;
	struct act_as_extra *extras = xcalloc(as->extra_count + 1, sizeof *extras);
	for (; *count < as->extra_count; ++*count)
		extras[*count] = as->extras[*count];
	if (exchange->all->with.settings->proxy.original_user)
		extras[(*count)++] = (struct act_as_extra){original_user, exchange->identity->user};
	return extras;
}

static bool build_head(const struct exchange *exchange, const char *token, struct http_head *head)
{
	const struct decision *decision = &exchange->admission.decision;
	size_t extra_count;
	struct act_as_extra *extras = collect_extras(exchange, &extra_count);
	struct headers_input input = {
	    .client = exchange->request,
	    .target = exchange->admission.target != NULL ? exchange->admission.target
							 : exchange->admission.route.target,
	    .authority = exchange->admission.cluster->authority,
	    .token = token,
	    .user = decision->user,
	    .groups = decision->groups,
	    .group_count = decision->group_count,
	    .uid = decision->as != NULL ? decision->as->uid : NULL,
	    .extras = extras,
	    .extra_count = extra_count,
	    .audit_id = exchange->audit_id,
	    .accept = exchange->admission.accept,
	    .accept_encoding = exchange->admission.accept_encoding,
	    .client_address = exchange->caller->host,
	    .drops_extensions = exchange_remote_is_recorded(exchange),
	    .is_proxy_subresource = exchange->admission.info.opaque_from > 0,
	};
	bool is_sound = headers_build_request(&input, head);
	free(extras);
	return is_sound;
}

static struct upstream_want what_is_wanted(const struct exchange *exchange)
{
	struct upstream_want want = {
	    .is_upgrade = exchange->is_upgrade,
	    .is_long_running = exchange->admission.info.is_long_running,
	    .must_be_fresh = exchange->was_cut,
	    .holdings = exchange->all->with.holdings,
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
		exchange_answer(exchange, 500,
		    "the request could not be turned into a safe one; nothing was sent");
		return;
	}
	exchange_set_state(exchange, STATE_WAITING);
	exchange->is_upgrade = head->is_upgrade;
	struct upstream_want want = what_is_wanted(exchange);
	exchange->upstream = upstream_open(exchange->all->with.upstreams,
	    exchange->admission.cluster, &want, &exchange_upstream_events, exchange);
	bool may_send = exchange->upstream.verbs->send_head(exchange->upstream.object, head);
	http_head_clear(head);
	relay_attach(&exchange->relay, exchange->upstream, may_send);
}

/* --- 4. what the client sends meanwhile ---------------------------------------------------- */

static void on_client_body(void *arg, const uint8_t *data, size_t len)
{
	struct exchange *exchange = arg;
	if (exchange->state == STATE_ENDED)
		return;
	exchange_audit_request_body(exchange, data, len);
	if (exchange->options.client_idle_timeout.ms > 0)
		activity_feed(&exchange->activity, ACTIVITY_OF_CLIENT, data, len);
	if (exchange->remote != NULL &&
	    !exchange_remote_passes(exchange, REMOTE_CLIENT, data, &len))
		return;
	relay_on_request_body(&exchange->relay, data, len);
	if (exchange->remote != NULL)
		exchange_remote_passed(exchange);
	if (exchange->state == STATE_HOLDING)
		look_at_held(exchange);
}

static void on_client_end(void *arg)
{
	struct exchange *exchange = arg;
	if (exchange->state == STATE_ENDED)
		return;
	relay_on_request_end(&exchange->relay);
	if (exchange->state == STATE_HOLDING)
		look_at_held(exchange);
	else
		exchange_end_tunnel(exchange);
}

static void on_client_drain(void *arg)
{
	struct exchange *exchange = arg;
	exchanges_note_stalled(exchange->all, &exchange->link, false);
	if (exchange->state == STATE_ENDED)
		return;
	if (exchange->filter != NULL)
		exchange_filter_drain(exchange);
	else
		relay_on_client_drain(&exchange->relay);
}

static void on_client_failed(void *arg, const struct peer_failure *failure)
{
	struct exchange *exchange = arg;
	exchange->is_taken_back = true;
	/* The records say of whoever takes it back at once, too, who it was and what for. */
	exchanges_arrive_now(exchange->all, &exchange->link);
	exchange_finish(exchange, failure->reason);
}

const struct peer_events exchange_client_events = {
    .on_body = on_client_body,
    .on_end = on_client_end,
    .on_drain = on_client_drain,
    .on_failed = on_client_failed,
};
