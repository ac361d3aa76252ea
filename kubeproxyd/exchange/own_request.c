/* The client of an exchange that is no session: it has one request, hands its body over when it is
 * asked for it, and gathers the answer. What the exchange causes here is done at the end of the
 * turn, since verbs of peers never call back. Called by delete_each.c. */
#include "kubeproxyd/exchange/own_request.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/http/peer.h"
#include "kubeproxyd/net/holdings.h"

/* What is kept of an answer although all answers together fill their memory. */
#define KEPT_IN_ANY_CASE ((size_t)256 * 1024)

struct own_request {
	struct loop *loop;
	struct exchange *exchange; /* NULL: it has released us */
	struct http_head head;
	struct buf body;
	struct deferred work;
	own_request_fn *fn; /* NULL: cancelled */
	void *arg;
	size_t answer_max;
	bool needs_whole;
	bool wants_body, is_body_sent;
	unsigned status, retry_after;
	struct buf answer;
	struct holdings *holdings; /* the answer counts there; NULL: none */
	size_t counted; /* by them */
	bool is_ended, is_too_long;
};

/* --- what the exchange does --------------------------------------------------------------------
 */

static bool on_send_head(void *object, const struct http_head *head)
{
	struct own_request *request = object;
	const char *seconds = fields_get(&head->fields, "Retry-After");
	request->status = head->status;
	request->retry_after = seconds != NULL ? (unsigned)strtoul(seconds, NULL, 10) : 0;
	return true;
}

static size_t room_for_answer(const struct own_request *request)
{
	bool is_full = !holdings_have_room(request->holdings, 0);
	size_t most = is_full && request->answer_max > KEPT_IN_ANY_CASE ? KEPT_IN_ANY_CASE
									: request->answer_max;
	return most > request->answer.len ? most - request->answer.len : 0;
}

static bool on_send_body(void *object, const uint8_t *data, size_t len)
{
	struct own_request *request = object;
	size_t room = room_for_answer(request);
	buf_append(&request->answer, data, len < room ? len : room);
	holdings_count(request->holdings, &request->counted, request->answer.cap);
	request->is_too_long |= len > room;
	if (request->is_too_long && request->needs_whole)
		loop_defer(request->loop, &request->work);
	return true;
}

static void on_send_trailers(void *object, const struct http_fields *fields)
{
	(void)object; /* nothing here is asked for that stands in them */
	(void)fields;
}

static void on_send_end(void *object)
{
	struct own_request *request = object;
	request->is_ended = true;
}

static void on_pause(void *object)
{
	(void)object; /* the body is short and given whole */
}

static void on_resume(void *object)
{
	struct own_request *request = object;
	request->wants_body = true;
	loop_defer(request->loop, &request->work);
}

static void on_release(void *object)
{
	struct own_request *request = object;
	request->exchange = NULL;
	loop_defer(request->loop, &request->work);
}

static const struct peer_verbs verbs = {
    .send_head = on_send_head,
    .send_body = on_send_body,
    .send_trailers = on_send_trailers,
    .send_end = on_send_end,
    .pause = on_pause,
    .resume = on_resume,
    .release = on_release,
};

/* --- what it causes, at the end of the turn ------------------------------------------------------
 */

static void free_request(void *object)
{
	struct own_request *request = object;
	http_head_free(&request->head);
	buf_free_secret(&request->body);
	buf_free_secret(&request->answer);
	holdings_count(request->holdings, &request->counted, 0);
	free(request);
}

static void give_up(struct own_request *request, const char *reason)
{
	struct peer_failure failure = {.kind = PEER_CUT, .reason = reason};
	exchange_client_events.on_failed(request->exchange, &failure);
}

static void send_body(struct own_request *request)
{
	request->is_body_sent = true;
	exchange_client_events.on_body(
	    request->exchange, (const uint8_t *)request->body.data, request->body.len);
	if (request->exchange != NULL)
		exchange_client_events.on_end(request->exchange);
}

static void finish(struct own_request *request)
{
	struct own_answer answer = {
	    .status = request->status,
	    .retry_after = request->retry_after,
	    .body = buf_text(&request->answer),
	    .body_len = request->answer.len,
	    .is_whole = request->is_ended && !request->is_too_long,
	    .is_too_long = request->is_too_long,
	};
	loop_free_later(request->loop, free_request, request);
	if (request->fn != NULL)
		request->fn(request->arg, &answer);
}

static void work(void *arg)
{
	struct own_request *request = arg;
	if (request->exchange == NULL)
		finish(request);
	else if (request->is_too_long && request->needs_whole)
		give_up(request, "its answer is too long");
	else if (request->wants_body && !request->is_body_sent && request->body.len > 0)
		send_body(request);
}

/* --- public ---------------------------------------------------------------------------------- */

/* What says who asks, as whom and with what. */
static bool is_taken_over(const struct http_fields *fields, size_t index)
{
	static const char *const names[] = {
	    "Authorization", "User-Agent", "Kubectl-Command", "Kubectl-Session"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (fields_is_named(fields, index, names[i]))
			return true;
	}
	return fields_is(fields, index, FIELD_IMPERSONATION);
}

static void build_head(struct http_head *head, const struct own_request_input *input)
{
	const struct http_fields *fields = &input->client->fields;
	const char *authority = input->client->authority;
	http_head_set_method(head, input->method);
	http_head_set_target(head, input->target, strlen(input->target));
	if (authority != NULL)
		http_head_set_authority(head, authority, strlen(authority));
	head->keep_alive = true;
	for (size_t i = 0; i < fields->count; i++) {
		if (is_taken_over(fields, i))
			fields_copy(&head->fields, fields, i);
	}
	fields_add_text(&head->fields, "Accept", input->accept);
	if (input->body == NULL)
		return;
	fields_add_text(&head->fields, "Content-Type", input->content_type);
	head->body = HTTP_BODY_LENGTH;
	head->content_length = input->body->len;
}

struct own_request *own_request_start(struct exchanges *all, struct caller *caller,
    const struct own_request_input *input, own_request_fn *fn, void *arg)
{
	struct own_request *request = xcalloc(1, sizeof *request);
	request->loop = all->with.loop;
	request->work = (struct deferred){.fn = work, .arg = request};
	request->fn = fn;
	request->arg = arg;
	request->answer_max = input->answer_max;
	request->holdings = all->with.holdings;
	request->needs_whole = input->needs_whole;
	build_head(&request->head, input);
	if (input->body != NULL)
		buf_append(&request->body, input->body->data, input->body->len);
	struct peer client = {&verbs, request};
	request->exchange = exchange_new(all, client, caller, &request->head);
	exchange_let_page(request->exchange);
	exchange_start(request->exchange);
	return request;
}

void own_request_cancel(struct own_request **request, const char *reason)
{
	if (*request == NULL)
		return;
	(*request)->fn = NULL;
	if ((*request)->exchange != NULL)
		give_up(*request, reason);
	*request = NULL;
}
