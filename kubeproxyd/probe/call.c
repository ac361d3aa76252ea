/* Asks an API server something and gathers the answer. It stands where an exchange stands, between
 * nobody and an upstream: the same verbs, the same events. Called by look.c and apply.c. */
#include "kubeproxyd/probe/call.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/back/upstream.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/http/head.h"

struct call {
	struct loop *loop;
	struct peer upstream;
	struct timer *timer;
	call_fn *fn;
	void *arg;
	unsigned status;
	struct buf body;
	bool is_done;
};

static void free_call(void *object)
{
	struct call *call = object;
	buf_free_secret(&call->body);
	free(call);
}

/* Frees the call at the end of the turn. */
static void end(struct call *call)
{
	call->is_done = true;
	timer_free(&call->timer);
	if (call->upstream.object != NULL)
		call->upstream.verbs->release(call->upstream.object);
	call->upstream = (struct peer){0};
	loop_free_later(call->loop, free_call, call);
}

static void finish(struct call *call, const struct call_answer *answer)
{
	if (call->is_done)
		return;
	end(call);
	call->fn(call->arg, answer);
}

static void fail(struct call *call, enum peer_failure_kind kind, const char *reason)
{
	struct call_answer answer = {.body = "", .failure = kind, .reason = reason};
	finish(call, &answer);
}

static void on_head(void *arg, const struct http_head *head)
{
	struct call *call = arg;
	call->status = head->status;
	call->upstream.verbs->resume(call->upstream.object);
}

static void on_body(void *arg, const uint8_t *data, size_t len)
{
	struct call *call = arg;
	if (call->body.len + len > CALL_ANSWER_MAX)
		fail(call, PEER_MALFORMED, "its answer is too long");
	else
		buf_append(&call->body, data, len);
}

static void on_end(void *arg)
{
	struct call *call = arg;
	struct call_answer answer = {
	    .status = call->status, .body = buf_text(&call->body), .body_len = call->body.len};
	finish(call, &answer);
}

static void on_drain(void *arg)
{
	(void)arg; /* the body was given whole */
}

static void on_failed(void *arg, const struct peer_failure *failure)
{
	fail(arg, failure->kind, failure->reason);
}

static void on_trailers(void *arg, const struct http_fields *fields)
{
	(void)arg; /* nothing here is asked for that stands in them */
	(void)fields;
}

static void on_timeout(void *arg)
{
	fail(arg, PEER_TIMEOUT, "no answer in time");
}

static const struct peer_events events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_failed = on_failed,
    .on_trailers = on_trailers,
};

static void build_head(
    const struct cluster *cluster, const struct call_request *request, struct http_head *head)
{
	char *bearer = xasprintf("Bearer %s", request->token);
	http_head_set_method(head, request->method);
	http_head_set_target(head, request->target, strlen(request->target));
	http_head_set_authority(head, cluster->authority, strlen(cluster->authority));
	head->keep_alive = !request->is_alone;
	fields_add_text(&head->fields, "Authorization", bearer);
	fields_add_text(&head->fields, "Accept", "application/json");
	fields_add_text(&head->fields, "User-Agent", "eksgate-kubeproxyd/" EKSGATE_VERSION);
	if (request->body != NULL) {
		fields_add_text(&head->fields, "Content-Type", request->content_type);
		head->body = HTTP_BODY_LENGTH;
		head->content_length = strlen(request->body);
	}
	explicit_bzero(bearer, strlen(bearer));
	free(bearer);
}

struct call *call_start(struct loop *loop, struct upstreams *upstreams, struct cluster *cluster,
    const struct call_request *request, call_fn *fn, void *arg)
{
	struct call *call = xcalloc(1, sizeof *call);
	call->loop = loop;
	call->fn = fn;
	call->arg = arg;
	call->timer = timer_new(loop, on_timeout, call);
	timer_set(call->timer, request->timeout);
	struct upstream_want want = {
	    .response_timeout = request->timeout, .is_alone = request->is_alone};
	struct http_head head = {0};
	build_head(cluster, request, &head);
	call->upstream = upstream_open(upstreams, cluster, &want, &events, call);
	const struct peer_verbs *verbs = call->upstream.verbs;
	void *object = call->upstream.object;
	/* A short body that the upstream takes at once whatever these return. */
	(void)!verbs->send_head(object, &head);
	http_head_free(&head);
	if (request->body != NULL)
		(void)!verbs->send_body(
		    object, (const uint8_t *)request->body, strlen(request->body));
	verbs->send_end(object);
	return call;
}

void call_cancel(struct call **call)
{
	if (*call != NULL && !(*call)->is_done)
		end(*call);
	*call = NULL;
}
